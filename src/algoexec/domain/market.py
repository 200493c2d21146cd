"""What the market says: quotes as they change, candles once they are closed."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import NamedTuple, override

from algoexec.domain.errors import InvalidMarketData
from algoexec.domain.instruments import InstrumentKey

MINUTE = timedelta(minutes=1)


class Provenance(StrEnum):
    """Where a candle comes from."""

    LIVE = "live"
    """Built from ticks."""
    RECEIVED = "received"
    """The feed's own finished minute (`I1`)."""
    BACKFILLED = "backfilled"
    """Fetched from the candle API before it was decided on."""
    REPAIRED = "repaired"
    """Fetched after it was decided on: history changed, the decision did not."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Candle:
    """One minute of the index, over the half-open interval `[start, start + 1 min)`.

    Prices are index points. `volume` is the traded quantity, in units, of the nearest
    future in the same minute (an index has none); None when it is unknown or the future
    did not trade, never 0 in its place. Times are UTC. A candle is closed: it is only
    made once its minute has ended.

    Raises:
        InvalidMarketData: `start` is naive or off the minute, a price is not finite, high
            and low do not bound open and close, or the volume is not positive.
    """

    start: datetime
    open: float
    high: float
    low: float
    close: float
    volume: int | None
    provenance: Provenance

    def __post_init__(self) -> None:
        """Refuse what cannot be."""
        if self.start.tzinfo is None or self.start.second or self.start.microsecond:
            raise InvalidMarketData(f"a candle starts on an aware, whole minute, not {self.start!r}")
        if not all(map(math.isfinite, (self.open, self.high, self.low, self.close))):
            raise InvalidMarketData(f"a price of the candle at {self.start} is not a number")
        if not self.low <= min(self.open, self.close) <= max(self.open, self.close) <= self.high:
            raise InvalidMarketData(f"high and low of the candle at {self.start} do not bound it")
        if self.volume is not None and self.volume <= 0:
            raise InvalidMarketData(f"volume of the candle at {self.start} is {self.volume}; unknown is None")

    @property
    def closed_at(self) -> datetime:
        """The end of the minute, `T`: the earliest moment at which it may be decided on."""
        return self.start + MINUTE


class Bar(NamedTuple):
    """A finished minute of one instrument as the venue tells it: API candles and the feed's `I1`.

    `minute` is the start in whole minutes since the epoch, UTC; `volume` in units, 0 for an index.
    """

    minute: int
    open: float
    high: float
    low: float
    close: float
    volume: int


class Greeks(NamedTuple):
    """Sensitivities of one option, per unit: delta per point, theta per day, vega per IV point."""

    delta: float
    theta: float
    gamma: float
    vega: float
    rho: float


class Book(NamedTuple):
    """The best row of an order book. None: nobody stands on that side."""

    bid: float | None = None
    bid_quantity: int | None = None
    ask: float | None = None
    ask_quantity: int | None = None


class AsSent[V]:
    """A part of a quote as the venue sent it, read when it is first asked for: most never are.

    `reader` turns `sent` into the value, None for what it cannot read. Two parts are equal if their
    values are, and a part equals its value.
    """

    __slots__ = ("_reader", "_sent", "_value")
    _reader: Callable[[bytes], V | None] | None
    _value: V | None

    def __init__(self, sent: bytes, reader: Callable[[bytes], V | None]) -> None:
        """Keep both; this is on the tick path, reading is not."""
        self._sent = sent
        self._reader = reader

    def read(self) -> V | None:
        """Return the value; None if it is unreadable."""
        if (reader := self._reader) is not None:
            self._value = reader(self._sent)
            self._reader = None  # last: another thread may be here too
        return self._value

    @override
    def __eq__(self, other: object) -> bool:
        return self.read() == (other.read() if isinstance(other, AsSent) else other)

    @override
    def __hash__(self) -> int:
        return hash(self.read())

    @override
    def __repr__(self) -> str:
        return f"AsSent({self.read()!r})"


class Quote(NamedTuple):
    """All that is known of one instrument now, merged over partial frames.

    Stamps are exchange milliseconds since the epoch, as on the wire: the tick path does
    integer arithmetic on them. Prices in rupees (index points for an index), quantities in
    units, `iv` a fraction (0.13 is 13 %). None: never told. `traded_at` is the `ltt`;
    `volume` the day's `vtt`; `minute` the last finished minute (`I1`). Ask for `book` and
    `greeks`: the fields they come from may still be as sent.
    """

    instrument: InstrumentKey
    received_at: int
    price: float | None = None
    traded_at: int | None = None
    traded_quantity: int | None = None
    previous_close: float | None = None
    volume: int | None = None
    open_interest: float | None = None
    iv: float | None = None
    told_book: Book | AsSent[Book] | None = None
    told_greeks: Greeks | AsSent[Greeks] | None = None
    minute: Bar | None = None

    @property
    def book(self) -> Book | None:
        """The best row of the order book; None: never told, or the last one sent is unreadable."""
        told = self.told_book
        return told.read() if isinstance(told, AsSent) else told

    @property
    def bid(self) -> float | None:
        """The best price that somebody pays."""
        return None if (book := self.book) is None else book.bid

    @property
    def bid_quantity(self) -> int | None:
        """What is wanted at `bid`."""
        return None if (book := self.book) is None else book.bid_quantity

    @property
    def ask(self) -> float | None:
        """The best price that somebody asks."""
        return None if (book := self.book) is None else book.ask

    @property
    def ask_quantity(self) -> int | None:
        """What is offered at `ask`."""
        return None if (book := self.book) is None else book.ask_quantity

    @property
    def greeks(self) -> Greeks | None:
        """The option's sensitivities; None: never told, or the last ones sent are no numbers."""
        told = self.told_greeks
        return told.read() if isinstance(told, AsSent) else told
