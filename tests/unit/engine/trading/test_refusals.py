"""Why a signal becomes no order: each reason, on both sides of its boundary."""

from collections.abc import Callable
from dataclasses import replace
from datetime import date, time, timedelta

import pytest

from algoexec.domain.calendar import ist, regular_session
from algoexec.engine.effects import EntryRefused, QuoteOption, SubmitOrder
from algoexec.engine.events import (
    DayPrepared,
    DeadlinePassed,
    FeedChanged,
    FeedStatus,
    FundsRead,
    Halted,
    KillSwitched,
    Resumed,
    TokenRejected,
    TokenReplaced,
    TradeRulesChanged,
)
from algoexec.engine.step import next_deadline
from algoexec.engine.trading.risk import Refusal
from algoexec.engine.trading.rules import TradeRules, Window
from algoexec.engine.trading.tally import Tally
from tests.strategies import DAY, contracts
from tests.unit.engine.trading.driver import (
    CALL,
    DOWN,
    READY,
    STEEPLY_DOWN,
    Session,
    begin,
    book,
    holding,
    ready,
    refused,
    signals,
    wanting,
)


def try_to_enter(session: Session) -> None:
    """Show a signal and then a quote."""
    session.close()
    assert signals(session)
    if session.trading.intent is not None:
        session.mark()


def is_entering(session: Session) -> bool:
    assert bool(session.submitted) == (session.trading.trade is not None)
    return bool(session.submitted)


def test_nothing_stands_in_the_way_of_an_entry() -> None:
    session = ready()
    try_to_enter(session)
    assert is_entering(session)
    assert session.refusals() == []


@pytest.mark.parametrize(
    ("prepare", "why"),
    [
        (lambda s: s.meet(KillSwitched(reason="all out")), Refusal.KILL_SWITCH),
        (lambda s: s.meet(Halted(by="someone", reason="lunch")), Refusal.HALTED),
        (lambda s: s.meet(TokenRejected(detail="expired")), Refusal.NEEDS_TOKEN),
        (lambda s: s.meet(FeedChanged(status=FeedStatus.LOST, detail="")), Refusal.STALE_FEED),
        (lambda s: s.meet(FeedChanged(status=FeedStatus.FEED_TAKEN, detail="")), Refusal.STALE_FEED),
        (lambda s: s.meet(DayPrepared(contracts=replace(contracts(), options=()))), Refusal.NO_INSTRUMENT),
    ],
)
def test_each_reason_of_the_session_refuses_at_the_signal(prepare: Callable[[Session], object], why: Refusal) -> None:
    session = ready()
    prepare(session)
    try_to_enter(session)
    assert refused(session) is why
    assert not session.submitted


@pytest.mark.parametrize(
    ("prepare", "why"),
    [
        (lambda s: s.meet(KillSwitched(reason="all out")), Refusal.KILL_SWITCH),
        (lambda s: s.meet(Halted(by="someone", reason="lunch")), Refusal.HALTED),
        (lambda s: s.meet(TokenRejected(detail="expired")), Refusal.NEEDS_TOKEN),
        (lambda s: s.meet(FeedChanged(status=FeedStatus.LOST, detail="")), Refusal.STALE_FEED),
        (lambda s: s.meet(TradeRulesChanged(rules=TradeRules(max_trades_per_day=0))), Refusal.MAX_TRADES),
    ],
)
def test_what_happens_between_signal_and_quote_refuses_too(prepare: Callable[[Session], object], why: Refusal) -> None:
    session = wanting()
    prepare(session)
    session.mark()
    assert refused(session) is why
    assert not session.submitted


def test_a_session_that_is_not_whole_refuses_entries_never_signals() -> None:
    session = begin(minutes=16)
    assert session.state.status == "WARMING_UP"
    session.close((50_000.0, 50_040.0, 50_000.0, 50_040.0))
    assert not session.submitted
    session = begin(minutes=21)
    try_to_enter(session)
    assert is_entering(session)


def test_a_token_that_came_back_lets_entries_in_again() -> None:
    session = ready()
    session.meet(TokenRejected(detail="expired"))
    session.meet(TokenReplaced())
    try_to_enter(session)
    assert is_entering(session)


def test_one_trade_at_a_time() -> None:
    session = holding()
    session.mark(after=60.0)
    session.poll()
    session.close(STEEPLY_DOWN)
    assert len(signals(session)) == 2
    assert refused(session) is Refusal.ALREADY_IN_TRADE


@pytest.mark.parametrize(
    ("limits", "tally", "why"),
    [
        ({"max_trades_per_day": 3}, Tally(trades=2), None),
        ({"max_trades_per_day": 3}, Tally(trades=3), Refusal.MAX_TRADES),
        ({"max_daily_loss": 900_00}, Tally(realised=-899_99), None),
        ({"max_daily_loss": 900_00}, Tally(realised=-900_00), Refusal.DAY_LOCKED),
        ({"max_consecutive_losses": 2}, Tally(losses_in_a_row=1), None),
        ({"max_consecutive_losses": 2}, Tally(losses_in_a_row=2), Refusal.DAY_LOCKED),
        ({"max_daily_profit": 500_00}, Tally(realised=499_99, best=499_99), None),
        ({"max_daily_profit": 500_00}, Tally(realised=500_00, best=500_00), Refusal.DAY_LOCKED),
        ({"give_back_pct": 40.0}, Tally(realised=60_01, best=100_00), None),
        ({"give_back_pct": 40.0}, Tally(realised=60_00, best=100_00), Refusal.DAY_LOCKED),
        ({"give_back_pct": 40.0}, Tally(realised=-1, best=0), None),
        ({}, Tally(lock="MAX_DAILY_LOSS"), Refusal.DAY_LOCKED),
    ],
)
def test_the_day_refuses_at_its_limits(limits: dict[str, float], tally: Tally, why: Refusal | None) -> None:
    session = begin(replace(TradeRules(), **limits), tally=tally)  # type: ignore[arg-type]
    try_to_enter(session)
    assert is_entering(session) == (why is None)
    assert session.refusals() == ([] if why is None else [why])


@pytest.mark.parametrize(
    ("begins", "ends", "is_refused"), [(585, 586, False), (586, 587, True), (587, 588, False), (580, 586, False)]
)
def test_a_blackout_covers_its_minutes_and_not_its_end(begins: int, ends: int, is_refused: bool) -> None:
    session = begin(TradeRules(blackout=(Window(begins, ends),)))
    try_to_enter(session)
    assert session.now == ist(DAY, time(9, 46))
    assert session.refusals() == ([Refusal.BLACKOUT] if is_refused else [])


@pytest.mark.parametrize("allowed", [True, False])
def test_an_expiry_day_is_traded_if_it_may_be(allowed: bool) -> None:
    day = date(2026, 7, 28)
    session = begin(TradeRules(trade_expiry_day=allowed), day=regular_session(day))
    try_to_enter(session)
    assert session.refusals() == ([] if allowed else [Refusal.EXPIRY_DAY])
    other = begin(TradeRules(trade_expiry_day=allowed))
    try_to_enter(other)
    assert is_entering(other)


@pytest.mark.parametrize(("square_off", "is_refused"), [(586, True), (587, False)])
def test_no_trade_is_begun_at_the_square_off(square_off: int, is_refused: bool) -> None:
    session = begin(TradeRules(square_off_minute=square_off))
    try_to_enter(session)
    assert session.refusals() == ([Refusal.OUTSIDE_HOURS] if is_refused else [])


def test_no_trade_is_begun_where_the_index_is_not_traded_continuously() -> None:
    day = replace(regular_session(DAY), continuous_until=ist(DAY, time(9, 46)))
    session = begin(day=day)
    try_to_enter(session)
    assert refused(session) is Refusal.OUTSIDE_HOURS


@pytest.mark.parametrize(("late", "why"), [(0.0, None), (0.001, Refusal.STALE_CHAIN)])
def test_the_chain_must_have_been_read_lately(late: float, why: Refusal | None) -> None:
    session = begin(minutes=21)
    polled = session.state.readings[-1].at
    for _ in range(9):
        session.close((50_000.0, 50_001.0, 49_999.0, 50_000.0))
    session.close(late=late)
    assert session.now == polled + timedelta(minutes=10, seconds=late)
    assert session.refusals() == ([] if why is None else [why])


def test_a_chain_that_was_never_read_refuses() -> None:
    session = begin(is_polled=False)
    try_to_enter(session)
    assert refused(session) is Refusal.STALE_CHAIN


def test_unknown_funds_refuse() -> None:
    session = begin(funds=None)
    try_to_enter(session)
    assert refused(session) is Refusal.FUNDS_UNKNOWN


# --- the quote ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("bid", "spread", "is_refused"),
    [(10.0, 0.2, False), (10.0, 0.25, True), (100.0, 1.0, False), (100.0, 1.05, True)],
)
def test_a_spread_is_at_most_four_ticks_or_one_percent(bid: float, spread: float, is_refused: bool) -> None:
    session = wanting()
    session.mark(bid, spread=spread)
    assert session.refusals() == ([Refusal.SPREAD_TOO_WIDE] if is_refused else [])


def test_a_signal_waits_for_a_quote_that_says_something() -> None:
    session = wanting()
    assert session.asked(QuoteOption) == [QuoteOption(instrument=CALL)]
    before = session.state
    session.mark(None)
    session.mark(None, last=100.0, traded_at=session.now)
    session.mark(ask=None)
    session.mark(ask=99.0)  # crossed
    session.mark(quoted_at=session.now - timedelta(seconds=5, milliseconds=1))
    session.mark(option=contracts().options[0].key)
    assert session.state == before
    session.mark(quoted_at=session.now - timedelta(seconds=5))
    assert is_entering(session)


def test_no_usable_quote_within_the_signals_life_is_a_refusal() -> None:
    session = wanting()
    assert session.trading.intent is not None
    expires = session.trading.intent.signal.expires_at
    assert next_deadline(session.state) == expires == session.now + timedelta(minutes=1)
    session.meet_at(expires, DeadlinePassed())
    assert refused(session) is Refusal.NO_QUOTE
    assert session.is_neutral


@pytest.mark.parametrize(("after", "is_refused"), [(59.999, False), (60.0, True), (61.0, True)])
def test_a_quote_that_comes_when_the_signal_has_expired_is_refused(after: float, is_refused: bool) -> None:
    session = wanting()
    session.mark(after=after)
    assert session.refusals() == ([Refusal.EXPIRED] if is_refused else [])


def test_a_candle_that_was_closed_late_may_have_expired_already() -> None:
    session = ready()
    session.close(late=60.0)
    assert signals(session)
    assert refused(session) is Refusal.EXPIRED
    assert session.asked(QuoteOption) == []


def test_a_newer_signal_takes_the_place_of_one_that_waits() -> None:
    session = wanting()
    first = signals(session)[0]
    session.meet_at(first.expires_at - timedelta(milliseconds=1), FundsRead(available=1))
    session.close(STEEPLY_DOWN)
    last = signals(session)[-1]
    assert last.id != first.id
    told = session.told(EntryRefused)
    assert [(one.signal_id, one.reason) for one in told] == [(first.id, Refusal.EXPIRED)]
    assert session.trading.intent is not None
    assert session.trading.intent.signal == last


def test_every_refusal_names_its_signal_and_instrument() -> None:
    session = ready()
    session.meet(Halted(by="someone", reason="lunch"))
    session.close()
    (told,) = session.told(EntryRefused)
    (signal,) = signals(session)
    assert (told.signal_id, told.instrument, told.reason, told.detail) == (
        signal.id,
        signal.instrument,
        "HALTED",
        "lunch (by someone)",
    )


def test_where_nothing_is_traded_signals_are_only_told() -> None:
    session = begin()
    session.state = replace(session.state, trading=None)
    session.close()
    assert signals(session)
    assert session.refusals() == []
    assert not any(isinstance(effect, SubmitOrder | QuoteOption) for effect in session.effects)
    before = session.state
    session.mark()
    assert session.state == before


def test_resuming_allows_entries_again() -> None:
    session = ready()
    session.meet(Halted(by="someone", reason="lunch"))
    session.meet(Resumed(by="someone"))
    try_to_enter(session)
    assert is_entering(session)


def test_the_fresh_start_is_what_it_says() -> None:
    assert ready().now == READY
    assert book(100.0, READY).fresh_book(READY, 5.0) == (100.0, 100.1)
    session = ready()
    session.close(DOWN)
    assert [signal.side for signal in signals(session)] == ["BUY_PUT"]
