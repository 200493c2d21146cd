"""From ticks to candles: whole, once and in order, whatever the connection does."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, time
from itertools import pairwise
from typing import Final, NamedTuple

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from algoexec.domain.calendar import TradingDay, ist
from algoexec.domain.instruments import BANK_NIFTY, InstrumentKey
from algoexec.domain.market import Bar, Candle, Provenance, Quote
from algoexec.engine.candles import FETCH_ATTEMPTS, PATIENCE_MS, CandleAssembler, Settled, candle_minute, join
from tests.strategies import DAY, ohlc

FUTURE: Final = InstrumentKey("NSE_FO|1")
MINUTE: Final = 60_000
FIRST: Final = int(ist(DAY, time(9, 15)).timestamp()) // 60
OPEN: Final = FIRST * MINUTE
LENGTH: Final = 6
FUTURE_DELAY: Final = 120
"""How much later the future's ticks arrive than the index's, milliseconds."""


def short_day(minutes: int = LENGTH) -> TradingDay:
    end = datetime.fromtimestamp((FIRST + minutes) * 60, UTC)
    return TradingDay(date=DAY, opens_at=ist(DAY, time(9, 15)), continuous_until=end, closes_at=end)


class Tick(NamedTuple):
    """A price of one instrument at its own stamp, and the day's volume with it."""

    instrument: InstrumentKey
    at: int
    price: float
    volume: int | None


def ticks_of(bar: Bar, instrument: InstrumentKey, offsets: Sequence[int], before: int | None) -> Iterator[Tick]:
    """Take one minute apart: open, the extremes, close; quantities add up to the bar's volume."""
    prices = [bar.open, bar.high, bar.low, bar.close]
    for n, (offset, price) in enumerate(zip(sorted(offsets), prices, strict=True)):
        volume = None if before is None else before + bar.volume * (n + 1) // len(prices)
        yield Tick(instrument, bar.minute * MINUTE + offset, price, volume)


@st.composite
def markets(draw: st.DrawFn) -> tuple[list[Bar], list[Bar], list[Tick]]:
    """Bars of index and future, with minutes without a tick, and the ticks they are made of."""
    index: list[Bar] = []
    future: list[Bar] = []
    ticks: list[Tick] = []
    offsets = st.lists(st.integers(0, MINUTE - 1), min_size=4, max_size=4, unique=True)
    traded = 1_000
    for minute in range(FIRST, FIRST + LENGTH):
        if draw(st.integers(0, 9)):
            index.append(Bar(minute, *draw(ohlc()), 0))
            ticks += ticks_of(index[-1], BANK_NIFTY, draw(offsets), None)
        if draw(st.integers(0, 9)):
            future.append(Bar(minute, *draw(ohlc(50_100.0)), draw(st.integers(4, 10_000))))
            ticks += ticks_of(future[-1], FUTURE, draw(offsets), traded)
            traded += future[-1].volume
    return index, future, ticks


@dataclass
class Market:
    """Plays ticks to an assembler as a venue would: frames, snapshots, candles on request."""

    index: Sequence[Bar]
    future: Sequence[Bar]
    ticks: Sequence[Tick]
    repeat: bool = False
    assembler: CandleAssembler = field(default_factory=lambda: CandleAssembler(short_day(), BANK_NIFTY, FUTURE))
    board: dict[InstrumentKey, Quote] = field(default_factory=dict)
    candles: list[Candle] = field(default_factory=list)
    repairs: list[Candle] = field(default_factory=list)

    def play(self, cuts: Sequence[tuple[int, int]] = ()) -> None:
        """Play the day from 10 s before the open, without a connection within each of `cuts`."""
        moments: list[tuple[int, int, Tick | None, str]] = [(OPEN - 10_000, 0, None, "connect")]
        moments += [(cut, 3, None, "cut") for cut, _ in cuts] + [(back, 0, None, "connect") for _, back in cuts]
        moments += [(t.at + (FUTURE_DELAY if t.instrument == FUTURE else 0), 1, t, "tick") for t in self.ticks]
        end = OPEN + LENGTH * MINUTE
        moments += [(at, 2, None, "frame") for at in range(OPEN, end + MINUTE, 500)]
        connected = False
        for at, _, tick, kind in sorted(moments, key=lambda moment: moment[:2]):
            self.pass_time(at)
            if tick is not None:
                old = self.board.get(tick.instrument)
                volume = tick.volume if tick.volume is not None else old.volume if old else None
                self.board[tick.instrument] = Quote(
                    tick.instrument, at, price=tick.price, traded_at=tick.at, volume=volume
                )
            if kind == "cut":
                self.assembler.lost()
                connected = False
            elif kind == "connect":
                self.assembler.connected()
                connected = True
                base = self.board.get(FUTURE) or Quote(FUTURE, at, price=50_100.0, traded_at=at - 1, volume=1_000)
                self.take(self.assembler.on_quotes(at, [base, *(q for q in self.board.values() if q is not base)]))
            elif connected:
                quotes = [self.board[tick.instrument]] if tick is not None else []
                for _ in range(2 if self.repeat else 1):
                    self.take(self.assembler.on_quotes(at, quotes))

    def pass_time(self, now: int) -> None:
        """Let deadlines pass until `now`, and fetch what is missing."""
        while (due := self.assembler.next_deadline()) is not None and due <= now:
            self.take(self.assembler.advance(due))
            if self.assembler.missing(due):
                over = [[bar for bar in bars if (bar.minute + 1) * MINUTE <= due] for bars in (self.index, self.future)]
                self.take(self.assembler.fetched(due, *over))

    def take(self, settled: Settled) -> None:
        self.candles += settled.candles
        self.repairs += settled.repairs


def values(candles: Sequence[Candle]) -> list[tuple[object, ...]]:
    return [(candle.start, candle.open, candle.high, candle.low, candle.close, candle.volume) for candle in candles]


@given(markets(), st.booleans())
@settings(max_examples=60)
def test_ticks_become_exactly_the_bars_they_were_made_of(
    market: tuple[list[Bar], list[Bar], list[Tick]], repeat: bool
) -> None:
    index, future, ticks = market
    played = Market(index, future, ticks, repeat=repeat)
    played.play()
    assert values(played.candles) == values(join(index, future))
    assert {candle.provenance for candle in played.candles} <= {Provenance.LIVE}
    assert played.repairs == []
    assert played.assembler.late_ticks == 0
    assert played.assembler.next_deadline() is None


@given(
    markets(),
    st.booleans(),
    st.lists(st.integers(-5_000, LENGTH * MINUTE), min_size=2, max_size=6, unique=True),
)
@settings(max_examples=100)
def test_cuts_at_any_moment_leave_every_minute_once_in_order_and_equal(
    market: tuple[list[Bar], list[Bar], list[Tick]], repeat: bool, instants: list[int]
) -> None:
    index, future, ticks = market
    instants = sorted(OPEN + instant for instant in instants)
    played = Market(index, future, ticks, repeat=repeat)
    played.play(list(zip(instants[::2], instants[1::2], strict=False)))
    assert values(played.candles) == values(join(index, future))
    assert all(earlier.start < later.start for earlier, later in pairwise(played.candles))
    assert played.repairs == []


@pytest.mark.parametrize("late_by", [1, 60, 119])
def test_a_tick_under_way_when_the_connection_broke_is_not_forgotten(late_by: int) -> None:
    """The index has closed the minute, the future's last trade was still on its way."""
    index = [Bar(FIRST, 1.0, 1.0, 1.0, 1.0, 0), Bar(FIRST + 1, 1.0, 1.0, 1.0, 1.0, 0)]
    future = [Bar(FIRST, 2.0, 2.0, 2.0, 2.0, 40)]
    ticks = [
        Tick(BANK_NIFTY, OPEN + 5, 1.0, None),
        Tick(FUTURE, OPEN + 10, 2.0, 1_030),
        Tick(FUTURE, OPEN + MINUTE - 1, 2.0, 1_040),
        Tick(BANK_NIFTY, OPEN + MINUTE, 1.0, None),
    ]
    played = Market(index, future, ticks)
    played.play([(OPEN + MINUTE + late_by - 1, OPEN + MINUTE + 5_000)])
    assert values(played.candles) == values(join(index, future))


# --- by hand ------------------------------------------------------------------------------------------------------


class Feed:
    """An assembler under way, spoken to tick by tick; `at` counts milliseconds from the open."""

    def __init__(self, connected_at: int = -10_000, minutes: int = LENGTH) -> None:
        self.assembler = CandleAssembler(short_day(minutes), BANK_NIFTY, FUTURE)
        self.assembler.connected()
        self.frame(connected_at, Quote(FUTURE, 0, price=2.0, traded_at=OPEN + connected_at - 1, volume=1_000))

    def frame(self, at: int, *quotes: Quote) -> Settled:
        return self.assembler.on_quotes(OPEN + at, quotes)

    def index(self, at: int, price: float = 1.0, *, stamp: int | None = None, minute: Bar | None = None) -> Settled:
        traded_at = OPEN + (at if stamp is None else stamp)
        return self.frame(at, Quote(BANK_NIFTY, 0, price=price, traded_at=traded_at, minute=minute))

    def future(
        self, at: int, volume: int, price: float = 2.0, *, stamp: int | None = None, minute: Bar | None = None
    ) -> Settled:
        traded_at = OPEN + (at if stamp is None else stamp)
        return self.frame(at, Quote(FUTURE, 0, price=price, traded_at=traded_at, volume=volume, minute=minute))

    def fetched(self, at: int, index: Sequence[Bar], future: Sequence[Bar] = ()) -> Settled:
        return self.assembler.fetched(OPEN + at, index, future)


def flat(minute: int, price: float = 1.0, volume: int = 0) -> Bar:
    return Bar(FIRST + minute, price, price, price, price, volume)


def test_a_minute_is_settled_as_soon_as_both_instruments_have_passed_it() -> None:
    feed = Feed()
    assert feed.index(100) == Settled()
    assert feed.future(200, 1_050) == Settled()
    assert feed.index(MINUTE) == Settled(), "the future has not closed"
    (candle,) = feed.future(MINUTE + 900, 1_060).candles
    assert (candle_minute(candle), candle.volume, candle.provenance) == (FIRST, 50, Provenance.LIVE)


def test_a_tick_at_the_very_end_opens_the_next_minute() -> None:
    feed = Feed()
    feed.index(100, 1.0)
    feed.future(200, 1_050)
    feed.index(MINUTE, 9.0)
    (candle,) = feed.future(MINUTE, 1_070).candles
    assert (candle.high, candle.volume) == (1.0, 50)


def test_a_quiet_instrument_is_waited_for_two_seconds() -> None:
    feed = Feed()
    feed.index(100)
    feed.index(MINUTE)
    due = OPEN + MINUTE + PATIENCE_MS
    assert feed.assembler.next_deadline() == due
    assert feed.assembler.advance(due - 1) == Settled()
    (candle,) = feed.assembler.advance(due).candles
    assert candle.volume is None, "the future did not trade"
    assert feed.assembler.next_deadline() == due + MINUTE


def test_a_minute_without_an_index_tick_has_no_candle() -> None:
    feed = Feed()
    feed.future(200, 1_050)
    feed.index(MINUTE + 100)
    assert feed.future(MINUTE + 200, 1_060) == Settled()
    assert feed.assembler.settled_until() == FIRST + 1
    feed.index(2 * MINUTE)
    (candle,) = feed.future(2 * MINUTE, 1_070).candles
    assert candle_minute(candle) == FIRST + 1


def test_the_same_stamp_and_price_again_is_no_tick_but_its_volume_counts_once() -> None:
    feed = Feed()
    feed.index(100)
    for _ in range(3):
        feed.future(200, 1_050)
    feed.future(300, 1_080, stamp=200)
    feed.index(MINUTE)
    (candle,) = feed.future(MINUTE, 1_080).candles
    assert candle.volume == 80


def test_an_old_stamp_with_the_same_price_is_no_tick() -> None:
    feed = Feed()
    feed.index(MINUTE + 100, 1.0)
    feed.index(MINUTE + 200, 1.0, stamp=100)
    assert feed.assembler.late_ticks == 0


def test_a_tick_of_a_closed_minute_is_dropped_and_counted() -> None:
    feed = Feed()
    feed.index(100, 1.0)
    feed.future(200, 1_050)
    feed.index(MINUTE + 100, 1.0)
    feed.index(MINUTE + 200, 99.0, stamp=300)
    (candle,) = feed.future(MINUTE + 900, 1_060).candles
    assert candle.high == 1.0
    assert feed.assembler.late_ticks == 1


def test_a_tick_of_a_minute_settled_without_a_candle_is_late_too() -> None:
    feed = Feed()
    feed.frame(MINUTE)
    assert feed.assembler.advance(OPEN + MINUTE + PATIENCE_MS) == Settled()
    assert feed.index(MINUTE + PATIENCE_MS + 1, stamp=100) == Settled()
    assert feed.assembler.late_ticks == 1


@pytest.mark.parametrize("stamp", [None, 0])
def test_without_a_stamp_of_its_own_a_tick_has_that_of_its_frame(stamp: int | None) -> None:
    feed = Feed()
    feed.frame(100, Quote(BANK_NIFTY, 0, price=1.0, traded_at=stamp))
    feed.future(200, 1_050)
    feed.index(MINUTE)
    (candle,) = feed.future(MINUTE, 1_060).candles
    assert candle_minute(candle) == FIRST


def test_a_quote_without_a_price_is_no_tick() -> None:
    feed = Feed()
    feed.frame(100, Quote(BANK_NIFTY, 0))
    feed.index(MINUTE)
    assert feed.future(MINUTE, 1_060) == Settled()
    assert feed.assembler.settled_until() == FIRST + 1


def test_the_first_volume_of_a_connection_is_a_base_line() -> None:
    feed = Feed()
    feed.index(100)
    feed.future(200, 1_050)
    feed.assembler.lost()
    feed.assembler.connected()
    feed.future(30_000, 9_000, 2.5)
    feed.index(MINUTE)
    feed.future(MINUTE + 100, 9_010)
    assert feed.fetched(MINUTE + PATIENCE_MS, [flat(0)], [flat(0, 2.0, 500)]).candles[0].volume == 500
    feed.index(2 * MINUTE)
    (candle,) = feed.future(2 * MINUTE, 9_025).candles
    assert candle.volume == 10


def test_what_was_traded_while_nobody_listened_is_in_no_minute_of_the_new_connection() -> None:
    feed = Feed()
    feed.assembler.lost()
    feed.assembler.connected()
    feed.index(30_000)
    feed.index(MINUTE)
    feed.future(MINUTE + 100, 9_000)
    feed.future(MINUTE + 200, 9_010)
    feed.fetched(MINUTE + PATIENCE_MS, [flat(0)])
    feed.index(2 * MINUTE)
    (candle,) = feed.future(2 * MINUTE, 9_025).candles
    assert candle.volume == 10


def test_the_days_first_trade_counts_for_whoever_listened_before_the_open() -> None:
    feed = Feed()
    feed.assembler.lost()
    feed.assembler.connected()
    feed.frame(-9_000, Quote(FUTURE, 0, price=2.0, traded_at=OPEN - 17 * 3_600_000))
    feed.index(100)
    feed.future(200, 30)
    feed.future(300, 80)
    feed.index(MINUTE)
    (candle,) = feed.future(MINUTE, 90).candles
    assert candle.volume == 80


def test_yesterdays_total_is_no_base_line() -> None:
    feed = Feed(connected_at=-17 * 3_600_000)
    feed.frame(-1_000, Quote(FUTURE, 0, price=2.0, traded_at=OPEN - 17 * 3_600_000, volume=1_000))
    feed.index(100)
    feed.future(200, 30)
    feed.future(300, 80)
    feed.index(MINUTE)
    (candle,) = feed.future(MINUTE, 90).candles
    assert candle.volume == 80


def test_a_volume_that_falls_is_passed_over() -> None:
    feed = Feed()
    feed.index(100)
    for at, volume in ((200, 1_050), (300, 1_040), (400, 1_060)):
        feed.future(at, volume)
    feed.index(MINUTE)
    (candle,) = feed.future(MINUTE, 1_060).candles
    assert candle.volume == 60


def test_the_feeds_own_minute_wins_over_the_ticks() -> None:
    feed = Feed()
    feed.index(100, 1.0)
    feed.future(200, 1_050)
    feed.index(MINUTE, 1.0, minute=Bar(FIRST, 1.0, 3.0, 0.5, 2.0, 0))
    (candle,) = feed.future(MINUTE, 1_060, minute=flat(0, 2.0, 45)).candles
    assert (candle.high, candle.low, candle.close, candle.volume) == (3.0, 0.5, 2.0, 45)
    assert candle.provenance is Provenance.RECEIVED


def test_the_feeds_own_minute_is_not_waited_for() -> None:
    feed = Feed()
    feed.index(100, 1.0)
    feed.future(200, 1_050)
    feed.index(MINUTE, 1.0)
    (candle,) = feed.future(MINUTE, 1_060).candles
    assert candle.provenance is Provenance.LIVE
    settled = feed.index(MINUTE + 300, 1.0, minute=Bar(FIRST, 1.0, 3.0, 0.5, 2.0, 0))
    assert settled == Settled(), "what was decided on is frozen"


def test_the_feeds_own_minutes_need_no_coverage() -> None:
    feed = Feed(connected_at=30_000)
    feed.index(MINUTE, 1.0, minute=flat(0))
    (candle,) = feed.future(MINUTE, 1_060, minute=flat(0, 2.0, 45)).candles
    assert (candle_minute(candle), candle.volume) == (FIRST, 45)


def test_a_minute_of_the_index_alone_waits_for_the_fetch_and_is_the_candle_if_that_fails() -> None:
    feed = Feed(connected_at=30_000)
    now = MINUTE + PATIENCE_MS
    assert feed.index(now, 1.0, minute=flat(0)) == Settled()
    for _ in range(FETCH_ATTEMPTS - 1):
        assert feed.assembler.fetch_failed(OPEN + now) == Settled()
    (candle,) = feed.assembler.fetch_failed(OPEN + now).candles
    assert (candle_minute(candle), candle.volume, candle.provenance) == (FIRST, None, Provenance.RECEIVED)


def test_a_minute_that_was_not_covered_holds_up_the_later_ones_until_it_is_fetched() -> None:
    feed = Feed(connected_at=30_000)
    feed.index(MINUTE)
    feed.future(MINUTE, 1_050)
    feed.index(2 * MINUTE)
    assert feed.future(2 * MINUTE, 1_060) == Settled()
    now = 2 * MINUTE + PATIENCE_MS
    assert feed.assembler.missing(OPEN + now) == (FIRST,)
    settled = feed.fetched(now, [flat(0, 7.0), flat(1, 8.0)], [flat(0, 2.0, 500)])
    assert [(candle_minute(c) - FIRST, c.provenance, c.volume) for c in settled.candles] == [
        (0, Provenance.BACKFILLED, 500),
        (1, Provenance.LIVE, 50),
    ]


def test_a_minute_that_the_venue_passes_over_has_no_candle() -> None:
    feed = Feed(connected_at=2 * MINUTE)
    settled = feed.fetched(2 * MINUTE + PATIENCE_MS, [flat(1)])
    assert [candle_minute(candle) - FIRST for candle in settled.candles] == [1]


def test_after_three_failed_fetches_a_minute_stays_unknown() -> None:
    feed = Feed(connected_at=30_000)
    now = OPEN + MINUTE + PATIENCE_MS
    for _ in range(FETCH_ATTEMPTS):
        assert feed.assembler.missing(now) == (FIRST,)
        assert feed.assembler.fetch_failed(now) == Settled()
    assert feed.assembler.missing(now) == ()
    assert feed.assembler.settled_until() == FIRST + 1


def test_an_answer_that_does_not_know_the_minute_yet_is_a_failed_fetch() -> None:
    feed = Feed(connected_at=MINUTE + 1)
    now = 2 * MINUTE + PATIENCE_MS
    assert [candle_minute(c) - FIRST for c in feed.fetched(now, [flat(0)]).candles] == [0]
    for _ in range(FETCH_ATTEMPTS - 1):
        assert feed.assembler.missing(OPEN + now) == (FIRST + 1,)
        feed.fetched(now, [flat(0)])
    assert feed.assembler.missing(OPEN + now) == ()


def given_up(feed: Feed) -> None:
    for _ in range(FETCH_ATTEMPTS):
        feed.assembler.fetch_failed(OPEN + MINUTE + PATIENCE_MS)


def test_an_unknown_minute_found_later_is_decided_if_nothing_later_was() -> None:
    feed = Feed(connected_at=30_000)
    given_up(feed)
    settled = feed.fetched(MINUTE + 10_000, [flat(0, 7.0)], [flat(0, 2.0, 500)])
    assert [(candle_minute(c), c.provenance, c.volume) for c in settled.candles] == [
        (FIRST, Provenance.BACKFILLED, 500)
    ]
    assert settled.repairs == ()
    assert feed.fetched(MINUTE + 20_000, [flat(0, 7.0)], [flat(0, 2.0, 500)]) == Settled()


def test_an_unknown_minute_found_after_a_later_one_was_decided_is_a_repair() -> None:
    feed = Feed(connected_at=30_000)
    given_up(feed)
    feed.index(MINUTE)
    feed.future(MINUTE, 1_050)
    feed.index(2 * MINUTE)
    assert len(feed.future(2 * MINUTE, 1_060).candles) == 1
    settled = feed.fetched(2 * MINUTE + PATIENCE_MS, [flat(0, 7.0), flat(1)], [flat(1, 2.0, 50)])
    assert settled.candles == ()
    assert [(candle_minute(c), c.provenance) for c in settled.repairs] == [(FIRST, Provenance.REPAIRED)]
    assert feed.fetched(2 * MINUTE + PATIENCE_MS, [flat(0, 7.0), flat(1)]) == Settled()


def one_decided() -> Feed:
    feed = Feed()
    feed.index(100)
    feed.future(200, 1_050)
    feed.index(MINUTE)
    assert len(feed.future(MINUTE, 1_060).candles) == 1
    return feed


def test_a_fetch_that_says_the_same_repairs_nothing() -> None:
    assert one_decided().fetched(MINUTE + PATIENCE_MS, [flat(0)], [flat(0, 2.0, 50)]) == Settled()
    assert one_decided().fetched(MINUTE + PATIENCE_MS, [flat(0)]) == Settled(), "no volume takes none away"


def test_a_fetch_that_says_otherwise_is_a_repair() -> None:
    feed = one_decided()
    (repair,) = feed.fetched(MINUTE + PATIENCE_MS, [flat(0)], [flat(0, 2.0, 55)]).repairs
    assert repair.volume == 55
    assert feed.assembler.candles[FIRST] == repair


def test_a_repair_of_prices_alone_keeps_the_volume() -> None:
    (repair,) = one_decided().fetched(MINUTE + PATIENCE_MS, [flat(0, 1.5)]).repairs
    assert (repair.close, repair.volume) == (1.5, 50)


def test_a_bar_that_was_asked_for_before_its_minute_was_over_may_be_half_a_bar() -> None:
    feed = one_decided()
    assert feed.fetched(MINUTE - 500, [flat(0, 0.5)], [flat(0, 2.0, 20)]) == Settled()
    feed = Feed(connected_at=30_000)
    assert feed.fetched(MINUTE - 500, [flat(0, 0.5)]) == Settled()
    assert feed.assembler.missing(OPEN + MINUTE + PATIENCE_MS) == (FIRST,)


def test_bars_of_another_day_are_passed_over() -> None:
    feed = one_decided()
    assert feed.fetched(MINUTE + PATIENCE_MS, [flat(-1_440), flat(-1)]) == Settled()


def test_ticks_before_the_open_and_after_the_end_make_no_candle() -> None:
    feed = Feed(minutes=1)
    feed.index(-500)
    feed.index(100)
    feed.future(200, 1_050)
    feed.index(MINUTE)
    assert len(feed.future(MINUTE, 1_060).candles) == 1
    feed.index(2 * MINUTE)
    assert feed.future(2 * MINUTE, 1_070) == Settled()
    assert feed.assembler.next_deadline() is None
    assert feed.assembler.missing(OPEN + 9 * MINUTE) == ()


def test_the_minute_under_way_is_shown_as_far_as_it_is_known() -> None:
    feed = Feed()
    assert feed.assembler.running() is None
    feed.index(100, 1.0)
    feed.index(200, 3.0)
    feed.future(250, 1_050)
    assert feed.assembler.running() == Bar(FIRST, 1.0, 3.0, 1.0, 3.0, 50)
