"""From a quote to a position, or back to NEUTRAL."""

from dataclasses import replace

import pytest

from algoexec.domain.orders import OrderStatus, Side
from algoexec.engine.effects import CancelOrder, ModifyOrder, OrderChanged, ReadPosition, SubmitOrder
from algoexec.engine.events import (
    ChangeNotMade,
    FlattenRequested,
    Halted,
    KillSwitched,
    OrderNotPlaced,
    OrderReported,
    OutcomeNotKnown,
    StopReason,
    StopRequested,
    TokenRejected,
)
from algoexec.engine.step import next_deadline
from algoexec.engine.trading.orders import Phase
from algoexec.engine.trading.trade import Stage
from tests.unit.engine.trading.driver import Session, entering, holding, report_of, wanting


def test_an_entry_that_is_filled_is_a_position() -> None:
    session = wanting()
    moved = session.mark(100.0)
    (submit,) = moved.effects
    assert isinstance(submit, SubmitOrder)
    assert (submit.ticket.side, submit.ticket.quantity, submit.ticket.price) == (Side.BUY, 120, 100.2)
    assert (session.trade.stage, session.order.phase) == (Stage.ENTERING, Phase.SENDING)
    session.acknowledge()
    assert session.order.phase is Phase.WORKING
    session.fill(100.15)
    trade = session.trade
    assert trade.stage is Stage.IN_TRADE
    assert (trade.bought.quantity, trade.bought.value) == (120, 120 * 100_15)
    assert (trade.stop, trade.target) == (80.1, 140.25), "20 % below and 40 % above what was paid, on the grid"
    assert session.stages() == ["ENTERING", "IN_TRADE"]
    phases = [body.phase for body in session.told(OrderChanged)]
    assert phases == [Phase.SENDING, Phase.WORKING, Phase.FILLED]
    assert session.trading.tally.trades == 1


def test_a_fill_may_overtake_the_acknowledgement() -> None:
    session = wanting()
    session.mark()
    session.fill()
    assert session.is_at(Stage.IN_TRADE)
    before = session.state
    session.report(session.order, OrderStatus.PENDING)
    session.report(session.order, OrderStatus.OPEN)
    assert session.state == before


def test_a_partial_fill_may_overtake_the_acknowledgement() -> None:
    session = wanting()
    session.mark()
    session.report(session.order, OrderStatus.OPEN, 30)
    assert (session.order.phase, session.order.filled) == (Phase.WORKING, 30)
    session.report(session.order, OrderStatus.PENDING)
    assert session.order.filled == 30


def test_an_entry_follows_the_ask_once_and_is_then_given_up() -> None:
    session = entering()
    session.mark(101.0, after=2.999)
    assert not session.asked(ModifyOrder)
    session.mark(101.0, after=0.001)
    (modify,) = session.asked(ModifyOrder)
    assert (modify.id, modify.terms.price) == (session.order.id, 101.2)
    session.mark(102.0, after=2.9)
    assert len(session.asked(ModifyOrder)) == 1
    assert not session.asked(CancelOrder)
    session.mark(102.0, after=0.1)
    (cancel,) = session.asked(CancelOrder)
    assert cancel.broker_id == session.order.broker_id
    session.cancelled()
    assert session.is_neutral
    assert session.stages() == ["ENTERING", "NEUTRAL"]
    assert len(session.asked(ModifyOrder)) == 1
    assert session.trading.tally.trades == 1, "an attempt counts"


def test_a_new_price_is_not_beyond_the_band_of_the_first() -> None:
    session = entering()
    session.mark(120.0, after=3.0)
    (modify,) = session.asked(ModifyOrder)
    assert modify.terms.price == 105.2, "5 % above 100.20, on the grid"


def test_without_a_quote_an_entry_is_given_up_after_two_waits() -> None:
    session = entering()
    session.pass_time(5.999)
    assert not session.asked(CancelOrder)
    session.pass_time(0.001)
    assert len(session.asked(CancelOrder)) == 1
    assert not session.asked(ModifyOrder)


def test_an_unanswered_cancellation_is_asked_for_again_but_not_as_fast_as_the_broker_says_no() -> None:
    session = entering()
    session.pass_time(6.0)
    for _ in range(10):
        session.meet(ChangeNotMade(id=session.order.id, is_unknown=False, detail="busy"))
        session.mark(after=0.1)
    assert len(session.asked(CancelOrder)) == 1
    session.pass_time(2.0)
    assert len(session.asked(CancelOrder)) == 2
    assert session.order.message == "busy"


def test_what_a_partly_filled_entry_has_is_kept_and_the_rest_cancelled() -> None:
    session = entering()
    session.report(session.order, OrderStatus.OPEN, 30, 100.1)
    assert session.is_at(Stage.ENTERING)
    assert session.trade.stop == 80.05
    session.mark(101.0, after=3.0)
    assert not session.asked(ModifyOrder), "nothing is paid more for a rest"
    assert len(session.asked(CancelOrder)) == 1
    session.report(session.order, OrderStatus.OPEN, 60, 100.15)
    session.cancelled(60, 100.15)
    assert session.is_at(Stage.IN_TRADE)
    assert (session.trade.bought.quantity, session.trade.open_units) == (60, 60)
    assert session.trade.stop == 80.1


def test_a_partly_filled_entry_has_its_stop_at_once() -> None:
    session = entering()
    session.report(session.order, OrderStatus.OPEN, 30)
    session.mark(80.0)
    assert session.is_at(Stage.EXITING)
    assert len(session.asked(CancelOrder)) == 1
    session.pass_time(2.0)
    assert not session.asked(ReadPosition), "what is on its way is to be sold too"
    session.cancelled(30)
    session.holds(30, 80.0)
    assert (session.order.ticket.side, session.order.ticket.quantity) == (Side.SELL, 30)


def test_an_entry_in_slices_is_one_position() -> None:
    session = entering(freeze_quantity=60)
    first, second = session.trade.orders
    session.report(first, OrderStatus.COMPLETE, 60, 100.0)
    assert session.is_at(Stage.ENTERING)
    session.report(second, OrderStatus.REJECTED)
    assert session.is_at(Stage.IN_TRADE)
    assert session.trade.open_units == 60
    other = holding(freeze_quantity=60)
    assert other.trade.open_units == 120


def test_slices_are_repriced_and_given_up_together() -> None:
    session = entering(freeze_quantity=60)
    session.mark(101.0, after=3.0)
    assert len(session.asked(ModifyOrder)) == 2
    session.pass_time(3.0)
    assert len(session.asked(CancelOrder)) == 2


@pytest.mark.parametrize("was_sent", [True, False])
def test_an_entry_that_was_not_placed_is_dropped(was_sent: bool) -> None:
    session = wanting()
    session.mark()
    session.meet(OrderNotPlaced(id=session.order.id, was_sent=was_sent, detail="margin"))
    assert session.is_neutral
    assert session.alerts() == ["ORDER_NOT_PLACED"]
    last = session.told(OrderChanged)[-1]
    assert (last.phase, last.message) == (Phase.REJECTED if was_sent else Phase.NOT_SENT, "margin")
    assert len(session.submitted) == 1, "never sent again"


def test_an_entry_that_the_broker_rejected_later_is_dropped() -> None:
    session = wanting()
    session.mark()
    report = replace(report_of(session.order, OrderStatus.REJECTED), message="RMS: margin")
    session.meet(OrderReported(report=report))
    assert session.is_neutral
    assert session.told(OrderChanged)[-1].message == "RMS: margin"
    assert session.alerts() == ["ORDER_NOT_PLACED"]


@pytest.mark.parametrize("end", ["filled", "working", "not sent"])
def test_an_unknown_outcome_ends(end: str) -> None:
    session = wanting()
    session.mark()
    session.meet(OutcomeNotKnown(id=session.order.id, detail="502"))
    assert (session.order.phase, session.alerts()) == (Phase.UNKNOWN, ["OUTCOME_UNKNOWN"])
    before = session.state
    session.meet(OutcomeNotKnown(id=session.order.id, detail="502"))
    assert session.state == before
    match end:
        case "filled":
            session.fill()
            assert session.is_at(Stage.IN_TRADE)
        case "working":
            session.report(session.order, OrderStatus.OPEN)
            assert session.is_at(Stage.ENTERING)
        case _:
            session.meet(OrderNotPlaced(id=session.order.id, was_sent=False, detail="absent"))
            assert session.is_neutral
    assert len(session.submitted) == 1


def test_an_entry_that_nobody_knows_of_is_waited_for_however_long() -> None:
    session = wanting()
    session.mark()
    session.meet(OutcomeNotKnown(id=session.order.id, detail="502"))
    session.pass_time(30.0)
    assert session.is_at(Stage.ENTERING)
    assert session.order.cancel_wanted
    assert not session.asked(CancelOrder), "it has no number there yet"
    session.report(session.order, OrderStatus.OPEN)
    assert len(session.asked(CancelOrder)) == 1, "as soon as it has one"


HALTS = [
    Halted(by="someone", reason="lunch"),
    TokenRejected(detail="expired"),
    KillSwitched(reason="all out"),
    StopRequested(reason=StopReason.REQUESTED),
    FlattenRequested(by="someone"),
]


@pytest.mark.parametrize("event", HALTS)
def test_a_working_entry_is_cancelled_when_entries_are_forbidden(event: Halted) -> None:
    session = entering()
    session.meet(event)
    (cancel,) = session.asked(CancelOrder)
    assert cancel.id == session.order.id
    session.cancelled()
    assert session.trading.trade is None
    assert session.state.status.is_over == isinstance(event, StopRequested)


@pytest.mark.parametrize("event", HALTS)
def test_an_entry_on_its_way_is_cancelled_as_soon_as_the_broker_has_it(event: Halted) -> None:
    session = wanting()
    session.mark()
    session.meet(event)
    assert not session.asked(CancelOrder)
    assert session.trading.trade is not None
    session.acknowledge()
    assert len(session.asked(CancelOrder)) == 1
    session.acknowledge()
    session.report(session.order, OrderStatus.OPEN)
    session.mark()
    assert len(session.asked(CancelOrder)) == 1


@pytest.mark.parametrize("event", [HALTS[0], HALTS[1]])
def test_what_a_halted_entry_has_bought_is_held_with_its_stops(event: Halted) -> None:
    session = entering()
    session.report(session.order, OrderStatus.OPEN, 30)
    session.meet(event)
    session.cancelled(30)
    assert session.is_at(Stage.IN_TRADE)
    session.mark(80.0)
    assert session.is_at(Stage.EXITING)


@pytest.mark.parametrize("event", HALTS[2:])
def test_what_an_entry_has_bought_is_sold_when_everything_is_to_be_closed(event: Halted) -> None:
    session = entering()
    session.report(session.order, OrderStatus.OPEN, 30)
    session.meet(event)
    session.cancelled(60)
    assert session.is_at(Stage.EXITING)
    session.holds(60)
    assert session.order.ticket.quantity == 60


@pytest.mark.parametrize("event", HALTS)
def test_an_intent_is_dropped_when_entries_are_forbidden(event: Halted) -> None:
    session = wanting()
    session.meet(event)
    assert session.trading.intent is None
    assert len(session.refusals()) == 1


def test_a_fill_that_crosses_the_cancellation_is_held() -> None:
    session = entering()
    session.pass_time(6.0)
    session.fill()
    assert session.is_at(Stage.IN_TRADE)
    session.meet(ChangeNotMade(id=session.order.id, is_unknown=False, detail="already complete"))
    assert next_deadline(session.state) is not None


def test_marks_of_other_options_do_not_concern_an_entry() -> None:
    session: Session = entering()
    before = session.state
    session.mark(option=session.state.tracked[0] if session.state.tracked[0] != session.trade.option.key else None)  # type: ignore[arg-type]
    assert session.state == before
