"""Feed frames to merged quotes. Upstox's spelling of market data ends here.

A live frame is partial: it carries the instruments that changed and, of those, often not all
parts. Numbers are proto3, so a missing one reads as 0. Whatever a frame does not tell stays as
it was told before. The book and the greeks are kept as sent and read when somebody asks: parsing
them was a third of a frame's cost, and the tick path reads neither. One that cannot be read, or is
not numbers, is None: what was told before it is out of date.
"""

import math
import struct
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Final, cast

from google.protobuf.message import DecodeError as ProtobufError

from algoexec.adapters.upstox.wire import (
    BID_ASK,
    FEED_RESPONSE,
    INITIAL_FEED,
    MARKET_INFO,
    MARKET_OHLC,
    OPTION_GREEKS,
    SEGMENT_STATUS,
    BidAsk,
    Feed,
    FeedResponse,
    FirstLevelWithGreeks,
    IndexFullFeed,
    Ltpc,
)
from algoexec.domain.errors import DecodeError
from algoexec.domain.instruments import InstrumentKey
from algoexec.domain.market import AsSent, Bar, Book, Greeks, Quote
from algoexec.ports.feed import QuotesChanged, SegmentsChanged

_INF: Final = math.inf
_MINUTE_MS: Final = 60_000
# A frame is stamped by the server; outside of 2000 … 2100 it is not a time but garbage that parsed.
_FIRST_MS: Final = 946_684_800_000
_LAST_MS: Final = 4_102_444_800_000

# A NamedTuple's own constructor takes three times as long; this is the hot path.
_new: Final = tuple.__new__
_row: Final = BID_ASK.FromString
_ROW_TAG: Final = 0x0A
# All five greeks, as they nearly always are: fields 1 to 5, in this order, each a tag and a double.
_five_doubles: Final = cast(Callable[[bytes], Sequence[float]], struct.Struct("<xdxdxdxdxd").unpack)
_ALL_GREEKS: Final = 45
_LAST_TAG: Final = 0x29


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
            DecodeError: not a frame, or one with an unknown type or status. It changes nothing, unless it
                is the minutes of one instrument that are broken: those before it are merged then. A
                broken book, or broken greeks, is no error: it reads as None.
        """
        try:
            return self._event(FEED_RESPONSE.FromString(frame), len(frame))
        except ProtobufError as error:
            raise DecodeError(f"{len(frame)} bytes that are no feed frame") from error

    def forget(self, instruments: Iterable[InstrumentKey]) -> None:
        """Drop what is known of `instruments`: they are not asked for any more."""
        for instrument in instruments:
            self._quotes.pop(instrument, None)

    def _event(self, message: FeedResponse, size: int) -> QuotesChanged | SegmentsChanged:
        at, kind = message.currentTs, message.type
        if not _FIRST_MS <= at < _LAST_MS:
            raise DecodeError(f"a frame of {size} bytes has no time ({at})")
        if kind == MARKET_INFO:
            return SegmentsChanged(at, _segments(message))
        if kind > MARKET_INFO or kind < INITIAL_FEED:
            raise DecodeError(f"unknown frame type {kind}")
        return _new(QuotesChanged, (at, self._merge(message.feeds, at), kind == INITIAL_FEED))

    # Long and flat on purpose. This loop is the feed's cost, and a function a part adds a sixth to
    # it (benchmarks/decode.py). A float compared with 0, not 0.0, adds a twentieth.
    def _merge(self, feeds: Mapping[str, Feed], at: int) -> tuple[Quote, ...]:
        known, finished, changed = self._quotes, at // _MINUTE_MS - 1, list[Quote]()
        price: float | None
        traded_at: int | None
        for key, feed in feeds.items():
            old = known.get(key) or Quote(InstrumentKey(key), at)
            full = feed.fullFeed
            market = full.marketFF
            trade = market.ltpc
            if 0.0 < (price := trade.ltp) < _INF:  # so this part was sent: an absent one reads as 0
                traded_at, quantity = trade.ltt, trade.ltq or None
            elif full.HasField("indexFF"):
                quote = _index(old, full.indexFF, at, finished)
                known[key] = quote if quote[3] else _with_time(quote)
                changed.append(quote)
                continue
            elif full.HasField("marketFF"):
                price, traded_at, quantity = old[2], old[3], old[4]
            else:
                if (other := _other_mode(old, feed, at)) is not None:
                    known[key] = _with_time(other)
                    changed.append(other)
                continue
            book, greeks = market.marketLevel, market.optionGreeks
            minute = old[11]
            if minute is None or minute[0] != finished:
                minute = _minute(minute, market.marketOHLC, finished)
            quote = _new(
                Quote,
                (
                    old[0],
                    at,
                    price,
                    traded_at or None,
                    quantity,
                    told if 0.0 < (told := trade.cp) < _INF else old[5],
                    market.vtt or old[6],
                    told if 0.0 < (told := market.oi) < _INF else old[7],
                    told if 0.0 < (told := market.iv) < _INF else old[8],
                    AsSent(book, _book) if book else old[9],
                    AsSent(greeks, _greeks) if greeks else old[10],
                    minute,
                ),
            )
            known[key] = quote if traded_at else _with_time(quote)
            changed.append(quote)
        return tuple(changed)


def _segments(message: FeedResponse) -> dict[str, str]:
    segments: dict[str, str] = {}
    for segment, status in message.marketInfo.segmentStatus.items():
        if (name := SEGMENT_STATUS.get(status)) is None:
            raise DecodeError(f"unknown market status {status} of {segment}")
        segments[segment] = name
    return segments


def _other_mode(old: Quote, feed: Feed, at: int) -> Quote | None:
    if feed.HasField("ltpc"):
        return _ltpc(old, feed.ltpc, at)
    if feed.HasField("firstLevelWithGreeks"):
        return _first_level(old, feed.firstLevelWithGreeks, at)
    return None


def _index(old: Quote, index: IndexFullFeed, at: int, finished: int) -> Quote:
    price, traded_at, quantity = old[2], old[3], old[4]
    trade = index.ltpc
    if 0.0 < (told := trade.ltp) < _INF:
        price, traded_at, quantity = told, trade.ltt or None, trade.ltq or None
    close = told if 0.0 < (told := trade.cp) < _INF else old[5]
    minute = old[11]
    if minute is None or minute[0] != finished:
        minute = _minute(minute, index.marketOHLC, finished)
    return _new(Quote, (old[0], at, price, traded_at, quantity, close, *old[6:11], minute))


def _ltpc(old: Quote, trade: Ltpc, at: int) -> Quote:
    price, traded_at, quantity, close = _trade(old, trade)
    return old._replace(
        received_at=at, price=price, traded_at=traded_at, traded_quantity=quantity, previous_close=close
    )


def _first_level(old: Quote, level: FirstLevelWithGreeks, at: int) -> Quote:
    price, traded_at, quantity, close = _trade(old, level.ltpc)
    greeks = level.optionGreeks
    return old._replace(
        received_at=at,
        price=price,
        traded_at=traded_at,
        traded_quantity=quantity,
        previous_close=close,
        volume=level.vtt or old.volume,
        open_interest=told if 0.0 < (told := level.oi) < _INF else old.open_interest,
        iv=told if 0.0 < (told := level.iv) < _INF else old.iv,
        told_book=_best(level.firstDepth) if level.HasField("firstDepth") else old.told_book,
        told_greeks=AsSent(greeks, _greeks) if greeks else old.told_greeks,
    )


def _trade(old: Quote, trade: Ltpc) -> tuple[float | None, int | None, int | None, float | None]:
    close = told if 0.0 < (told := trade.cp) < _INF else old.previous_close
    if 0.0 < (price := trade.ltp) < _INF:
        return price, trade.ltt or None, trade.ltq or None, close
    return old.price, old.traded_at, old.traded_quantity, close


def _with_time(quote: Quote) -> Quote:
    # A trade without a time: its own frame says so, the board gives it that frame's. A later
    # frame that does not touch the price must not look like another trade.
    return quote if quote.price is None or quote.traded_at else quote._replace(traded_at=quote.received_at)


def _book(sent: bytes) -> Book | None:
    # The best row comes first: a tag, a length (one byte: a row has 40 at most), the row.
    if sent[0] != _ROW_TAG:
        return None
    try:
        row = sent[2 : 2 + sent[1]]
        return _best(_row(row)) if len(row) == sent[1] else None
    except (IndexError, ProtobufError):
        return None


def _best(row: BidAsk) -> Book:
    bid = told if 0.0 < (told := row.bidP) < _INF else None
    ask = told if 0.0 < (told := row.askP) < _INF else None
    return _new(Book, (bid, row.bidQ if bid else None, ask, row.askQ if ask else None))


def _greeks(sent: bytes) -> Greeks | None:
    if len(sent) == _ALL_GREEKS and sent[-9] == _LAST_TAG:
        told = delta, theta, gamma, vega, rho = _five_doubles(sent)
        return _new(Greeks, told) if -_INF < delta + theta + gamma + vega + rho < _INF else None
    try:
        part = OPTION_GREEKS.FromString(sent)
    except ProtobufError:
        return None
    told = (part.delta, part.theta, part.gamma, part.vega, part.rho)
    # All zero: not computed (a future has none).
    return _new(Greeks, told) if -_INF < sum(told) < _INF and any(told) else None


def _minute(old: Bar | None, part: bytes, finished: int) -> Bar | None:
    if not part:
        return old
    for told in MARKET_OHLC.FromString(part).ohlc:
        if told.interval == "I1":
            minute = told.ts // _MINUTE_MS
            if minute > finished or (old is not None and minute == old[0]):
                return old  # still running, or known
            bar = Bar(minute, told.open, told.high, told.low, told.close, told.vol)
            return bar if _is_sound(bar) else old
    return old


def _is_sound(bar: Bar) -> bool:
    # Chained, not by min and max: every comparison with a NaN is false.
    return bar.minute > 0 and 0 < bar.low <= bar.open <= bar.high < _INF and bar.low <= bar.close <= bar.high
