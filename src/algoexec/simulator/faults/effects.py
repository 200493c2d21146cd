"""What a fault does: one class a kind, under the name by which a script calls it.

Each says in `knows` what can be told of the occasion on which it may strike; a condition on
anything else would never hold, and is refused. A `lasting` one holds for whoever looks at the
same time, so it cannot be counted. Times of the day are IST. Milliseconds and seconds are
market time, but for `latency`, which imitates the network: it is wall time.
"""

import re
from collections.abc import Mapping
from datetime import time
from typing import Annotated, ClassVar, Final, Literal, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, NonNegativeInt, PositiveInt, model_validator

_CLOCK: Final = re.compile(r"[0-2]\d:[0-5]\d(:[0-5]\d)?")

_REQUEST: Final = frozenset({"path", "method", "user", "instrument", "tag", "side"})
_ORDER: Final = frozenset({"user", "instrument", "tag", "side"})
_UPDATE: Final = frozenset({*_ORDER, "status"})
_STREAM: Final = frozenset({"path", "user"})


def _clock(given: object) -> object:
    if isinstance(given, str) and _CLOCK.fullmatch(given):
        return given
    raise ValueError("a time of the day is written HH:MM or HH:MM:SS, in quotes")


type MarketTime = Annotated[time, BeforeValidator(_clock)]
"""A time of the day, IST."""


class Effect(BaseModel):
    """What a fault does. `shorthand` is the field that a bare value stands for."""

    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)

    knows: ClassVar[frozenset[str]] = frozenset()
    lasting: ClassVar[bool] = False
    shorthand: ClassVar[str | None] = None

    @model_validator(mode="before")
    @classmethod
    def _spelled_out(cls, given: object) -> object:
        if cls.shorthand is None or isinstance(given, Mapping | Effect):
            return given
        return {cls.shorthand: given}


# --- requests ------------------------------------------------------------------------------------------------------


class Latency(Effect):
    """A slow network, in wall milliseconds: on the way to the endpoint, and on the way back.

    A late answer to an order that is already filled is a fill before its acknowledgement.
    """

    knows = _REQUEST
    shorthand = "before_ms"
    before_ms: NonNegativeInt = 0
    after_ms: NonNegativeInt = 0


class Answer(Effect):
    """Another answer than the endpoint's. When `accepted`, the endpoint has done its work all the same.

    `error` is the broker's own shape, `html` the page of what stands in front of it, `garbage`
    JSON that ends in the middle, `empty` no body.
    """

    knows = _REQUEST
    shorthand = "status"
    status: Annotated[int, Field(ge=200, le=599)]
    code: str | None = None
    message: str | None = None
    body: Literal["error", "html", "garbage", "empty"] = "error"
    accepted: bool = False


class Cut(Effect):
    """The connection ends without an answer: `before` the endpoint has run, `after` it, or `midway` in the body."""

    knows = _REQUEST
    shorthand = "at"
    at: Literal["before", "after", "midway"]


# --- orders --------------------------------------------------------------------------------------------------------


class Reject(Effect):
    """The order is accepted over HTTP and rejected by risk management or the exchange, in these words.

    It befalls each order that is placed, also by an exit from everything; and each change, which is then not made.
    """

    knows = _ORDER
    shorthand = "words"
    words: Annotated[str, Field(min_length=1)]


class Partial(Effect):
    """The order is filled so far and then stands. `fraction` is rounded down to whole lots, `units` are as given."""

    knows = _ORDER
    fraction: Annotated[float, Field(ge=0, lt=1)] | None = None
    units: NonNegativeInt | None = None

    @model_validator(mode="after")
    def _one_measure(self) -> Self:
        if (self.fraction is None) == (self.units is None):
            raise ValueError("give either fraction or units")
        return self


class ExchangeLatency(Effect):
    """The order, or its change, reaches the exchange late, in market milliseconds."""

    knows = _ORDER
    shorthand = "ms"
    ms: PositiveInt


class FillsBeforeCancel(Effect):
    """The order is filled while its cancel is under way, so the cancel is refused; of a cancel of all, that part."""

    knows = _ORDER


# --- order updates -------------------------------------------------------------------------------------------------


class DuplicateUpdate(Effect):
    """The update comes `times` more."""

    knows = _UPDATE
    shorthand = "times"
    times: PositiveInt = 1


class DelayUpdate(Effect):
    """The update comes late, in market milliseconds; later ones overtake it."""

    knows = _UPDATE
    shorthand = "ms"
    ms: PositiveInt


class ReorderUpdate(Effect):
    """The update is held back until after the user's next one."""

    knows = _UPDATE


class DropUpdate(Effect):
    """The update never comes."""

    knows = _UPDATE


# --- the person ----------------------------------------------------------------------------------------------------


class Hand(Effect):
    """The person closes part of a position by hand in the app, once for each position.

    `half` is rounded down to whole lots, but is one at least; a number is units. It happens
    `after_s` market seconds after the position has appeared, and not before `from`.
    """

    knows = frozenset({"user", "instrument"})
    sell: Literal["half", "all"] | PositiveInt
    after_s: Annotated[float, Field(ge=0)] = 0


# --- sockets -------------------------------------------------------------------------------------------------------


class Stall(Effect):
    """No frames, though the socket stays and its pings are answered.

    It lasts `seconds` of market time from the frame that set it off, on that socket; without
    `seconds` that frame alone is lost. Frames of a stall never come.
    """

    knows = _STREAM
    shorthand = "seconds"
    seconds: Annotated[float, Field(gt=0)] | None = None


class CloseSocket(Effect):
    """The socket is closed with this code; 1006 is a TCP connection cut without a closing frame."""

    knows = _STREAM
    shorthand = "code"
    code: Literal[1000, 1001, 1006, 1008, 1011, 1012]


class HalfOpen(Effect):
    """The TCP connection stays, nothing comes any more, not even a pong, and nothing is read."""

    knows = _STREAM


class GarbageFrame(Effect):
    """Bytes without meaning in place of a frame."""

    knows = _STREAM


class TruncatedFrame(Effect):
    """The first half of a frame in place of it."""

    knows = _STREAM


type StreamFault = Stall | CloseSocket | HalfOpen | GarbageFrame | TruncatedFrame
"""What befalls a frame, and with it perhaps its socket."""

STREAM: Final = (Stall, CloseSocket, HalfOpen, GarbageFrame, TruncatedFrame)


# --- market data ---------------------------------------------------------------------------------------------------


class FaultyBook(Effect):
    """The book of an instrument: `zero` is all rows 0, `crossed` bids above asks, the others lack a side."""

    knows = frozenset({"instrument"})
    lasting = True
    shorthand = "shape"
    shape: Literal["zero", "crossed", "no_bids", "no_asks"]


class NoTicks(Effect):
    """The feed tells nothing of an instrument, though it trades."""

    knows = frozenset({"instrument"})
    lasting = True


class FaultyChain(Effect):
    """The option chain: open interest `zero_oi` everywhere, missing (`no_oi`), or no strikes at all (`empty`)."""

    knows = frozenset({"user"})
    shorthand = "shape"
    shape: Literal["zero_oi", "no_oi", "empty"]


class CandleGap(Effect):
    """Minutes missing from candles on request: those from `from` until before `until`, and the `newest` so many."""

    knows = frozenset({"path", "instrument"})
    from_: Annotated[MarketTime | None, Field(alias="from")] = None
    until: MarketTime | None = None
    newest: NonNegativeInt = 0

    @model_validator(mode="after")
    def _some_minutes(self) -> Self:
        if (self.from_ is None) != (self.until is None) or (self.from_ is None and not self.newest):
            raise ValueError("give from and until, or newest")
        return self


class ClockSkew(Effect):
    """The stamps of the feed are off by `ms`, which may be negative: the `server`'s (when a frame
    was sent), the `exchange`'s (when an instrument traded), or both. Answers on request and the
    simulator's own clock stay true."""

    lasting = True
    shorthand = "ms"
    ms: int
    of: Literal["server", "exchange", "both"] = "both"
