"""The official SDK's own streamers, GTT calls and account calls against the simulator, faults and reconnects included.

Nothing but the SDK talks to the simulator, but for starting a fault script.
"""

import asyncio
import gc
import json
from collections.abc import AsyncIterator, Callable
from itertools import count
from typing import Any, Final

import pytest
import pytest_asyncio
import upstox_client
from upstox_client.rest import ApiException

from algoexec.simulator.server import RunningSimulator
from tests.contract.official_sdk import (
    API_VERSION,
    PATIENCE_S,
    Heard,
    aimed_at,
    answer,
    api_client,
    read,
    threads_ended,
)
from tests.integration.faulting import start
from tests.integration.simulating import INDEX, settings, simulator
from tests.waiting import until

CALL: Final = "NSE_FO|41090"
FUTURE: Final = "NSE_FO|40001"
LOT: Final = 30
FEED: Final = "/v3/feed/market-data-feed"
STREAM: Final = "/v2/feed/portfolio-stream-feed"
__all__ = ["aimed_at"]

type Aim = Callable[[RunningSimulator], None]

# The SDK's socket library leaves a socket open that is closed while it reads.
pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.filterwarnings("ignore:unclosed:ResourceWarning")]
_numbers = count(1)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def running() -> AsyncIterator[RunningSimulator]:
    async with simulator(settings("10:30:30", speed=20.0, idle_ping_s=0.2, rate_limits=False)) as running:
        yield running
        await threads_ended()
    gc.collect()


@pytest.fixture
def token() -> str:
    return f"user:streams{next(_numbers)}"


@pytest.fixture
def api(running: RunningSimulator, token: str, aimed_at: Aim) -> Any:
    aimed_at(running)
    return api_client(running, token)


def order(price: float = 1.0, **changes: Any) -> Any:
    """Return a limit buy of a lot that nobody sells, but for the changes."""
    fields = {
        "quantity": LOT,
        "product": "I",
        "validity": "DAY",
        "price": price,
        "instrument_token": CALL,
        "order_type": "LIMIT",
        "transaction_type": "BUY",
        "disclosed_quantity": 0,
        "trigger_price": 0.0,
        "is_amo": False,
    }
    return upstox_client.PlaceOrderV3Request(**{**fields, **changes})


def gtt(*rules: Any, **changes: Any) -> Any:
    """Return a GTT buy of a lot."""
    fields = {
        "type": "SINGLE" if len(rules) == 1 else "MULTIPLE",
        "quantity": LOT,
        "product": "D",
        "instrument_token": CALL,
        "transaction_type": "BUY",
        "rules": list(rules),
    }
    return upstox_client.GttPlaceOrderRequest(**{**fields, **changes})


def rule(strategy: str, trigger: str, price: float, **more: Any) -> Any:
    return upstox_client.GttRule(strategy=strategy, trigger_type=trigger, trigger_price=price, **more)


async def place(api: Any, price: float = 1.0, **changes: Any) -> str:
    """Place an order; return its number."""
    (number,) = (await read(upstox_client.OrderApiV3(api).place_order, order(price, **changes))).order_ids
    return str(number)


async def last_price(api: Any) -> float:
    (quote,) = (await read(upstox_client.MarketQuoteV3Api(api).get_ltp, instrument_key=CALL)).values()
    return float(quote.last_price)


async def holds(condition: Callable[[], bool]) -> None:
    """Return once a condition holds that is asked of the SDK."""
    await asyncio.to_thread(until, condition, within=PATIENCE_S)


async def comes_to(api: Any, number: str, status: str) -> None:
    """Return once an order has a status."""
    details = upstox_client.OrderApi(api).get_order_status
    await holds(lambda: bool(details(order_id=number).data.status == status))


async def refused(function: Callable[..., Any], *arguments: object, **options: object) -> tuple[int, str]:
    """Return status and code of an SDK call that is refused."""
    with pytest.raises(ApiException) as raised:
        await answer(function, *arguments, **options)
    return raised.value.status, json.loads(raised.value.body)["errors"][0]["error_code"]


# --- the portfolio stream -----------------------------------------------------------------------------------------


async def updates_until(heard: Heard, **wanted: object) -> list[dict[str, Any]]:
    """Return the updates up to the one with these fields. The SDK hands over the text as it came."""
    found: list[dict[str, Any]] = []
    while not found or any(found[-1].get(name) != value for name, value in wanted.items()):
        found.append(json.loads(await heard.message()))
    return found


async def test_the_portfolio_streamer_tells_orders_positions_and_gtts(api: Any) -> None:
    streamer = upstox_client.PortfolioDataStreamer(
        api, order_update=True, position_update=True, holding_update=True, gtt_update=True
    )
    streamer.auto_reconnect(False)
    heard = Heard(streamer)
    streamer.connect()
    try:
        await heard.until("open")
        number = await place(api, round(await last_price(api) * 1.05))
        told = await updates_until(heard, update_type="position")
        states = [one["status"] for one in told if one["update_type"] == "order"]
        assert states == ["put order req received", "validation pending", "open pending", "open", "complete"]
        assert {one["order_id"] for one in told if one["update_type"] == "order"} == {number}
        assert (told[-1]["instrument_token"], told[-1]["quantity"]) == (CALL, LOT)

        (waiting,) = (
            await read(upstox_client.OrderApiV3(api).place_gtt_order, gtt(rule("ENTRY", "BELOW", 1.0)))
        ).gtt_order_ids
        (*_, update) = await updates_until(heard, update_type="gtt_order")
        assert (update["gtt_order_id"], update["rules"][0]["status"]) == (waiting, "SCHEDULED")
    finally:
        streamer.disconnect()


async def test_the_portfolio_streamer_asks_for_orders_alone_by_itself(api: Any) -> None:
    streamer = upstox_client.PortfolioDataStreamer(api)
    streamer.auto_reconnect(False)
    heard = Heard(streamer)
    streamer.connect()
    try:
        await heard.until("open")
        await place(api, round(await last_price(api) * 1.05))
        await updates_until(heard, status="complete")
        last = await place(api)
        assert {one["update_type"] for one in await updates_until(heard, order_id=last)} == {"order"}
    finally:
        streamer.disconnect()


async def test_the_portfolio_streamer_stops_at_once_on_a_bad_token(running: RunningSimulator, aimed_at: Aim) -> None:
    aimed_at(running)
    streamer = upstox_client.PortfolioDataStreamer(api_client(running, "bad-token"))
    heard = Heard(streamer)
    streamer.connect()

    (error,) = await heard.until("error")
    assert "401 Unauthorized" in str(error), "the words that the SDK looks for"
    await heard.until("close")


async def test_a_portfolio_streamer_that_was_cut_comes_back_and_is_not_told_what_it_missed(
    running: RunningSimulator, api: Any, token: str
) -> None:
    streamer = upstox_client.PortfolioDataStreamer(api)
    heard = Heard(streamer)
    streamer.connect()
    try:
        await heard.until("open")
        await start(
            running,
            {
                "when": {"path": STREAM, "user": token.removeprefix("user:"), "skip": 1, "count": 1},
                "do": {"close": 1006},
            },
            name="cut",
        )
        missed = await place(api)
        await heard.until("error")
        await heard.until("reconnecting")
        await heard.until("open")
        await comes_to(api, missed, "open")
        later = await place(api)
        assert {one["order_id"] for one in await updates_until(heard, order_id=later, status="open")} <= {missed, later}
    finally:
        streamer.auto_reconnect(False)
        streamer.disconnect()


async def test_the_authorized_address_of_the_portfolio_stream(api: Any) -> None:
    authorize = upstox_client.WebsocketApi(api).get_portfolio_stream_feed_authorize
    data = await read(authorize, API_VERSION, order_update=True, position_update=True, holding_update=True)

    assert data.authorized_redirect_uri.startswith("ws://127.0.0.1:")


# --- the market-data feed -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(("mode", "rows"), [("full", 5), ("full_d30", 30)])
async def test_the_streamer_reads_books_of_both_depths(api: Any, mode: str, rows: int) -> None:
    streamer = upstox_client.MarketDataStreamerV3(api, [FUTURE], mode)
    streamer.auto_reconnect(False)
    heard = Heard(streamer)
    streamer.connect()
    try:
        snapshot = await heard.message(lambda message: "feeds" in message)
        assert len(snapshot["feeds"][FUTURE]["fullFeed"]["marketFF"]["marketLevel"]["bidAskQuote"]) == rows
    finally:
        streamer.disconnect()


async def test_a_streamer_that_was_cut_comes_back_with_all_it_had(
    running: RunningSimulator, api: Any, token: str
) -> None:
    streamer = upstox_client.MarketDataStreamerV3(api, [INDEX], "full")
    heard = Heard(streamer)
    streamer.connect()
    try:
        await heard.message(lambda message: INDEX in message.get("feeds", {}))
        streamer.subscribe([FUTURE], "ltpc")
        await heard.message(lambda message: "ltpc" in message.get("feeds", {}).get(FUTURE, {}))
        await start(
            running,
            {"when": {"path": FEED, "user": token.removeprefix("user:"), "count": 1}, "do": {"close": 1006}},
            name="feed-cut",
        )
        await heard.until("error")
        await heard.until("reconnecting")
        await heard.until("open")
        await heard.message(lambda message: "fullFeed" in message.get("feeds", {}).get(INDEX, {}))
        await heard.message(lambda message: "ltpc" in message.get("feeds", {}).get(FUTURE, {}))
    finally:
        streamer.auto_reconnect(False)
        streamer.disconnect()


async def test_a_streamer_that_was_closed_with_1000_never_comes_back(
    running: RunningSimulator, api: Any, token: str
) -> None:
    streamer = upstox_client.MarketDataStreamerV3(api, [INDEX], "ltpc")
    heard = Heard(streamer)
    streamer.connect()
    await heard.message(lambda message: INDEX in message.get("feeds", {}))
    fault = {"when": {"path": FEED, "user": token.removeprefix("user:"), "count": 1}, "do": {"close": 1000}}
    await start(running, fault, name="feed-closed")

    await heard.until("error")
    code, _ = await heard.until("close")
    assert code == 1000
    with pytest.raises(Exception, match="not open"):
        await asyncio.to_thread(streamer.subscribe, [FUTURE], "ltpc")


async def test_both_streams_end_when_the_user_logs_out(api: Any) -> None:
    feed, portfolio = upstox_client.MarketDataStreamerV3(api, [INDEX], "ltpc"), upstox_client.PortfolioDataStreamer(api)
    heard = {streamer: Heard(streamer) for streamer in (feed, portfolio)}
    for streamer in heard:
        streamer.connect()
    await heard[feed].message()
    await heard[portfolio].until("open")
    assert await read(upstox_client.LoginApi(api).logout, API_VERSION) is True

    for one in heard.values():
        await one.until("error")
        code, _ = await one.until("close")
        assert code == 1000, "a code after which the SDK does not try again with its dead token"
    assert await refused(upstox_client.UserApi(api).get_profile, API_VERSION) == (401, "UDAPI100050")


# --- orders that wait ---------------------------------------------------------------------------------------------


async def test_a_gtt_order_is_placed_changed_read_and_cancelled(api: Any) -> None:
    v3 = upstox_client.OrderApiV3(api)
    told = await answer(v3.place_gtt_order, gtt(rule("ENTRY", "BELOW", 1.0)), algo_name="scalper")
    (number,) = told.data.gtt_order_ids
    assert isinstance(told.metadata.latency, int)
    change = upstox_client.GttModifyOrderRequest(
        type="SINGLE", quantity=2 * LOT, gtt_order_id=number, rules=[rule("ENTRY", "BELOW", 2.0)]
    )
    assert (await read(v3.modify_gtt_order, change)).gtt_order_ids == [number]

    (shown,) = await read(v3.get_gtt_order_details, gtt_order_id=number)
    assert (shown.type, shown.quantity, shown.product, shown.instrument_token) == ("SINGLE", 2 * LOT, "D", CALL)
    assert (shown.gtt_order_id, shown.exchange, shown.trading_symbol) == (number, "NFO", "BANKNIFTY 57000 CE 27 OCT 26")
    (one,) = shown.rules
    assert (one.strategy, one.status, one.trigger_type, one.trigger_price) == ("ENTRY", "SCHEDULED", "BELOW", 2.0)
    assert [other.gtt_order_id for other in await read(v3.get_gtt_order_details)] == [number]

    body = upstox_client.GttCancelOrderRequest(gtt_order_id=number)
    assert (await read(v3.cancel_gtt_order, body)).gtt_order_ids == [number]
    assert await read(v3.get_gtt_order_details) == []
    assert await refused(v3.cancel_gtt_order, body) == (400, "UDAPI100040")


async def test_a_gtt_order_with_a_trailing_stop_and_a_target_enters_and_waits(api: Any) -> None:
    v3, price = upstox_client.OrderApiV3(api), await last_price(api)
    rules = [
        rule("ENTRY", "IMMEDIATE", float(round(price * 1.05))),
        rule("STOPLOSS", "IMMEDIATE", float(round(price * 0.5)), trailing_gap=float(round(price * 0.5))),
        rule("TARGET", "IMMEDIATE", float(round(price * 2)), market_protection=-1.0),
    ]
    (number,) = (await read(v3.place_gtt_order, gtt(*rules))).gtt_order_ids

    def has_entered() -> bool:
        (shown,) = v3.get_gtt_order_details(gtt_order_id=number).data
        return [one.status for one in shown.rules] == ["COMPLETED", "SCHEDULED", "SCHEDULED"]

    await holds(has_entered)
    (shown,) = await read(v3.get_gtt_order_details, gtt_order_id=number)
    (order_of_entry,) = await read(upstox_client.OrderApi(api).get_order_book, API_VERSION)
    assert shown.rules[0].order_id == order_of_entry.order_id


# --- the account --------------------------------------------------------------------------------------------------


async def test_the_kill_switch(api: Any) -> None:
    user = upstox_client.UserApi(api)
    rows = await read(user.get_kill_switch)
    assert len(rows) == 8
    waiting = await place(api)
    off = [upstox_client.KillSwitchSegmentUpdateRequest(segment="NSE_FO", action="DISABLE")]
    # The SDK leaves the rows as they came.
    told = {row["segment"]: row for row in await read(user.update_kill_switch, off)}

    assert (told["NSE_FO"]["kill_switch_enabled"], told["NSE_FO"]["segment_status"]) == (True, "ACTIVE")
    await comes_to(api, waiting, "cancelled")
    assert (await refused(upstox_client.OrderApiV3(api).place_order, order()))[0] == 400
    on = [upstox_client.KillSwitchSegmentUpdateRequest(segment="NSE_FO", action="ENABLE")]
    assert await refused(user.update_kill_switch, on) == (400, "UDAPI1185"), "for twelve hours"


async def test_a_segment_with_a_position_cannot_be_switched_off(api: Any) -> None:
    number = await place(api, round(await last_price(api) * 1.05))
    await comes_to(api, number, "complete")
    off = [upstox_client.KillSwitchSegmentUpdateRequest(segment="NSE_FO", action="DISABLE")]

    assert await refused(upstox_client.UserApi(api).update_kill_switch, off) == (400, "UDAPI1184")


async def test_static_addresses(running: RunningSimulator, api: Any, token: str) -> None:
    user = upstox_client.UserApi(api)
    assert (await read(user.get_user_ips)).primary_ip is None
    body = upstox_client.UpdateUserIpRequest(primary_ip="192.0.2.1", secondary_ip="192.0.2.2")
    told = await read(user.update_user_ip, body)

    assert (told.primary_ip, told.secondary_ip, told.access_tokens_invalidated) == ("192.0.2.1", "192.0.2.2", True)
    assert await refused(user.get_user_ips) == (401, "UDAPI100050")
    again = api_client(running, f"{token}:again")
    assert (await read(upstox_client.UserApi(again).get_user_ips)).primary_ip == "192.0.2.1"
    assert await refused(upstox_client.OrderApiV3(again).place_order, order()) == (403, "UDAPI1154")


async def test_instruments_are_found_by_expiry_and_by_distance_from_the_money(api: Any) -> None:
    search = upstox_client.InstrumentsApi(api).search_instrument
    found = await read(search, "BANKNIFTY", segments="FO", instrument_types="CE", expiry="2026-10-27", atm_offset=0)
    further = await read(search, "BANKNIFTY", segments="FO", instrument_types="CE", expiry="2026-10-27", atm_offset=2)

    assert len(found) == len(further) == 1
    assert further[0]["strike_price"] - found[0]["strike_price"] == 200.0
    assert found[0]["lot_size"] == LOT
