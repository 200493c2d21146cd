"""Feed frames to merged quotes: recorded, partial, strange and broken ones."""

import json
import math
import pickle
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from google.protobuf.json_format import ParseDict
from hypothesis import given
from hypothesis import strategies as st
from upstox_client.feeder.proto import MarketDataFeedV3_pb2

from algoexec.adapters.upstox import wire
from algoexec.adapters.upstox.decode import QuoteBoard
from algoexec.domain.errors import DecodeError
from algoexec.domain.instruments import BANK_NIFTY, InstrumentKey
from algoexec.domain.market import Bar, Book, Greeks, Quote
from algoexec.ports.feed import QuotesChanged, SegmentsChanged
from tests.unit.adapters.frames import AT, data, index, market, message

OPTION = InstrumentKey("NSE_FO|50912")
MINUTE = AT // 60_000 - 1
"""The minute that was the last finished one at `AT`."""


def quotes(board: QuoteBoard, frame: Any) -> dict[str, Quote]:
    event = board.apply(data(frame))
    assert isinstance(event, QuotesChanged)
    assert event.at == frame.currentTs
    return {quote.instrument: quote for quote in event.quotes}


def only(board: QuoteBoard, frame: Any) -> Quote:
    (quote,) = quotes(board, frame).values()
    return quote


def full_option(at: int = AT) -> Any:
    frame = message(at)
    part = market(frame, OPTION)
    part.ltpc.ltp, part.ltpc.ltt, part.ltpc.ltq, part.ltpc.cp = 512.5, at - 40, 30, 498.0
    part.marketLevel.bidAskQuote.add(bidP=512.0, bidQ=60, askP=513.0, askQ=90)
    part.marketLevel.bidAskQuote.add(bidP=511.0, bidQ=600, askP=514.0, askQ=900)
    part.vtt, part.oi, part.iv = 123_450, 67_890.0, 0.1334
    greeks = part.optionGreeks
    greeks.delta, greeks.theta, greeks.gamma, greeks.vega, greeks.rho = 0.51, -21.5, 0.0004, 33.2, 11.9
    part.marketOHLC.ohlc.add(
        interval="1d", open=500, high=520, low=480, close=512.5, vol=123_450, ts=at - at % 86_400_000
    )
    minute = (at // 60_000 - 1) * 60_000
    part.marketOHLC.ohlc.add(interval="I1", open=510, high=514, low=509.5, close=512, vol=900, ts=minute)
    return frame


def test_a_full_frame_tells_everything_there_is() -> None:
    assert only(QuoteBoard(), full_option()) == Quote(
        instrument=OPTION,
        received_at=AT,
        price=512.5,
        traded_at=AT - 40,
        traded_quantity=30,
        previous_close=498.0,
        volume=123_450,
        open_interest=67_890.0,
        iv=0.1334,
        told_book=Book(512.0, 60, 513.0, 90),
        told_greeks=Greeks(0.51, -21.5, 0.0004, 33.2, 11.9),
        minute=Bar(MINUTE, 510.0, 514.0, 509.5, 512.0, 900),
    )


def test_what_a_partial_frame_leaves_out_stays_as_it_was() -> None:
    board = QuoteBoard()
    before = only(board, full_option())
    later = message(AT + 250)
    market(later, OPTION).vtt = 123_480

    assert only(board, later) == before._replace(received_at=AT + 250, volume=123_480)


def test_a_frame_with_a_book_alone_is_no_trade() -> None:
    board = QuoteBoard()
    before = only(board, full_option())
    later = message(AT + 250)
    market(later, OPTION).marketLevel.bidAskQuote.add(bidP=511.5, bidQ=30, askP=512.5, askQ=120)

    after = only(board, later)

    assert (after.bid, after.bid_quantity, after.ask, after.ask_quantity) == (511.5, 30, 512.5, 120)
    assert (after.price, after.traded_at, after.traded_quantity) == (
        before.price,
        before.traded_at,
        before.traded_quantity,
    )


@pytest.mark.parametrize(
    ("row", "expected"),
    [
        ({}, (None, None, None, None)),
        ({"bidP": 512.0, "bidQ": 60}, (512.0, 60, None, None)),
        ({"askP": 513.0, "askQ": 90}, (None, None, 513.0, 90)),
        ({"bidP": math.nan, "bidQ": 60, "askP": math.inf, "askQ": 90}, (None, None, None, None)),
    ],
)
def test_a_side_of_the_book_that_is_empty_is_gone(row: dict[str, Any], expected: tuple[object, ...]) -> None:
    board = QuoteBoard()
    board.apply(data(full_option()))
    later = message(AT + 250)
    market(later, OPTION).marketLevel.bidAskQuote.add(**row)

    after = only(board, later)

    assert (after.bid, after.bid_quantity, after.ask, after.ask_quantity) == expected


def test_a_book_of_empty_rows_is_empty_and_one_without_rows_tells_nothing() -> None:
    board = QuoteBoard()
    before = only(board, full_option())
    untold, empty = message(AT + 250), message(AT + 500)
    market(untold, OPTION).marketLevel.SetInParent()
    for _ in range(5):
        market(empty, OPTION).marketLevel.bidAskQuote.add()

    assert only(board, untold) == before._replace(received_at=AT + 250)
    after = only(board, empty)
    assert after.book == Book()


def with_part(part: str, sent: bytes) -> Any:
    """Return a frame that parses whatever `sent` is: these parts are kept as bytes and read on their own."""
    thin: Any = wire.FEED_RESPONSE
    frame = thin(type=1, currentTs=AT + 250)
    setattr(frame.feeds[OPTION].fullFeed.marketFF, part, sent)
    return frame


def test_minutes_that_are_broken_are_an_error() -> None:
    with pytest.raises(DecodeError):
        QuoteBoard().apply(data(with_part("marketOHLC", b"\n\x05\xff")))


@pytest.mark.parametrize(
    "broken",
    [
        b"\n",
        b"\n\x05\xff\xff\xff\xff\xff",
        pytest.param(b"\n\x09\x08\x3c", id="cut"),
        pytest.param(b"\x12\x02\x08\x3c", id="another field"),
    ],
)
def test_a_book_that_is_broken_is_unknown_and_the_rest_is_told(broken: bytes) -> None:
    board = QuoteBoard()
    before = only(board, full_option())

    after = only(board, with_part("marketLevel", broken))

    assert after == before._replace(received_at=AT + 250, told_book=None)
    assert after.bid is after.bid_quantity is after.ask is after.ask_quantity is None


@pytest.mark.parametrize("broken", [b"\x09\x01", b"\xff" * 45])
def test_greeks_that_are_broken_are_unknown_and_the_rest_is_told(broken: bytes) -> None:
    board = QuoteBoard()
    before = only(board, full_option())

    after = only(board, with_part("optionGreeks", broken))

    assert after == before._replace(received_at=AT + 250, told_greeks=None)
    assert after.greeks is None


@given(st.binary(max_size=60), st.sampled_from(["marketLevel", "optionGreeks", "marketOHLC"]))
def test_any_bytes_in_a_part_are_an_event_or_an_error(anything: bytes, part: str) -> None:
    with suppress(DecodeError):
        quote = only(QuoteBoard(), with_part(part, anything))
        assert quote.book is None or isinstance(quote.book, Book)
        assert quote.greeks is None or isinstance(quote.greeks, Greeks)


def test_quotes_that_tell_the_same_are_equal_and_survive_pickling() -> None:
    quote, same, other = (only(QuoteBoard(), frame) for frame in (full_option(), full_option(), full_option(AT + 250)))

    assert quote == same
    assert hash(quote) == hash(same)
    assert quote != other
    assert quote != quote._replace(told_book=Book(512.0, 60, 513.0, 91))
    assert quote._replace(told_book=quote.book, told_greeks=quote.greeks) == quote
    unread = only(QuoteBoard(), full_option())
    assert pickle.loads(pickle.dumps(unread)) == quote  # noqa: S301 - our own bytes
    assert pickle.loads(pickle.dumps(quote)) == quote  # noqa: S301 - our own bytes


@given(
    st.integers(0, 2**62),
    st.floats(0.05, 1e6),
    st.integers(0, 2**62),
    st.floats(0.05, 1e6),
    st.lists(st.floats(-1e6, 1e6), min_size=5, max_size=5),
)
def test_the_short_ways_through_book_and_greeks_read_what_the_sdk_reads(
    bids: int, bid: float, asks: int, ask: float, greeks: list[float]
) -> None:
    frame = message()
    part = market(frame, OPTION)
    part.marketLevel.bidAskQuote.add(bidQ=bids, bidP=bid, askQ=asks, askP=ask)
    part.marketLevel.bidAskQuote.add(bidQ=1, bidP=1, askQ=1, askP=1)
    for name, value in zip(Greeks._fields, greeks, strict=True):
        setattr(part.optionGreeks, name, value)

    told = only(QuoteBoard(), frame)

    assert (told.bid, told.bid_quantity, told.ask, told.ask_quantity) == (bid, bids, ask, asks)
    assert told.greeks == (Greeks(*greeks) if any(greeks) else None)


def test_book_and_greeks_outlast_frames_without_them() -> None:
    board = QuoteBoard()
    before = only(board, full_option())
    frames = [message(AT + 250 * number) for number in (1, 2, 3)]
    for frame in frames:
        market(frame, OPTION).vtt = frame.currentTs

    *_, after = [only(board, frame) for frame in frames]

    assert (after.book, after.greeks) == (Book(512.0, 60, 513.0, 90), Greeks(0.51, -21.5, 0.0004, 33.2, 11.9))
    assert (before.book, before.greeks) == (after.book, after.greeks)


def test_numbers_that_are_none_are_as_if_not_sent() -> None:
    board = QuoteBoard()
    before = only(board, full_option())
    later = message(AT + 250)
    part = market(later, OPTION)
    part.ltpc.ltp, part.ltpc.cp, part.oi, part.iv = math.nan, math.inf, -1.0, math.nan

    assert only(board, later) == before._replace(received_at=AT + 250)


@pytest.mark.parametrize("number", [math.nan, math.inf, -math.inf])
@pytest.mark.parametrize("others", [True, False])
def test_greeks_of_which_one_is_not_a_number_are_unknown(number: float, others: bool) -> None:
    board = QuoteBoard()
    board.apply(data(full_option()))
    later = full_option(AT + 250) if others else message(AT + 250)
    market(later, OPTION).optionGreeks.gamma = number

    assert only(board, later).greeks is None


def test_greeks_of_which_some_are_zero_are_greeks() -> None:
    frame = message()
    greeks = market(frame, OPTION).optionGreeks
    greeks.theta, greeks.vega = -0.0009, 0.01

    assert only(QuoteBoard(), frame).greeks == Greeks(0.0, -0.0009, 0.0, 0.01, 0.0)


def test_greeks_that_are_all_zero_were_not_computed() -> None:
    frame = message()
    market(frame, OPTION).optionGreeks.SetInParent()

    assert only(QuoteBoard(), frame).greeks is None


def test_a_trade_without_a_time_says_so_once_and_does_not_become_another_trade() -> None:
    board = QuoteBoard()
    frame, later = message(), message(AT + 60_000)
    market(frame, OPTION).ltpc.ltp = 512.5
    market(later, OPTION).vtt = 30

    told, after = only(board, frame), only(board, later)

    assert (told.price, told.traded_at, told.received_at) == (512.5, None, AT)
    assert (after.price, after.traded_at, after.received_at) == (512.5, AT, AT + 60_000)


def test_an_index_without_a_trade_time_says_so_too() -> None:
    board = QuoteBoard()
    frame, later = message(), message(AT + 250)
    index(frame).ltpc.ltp = 54_000.0
    index(later).ltpc.SetInParent()

    assert only(board, frame).traded_at is None
    assert only(board, later).traded_at == AT


def test_an_index_has_a_price_and_minutes_and_nothing_else() -> None:
    frame = message()
    part = index(frame)
    part.ltpc.ltp, part.ltpc.ltt, part.ltpc.cp = 54_012.35, AT - 100, 53_900.0
    part.marketOHLC.ohlc.add(interval="I1", open=54_000, high=54_020, low=53_990, close=54_010, ts=MINUTE * 60_000)

    assert only(QuoteBoard(), frame) == Quote(
        instrument=BANK_NIFTY,
        received_at=AT,
        price=54_012.35,
        traded_at=AT - 100,
        previous_close=53_900.0,
        minute=Bar(MINUTE, 54_000.0, 54_020.0, 53_990.0, 54_010.0, 0),
    )


@pytest.mark.parametrize("mode", ["market", "index"])
def test_the_last_finished_minute_changes_only_with_its_stamp(mode: str) -> None:
    board = QuoteBoard()

    def frame(at: int, minute: int, close: float) -> Any:
        made = message(at)
        part = market(made, OPTION) if mode == "market" else index(made)
        part.ltpc.ltp, part.ltpc.ltt = 500.0, at
        part.marketOHLC.ohlc.add(interval="I1", open=500, high=520, low=480, close=close, ts=minute * 60_000)
        return made

    first = only(board, frame(AT, MINUTE - 1, 501))
    again = only(board, frame(AT + 250, MINUTE - 1, 502))
    running = only(board, frame(AT + 500, MINUTE + 1, 503))
    newer = only(board, frame(AT + 750, MINUTE, 504))
    same = only(board, frame(AT + 1000, MINUTE, 505))

    assert first.minute == again.minute == running.minute == Bar(MINUTE - 1, 500.0, 520.0, 480.0, 501.0, 0)
    assert newer.minute == same.minute == Bar(MINUTE, 500.0, 520.0, 480.0, 504.0, 0)


@pytest.mark.parametrize(
    "wrong", [{"high": 490.0}, {"low": 511.0}, {"close": math.nan}, {"low": 0.0}, {"high": math.inf}]
)
def test_a_minute_that_cannot_be_is_no_minute(wrong: dict[str, float]) -> None:
    frame = message()
    bar = {"open": 510.0, "high": 514.0, "low": 509.5, "close": 512.0} | wrong
    market(frame, OPTION).marketOHLC.ohlc.add(interval="I1", ts=MINUTE * 60_000, **bar)

    assert only(QuoteBoard(), frame).minute is None


def test_mode_ltpc_tells_trades() -> None:
    board = QuoteBoard()
    frame = message()
    part = frame.feeds[OPTION].ltpc
    part.ltp, part.ltt, part.ltq, part.cp = 512.5, AT - 40, 30, 498.0
    empty = message(AT + 250)
    empty.feeds[OPTION].ltpc.SetInParent()

    told = only(board, frame)

    assert told == Quote(OPTION, AT, 512.5, AT - 40, 30, 498.0)
    assert only(board, empty) == told._replace(received_at=AT + 250)


def test_mode_option_greeks_tells_the_first_row_and_greeks() -> None:
    board = QuoteBoard()
    frame = message()
    part = frame.feeds[OPTION].firstLevelWithGreeks
    part.ltpc.ltp, part.ltpc.ltt = 512.5, AT - 40
    part.firstDepth.bidP, part.firstDepth.bidQ, part.firstDepth.askP, part.firstDepth.askQ = 512.0, 60, 513.0, 90
    part.optionGreeks.delta = 0.51
    part.vtt, part.oi, part.iv = 900, 30.0, 0.12
    later = message(AT + 250)
    later.feeds[OPTION].firstLevelWithGreeks.vtt = 930

    told = only(board, frame)

    assert (told.bid, told.bid_quantity, told.ask, told.ask_quantity) == (512.0, 60, 513.0, 90)
    assert told.greeks == Greeks(0.51, 0.0, 0.0, 0.0, 0.0)
    assert (told.volume, told.open_interest, told.iv) == (900, 30.0, 0.12)
    assert only(board, later) == told._replace(received_at=AT + 250, volume=930)


def test_an_instrument_of_which_nothing_is_told_is_left_out() -> None:
    frame = message()
    frame.feeds[OPTION].requestMode = 1

    assert quotes(QuoteBoard(), frame) == {}


def test_a_snapshot_says_that_it_is_one() -> None:
    board = QuoteBoard()
    snapshot = full_option()
    snapshot.type = 0

    event = board.apply(data(snapshot))
    after = board.apply(data(full_option(AT + 250)))

    assert isinstance(event, QuotesChanged)
    assert isinstance(after, QuotesChanged)
    assert event.snapshot
    assert not after.snapshot


def test_what_is_forgotten_starts_from_nothing() -> None:
    board = QuoteBoard()
    board.apply(data(full_option()))
    board.forget([OPTION, BANK_NIFTY])
    later = message(AT + 250)
    market(later, OPTION).vtt = 30

    assert only(board, later) == Quote(OPTION, AT + 250, volume=30)


def test_market_info_names_each_segments_state() -> None:
    frame = message(kind=2)
    frame.marketInfo.segmentStatus["NSE_FO"] = 2
    frame.marketInfo.segmentStatus["NSE_INDEX"] = 0

    assert QuoteBoard().apply(data(frame)) == SegmentsChanged(
        AT, {"NSE_FO": "NORMAL_OPEN", "NSE_INDEX": "PRE_OPEN_START"}
    )


def test_an_unknown_status_is_an_error_not_a_guess() -> None:
    frame = message(kind=2)
    frame.marketInfo.segmentStatus["NSE_FO"] = 17

    with pytest.raises(DecodeError, match="17"):
        QuoteBoard().apply(data(frame))


@pytest.mark.parametrize("kind", [3, 99, -1])
def test_an_unknown_type_of_frame_is_an_error(kind: int) -> None:
    board = QuoteBoard()
    with pytest.raises(DecodeError, match=str(kind)):
        board.apply(data(message(kind=kind)))


@pytest.mark.parametrize("at", [0, 1, -5, 10**18])
def test_a_frame_without_a_believable_time_is_an_error(at: int) -> None:
    with pytest.raises(DecodeError):
        QuoteBoard().apply(data(message(at)))


@pytest.mark.parametrize("garbage", [b"", b"\xff", b"hello, world", b"\x00" * 64, bytes(range(256))])
def test_garbage_is_an_error(garbage: bytes) -> None:
    with pytest.raises(DecodeError):
        QuoteBoard().apply(garbage)


@given(st.integers(min_value=0, max_value=len(data(full_option())) - 1))
def test_a_frame_that_was_cut_is_an_error_and_changes_nothing(length: int) -> None:
    board = QuoteBoard()

    with pytest.raises(DecodeError):
        board.apply(data(full_option())[:length])

    assert only(board, full_option(AT + 250)) == only(QuoteBoard(), full_option(AT + 250))


@given(st.binary(max_size=300))
def test_any_bytes_are_an_event_or_an_error(anything: bytes) -> None:
    with suppress(DecodeError):
        QuoteBoard().apply(anything)


@pytest.mark.parametrize("name", ["full_live_feed_2025-12-26_trimmed", "ltpc_live_feed_2025-10-08"])
def test_recorded_frames_are_read(shared_data: Path, name: str) -> None:
    recorded = json.loads((shared_data / "fixtures" / "upstox_ws_v3" / f"{name}.json").read_text())
    frame = ParseDict(recorded, MarketDataFeedV3_pb2.FeedResponse())

    told = quotes(QuoteBoard(), frame)

    assert told.keys() == recorded["feeds"].keys()
    for key, feed in recorded["feeds"].items():
        part = feed.get("ltpc") or feed["fullFeed"]["marketFF"]["ltpc"]
        assert told[key].price == part["ltp"]
        assert told[key].traded_at == (int(part["ltt"]) if "ltt" in part else None)


def test_the_thin_schema_is_the_sdks_in_every_field_that_it_keeps() -> None:
    pool = MarketDataFeedV3_pb2.DESCRIPTOR.message_types_by_name
    for parser in (wire.FEED_RESPONSE, wire.MARKET_OHLC, wire.OPTION_GREEKS, wire.BID_ASK):
        thin: Any = parser
        assert {field.name: field.number for field in thin.DESCRIPTOR.fields}.items() <= {
            field.name: field.number for field in pool[thin.DESCRIPTOR.name].fields
        }.items()
    statuses = MarketDataFeedV3_pb2.DESCRIPTOR.enum_types_by_name["MarketStatus"].values_by_number
    assert {number: value.name for number, value in statuses.items()} == wire.SEGMENT_STATUS
