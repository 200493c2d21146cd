"""What the broker says: late, twice, out of order, and what cannot be."""

from dataclasses import replace
from itertools import permutations

import pytest

from algoexec.domain.errors import DomainError
from algoexec.domain.instruments import InstrumentKey
from algoexec.domain.orders import OrderStatus, Side
from algoexec.engine.effects import CancelOrder, TradeClosed
from algoexec.engine.events import (
    ChangeNotMade,
    FlattenRequested,
    KillSwitched,
    OrderNotPlaced,
    OrderReported,
    OutcomeNotKnown,
    Resumed,
)
from algoexec.engine.trading.orders import OwnOrder, Phase
from algoexec.engine.trading.trade import ExitReason, Stage
from tests.unit.engine.trading.driver import Session, entering, holding, leaving, report_of, wanting


def given_up() -> tuple[Session, OwnOrder]:
    """Return a session whose entry was cancelled without a fill, and that entry."""
    session = entering()
    order = session.order
    session.pass_time(6.0)
    session.cancelled()
    assert session.is_neutral
    return session, order


def not_found() -> tuple[Session, OwnOrder]:
    """Return a session whose entry was looked for in vain, and that entry."""
    session = wanting()
    session.mark()
    order = session.order
    session.meet(OutcomeNotKnown(id=order.id, detail="502"))
    session.meet(OrderNotPlaced(id=order.id, was_sent=False, detail="absent"))
    assert session.is_neutral
    return session, order


def test_a_report_may_come_any_number_of_times() -> None:
    session = entering()
    for status, filled in ((OrderStatus.OPEN, 0), (OrderStatus.OPEN, 30), (OrderStatus.COMPLETE, 120)):
        order = session.order
        session.report(order, status, filled)
        before = session.state
        session.report(order, status, filled)
        assert session.state == before


@pytest.mark.parametrize("order_of_arrival", list(permutations(range(4))))
def test_reports_may_come_in_any_order(order_of_arrival: tuple[int, ...]) -> None:
    session = wanting()
    session.mark()
    order = session.order
    reports = [
        report_of(order, OrderStatus.PENDING),
        report_of(order, OrderStatus.OPEN, 30, 100.0),
        report_of(order, OrderStatus.OPEN, 90, 100.1),
        report_of(order, OrderStatus.COMPLETE, 120, 100.15),
    ]
    for i in order_of_arrival:
        session.meet(OrderReported(report=reports[i]))
    assert session.is_at(Stage.IN_TRADE)
    assert (session.trade.bought.quantity, session.trade.bought.value) == (120, 120 * 100_15)
    assert (session.trade.stop, session.trade.target) == (80.1, 140.25)
    assert session.state.halted is None


def test_what_is_said_of_orders_that_are_not_ours_is_nothing_to_us() -> None:
    session = holding()
    before = session.state
    for number in (None, "another-session-1-0", f"{session.state.session_id}-zz-0"):
        session.meet(OrderReported(report=replace(report_of(session.order, OrderStatus.OPEN), id=number)))
        if number is not None:
            session.meet(OrderNotPlaced(id=number, was_sent=True, detail=""))
            session.meet(OutcomeNotKnown(id=number, detail=""))
            session.meet(ChangeNotMade(id=number, is_unknown=True, detail=""))
    assert session.state == before


def test_a_late_answer_to_the_placing_of_a_known_order_says_nothing() -> None:
    session = entering()
    before = session.state
    session.meet(OrderNotPlaced(id=session.order.id, was_sent=False, detail="absent"))
    session.meet(OutcomeNotKnown(id=session.order.id, detail="502"))
    assert session.state == before


# --- what was over and is not ------------------------------------------------------------------------------------


@pytest.mark.parametrize("over", [given_up, not_found])
def test_a_late_fill_is_adopted_and_halts(over: object) -> None:
    session, order = over()  # type: ignore[operator]
    session.report(order, OrderStatus.COMPLETE, 120, 100.0)
    assert session.is_at(Stage.IN_TRADE)
    assert (session.trade.open_units, session.trade.stop) == (120, 80.0)
    assert session.state.halted is not None
    assert session.alerts()[-1] == "LATE_FILL"
    session.mark(80.0)
    assert session.trade.exit_reason is ExitReason.PREMIUM_STOP
    session.holds(120, 80.0)
    session.acknowledge()
    session.fill()
    assert session.closed.quantity == 120
    session.close()
    assert session.refusals() == ["HALTED"]


def test_an_order_that_was_not_found_and_works_after_all_is_withdrawn() -> None:
    session, order = not_found()
    session.report(order, OrderStatus.OPEN)
    assert session.is_at(Stage.ENTERING)
    assert len(session.asked(CancelOrder)) == 1
    assert session.state.halted is not None
    session.cancelled(30)
    assert (session.trade.stage, session.trade.open_units) == (Stage.IN_TRADE, 30)


@pytest.mark.parametrize("status", [OrderStatus.CANCELLED, OrderStatus.REJECTED])
def test_an_order_that_was_not_found_and_came_to_nothing_is_no_news(status: OrderStatus) -> None:
    session, order = not_found()
    session.report(order, status)
    assert session.is_neutral
    assert session.state.halted is None


def test_what_was_to_be_closed_before_it_was_found_is_closed() -> None:
    session = wanting()
    session.mark()
    order = session.order
    session.meet(FlattenRequested(by="someone"))
    session.meet(OrderNotPlaced(id=order.id, was_sent=False, detail="absent"))
    assert session.is_neutral
    session.report(order, OrderStatus.COMPLETE, 120)
    assert (session.trade.stage, session.trade.exit_reason) == (Stage.EXITING, ExitReason.FLATTEN)
    assert session.trade.waits_for_position


def test_a_late_fill_under_the_kill_switch_is_sold_at_once() -> None:
    session, order = not_found()
    session.meet(KillSwitched(reason="all out"))
    session.report(order, OrderStatus.COMPLETE, 120)
    assert session.is_at(Stage.EXITING)


def test_a_late_fill_beside_another_trade_is_for_a_person() -> None:
    session, order = not_found()
    session.mark(after=60.0)
    session.poll()
    session.close()
    session.mark()
    session.acknowledge()
    second = session.trade.id
    session.report(order, OrderStatus.OPEN)
    assert session.asked(CancelOrder)[0].id == order.id, "what has not bought yet shall not"
    session.report(order, OrderStatus.COMPLETE, 120)
    assert session.alerts().count("LATE_FILL") == 2
    assert (session.trade.id, session.trade.bought.quantity) == (second, 0)
    session.mark()
    assert [cancel.id for cancel in session.asked(CancelOrder)] == [order.id, session.order.id], "entries are halted"


def test_a_trade_that_was_written_down_is_not_written_down_twice() -> None:
    session = leaving()
    sold = session.order
    session.report(sold, OrderStatus.REJECTED)
    session.holds(120, 75.0)
    session.acknowledge()
    session.fill(75.0)
    realised = session.trading.tally.realised
    session.report(sold, OrderStatus.COMPLETE, 120, 75.0)
    session.report(sold, OrderStatus.COMPLETE, 120, 75.0)
    assert len(session.told(TradeClosed)) == 1
    assert session.trading.tally.realised == realised
    assert session.alerts().count("LATE_FILL") == 1
    assert session.is_neutral
    assert session.state.halted is not None


def test_a_slice_that_turns_up_in_a_trade_joins_it_and_its_rest_is_withdrawn() -> None:
    session = wanting(freeze_quantity=60)
    session.mark()
    first, second = session.trade.orders
    session.report(first, OrderStatus.COMPLETE, 60, 100.0)
    session.meet(OrderNotPlaced(id=second.id, was_sent=False, detail="absent"))
    assert session.is_at(Stage.IN_TRADE)
    session.report(second, OrderStatus.OPEN, 30, 101.0)
    assert session.trade.open_units == 90
    assert [cancel.id for cancel in session.asked(CancelOrder)] == [second.id]
    session.pass_time(3.0)
    assert len(session.asked(CancelOrder)) == 2
    session.report(second, OrderStatus.CANCELLED, 30, 101.0)
    session.mark(75.0)
    session.holds(90, 75.0)
    assert [order.ticket.quantity for order in session.trade.orders[2:]] == [60, 30]


# --- what cannot be -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "changed",
    [
        {"instrument": InstrumentKey("PUT 50000")},
        {"side": Side.SELL},
        {"order_id": "another"},
        {"filled": 121, "quantity": 150, "average_price": 100.0, "status": OrderStatus.COMPLETE},
    ],
)
def test_a_contradiction_halts_and_the_position_stays_watched(changed: dict[str, object]) -> None:
    session = entering()
    session.report(session.order, OrderStatus.OPEN, 30)
    told = replace(report_of(session.order, OrderStatus.OPEN, 30), **changed)  # type: ignore[arg-type]
    session.meet(OrderReported(report=told))
    assert session.alerts() == ["CONTRADICTION"]
    assert session.state.halted is not None
    assert not session.state.status.is_over
    assert session.trade.bought.quantity == (120 if "filled" in changed else 30), "fills up to what was ordered"
    session.meet(OrderReported(report=told))
    assert session.alerts() == ["CONTRADICTION"], "once"
    session.meet(Resumed(by="someone"))
    assert session.state.halted is None
    session.mark(75.0)
    assert session.is_at(Stage.EXITING)


def test_a_second_order_by_the_number_of_one_that_is_over_halts() -> None:
    session, order = given_up()
    session.meet(OrderReported(report=replace(report_of(order, OrderStatus.COMPLETE, 120), order_id="another")))
    assert session.is_neutral
    assert session.alerts() == ["CONTRADICTION"]


def test_fills_without_a_price_count_at_the_limit() -> None:
    session = entering()
    told = replace(report_of(session.order, OrderStatus.COMPLETE, 120), average_price=None)
    session.meet(OrderReported(report=told))
    assert session.trade.bought.average == 100.2


def test_a_phase_comes_only_after_those_that_lead_to_it() -> None:
    order = holding().order
    with pytest.raises(DomainError, match="cannot go"):
        order.moved(Phase.WORKING)
