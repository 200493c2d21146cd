"""The official SDK trades at the simulator with its own models: the proof that orders, too, are in Upstox's words.

Nothing but the SDK asks: what it cannot send or read, no client of it could. It is synchronous and
runs in threads of its own; the market moves meanwhile.
"""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from itertools import count
from typing import Any, Final

import pytest
import pytest_asyncio
import upstox_client
from upstox_client.rest import ApiException

from algoexec.simulator.server import RunningSimulator
from tests.integration.simulating import INDEX, settings, simulator
from tests.waiting import until

CALL: Final = "NSE_FO|41090"
PUT: Final = "NSE_FO|41091"
LOT: Final = 30
FREEZE: Final = 600
PATIENCE_S: Final = 20
API_VERSION: Final = "2.0"
FINISHED: Final = ("complete", "rejected", "cancelled")

pytestmark = pytest.mark.asyncio(loop_scope="module")
_numbers = count(1)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def running() -> AsyncIterator[RunningSimulator]:
    async with simulator(settings("10:30:30", speed=20.0, rate_limits=False)) as running:
        yield running


class Sdk:
    """The SDK's APIs for one user; calls are made in a thread."""

    def __init__(self, running: RunningSimulator, user: str) -> None:
        configuration = upstox_client.Configuration()
        # On each copy: the constructor hands out shallow copies of the first one made in the process.
        configuration.host = configuration.order_host = running.url
        configuration.sandbox = False
        configuration.access_token = f"user:{user}"
        client = upstox_client.ApiClient(configuration)
        self.v3 = upstox_client.OrderApiV3(client)
        self.v2 = upstox_client.OrderApi(client)
        self.portfolio = upstox_client.PortfolioApi(client)
        self.user = upstox_client.UserApi(client)
        self.charges = upstox_client.ChargeApi(client)
        self.post_trade = upstox_client.PostTradeApi(client)
        self.quotes = upstox_client.MarketQuoteV3Api(client)

    async def ask(self, function: Callable[..., Any], *arguments: object, **options: object) -> Any:
        """Return the whole answer of an SDK call."""
        async with asyncio.timeout(PATIENCE_S):
            return await asyncio.to_thread(function, *arguments, **options)

    async def data(self, function: Callable[..., Any], *arguments: object, **options: object) -> Any:
        """Return the data of an SDK call that goes well."""
        answer = await self.ask(function, *arguments, **options)
        assert answer.status == "success"
        return answer.data

    async def price(self, key: str = CALL) -> float:
        (quote,) = (await self.data(self.quotes.get_ltp, instrument_key=key)).values()
        return float(quote.last_price)

    async def place(self, **changes: Any) -> str:
        """Place an order; return its number."""
        (number,) = (await self.data(self.v3.place_order, request(**changes))).order_ids
        return str(number)

    async def comes_to(self, number: str, *statuses: str) -> Any:
        """Return an order once it has one of those statuses."""
        seen: list[Any] = []

        def is_there() -> bool:
            seen.append(self.v2.get_order_status(order_id=number).data)
            return seen[-1].status in statuses

        await asyncio.to_thread(until, is_there, within=PATIENCE_S)
        return seen[-1]

    async def buy(self, **changes: Any) -> Any:
        """Buy a lot, at almost any price; return the order once it is filled."""
        price = round(await self.price(changes.get("instrument_token", CALL)) * 1.05)
        return await self.comes_to(await self.place(price=price, **changes), "complete")


@pytest.fixture
def sdk(running: RunningSimulator) -> Sdk:
    return Sdk(running, f"sdk{next(_numbers)}")


def request(kind: Any = upstox_client.PlaceOrderV3Request, **changes: Any) -> Any:
    """Return a limit buy of a lot that nobody sells, but for the changes."""
    fields = {
        "quantity": LOT,
        "product": "I",
        "validity": "DAY",
        "price": 1.0,
        "instrument_token": CALL,
        "order_type": "LIMIT",
        "transaction_type": "BUY",
        "disclosed_quantity": 0,
        "trigger_price": 0.0,
        "is_amo": False,
    }
    return kind(**{**fields, **changes})


def change(number: str, price: float, **changes: Any) -> Any:
    fields = {"order_id": number, "validity": "DAY", "order_type": "LIMIT", "price": price, "trigger_price": 0.0}
    return upstox_client.ModifyOrderRequest(**{**fields, **changes})


async def refused(sdk: Sdk, function: Callable[..., Any], *arguments: object, **options: object) -> tuple[int, str]:
    """Return status and code of an SDK call that is refused."""
    with pytest.raises(ApiException) as raised:
        await sdk.ask(function, *arguments, **options)
    (error,) = json.loads(raised.value.body)["errors"]
    return raised.value.status, error["error_code"]


# --- single orders ------------------------------------------------------------------------------------------------


async def test_an_order_is_placed_modified_and_filled(sdk: Sdk) -> None:
    answer = await sdk.ask(sdk.v3.place_order, request(tag="first", slice=False), algo_name="scalper")
    (number,) = answer.data.order_ids
    assert isinstance(answer.metadata.latency, int)
    resting = await sdk.comes_to(number, "open")
    assert (resting.pending_quantity, resting.filled_quantity, resting.average_price) == (LOT, 0, 0)
    assert (resting.instrument_token, resting.exchange, resting.tag) == (CALL, "NFO", "first")

    price = round(await sdk.price() * 1.05)
    changed = await sdk.ask(sdk.v3.modify_order, change(number, price, quantity=2 * LOT), algo_name="scalper")
    assert (changed.data.order_id, isinstance(changed.metadata.latency, int)) == (number, True)
    done = await sdk.comes_to(number, "complete")

    assert (done.filled_quantity, done.pending_quantity, done.price) == (2 * LOT, 0, price)
    assert 0 < done.average_price < price
    assert done.trading_symbol == "BANKNIFTY 57000 CE 27 OCT 26"
    trades = await sdk.data(sdk.v2.get_trades_by_order, number, API_VERSION)
    assert sum(trade.quantity for trade in trades) == 2 * LOT
    average = sum(trade.quantity * trade.average_price for trade in trades) / (2 * LOT)
    assert done.average_price == pytest.approx(average, abs=1e-3)


async def test_an_order_is_cancelled(sdk: Sdk) -> None:
    number = await sdk.place()
    await sdk.comes_to(number, "open")
    answer = await sdk.ask(sdk.v3.cancel_order, number, algo_name="scalper")
    assert (answer.data.order_id, isinstance(answer.metadata.latency, int)) == (number, True)

    assert (await sdk.comes_to(number, "cancelled")).pending_quantity == 0
    assert await refused(sdk, sdk.v3.cancel_order, number) == (400, "UDAPI100040")
    assert await refused(sdk, sdk.v3.modify_order, change(number, 2.0)) == (400, "UDAPI100041")
    assert await refused(sdk, sdk.v3.cancel_order, "1") == (400, "UDAPI100010")


async def test_v2_places_modifies_and_cancels(sdk: Sdk) -> None:
    body = request(upstox_client.PlaceOrderRequest)
    number = (await sdk.data(sdk.v2.place_order, body, API_VERSION)).order_id
    await sdk.comes_to(number, "open")
    changed = await sdk.data(sdk.v2.modify_order, change(number, 2.0), API_VERSION)
    ended = await sdk.data(sdk.v2.cancel_order, number, API_VERSION)

    assert changed.order_id == ended.order_id == number
    await sdk.comes_to(number, "cancelled")


async def test_a_rejected_order_says_why(sdk: Sdk) -> None:
    number = await sdk.place(quantity=LOT + 1)

    rejected = await sdk.comes_to(number, *FINISHED)
    assert rejected.status == "rejected"
    assert "lot size" in rejected.status_message
    assert "lot size" in rejected.status_message_raw


async def test_a_large_order_is_sliced(sdk: Sdk) -> None:
    numbers = (await sdk.data(sdk.v3.place_order, request(quantity=FREEZE + LOT, slice=True))).order_ids

    book = await sdk.data(sdk.v2.get_order_book, API_VERSION)
    assert [(order.order_id, order.quantity) for order in book] == list(zip(numbers, (FREEZE, LOT), strict=True))


@pytest.mark.parametrize(
    "changes",
    [
        {"validity": "IOC"},
        {"order_type": "SL", "price": 5000.0, "trigger_price": 5000.0},
        {"order_type": "MARKET", "price": 0.0, "market_protection": 5.0},
        {"product": "D", "disclosed_quantity": 15},
    ],
)
async def test_the_order_book_is_readable_whatever_is_in_it(sdk: Sdk, changes: dict[str, Any]) -> None:
    number = await sdk.place(**changes)
    await sdk.comes_to(number, "open", "trigger pending", *FINISHED)

    (order,) = await sdk.data(sdk.v2.get_order_book, API_VERSION)
    sent = request(**changes)
    for field in ("validity", "order_type", "price", "trigger_price", "product", "disclosed_quantity", "quantity"):
        assert getattr(order, field) == getattr(sent, field)


async def test_the_history_of_an_order_and_of_a_tag(sdk: Sdk) -> None:
    first = await sdk.place(tag="pair")
    second = await sdk.place(tag="pair")
    for number in (first, second):
        await sdk.comes_to(number, "open")

    states = await sdk.data(sdk.v2.get_order_details, API_VERSION, order_id=first)
    assert [state.status for state in states] == [
        "put order req received",
        "validation pending",
        "open pending",
        "open",
    ]
    both = await sdk.data(sdk.v2.get_order_details, API_VERSION, tag="pair")
    assert {state.order_id for state in both} == {first, second}


# --- many orders --------------------------------------------------------------------------------------------------


async def test_several_orders_with_one_call(sdk: Sdk) -> None:
    kind = upstox_client.MultiOrderRequest
    lines = [
        request(kind, correlation_id="a", slice=False),
        request(kind, correlation_id="b", slice=False, instrument_token=PUT, tag="b"),
    ]
    answer = await sdk.ask(sdk.v2.place_multi_order, lines, algo_name="scalper")
    assert answer.status == "success"
    assert [line.correlation_id for line in answer.data] == ["a", "b"]
    assert (answer.summary.total, answer.summary.success, answer.summary.error) == (2, 2, 0)

    bad = request(kind, correlation_id="c", slice=False, instrument_token="NSE_FO|1")
    some = await sdk.ask(sdk.v2.place_multi_order, [lines[0], bad])
    assert some.status == "partial_success"
    assert [error.correlation_id for error in some.errors] == ["c"]
    assert some.errors[0].error_code == "UDAPI100011"
    assert await refused(sdk, sdk.v2.place_multi_order, [bad]) == (400, "UDAPI100011")


async def test_all_orders_are_cancelled_and_all_positions_exited(sdk: Sdk) -> None:
    numbers = [await sdk.place(), await sdk.place(tag="one")]
    tagged = await sdk.ask(sdk.v2.cancel_multi_order, tag="one", segment="NSE_FO", algo_name="scalper")
    assert (tagged.data.order_ids, tagged.summary.success) == ([numbers[1]], 1)
    await sdk.comes_to(numbers[1], "cancelled")
    assert (await sdk.data(sdk.v2.cancel_multi_order)).order_ids == [numbers[0]]
    await sdk.comes_to(numbers[0], "cancelled")
    assert await refused(sdk, sdk.v2.cancel_multi_order) == (400, "UDAPI1108")

    await sdk.buy()
    answer = await sdk.ask(sdk.v2.exit_positions, segment="NSE_FO", algo_name="scalper")
    (number,) = answer.data.order_ids
    assert (answer.summary.total, answer.summary.error) == (1, 0)
    await sdk.comes_to(number, "complete")
    assert await refused(sdk, sdk.v2.exit_positions) == (400, "UDAPI1108")


# --- portfolio and money ------------------------------------------------------------------------------------------


async def test_positions_holdings_and_conversions(sdk: Sdk) -> None:
    order = await sdk.buy(quantity=2 * LOT)
    (held,) = await sdk.data(sdk.portfolio.get_positions, API_VERSION)

    assert (held.quantity, held.product, held.instrument_token, held.exchange) == (2 * LOT, "I", CALL, "NFO")
    assert held.average_price == pytest.approx(order.average_price, abs=1e-3)
    assert (held.day_buy_quantity, held.overnight_quantity, held.multiplier) == (2 * LOT, 0, 1.0)
    assert held.pnl == pytest.approx(held.realised + held.unrealised)
    body = upstox_client.ConvertPositionRequest(
        instrument_token=CALL, new_product="D", old_product="I", transaction_type="BUY", quantity=LOT
    )
    assert (await sdk.data(sdk.portfolio.convert_positions, body, API_VERSION)).status == "complete"
    converted = await sdk.data(sdk.portfolio.get_positions, API_VERSION)
    assert {(one.product, one.quantity) for one in converted} == {("I", LOT), ("D", LOT)}
    assert await sdk.data(sdk.portfolio.get_holdings, API_VERSION) == []
    assert await sdk.data(sdk.portfolio.get_mtf_positions) == []


async def test_a_flat_position_is_readable(sdk: Sdk) -> None:
    await sdk.buy()
    (number,) = (await sdk.data(sdk.v2.exit_positions)).order_ids
    await sdk.comes_to(number, "complete")

    (flat,) = await sdk.data(sdk.portfolio.get_positions, API_VERSION)
    assert (flat.quantity, flat.average_price, flat.pnl) == (0, None, flat.realised)


async def test_funds(sdk: Sdk) -> None:
    await sdk.buy()
    v2 = await sdk.data(sdk.user.get_user_fund_margin, API_VERSION)
    equity = (await sdk.data(sdk.user.get_user_fund_margin, API_VERSION, segment="SEC"))["equity"]
    v3 = (await sdk.data(sdk.user.get_user_fund_margin_v3)).available_to_trade.cash_available_to_trade

    assert v2["equity"].available_margin == equity.available_margin == v3.total
    assert v2["commodity"].available_margin == 0
    assert v3.cash.opening_balance == 10_000_000
    assert v3.cash.unpaid_charges < -20
    assert v3.margin_used.premium_present == pytest.approx(equity.used_margin)
    assert v3.total == pytest.approx(v3.cash.opening_balance + v3.cash.unpaid_charges - v3.margin_used.total)


async def test_brokerage_and_margin(sdk: Sdk) -> None:
    cost = (await sdk.data(sdk.charges.get_brokerage, CALL, LOT, "I", "SELL", 520.0, API_VERSION)).charges
    assert (cost.total, cost.brokerage, cost.taxes.stt, cost.other_taxes.transaction) == (53.56, 20.0, 23.4, 5.54)
    assert cost.dp_plan.min_expense == 0

    legs = [
        upstox_client.Instrument(instrument_key=CALL, quantity=LOT, product="D", transaction_type="BUY", price=500.0),
        upstox_client.Instrument(instrument_key=PUT, quantity=LOT, product="D", transaction_type="SELL"),
    ]
    margin = await sdk.data(sdk.charges.post_margin, upstox_client.MarginRequest(instruments=legs))
    bought, written = margin.margins
    assert (bought.net_buy_premium, bought.total_margin) == (15_000.0, 15_000.0)
    assert written.span_margin > written.exposure_margin > 0
    assert margin.required_margin == pytest.approx(bought.total_margin + written.total_margin)
    assert margin.final_margin <= margin.required_margin


async def test_trades_of_the_day_and_of_days_past(sdk: Sdk) -> None:
    await sdk.buy()
    today = await sdk.data(sdk.v2.get_trade_history, API_VERSION)
    past = await sdk.ask(sdk.post_trade.get_trades_by_date_range, "2026-10-01", "2026-10-14", 1, 50, segment="FO")

    assert past.status == "success"
    assert [trade.trade_id for trade in past.data] == [trade.trade_id for trade in today]
    assert past.meta_data.page.total_records == len(today)
    assert (past.data[0].strike_price, past.data[0].option_type, past.data[0].segment) == ("57000.0", "CE", "FO")


async def test_refusals_are_the_sdks_own_exception(running: RunningSimulator, sdk: Sdk) -> None:
    number = await sdk.place()
    other = Sdk(running, "someone-else")

    assert await refused(other, other.v2.get_order_status, order_id=number) == (400, "UDAPI100010")
    assert await refused(sdk, sdk.v3.place_order, request(instrument_token=INDEX)) == (400, "UDAPI100011")
    assert await refused(sdk, sdk.v3.place_order, request(quantity=0)) == (400, "UDAPI1052")
    assert await refused(sdk, sdk.v3.place_order, request(is_amo=True)) == (400, "UDAPI100039")
