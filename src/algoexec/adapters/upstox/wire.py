"""The feed's protobuf schema: the SDK's own, thinned to what is read.

Parsing and reading a message costs by field, and a submessage by object. So fields that nobody
reads are left out (they become unknown fields, as from any newer schema), and parts that are
read seldom or as a whole stay bytes, which protobuf defines as the same on the wire. Numbers
and types remain those of `upstox_client.feeder.proto.MarketDataFeedV3_pb2` (SDK 2.30.0). The
thin copy lives in a pool of its own: the common one takes no second definition.
"""
# ruff: noqa: N802, N815 - the names are those of the wire.

from collections.abc import Mapping, Sequence
from typing import Any, Final, Literal, Protocol, cast

from google.protobuf.descriptor_pb2 import DescriptorProto, FieldDescriptorProto, FileDescriptorProto
from google.protobuf.descriptor_pool import DescriptorPool
from google.protobuf.message_factory import GetMessageClass
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


class IndexFullFeed(Protocol):
    """An index in mode full: no book, volume or open interest. `marketOHLC` is a `MarketOhlc`."""

    ltpc: Ltpc
    marketOHLC: bytes


class MarketFullFeed(Protocol):
    """A contract in mode full.

    `marketLevel` is `repeated BidAsk bidAskQuote = 1`, best row first; `optionGreeks` an
    `OptionGreeks`; `marketOHLC` a `MarketOhlc`.
    """

    ltpc: Ltpc
    marketLevel: bytes
    optionGreeks: bytes
    marketOHLC: bytes
    vtt: int
    oi: float
    iv: float


class FullFeed(Protocol):
    """Either of the two."""

    marketFF: MarketFullFeed
    indexFF: IndexFullFeed

    def HasField(self, name: Literal["marketFF", "indexFF"], /) -> bool:
        """Tell whether it is this one."""


class FirstLevelWithGreeks(Protocol):
    """A contract in mode option_greeks. `optionGreeks` is an `OptionGreeks`."""

    ltpc: Ltpc
    firstDepth: BidAsk
    optionGreeks: bytes
    vtt: int
    oi: float
    iv: float

    def HasField(self, name: Literal["firstDepth"], /) -> bool:
        """Tell whether the part was sent."""


class Feed(Protocol):
    """One instrument of a frame."""

    ltpc: Ltpc
    fullFeed: FullFeed
    firstLevelWithGreeks: FirstLevelWithGreeks

    def HasField(self, name: Literal["ltpc", "firstLevelWithGreeks"], /) -> bool:
        """Tell whether it is this mode."""


class MarketInfo(Protocol):
    """The state of the segments, as enum numbers."""

    segmentStatus: Mapping[str, int]


class FeedResponse(Protocol):
    """One frame."""

    type: int
    feeds: Mapping[str, Feed]
    currentTs: int
    marketInfo: MarketInfo


class Parser[M](Protocol):
    """A message class, as far as it is used."""

    def FromString(self, data: bytes, /) -> M:
        """Return the message that `data` is."""


_READ: Final = (Ltpc, BidAsk, OptionGreeks, Ohlc, MarketOhlc, IndexFullFeed, MarketFullFeed, FullFeed,
                FirstLevelWithGreeks, Feed, MarketInfo, FeedResponse)  # fmt: skip
_NAMES_ON_THE_WIRE: Final = {"Ltpc": "LTPC", "BidAsk": "Quote", "Ohlc": "OHLC", "MarketOhlc": "MarketOHLC"}


def _thin_classes() -> Mapping[str, Any]:
    schema = FileDescriptorProto()
    MarketDataFeedV3_pb2.DESCRIPTOR.CopyToProto(schema)
    read = {_NAMES_ON_THE_WIRE.get(kind.__name__, kind.__name__): kind.__annotations__ for kind in _READ}
    messages = [message for message in schema.message_type if message.name in read]
    for message in messages:
        _thin(message, read[message.name])
    del schema.message_type[:], schema.dependency[:]
    schema.message_type.extend(messages)
    pool = DescriptorPool()
    pool.AddSerializedFile(schema.SerializeToString())
    found = pool.FindFileByName(schema.name).message_types_by_name
    return {name: GetMessageClass(found[name]) for name in read}


def _thin(message: DescriptorProto, read: Mapping[str, object]) -> None:
    kept = [field for field in message.field if field.name in read]
    assert len(kept) == len(read), f"{message.name} of the SDK lacks a field of {sorted(read)}"  # noqa: S101 - at import
    for field in kept:
        if read[field.name] is bytes:
            field.type = FieldDescriptorProto.TYPE_BYTES
            field.ClearField("type_name")
    entries = [entry for entry in message.nested_type if any(field.type_name.endswith(entry.name) for field in kept)]
    del message.field[:], message.nested_type[:]
    message.field.extend(kept)
    message.nested_type.extend(entries)


_CLASSES: Final = _thin_classes()
FEED_RESPONSE: Final = cast(Parser[FeedResponse], _CLASSES["FeedResponse"])
MARKET_OHLC: Final = cast(Parser[MarketOhlc], _CLASSES["MarketOHLC"])
OPTION_GREEKS: Final = cast(Parser[OptionGreeks], _CLASSES["OptionGreeks"])
BID_ASK: Final = cast(Parser[BidAsk], _CLASSES["Quote"])
