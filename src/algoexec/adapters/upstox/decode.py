"""Feed frames to merged quotes. Upstox's spelling of market data ends here.

A live frame is partial: it carries the instruments that changed and, of those, often not all
parts. Numbers are proto3, so a missing one reads as 0. Whatever a frame does not tell stays as
it was told before.
"""

import math
from collections.abc import Iterable, Mapping
from typing import Final

from google.protobuf.message import DecodeError as ProtobufError

from algoexec.adapters.upstox.wire import (
    FEED_RESPONSE,
    INITIAL_FEED,
    MARKET_INFO,
    SEGMENT_STATUS,
    FeedMessage,
    FeedResponse,
    FirstLevelWithGreeks,
    FullFeed,
    Ltpc,
    OptionGreeks,
)
from algoexec.domain.errors import DecodeError
from algoexec.domain.instruments import InstrumentKey
from algoexec.domain.market import Bar, Greeks, Quote
from algoexec.ports.feed import QuotesChanged, SegmentsChanged

_INF: Final = math.inf
_MINUTE_MS: Final = 60_000
# A frame is stamped by the server; outside of 2000 … 2100 it is not a time but garbage that parsed.
_FIRST_MS: Final = 946_684_800_000
_LAST_MS: Final = 4_102_444_800_000
_NOTHING: Final = (None, None)

# A NamedTuple's own constructor takes three times as long; this is the hot path.
_new: Final = tuple.__new__
_from_string: Final = FEED_RESPONSE.FromString


class QuoteBoard:
    """All that one connection has told so far, merged per instrument and field.

    Belongs to one connection: what an earlier one told may be old.
    """

    def __init__(self) -> None:
        """Know nothing yet."""
        self._quotes: dict[str, Quote] = {}

    def apply(self, frame: bytes) -> QuotesChanged | SegmentsChanged:
        """Merge one frame and return what it changed.

        Raises:
            DecodeError: not a frame, or one with an unknown type or status; the board is as before.
        """
        message = _parse(frame)
        at, kind = message.currentTs, message.type
        if not _FIRST_MS <= at < _LAST_MS:
            raise DecodeError(f"a frame of {len(frame)} bytes has no time ({at})")
        if kind == MARKET_INFO:
            return SegmentsChanged(at, _segments(message))
        if kind > MARKET_INFO or kind < INITIAL_FEED:
            raise DecodeError(f"unknown frame type {kind}")
        return QuotesChanged(at, self._merge(message.feeds, at), kind == INITIAL_FEED)

    def forget(self, instruments: Iterable[InstrumentKey]) -> None:
        """Drop what is known of `instruments`: they are not asked for any more."""
        for instrument in instruments:
            self._quotes.pop(instrument, None)

    # One flat loop on purpose: a frame of eight contracts comes up to 25 times a second per
    # connection, and a function a part costs a third more (benchmarks/decode.py).
    def _merge(self, feeds: Mapping[str, FeedMessage], at: int) -> tuple[Quote, ...]:
        known, finished, changed = self._quotes, at // _MINUTE_MS - 1, list[Quote]()
        price: float | None
        for key, feed in feeds.items():
            old = known.get(key) or Quote(InstrumentKey(key), at)
            full = feed.fullFeed
            if not full.HasField("marketFF"):
                if (quote := _other_mode(old, feed, at, finished)) is not None:
                    changed.append(quote)
                    known[key] = _with_time(quote, at)
                continue
            market = full.marketFF
            trade = market.ltpc
            if 0 < (told := trade.ltp) < _INF:
                price, traded_at, quantity = told, trade.ltt or None, trade.ltq or None
            else:
                price, traded_at, quantity = old[2:5]
            if rows := market.marketLevel.bidAskQuote:
                row = rows[0]
                bid, bids = (told, row.bidQ) if 0 < (told := row.bidP) < _INF else _NOTHING
                ask, asks = (told, row.askQ) if 0 < (told := row.askP) < _INF else _NOTHING
            else:
                bid, bids, ask, asks = (_NOTHING * 2) if market.HasField("marketLevel") else old[9:13]
            minute = old[14]
            quote = _new(
                Quote,
                (
                    old[0],
                    at,
                    price,
                    traded_at,
                    quantity,
                    told if 0 < (told := trade.cp) < _INF else old[5],
                    market.vtt or old[6],
                    told if 0 < (told := market.oi) < _INF else old[7],
                    told if 0 < (told := market.iv) < _INF else old[8],
                    bid,
                    bids,
                    ask,
                    asks,
                    _greeks(market.optionGreeks) or old[13],
                    minute if minute is not None and minute[0] == finished else _minute(minute, market, finished),
                ),
            )
            changed.append(quote)
            known[key] = quote if traded_at else _with_time(quote, at)
        return tuple(changed)


def _parse(frame: bytes) -> FeedResponse:
    try:
        return _from_string(frame)
    except ProtobufError as error:
        raise DecodeError(f"{len(frame)} bytes are not a feed frame") from error


def _segments(message: FeedResponse) -> dict[str, str]:
    segments: dict[str, str] = {}
    for segment, status in message.marketInfo.segmentStatus.items():
        if (name := SEGMENT_STATUS.get(status)) is None:
            raise DecodeError(f"unknown market status {status} of {segment}")
        segments[segment] = name
    return segments


def _other_mode(old: Quote, feed: FeedMessage, at: int, finished: int) -> Quote | None:
    if feed.fullFeed.HasField("indexFF"):
        index = feed.fullFeed.indexFF
        return _new(Quote, (old[0], at, *_trade(old, index.ltpc), *old[6:14], _minute(old[14], index, finished)))
    if feed.HasField("ltpc"):
        return _new(Quote, (old[0], at, *_trade(old, feed.ltpc), *old[6:]))
    if feed.HasField("firstLevelWithGreeks"):
        return _first_level(old, feed.firstLevelWithGreeks, at)
    return None


def _first_level(old: Quote, level: FirstLevelWithGreeks, at: int) -> Quote:
    price, traded_at, quantity, close = _trade(old, level.ltpc)
    row = level.firstDepth
    bid, bids = (told, row.bidQ) if 0 < (told := row.bidP) < _INF else _NOTHING
    ask, asks = (told, row.askQ) if 0 < (told := row.askP) < _INF else _NOTHING
    has_book = level.HasField("firstDepth")
    return old._replace(
        received_at=at,
        price=price,
        traded_at=traded_at,
        traded_quantity=quantity,
        previous_close=close,
        volume=level.vtt or old.volume,
        open_interest=told if 0 < (told := level.oi) < _INF else old.open_interest,
        iv=told if 0 < (told := level.iv) < _INF else old.iv,
        bid=bid if has_book else old.bid,
        bid_quantity=bids if has_book else old.bid_quantity,
        ask=ask if has_book else old.ask,
        ask_quantity=asks if has_book else old.ask_quantity,
        greeks=_greeks(level.optionGreeks) or old.greeks,
    )


def _trade(old: Quote, trade: Ltpc) -> tuple[float | None, int | None, int | None, float | None]:
    close = told if 0 < (told := trade.cp) < _INF else old.previous_close
    if 0 < (price := trade.ltp) < _INF:
        return price, trade.ltt or None, trade.ltq or None, close
    return old.price, old.traded_at, old.traded_quantity, close


def _with_time(quote: Quote, at: int) -> Quote:
    """A trade without a time: its own frame says so, the board remembers that frame's.

    A later frame that does not touch the price must not look like another trade.
    """
    return quote if quote.price is None or quote.traded_at else quote._replace(traded_at=at)


def _greeks(told: OptionGreeks) -> Greeks | None:
    delta, theta, gamma, vega, rho = told.delta, told.theta, told.gamma, told.vega, told.rho
    # All zero: not sent, or not computed (a future has none). One not a number: as if not sent.
    if (delta or theta or gamma or vega) and -_INF < delta + theta + gamma + vega + rho < _INF:
        return _new(Greeks, (delta, theta, gamma, vega, rho))
    return None


def _minute(old: Bar | None, full: FullFeed, finished: int) -> Bar | None:
    for told in full.marketOHLC.ohlc:
        if told.interval == "I1":
            minute = told.ts // _MINUTE_MS
            if minute > finished or (old is not None and minute == old[0]):
                return old  # still running, or known
            bar = Bar(minute, told.open, told.high, told.low, told.close, told.vol)
            return bar if _is_sound(bar) else old
    return old


def _is_sound(bar: Bar) -> bool:
    low, high = min(bar.open, bar.close), max(bar.open, bar.close)
    return bar.minute > 0 and 0 < bar.low <= low <= high <= bar.high < _INF
