"""The life of an order: what the broker says of it from its request to its end, and who overtakes whom."""

from typing import Any

import pytest

from algoexec.domain.orders import OrderType, Product, Side, Validity
from algoexec.simulation.trading.checks import OrderRefused, Why
from algoexec.simulation.trading.commands import CancelAll, CancelOrder
from algoexec.simulation.trading.intervention import Intervention
from algoexec.simulation.trading.matching import MarketView
from algoexec.simulation.trading.orders import OrderRequest, Status
from tests.unit.simulation.trading.scripted import (
    ASHA,
    BALA,
    BUY,
    CALL,
    CLOSES,
    FUTURE,
    IOC,
    LATENCY,
    OPENS,
    PUT,
    SELL,
    Pit,
    limit,
    market,
    stop,
    view,
)
from tests.unit.simulation.trading.soundness import TRANSITIONS, assert_history

S = Status
ON_ITS_WAY = [S.RECEIVED, S.VALIDATING, S.OPEN_PENDING]
MODIFYING = [S.MODIFY_VALIDATING, S.MODIFY_PENDING]
QUIET = view(500, 100, bids=[(60, 99.9)], asks=[(60, 100.1)])


def slow(ms: int) -> Intervention:
    return Intervention(latency_ms=ms)


def refusal(pit: Pit, at: int, request: OrderRequest, user: str = ASHA) -> Why:
    with pytest.raises(OrderRefused) as refused:
        pit.place(at, request, user)
    return refused.value.why


def test_every_status_has_its_followers_and_only_ends_have_none() -> None:
    assert set(TRANSITIONS) | {S.NOT_CANCELLED} == set(Status)
    assert {status for status, following in TRANSITIONS.items() if not following} == {
        status for status in Status if status.is_terminal
    }


# --- arriving, resting, ending ------------------------------------------------------------------------------------


def test_an_order_is_at_the_exchange_only_after_its_way_there() -> None:
    pit = Pit(QUIET)
    order = pit.place(2_000, limit(BUY, 60, 100.1))

    pit.until(2_000 + LATENCY - 1)
    assert pit.statuses(order) == ON_ITS_WAY
    assert pit.order(order).exchange_id is None

    pit.until(2_000 + LATENCY)
    assert pit.statuses(order) == [*ON_ITS_WAY, S.OPEN, S.COMPLETE]
    assert pit.fills(order) == [(2_010, 60, 100.1)]
    assert (pit.order(order).exchange_at, pit.order(order).average_price) == (2_010, 100.1)


def test_it_meets_the_market_as_it_stands_when_it_arrives() -> None:
    pit = Pit(QUIET, view(2_010, 101, asks=[(60, 101)], traded=30), view(2_011, 100, asks=[(60, 100)], traded=30))
    order = pit.place(2_000, limit(BUY, 60, 100.5))

    pit.until(2_010)
    assert pit.fills(order) == []
    pit.until(2_011)
    assert pit.fills(order) == [(2_011, 60, 100.5)]


def test_a_partly_filled_order_is_open() -> None:
    pit = Pit(QUIET)
    order = pit.place(2_000, limit(BUY, 90, 100.1))
    pit.until(3_000)

    assert pit.statuses(order) == [*ON_ITS_WAY, S.OPEN, S.OPEN]
    assert (pit.order(order).filled, pit.order(order).remaining) == (60, 30)


def test_two_users_fill_each_other_where_the_book_is_empty() -> None:
    pit = Pit(view(500, 100))
    bought = pit.place(2_000, limit(BUY, 60, 100.05))
    sold = pit.place(2_100, limit(SELL, 90, 99.95), BALA)
    pit.until(3_000)

    assert pit.fills(bought) == [(2_110, 60, 100.05)]
    assert pit.fills(sold) == [(2_110, 60, 100.05)]
    assert (pit.net(), pit.net(user=BALA)) == (60, -60)
    assert pit.cash(3_000) + pit.cash(3_000, BALA) == sum(a.opening for a in pit.books.accounts.values())
    assert pit.order(sold).status is S.OPEN


@pytest.mark.parametrize(
    ("asks", "filled"), [((), 0), (((30, 100.1),), 30), (((30, 100.1), (300, 100.15)), 30), (((90, 100),), 60)]
)
def test_ioc_takes_what_is_there_and_never_rests(asks: tuple[tuple[int, float], ...], filled: int) -> None:
    seen = view(500, 100, asks=asks)
    pit = Pit(seen, view(3_000, 90, asks=[(600, 90)], traded=600))
    order = pit.place(2_000, limit(BUY, 60, 100.1, validity=IOC))
    pit.until(4_000)

    assert pit.order(order).filled == filled
    assert pit.order(order).status is (S.COMPLETE if filled == 60 else S.CANCELLED)
    assert pit.order(order).updated_at == 2_010


def test_a_protected_market_order_rests_at_the_edge_of_its_protection() -> None:
    pit = Pit(view(500, 100, asks=[(30, 101), (30, 104.9), (60, 105.1)]), view(3_000, 106, asks=[(60, 105)]))
    order = pit.place(2_000, market(BUY, 90))
    pit.until(2_500)

    assert pit.order(order).limit == 105
    assert pit.fills(order) == [(2_010, 30, 101), (2_010, 30, 104.9)]
    assert pit.order(order).status is S.OPEN

    pit.until(3_000)
    assert pit.fills(order)[-1] == (3_000, 30, 105)


# --- stops --------------------------------------------------------------------------------------------------------


def test_a_stop_waits_for_its_price_and_is_a_limit_order_then() -> None:
    pit = Pit(
        QUIET,
        view(3_000, 101.95, asks=[(30, 102)], traded=30),
        view(4_000, 102, asks=[(30, 102.5), (30, 104)], traded=30),
        view(5_000, 103, asks=[(30, 102.9)], traded=30),
    )
    order = pit.place(2_000, stop(BUY, 60, 102, 103))

    pit.until(3_999)
    assert pit.statuses(order) == [*ON_ITS_WAY, S.TRIGGER_PENDING]
    pit.until(4_000)
    assert pit.statuses(order) == [*ON_ITS_WAY, S.TRIGGER_PENDING, S.OPEN, S.OPEN]
    assert pit.fills(order) == [(4_000, 30, 102.5)]
    pit.until(5_000)
    assert pit.fills(order)[1:] == [(5_000, 30, 103)]
    assert pit.order(order).status is S.COMPLETE


def test_a_stop_whose_price_is_past_acts_on_arrival() -> None:
    pit = Pit(QUIET)
    order = pit.place(2_000, stop(SELL, 30, 100, 99))
    pit.until(2_010)

    assert pit.statuses(order) == [*ON_ITS_WAY, S.TRIGGER_PENDING, S.OPEN, S.COMPLETE]
    assert pit.fills(order) == [(2_010, 30, 99.9)]


def test_a_stop_without_a_limit_is_protected_from_its_trigger_price_on() -> None:
    pit = Pit(view(500, 50_000), view(3_000, 50_100, asks=[(30, 50_350), (30, 50_351)], traded=30), contract=FUTURE)
    request = OrderRequest(
        instrument=FUTURE.key,
        side=BUY,
        quantity=60,
        type=OrderType.SL_M,
        trigger_price=50_100,
        market_protection=-1,
    )
    order = pit.place(2_000, request)
    pit.until(3_000)

    assert pit.order(order).limit == 50_350.4
    assert pit.fills(order) == [(3_000, 30, 50_350)]


def test_a_triggered_stop_stays_triggered_whatever_its_new_trigger() -> None:
    pit = Pit(QUIET, view(3_000, 102, asks=[(30, 110)], traded=30), view(5_000, 101, asks=[(30, 103)]))
    order = pit.place(2_000, stop(BUY, 30, 102, 102.5))
    pit.until(3_500)
    pit.modify(4_000, order, trigger_price=103, price=103)
    pit.until(5_000)

    assert S.TRIGGER_PENDING not in pit.statuses(order)[5:]
    assert pit.order(order).status is S.COMPLETE


def test_a_waiting_stop_that_is_modified_waits_for_the_new_price() -> None:
    pit = Pit(QUIET, view(3_000, 102, asks=[(30, 102)], traded=30), view(5_000, 103, asks=[(30, 103)], traded=30))
    order = pit.place(2_000, stop(BUY, 30, 102, 104))
    pit.modify(2_500, order, trigger_price=103)
    pit.until(4_000)

    assert pit.statuses(order)[4:] == [*MODIFYING, S.MODIFIED, S.TRIGGER_PENDING]
    pit.until(5_000)
    assert pit.fills(order) == [(5_000, 30, 103)]


# --- after-market orders ------------------------------------------------------------------------------------------


def test_an_after_market_order_is_checked_and_sent_when_the_market_opens() -> None:
    pit = Pit(QUIET)
    good = pit.place(600, limit(BUY, 30, 100.1, is_amo=True))
    odd = pit.place(610, limit(BUY, 31, 100.1, is_amo=True))
    at_market = pit.place(620, market(SELL, 30, is_amo=True))
    pit.until(OPENS - 1)
    assert pit.statuses(good) == pit.statuses(odd) == [S.RECEIVED, S.AMO_RECEIVED]

    pit.until(OPENS + LATENCY)
    sent = [S.RECEIVED, S.AMO_RECEIVED, S.VALIDATING]
    assert pit.statuses(good) == [*sent, S.OPEN_PENDING, S.OPEN, S.COMPLETE]
    assert pit.statuses(odd) == [*sent, S.REJECTED]
    assert pit.fills(at_market) == [(OPENS + LATENCY, 30, 99.9)]


def test_an_after_market_order_can_be_changed_and_withdrawn_at_once() -> None:
    pit = Pit(QUIET)
    order = pit.place(600, limit(BUY, 30, 99, is_amo=True))
    pit.modify(610, order, price=98, quantity=60)
    assert (pit.order(order).request.price, pit.order(order).request.quantity) == (98, 60)
    pit.cancel(620, order)
    pit.until(CLOSES)

    assert pit.statuses(order) == [S.RECEIVED, S.AMO_RECEIVED, S.AMO_MODIFIED, S.AMO_CANCELLED]


@pytest.mark.parametrize(
    ("at", "is_amo", "why"),
    [
        (OPENS - 1, False, Why.MARKET_CLOSED),
        (OPENS - 1, True, None),
        (OPENS, False, None),
        (CLOSES - 1, False, None),
        (CLOSES, False, Why.MARKET_CLOSED),
        (CLOSES, True, None),
    ],
)
def test_hours(at: int, is_amo: bool, why: Why | None) -> None:
    pit = Pit(QUIET)
    request = limit(BUY, 30, 99, is_amo=is_amo)
    if why is None:
        pit.place(at, request)
    else:
        assert refusal(pit, at, request) is why
        assert pit.books.orders(ASHA) == []


def test_an_after_market_order_in_an_open_market_is_refused() -> None:
    pit = Pit(QUIET)

    refusal(pit, OPENS, limit(BUY, 30, 99, is_amo=True))
    assert pit.books.orders(ASHA) == []


# --- cancelling ---------------------------------------------------------------------------------------------------


def test_a_cancelled_order_is_out_when_the_cancellation_arrives() -> None:
    pit = Pit(QUIET, view(3_000, 98, traded=60))
    order = pit.place(2_000, limit(BUY, 60, 99))
    pit.cancel(2_100, order)
    assert pit.order(order).status is S.CANCEL_PENDING
    pit.until(4_000)

    assert pit.statuses(order) == [*ON_ITS_WAY, S.OPEN, S.CANCEL_PENDING, S.CANCELLED]
    assert pit.fills(order) == []


@pytest.mark.parametrize(("traded", "status"), [(60, S.COMPLETE), (30, S.CANCELLED)])
def test_a_fill_may_come_between_the_request_to_cancel_and_its_arrival(traded: int, status: Status) -> None:
    pit = Pit(QUIET, view(2_105, 98, traded=traded), view(3_000, 98, traded=600))
    order = pit.place(2_000, limit(BUY, 60, 99))
    pit.cancel(2_100, order)
    pit.until(4_000)

    assert pit.order(order).filled == traded
    assert pit.order(order).status is status
    assert_history(pit.books.history(order))


def test_a_fill_at_the_moment_of_arrival_is_the_order_s() -> None:
    pit = Pit(QUIET, view(2_110, 98, traded=60))
    order = pit.place(2_000, limit(BUY, 60, 99))
    pit.cancel(2_100, order)
    pit.until(4_000)

    assert pit.statuses(order)[-2:] == [S.CANCEL_PENDING, S.COMPLETE]


def test_a_cancellation_that_overtakes_its_order_ends_it_before_the_exchange_has_it() -> None:
    pit = Pit(QUIET)
    order = pit.place(2_000, limit(BUY, 60, 101), intervention=slow(500))
    pit.cancel(2_100, order)
    pit.until(4_000)

    assert pit.statuses(order) == [*ON_ITS_WAY, S.CANCEL_PENDING, S.CANCELLED]
    assert pit.order(order).exchange_id is None


def test_an_order_that_arrives_before_its_slow_cancellation_trades() -> None:
    pit = Pit(QUIET)
    order = pit.place(2_000, limit(BUY, 90, 100.1), intervention=slow(500))
    pit.cancel(2_100, order, intervention=slow(1_000))
    pit.until(4_000)

    assert pit.statuses(order) == [*ON_ITS_WAY, S.CANCEL_PENDING, S.OPEN, S.OPEN, S.CANCELLED]
    assert pit.order(order).filled == 60


def test_of_two_cancellations_the_second_finds_nothing_to_do() -> None:
    pit = Pit(QUIET)
    order = pit.place(2_000, limit(BUY, 60, 99))
    pit.cancel(2_100, order)
    pit.cancel(2_105, order)
    pit.until(2_200)

    assert pit.statuses(order)[-3:] == [S.CANCEL_PENDING, S.CANCEL_PENDING, S.CANCELLED]
    with pytest.raises(OrderRefused) as refused:
        pit.cancel(2_300, order)
    assert refused.value.why is Why.ORDER_FINISHED


def test_a_cancellation_may_find_the_order_filled_at_its_own_limit() -> None:
    pit = Pit(QUIET)
    order = pit.place(2_000, limit(BUY, 60, 99))
    pit.until(2_100)
    with pytest.raises(OrderRefused) as refused:
        pit.cancel(2_200, order, intervention=Intervention(fills_before_cancel=True))

    assert refused.value.why is Why.ORDER_FINISHED
    assert pit.fills(order) == [(2_200, 60, 99)]
    pit.until(4_000)
    assert pit.statuses(order) == [*ON_ITS_WAY, S.OPEN, S.COMPLETE]


def test_an_order_that_the_exchange_does_not_have_cannot_be_filled_before_its_cancellation() -> None:
    pit = Pit(QUIET)
    order = pit.place(2_000, limit(BUY, 60, 99))
    pit.cancel(2_005, order, intervention=Intervention(fills_before_cancel=True))
    pit.until(3_000)

    assert pit.order(order).status is S.CANCELLED
    assert pit.fills(order) == []


def test_orders_of_others_are_unknown() -> None:
    pit = Pit(QUIET)
    order = pit.place(2_000, limit(BUY, 60, 99))

    for command in (CancelOrder(at=2_100, user=BALA, order_id=order), CancelOrder(at=2_100, user=ASHA, order_id="9")):
        with pytest.raises(OrderRefused) as refused:
            pit.do(command)
        assert refused.value.why is Why.NO_SUCH_ORDER
    with pytest.raises(OrderRefused):
        pit.modify(2_100, order, user=BALA, price=98)
    assert pit.statuses(order) == [*ON_ITS_WAY, S.OPEN]


def test_all_orders_with_a_tag_are_cancelled_and_no_others() -> None:
    pit = Pit(QUIET)
    tagged = [pit.place(2_000, limit(BUY, 30, 90, tag="x")), pit.place(2_000, stop(BUY, 30, 105, 106, tag="x"))]
    others = [pit.place(2_000, limit(BUY, 30, 90)), pit.place(2_000, limit(BUY, 30, 90, tag="x"), BALA)]

    assert pit.do(CancelAll(at=2_100, user=ASHA, tag="x")) == tuple(tagged)
    pit.until(2_200)

    assert {pit.order(order).status for order in tagged} == {S.CANCELLED}
    assert {pit.order(order).status for order in others} == {S.OPEN}
    with pytest.raises(OrderRefused) as refused:
        pit.do(CancelAll(at=2_300, user=ASHA, tag="x"))
    assert refused.value.why is Why.NOTHING_OPEN


# --- modifying ----------------------------------------------------------------------------------------------------

THROUGH = view(5_000, 98, traded=60)


def first_of_two(changes: dict[str, Any]) -> int:
    """Return what an order got that was first at its price, and then changed."""
    pit = Pit(view(500, 100), THROUGH)
    first = pit.place(2_000, limit(BUY, 60, 99))
    pit.place(2_100, limit(BUY, 60, 99), BALA)
    pit.modify(3_000, first, **changes)
    pit.until(4_000)
    assert pit.statuses(first)[4:] == [*MODIFYING, S.MODIFIED, S.OPEN]
    pit.until(6_000)
    return pit.order(first).filled


@pytest.mark.parametrize(
    ("changes", "filled"),
    [
        ({}, 60),
        ({"quantity": 30}, 30),
        ({"quantity": 60}, 60),
        ({"quantity": 90}, 0),
        ({"price": 99.05}, 60),
        ({"price": 98.95}, 0),
        ({"quantity": 30, "price": 98.95}, 0),
    ],
)
def test_only_asking_for_less_at_the_same_price_keeps_the_place(changes: dict[str, Any], filled: int) -> None:
    assert first_of_two(changes) == filled


def test_going_away_and_coming_back_loses_the_place() -> None:
    pit = Pit(view(500, 100), THROUGH)
    first = pit.place(2_000, limit(BUY, 60, 99))
    second = pit.place(2_100, limit(BUY, 60, 99), BALA)
    pit.modify(3_000, first, price=98)
    pit.modify(3_100, first, price=99)
    pit.until(6_000)

    assert (pit.order(first).filled, pit.order(second).filled) == (0, 60)


def test_the_queue_is_kept_by_less_and_joined_anew_by_more() -> None:
    def filled(quantity: int) -> int:
        pit = Pit(
            view(500, 100, bids=[(60, 99)]),
            view(3_000, 99, bids=[(60, 99)], traded=60),
            view(5_000, 99, traded=30),
        )
        order = pit.place(2_000, limit(BUY, 60, 99))
        pit.modify(4_000, order, quantity=quantity)
        pit.until(6_000)
        return pit.order(order).filled

    assert (filled(30), filled(90)) == (30, 0)


def test_a_modified_order_that_crosses_trades_at_what_it_finds() -> None:
    pit = Pit(QUIET)
    order = pit.place(2_000, limit(BUY, 30, 99))
    pit.modify(3_000, order, price=105)
    pit.until(4_000)

    assert pit.fills(order) == [(3_010, 30, 100.1)]
    assert pit.statuses(order)[4:] == [*MODIFYING, S.MODIFIED, S.OPEN, S.COMPLETE]


def test_a_protected_market_order_that_asks_for_less_keeps_its_limit() -> None:
    pit = Pit(view(500, 100), view(3_000, 120, traded=30), view(5_000, 104, asks=[(90, 104)], traded=30))
    order = pit.place(2_000, market(BUY, 90))
    pit.modify(4_000, order, quantity=60)
    pit.until(4_500)
    assert pit.order(order).limit == 105

    pit.until(6_000)
    assert pit.fills(order) == [(5_000, 60, 105)]


def test_a_fill_may_come_between_the_request_to_modify_and_its_arrival() -> None:
    pit = Pit(QUIET, view(3_005, 98, traded=60))
    order = pit.place(2_000, limit(BUY, 90, 99))
    pit.modify(3_000, order, quantity=60)
    pit.until(4_000)

    assert pit.statuses(order)[4:] == [*MODIFYING, S.OPEN, S.NOT_MODIFIED, S.OPEN]
    assert (pit.order(order).request.quantity, pit.order(order).filled) == (90, 60)
    assert pit.order(order).message is None
    assert pit.books.history(order)[-2].message == "RMS:Rule: filled beyond the new quantity"


def test_a_modification_that_finds_the_order_complete_does_nothing() -> None:
    pit = Pit(QUIET, view(3_005, 98, traded=90))
    order = pit.place(2_000, limit(BUY, 90, 99))
    pit.modify(3_000, order, price=98)
    pit.until(4_000)

    assert pit.statuses(order)[4:] == [*MODIFYING, S.COMPLETE]
    assert pit.order(order).request.price == 99


def test_a_partly_filled_order_is_modified_in_what_is_left() -> None:
    pit = Pit(QUIET, view(4_000, 97, traded=300))
    order = pit.place(2_000, limit(BUY, 120, 100.1))
    pit.until(3_000)
    for quantity in (30, 60):
        with pytest.raises(OrderRefused):
            pit.modify(3_000, order, quantity=quantity)
    pit.modify(3_000, order, quantity=90, price=98)
    pit.until(5_000)

    assert pit.fills(order) == [(2_010, 60, 100.1), (4_000, 30, 98)]
    assert pit.order(order).status is S.COMPLETE


def test_a_modification_that_overtakes_its_order_is_what_arrives() -> None:
    pit = Pit(QUIET)
    order = pit.place(2_000, limit(BUY, 30, 105), intervention=slow(500))
    pit.modify(2_100, order, price=99)
    pit.until(3_000)

    assert pit.statuses(order) == [*ON_ITS_WAY, *MODIFYING, S.MODIFIED, S.OPEN_PENDING, S.OPEN]
    assert (pit.order(order).limit, pit.fills(order)) == (99, [])


def test_a_cancellation_overtakes_a_slow_modification() -> None:
    pit = Pit(QUIET)
    order = pit.place(2_000, limit(BUY, 30, 99))
    pit.modify(2_100, order, price=105, intervention=slow(500))
    pit.cancel(2_200, order)
    pit.until(3_000)

    assert pit.statuses(order)[4:] == [*MODIFYING, S.CANCEL_PENDING, S.CANCELLED]


@pytest.mark.parametrize(
    ("changes", "intervention"),
    [
        ({"price": 99.01}, Intervention()),
        ({"price": 98}, Intervention(reject="RMS:no")),
        ({"quantity": 630}, Intervention()),
        ({"quantity": 45}, Intervention()),
    ],
)
def test_an_order_that_is_not_modified_stands_as_it_did(changes: dict[str, Any], intervention: Intervention) -> None:
    pit = Pit(QUIET, THROUGH)
    order = pit.place(2_000, limit(BUY, 60, 99))
    pit.place(2_100, limit(BUY, 60, 99), BALA)
    pit.until(2_200)
    request = pit.order(order).request
    pit.modify(3_000, order, intervention=intervention, **changes)
    pit.until(4_000)

    assert pit.statuses(order)[4:] == [*MODIFYING, S.NOT_MODIFIED, S.OPEN]
    assert pit.order(order).request == request
    assert pit.books.history(order)[-2].message
    pit.until(5_000)
    assert pit.order(order).filled == 60, "it has kept its place"


def test_a_day_order_that_becomes_ioc_ends_with_what_it_finds() -> None:
    pit = Pit(QUIET)
    order = pit.place(2_000, limit(BUY, 90, 99))
    pit.modify(3_000, order, price=100.1, validity=IOC)
    pit.until(4_000)

    assert (pit.order(order).filled, pit.order(order).status) == (60, S.CANCELLED)


def test_senseless_changes_and_changes_of_the_finished_are_refused_at_once() -> None:
    pit = Pit(QUIET)
    order = pit.place(2_000, limit(BUY, 60, 99))
    senseless: list[dict[str, Any]] = [{"price": 0}, {"trigger_price": 98}, {"quantity": 0}, {"disclosed_quantity": 90}]
    for changes in senseless:
        with pytest.raises(OrderRefused) as refused:
            pit.modify(2_100, order, **changes)
        assert refused.value.why is Why.INVALID
    pit.cancel(2_200, order)
    pit.until(2_300)
    with pytest.raises(OrderRefused) as refused:
        pit.modify(2_400, order, price=98)

    assert refused.value.why is Why.ORDER_FINISHED
    assert pit.statuses(order) == [*ON_ITS_WAY, S.OPEN, S.CANCEL_PENDING, S.CANCELLED]


def test_a_limit_order_can_become_a_stop_and_a_market_order() -> None:
    pit = Pit(QUIET)
    order = pit.place(2_000, limit(BUY, 30, 99))
    pit.modify(2_100, order, type=OrderType.SL, trigger_price=101, price=102)
    pit.until(2_200)
    assert pit.order(order).status is S.TRIGGER_PENDING
    pit.modify(2_300, order, type=OrderType.MARKET, trigger_price=0, price=0, market_protection=-1.0)
    pit.until(2_400)

    assert pit.fills(order) == [(2_310, 30, 100.1)]


# --- interventions ------------------------------------------------------------------------------------------------


def test_an_order_is_rejected_with_the_text_that_was_asked_for() -> None:
    pit = Pit(QUIET)
    order = pit.place(2_000, limit(BUY, 60, 100.1), intervention=Intervention(reject="RMS:Blocked"))
    pit.until(3_000)

    assert pit.statuses(order) == [S.RECEIVED, S.VALIDATING, S.REJECTED]
    assert pit.order(order).message == "RMS:Blocked"


STUCK = view(500, 100, asks=[(600, 100)])


def stuck(at_most: int = 60) -> tuple[Pit, str]:
    pit = Pit(STUCK, view(5_000, 95, asks=[(600, 95)], traded=600))
    order = pit.place(2_000, limit(BUY, 120, 100), intervention=Intervention(fill_at_most=at_most))
    pit.until(3_000)
    return pit, order


@pytest.mark.parametrize("at_most", [0, 30, 90])
def test_a_stuck_order_stands_whatever_the_market_does(at_most: int) -> None:
    pit, order = stuck(at_most)
    pit.until(6_000)

    assert (pit.order(order).filled, pit.order(order).status) == (at_most, S.OPEN)
    pit.until(CLOSES)
    assert pit.order(order).status is S.CANCELLED


def test_a_stuck_order_stays_stuck_when_it_is_modified_and_can_be_cancelled() -> None:
    pit, order = stuck()
    pit.modify(3_000, order, price=101)
    pit.modify(3_100, order, quantity=90)
    pit.modify(3_200, order, quantity=180)
    pit.until(6_000)
    assert (pit.order(order).filled, pit.order(order).status) == (60, S.OPEN)
    pit.cancel(6_100, order)
    pit.until(6_200)

    assert (pit.order(order).filled, pit.order(order).status) == (60, S.CANCELLED)


@pytest.mark.parametrize(("quantity", "filled"), [(120, 90), (90, 90), (60, 60), (30, 30)])
def test_what_a_stuck_order_may_still_get_is_not_lessened_by_asking_for_less(quantity: int, filled: int) -> None:
    pit = Pit(view(500, 100), view(5_000, 95, traded=600))
    order = pit.place(2_000, limit(BUY, 150, 99), intervention=Intervention(fill_at_most=90))
    pit.modify(3_000, order, quantity=quantity)
    pit.until(6_000)

    assert pit.order(order).filled == filled


def test_an_ioc_order_that_is_filled_in_part_ends() -> None:
    pit = Pit(STUCK)
    order = pit.place(2_000, limit(BUY, 90, 100, validity=IOC), intervention=Intervention(fill_at_most=30))
    pit.until(3_000)

    assert (pit.order(order).filled, pit.order(order).status) == (30, S.CANCELLED)


def test_latency_decides_who_is_first() -> None:
    pit = Pit(view(500, 100, asks=[(30, 100)]))
    late = pit.place(2_000, limit(BUY, 30, 100), intervention=slow(30))
    early = pit.place(2_005, limit(BUY, 30, 100), BALA)
    pit.until(3_000)

    assert (pit.order(late).filled, pit.order(early).filled) == (0, 30)


# --- what belongs together ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("side", Side)
@pytest.mark.parametrize("validity", Validity)
def test_listeners_hear_every_state_once_in_order(side: Side, validity: Validity) -> None:
    pit = Pit(QUIET, view(3_000, 100, traded=60))
    heard: list[Any] = []
    pit.books.listeners.append(heard.append)
    price = 100.1 if side is BUY else 99.9
    order = pit.place(2_000, limit(side, 90, price, validity=validity))
    pit.until(CLOSES)

    states = [update for update in heard if getattr(update, "id", None) == order]
    assert states == pit.books.history(order)
    assert pit.order(order).request.product is Product.INTRADAY


def test_instruments_do_not_touch_each_other() -> None:
    pit = Pit(QUIET, also={PUT.key: (view(2_500, 50, asks=[(60, 50)], traded=30),)})
    call = pit.place(2_000, limit(BUY, 30, 99, CALL))
    put = pit.place(2_000, limit(BUY, 30, 50, PUT))
    pit.until(3_000)

    assert (pit.order(call).filled, pit.fills(put)) == (0, [(2_500, 30, 50)])


def test_trades_of_a_moment_are_booked_in_order_of_time_over_all_instruments() -> None:
    views: tuple[MarketView, ...] = (view(3_000, 90, traded=30), view(3_002, 90, traded=30))
    pit = Pit(*views, also={PUT.key: (view(3_001, 40, traded=30),)})
    pit.place(2_000, limit(BUY, 60, 99, CALL))
    pit.place(2_000, limit(BUY, 60, 50, PUT))
    pit.until(5_000)

    assert [(trade.id, trade.at) for trade in pit.account().trades] == [
        ("000000001", 3_000),
        ("000000002", 3_001),
        ("000000003", 3_002),
    ]
