"""One session's state machine: total, dense, and faithful to its journal."""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import date, datetime, time, timedelta
from pathlib import Path
from typing import Final

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from algoexec.adapters.history.day_folder import read_day
from algoexec.backtest.day import events_of
from algoexec.domain.calendar import TradingDay, ist, regular_session
from algoexec.domain.charges import breakeven_points
from algoexec.domain.errors import DomainError
from algoexec.domain.instruments import InstrumentKey
from algoexec.domain.market import MINUTE, Candle, Provenance
from algoexec.domain.options import PcrReading, Premium
from algoexec.domain.signals import Pattern, PcrQuality, Reason, Signal, VwapBasis
from algoexec.engine.effects import Alert, Frame, SessionChanged, Status, Subscribe, Unsubscribe
from algoexec.engine.events import (
    CandleClosed,
    CandlesRepaired,
    ChainPolled,
    DayPrepared,
    DeadlinePassed,
    Event,
    FeedChanged,
    FeedStatus,
    Halted,
    ParametersChanged,
    Record,
    Resumed,
    SessionFailed,
    StopReason,
    StopRequested,
    TokenRejected,
    TokenReplaced,
    WarmedUp,
)
from algoexec.engine.signals import pcr_at
from algoexec.engine.state import EngineState
from algoexec.engine.step import DAY_END_GRACE, WAKE_BEFORE_OPEN, changes, next_deadline, step
from algoexec.engine.trading.rules import TradeRules
from algoexec.engine.transition import Transition
from algoexec.strategy.decision import Ledger
from algoexec.strategy.parameters import Parameters
from tests import strategies
from tests.strategies import DAY, candle, clock, contracts, created, reading
from tests.unit.engine.trading.driver import CALL, READY, UP, ready

SESSION: Final = regular_session(DAY)
OPEN: Final = SESSION.opens_at
NO_PAST: Final = WarmedUp(history=(), today=())


class Session:
    """A session under way: hands events to `step` as a runner does and keeps what comes of them."""

    def __init__(self, at: datetime = OPEN, **given: object) -> None:
        self.frames: list[Frame] = []
        self.records: list[Record] = []
        self.state: EngineState
        self._take(None, Record(seq=1, at=at, event=created(**given)))  # type: ignore[arg-type]

    def _take(self, state: EngineState | None, record: Record) -> Transition:
        moved = step(state, record)
        if changes(state, moved):
            self.state = moved.state
            self.records.append(record)
            self.frames += moved.frames
        return moved

    def meet(self, event: Event, at: datetime | None = None) -> Transition:
        """Meet one event, by default at the moment of its candle or of the one before."""
        if at is None:
            at = max(self.state.at, event.candle.closed_at if isinstance(event, CandleClosed) else self.state.at)
        return self._take(self.state, Record(seq=self.state.seq + 1, at=at, event=event))

    def close(self, candles: Iterable[Candle]) -> list[Signal]:
        """Close candles one after another and return what was said."""
        frames = [frame for each in candles for frame in self.meet(CandleClosed(candle=each)).frames]
        return signals_in(frames)


def signals_in(frames: Iterable[Frame]) -> list[Signal]:
    return [frame.body for frame in frames if isinstance(frame.body, Signal)]


def status_of(session: Session) -> Status:
    return session.state.status


def running(at: datetime = OPEN, **given: object) -> Session:
    """Return a session that has its contracts and its (empty) past."""
    session = Session(at, **given)
    session.meet(DayPrepared(contracts=contracts()))
    session.meet(NO_PAST)
    return session


def flat(minute: int, price: float = 50_000.0, volume: int | None = 100) -> Candle:
    """A candle without a body, `minute` minutes after the open."""
    return candle(clock(555 + minute), (price, price + 1, price - 1, price), volume)


def opening() -> list[Candle]:
    return [flat(minute) for minute in range(15)]


BREAKOUT: Final = candle(time(9, 30), (50_000.0, 50_004.0, 50_000.0, 50_004.0), None)


# --- the machine --------------------------------------------------------------------------------------------------


@given(
    st.sampled_from([-600, -10, 0, 30]),
    st.lists(st.tuples(strategies.events(), st.integers(0, 40)), max_size=25),
)
@settings(max_examples=150)
def test_every_event_is_met_in_every_status_and_frames_stay_dense(
    started: int, happenings: list[tuple[Event, int]]
) -> None:
    session = Session(OPEN + MINUTE * started)
    for event, minutes in happenings:
        before = session.state
        moved = session.meet(event, before.at + MINUTE * minutes)
        assert moved.state.seq == before.seq + 1
        assert changes(before, moved) or replace(moved.state, seq=before.seq, at=before.at) == before
        if before.status.is_over:
            assert not changes(before, moved)
        due = next_deadline(moved.state)
        assert (due is None) == moved.state.status.is_over
    assert [frame.number for frame in session.frames] == list(range(1, len(session.frames) + 1))
    assert session.state.frames == len(session.frames)


@given(
    st.sampled_from([-600, 0, 30]),
    st.lists(st.tuples(strategies.events(), st.integers(0, 40)), max_size=20),
    st.data(),
)
@settings(max_examples=60)
def test_a_state_is_the_fold_over_its_journal_from_wherever_it_begins(
    started: int, happenings: list[tuple[Event, int]], data: st.DataObject
) -> None:
    session = Session(OPEN + MINUTE * started)
    kept = [(session.state, 1)]
    for event, minutes in happenings:
        session.meet(event, session.state.at + MINUTE * minutes)
        kept.append((session.state, len(session.records)))
    state, seen = data.draw(st.sampled_from([(None, 0), *kept]))
    frames: list[Frame] = []
    for record in session.records[seen:]:
        moved = step(state, record)
        state = moved.state
        frames += moved.frames
    assert state == session.state
    assert frames == (session.frames[-len(frames) :] if frames else [])
    assert [record.seq for record in session.records] == list(range(1, len(session.records) + 1))


@given(strategies.events())
def test_a_journal_begins_with_the_creation(event: Event) -> None:
    with pytest.raises(DomainError, match="begins with record 1"):
        step(None, Record(seq=1, at=OPEN, event=event))
    with pytest.raises(DomainError, match="begins with record 1"):
        step(None, Record(seq=2, at=OPEN, event=created()))


@pytest.mark.parametrize("seq", [0, 1, 3])
def test_a_gap_in_the_journal_is_a_contradiction(seq: int) -> None:
    state = Session().state
    with pytest.raises(DomainError, match=f"record {seq} cannot follow 1"):
        step(state, Record(seq=seq, at=OPEN, event=TokenReplaced()))


def test_a_session_is_created_once() -> None:
    with pytest.raises(DomainError, match="created once"):
        Session().meet(created())


def test_a_record_that_changes_nothing_is_dropped() -> None:
    session = running()
    before = session.state
    for event in (
        TokenReplaced(),
        Resumed(by="someone"),
        DeadlinePassed(),
        NO_PAST,
        FeedChanged(status=FeedStatus.CONNECTING, detail=""),
        CandleClosed(candle=candle(time(9, 14))),
        CandlesRepaired(candles=()),
    ):
        assert not changes(before, session.meet(event)), event
    assert session.state is before


def test_what_comes_after_the_end_is_dropped() -> None:
    session = running()
    session.meet(StopRequested(reason=StopReason.REQUESTED))
    assert status_of(session) is Status.STOPPED
    assert session.state.reason == "requested"
    for event in (FLAT_EVENT, TokenRejected(detail=""), SessionFailed(detail=""), DayPrepared(contracts=contracts())):
        assert not changes(session.state, session.meet(event))


FLAT_EVENT: Final = CandleClosed(candle=flat(0))


# --- status -------------------------------------------------------------------------------------------------------


def statuses(session: Session) -> list[Status]:
    return [frame.body.status for frame in session.frames if isinstance(frame.body, SessionChanged)]


def test_a_session_goes_from_scheduled_to_stopped(tmp_path: Path) -> None:
    wake, over = OPEN - WAKE_BEFORE_OPEN, SESSION.closes_at + DAY_END_GRACE
    session = Session(OPEN - timedelta(hours=5))
    assert next_deadline(session.state) == wake
    assert not changes(session.state, session.meet(DeadlinePassed(), wake - timedelta(seconds=1)))
    session.meet(DeadlinePassed(), wake)
    session.meet(DayPrepared(contracts=contracts()))
    session.meet(NO_PAST)
    assert next_deadline(session.state) == over
    session.close([*opening(), *(flat(minute) for minute in range(15, 21))])
    session.meet(DeadlinePassed(), over)
    assert statuses(session) == [
        Status.SCHEDULED,
        Status.STARTING,
        Status.WARMING_UP,
        Status.RUNNING,
        Status.STOPPED,
    ]
    assert session.state.reason == "day_over"
    assert next_deadline(session.state) is None


@pytest.mark.parametrize(
    ("before_open", "status"), [(901, Status.SCHEDULED), (900, Status.STARTING), (0, Status.STARTING)]
)
def test_a_session_that_begins_long_before_the_open_waits(before_open: int, status: Status) -> None:
    assert Session(OPEN - timedelta(seconds=before_open)).state.status is status


def test_a_session_prepared_while_it_waited_does_not_wait_for_that_again() -> None:
    session = Session(OPEN - timedelta(hours=5))
    session.meet(DayPrepared(contracts=contracts()))
    assert status_of(session) is Status.SCHEDULED
    session.meet(DeadlinePassed(), OPEN - WAKE_BEFORE_OPEN)
    assert status_of(session) is Status.WARMING_UP


@pytest.mark.parametrize("moment", ["scheduled", "starting", "warming up", "running"])
def test_a_refused_token_is_waited_for_and_the_session_goes_on_where_it_stood(moment: str) -> None:
    session = Session(OPEN - timedelta(hours=5) if moment == "scheduled" else OPEN)
    if moment in ("warming up", "running"):
        session.meet(DayPrepared(contracts=contracts()))
        session.meet(NO_PAST)
    if moment == "running":
        session.close([flat(minute) for minute in range(21)])
    stood = session.state.status
    session.meet(TokenRejected(detail="expired"))
    assert (session.state.status, session.state.reason) == (Status.NEEDS_TOKEN, "expired")
    session.meet(TokenReplaced())
    assert (session.state.status, session.state.reason) == (stood, None)
    assert stood.value.lower().replace("_", " ") == moment


def test_candles_are_decided_while_a_token_is_waited_for() -> None:
    session = running()
    session.meet(TokenRejected(detail="expired"))
    assert session.close([*opening(), BREAKOUT])
    assert status_of(session) is Status.NEEDS_TOKEN


def test_a_session_that_failed_is_over() -> None:
    session = Session()
    session.meet(SessionFailed(detail="no contracts"))
    assert (session.state.status, session.state.reason) == (Status.FAILED, "no contracts")
    assert session.state.status.is_over


def history(count: int = 375) -> tuple[Candle, ...]:
    day = DAY - timedelta(days=1)
    return tuple(candle(ist(day, clock(555 + i)), (50_000.0, 50_001.0, 49_999.0, 50_000.0)) for i in range(count))


def test_a_past_of_whole_days_does_not_make_today_whole() -> None:
    """Yesterday's opening range and VWAP are not today's."""
    session = Session()
    session.meet(DayPrepared(contracts=contracts()))
    session.meet(WarmedUp(history=history(), today=()))
    assert status_of(session) is Status.WARMING_UP
    session.close(opening()[:14])
    assert status_of(session) is Status.WARMING_UP
    session.close(opening()[14:])
    assert status_of(session) is Status.RUNNING


def test_without_the_whole_opening_range_a_session_stays_warming_up_until_it_is_back_filled() -> None:
    session = running()
    session.close(flat(minute) for minute in range(60) if minute != 7)
    assert status_of(session) is Status.WARMING_UP
    session.meet(CandlesRepaired(candles=(flat(7),)))
    assert status_of(session) is Status.RUNNING


def test_halt_and_resume_are_told_and_do_not_silence_signals() -> None:
    session = running()
    session.meet(Halted(by="someone", reason="lunch"))
    assert session.state.halted == "lunch (by someone)"
    assert session.close([*opening(), BREAKOUT])
    session.meet(Resumed(by="someone"))
    assert session.state.halted is None


# --- candles ------------------------------------------------------------------------------------------------------


@given(st.data(), strategies.past_candles(40))
@settings(max_examples=40)
def test_candles_are_decided_once_and_in_order_whatever_comes_twice_or_late(
    data: st.DataObject, day: tuple[Candle, ...]
) -> None:
    plain, noisy = running(), running()
    plain.close(day)
    said: list[Signal] = []
    for i, each in enumerate(day):
        said += noisy.close([each])
        for old in data.draw(st.lists(st.sampled_from(day[: i + 1]), max_size=2)):
            assert not noisy.meet(CandleClosed(candle=replace(old, volume=None))).frames
    assert noisy.state == plain.state
    assert said == signals_in(plain.frames)


def test_no_repair_comes_before_the_past_is_known() -> None:
    session = Session(ist(DAY, time(9, 30)))
    assert not changes(session.state, session.meet(CandlesRepaired(candles=(flat(0),))))
    assert not changes(session.state, session.meet(FLAT_EVENT))


def test_no_candle_is_decided_before_the_past_is_known() -> None:
    session = Session()
    session.meet(DayPrepared(contracts=contracts()))
    assert not changes(session.state, session.meet(FLAT_EVENT))
    session.meet(NO_PAST)
    assert changes(session.state, session.meet(FLAT_EVENT))


def test_candles_of_the_past_only_warm() -> None:
    began = ist(DAY, time(9, 31))
    session = Session(began)
    session.meet(DayPrepared(contracts=contracts()))
    session.meet(WarmedUp(history=(), today=(*opening(), BREAKOUT)))
    assert signals_in(session.frames) == []
    assert session.state.ledger == Ledger()
    assert session.state.candles[-1] == BREAKOUT
    up, down = (
        candle(time(9, 31), (50_004.0, 50_009.0, 50_004.0, 50_009.0)),
        candle(time(9, 32), (50_000.0, 50_000.0, 49_990.0, 49_990.0)),
    )
    assert session.close([up]) == [], "the candle before was above the range already"
    assert [signal.pattern for signal in session.close([down])][:1] == [Pattern.ORB_BREAKOUT]


def test_a_candle_of_the_past_that_comes_late_only_warms() -> None:
    """The last minute before the start is often not known yet when the past is loaded."""
    began = ist(DAY, time(9, 31))
    whole, late = Session(began), Session(began)
    for session, today in ((whole, (*opening(), BREAKOUT)), (late, tuple(opening()))):
        session.meet(DayPrepared(contracts=contracts()))
        session.meet(WarmedUp(history=(), today=today))
    assert late.close([BREAKOUT]) == []
    assert late.state.ledger == Ledger()
    assert (late.state.candles, late.state.memory) == (whole.state.candles, whole.state.memory)


@pytest.mark.parametrize("as_repair", [True, False])
def test_a_past_that_could_not_be_fetched_at_the_start_still_warms_when_it_is_found(as_repair: bool) -> None:
    session = Session(ist(DAY, time(9, 30)))
    session.meet(DayPrepared(contracts=contracts()))
    session.meet(NO_PAST)
    for each in reversed(opening()):
        session.meet(CandlesRepaired(candles=(each,)) if as_repair else CandleClosed(candle=each))
    (signal,) = session.close([BREAKOUT])
    assert (signal.pattern, signal.reason) == (Pattern.ORB_BREAKOUT, None)


def test_a_late_candle_is_decided_as_of_its_own_time() -> None:
    session = running()
    session.close(opening())
    late = ist(DAY, time(9, 33, 12))
    frames = session.meet(CandleClosed(candle=BREAKOUT), late).frames
    (signal,) = signals_in(frames)
    assert signal.at == ist(DAY, time(9, 31))
    assert signal.decided_at == late
    assert signal.expires_at == ist(DAY, time(9, 32))
    assert signal.lock_until == ist(DAY, time(9, 36))
    assert session.state.ledger.fired


@pytest.mark.parametrize("start", [time(9, 14), time(15, 30), time(15, 39)])
def test_candles_outside_of_continuous_trading_do_not_count(start: time) -> None:
    session = running()
    assert not changes(session.state, session.meet(CandleClosed(candle=candle(start))))
    tomorrow = candle(ist(DAY + timedelta(days=1), time(9, 15)))
    assert not changes(session.state, session.meet(CandleClosed(candle=tomorrow)))
    assert not changes(session.state, session.meet(CandlesRepaired(candles=(candle(start), tomorrow))))


def test_each_candle_is_told_before_what_was_seen_on_it() -> None:
    session = running()
    session.close(opening())
    kinds = [frame.type for frame in session.meet(CandleClosed(candle=BREAKOUT)).frames]
    assert kinds[:2] == ["candle", "signal"]


# --- repairs ------------------------------------------------------------------------------------------------------


@given(strategies.past_candles(40), st.data())
@settings(max_examples=50)
def test_a_repair_changes_history_and_no_decision(day: tuple[Candle, ...], data: st.DataObject) -> None:
    session = running()
    said = session.close(day)
    ledger = session.state.ledger
    repairs = data.draw(st.lists(strategies.candles(0, 45), max_size=5))
    moved = session.meet(CandlesRepaired(candles=tuple(repairs)))
    assert moved.state.ledger == ledger
    assert signals_in(moved.frames) == []
    assert signals_in(session.frames) == said
    known = {each.start: each for each in day} | {
        each.start: each for each in repairs if day and each.start <= day[-1].start
    }
    assert moved.state.candles == tuple(known[start] for start in sorted(known))
    afresh = running()
    afresh.close(moved.state.candles)
    assert moved.state.memory == afresh.state.memory


def test_a_repair_counts_from_the_next_candle_on() -> None:
    session = running()
    session.close(opening())
    higher = replace(flat(3), high=50_010.0, provenance=Provenance.REPAIRED)
    frames = session.meet(CandlesRepaired(candles=(higher,))).frames
    assert [frame.body for frame in frames] == [higher]
    assert session.close([BREAKOUT]) == [], "50,004 is within the repaired range"


def test_a_lock_and_a_fired_breakout_survive_a_repair() -> None:
    session = running()
    assert [signal.reason for signal in session.close([*opening(), BREAKOUT])] == [None]
    ledger = session.state.ledger
    session.meet(CandlesRepaired(candles=(replace(BREAKOUT, close=50_000.0),)))
    assert session.state.ledger == ledger
    again = candle(time(9, 31), (50_000.0, 50_004.0, 50_000.0, 50_004.0), None)
    assert all(signal.pattern is not Pattern.ORB_BREAKOUT for signal in session.close([again]))


def test_a_repair_of_a_minute_still_to_be_decided_is_left_to_the_decision() -> None:
    session = running()
    session.close(opening())
    assert not changes(session.state, session.meet(CandlesRepaired(candles=(BREAKOUT,))))
    assert session.close([BREAKOUT])


# --- parameters ---------------------------------------------------------------------------------------------------


def test_changed_parameters_rule_from_the_next_candle_on() -> None:
    session = running()
    session.close(opening())
    session.meet(ParametersChanged(parameters=Parameters(target_pct=1.0, lock_minutes=2)))
    (signal,) = session.close([BREAKOUT])
    assert signal.target == pytest.approx(50_004.0 * 1.01)
    assert signal.lock_until == signal.at + 2 * MINUTE


@given(strategies.past_candles(40), strategies.parameters())
@settings(max_examples=50)
def test_today_is_remembered_anew_by_changed_parameters(day: tuple[Candle, ...], parameters: Parameters) -> None:
    changed, afresh = running(), running(parameters=parameters)
    changed.close(day)
    changed.meet(ParametersChanged(parameters=parameters))
    afresh.close(day)
    assert changed.state.memory == afresh.state.memory


def test_of_earlier_days_only_what_a_changed_length_needs_anew_is_lost() -> None:
    session = Session()
    session.meet(WarmedUp(history=history(), today=()))
    before = session.state.memory
    session.meet(ParametersChanged(parameters=Parameters(ema_slow_length=30, volume_length=10)))
    after = session.state.memory
    assert after.ema_fast == before.ema_fast
    assert after.ema_slow.seen == 0
    assert after.volumes == before.volumes[-10:]


# --- the option chain ---------------------------------------------------------------------------------------------


def pcr_seen(readings: Sequence[PcrReading], at: datetime) -> tuple[float | None, PcrQuality]:
    found, quality = pcr_at(tuple(readings), at, Parameters())
    return (found.pcr if found else None), quality


def test_a_candle_is_decided_with_the_newest_reading_not_later_than_it() -> None:
    at = ist(DAY, time(9, 31))
    polls = [reading(ist(DAY, time(9, 25, 31)), 1.0), reading(ist(DAY, time(9, 30, 31)), 1.1)]
    later = reading(ist(DAY, time(9, 31, 1)), 1.2)
    assert pcr_seen([*polls, later], at) == (1.1, PcrQuality.FRESH)
    assert pcr_seen([later], at) == (None, PcrQuality.MISSING)
    assert pcr_seen([], at) == (None, PcrQuality.MISSING)


@pytest.mark.parametrize(
    ("age", "found"),
    [
        (timedelta(minutes=15), (1.0, PcrQuality.FRESH)),
        (timedelta(minutes=15, milliseconds=1), (None, PcrQuality.STALE)),
    ],
)
def test_a_reading_older_than_fifteen_minutes_counts_as_missing(
    age: timedelta, found: tuple[float | None, PcrQuality]
) -> None:
    at = ist(DAY, time(11))
    assert pcr_seen([reading(at - age)], at) == found


def test_a_reading_without_a_ratio_is_the_newest_all_the_same() -> None:
    at = ist(DAY, time(11))
    assert pcr_seen([reading(at - 2 * MINUTE), reading(at - MINUTE, None)], at) == (None, PcrQuality.MISSING)


def test_yesterdays_reading_never_counts() -> None:
    at = ist(DAY, time(0, 5))
    assert pcr_seen([reading(at - 10 * MINUTE)], at) == (None, PcrQuality.MISSING)


def test_a_signal_says_what_its_ratio_rests_on() -> None:
    session = running()
    session.close(opening())
    session.meet(ChainPolled(reading=reading(ist(DAY, time(9, 14)), 1.0)))
    (signal,) = session.close([BREAKOUT])
    assert (signal.pcr, signal.pcr_quality) == (None, PcrQuality.STALE)


def test_a_late_candle_is_decided_with_the_reading_of_its_time() -> None:
    session = running()
    session.close(opening())
    session.meet(ChainPolled(reading=reading(ist(DAY, time(9, 30, 31)), 1.0)))
    session.meet(ChainPolled(reading=reading(ist(DAY, time(9, 35, 31)), 0.2)))
    (signal,) = signals_in(session.meet(CandleClosed(candle=BREAKOUT), ist(DAY, time(9, 36))).frames)
    assert (signal.pcr, signal.reason) == (1.0, None)


def test_a_signal_says_what_its_option_must_gain() -> None:
    session = running()
    session.close(opening())
    premiums = (Premium(InstrumentKey("PUT 50000"), 99.0), Premium(CALL, 212.3))
    (signal,) = signals_in(session.meet(CandleClosed(candle=BREAKOUT, premiums=premiums)).frames)
    assert signal.instrument == CALL
    assert (signal.premium, signal.breakeven_points) == (212.3, breakeven_points(on=DAY, premium=212.3, units=30))


def test_where_it_trades_it_counts_with_the_sessions_own_brokerage() -> None:
    session = ready(TradeRules(brokerage=0))
    minute = candle(READY, UP, None)
    session.meet_at(minute.closed_at, CandleClosed(candle=minute, premiums=(Premium(CALL, 212.3),)))
    (signal,) = session.told(Signal)
    assert signal.breakeven_points == breakeven_points(on=DAY, premium=212.3, units=30, brokerage=0)


@pytest.mark.parametrize(
    "premiums",
    [(), (Premium(InstrumentKey("CALL 50100"), 250.0),), *((Premium(CALL, price),) for price in (0.0, 0.004, -1.0))],
)
def test_without_a_price_of_its_option_nobody_knows_what_it_must_gain(premiums: tuple[Premium, ...]) -> None:
    session = running()
    session.close(opening())
    (signal,) = signals_in(session.meet(CandleClosed(candle=BREAKOUT, premiums=premiums)).frames)
    assert (signal.premium, signal.breakeven_points) == (None, None)


@given(st.lists(st.tuples(st.integers(0, 60), st.none() | st.floats(0, 3)), max_size=12))
def test_forgetting_readings_changes_no_decision(polls: list[tuple[int, float | None]]) -> None:
    readings = [
        reading(OPEN + MINUTE * minute + timedelta(seconds=30), pcr)
        for minute, pcr in sorted(polls, key=lambda poll: poll[0])
    ]
    session = running()
    for minute in range(60):
        for each in readings:
            if session.state.decided_until <= each.at < OPEN + MINUTE * (minute + 1):
                session.meet(ChainPolled(reading=each))
        at = OPEN + MINUTE * (minute + 1)
        known = [each for each in readings if each.at < at]
        assert pcr_at(session.state.readings, at, Parameters()) == pcr_at(tuple(known), at, Parameters())
        session.close([flat(minute)])
    assert len(session.state.readings) <= 1


# --- around the money ---------------------------------------------------------------------------------------------


def keys(*names: str) -> tuple[InstrumentKey, ...]:
    return tuple(map(InstrumentKey, names))


def test_the_new_strikes_are_asked_for_before_the_old_ones_are_let_go() -> None:
    session = running()
    session.meet(DayPrepared(contracts=contracts(first=49_000.0, count=21)))
    first = session.meet(ChainPolled(reading=reading(OPEN, spot=50_000.0)))
    around = [f"{kind} {strike}" for strike in (49_900, 50_000, 50_100) for kind in ("CALL", "PUT")]
    assert first.effects == (Subscribe(instruments=keys(*around)),)
    then = session.meet(CandleClosed(candle=flat(0, 50_060.0)))
    assert then.effects == (
        Subscribe(instruments=keys("CALL 50200", "PUT 50200")),
        Unsubscribe(instruments=keys("CALL 49900", "PUT 49900")),
    )
    assert session.meet(CandleClosed(candle=flat(1, 50_060.0))).effects == ()


@given(st.lists(st.floats(49_000, 51_000), max_size=15))
def test_what_is_tracked_is_what_was_subscribed_and_not_let_go(spots: list[float]) -> None:
    session = running()
    session.meet(DayPrepared(contracts=contracts(first=49_000.0, count=21)))
    subscribed: set[str] = set()
    for spot in spots:
        moved = session.meet(ChainPolled(reading=reading(OPEN, spot=spot)))
        for effect in moved.effects:
            match effect:
                case Subscribe(instruments=instruments):
                    assert not subscribed & set(instruments)
                    subscribed |= set(instruments)
                case Unsubscribe(instruments=instruments):
                    assert set(instruments) <= subscribed
                    subscribed -= set(instruments)
                case _:
                    raise AssertionError(f"{effect} in mode signals")
        assert subscribed == set(session.state.tracked)
    session.meet(StopRequested(reason=StopReason.REQUESTED))
    assert session.state.tracked == ()


def test_an_old_candle_does_not_move_the_strikes() -> None:
    session = running()
    assert session.meet(CandleClosed(candle=flat(0)), ist(DAY, time(9, 20))).effects == ()


def test_a_stopped_session_lets_go_of_everything() -> None:
    session = running()
    session.meet(ChainPolled(reading=reading(OPEN, spot=50_000.0)))
    tracked = session.state.tracked
    assert session.meet(StopRequested(reason=StopReason.VENUE_GONE)).effects == (Unsubscribe(instruments=tracked),)


# --- the feed -----------------------------------------------------------------------------------------------------


def test_a_lost_feed_is_told_once_with_an_alert() -> None:
    session = running()
    session.meet(FeedChanged(status=FeedStatus.CONNECTED, detail=""))
    moved = session.meet(FeedChanged(status=FeedStatus.LOST, detail="cut"))
    assert [frame.type for frame in moved.frames] == ["session", "alert"]
    (alert,) = [frame.body for frame in moved.frames if isinstance(frame.body, Alert)]
    assert alert.code == "FEED_LOST"
    assert "cut" in alert.message
    assert not changes(session.state, session.meet(FeedChanged(status=FeedStatus.LOST, detail="still")))


def test_a_feed_that_was_never_there_is_not_lost() -> None:
    moved = running().meet(FeedChanged(status=FeedStatus.LOST, detail="cut"))
    assert [frame.type for frame in moved.frames] == ["session"]


def test_another_program_on_the_feed_is_an_alert() -> None:
    moved = running().meet(FeedChanged(status=FeedStatus.FEED_TAKEN, detail="403"))
    assert [frame.body.code for frame in moved.frames if isinstance(frame.body, Alert)] == ["FEED_TAKEN"]


# --- signals ------------------------------------------------------------------------------------------------------


def test_a_signal_says_everything_of_the_page() -> None:
    session = running()
    session.close(opening())
    session.meet(ChainPolled(reading=reading(ist(DAY, time(9, 30, 31)), 1.0)))
    (signal,) = session.close([BREAKOUT])
    assert signal.id == f"{'s' * 16}-k-0", "record 20, in base 36"
    assert (signal.price, signal.candle, signal.priority) == (50_004.0, BREAKOUT, 1)
    assert signal.stop_loss == pytest.approx(50_004.0 * 0.998)
    assert signal.target == pytest.approx(50_004.0 * 1.004)
    assert signal.instrument == "CALL 50000"
    assert (signal.pcr, signal.pcr_quality, signal.volume_confirmed) == (1.0, PcrQuality.FRESH, None)
    assert (signal.levels.range_high, signal.levels.range_low) == (50_001.0, 49_999.0)
    assert signal.levels.vwap_basis is VwapBasis.VOLUME
    assert signal.levels.ema_slow is None
    assert signal.evidence.range_compression is None
    assert signal.reason is None
    assert not signal.is_rejection


def test_a_put_is_stopped_above_and_aims_below() -> None:
    session = running()
    (signal,) = session.close([*opening(), candle(time(9, 30), (50_000.0, 50_000.0, 49_996.0, 49_996.0), None)])
    assert signal.stop_loss == pytest.approx(49_996.0 * 1.002)
    assert signal.target == pytest.approx(49_996.0 * 0.996)
    assert signal.instrument == "PUT 50000"


def test_a_rejection_has_its_reason_and_no_lock() -> None:
    session = running()
    session.close(opening())
    session.meet(ChainPolled(reading=reading(ist(DAY, time(9, 30, 31)), 0.5)))
    (rejection,) = session.close([BREAKOUT])
    assert (rejection.reason, rejection.lock_until) == (Reason.PCR, None)
    assert session.state.ledger == Ledger()


def test_without_contracts_a_signal_names_no_instrument() -> None:
    session = Session()
    session.meet(NO_PAST)
    (signal,) = session.close([*opening(), BREAKOUT])
    assert signal.instrument is None


def test_while_no_volume_is_known_the_vwap_says_that_it_weighs_time() -> None:
    session = running()
    (signal,) = session.close([*(replace(each, volume=None) for each in opening()), BREAKOUT])
    assert signal.levels.vwap_basis is VwapBasis.TIME


def test_ids_are_a_function_of_the_journal_alone(tmp_path: Path) -> None:
    day = read_day(strategies.made_up_day(5).write(tmp_path))
    ids: list[str] = []
    state: EngineState | None = None
    for seq, (at, event) in enumerate(events_of(day, (), Parameters()), start=1):
        moved = step(state, Record(seq=seq, at=at, event=event))
        state = moved.state
        ids += [signal.id for signal in signals_in(moved.frames)]
    assert len(ids) == len(set(ids)) > 20


def test_an_inherited_ledger_locks_and_counts() -> None:
    emitted = running()
    emitted.close([*opening(), BREAKOUT])
    heir = Session(ist(DAY, time(9, 31)), inherited=emitted.state.ledger)
    heir.meet(WarmedUp(history=(), today=(*opening(), flat(15))))
    again = candle(time(9, 31), (50_000.0, 50_010.0, 50_000.0, 50_010.0))
    assert all(s.pattern is not Pattern.ORB_BREAKOUT and s.reason is Reason.TRADE_LOCK for s in heir.close([again]))
    assert heir.state.ledger == emitted.state.ledger


# --- special days -------------------------------------------------------------------------------------------------


def special(opens: time, until: time, on: date = DAY) -> TradingDay:
    return TradingDay(date=on, opens_at=ist(on, opens), continuous_until=ist(on, until), closes_at=ist(on, until))


def test_a_day_that_does_not_open_at_quarter_past_nine_has_no_opening_range() -> None:
    day = special(time(9, 0), time(11, 0))
    session = running(day.opens_at, day=day)
    said = session.close([*(flat(minute) for minute in range(-15, 15)), BREAKOUT])
    assert all(signal.pattern is not Pattern.ORB_BREAKOUT for signal in said)
    assert status_of(session) is Status.RUNNING


def test_an_evening_session_runs_and_says_nothing() -> None:
    day = special(time(18, 0), time(19, 0))
    session = running(day.opens_at, day=day)
    assert (
        session.close(candle(time(18, minute), (50_000.0, 50_100.0, 50_000.0, 50_100.0)) for minute in range(60)) == []
    )
    assert status_of(session) is Status.RUNNING
    assert next_deadline(session.state) == day.closes_at + DAY_END_GRACE


def test_since_august_2026_candles_count_until_quarter_past_three() -> None:
    on = date(2026, 8, 3)
    session = running(ist(on, time(9, 15)), day=regular_session(on))
    assert changes(session.state, session.meet(CandleClosed(candle=candle(ist(on, time(15, 14))))))
    assert not changes(session.state, session.meet(CandleClosed(candle=candle(ist(on, time(15, 15))))))
    assert next_deadline(session.state) == ist(on, time(15, 40)) + DAY_END_GRACE
