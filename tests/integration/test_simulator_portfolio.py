"""Positions and money at the simulator, over a real socket."""

from collections.abc import AsyncIterator
from typing import Any, Final

import pytest
import pytest_asyncio

from algoexec.simulator.server import RunningSimulator
from tests.integration.simulating import INDEX, settings, simulator
from tests.integration.trading import (
    BROKERAGE,
    CALL,
    CONVERT,
    DAY_TRADES,
    EXIT_ALL,
    FUNDS,
    FUNDS_V3,
    FUTURE,
    HOLDINGS,
    LOT,
    MARGIN,
    POSITIONS,
    PUT,
    STANDING,
    Trader,
    order,
    pass_time,
    quote,
    refusal,
    told,
    trading,
)

CRORE: Final = 10_000_000.0
RATE: Final = 0.12
"""What a short option or a future binds of its contract's value."""

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def running() -> AsyncIterator[RunningSimulator]:
    async with simulator(settings("10:30:30", speed=STANDING, rate_limits=False)) as running:
        yield running


@pytest_asyncio.fixture(loop_scope="module")
async def trader(running: RunningSimulator) -> AsyncIterator[Trader]:
    # A new book: the tests before may have taken what this one wants.
    pass_time(running, 5)
    async with trading(running) as trader:
        yield trader


async def value(trader: Trader, side: str) -> float:
    """Return what was traded on a side, in rupees."""
    trades = await trader.data(DAY_TRADES)
    mine = [trade for trade in trades if trade["transaction_type"] == side]
    return float(sum(trade["quantity"] * trade["average_price"] for trade in mine))


async def money(trader: Trader) -> tuple[float, dict[str, Any]]:
    """Return what is available and the margin used."""
    cash = (await trader.data(FUNDS_V3))["available_to_trade"]["cash_available_to_trade"]
    parts = sum(cash["cash"].values())
    used = cash["margin_used"]
    assert cash["total"] == pytest.approx(parts - used["total"], abs=0.005)
    assert used["total"] == pytest.approx(
        used["span_exposure"] + used["premium_present"] + used["loss"]["total"], abs=0.005
    )
    assert used["loss"]["total"] == pytest.approx(used["loss"]["realised"] + used["loss"]["unrealised"], abs=0.005)
    return cash["total"], {**used, **cash["cash"]}


# --- positions ----------------------------------------------------------------------------------------------------


async def test_a_position_is_told_with_all_its_fields(trader: Trader) -> None:
    await trader.buy(3 * LOT)
    await trader.sell()
    pass_time(trader.running, 60)
    bought, sold = await value(trader, "BUY"), await value(trader, "SELL")
    shown = quote(trader.running)

    (held,) = await trader.data(POSITIONS)
    realised = sold - bought / 3
    unrealised = 2 * LOT * shown.price - bought * 2 / 3
    assert held == {
        "exchange": "NFO",
        "instrument_token": CALL,
        "trading_symbol": "BANKNIFTY 57000 CE 27 OCT 26",
        "tradingsymbol": "BANKNIFTY 57000 CE 27 OCT 26",
        "multiplier": 1.0,
        "product": "I",
        "quantity": 2 * LOT,
        "average_price": pytest.approx(bought / 3 / LOT, abs=1e-4),
        "last_price": shown.price,
        "close_price": shown.previous_close,
        "value": pytest.approx(bought * 2 / 3, abs=0.01),
        "pnl": pytest.approx(realised + unrealised, abs=0.01),
        "realised": pytest.approx(realised, abs=0.01),
        "unrealised": pytest.approx(unrealised, abs=0.01),
        "buy_value": pytest.approx(bought),
        "sell_value": pytest.approx(sold),
        "buy_price": pytest.approx(bought / 3 / LOT, abs=1e-4),
        "sell_price": pytest.approx(sold / LOT, abs=1e-4),
        "day_buy_quantity": 3 * LOT,
        "day_buy_value": pytest.approx(bought),
        "day_buy_price": pytest.approx(bought / 3 / LOT, abs=1e-4),
        "day_sell_quantity": LOT,
        "day_sell_value": pytest.approx(sold),
        "day_sell_price": pytest.approx(sold / LOT, abs=1e-4),
        "overnight_quantity": 0,
        "overnight_buy_quantity": 0,
        "overnight_buy_amount": 0.0,
        "overnight_sell_quantity": 0,
        "overnight_sell_amount": 0.0,
    }


async def test_a_flat_position_stays_with_what_it_made_and_without_an_average(trader: Trader) -> None:
    await trader.buy()
    await trader.sell()

    (flat,) = await trader.data(POSITIONS)
    made = await value(trader, "SELL") - await value(trader, "BUY")
    assert (flat["quantity"], flat["average_price"], flat["unrealised"]) == (0, None, 0)
    assert flat["pnl"] == flat["realised"] == pytest.approx(made, abs=0.01)


async def test_a_second_sale_makes_a_short(trader: Trader) -> None:
    await trader.buy()
    await trader.sell()
    await trader.sell()

    (short,) = await trader.data(POSITIONS)
    assert (short["quantity"], short["day_sell_quantity"]) == (-LOT, 2 * LOT)
    assert short["average_price"] == short["sell_price"]


async def test_products_are_apart_until_they_are_converted(trader: Trader) -> None:
    await trader.buy(2 * LOT)
    body = {
        "instrument_token": CALL,
        "old_product": "I",
        "new_product": "D",
        "transaction_type": "BUY",
        "quantity": LOT,
    }
    assert told(await trader.client.put(CONVERT, json=body)) == {"status": "complete"}

    intraday, delivery = await trader.data(POSITIONS)
    assert [(one["product"], one["quantity"]) for one in (intraday, delivery)] == [("I", LOT), ("D", LOT)]
    assert intraday["average_price"] == delivery["average_price"]
    told(await trader.client.put(CONVERT, json=body))
    assert [(one["product"], one["quantity"]) for one in await trader.data(POSITIONS)] == [("D", 2 * LOT)]


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"quantity": 2 * LOT}, "UDAPI100036"),
        ({"quantity": LOT // 2}, "UDAPI100036"),
        ({"quantity": 0}, "UDAPI1052"),
        ({"quantity": -LOT}, "UDAPI100036"),
        ({"old_product": "D", "new_product": "I"}, "UDAPI100036"),
        ({"new_product": "I"}, "UDAPI100036"),
        ({"new_product": "OCO"}, "UDAPI100036"),
        ({"transaction_type": "SELL"}, "UDAPI100036"),
        ({"instrument_token": PUT}, "UDAPI100036"),
        ({"instrument_token": INDEX}, "UDAPI100011"),
    ],
)
async def test_a_conversion_of_what_is_not_held_is_refused(trader: Trader, changes: dict[str, Any], code: str) -> None:
    await trader.buy()
    body = {
        "instrument_token": CALL,
        "old_product": "I",
        "new_product": "D",
        "transaction_type": "BUY",
        "quantity": LOT,
    }
    assert refusal(await trader.client.put(CONVERT, json={**body, **changes})) == (400, code)


async def test_derivatives_are_no_holdings(trader: Trader) -> None:
    await trader.buy(product="D")

    assert await trader.data(HOLDINGS) == await trader.data("/v3/portfolio/mtf-positions") == []


# --- funds --------------------------------------------------------------------------------------------------------


async def test_who_never_traded_has_the_money_of_the_start(trader: Trader) -> None:
    available, used = await money(trader)
    v2 = await trader.data(FUNDS)

    assert (available, used["opening_balance"], used["total"], used["unpaid_charges"]) == (CRORE, CRORE, 0, 0)
    assert (v2["equity"]["available_margin"], v2["equity"]["used_margin"]) == (CRORE, 0)
    assert set(v2["commodity"].values()) == {0}
    assert list(await trader.data(FUNDS, segment="SEC")) == ["equity"]
    assert list(await trader.data(FUNDS, segment="COM")) == ["commodity"]
    assert refusal(await trader.client.get(FUNDS, params={"segment": "FO"})) == (400, "UDAPI100036")


async def test_a_premium_is_bound_while_the_order_waits_and_paid_when_it_is_filled(trader: Trader) -> None:
    await trader.place(order(10.0))
    waiting, used = await money(trader)
    assert (CRORE - waiting, used["premium_present"]) == (300.0, 300.0)
    told(await trader.client.delete("/v2/order/multi/cancel"))
    pass_time(trader.running, 0.1)
    assert (await money(trader))[0] == CRORE

    await trader.buy()
    available, used = await money(trader)
    paid = await value(trader, "BUY")
    assert used["premium_present"] == pytest.approx(paid)
    assert -used["unpaid_charges"] == pytest.approx(await cost(trader, "BUY", paid), abs=0.01)
    assert available == pytest.approx(CRORE - paid + used["unpaid_charges"], abs=0.01)


async def test_what_was_made_or_lost_stays_when_all_is_closed(trader: Trader) -> None:
    await trader.buy()
    pass_time(trader.running, 60)
    told(await trader.client.post(EXIT_ALL))
    pass_time(trader.running, 1)
    available, used = await money(trader)
    (flat,) = await trader.data(POSITIONS)

    assert (used["premium_present"], used["span_exposure"]) == (0, 0)
    assert -used["loss"]["realised"] == pytest.approx(flat["pnl"])
    assert available == pytest.approx(CRORE + flat["pnl"] + used["unpaid_charges"], abs=0.01)
    v2 = (await trader.data(FUNDS))["equity"]
    assert v2["available_margin"] == available
    assert v2["used_margin"] == pytest.approx(-flat["pnl"])


async def test_a_short_binds_its_margin_and_the_premium_is_there(trader: Trader) -> None:
    await trader.sell()
    available, used = await money(trader)
    spot = quote(trader.running, trader.running.broker.exchange.underlying).price
    premium = await value(trader, "SELL")

    assert used["span_exposure"] == pytest.approx(LOT * spot * RATE, rel=1e-3)
    assert used["premium_present"] == pytest.approx(-premium)
    equity = (await trader.data(FUNDS))["equity"]
    assert equity["span_margin"] + equity["exposure_margin"] == pytest.approx(used["span_exposure"])
    assert equity["available_margin"] == available


async def test_a_future_is_marked_to_the_market(trader: Trader) -> None:
    await trader.buy(instrument_token=FUTURE)
    pass_time(trader.running, 60)
    _, used = await money(trader)
    (held,) = await trader.data(POSITIONS)

    assert held["unrealised"] == held["pnl"] != 0
    assert used["loss"] == {"total": -held["pnl"], "realised": 0, "unrealised": -held["pnl"]}
    assert used["premium_present"] == 0


# --- what an order would cost -------------------------------------------------------------------------------------


async def cost(trader: Trader, side: str, turnover: float, key: str = CALL) -> float:
    """Return the total that the broker estimates for a lot."""
    query = {"instrument_token": key, "quantity": LOT, "product": "I", "transaction_type": side}
    charges = (await trader.data(BROKERAGE, **query, price=turnover / LOT))["charges"]
    return float(charges["total"])


async def test_the_cost_of_an_order_is_told_item_by_item(trader: Trader) -> None:
    query = {"instrument_token": CALL, "quantity": 30, "product": "I", "transaction_type": "SELL", "price": 520}
    charges = (await trader.data(BROKERAGE, **query))["charges"]

    others = {"transaction": 5.54, "clearing": 0.0, "ipft": 0.0, "sebi_turnover": 0.02}
    assert charges == {
        "total": 53.56,
        "brokerage": 20.0,
        "taxes": {"gst": 4.6, "stt": 23.4, "stamp_duty": 0.0},
        "other_charges": others,
        "otherTaxes": others,
        "dp_plan": {"name": "", "min_expense": 0.0},
        "dpPlan": {"name": "", "min_expense": 0.0},
    }
    bought = (await trader.data(BROKERAGE, **{**query, "transaction_type": "BUY", "price": 500}))["charges"]
    assert (bought["taxes"]["stt"], bought["taxes"]["stamp_duty"]) == (0.0, 0.45)
    assert charges["total"] + bought["total"] == pytest.approx(83.92, abs=0.011)


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"instrument_token": ""}, "UDAPI100036"),
        ({"instrument_token": INDEX}, "UDAPI100011"),
        ({"quantity": "0"}, "UDAPI100036"),
        ({"quantity": "1.5"}, "UDAPI100036"),
        ({"product": "X"}, "UDAPI100036"),
        ({"transaction_type": "HOLD"}, "UDAPI100036"),
        ({"price": "nan"}, "UDAPI100036"),
        ({"price": "-1"}, "UDAPI100036"),
        ({"price": "1e300"}, "UDAPI100036"),
        ({"price": "much"}, "UDAPI100036"),
        ({"price": ""}, "UDAPI100036"),
    ],
)
async def test_a_cost_of_what_cannot_be_ordered_is_refused(trader: Trader, changes: dict[str, str], code: str) -> None:
    query = {"instrument_token": CALL, "quantity": "30", "product": "I", "transaction_type": "SELL", "price": "520"}
    assert refusal(await trader.client.get(BROKERAGE, params={**query, **changes})) == (400, code)


# --- what an order would bind -------------------------------------------------------------------------------------


def leg(key: str = CALL, side: str = "BUY", **more: Any) -> dict[str, Any]:
    return {"instrument_key": key, "quantity": LOT, "product": "D", "transaction_type": side, **more}


async def test_a_buyer_pays_the_premium_and_a_writer_binds_a_margin(trader: Trader) -> None:
    legs = [leg(price=500), leg(), leg(PUT, "SELL")]
    margin = told(await trader.client.post(MARGIN, json={"instruments": legs}))
    spot = quote(trader.running, trader.running.broker.exchange.underlying).price

    priced, at_market, written = margin["margins"]
    assert (priced["net_buy_premium"], priced["total_margin"], priced["span_margin"]) == (15_000.0, 15_000.0, 0)
    assert at_market["net_buy_premium"] == pytest.approx(quote(trader.running).price * LOT)
    assert written["span_margin"] + written["exposure_margin"] == pytest.approx(written["total_margin"])
    assert written["total_margin"] == pytest.approx(LOT * spot * RATE, rel=1e-3)
    assert {one["equity_margin"] for one in margin["margins"]} == {0}
    assert margin["required_margin"] == pytest.approx(sum(one["total_margin"] for one in margin["margins"]))
    assert margin["final_margin"] == margin["required_margin"]


async def test_futures_against_each_other_bind_once(trader: Trader) -> None:
    legs = [leg(FUTURE, "BUY"), leg(FUTURE, "SELL")]
    margin = told(await trader.client.post(MARGIN, json={"instruments": legs}))

    assert margin["final_margin"] == pytest.approx(margin["required_margin"] / 2)


@pytest.mark.parametrize(
    ("instruments", "code"),
    [
        (None, "UDAPI100036"),
        ([], "UDAPI100036"),
        ([leg()] * 21, "UDAPI100036"),
        ([7], "UDAPI100036"),
        ([leg("")], "UDAPI1009"),
        ([leg(INDEX)], "UDAPI100011"),
        ([leg(side="HOLD")], "UDAPI100036"),
        ([{**leg(), "quantity": 0}], "UDAPI1052"),
        ([{**leg(), "quantity": -30}], "UDAPI100036"),
        ([{**leg(), "product": "X"}], "UDAPI100036"),
        ([leg(price="5")], "UDAPI100036"),
        ([leg(price=1e300)], "UDAPI100036"),
    ],
)
async def test_a_margin_of_what_cannot_be_ordered_is_refused(trader: Trader, instruments: Any, code: str) -> None:
    assert refusal(await trader.client.post(MARGIN, json={"instruments": instruments})) == (400, code)
