"""When a position is left, and how it gets flat for sure."""

from collections.abc import Callable
from datetime import date, time, timedelta

import pytest

from algoexec.domain.calendar import ist
from algoexec.domain.charges import Charges, Derivative, charges_of_order
from algoexec.domain.orders import OrderStatus, Side
from algoexec.engine.effects import (
    CancelOrder,
    ModifyOrder,
    PositionChanged,
    ReadFunds,
    ReadPosition,
    SubmitOrder,
    TradeClosed,
)
from algoexec.engine.events import (
    ChangeNotMade,
    DeadlinePassed,
    FlattenRequested,
    FundsRead,
    KillSwitched,
    Marked,
    OrderNotPlaced,
    OutcomeNotKnown,
    PositionRead,
    StopReason,
    StopRequested,
    TokenRejected,
)
from algoexec.engine.step import next_deadline
from algoexec.engine.trading.marks import IndexMark, OptionMark
from algoexec.engine.trading.orders import Purpose
from algoexec.engine.trading.rules import TradeRules
from algoexec.engine.trading.tally import Tally
from algoexec.engine.trading.trade import ExitReason, Fills, Stage
from tests.strategies import DAY
from tests.unit.engine.trading.driver import (
    CALL,
    DOWN,
    PUT,
    STEEPLY_DOWN,
    Session,
    begin,
    book,
    holding,
    leaving,
    wanting,
)


def finish(session: Session, price: float | None = None) -> TradeClosed:
    """Have the broker sell all that is asked for."""
    if session.trade.waits_for_position:
        session.holds(session.trade.open_units)
    session.acknowledge()
    session.fill(price)
    return session.closed


def test_a_trade_adds_up_to_the_paisa() -> None:
    session = wanting()
    session.mark(100.0)
    session.acknowledge()
    session.fill(100.15)
    one_r = session.trade.one_r
    assert one_r == pytest.approx(20.04)
    session.mark(125.0, after=30.0)
    assert session.trade.stop == 104.95, "1R behind the best mark, on the grid"
    session.mark(104.95, after=30.0)
    assert session.trade.exit_reason is ExitReason.TRAILING_STOP
    assert session.asked(ReadPosition) == [ReadPosition(instrument=session.trade.option.key)]
    session.holds(120, 104.95)
    assert session.order.ticket.price == 104.85, "two ticks below the bid"
    session.acknowledge()
    session.report(session.order, OrderStatus.OPEN, 30, 104.9)
    assert session.told(TradeClosed) == [], "nothing is closed before fills say so"
    session.report(session.order, OrderStatus.COMPLETE, 120, 104.875)

    closed, paid, got = session.closed, 120 * 100_15, 120 * 104_87 + 60
    charges = sum(
        (
            charges_of_order(on=DAY, kind=Derivative.OPTION, side=Side.BUY, turnover=paid),
            charges_of_order(on=DAY, kind=Derivative.OPTION, side=Side.SELL, turnover=got),
        ),
        Charges(),
    ).total
    assert (closed.gross, closed.charges, closed.net) == (got - paid, charges, got - paid - charges)
    assert (closed.quantity, closed.entry_price, closed.exit_price) == (120, 100.15, 104.875)
    assert closed.r == pytest.approx(closed.net / 100 / (one_r * 120))
    assert closed.mfe == pytest.approx(24.85)
    assert closed.mae == pytest.approx(4.8)
    assert (closed.opened_at, closed.closed_at) == (ist(DAY, time(9, 46)), ist(DAY, time(9, 47)))
    assert session.trading.tally.realised == closed.net
    assert session.is_neutral
    assert session.stages() == ["ENTERING", "IN_TRADE", "EXITING", "NEUTRAL"]
    assert session.asked(ReadFunds), "what can be spent is asked for again"


# --- reasons ------------------------------------------------------------------------------------------------------

CHEAP = TradeRules(max_daily_loss=1_000_00)
OPPOSITE = TradeRules(exit_on_opposite=True)


@pytest.mark.parametrize(
    ("rules", "happens", "reason"),
    [
        (None, lambda s: s.mark(100.0, index=49_939.92), ExitReason.INDEX_STOP),
        (None, lambda s: s.mark(80.0), ExitReason.PREMIUM_STOP),
        (None, lambda s: (s.mark(125.0), s.mark(104.0)), ExitReason.TRAILING_STOP),
        (None, lambda s: s.mark(100.0, index=50_240.17), ExitReason.INDEX_TARGET),
        (None, lambda s: s.mark(140.0), ExitReason.PREMIUM_TARGET),
        (None, lambda s: s.pass_time(1_200.0), ExitReason.TIME),
        (None, lambda s: s.meet_at(ist(DAY, time(15, 15)), DeadlinePassed()), ExitReason.SQUARE_OFF),
        (OPPOSITE, lambda s: s.close(STEEPLY_DOWN), ExitReason.OPPOSITE_SIGNAL),
        (None, lambda s: s.meet(FlattenRequested(by="someone")), ExitReason.FLATTEN),
        (CHEAP, lambda s: s.mark(91.0), ExitReason.BREAKER),
        (None, lambda s: s.meet(KillSwitched(reason="all out")), ExitReason.FLATTEN),
        (None, lambda s: s.meet(StopRequested(reason=StopReason.REQUESTED)), ExitReason.FLATTEN),
    ],
)
def test_each_reason_ends_a_trade(
    rules: TradeRules | None, happens: Callable[[Session], object], reason: ExitReason
) -> None:
    session = holding(rules)
    happens(session)
    assert session.is_at(Stage.EXITING)
    assert finish(session, 99.0).reason == reason
    assert session.trading.trade is None


@pytest.mark.parametrize(
    ("shown", "stays"),
    [
        ({"index": 49_939.93}, True),
        ({"bid": 80.05}, True),
        ({"index": 50_240.15}, True),
        ({"bid": 139.95}, True),
        ({"bid": 80.0}, False),
        ({"bid": 140.0}, False),
        # A stop and a target on one mark are both seen; what is stale or crossed says nothing.
        ({"bid": 10.0, "quoted_at": ist(DAY, time(9, 45)), "last": None}, True),
        ({"bid": 10.0, "ask": 9.0, "last": None}, True),
        ({"bid": 10.0, "ask": 9.0, "last": 80.0}, False),
        ({"bid": None}, True),
        ({"bid": 10.0, "ask": None, "last": None}, False),  # nobody sells: the bid is what is paid all the same
    ],
)
def test_a_position_is_held_up_to_its_stops_and_targets(shown: dict[str, float], stays: bool) -> None:
    session = holding()
    session.mark(**{"bid": 100.0, **shown})  # type: ignore[arg-type]
    assert (session.is_at(Stage.IN_TRADE)) == stays


@pytest.mark.parametrize(("age", "stays"), [(5.0, False), (5.001, True)])
def test_a_stale_index_says_nothing(age: float, stays: bool) -> None:
    session = holding()
    index = IndexMark(price=49_000.0, at=session.now)
    at = session.now + timedelta(seconds=age)
    session.meet_at(at, Marked(index=index, option=CALL, mark=book(100.0, at)))
    assert (session.is_at(Stage.IN_TRADE)) == stays


@pytest.mark.parametrize(
    ("bid", "index", "reason"),
    [
        (140.0, 49_900.0, ExitReason.INDEX_STOP),
        (80.0, 50_300.0, ExitReason.PREMIUM_STOP),
        (80.0, 49_900.0, ExitReason.INDEX_STOP),
        (140.0, 50_300.0, ExitReason.INDEX_TARGET),
    ],
)
def test_a_stop_comes_before_a_target_on_one_mark(bid: float, index: float, reason: ExitReason) -> None:
    session = holding()
    session.mark(bid, index=index)
    assert session.trade.exit_reason is reason


def test_a_put_has_its_stop_above_and_its_target_below() -> None:
    for index, reason in ((50_059.92, ExitReason.INDEX_STOP), (49_760.15, ExitReason.INDEX_TARGET)):
        session = wanting(prices=DOWN)
        session.mark(option=PUT)
        session.acknowledge()
        session.fill(100.0)
        session.mark(option=PUT, index=index - 0.01 if reason is ExitReason.INDEX_STOP else index + 0.02)
        assert session.is_at(Stage.IN_TRADE)
        session.mark(option=PUT, index=index)
        assert session.trade.exit_reason is reason


def test_after_the_square_off_minute_the_index_is_no_stop() -> None:
    session = holding(TradeRules(square_off_minute=587))
    session.mark(100.0, after=60.0, index=49_000.0)
    assert session.is_at(Stage.IN_TRADE), "the premium alone counts, and time ends it"
    session.meet(DeadlinePassed())
    assert session.trade.exit_reason is ExitReason.SQUARE_OFF


def test_trailing_begins_at_one_r_and_never_goes_back() -> None:
    session = holding()
    one_r = session.trade.one_r
    session.mark(100.0 + one_r - 0.01)
    assert (session.trade.stop, session.trade.trailed) == (80.0, False)
    session.mark(120.05)
    assert (session.trade.stop, session.trade.trailed) == (100.0, True), "at +1R to the entry"
    session.mark(130.0)
    assert session.trade.stop == 109.95
    session.mark(112.0)
    assert session.trade.stop == 109.95
    assert [body.stop for body in session.told(PositionChanged)][-2:] == [100.0, 109.95], "each is told"


def test_trailing_may_be_switched_off() -> None:
    session = holding(TradeRules(trailing=False))
    session.mark(139.0)
    assert session.trade.stop == 80.0


def test_time_is_up_after_twenty_minutes_of_holding_not_of_wanting() -> None:
    session = holding()
    opened = session.trade.opened_at
    assert opened is not None
    assert next_deadline(session.state) == opened + timedelta(minutes=20)
    session.meet_at(opened + timedelta(minutes=20) - timedelta(milliseconds=1), DeadlinePassed())
    assert session.is_at(Stage.IN_TRADE)
    session.meet_at(opened + timedelta(minutes=20), DeadlinePassed())
    assert session.trade.exit_reason is ExitReason.TIME


def test_the_square_off_comes_before_twenty_minutes_are_over() -> None:
    session = holding(TradeRules(square_off_minute=590))
    assert next_deadline(session.state) == ist(DAY, time(9, 50))
    session.meet_at(ist(DAY, time(9, 50)), DeadlinePassed())
    assert session.trade.exit_reason is ExitReason.SQUARE_OFF


def test_an_opposite_signal_ends_a_trade_only_if_it_is_asked_to() -> None:
    session = holding()
    session.close(STEEPLY_DOWN)
    assert session.is_at(Stage.IN_TRADE)
    session = holding(OPPOSITE)
    session.close((50_000.0, 50_040.0, 50_000.0, 50_040.0))
    assert session.is_at(Stage.IN_TRADE), "one of the same side is not opposite"


def test_the_first_reason_stays() -> None:
    session = leaving()
    session.mark(200.0)
    session.meet(KillSwitched(reason="all out"))
    assert finish(session).reason == ExitReason.PREMIUM_STOP


# --- the ladder ---------------------------------------------------------------------------------------------------


def test_an_exit_is_offered_cheaper_rung_by_rung_and_then_a_person_is_called() -> None:
    session = leaving()
    assert session.order.ticket.price == 74.9
    prices = []
    for _ in range(3):
        session.mark(75.0, after=1.999)
        session.mark(75.0, after=0.001)
        prices.append(session.asked(ModifyOrder)[-1].terms.price)
    assert prices == [74.25, 72.75, 71.25]
    assert len(session.asked(ModifyOrder)) == 3
    assert len(session.submitted) == 2, "a reprice is a modify"
    session.mark(75.0, after=2.0)
    assert session.alerts() == ["EXIT_STUCK"], "at 8 s"
    session.pass_time(26.0)
    session.pass_time(30.0)
    assert session.alerts() == ["EXIT_STUCK"] * 2, "and every 30 s"
    assert finish(session, 71.25).reason == ExitReason.PREMIUM_STOP
    assert session.alerts() == ["EXIT_STUCK"] * 2


def test_an_exit_that_nobody_takes_at_the_edge_is_replaced_once_it_is_surely_over() -> None:
    session = leaving()
    for _ in range(4):
        session.mark(75.0, after=2.0)
    assert len(session.asked(CancelOrder)) == 1
    assert len(session.submitted) == 2, "not before the first one is over"
    session.cancelled(filled=0)
    session.pass_time(2.0)
    session.holds(session.trade.open_units, bid=75.0)
    assert len(session.submitted) == 3
    assert session.order.ticket.price == 71.25, "the ladder does not begin anew"
    assert finish(session, 71.25).reason == ExitReason.PREMIUM_STOP


def test_an_exit_follows_the_bid() -> None:
    session = leaving()
    session.mark(60.0, after=2.0)
    assert session.asked(ModifyOrder)[-1].terms.price == 59.4


def test_without_a_quote_an_exit_waits_twice_as_long_and_goes_below_its_last_price() -> None:
    session = leaving()
    session.pass_time(3.999)
    assert not session.asked(ModifyOrder)
    session.pass_time(0.001)
    assert session.asked(ModifyOrder)[-1].terms.price == 72.65, "3 % below 74.90"


def test_without_any_quote_an_exit_begins_below_the_stop() -> None:
    session = holding()
    session.meet(FlattenRequested(by="someone"))
    session.holds(120, None)
    assert session.order.ticket.price == 77.6


def test_slices_climb_the_ladder_together() -> None:
    session = leaving(freeze_quantity=60)
    assert len(session.submitted) == 4
    session.mark(75.0, after=2.0)
    session.mark(75.0, after=2.0)
    assert [modify.terms.price for modify in session.asked(ModifyOrder)] == [74.25, 74.25, 72.75, 72.75]


def test_a_refused_reprice_is_tried_again_at_its_time() -> None:
    session = leaving()
    session.mark(75.0, after=2.0)
    for _ in range(5):
        session.meet(ChangeNotMade(id=session.order.id, is_unknown=False, detail="busy"))
        session.mark(75.0, after=0.1)
    assert len(session.asked(ModifyOrder)) == 1
    session.mark(75.0, after=1.5)
    assert len(session.asked(ModifyOrder)) == 2


def test_no_exit_is_sent_while_another_may_still_sell() -> None:
    session = leaving()
    session.report(session.order, OrderStatus.OPEN, 60)
    session.pass_time(60.0)
    assert len(session.submitted) == 2
    session.cancelled(60)
    assert len(session.asked(ReadPosition)) == 2, "a person has cancelled it"
    session.holds(60, 75.0)
    assert session.order.ticket.quantity == 60
    session.acknowledge()
    session.fill()
    assert session.closed.quantity == 120


@pytest.mark.parametrize("how", ["rejected", "refused", "not sent", "unknown, then not sent", "unknown, then rejected"])
def test_an_exit_that_came_to_nothing_is_followed_by_another_until_flat(how: str) -> None:
    session = holding()
    session.mark(75.0)
    asked = []
    for _ in range(4):
        session.pass_time(2.0) if not session.trade.waits_for_position else None
        session.holds(120, 75.0)
        order = session.order
        asked.append(order.id)
        if "unknown" in how:
            session.meet(OutcomeNotKnown(id=order.id, detail="502"))
            session.pass_time(60.0)
            assert session.order.id == order.id, "nothing is sent while nobody knows"
        if "rejected" in how:
            session.report(order, OrderStatus.REJECTED)
        else:
            session.meet(OrderNotPlaced(id=order.id, was_sent=how == "refused", detail="no"))
    assert len(set(asked)) == 4, "a number is never used again"
    assert "ORDER_NOT_PLACED" in session.alerts()
    session.pass_time(2.0)
    assert finish(session).reason == ExitReason.PREMIUM_STOP


def test_exits_that_are_rejected_at_once_are_no_storm() -> None:
    session = holding()
    session.mark(75.0)
    for _ in range(100):
        if session.trade.waits_for_position:
            session.holds(120, 75.0)
            session.report(session.order, OrderStatus.REJECTED)
        session.mark(75.0, after=0.1)
    assert len(session.submitted) - 1 <= 7, "two at once, then one each 2 s"
    assert "EXIT_STUCK" in session.alerts()


def test_an_unanswered_question_does_not_silence_the_call() -> None:
    session = holding()
    session.mark(75.0)
    session.pass_time(8.0)
    assert session.alerts() == ["EXIT_STUCK"]
    assert len(session.asked(ReadPosition)) == 1
    session.pass_time(30.0)
    assert session.alerts() == ["EXIT_STUCK"] * 2


def test_a_token_that_dies_in_a_trade_is_called_out_and_the_stop_stays() -> None:
    session = holding()
    session.meet(TokenRejected(detail="expired"))
    assert session.state.status == "NEEDS_TOKEN"
    session.meet(TokenRejected(detail="again"))
    assert session.alerts() == ["EXITS_WAIT"], "prices come as long as the open feed lives"
    session.mark(75.0)
    assert session.trade.exit_reason is ExitReason.PREMIUM_STOP
    assert finish(session).reason == ExitReason.PREMIUM_STOP


# --- a person's hand ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("left", [30, 60, 90])
def test_what_a_person_has_sold_is_not_sold_again(left: int) -> None:
    session = holding()
    session.mark(75.0)
    session.holds(left, 75.0)
    assert len(session.submitted) == 1, "the broker's positions may lag: it is asked twice"
    session.pass_time(2.0)
    session.holds(left, 75.0)
    assert session.order.ticket.quantity == left
    assert session.alerts() == ["EXTERNALLY_CLOSED"]
    session.acknowledge()
    session.fill(74.0)
    closed = session.closed
    assert (closed.quantity, closed.external_units, closed.reason) == (120, 120 - left, ExitReason.PREMIUM_STOP)
    assert closed.gross == left * 74_00 + (120 - left) * 75_00 - 120 * 100_00


@pytest.mark.parametrize("net", [0, -60])
def test_a_position_that_a_person_has_sold_is_closed_without_an_order(net: int) -> None:
    session = holding()
    session.mark(75.0)
    session.holds(net, 75.0)
    assert session.is_at(Stage.EXITING)
    session.pass_time(2.0)
    session.holds(net, 75.0)
    assert (session.closed.reason, session.closed.external_units) == (ExitReason.EXTERNALLY_CLOSED, 120)
    assert session.closed.gross == 120 * (75_00 - 100_00)
    assert len(session.submitted) == 1
    assert session.is_neutral


def test_positions_that_lag_behind_fills_are_not_believed_at_once() -> None:
    session = holding()
    session.meet(FlattenRequested(by="someone"))
    session.holds(0)
    session.pass_time(2.0)
    session.holds(120)
    assert session.order.ticket.quantity == 120
    session.report(session.order, OrderStatus.REJECTED)
    session.holds(60)
    assert session.order.phase == "REJECTED", "each shortage is doubted anew"
    session.pass_time(2.0)
    assert finish(session).external_units == 0


def test_two_words_in_one_moment_are_one() -> None:
    session = holding()
    session.holds(0)
    session.meet(FlattenRequested(by="someone"))
    session.holds(0)
    assert session.trade.open_units == 120
    session.pass_time(2.0)
    session.holds(120)
    assert session.order.ticket.quantity == 120


def test_what_a_person_holds_beside_ours_is_left_alone() -> None:
    session = holding()
    session.mark(75.0)
    session.holds(500, 75.0)
    assert session.order.ticket.quantity == 120


def test_an_estimate_without_a_mark_is_what_was_paid() -> None:
    session = holding()
    session.meet(FlattenRequested(by="someone"))
    session.holds(0, None)
    session.pass_time(2.0)
    session.holds(0, None)
    assert session.closed.gross == 0


def test_half_that_somebody_else_sold_is_noticed_while_the_rest_is_held_on() -> None:
    session = holding()
    half = session.trade.open_units // 2
    session.holds(half)
    assert session.trade.external.quantity == 0, "positions may lag behind fills: not believed at once"
    session.meet(
        PositionRead(instrument=session.trade.option.key, net=half, mark=OptionMark(), sold_elsewhere=111.5), after=4.0
    )
    assert session.is_at(Stage.IN_TRADE)
    assert session.trade.open_units == half
    assert session.trade.external == Fills(half, 11_150 * half)
    assert session.alerts() == ["EXTERNALLY_CLOSED"]
    session.mark(75.0)
    session.holds(half, 75.0)
    assert session.order.ticket.quantity == half


def test_all_that_somebody_else_sold_is_the_end_of_the_trade() -> None:
    session = holding()
    units = session.trade.open_units
    session.holds(0)
    session.meet(
        PositionRead(instrument=session.trade.option.key, net=0, mark=OptionMark(), sold_elsewhere=111.5), after=4.0
    )
    assert session.closed.reason == ExitReason.EXTERNALLY_CLOSED
    assert session.closed.external_units == units
    assert session.closed.exit_price == 111.5
    assert not [effect for effect in session.asked(SubmitOrder) if effect.purpose is Purpose.EXIT]


def test_answers_that_nobody_waits_for_do_nothing() -> None:
    session = holding()
    before = session.state
    session.holds(session.trade.open_units)
    session.meet(PositionRead(instrument=session.state.tracked[0], net=0, mark=OptionMark()))
    assert session.state == before
    session = leaving()
    before = session.state
    session.holds(0)
    assert session.state == before


def test_more_sold_than_held_is_told_and_halts() -> None:
    session = leaving()
    first = session.order
    session.meet(OutcomeNotKnown(id=first.id, detail=""))
    session.cancelled(0)
    session.holds(120, 75.0)
    session.acknowledge()
    session.report(first, OrderStatus.COMPLETE, 120)
    assert session.alerts()[-1] == "LATE_FILL"
    session.fill()
    assert "OVERSOLD" in session.alerts()
    assert session.state.halted is not None
    assert session.closed.quantity == 120
    assert session.is_neutral


def test_an_exit_that_was_not_sent_and_is_there_after_all_is_withdrawn() -> None:
    session = holding()
    session.mark(75.0)
    session.holds(120, 75.0)
    lost = session.order
    session.meet(OrderNotPlaced(id=lost.id, was_sent=False, detail="absent"))
    session.holds(120, 75.0)
    session.acknowledge()
    session.report(lost, OrderStatus.OPEN)
    (cancel,) = session.asked(CancelOrder)
    assert cancel.id == lost.id
    assert session.state.halted is not None
    session.pass_time(2.0)
    assert len(session.asked(CancelOrder)) == 2
    session.report(lost, OrderStatus.CANCELLED)
    session.fill()
    assert session.closed.reason == ExitReason.PREMIUM_STOP


def test_an_exit_that_turns_up_while_the_position_is_read_is_not_sold_against() -> None:
    session = holding()
    session.mark(75.0)
    session.holds(120, 75.0)
    lost = session.order
    session.meet(OrderNotPlaced(id=lost.id, was_sent=False, detail="absent"))
    assert session.trade.waits_for_position
    session.report(lost, OrderStatus.OPEN)
    session.holds(120, 75.0)
    assert len(session.submitted) == 2
    session.report(lost, OrderStatus.CANCELLED, 60, 75.0)
    session.holds(60, 75.0)
    assert session.order.ticket.quantity == 60


def test_a_stop_with_a_position_ends_when_it_is_flat() -> None:
    session = holding()
    session.meet(StopRequested(reason=StopReason.REQUESTED))
    assert (session.state.status, session.state.reason) == ("STOPPING", "requested")
    finish(session)
    assert (session.state.status, session.state.reason) == ("STOPPED", "requested")
    assert next_deadline(session.state) is None


def test_the_close_of_the_day_ends_a_position_too() -> None:
    session = begin(TradeRules(max_minutes_in_trade=1_000, square_off_minute=1_439))
    session.close()
    session.mark()
    session.fill()
    session.meet_at(session.state.day.closes_at + timedelta(seconds=10), DeadlinePassed())
    assert (session.state.status, session.trade.exit_reason) == ("STOPPING", ExitReason.FLATTEN)
    session.holds(0)
    session.pass_time(2.0)
    session.holds(0)
    assert (session.state.status, session.state.reason) == ("STOPPED", "day_over")
    assert session.closed.reason == ExitReason.EXTERNALLY_CLOSED


def test_funds_and_tally_are_those_of_the_account() -> None:
    session = begin(tally=Tally(realised=-500_00, trades=3))
    session.meet(FundsRead(available=7))
    assert (session.trading.funds, session.trading.tally.trades) == (7, 3)
    assert date(2026, 7, 14) == DAY


# --- without quotes, and after the close ---------------------------------------------------------------------------


def test_without_quotes_an_exit_is_never_offered_below_the_band_of_what_was_seen() -> None:
    session = holding()
    session.mark(90.0)
    session.meet(FlattenRequested(by="someone"))
    session.holds(120, None)
    session.acknowledge()
    offers = [session.order.limit]
    for _ in range(3):
        session.pass_time(4.0)
        offers.append(session.asked(ModifyOrder)[-1].terms.price)
    assert offers == [77.6, 76.0, 76.0, 76.0], "3 % below the stop, then 5 % and no more"


def test_after_the_close_nothing_is_offered_and_a_person_is_called() -> None:
    session = holding(TradeRules(max_minutes_in_trade=1_000, square_off_minute=925))
    session.meet_at(session.state.day.closes_at - timedelta(seconds=30), FlattenRequested(by="someone"))
    session.holds(120, None)
    session.report(session.order, OrderStatus.REJECTED)
    before = len(session.submitted)
    session.now = session.state.day.closes_at
    for _ in range(60):
        if session.trade.waits_for_position:
            session.holds(120, None)
        session.pass_time(60.0)
    assert len(session.submitted) == before
    assert len(session.asked(ReadPosition)) <= 65, "once a minute: the broker may square it off"
    assert session.state.status == "STOPPING"
    assert 3 <= session.alerts().count("EXIT_STUCK") <= 5
    session.holds(0, None)
    session.pass_time(60.0)
    session.holds(0, None)
    assert session.state.reason == "day_over"
    assert session.closed.reason == ExitReason.EXTERNALLY_CLOSED
