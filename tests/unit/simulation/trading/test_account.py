"""Money and positions: what trades make of them, and what may not be spent."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from algoexec.domain.instruments import InstrumentKey
from algoexec.domain.orders import OrderType, Product, Side
from algoexec.simulation.trading.account import Account, Bound, Position, bound_by
from algoexec.simulation.trading.checks import Contract, OrderRefused
from algoexec.simulation.trading.commands import ConvertPosition
from algoexec.simulation.trading.intervention import Intervention
from algoexec.simulation.trading.orders import Order, OrderRequest, Status, Trade, to_paise
from tests.unit.simulation.trading.scripted import (
    ASHA,
    BALA,
    BUY,
    CALL,
    CONTRACTS,
    FUTURE,
    PUT,
    SELL,
    Pit,
    limit,
    market,
    stop,
    view,
)

MARGIN = 6_000_00
"""Paise that a short unit binds at an index of 50,000."""
SPOT = 50_000_00
DELIVERY = Product.DELIVERY


def trade(side: Side, quantity: int, price: float, contract: Contract = CALL) -> Trade:
    return Trade("1", "1", contract.key, side, Product.INTRADAY, quantity, price, 0)


trades = st.lists(
    st.builds(
        trade,
        side=st.sampled_from(Side),
        quantity=st.integers(1, 1_200),
        price=st.integers(1, 20_000).map(lambda ticks: round(ticks * 0.05, 2)),
        contract=st.sampled_from((CALL, FUTURE)),
    ),
    max_size=20,
)


@given(trades, st.integers(1, 30_000))
def test_cash_and_profit_are_what_the_trades_say(made: list[Trade], last: int) -> None:
    account = Account(user=ASHA, opening=1_000_000)
    for one in made:
        account.book(one)

    flow = {contract.key: 0 for contract in (CALL, FUTURE)}
    net = dict(flow)
    for one in made:
        flow[one.instrument] -= one.side.sign * one.value
        net[one.instrument] += one.side.sign * one.quantity
    assert account.trades == made
    for key in flow:
        position = account.position(key, Product.INTRADAY)
        assert position.net == net[key]
        assert position.profit(last) == flow[key] + net[key] * last
        unrealised = position.net * (last - 100 * position.open_average)
        assert position.realised + unrealised == pytest.approx(position.profit(last), abs=1)
    marked = flow[FUTURE.key] + net[FUTURE.key] * last
    assert account.cash(CONTRACTS, lambda _: last) == 1_000_000 + flow[CALL.key] + marked


def test_what_is_closed_is_realised_at_the_averages_of_the_day() -> None:
    position = Position(instrument=CALL.key, product=Product.INTRADAY)
    for side, quantity, price in ((BUY, 60, 100.0), (SELL, 30, 110.0), (BUY, 60, 103.0)):
        position = position.plus(side, quantity, quantity * to_paise(price))

    assert position.net == 90
    assert position.bought.average == pytest.approx(101.5)
    assert position.open_average == pytest.approx(101.5)
    assert position.realised == 30 * 8_50


@given(st.integers(1, 20), st.integers(1, 20), st.integers(1, 99_999), st.sampled_from(Side))
def test_a_conversion_moves_units_and_their_value_and_makes_no_money(
    lots: int, moved: int, value: int, side: Side
) -> None:
    moved = min(lots, moved)
    account = Account(user=ASHA, opening=0)
    old = account.position(CALL.key, Product.INTRADAY).plus(side, lots, value)
    account.positions[CALL.key, Product.INTRADAY] = old
    account.convert(CALL.key, Product.INTRADAY, DELIVERY, moved)
    rest, new = (account.position(CALL.key, product) for product in (Product.INTRADAY, DELIVERY))

    assert (abs(rest.net), abs(new.net)) == (lots - moved, moved)
    assert rest.profit(0) + new.profit(0) == old.profit(0)
    assert abs(new.profit(0)) * lots == pytest.approx(value * moved, abs=lots)


# --- what is bound ------------------------------------------------------------------------------------------------


def order(request: OrderRequest, filled: int = 0, number: int = 1) -> Order:
    return Order(
        id=f"{number}",
        user=ASHA,
        request=request,
        status=Status.OPEN,
        placed_at=0,
        updated_at=0,
        limit=request.price,
        filled=filled,
    )


def bound(held: dict[tuple[InstrumentKey, Product], int], *requests: OrderRequest) -> Bound:
    account = Account(user=ASHA, opening=0)
    for (key, product), net in held.items():
        position = account.position(key, product).plus(BUY if net > 0 else SELL, abs(net), 0)
        account.positions[key, product] = position
    return bound_by(account, [order(request) for request in requests], CONTRACTS, SPOT)


LONG = {(CALL.key, Product.INTRADAY): 30}
SHORT = {(CALL.key, Product.INTRADAY): -30}


@pytest.mark.parametrize(
    ("held", "requests", "premium", "short"),
    [
        ({}, [], 0, 0),
        ({}, [limit(BUY, 30, 100)], 30 * 100_00, 0),
        ({}, [limit(BUY, 30, 100), limit(BUY, 60, 10)], 30 * 100_00 + 60 * 10_00, 0),
        ({}, [stop(BUY, 30, 99, 100)], 30 * 100_00, 0),
        ({}, [limit(SELL, 30, 100)], 0, 30),
        (LONG, [], 0, 0),
        (LONG, [limit(SELL, 30, 100)], 0, 0),
        (LONG, [limit(SELL, 60, 100)], 0, 30),
        (LONG, [limit(SELL, 30, 100), limit(SELL, 30, 120)], 0, 30),
        (LONG, [limit(SELL, 30, 100, product=DELIVERY)], 0, 30),
        (LONG, [limit(SELL, 30, 100, PUT)], 0, 30),
        (SHORT, [], 0, 30),
        (SHORT, [limit(BUY, 30, 100)], 0, 30),
        (SHORT, [limit(BUY, 60, 100)], 30 * 100_00, 30),
        (SHORT, [limit(BUY, 30, 100), limit(BUY, 30, 90)], 30 * 90_00, 30),
        (SHORT, [limit(BUY, 30, 100, product=DELIVERY)], 30 * 100_00, 30),
        (SHORT, [limit(SELL, 30, 100)], 0, 60),
        # A future binds margin either way, and no premium.
        ({}, [limit(BUY, 30, 50_000, FUTURE)], 0, 30),
        ({}, [limit(SELL, 30, 50_000, FUTURE)], 0, 30),
        ({}, [limit(BUY, 30, 50_000, FUTURE), limit(SELL, 60, 50_000, FUTURE)], 0, 60),
        ({(FUTURE.key, Product.INTRADAY): 60}, [limit(SELL, 60, 50_000, FUTURE)], 0, 60),
        ({(FUTURE.key, Product.INTRADAY): 30}, [limit(SELL, 90, 50_000, FUTURE)], 0, 60),
    ],
)
def test_what_positions_and_waiting_orders_bind(
    held: dict[tuple[InstrumentKey, Product], int], requests: list[OrderRequest], premium: int, short: int
) -> None:
    assert bound(held, *requests) == Bound(premium, short * MARGIN)
    assert bound(held, *requests).total == premium + short * MARGIN


def test_what_is_filled_waits_no_more() -> None:
    account = Account(user=ASHA, opening=0)

    assert bound_by(account, [order(limit(BUY, 90, 100), filled=60)], CONTRACTS, SPOT) == Bound(30 * 100_00, 0)


# --- who has the money --------------------------------------------------------------------------------------------

SEEN = view(500, 100, bids=[(900, 99.9)], asks=[(900, 100)])


def status(pit: Pit, order_id: str) -> Status:
    pit.until(pit.order(order_id).placed_at + 50)
    return pit.order(order_id).status


@pytest.mark.parametrize(("funds", "expected"), [(3_000_00, Status.COMPLETE), (2_999_99, Status.REJECTED)])
def test_a_buyer_pays_the_full_premium(funds: int, expected: Status) -> None:
    pit = Pit(SEEN, funds=funds)
    bought = pit.place(2_000, limit(BUY, 30, 100))

    assert status(pit, bought) is expected
    if expected is Status.REJECTED:
        assert pit.order(bought).message == "RMS:Margin Exceeds,Cash Available:2999.99,Required:3000.00"


def test_a_waiting_buy_binds_its_premium_until_it_ends() -> None:
    pit = Pit(SEEN, funds=3_000_00)
    first = pit.place(2_000, limit(BUY, 30, 99))
    assert status(pit, pit.place(2_100, limit(BUY, 30, 1.05))) is Status.REJECTED
    assert status(pit, pit.place(2_200, limit(BUY, 30, 1))) is Status.OPEN
    pit.cancel(2_300, first)

    assert status(pit, pit.place(2_400, limit(BUY, 30, 99))) is Status.OPEN


def test_a_protected_market_order_needs_the_money_for_its_limit() -> None:
    pit = Pit(SEEN, funds=3_100_00)

    assert status(pit, pit.place(2_000, market(BUY, 30))) is Status.REJECTED
    assert status(pit, pit.place(2_100, market(BUY, 30, market_protection=3.0))) is Status.COMPLETE


def test_a_short_needs_margin_and_a_second_sale_of_the_same_units_is_one() -> None:
    pit = Pit(SEEN, funds=4_000_00)
    assert status(pit, pit.place(2_000, limit(SELL, 30, 101))) is Status.REJECTED
    assert status(pit, pit.place(2_100, limit(BUY, 30, 100))) is Status.COMPLETE
    assert status(pit, pit.place(2_200, limit(SELL, 30, 101))) is Status.OPEN
    assert status(pit, pit.place(2_300, limit(SELL, 30, 102))) is Status.REJECTED


def test_whoever_has_spent_everything_may_still_sell_what_he_holds() -> None:
    pit = Pit(SEEN, funds=3_000_00)
    assert status(pit, pit.place(2_000, limit(BUY, 30, 100))) is Status.COMPLETE
    assert pit.cash(2_100) == 0

    assert status(pit, pit.place(2_100, limit(SELL, 30, 99.9))) is Status.COMPLETE
    assert pit.cash(2_200) == 30 * 99_90


def short_and_poor() -> Pit:
    """Return a pit in which all money is bound by a short, and its price has trebled since."""
    pit = Pit(SEEN, view(3_000, 300, bids=[(900, 299)], asks=[(900, 300)], traded=30), funds=30 * MARGIN)
    sold = pit.place(2_000, limit(SELL, 30, 99.9))
    assert status(pit, sold) is Status.COMPLETE
    # The premium that came in is bound again.
    spent = pit.place(2_100, limit(BUY, 30, 99.9, PUT), intervention=Intervention(fill_at_most=0))
    assert status(pit, spent) is Status.OPEN
    pit.until(3_000)
    return pit


def test_whoever_is_short_may_buy_back_though_the_money_is_gone() -> None:
    pit = short_and_poor()
    assert status(pit, pit.place(3_100, limit(BUY, 60, 300))) is Status.REJECTED

    assert status(pit, pit.place(3_200, limit(BUY, 30, 300))) is Status.COMPLETE
    assert pit.net() == 0


def test_the_broker_squares_a_short_off_though_the_money_is_gone() -> None:
    pit = short_and_poor()
    pit.until(8_100)

    assert pit.net() == 0
    assert pit.account().squared_off == 1


def test_without_money_asking_for_less_is_still_allowed() -> None:
    pit = Pit(
        view(500, 50_000, asks=[(900, 50_000)]),
        view(3_000, 45_000, traded=30),
        contract=FUTURE,
        funds=200_000_00,
    )
    assert status(pit, pit.place(2_000, limit(BUY, 30, 50_000, FUTURE))) is Status.COMPLETE
    waiting = pit.place(2_100, limit(BUY, 60, 100))
    pit.until(3_000)
    assert pit.cash(3_000) < 30 * MARGIN
    pit.modify(3_100, waiting, price=90, quantity=30)
    pit.until(3_200)
    assert pit.order(waiting).request.price == 90
    pit.modify(3_200, waiting, price=91)
    pit.until(3_300)

    assert pit.order(waiting).request.price == 90


def test_of_two_users_one_s_loss_is_the_other_s_gain() -> None:
    pit = Pit(view(500, 100), view(3_000, 70, traded=30))
    for at, side, other in ((2_000, BUY, SELL), (4_000, SELL, BUY)):
        price = 100 if side is BUY else 70
        pit.place(at, limit(other, 90, price), BALA)
        pit.place(at + 50, limit(side, 90, price))
    pit.until(5_000)

    assert pit.account().position(CALL.key, Product.INTRADAY).realised == -90 * 30_00
    assert pit.account(BALA).position(CALL.key, Product.INTRADAY).realised == 90 * 30_00
    assert pit.cash(5_000) + pit.cash(5_000, BALA) == 2 * pit.account().opening


# --- conversion ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("quantity", "old", "new", "done"),
    [
        (30, Product.INTRADAY, DELIVERY, True),
        (60, Product.INTRADAY, DELIVERY, True),
        (90, Product.INTRADAY, DELIVERY, False),
        (0, Product.INTRADAY, DELIVERY, False),
        (-30, Product.INTRADAY, DELIVERY, False),
        (20, Product.INTRADAY, DELIVERY, False),
        (30, DELIVERY, Product.INTRADAY, False),
        (30, Product.INTRADAY, Product.INTRADAY, False),
    ],
)
def test_only_open_lots_are_converted(quantity: int, old: Product, new: Product, done: bool) -> None:
    pit = Pit(SEEN)
    pit.place(2_000, limit(BUY, 60, 100))
    pit.until(2_100)
    command = ConvertPosition(at=2_200, user=ASHA, instrument=CALL.key, old=old, new=new, quantity=quantity)
    if done:
        assert pit.do(command) == ()
    else:
        with pytest.raises(OrderRefused):
            pit.do(command)

    assert pit.net(product=new if done else DELIVERY) == (quantity if done else 0)
    assert pit.net() + pit.net(product=DELIVERY) == 60


def test_a_stop_order_type_says_whether_it_has_a_limit() -> None:
    assert [kind for kind in OrderType if kind.has_trigger and not kind.has_limit] == [OrderType.SL_M]
