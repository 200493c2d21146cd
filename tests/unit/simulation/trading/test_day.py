"""What the day itself does: the open, the square-off, the close, the expiry; and exits that are asked for."""

import pytest

from algoexec.domain.instruments import Option
from algoexec.domain.orders import Product, Side
from algoexec.simulation.trading.checks import Contract, OrderRefused, Why
from algoexec.simulation.trading.commands import ConvertPosition, ExitAll
from algoexec.simulation.trading.floor import BROKER, settlement_price
from algoexec.simulation.trading.intervention import Intervention
from algoexec.simulation.trading.orders import Status
from tests.unit.simulation.trading.scripted import (
    ASHA,
    BALA,
    BUY,
    CALL,
    CLOSES,
    DUE_CALL,
    DUE_FUTURE,
    DUE_PUT,
    FREEZE,
    FUTURE,
    FUTURE_BAND,
    LATENCY,
    PUT,
    RULES,
    SELL,
    SQUARES_OFF,
    Pit,
    limit,
    view,
)
from tests.unit.simulation.trading.soundness import assert_sound

DELIVERY = Product.DELIVERY
SEEN = view(500, 100, bids=[(900, 99.9)], asks=[(900, 100)])
CLOSED = SQUARES_OFF + LATENCY


# --- square-off ---------------------------------------------------------------------------------------------------


def test_the_broker_closes_what_is_intraday_and_counts_it() -> None:
    pit = Pit(SEEN)
    pit.place(2_000, limit(BUY, 60, 100))
    pit.place(2_000, limit(SELL, 30, 99.9), BALA)
    pit.until(CLOSED - 1)
    assert (pit.net(), pit.net(user=BALA)) == (60, -30)

    pit.until(CLOSED)
    assert (pit.net(), pit.net(user=BALA)) == (0, 0)
    assert (pit.account().squared_off, pit.account(BALA).squared_off) == (1, 1)
    exit_order = pit.books.orders(ASHA)[-1]
    assert (exit_order.request.placed_by, exit_order.placed_at) == (BROKER, SQUARES_OFF)
    assert (exit_order.request.side, exit_order.request.quantity) == (SELL, 60)
    assert pit.fills(exit_order.id) == [(CLOSED, 60, 99.9)]


def test_what_is_carried_over_is_left_alone() -> None:
    pit = Pit(SEEN)
    pit.place(2_000, limit(BUY, 60, 100, product=DELIVERY))
    waiting = pit.place(2_100, limit(BUY, 30, 90, product=DELIVERY))
    pit.until(CLOSES - 1)

    assert pit.net(product=DELIVERY) == 60
    assert pit.order(waiting).status is Status.OPEN
    assert pit.account().squared_off == 0


def test_intraday_orders_are_cancelled_wherever_they_are() -> None:
    pit = Pit(SEEN)
    resting = pit.place(2_000, limit(BUY, 30, 90))
    modified = pit.place(2_000, limit(BUY, 30, 90))
    under_way = pit.place(SQUARES_OFF - 5, limit(BUY, 30, 100))
    pit.modify(SQUARES_OFF - 5, modified, price=100)
    pit.until(CLOSES)

    for order in (resting, modified, under_way):
        assert pit.order(order).status is Status.CANCELLED
        assert pit.order(order).updated_at == SQUARES_OFF
        assert pit.order(order).message == "RMS:Auto square off: intraday orders are cancelled"
        assert pit.fills(order) == []
    assert pit.account().squared_off == 0


def test_an_order_that_arrives_at_the_last_moment_is_squared_off_too() -> None:
    pit = Pit(SEEN)
    order = pit.place(SQUARES_OFF - LATENCY, limit(BUY, 30, 100))
    pit.until(CLOSED)

    # The square-off was on the agenda first: an order due at the same moment is too late.
    assert pit.order(order).status is Status.CANCELLED
    assert pit.net() == 0


def test_shorts_are_bought_back_before_their_cover_is_sold() -> None:
    pit = Pit(SEEN, also={PUT.key: (SEEN,)})
    pit.place(2_000, limit(BUY, 30, 100, CALL))
    pit.place(2_100, limit(SELL, 30, 99.9, PUT))
    pit.until(CLOSED)

    exits = pit.books.orders(ASHA)[2:]
    assert [(order.request.side, order.request.instrument) for order in exits] == [(BUY, PUT.key), (SELL, CALL.key)]
    assert pit.account().squared_off == 2


def test_a_position_of_any_size_is_squared_off_in_parts_of_the_freeze_quantity() -> None:
    deep = view(500, 1, bids=[(90_000, 0.95)], asks=[(90_000, 1)])
    pit = Pit(deep)
    for at in (2_000, 2_100):
        pit.place(at, limit(BUY, 25 * FREEZE, 1, slice=True))
    pit.place(2_200, limit(BUY, 30, 1))
    pit.until(CLOSED)

    assert pit.account().squared_off == 51
    assert pit.net() == 0


def test_a_converted_position_is_no_longer_intraday() -> None:
    pit = Pit(SEEN)
    pit.place(2_000, limit(BUY, 60, 100))
    pit.until(3_000)
    pit.do(ConvertPosition(at=3_000, user=ASHA, instrument=CALL.key, old=Product.INTRADAY, new=DELIVERY, quantity=30))
    pit.until(CLOSED)

    assert (pit.net(), pit.net(product=DELIVERY)) == (0, 30)


def test_a_square_off_that_finds_nobody_leaves_the_position() -> None:
    pit = Pit(SEEN, view(3_000, 100))
    pit.place(2_000, limit(BUY, 30, 100))
    pit.until(CLOSES)

    assert pit.net() == 30
    assert pit.books.orders(ASHA)[-1].status is Status.CANCELLED


# --- the close ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("at", [2_000, CLOSES - LATENCY, CLOSES - 1])
def test_the_close_ends_every_order(at: int) -> None:
    pit = Pit(SEEN, view(9_995, 80, asks=[(900, 80)], traded=0))
    order = pit.place(at, limit(BUY, 30, 50, product=DELIVERY))
    pit.until(CLOSES)

    assert pit.order(order).status is Status.CANCELLED
    assert pit.order(order).updated_at == CLOSES
    assert pit.order(order).message == "EXCHANGE: the market has closed"


def test_after_the_close_nothing_is_filled() -> None:
    pit = Pit(SEEN, view(CLOSES + 1, 80, asks=[(900, 80)], traded=900))
    pit.place(2_000, limit(BUY, 30, 90, product=DELIVERY))
    pit.until(CLOSES + 100)

    assert pit.account().trades == []


# --- expiry -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("contract", "spot", "worth"),
    [
        (DUE_CALL, 50_000.0, 100.0),
        (DUE_CALL, 49_900.0, 0.0),
        (DUE_CALL, 49_900.05, 0.05),
        (DUE_CALL, 40_000.0, 0.0),
        (DUE_PUT, 50_000.0, 0.0),
        (DUE_PUT, 49_800.25, 99.75),
        (DUE_FUTURE, 50_123.45, 50_123.45),
    ],
)
def test_what_an_expired_contract_is_worth(contract: Contract, spot: float, worth: float) -> None:
    assert settlement_price(contract, spot) == worth


@pytest.mark.parametrize("side", Side)
@pytest.mark.parametrize(("contract", "price"), [(DUE_CALL, 40), (DUE_PUT, 40), (DUE_FUTURE, 50_010)])
@pytest.mark.parametrize("ends", [49_850.5, 50_200.0])
def test_expiry_settles_long_and_short_in_cash(contract: Contract, price: float, ends: float, side: Side) -> None:
    seen = view(500, price, bids=[(900, price)], asks=[(900, price)])
    pit = Pit(seen, contract=contract, spots=((0, 50_000.0), (CLOSES - 500, ends)))
    opening = pit.account().opening
    pit.place(2_000, limit(side, 60, price, contract, product=DELIVERY))
    pit.until(CLOSES - 1)
    assert pit.net(contract, DELIVERY) == 60 * side.sign

    pit.until(CLOSES)
    worth = settlement_price(contract, ends)
    assert pit.net(contract, DELIVERY) == 0
    assert pit.cash(CLOSES) == opening + round(side.sign * 60 * 100 * (worth - price))
    assert pit.account().position(contract.key, DELIVERY).realised == pit.cash(CLOSES) - opening
    # Only the holder of an option exercises.
    exercised = 60 * worth * 100 if isinstance(contract, Option) and side is BUY else 0
    assert pit.account().exercised == round(exercised)
    assert_sound(pit.floor, pit.market, RULES, CLOSES)


def test_what_expires_later_is_carried_over() -> None:
    pit = Pit(SEEN)
    pit.place(2_000, limit(BUY, 60, 100, product=DELIVERY))
    pit.until(CLOSES)

    assert pit.net(product=DELIVERY) == 60
    assert pit.account().exercised == 0


# --- exits that are asked for -------------------------------------------------------------------------------------


def test_exit_all_closes_everything_shorts_first() -> None:
    pit = Pit(SEEN, also={PUT.key: (SEEN,)})
    pit.place(2_000, limit(BUY, 30, 100, product=DELIVERY))
    pit.place(2_000, limit(SELL, 60, 99.9, PUT))
    pit.until(2_100)
    exits = pit.do(ExitAll(at=2_200, user=ASHA))
    pit.until(2_300)

    assert [pit.order(order).request.side for order in exits] == [BUY, SELL]
    assert (pit.net(product=DELIVERY), pit.net(PUT)) == (0, 0)
    assert pit.account().squared_off == 0, "whoever exits himself pays no fee"
    with pytest.raises(OrderRefused) as refused:
        pit.do(ExitAll(at=2_400, user=ASHA))
    assert refused.value.why is Why.NOTHING_OPEN


def test_exit_all_by_tag_takes_intraday_positions_that_orders_with_it_opened() -> None:
    pit = Pit(SEEN, also={PUT.key: (SEEN,)})
    pit.place(2_000, limit(BUY, 30, 100, CALL, tag="x"))
    pit.place(2_000, limit(BUY, 30, 100, PUT, tag="x", product=DELIVERY))
    pit.place(2_000, limit(BUY, 30, 100, PUT, tag="y"))
    pit.until(2_100)
    exits = pit.do(ExitAll(at=2_200, user=ASHA, tag="x"))
    pit.until(2_300)

    assert len(exits) == 1
    assert (pit.net(CALL), pit.net(PUT), pit.net(PUT, DELIVERY)) == (0, 30, 30)


def test_exit_all_takes_as_many_parts_as_it_needs() -> None:
    pit = Pit(view(500, 1, bids=[(90_000, 0.95)], asks=[(90_000, 1)]))
    for at in (2_000, 2_100):
        pit.place(at, limit(BUY, 25 * FREEZE, 1, slice=True))
    pit.until(2_200)

    assert len(pit.do(ExitAll(at=2_200, user=ASHA))) == 50
    pit.until(2_300)
    assert pit.net() == 0


def test_exit_all_passes_what_befalls_its_orders_on() -> None:
    pit = Pit(SEEN)
    pit.place(2_000, limit(BUY, 30, 100))
    pit.until(2_100)
    (order,) = pit.do(ExitAll(at=2_200, user=ASHA, intervention=Intervention(reject="RMS:no")))

    assert (pit.order(order).status, pit.net()) == (Status.REJECTED, 30)


@pytest.mark.parametrize("at", [900, CLOSES])
def test_exit_all_is_for_market_hours(at: int) -> None:
    with pytest.raises(OrderRefused) as refused:
        Pit(SEEN).do(ExitAll(at=at, user=ASHA))

    assert refused.value.why is Why.MARKET_CLOSED


def test_the_band_of_the_day_holds_for_exits_too() -> None:
    low = FUTURE_BAND.low
    pit = Pit(view(500, low + 100, bids=[(30, low), (30, low - 0.2)], asks=[(90, low + 100)]), contract=FUTURE)
    pit.place(2_000, limit(BUY, 60, low + 100, FUTURE))
    pit.until(CLOSED)

    assert pit.books.orders(ASHA)[-1].limit == low
    assert pit.net(FUTURE) == 30
