"""What is refused, what is rejected, and exactly where either begins."""

import math
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from algoexec.domain.instruments import InstrumentKey
from algoexec.domain.orders import OrderType, Side
from algoexec.simulation.trading.checks import (
    Band,
    Contract,
    OrderRefused,
    Why,
    on_grid,
    parts_of,
    protected_limit,
    rejection_of,
    require_sense,
    slices,
)
from algoexec.simulation.trading.commands import PlaceOrder
from algoexec.simulation.trading.orders import OrderRequest, Status
from tests.unit.simulation.trading.scripted import (
    ASHA,
    BUY,
    CALL,
    FREEZE,
    FUTURE,
    FUTURE_BAND,
    LOT,
    OPTION_BAND,
    SELL,
    Pit,
    limit,
    market,
    stop,
    view,
)

GOOD = limit(BUY, 30, 100)


def rejected(request: OrderRequest, contract: Contract = CALL) -> str | None:
    return rejection_of(request, contract, OPTION_BAND if contract is CALL else FUTURE_BAND)


@pytest.mark.parametrize(
    ("changes", "refused"),
    [
        ({"quantity": 1}, False),
        ({"quantity": 0}, True),
        ({"quantity": -30}, True),
        ({"disclosed_quantity": 30}, False),
        ({"disclosed_quantity": 31}, True),
        ({"disclosed_quantity": -1}, True),
        ({"price": 0.0}, True),
        ({"price": -1.0}, True),
        ({"price": math.nan}, True),
        ({"price": math.inf}, True),
        ({"trigger_price": 1.0}, True),
        ({"trigger_price": math.nan}, True),
        ({"type": OrderType.SL}, True),
        ({"type": OrderType.SL, "trigger_price": 99.0}, False),
        ({"type": OrderType.SL, "trigger_price": 99.0, "price": 0.0}, True),
        ({"type": OrderType.SL_M, "trigger_price": 99.0}, True),
        ({"type": OrderType.SL_M, "trigger_price": 99.0, "price": 0.0}, False),
        ({"type": OrderType.MARKET}, True),
        ({"type": OrderType.MARKET, "price": 0.0}, False),
        ({"market_protection": -1.0}, False),
        ({"market_protection": 0.0}, False),
        ({"market_protection": 25.0}, False),
        ({"market_protection": 25.01}, True),
        ({"market_protection": -0.5}, True),
        ({"market_protection": -2.0}, True),
        ({"market_protection": math.nan}, True),
    ],
)
def test_a_request_that_contradicts_itself_is_refused(changes: dict[str, Any], refused: bool) -> None:
    request = replace(GOOD, **changes)
    if not refused:
        require_sense(request)
        return
    with pytest.raises(OrderRefused) as error:
        require_sense(request)
    assert error.value.why is Why.INVALID


def test_a_refused_request_leaves_no_order() -> None:
    pit = Pit()
    for request in (
        replace(GOOD, price=math.nan),
        replace(GOOD, quantity=0),
        replace(GOOD, instrument=InstrumentKey("NSE_FO|99")),
    ):
        with pytest.raises(OrderRefused):
            pit.place(2_000, request)

    assert pit.books.orders(ASHA) == []


@pytest.mark.parametrize(
    ("request_", "contract", "text"),
    [
        # lot and freeze
        (limit(BUY, LOT, 100), CALL, None),
        (limit(BUY, LOT - 1, 100), CALL, "lot size 30"),
        (limit(BUY, LOT + 1, 100), CALL, "lot size 30"),
        (limit(BUY, FREEZE, 100), CALL, None),
        (limit(BUY, FREEZE + LOT, 100), CALL, "freeze quantity 600"),
        # ticks
        (limit(BUY, 30, 100.05), CALL, None),
        (limit(BUY, 30, 1_234.35), CALL, None),
        (limit(BUY, 30, 100.04), CALL, "tick size 0.05"),
        (limit(BUY, 30, 50_000.2, FUTURE), FUTURE, None),
        (limit(BUY, 30, 54_999.8, FUTURE), FUTURE, None),
        (limit(BUY, 30, 50_000.1, FUTURE), FUTURE, "tick size 0.2"),
        (limit(BUY, 30, 50_000.05, FUTURE), FUTURE, "tick size 0.2"),
        (stop(BUY, 30, 99.99, 100), CALL, "trigger price 99.99"),
        # the day's band
        (limit(SELL, 30, 0.05), CALL, None),
        (limit(BUY, 30, 5_000), CALL, None),
        (limit(BUY, 30, 5_000.05), CALL, "execution range 0.05 - 5000"),
        (limit(BUY, 30, 45_000, FUTURE), FUTURE, None),
        (limit(BUY, 30, 44_999.8, FUTURE), FUTURE, "execution range"),
        (limit(SELL, 30, 55_000.2, FUTURE), FUTURE, "execution range"),
        (stop(BUY, 30, 44_000, 50_000, FUTURE), FUTURE, "trigger price is out of"),
        # a stop's price beside its trigger
        (stop(BUY, 30, 100, 100), CALL, None),
        (stop(BUY, 30, 100, 100.05), CALL, None),
        (stop(BUY, 30, 100, 99.95), CALL, "must not be better than its trigger"),
        (stop(SELL, 30, 100, 100), CALL, None),
        (stop(SELL, 30, 100, 99.95), CALL, None),
        (stop(SELL, 30, 100, 100.05), CALL, "must not be better than its trigger"),
        # no limit
        (market(BUY, 30, market_protection=0.0), CALL, "Market orders from API"),
        (market(BUY, 30, market_protection=-1.0), CALL, None),
        (market(BUY, 30, market_protection=25.0), CALL, None),
        (market(BUY, 30, market_protection=0.01), CALL, None),
    ],
)
def test_where_a_rejection_begins(request_: OrderRequest, contract: Contract, text: str | None) -> None:
    reason = rejected(request_, contract)

    assert reason is None if text is None else reason is not None and text in reason


def test_stops_without_a_limit_are_for_futures_only() -> None:
    request = OrderRequest(
        instrument=CALL.key, side=BUY, quantity=30, type=OrderType.SL_M, trigger_price=100, market_protection=-1
    )

    assert "SL-M orders are not allowed in options" in (rejected(request) or "")
    assert rejected(replace(request, instrument=FUTURE.key, trigger_price=50_000), FUTURE) is None


@pytest.mark.parametrize(
    "request_",
    [limit(BUY, 31, 100), limit(BUY, 630, 100), limit(BUY, 30, 100.01), limit(BUY, 30, 6_000), stop(BUY, 30, 101, 100)],
)
def test_a_rejected_order_is_an_order_with_the_reason(request_: OrderRequest) -> None:
    pit = Pit(view(500, 100))
    order = pit.place(2_000, request_)
    pit.until(3_000)

    assert pit.statuses(order) == [Status.RECEIVED, Status.VALIDATING, Status.REJECTED]
    assert pit.order(order).message == rejected(request_)


@given(st.sampled_from((0.05, 0.2)), st.integers(1, 2_000_000), st.integers(-19, 19))
def test_only_whole_ticks_are_on_the_grid(tick: float, ticks: int, off: int) -> None:
    assert on_grid(round(ticks * tick, 2), tick)
    assert on_grid(ticks * tick + off * tick / 40, tick) == (off == 0)


# --- market protection --------------------------------------------------------------------------------------------


@given(
    st.sampled_from((CALL, FUTURE)),
    st.sampled_from(Side),
    st.integers(1, 100_000),
    st.floats(0.01, 25) | st.sampled_from((1.0, 3.0, 5.0, 10.0, 25.0)),
)
def test_protection_is_rounded_inwards_and_wastes_less_than_a_tick(
    contract: Contract, side: Side, ticks: int, percent: float
) -> None:
    last = round(ticks * contract.tick_size, 2)
    request = market(side, 30, contract, market_protection=percent)

    edge = protected_limit(request, contract, last, Band(0.05, 1_000_000))

    away = side.sign * (edge - last)
    assert on_grid(edge, contract.tick_size)
    assert -1e-6 <= away <= last * percent / 100 + 1e-6
    assert away > last * percent / 100 - contract.tick_size


@pytest.mark.parametrize(
    ("contract", "last", "buy", "sell"),
    [
        (CALL, 0.05, 0.05, 0.05),
        (CALL, 4.95, 5.65, 4.25),  # 15 %
        (CALL, 5.0, 5.5, 4.5),  # 10 %
        (CALL, 9.95, 10.9, 9.0),
        (CALL, 10.0, 10.5, 9.5),  # 5 %
        (CALL, 100.0, 105.0, 95.0),
        (FUTURE, 50_000.0, 50_250.0, 49_750.0),  # 0.5 %
        (FUTURE, 50_000.2, 50_250.2, 49_750.2),
    ],
)
def test_the_broker_s_own_table(contract: Contract, last: float, buy: float, sell: float) -> None:
    band = OPTION_BAND if contract is CALL else FUTURE_BAND

    assert protected_limit(market(BUY, 30, contract), contract, last, band) == buy
    assert protected_limit(market(SELL, 30, contract), contract, last, band) == sell


def test_protection_ends_at_the_day_s_band() -> None:
    band = Band(95, 104)

    assert protected_limit(market(BUY, 30), CALL, 100, band) == 104
    assert protected_limit(market(SELL, 30, market_protection=25.0), CALL, 100, band) == 95


# --- slices -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("quantity", "parts"),
    [
        (30, [30]),
        (600, [600]),
        (630, [600, 30]),
        (1_200, [600, 600]),
        (1_230, [600, 600, 30]),
        (15_000, [600] * 25),
    ],
)
def test_slices_are_of_the_freeze_quantity_and_a_rest(quantity: int, parts: list[int]) -> None:
    made = slices(limit(BUY, quantity, 100, slice=True), FREEZE)

    assert [part.quantity for part in made] == parts
    assert made == parts_of(limit(BUY, quantity, 100, slice=True), FREEZE)
    assert slices(limit(BUY, quantity, 100), FREEZE) == [limit(BUY, quantity, 100)]


def test_a_twenty_sixth_slice_is_refused_and_nothing_is_placed() -> None:
    pit = Pit(view(500, 100))
    with pytest.raises(OrderRefused) as refused:
        pit.place(2_000, limit(BUY, 15_030, 100, slice=True))
    assert refused.value.why is Why.INVALID
    assert pit.books.orders(ASHA) == []

    made = pit.do(PlaceOrder(at=2_000, user=ASHA, request=limit(BUY, 15_000, 1, slice=True)))
    pit.until(3_000)
    assert len(made) == 25
    assert {pit.order(order).status for order in made} == {Status.OPEN}


def test_without_slices_too_much_is_rejected() -> None:
    pit = Pit(view(500, 100))
    order = pit.place(2_000, limit(BUY, 630, 1))

    assert pit.order(order).status is Status.REJECTED
