"""A session ends and leaves what it holds to the person."""

import pytest

from algoexec.domain.orders import OrderStatus, Side
from algoexec.engine.effects import Alert, CancelOrder, OrderChanged, Status
from algoexec.engine.events import ChangeNotMade, KillSwitched, StopReason, StopRequested, TokenRejected
from algoexec.engine.step import next_deadline
from algoexec.engine.trading.orders import Phase
from algoexec.engine.trading.trade import ExitReason, Stage
from tests.unit.engine.trading.driver import Session, entering, holding, leaving, ready
from tests.unit.engine.trading.test_protection import protected

HAND_OVER = StopRequested(reason=StopReason.HANDED_OVER)


def sells(session: Session) -> int:
    return sum(effect.ticket.side is Side.SELL for effect in session.submitted)


def test_what_is_held_is_left_to_the_person_at_its_mark() -> None:
    session = holding()
    session.meet(HAND_OVER)
    assert session.is_at(Stage.HANDING_OVER)
    assert session.state.status is Status.STOPPING
    session.mark(110.0)
    closed = session.closed
    assert (closed.reason, closed.quantity, closed.external_units) == (ExitReason.HANDED_OVER, 120, 120)
    assert (closed.exit_price, closed.gross) == (110.0, 120 * 10_00)
    assert session.trading.tally.realised == closed.net, "the day's limits count it as if it were sold"
    assert (session.state.status, session.state.reason) == (Status.STOPPED, "handed_over")
    assert sells(session) == 0
    assert session.alerts() == ["HANDED_OVER"]


def test_without_a_quote_it_is_valued_at_its_stop_after_a_moment() -> None:
    session = holding()
    session.meet(HAND_OVER)
    session.pass_time(1.9)
    assert session.trading.trade is not None
    session.pass_time(0.1)
    assert session.closed.exit_price == 80.0
    assert session.state.status is Status.STOPPED


def test_a_resting_stop_stays_and_the_person_is_told_of_it() -> None:
    session = protected()
    number = session.order.broker_id
    session.meet(HAND_OVER)
    session.mark(110.0)
    assert session.asked(CancelOrder) == []
    assert session.told(OrderChanged)[-1].phase is Phase.HANDED_OVER
    (alert,) = session.told(Alert)
    assert f"order {number} sells 120 at 80" in alert.message
    assert session.state.status is Status.STOPPED


def test_a_working_exit_is_withdrawn_first_and_what_it_sold_counts() -> None:
    session = leaving()
    session.meet(HAND_OVER)
    (cancel,) = session.asked(CancelOrder)
    assert cancel.id == session.order.id
    session.mark(75.0)
    assert session.state.status is Status.STOPPING, "it may still sell"
    session.cancelled(filled=60, price=74.9)
    session.mark(75.0)
    closed = session.closed
    assert (closed.reason, closed.external_units) == (ExitReason.HANDED_OVER, 60)
    assert closed.gross == 60 * 74_90 + 60 * 75_00 - 120 * 100_00


def test_an_exit_that_fills_before_it_is_withdrawn_leaves_nothing_to_hand_over() -> None:
    session = leaving()
    session.meet(HAND_OVER)
    session.fill(74.9)
    assert session.closed.reason == ExitReason.PREMIUM_STOP
    assert session.state.status is Status.STOPPED
    assert session.alerts() == []


def test_a_working_entry_is_withdrawn_and_what_it_bought_is_handed_over() -> None:
    session = entering()
    session.meet(HAND_OVER)
    assert len(session.asked(CancelOrder)) == 1
    session.cancelled(filled=30, price=100.0)
    session.mark(101.0)
    assert (session.closed.quantity, session.closed.external_units) == (30, 30)


def test_an_entry_that_bought_nothing_is_no_trade() -> None:
    session = entering()
    session.meet(HAND_OVER)
    session.cancelled()
    assert (session.state.status, session.told(Alert)) == (Status.STOPPED, [])


def test_a_withdrawal_that_is_not_made_is_asked_for_again_and_a_person_called() -> None:
    session = leaving()
    session.meet(HAND_OVER)
    session.meet(ChangeNotMade(id=session.order.id, is_unknown=True, detail="cut"))
    session.pass_time(10.0)
    assert len(session.asked(CancelOrder)) == 6
    assert session.alerts() == ["EXIT_STUCK"]
    assert session.state.status is Status.STOPPING


def test_nothing_is_handed_over_while_it_is_unknown_what_works() -> None:
    session = holding()
    session.mark(75.0)
    session.holds(120, 75.0)
    session.meet(HAND_OVER)
    session.mark(75.0, after=60.0)
    assert session.state.status is Status.STOPPING
    session.report(session.order, OrderStatus.REJECTED)
    session.mark(75.0)
    assert session.closed.reason == ExitReason.HANDED_OVER


@pytest.mark.parametrize("stage", [Stage.IN_TRADE, Stage.EXITING])
def test_a_person_may_take_over_what_a_stopping_session_does_not_get_rid_of(stage: Stage) -> None:
    session = holding() if stage is Stage.IN_TRADE else leaving()
    session.meet(StopRequested(reason=StopReason.REQUESTED))
    session.meet(HAND_OVER)
    if stage is Stage.EXITING:
        session.cancelled()
    session.holds(120) if session.trade.waits_for_position else None
    session.mark(75.0)
    assert session.closed.reason == ExitReason.HANDED_OVER
    assert session.state.reason == "handed_over"


def test_a_dead_token_does_not_keep_a_position_from_being_handed_over() -> None:
    session = protected()
    session.meet(TokenRejected(detail="expired"))
    session.meet(HAND_OVER)
    session.pass_time(2.0)
    assert session.state.status is Status.STOPPED


def test_what_is_being_handed_over_is_not_sold_whatever_comes() -> None:
    session = leaving()
    session.meet(HAND_OVER)
    session.meet(KillSwitched(reason="all out"))
    session.mark(10.0, index=40_000.0)
    assert session.is_at(Stage.HANDING_OVER)
    session.cancelled()
    session.mark(10.0)
    assert session.closed.reason == ExitReason.HANDED_OVER
    assert sells(session) == 1


def test_with_nothing_held_the_session_just_ends() -> None:
    session = ready()
    session.copy().meet(HAND_OVER)
    session = session.copy()
    session.meet(HAND_OVER)
    assert session.state.status is Status.STOPPED
    assert next_deadline(session.state) is None
