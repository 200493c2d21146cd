"""The feed's protobuf messages, typed: the SDK's module has no types, and may not be registered twice.

Source: `upstox_client.feeder.proto.MarketDataFeedV3_pb2` of SDK 2.30.0.
"""

# ruff: noqa: N802, N815 - the names are those of the wire.

from collections.abc import Mapping, Sequence
from typing import Final, Literal, Protocol, cast

from upstox_client.feeder.proto import MarketDataFeedV3_pb2

INITIAL_FEED: Final = 0
LIVE_FEED: Final = 1
MARKET_INFO: Final = 2

SEGMENT_STATUS: Final[Mapping[int, str]] = {
    0: "PRE_OPEN_START",
    1: "PRE_OPEN_END",
    2: "NORMAL_OPEN",
    3: "NORMAL_CLOSE",
    4: "CLOSING_START",
    5: "CLOSING_END",
}


class Ltpc(Protocol):
    """Last trade. proto3: a missing number reads as 0."""

    ltp: float
    ltt: int
    ltq: int
    cp: float


class BidAsk(Protocol):
    """One row of the book."""

    bidQ: int
    bidP: float
    askQ: int
    askP: float


class OptionGreeks(Protocol):
    """Greeks as sent."""

    delta: float
    theta: float
    gamma: float
    vega: float
    rho: float


class Ohlc(Protocol):
    """One bar: the running day (`1d`) or the last finished minute (`I1`)."""

    interval: str
    open: float
    high: float
    low: float
    close: float
    vol: int
    ts: int


class MarketOhlc(Protocol):
    """The bars of a full feed."""

    ohlc: Sequence[Ohlc]


class MarketLevel(Protocol):
    """The book, best row first."""

    bidAskQuote: Sequence[BidAsk]


class FullFeed(Protocol):
    """Mode full: all that an index has (no book, volume or open interest)."""

    ltpc: Ltpc
    marketOHLC: MarketOhlc


class MarketFullFeed(FullFeed, Protocol):
    """A contract in mode full."""

    marketLevel: MarketLevel
    optionGreeks: OptionGreeks
    vtt: int
    oi: float
    iv: float

    def HasField(self, name: Literal["marketLevel"], /) -> bool:
        """Tell whether the part was sent."""


class EitherFullFeed(Protocol):
    """Mode full of a contract or of an index."""

    marketFF: MarketFullFeed
    indexFF: FullFeed

    def HasField(self, name: Literal["marketFF", "indexFF"], /) -> bool:
        """Tell whether it is this one."""


class FirstLevelWithGreeks(Protocol):
    """A contract in mode option_greeks."""

    ltpc: Ltpc
    firstDepth: BidAsk
    optionGreeks: OptionGreeks
    vtt: int
    oi: float
    iv: float

    def HasField(self, name: Literal["firstDepth"], /) -> bool:
        """Tell whether the part was sent."""


class FeedMessage(Protocol):
    """One instrument of a frame."""

    ltpc: Ltpc
    fullFeed: EitherFullFeed
    firstLevelWithGreeks: FirstLevelWithGreeks

    def HasField(self, name: Literal["ltpc", "fullFeed", "firstLevelWithGreeks"], /) -> bool:
        """Tell whether it is this mode."""


class MarketInfo(Protocol):
    """The state of the segments, as enum numbers."""

    segmentStatus: Mapping[str, int]


class FeedResponse(Protocol):
    """One frame."""

    type: int
    feeds: Mapping[str, FeedMessage]
    currentTs: int
    marketInfo: MarketInfo


class _FeedResponseType(Protocol):
    def FromString(self, data: bytes, /) -> FeedResponse: ...


FEED_RESPONSE: Final = cast(_FeedResponseType, MarketDataFeedV3_pb2.FeedResponse)
