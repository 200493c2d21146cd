"""The stop that rests at the exchange: one order, from the entry to flat."""

from dataclasses import replace
from typing import Any

import pytest

from algoexec.domain.orders import OrderReport, OrderStatus, OrderTerms, OrderType, Side
from algoexec.engine.effects import CancelOrder, ModifyOrder, OrderChanged, ReadPosition
from algoexec.engine.events import (
    ChangeNotMade,
    FlattenRequested,
    KillSwitched,
    OrderNotPlaced,
    OrderReported,
    OutcomeNotKnown,
    TradeRulesChanged,
)
from algoexec.engine.trading.orders import OwnOrder, Purpose
from algoexec.engine.trading.rules import TradeRules
from algoexec.engine.trading.trade import ExitReason, Stage
from tests.unit.engine.trading.driver import Session, holding, report_of

PROTECTED = TradeRules(protective_order=True)


def protected(rules: TradeRules = PROTECTED, **given: Any) -> Session:
    """Return a session that holds 120 units, bought at 100, whose stop rests at 80."""
    session = holding(rules, **given)
    session.holds(session.trade.open_units)
    for order in session.trade.orders:
        if order.broker_id is None:
            wait(session, order)
    return session


def wait(session: Session, order: OwnOrder, trigger: float | None = None) -> None:
    """Have the broker say that an order waits for its trigger."""
    report = report_of(order, OrderStatus.TRIGGER_PENDING)
    session.meet(OrderReported(report=replace(report, trigger_price=trigger or order.trigger)))


def sells(session: Session) -> list[tuple[OrderType, int, float, float | None]]:
    """Return the sells that were handed in."""
    tickets = [effect.ticket for effect in session.submitted if effect.ticket.side is Side.SELL]
    return [(one.type, one.quantity, one.price, one.trigger_price) for one in tickets]


def test_what_is_held_has_its_stop_at_the_exchange_once_the_position_is_read() -> None:
    session = holding(PROTECTED)
    assert session.asked(ReadPosition) == [ReadPosition(instrument=session.trade.option.key)]
    assert sells(session) == []
    session.holds(120)
    assert sells(session) == [(OrderType.SL, 120, 76.0, 80.0)], "at the premium stop, down to the edge of the band"
    wait(session, session.order)
    assert session.is_at(Stage.IN_TRADE)
    assert session.told(OrderChanged)[-1].trigger == 80.0
    session.pass_time(600.0)
    assert len(sells(session)) == 1
    assert session.asked(ModifyOrder) == []


def test_nothing_rests_unless_it_is_wanted() -> None:
    session = holding()
    assert session.asked(ReadPosition) == []
    session.holds(120)
    assert sells(session) == []


def test_nothing_rests_while_an_entry_works() -> None:
    session = protected(replace(PROTECTED, capital=1_000_000_00, max_daily_loss=900_000_00), freeze_quantity=120)
    assert all(order.is_open == (order.purpose is Purpose.EXIT) for order in session.trade.orders)
    buys = [effect for effect in session.submitted if effect.ticket.side is Side.BUY]
    assert len(buys) > 1
    assert sum(quantity for _, quantity, _, _ in sells(session)) == session.trade.open_units
    assert all(quantity <= 120 for _, quantity, _, _ in sells(session)), "split at the freeze quantity"


def test_the_exit_is_the_resting_order_changed_and_never_a_second_sell() -> None:
    session = protected()
    session.mark(140.0)
    assert session.trade.exit_reason is ExitReason.PREMIUM_TARGET
    assert session.asked(ModifyOrder) == [], "not before it is known that all of it is there"
    session.holds(120, 140.0)
    (change,) = session.asked(ModifyOrder)
    assert change.terms == OrderTerms(type=OrderType.LIMIT, price=139.9)
    session.mark(140.0, after=2.0)
    assert session.asked(ModifyOrder)[-1].terms == OrderTerms(type=OrderType.LIMIT, price=138.6), "the ladder goes on"
    session.fill(138.6)
    assert session.closed.reason == ExitReason.PREMIUM_TARGET
    assert len(sells(session)) == 1


@pytest.mark.parametrize(
    ("event", "reason"),
    [
        (FlattenRequested(by="someone"), ExitReason.FLATTEN),
        (KillSwitched(reason="all out"), ExitReason.FLATTEN),
    ],
)
def test_whatever_ends_a_trade_ends_it_by_the_same_order(event: object, reason: ExitReason) -> None:
    session = protected()
    session.meet(event)  # type: ignore[arg-type]
    session.holds(120)
    session.fill(99.9)
    assert session.closed.reason == reason
    assert len(sells(session)) == 1


@pytest.mark.parametrize("status", [OrderStatus.OPEN, OrderStatus.COMPLETE])
def test_a_stop_that_the_exchange_reaches_is_an_exit(status: OrderStatus) -> None:
    session = protected()
    filled = 120 if status is OrderStatus.COMPLETE else 0
    session.report(session.order, status, filled, 79.5)
    if status is OrderStatus.OPEN:
        assert session.is_at(Stage.EXITING)
        session.mark(75.0, after=1.9)
        assert session.asked(ModifyOrder) == [], "its limit has had no time yet"
        session.mark(75.0, after=0.1)
        assert session.asked(ModifyOrder)[-1].terms == OrderTerms(type=OrderType.LIMIT, price=74.25)
        session.fill(79.5)
    assert session.closed.reason == ExitReason.PREMIUM_STOP
    assert session.closed.exit_price == 79.5
    assert len(sells(session)) == 1


def test_a_stop_that_trailed_and_is_reached_says_so() -> None:
    session = protected()
    session.mark(125.0, after=2.0)
    wait(session, session.order)
    session.report(session.order, OrderStatus.COMPLETE, 120, 104.9)
    assert session.closed.reason == ExitReason.TRAILING_STOP


def test_the_resting_stop_follows_the_trail_but_not_each_tick_of_it() -> None:
    session = protected()
    session.mark(121.0, after=1.0)
    assert session.trade.stop == 100.95
    assert session.asked(ModifyOrder) == [], "it was placed a moment ago"
    session.pass_time(1.0)
    assert [change.terms for change in session.asked(ModifyOrder)] == [
        OrderTerms(type=OrderType.SL, price=95.95, trigger_price=100.95)
    ]
    wait(session, session.order)
    session.mark(122.0, after=5.0)
    assert session.trade.stop == 101.95
    assert len(session.asked(ModifyOrder)) == 1, "less than 1 % of the premium away"
    session.mark(122.5, after=0.1)
    assert len(session.asked(ModifyOrder)) == 2
    session.mark(130.0, after=1.0)
    session.mark(131.0, after=0.9)
    assert len(session.asked(ModifyOrder)) == 2, "once in two seconds"


def test_a_move_that_was_not_made_is_made_again() -> None:
    session = protected()
    session.mark(121.0, after=2.0)
    moved = session.order
    session.meet(ChangeNotMade(id=moved.id, is_unknown=True, detail="cut"))
    wait(session, moved, trigger=80.0)
    assert session.order.trigger == 80.0, "the broker's word says where it rests"
    session.pass_time(2.0)
    assert [change.terms.trigger_price for change in session.asked(ModifyOrder)] == [100.95, 100.95]
    assert session.alerts() == []


def test_a_stop_that_cannot_be_moved_stays_where_it_is_and_a_person_is_told() -> None:
    session = protected()
    session.mark(121.0, after=2.0)
    for _ in range(20):
        session.meet(ChangeNotMade(id=session.order.id, is_unknown=False, detail="no"))
        wait(session, session.order, trigger=80.0)
        session.pass_time(2.0)
    assert len(session.asked(ModifyOrder)) == 3
    assert session.alerts() == ["STOP_NOT_MOVED"]
    session.mark(100.0)
    session.holds(120, 100.0)
    session.fill(99.9)
    assert session.closed.reason == ExitReason.TRAILING_STOP
    assert len(sells(session)) == 1


def test_a_move_refused_because_the_stop_was_just_reached_is_no_trouble() -> None:
    session = protected()
    session.mark(121.0, after=2.0)
    session.meet(ChangeNotMade(id=session.order.id, is_unknown=False, detail="it is complete"))
    session.report(session.order, OrderStatus.COMPLETE, 120, 80.0)
    assert session.alerts() == []
    assert session.closed.reason == ExitReason.TRAILING_STOP


def test_an_exit_that_comes_too_late_to_change_the_stop_leaves_the_rest_to_the_reports() -> None:
    session = protected()
    session.mark(80.0)
    session.holds(120, 80.0)
    session.meet(ChangeNotMade(id=session.order.id, is_unknown=False, detail="it is complete"))
    session.report(session.order, OrderStatus.COMPLETE, 120, 79.8)
    assert session.closed.exit_price == 79.8
    assert session.alerts() == []


def test_a_word_of_before_does_not_bring_a_trigger_back() -> None:
    session = protected()
    resting = session.order
    session.mark(140.0)
    session.holds(120, 140.0)
    wait(session, resting)
    assert session.order.trigger is None
    session.mark(140.0, after=2.0)
    assert session.asked(ModifyOrder)[-1].terms.type is OrderType.LIMIT


def test_a_stop_reached_while_the_position_is_read_is_not_sold_beside() -> None:
    session = protected()
    session.mark(80.0)
    session.report(session.order, OrderStatus.OPEN, 60, 79.9)
    session.holds(60, 79.0)
    assert len(sells(session)) == 1
    assert session.asked(CancelOrder) == []
    session.fill(79.9)
    assert session.closed.external_units == 0


# --- it does not come to rest --------------------------------------------------------------------------------------


@pytest.mark.parametrize("how", ["rejected", "refused", "not sent", "cancelled"])
def test_a_stop_that_does_not_come_to_rest_is_tried_three_times_and_told_each_time(how: str) -> None:
    session = holding(PROTECTED)
    for _ in range(300):
        if session.trade.waits_for_position:
            session.holds(120)
            order = session.order
            match how:
                case "rejected":
                    session.report(order, OrderStatus.REJECTED)
                case "cancelled":
                    wait(session, order)
                    session.report(order, OrderStatus.CANCELLED)
                case _:
                    session.meet(OrderNotPlaced(id=order.id, was_sent=how == "refused", detail="no"))
        session.mark(100.0, after=1.0)
    assert len(sells(session)) == 3
    assert session.alerts() == ["STOP_NOT_RESTING"] * 3
    assert session.is_at(Stage.IN_TRADE)
    session.mark(80.0)
    session.holds(120, 80.0)
    assert sells(session)[3:] == [(OrderType.LIMIT, 120, 79.9, None)], "it is watched as without one"
    session.acknowledge()
    session.fill()
    assert session.closed.reason == ExitReason.PREMIUM_STOP


def test_a_stop_of_which_nobody_knows_holds_an_exit_back() -> None:
    session = holding(PROTECTED)
    session.holds(120)
    session.meet(OutcomeNotKnown(id=session.order.id, detail="502"))
    session.mark(80.0)
    session.pass_time(4.0)
    assert len(sells(session)) == 1
    assert session.trade.waits_for_position is False
    wait(session, session.order)
    assert session.trade.waits_for_position
    session.holds(120, 80.0)
    assert session.asked(ModifyOrder)[-1].terms == OrderTerms(type=OrderType.LIMIT, price=79.9)


def test_an_exit_waits_for_the_answer_to_a_stop_on_its_way() -> None:
    session = holding(PROTECTED)
    session.holds(120)
    session.meet(FlattenRequested(by="someone"))
    assert session.asked(ModifyOrder) == []
    wait(session, session.order)
    session.holds(120)
    assert [change.terms.type for change in session.asked(ModifyOrder)] == [OrderType.LIMIT]


# --- a person's hand -----------------------------------------------------------------------------------------------


def test_a_stop_that_would_sell_what_is_not_there_is_withdrawn_at_once() -> None:
    session = protected()
    session.holds(60)
    assert [effect.id for effect in session.asked(CancelOrder)] == [session.order.id]
    assert session.trade.external.quantity == 0, "it may have been the stop itself"
    session.cancelled()
    session.pass_time(2.0)
    session.holds(60)
    assert session.trade.external.quantity == 60
    assert session.is_at(Stage.IN_TRADE)
    assert sells(session)[1:] == [(OrderType.SL, 60, 76.0, 80.0)], "what is left has a stop again"
    assert session.alerts() == ["EXTERNALLY_CLOSED"]


def test_a_stop_that_has_just_sold_is_not_mistaken_for_a_person() -> None:
    session = protected()
    session.holds(0)
    session.pass_time(1.0)
    session.report(session.order, OrderStatus.COMPLETE, 120, 79.9)
    assert (session.closed.reason, session.closed.external_units) == (ExitReason.PREMIUM_STOP, 0)


def test_all_that_a_person_sold_is_the_end_once_the_stop_is_withdrawn() -> None:
    session = protected()
    session.holds(0)
    session.pass_time(10.0)
    assert session.trading.trade is not None, "nothing is believed while the stop is open"
    session.cancelled()
    session.holds(0)
    assert (session.closed.reason, session.closed.external_units) == (ExitReason.EXTERNALLY_CLOSED, 120)


def test_a_cancellation_that_was_not_made_is_asked_for_again() -> None:
    session = protected()
    session.holds(60)
    session.meet(ChangeNotMade(id=session.order.id, is_unknown=False, detail="busy"))
    session.pass_time(2.0)
    assert len(session.asked(CancelOrder)) == 2


def test_an_order_that_the_broker_speaks_of_as_another_is_not_taken_for_reached() -> None:
    session = protected()
    order = session.order
    stranger = OrderReport(
        order_id="other",
        id=order.id,
        instrument=order.ticket.instrument,
        side=Side.SELL,
        status=OrderStatus.COMPLETE,
        quantity=120,
        filled=120,
        average_price=79.0,
        price=76.0,
    )
    session.meet(OrderReported(report=stranger))
    assert session.order.trigger == 80.0
    assert session.state.halted is not None


# --- the rule is changed under way ---------------------------------------------------------------------------------


def test_the_rule_can_be_switched_on_and_off_while_something_is_held() -> None:
    session = holding()
    session.meet(TradeRulesChanged(rules=PROTECTED))
    session.holds(120)
    wait(session, session.order)
    session.meet(TradeRulesChanged(rules=TradeRules()))
    assert len(session.asked(CancelOrder)) == 1
    session.cancelled()
    assert session.is_at(Stage.IN_TRADE)
    assert session.alerts() == []
