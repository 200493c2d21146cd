"""Every call of the official SDK is accounted for: the simulator answers it with the SDK's own model, or says why not.

One user walks through all of them in a sensible order; what is left over fails the test.
"""

import inspect
from collections.abc import AsyncIterator
from typing import Any, Final

import pytest_asyncio
import upstox_client

from algoexec.simulator.server import RunningSimulator
from tests.contract.official_sdk import API_VERSION, answer, api_client
from tests.contract.sdk_calls import ANSWERED, NOT_ANSWERED
from tests.integration.simulating import INDEX, settings, simulator

CALL: Final = "NSE_FO|41090"
LOT: Final = 30
EXPIRY: Final = "2026-10-27"
TODAY: Final = "2026-10-14"


def calls_of_the_sdk() -> set[str]:
    """Return every call that the SDK offers, as `Class.method`."""
    return {
        f"{name}.{method}"
        for name, kind in vars(upstox_client).items()
        if inspect.isclass(kind) and name.endswith(("Api", "ApiV3"))
        for method, function in vars(kind).items()
        if inspect.isfunction(function) and not method.startswith("_") and "with_http_info" not in method
    }


def test_every_call_is_accounted_for_once() -> None:
    answered = [f"{name}.{method}" for name, methods in ANSWERED.items() for method in methods]
    left_out = [f"{name}.{method}" for name, methods in NOT_ANSWERED.items() for method in methods]

    assert sorted(answered + left_out) == sorted(calls_of_the_sdk())


class Walk:
    """Makes calls by name and keeps those that were answered well, each with the SDK's own model."""

    def __init__(self, running: RunningSimulator) -> None:
        """Call `running` as one user."""
        self._running = running
        self._client = api_client(running, "user:walker")
        self.made: set[str] = set()

    async def data(self, name: str, *arguments: object, **options: object) -> Any:
        """Return the data of a call."""
        kind, method = name.split(".")
        told = await answer(getattr(getattr(upstox_client, kind)(self._client), method), *arguments, **options)
        assert told.status == "success", name
        assert hasattr(told, "swagger_types"), f"{name} is no model"
        self.made.add(name)
        return told.data

    def come_back(self) -> None:
        """Call with another token from now on: the first one has ended."""
        self._client = api_client(self._running, "user:walker:again")

    async def filled(self, number: str) -> None:
        """Return once an order is filled; `get_order_status` is a call like any other."""
        while (await self.data("OrderApi.get_order_status", order_id=number)).status != "complete":
            pass


@pytest_asyncio.fixture
async def walk() -> AsyncIterator[Walk]:
    async with simulator(settings("10:30:30", speed=20.0, rate_limits=False)) as running:
        yield Walk(running)


def order(kind: Any, **changes: Any) -> Any:
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


def change(number: str) -> Any:
    return upstox_client.ModifyOrderRequest(
        order_id=number, validity="DAY", order_type="LIMIT", price=2.0, trigger_price=0.0
    )


async def read_the_market(walk: Walk) -> None:
    await walk.data("InstrumentsApi.search_instrument", "BANKNIFTY")
    await walk.data("OptionsApi.get_option_contracts", INDEX)
    await walk.data("OptionsApi.get_put_call_option_chain", INDEX, EXPIRY)
    await walk.data("HistoryV3Api.get_historical_candle_data", INDEX, "minutes", 1, "2026-10-13")
    await walk.data("HistoryV3Api.get_historical_candle_data1", INDEX, "minutes", 1, "2026-10-13", "2026-10-12")
    await walk.data("HistoryV3Api.get_intra_day_candle_data", INDEX, "minutes", 1)
    await walk.data("MarketQuoteApi.ltp", CALL, API_VERSION)
    await walk.data("MarketQuoteApi.get_market_quote_ohlc", CALL, "1d", API_VERSION)
    await walk.data("MarketQuoteApi.get_full_market_quote", CALL, API_VERSION)
    await walk.data("MarketQuoteV3Api.get_ltp", instrument_key=CALL)
    await walk.data("MarketQuoteV3Api.get_market_quote_ohlc", "I1", instrument_key=CALL)
    await walk.data("MarketQuoteV3Api.get_full_market_quote_v3", instrument_key=CALL)
    await walk.data("MarketQuoteV3Api.get_market_quote_option_greek", instrument_key=CALL)
    calendar = "MarketHolidaysAndTimingsApi"
    await walk.data(f"{calendar}.get_market_status", "NFO")
    await walk.data(f"{calendar}.get_exchange_timings", TODAY)
    await walk.data(f"{calendar}.get_holidays")
    await walk.data(f"{calendar}.get_holiday", "2026-11-24")
    await walk.data("WebsocketApi.get_market_data_feed_authorize_v3")
    await walk.data("WebsocketApi.get_portfolio_stream_feed_authorize", API_VERSION)


async def trade(walk: Walk) -> None:
    kind = upstox_client.PlaceOrderV3Request
    (resting,) = (await walk.data("OrderApiV3.place_order", order(kind))).order_ids
    await walk.data("OrderApiV3.modify_order", change(resting))
    await walk.data("OrderApiV3.cancel_order", resting)
    older = (await walk.data("OrderApi.place_order", order(upstox_client.PlaceOrderRequest), API_VERSION)).order_id
    await walk.data("OrderApi.modify_order", change(older), API_VERSION)
    await walk.data("OrderApi.cancel_order", older, API_VERSION)
    lines = [order(upstox_client.MultiOrderRequest, correlation_id=name, slice=False) for name in ("a", "b")]
    await walk.data("OrderApi.place_multi_order", lines)
    await walk.data("OrderApi.cancel_multi_order")
    (bought,) = (await walk.data("OrderApiV3.place_order", order(kind, price=2_000.0))).order_ids
    await walk.filled(bought)
    await walk.data("OrderApi.get_order_book", API_VERSION)
    await walk.data("OrderApi.get_order_details", API_VERSION, order_id=bought)
    await walk.data("OrderApi.get_trade_history", API_VERSION)
    await walk.data("OrderApi.get_trades_by_order", bought, API_VERSION)


async def wait_for_a_price(walk: Walk) -> None:
    rules = [upstox_client.GttRule(strategy="ENTRY", trigger_type="BELOW", trigger_price=1.0)]
    fields = {"type": "SINGLE", "quantity": LOT, "rules": rules}
    body = upstox_client.GttPlaceOrderRequest(**fields, product="D", instrument_token=CALL, transaction_type="BUY")
    (number,) = (await walk.data("OrderApiV3.place_gtt_order", body)).gtt_order_ids
    changed = upstox_client.GttModifyOrderRequest(**fields, gtt_order_id=number)
    await walk.data("OrderApiV3.modify_gtt_order", changed)
    await walk.data("OrderApiV3.get_gtt_order_details", gtt_order_id=number)
    await walk.data("OrderApiV3.cancel_gtt_order", upstox_client.GttCancelOrderRequest(gtt_order_id=number))


async def look_at_the_account(walk: Walk) -> None:
    await walk.data("PortfolioApi.get_positions", API_VERSION)
    converted = upstox_client.ConvertPositionRequest(
        instrument_token=CALL, new_product="D", old_product="I", transaction_type="BUY", quantity=LOT
    )
    await walk.data("PortfolioApi.convert_positions", converted, API_VERSION)
    await walk.data("PortfolioApi.get_holdings", API_VERSION)
    await walk.data("PortfolioApi.get_mtf_positions")
    await walk.data("UserApi.get_profile", API_VERSION)
    await walk.data("UserApi.get_user_fund_margin", API_VERSION)
    await walk.data("UserApi.get_user_fund_margin_v3")
    await walk.data("ChargeApi.get_brokerage", CALL, LOT, "I", "BUY", 500.0, API_VERSION)
    leg = upstox_client.Instrument(instrument_key=CALL, quantity=LOT, product="D", transaction_type="SELL")
    await walk.data("ChargeApi.post_margin", upstox_client.MarginRequest(instruments=[leg]))
    await walk.data("PostTradeApi.get_trades_by_date_range", TODAY, TODAY, 1, 10)


async def leave(walk: Walk) -> None:
    (sold,) = (await walk.data("OrderApi.exit_positions")).order_ids
    await walk.filled(sold)
    await walk.data("UserApi.get_kill_switch")
    off = [upstox_client.KillSwitchSegmentUpdateRequest(segment="NSE_FO", action="DISABLE")]
    await walk.data("UserApi.update_kill_switch", off)
    await walk.data("UserApi.get_user_ips")
    await walk.data("UserApi.update_user_ip", upstox_client.UpdateUserIpRequest(primary_ip="192.0.2.1"))
    walk.come_back()
    await walk.data("LoginApi.logout", API_VERSION)


async def test_every_call_that_is_said_to_be_answered_is(walk: Walk) -> None:
    for step in (read_the_market, trade, wait_for_a_price, look_at_the_account, leave):
        await step(walk)

    expected = {f"{name}.{method}" for name, methods in ANSWERED.items() for method in methods}
    assert walk.made == expected
