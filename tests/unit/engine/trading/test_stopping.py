"""The service is stopped in order while a session trades, and started again."""

from algoexec.domain.orders import OrderType, Side
from algoexec.engine.effects import CancelOrder, ModifyOrder
from algoexec.engine.events import OnShutdown, ServiceStarted, ServiceStopping
from algoexec.engine.trading.flow import is_secured
from algoexec.engine.trading.trade import ExitReason, Stage
from tests.unit.engine.trading.driver import UP, Session, entering, holding, leaving, ready, wanting
from tests.unit.engine.trading.test_protection import wait

PROTECT, FLATTEN, LEAVE = (ServiceStopping(policy=policy) for policy in OnShutdown)


def secured(session: Session, event: ServiceStopping) -> bool:
    return is_secured(session.state, event.policy)


def test_what_is_held_gets_a_stop_whatever_the_rules_say() -> None:
    session = holding()
    session.meet(PROTECT)
    assert not secured(session, PROTECT)
    session.holds(120)
    assert session.order.ticket.type is OrderType.SL
    assert not secured(session, PROTECT), "it is not there yet"
    wait(session, session.order)
    assert secured(session, PROTECT)
    assert session.is_at(Stage.IN_TRADE)


def test_after_the_start_that_stop_goes_on_and_becomes_the_exit() -> None:
    session = holding()
    session.meet(PROTECT)
    session.holds(120)
    wait(session, session.order)
    session.meet(ServiceStarted(), after=600.0)
    session.mark(121.0)
    assert [change.terms.trigger_price for change in session.asked(ModifyOrder)] == [100.95]
    session.mark(140.0)
    session.holds(120, 140.0)
    session.fill(139.9)
    assert session.closed.reason == ExitReason.PREMIUM_TARGET
    assert sum(effect.ticket.side is Side.SELL for effect in session.submitted) == 1


def test_entries_are_withdrawn_and_what_they_bought_gets_a_stop() -> None:
    session = entering()
    session.meet(PROTECT)
    assert len(session.asked(CancelOrder)) == 1
    assert not secured(session, PROTECT)
    session.cancelled(filled=30, price=100.0)
    session.holds(30)
    assert (session.order.ticket.type, session.order.ticket.quantity) == (OrderType.SL, 30)


def test_what_is_to_be_sold_is_sold() -> None:
    session = holding()
    session.meet(FLATTEN)
    session.holds(120)
    session.acknowledge()
    assert not secured(session, FLATTEN)
    session.fill(99.9)
    assert session.closed.reason == ExitReason.FLATTEN
    assert secured(session, FLATTEN)


def test_what_is_to_be_left_is_left_but_for_entries() -> None:
    session = holding()
    session.meet(LEAVE)
    assert secured(session, LEAVE)
    session = entering()
    session.meet(LEAVE)
    assert not secured(session, LEAVE)
    session.cancelled()
    assert secured(session, LEAVE)


def test_an_exit_under_way_goes_on() -> None:
    session = leaving()
    session.meet(PROTECT)
    assert not secured(session, PROTECT)
    session.fill(74.9)
    assert secured(session, PROTECT)
    assert session.closed.reason == ExitReason.PREMIUM_STOP


def test_nothing_is_begun_until_a_service_runs_the_session_again() -> None:
    session = wanting()
    session.meet(PROTECT)
    assert session.refusals() == ["STOPPING"]
    assert secured(session, PROTECT)
    session = ready()
    session.meet(LEAVE)
    session.close(UP)
    assert session.refusals() == ["STOPPING"]
    session.meet(ServiceStarted())
    session.close(UP)
    session.mark()
    assert session.is_at(Stage.ENTERING)
