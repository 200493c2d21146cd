"""Quotes as frames of the V3 feed.

A frame is built from entries that are encoded once for all subscribers: protobuf joins maps
when messages are concatenated. Source: `MarketDataFeedV3_pb2` of SDK 2.30.0.
"""

from collections.abc import Iterable, Mapping
from enum import StrEnum
from typing import Any, Final, NamedTuple

from upstox_client.feeder.proto import MarketDataFeedV3_pb2

from algoexec.domain.calendar import IST_OFFSET_MINUTES
from algoexec.simulation.book import Level
from algoexec.simulation.exchange import Quote
from algoexec.simulation.expansion import MINUTE_MS

_PROTO: Final[Any] = MarketDataFeedV3_pb2
_DAY_MS: Final = 86_400_000
_INITIAL, _LIVE, _INFO = 0, 1, 2


class Mode(StrEnum):
    """What a subscriber wants to know of an instrument."""

    LTPC = "ltpc"
    OPTION_GREEKS = "option_greeks"
    FULL = "full"
    FULL_D30 = "full_d30"


_REQUEST_MODES: Final = {Mode.LTPC: 0, Mode.FULL: 1, Mode.OPTION_GREEKS: 2, Mode.FULL_D30: 3}


def depth_of(mode: Mode) -> int:
    """Return how many rows of the book a mode shows."""
    return 30 if mode is Mode.FULL_D30 else 5


class Parts(NamedTuple):
    """Which parts of a quote a frame carries; what it leaves out has not changed."""

    trade: bool = True
    book: bool = True
    greeks: bool = True


EVERYTHING: Final = Parts()
BOOK_ALONE: Final = Parts(trade=False, book=True, greeks=False)


def market_info(now_ms: int, phases: Mapping[str, int]) -> bytes:
    """Return the frame that tells each segment's phase."""
    info = _PROTO.MarketInfo(segmentStatus=dict(phases))
    return bytes(_PROTO.FeedResponse(type=_INFO, currentTs=now_ms, marketInfo=info).SerializeToString())


def frame(entries: Iterable[bytes], now_ms: int, *, initial: bool = False) -> bytes:
    """Return a frame of `entries` sent at market time `now_ms`."""
    head = _PROTO.FeedResponse(type=_INITIAL if initial else _LIVE, currentTs=now_ms)
    return b"".join((*entries, head.SerializeToString()))


def entry(quote: Quote, mode: Mode, parts: Parts, last_close_ms: int) -> bytes | None:
    """Return one instrument's part of a frame; None when the mode shows nothing of these parts.

    `last_close_ms` stamps the price of an instrument that has not traded today.
    """
    feed = _feed(quote, mode, parts, last_close_ms)
    if feed is None:
        return None
    feed.requestMode = _REQUEST_MODES[mode]
    return bytes(_PROTO.FeedResponse(feeds={quote.key: feed}).SerializeToString())


def _feed(quote: Quote, mode: Mode, parts: Parts, last_close_ms: int) -> Any:
    ltpc = _ltpc(quote, last_close_ms) if parts.trade else None
    if mode is Mode.LTPC:
        return None if ltpc is None else _PROTO.Feed(ltpc=ltpc)
    if quote.contract is None:
        if ltpc is None:
            return None
        # An index has no greeks: it is told in full in either mode.
        index = _PROTO.IndexFullFeed(ltpc=ltpc, marketOHLC=_ohlc(quote))
        return _PROTO.Feed(fullFeed=_PROTO.FullFeed(indexFF=index))
    if mode is Mode.OPTION_GREEKS:
        return _PROTO.Feed(firstLevelWithGreeks=_first_level(quote, ltpc, parts))
    return _PROTO.Feed(fullFeed=_PROTO.FullFeed(marketFF=_full(quote, ltpc, parts)))


def _first_level(quote: Quote, ltpc: Any, parts: Parts) -> Any:
    known = {}
    if parts.trade:
        known = {"ltpc": ltpc, "vtt": _volume(quote), "oi": float(quote.open_interest), "iv": quote.volatility}
    first = _PROTO.FirstLevelWithGreeks(**known)
    if parts.book and quote.book is not None:
        first.firstDepth.CopyFrom(_row(quote.book.levels[0]))
    if parts.greeks and quote.greeks is not None:
        first.optionGreeks.CopyFrom(_PROTO.OptionGreeks(**quote.greeks._asdict()))
    return first


def _full(quote: Quote, ltpc: Any, parts: Parts) -> Any:
    known = {}
    if parts.trade:
        known = {
            "ltpc": ltpc,
            "marketOHLC": _ohlc(quote),
            "atp": round(quote.average_price, 2),
            "vtt": _volume(quote),
            "oi": float(quote.open_interest),
            "iv": quote.volatility,
        }
    full = _PROTO.MarketFullFeed(**known)
    if quote.book is not None and (parts.book or parts.trade):
        full.tbq, full.tsq = float(quote.book.bids), float(quote.book.asks)
    if parts.book and quote.book is not None:
        full.marketLevel.CopyFrom(_PROTO.MarketLevel(bidAskQuote=[_row(level) for level in quote.book.levels]))
    if parts.greeks and quote.greeks is not None:
        full.optionGreeks.CopyFrom(_PROTO.OptionGreeks(**quote.greeks._asdict()))
    return full


def _ltpc(quote: Quote, last_close_ms: int) -> Any:
    if quote.trade is None:
        return _PROTO.LTPC(ltp=quote.previous_close, ltt=last_close_ms, cp=quote.previous_close)
    trade = quote.trade
    return _PROTO.LTPC(ltp=trade.price, ltt=trade.at, ltq=trade.quantity, cp=quote.previous_close)


def _ohlc(quote: Quote) -> Any:
    rows = []
    if quote.day is not None and quote.trade is not None:
        day = quote.day
        rows.append(
            _PROTO.OHLC(
                interval="1d",
                open=day.open,
                high=day.high,
                low=day.low,
                close=day.close,
                vol=day.volume,
                ts=midnight(quote.trade.at),
            )
        )
    if quote.minute is not None:
        minute, opened, high, low, closed, volume = quote.minute
        rows.append(
            _PROTO.OHLC(interval="I1", open=opened, high=high, low=low, close=closed, vol=volume, ts=minute * MINUTE_MS)
        )
    return _PROTO.MarketOHLC(ohlc=rows)


def midnight(at: int) -> int:
    """Return 00:00 IST of the day of `at`, both in milliseconds since the epoch."""
    offset = IST_OFFSET_MINUTES * MINUTE_MS
    return (at + offset) // _DAY_MS * _DAY_MS - offset


def _row(level: Level) -> Any:
    return _PROTO.Quote(bidQ=level.bid_quantity, bidP=level.bid, askQ=level.ask_quantity, askP=level.ask)


def _volume(quote: Quote) -> int:
    return 0 if quote.trade is None else quote.trade.volume
