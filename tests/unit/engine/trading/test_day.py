"""The day's limits, the kill switch, and who may take them away."""

from collections.abc import Callable
from dataclasses import replace

import pytest

from algoexec.domain.orders import OrderStatus
from algoexec.engine.effects import Alert, CancelOrder, Severity
from algoexec.engine.events import (
    FeedChanged,
    FeedStatus,
    Halted,
    KillSwitched,
    Resumed,
    SessionFailed,
    StopReason,
    StopRequested,
    TokenRejected,
    TokenReplaced,
    TradeRulesChanged,
)
from algoexec.engine.trading.rules import TradeRules, tightened
from algoexec.engine.trading.tally import Tally, breach
from algoexec.engine.trading.trade import ExitReason, Stage
from tests.strategies import DAY
from tests.unit.engine.trading.driver import STEEPLY_DOWN, Session, begin, entering, holding, leaving, wanting


def sell(session: Session, price: float) -> None:
    """Have what is being left sold at a price."""
    if session.trade.waits_for_position:
        session.holds(session.trade.open_units, price)
    session.acknowledge()
    session.fill(price)


def begin_another(session: Session) -> None:
    """Have the session buy something again, at 100."""
    session.poll()
    session.close(STEEPLY_DOWN)
    assert session.trading.intent is not None
    session.mark(option=session.trading.intent.option.key)
    session.acknowledge()
    session.fill(100.0)


# --- the breaker --------------------------------------------------------------------------------------------------


def test_the_breaker_counts_what_is_held_after_charges() -> None:
    charges = holding().trade.charges(DAY, 20_00).total
    session = holding(TradeRules(max_daily_loss=120 * 8_00 + charges))
    session.mark(92.05)
    assert session.is_at(Stage.IN_TRADE)
    session.mark(92.0)
    assert session.trade.exit_reason is ExitReason.BREAKER
    assert session.trading.tally.lock == "MAX_DAILY_LOSS"
    assert session.state.halted is not None
    assert session.alerts() == ["BREAKER"]


def test_the_breaker_locks_cancels_flattens_and_only_a_person_unlocks() -> None:
    session = entering(TradeRules(max_daily_loss=1_000_00))
    session.report(session.order, OrderStatus.OPEN, 60)
    session.mark(80.1)
    assert session.trade.exit_reason is ExitReason.BREAKER
    assert len(session.asked(CancelOrder)) == 1
    session.cancelled(60)
    sell(session, 80.0)
    assert session.closed.reason == "BREAKER"
    session.meet(TokenRejected(detail=""))
    session.meet(TokenReplaced())
    session.meet(KillSwitched(reason=None))
    session.poll()
    session.close(STEEPLY_DOWN)
    assert session.refusals() == ["HALTED"]
    assert len(session.submitted) == 2


def test_resumed_as_much_again_may_be_lost_and_no_more() -> None:
    session = holding(TradeRules(max_daily_loss=1_000_00))
    session.mark(90.0)
    sell(session, 90.0)
    lost = session.trading.tally.realised
    assert lost <= -1_000_00
    session.meet(Resumed(by="someone"))
    tally = session.trading.tally
    assert (session.state.halted, tally.lock, tally.realised, tally.baseline) == (None, None, lost, lost)
    begin_another(session)
    assert session.is_at(Stage.IN_TRADE)
    session.mark(95.0, option=session.trade.option.key)
    assert session.is_at(Stage.IN_TRADE)
    session.mark(90.0, option=session.trade.option.key)
    assert session.trade.exit_reason is ExitReason.BREAKER
    sell(session, 90.0)
    assert session.trading.tally.lock == "MAX_DAILY_LOSS"
    assert session.alerts() == ["BREAKER", "BREAKER"]


def test_resumed_before_it_is_flat_the_day_locks_again() -> None:
    session = holding(TradeRules(max_daily_loss=1_000_00))
    session.mark(90.0)
    session.meet(Resumed(by="someone"))
    assert session.trading.tally.lock is None
    assert session.is_at(Stage.EXITING), "what is being sold is sold"
    sell(session, 90.0)
    assert session.trading.tally.lock == "MAX_DAILY_LOSS"


@pytest.mark.parametrize("is_halted", [True, False])
def test_resuming_what_is_not_locked_resets_no_counter(is_halted: bool) -> None:
    tally = Tally(realised=-5_000_00, trades=7, losses_in_a_row=4)
    session = begin(tally=tally)
    if is_halted:
        session.meet(Halted(by="someone", reason="lunch"))
    session.meet(Resumed(by="someone"))
    assert session.trading.tally == tally


def test_trades_that_were_begun_are_not_forgotten() -> None:
    session = begin(TradeRules(max_trades_per_day=7), tally=Tally(trades=7, lock="MAX_DAILY_LOSS"))
    session.meet(Resumed(by="someone"))
    session.close()
    assert session.refusals() == ["MAX_TRADES"]


@pytest.mark.parametrize(
    ("since", "rules", "limit"),
    [
        (-999_99, TradeRules(max_daily_loss=1_000_00), None),
        (-1_000_00, TradeRules(max_daily_loss=1_000_00), "MAX_DAILY_LOSS"),
        (999_99, TradeRules(max_daily_profit=1_000_00), None),
        (1_000_00, TradeRules(max_daily_profit=1_000_00), "MAX_DAILY_PROFIT"),
    ],
)
@pytest.mark.parametrize("before", [-9_000_00, 0, 7_000_00])
def test_unlocked_the_limits_count_from_there(before: int, since: int, rules: TradeRules, limit: str | None) -> None:
    tally = Tally(realised=before, best=8_000_00, lock="X").unlocked()
    assert breach(tally, 0, rules) is None
    assert breach(tally, since, rules) == limit
    assert breach(tally.closed(since), 0, rules) == limit


def test_what_was_won_before_it_was_unlocked_cannot_be_given_back() -> None:
    rules = TradeRules(give_back_pct=50.0)
    tally = Tally(realised=1_000_00, best=8_000_00, lock="GIVE_BACK").unlocked()
    assert breach(tally, -1, rules) is None
    assert breach(tally.closed(2_000_00), -999_99, rules) is None
    assert breach(tally.closed(2_000_00), -1_000_00, rules) == "GIVE_BACK"


def test_a_limit_that_is_tightened_below_what_is_lost_locks_at_once() -> None:
    session = begin(tally=Tally(realised=-2_000_00))
    session.meet(TradeRulesChanged(rules=TradeRules(max_daily_loss=2_000_00)))
    assert session.trading.tally.lock == "MAX_DAILY_LOSS"
    assert session.alerts() == ["BREAKER"]
    held = holding(tally=Tally(realised=-2_000_00))
    held.meet(TradeRulesChanged(rules=TradeRules(max_daily_loss=2_000_00)))
    assert held.trade.exit_reason is ExitReason.BREAKER


def test_a_row_of_losses_locks_and_begins_anew_when_resumed() -> None:
    session = begin(TradeRules(max_consecutive_losses=2), tally=Tally(losses_in_a_row=1))
    session.close()
    session.mark()
    session.acknowledge()
    session.fill(100.0)
    session.mark(80.0)
    sell(session, 80.0)
    assert session.trading.tally.lock == "MAX_CONSECUTIVE_LOSSES"
    assert session.alerts() == ["BREAKER"]
    session.meet(Resumed(by="someone"))
    assert session.trading.tally.losses_in_a_row == 0
    session.poll()
    session.close(STEEPLY_DOWN)
    assert session.trading.intent is not None


def test_a_profit_may_be_enough() -> None:
    session = holding(TradeRules(max_daily_profit=1_000_00))
    session.mark(109.0)
    assert session.trade.exit_reason is ExitReason.BREAKER
    assert session.trading.tally.lock == "MAX_DAILY_PROFIT"


def test_a_profit_that_is_given_back_locks() -> None:
    session = holding(TradeRules(give_back_pct=50.0), tally=Tally(realised=1_000_00, best=1_000_00))
    session.mark(96.5)
    assert session.is_at(Stage.IN_TRADE)
    session.mark(95.5)
    assert session.trading.tally.lock == "GIVE_BACK"


def test_an_intent_does_not_outlive_the_lock() -> None:
    session = wanting(tally=Tally(lock="MAX_DAILY_LOSS"))
    assert session.refusals() == ["DAY_LOCKED"]


def test_an_inherited_lock_is_taken_away_by_a_person() -> None:
    session = begin(tally=Tally(lock="MAX_CONSECUTIVE_LOSSES", losses_in_a_row=5))
    session.meet(Resumed(by="someone"))
    session.close()
    assert session.trading.intent is not None


# --- kill switch and halt -----------------------------------------------------------------------------------------


def test_a_kill_switch_that_is_taken_back_leaves_the_session_halted() -> None:
    session = holding()
    session.meet(KillSwitched(reason="all out"))
    sell(session, 99.0)
    session.meet(KillSwitched(reason=None))
    session.poll()
    session.close(STEEPLY_DOWN)
    assert session.refusals() == ["HALTED"]
    session.meet(Resumed(by="someone"))
    session.mark(after=30.0)
    session.close(STEEPLY_DOWN)
    assert session.trading.intent is not None


def test_resuming_does_not_take_the_kill_switch_back() -> None:
    session = holding()
    session.meet(KillSwitched(reason="all out"))
    sell(session, 99.0)
    session.meet(Resumed(by="someone"))
    session.poll()
    session.close(STEEPLY_DOWN)
    assert session.refusals() == ["KILL_SWITCH"]


def test_a_halt_keeps_a_position_and_its_stops() -> None:
    session = holding()
    session.meet(Halted(by="someone", reason="lunch"))
    session.mark(120.05)
    assert (session.trade.stage, session.trade.stop) == (Stage.IN_TRADE, 100.0)
    session.mark(100.0)
    assert session.trade.exit_reason is ExitReason.TRAILING_STOP


# --- rules --------------------------------------------------------------------------------------------------------


def test_a_change_of_rules_tightens_at_once_and_loosens_not_today() -> None:
    now = TradeRules(max_daily_profit=1_000_00)
    looser = TradeRules(
        max_daily_loss=20_000_00, max_trades_per_day=99, max_consecutive_losses=99, max_daily_profit=None
    )
    assert tightened(now, looser) == now
    tighter = TradeRules(
        max_daily_loss=1,
        max_trades_per_day=2,
        max_consecutive_losses=3,
        max_daily_profit=4,
        give_back_pct=5.0,
    )
    assert tightened(now, tighter) == tighter
    session = holding()
    session.meet(TradeRulesChanged(rules=replace(looser, max_daily_loss=1_000_00, premium_stop_pct=10.0)))
    assert session.trading.rules.max_trades_per_day == 20
    session.mark(91.0)
    assert session.trade.exit_reason is ExitReason.BREAKER


@pytest.mark.parametrize(
    ("tally", "open_profit", "limit"),
    [
        (Tally(realised=-8_999_99), 0, None),
        (Tally(realised=-8_999_99), -1, "MAX_DAILY_LOSS"),
        (Tally(losses_in_a_row=5), 0, "MAX_CONSECUTIVE_LOSSES"),
        (Tally(realised=10**9), 0, None),
    ],
)
def test_a_limit_is_reached_at_its_value(tally: Tally, open_profit: int, limit: str | None) -> None:
    assert breach(tally, open_profit, TradeRules()) == limit


# --- the session --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("where", [wanting, entering, holding, leaving])
def test_a_failure_gets_out_of_everything_before_it_ends_the_session(where: Callable[[], Session]) -> None:
    session = where()
    session.meet(SessionFailed(detail="a bug"))
    assert "SESSION_FAILED" in session.alerts()
    before = session.state
    session.meet(SessionFailed(detail="another"))
    assert session.state == before
    if where is entering:
        assert not session.state.status.is_over
        session.cancelled()
    elif where in (holding, leaving):
        assert session.is_at(Stage.EXITING)
        sell(session, 99.0)
    assert (session.state.status, session.state.reason) == ("FAILED", "a bug")


def test_a_lost_feed_is_louder_with_a_position() -> None:
    for session, severity in ((holding(), Severity.CRITICAL), (begin(), Severity.WARNING)):
        session.meet(FeedChanged(status=FeedStatus.LOST, detail=""))
        assert session.told(Alert)[-1].severity is severity


def test_a_stop_is_asked_for_once() -> None:
    session = holding()
    session.meet(StopRequested(reason=StopReason.REQUESTED))
    before = session.state
    session.meet(StopRequested(reason=StopReason.VENUE_GONE))
    assert session.state == before
