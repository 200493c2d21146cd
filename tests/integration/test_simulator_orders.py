"""Orders at the simulator, over a real socket: refusals, the life of an order, what becomes of it."""

from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio

from algoexec.simulator.server import RunningSimulator
from algoexec.simulator.users_file import Account, Users
from tests.integration.faulting import start
from tests.integration.simulating import rest, settings, simulator
from tests.integration.trading import (
    BOOK,
    BROKERAGE,
    CALL,
    CANCEL,
    CANCEL_ALL,
    CONVERT,
    DAY_TRADES,
    DETAILS,
    EXIT_ALL,
    FREEZE,
    FUNDS,
    FUNDS_V3,
    HISTORY,
    HOLDINGS,
    LOT,
    MARGIN,
    MODIFY,
    MULTI,
    PAST_TRADES,
    PLACE,
    POSITIONS,
    PUT,
    STANDING,
    TRADES,
    Trader,
    change,
    offered,
    order,
    pass_time,
    quote,
    refusal,
    told,
    trading,
)

READS = [BOOK, DETAILS, HISTORY, TRADES, DAY_TRADES, PAST_TRADES, POSITIONS, HOLDINGS, FUNDS, FUNDS_V3, BROKERAGE]
WRITES = [
    ("POST", PLACE),
    ("PUT", MODIFY),
    ("DELETE", CANCEL),
    ("POST", "/v2/order/place"),
    ("PUT", "/v2/order/modify"),
    ("DELETE", "/v2/order/cancel"),
    ("POST", MULTI),
    ("DELETE", CANCEL_ALL),
    ("POST", EXIT_ALL),
]
OTHERS = [("PUT", CONVERT), ("POST", MARGIN), *(("GET", path) for path in READS)]
ARRIVES = ["put order req received", "validation pending", "open pending", "open"]

# All tests share a simulator, each trades as users of its own.
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


# --- who may ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("method", "path"), [*WRITES, *OTHERS])
async def test_without_a_token_there_is_no_answer(running: RunningSimulator, method: str, path: str) -> None:
    for token in (None, "bad-token"):
        async with rest(running, token) as nobody:
            assert refusal(await nobody.request(method, path)) == (401, "UDAPI100050")


async def test_anothers_order_is_nobodys(trader: Trader) -> None:
    number = await trader.place(order(1.0))
    async with trading(trader.running) as other:
        for path in (DETAILS, HISTORY, TRADES):
            answer = await other.client.get(path, params={"order_id": number})
            assert refusal(answer) == (400, "UDAPI100010")
        assert refusal(await other.client.delete(CANCEL, params={"order_id": number})) == (400, "UDAPI100010")
        assert refusal(await other.client.put(MODIFY, json=change(number, 2.0))) == (400, "UDAPI100010")
        assert [await other.data(path) for path in (BOOK, DAY_TRADES, POSITIONS)] == [[], [], []]
    assert (await trader.details(number))["status"] == "open"


@pytest.mark.parametrize(("method", "path"), WRITES)
async def test_orders_are_served_from_half_past_five(method: str, path: str) -> None:
    async with simulator(settings("05:29:59", speed=STANDING)) as night, rest(night) as client:
        assert refusal(await client.request(method, path, json=order(1.0))) == (423, "UDAPI100072")


@pytest.mark.parametrize("path", [FUNDS, FUNDS_V3])
async def test_funds_are_served_from_half_past_five(path: str) -> None:
    async with simulator(settings("05:29:59", speed=STANDING)) as night, rest(night) as client:
        assert refusal(await client.get(path)) == (423, "UDAPI100072")
        pass_time(night, 1)
        assert (await client.get(path)).status_code == 200


async def test_a_disabled_segment_takes_no_orders() -> None:
    users = Users(users={"ann": Account(disabled_segments=frozenset({"NSE_FO"}))})
    async with simulator(settings(speed=STANDING, users=users)) as running, rest(running) as client:
        assert refusal(await client.post(PLACE, json=order(1.0))) == (400, "UDAPI100036")


async def test_the_11th_order_of_a_second_is_one_too_many_whatever_it_does() -> None:
    async with simulator(settings(speed=STANDING)) as running, trading(running) as ann:
        first = told(await ann.client.post(PLACE, json=order(1.0)))["order_ids"][0]
        slices = await ann.client.post(PLACE, json=order(1.0, quantity=6 * FREEZE, slice=True))
        assert len(told(slices)["order_ids"]) == 6
        told(await ann.client.put(MODIFY, json=change(first, 2.0)))
        told(await ann.client.delete(CANCEL, params={"order_id": first}))

        lines = [order(1.0, correlation_id=name) for name in ("a", "b")]
        assert refusal(await ann.client.post(MULTI, json=lines)) == (429, "UDAPI10005")
        told(await ann.client.post(PLACE, json=order(1.0)))
        assert refusal(await ann.client.post(PLACE, json=order(1.0))) == (429, "UDAPI10005")
        assert len(await ann.data(BOOK)) == 8


# --- bodies that make no sense ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"order_type": None}, "UDAPI1004"),
        ({"order_type": ""}, "UDAPI1004"),
        ({"order_type": "limit"}, "UDAPI1056"),
        ({"validity": None}, "UDAPI1007"),
        ({"validity": "EOS"}, "UDAPI1055"),
        ({"instrument_token": None}, "UDAPI1026"),
        ({"instrument_token": "NSE_FO|1"}, "UDAPI100011"),
        ({"instrument_token": "NSE_INDEX|Nifty Bank"}, "UDAPI100011"),
        ({"instrument_token": ["NSE_FO|41090"]}, "UDAPI100036"),
        ({"quantity": 0}, "UDAPI1052"),
        ({"quantity": None}, "UDAPI100036"),
        ({"quantity": -30}, "UDAPI100036"),
        ({"quantity": "30"}, "UDAPI100036"),
        ({"quantity": 30.5}, "UDAPI100036"),
        ({"quantity": True}, "UDAPI100036"),
        ({"quantity": 26 * FREEZE, "slice": True}, "UDAPI100036"),
        ({"product": "NRML"}, "UDAPI100036"),
        ({"product": "MTF"}, "UDAPI100036"),
        ({"product": None}, "UDAPI100036"),
        ({"transaction_type": "HOLD"}, "UDAPI100036"),
        ({"transaction_type": None}, "UDAPI100036"),
        ({"price": None}, "UDAPI100036"),
        ({"price": 0}, "UDAPI100036"),
        ({"price": -1}, "UDAPI100036"),
        ({"price": "1"}, "UDAPI100036"),
        ({"price": 1e300}, "UDAPI100036"),
        ({"quantity": 2**31}, "UDAPI100036"),
        ({"order_type": "SL", "trigger_price": 0}, "UDAPI100036"),
        ({"order_type": "MARKET"}, "UDAPI100036"),
        ({"trigger_price": 5}, "UDAPI100036"),
        ({"trigger_price": None}, "UDAPI100036"),
        ({"disclosed_quantity": 60}, "UDAPI100036"),
        ({"disclosed_quantity": None}, "UDAPI100036"),
        ({"is_amo": None}, "UDAPI100036"),
        ({"is_amo": "no"}, "UDAPI100036"),
        ({"is_amo": True}, "UDAPI100039"),
        ({"slice": 1}, "UDAPI100036"),
        ({"tag": "x" * 41}, "UDAPI1119"),
        ({"tag": 7}, "UDAPI100036"),
        ({"market_protection": 26}, "UDAPI1159"),
        ({"market_protection": -2}, "UDAPI1160"),
        ({"market_protection": "auto"}, "UDAPI100036"),
    ],
)
async def test_an_order_that_makes_no_sense_is_refused_at_once(
    trader: Trader, changes: dict[str, Any], code: str
) -> None:
    assert refusal(await trader.client.post(PLACE, json=order(**{"price": 1.0, **changes}))) == (400, code)
    assert await trader.data(BOOK) == []


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"7", b"null", b'{"price": NaN}'])
@pytest.mark.parametrize(("method", "path"), [("POST", PLACE), ("PUT", MODIFY), ("PUT", CONVERT), ("POST", MARGIN)])
async def test_a_body_that_is_no_object_is_refused(trader: Trader, method: str, path: str, content: bytes) -> None:
    assert refusal(await trader.client.request(method, path, content=content)) == (400, "UDAPI100036")


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"order_id": None}, "UDAPI1023"),
        ({"order_id": "1 OR 1"}, "UDAPI1010"),
        ({"order_id": "1"}, "UDAPI100010"),
        ({"order_type": None}, "UDAPI1004"),
        ({"order_type": "STOP"}, "UDAPI1056"),
        ({"validity": None}, "UDAPI1007"),
        ({"validity": "GTC"}, "UDAPI1055"),
        ({"price": None}, "UDAPI100036"),
        ({"trigger_price": None}, "UDAPI100036"),
        ({"quantity": 0}, "UDAPI1052"),
        ({"quantity": -30}, "UDAPI100036"),
        ({"market_protection": 30}, "UDAPI1159"),
    ],
)
async def test_a_change_that_makes_no_sense_is_refused_at_once(
    trader: Trader, changes: dict[str, Any], code: str
) -> None:
    number = await trader.place(order(1.0))

    assert refusal(await trader.client.put(MODIFY, json={**change(number, 2.0), **changes})) == (400, code)
    assert await trader.states(number) == ARRIVES


@pytest.mark.parametrize(
    ("method", "path", "code"),
    [
        ("DELETE", CANCEL, "UDAPI1023"),
        ("DELETE", f"{CANCEL}?order_id=a%20b", "UDAPI1010"),
        ("DELETE", f"{CANCEL}?order_id=1", "UDAPI100010"),
        ("GET", DETAILS, "UDAPI1023"),
        ("GET", f"{DETAILS}?order_id=a|b", "UDAPI1010"),
        ("GET", f"{DETAILS}?order_id=1", "UDAPI100010"),
        ("GET", TRADES, "UDAPI1023"),
        ("GET", f"{TRADES}?order_id=1", "UDAPI100010"),
        ("GET", HISTORY, "UDAPI1023"),
        ("GET", f"{HISTORY}?order_id=a.b", "UDAPI1010"),
        ("GET", f"{HISTORY}?tag=nothing", "UDAPI100010"),
        ("DELETE", f"{CANCEL_ALL}?segment=NFO", "UDAPI1105"),
        ("DELETE", f"{CANCEL_ALL}?segment=NSE_EQ", "UDAPI1108"),
        ("DELETE", CANCEL_ALL, "UDAPI1108"),
        ("POST", f"{EXIT_ALL}?segment=NFO", "UDAPI1105"),
        ("POST", EXIT_ALL, "UDAPI1108"),
        ("GET", PAST_TRADES, "UDAPI100036"),
        ("GET", f"{PAST_TRADES}?start_date=2026-10-14&end_date=2026-10-13&page_number=1&page_size=5", "UDAPI1015"),
        ("GET", f"{PAST_TRADES}?start_date=14-10-2026&end_date=2026-10-14&page_number=1&page_size=5", "UDAPI1015"),
        ("GET", f"{PAST_TRADES}?start_date=2026-10-13&end_date=2026-10-14&page_number=0&page_size=5", "UDAPI100036"),
        ("GET", f"{PAST_TRADES}?start_date=2026-10-13&end_date=2026-10-14&page_number=1", "UDAPI100036"),
    ],
)
async def test_a_query_that_makes_no_sense_has_the_brokers_code(
    trader: Trader, method: str, path: str, code: str
) -> None:
    assert refusal(await trader.client.request(method, path)) == (400, code)


# --- the life of an order -----------------------------------------------------------------------------------------


async def test_an_order_lives_from_its_placing_to_its_fill(trader: Trader) -> None:
    running = trader.running
    answer = await trader.client.post(PLACE, json=order(1.0, quantity=2 * LOT, tag="life", product="D"))
    assert answer.json()["metadata"] == {"latency": 5}
    (number,) = told(answer)["order_ids"]
    on_its_way = await trader.details(number)
    assert (on_its_way["status"], on_its_way["exchange_timestamp"], on_its_way["exchange_order_id"]) == (
        "open pending",
        None,
        "",
    )
    pass_time(running, 0.1)
    resting = await trader.details(number)
    assert (resting["status"], resting["pending_quantity"], resting["average_price"]) == ("open", 2 * LOT, 0)
    assert resting["exchange_order_id"]

    asked = round(quote(running).price * 1.02)
    answer = await trader.client.put(MODIFY, json=change(number, asked))
    assert (told(answer), answer.json()["metadata"]) == ({"order_id": number}, {"latency": 5})
    pass_time(running, 0.1)

    done = await trader.details(number)
    assert (done["status"], done["filled_quantity"], done["pending_quantity"]) == ("complete", 2 * LOT, 0)
    assert done["price"] == asked
    assert asked * 0.95 < done["average_price"] < asked
    assert await trader.states(number) == [
        *ARRIVES,
        "modify validation pending",
        "modify pending",
        "modified",
        "open",
        "complete",
    ]
    trades = await trader.data(TRADES, order_id=number)
    assert sum(trade["quantity"] for trade in trades) == 2 * LOT
    assert trades == await trader.data(DAY_TRADES)
    assert [one["order_id"] for one in await trader.data(BOOK)] == [number]


async def test_an_order_is_told_with_all_its_fields(trader: Trader) -> None:
    number = await trader.place(order(1.0, tag="fields", disclosed_quantity=15))

    told_order = await trader.details(number)
    stamp = told_order.pop("order_timestamp")
    assert stamp[:13] == "2026-10-14 10"
    assert told_order.pop("exchange_timestamp")[:13] == "2026-10-14 10"
    assert told_order == {
        "exchange": "NFO",
        "instrument_token": CALL,
        "trading_symbol": "BANKNIFTY 57000 CE 27 OCT 26",
        "tradingsymbol": "BANKNIFTY 57000 CE 27 OCT 26",
        "product": "I",
        "price": 1.0,
        "quantity": LOT,
        "status": "open",
        "guid": None,
        "tag": "fields",
        "placed_by": trader.user,
        "order_type": "LIMIT",
        "validity": "DAY",
        "trigger_price": 0.0,
        "disclosed_quantity": 15,
        "transaction_type": "BUY",
        "average_price": 0.0,
        "filled_quantity": 0,
        "pending_quantity": LOT,
        "status_message": None,
        "status_message_raw": None,
        "exchange_order_id": f"1{number}",
        "parent_order_id": None,
        "order_id": number,
        "variety": "SIMPLE",
        "is_amo": False,
        "order_request_id": "1",
        "order_ref_id": number,
    }


async def test_an_order_is_filled_part_by_part_as_the_book_allows(trader: Trader) -> None:
    running = trader.running
    best = offered(running)
    number = await trader.place(order(best.ask, quantity=best.ask_quantity + LOT))

    part = await trader.details(number)
    assert (part["status"], part["filled_quantity"], part["pending_quantity"]) == ("open", best.ask_quantity, LOT)
    assert part["average_price"] == best.ask
    answer = await trader.client.put(MODIFY, json=change(number, best.ask, quantity=best.ask_quantity))
    assert refusal(answer) == (400, "UDAPI100036"), "so much is filled already"
    told(await trader.client.put(MODIFY, json=change(number, round(best.ask * 1.05))))
    pass_time(running, 0.1)
    assert (await trader.details(number))["status"] == "complete"


async def test_a_finished_order_is_not_changed_nor_cancelled(trader: Trader) -> None:
    number = await trader.buy()
    assert (await trader.details(number))["status"] == "complete"

    assert refusal(await trader.client.put(MODIFY, json=change(number, 5.0))) == (400, "UDAPI100041")
    assert refusal(await trader.client.delete(CANCEL, params={"order_id": number})) == (400, "UDAPI100040")


async def test_a_cancelled_order_says_so_step_by_step(trader: Trader) -> None:
    number = await trader.place(order(1.0))
    answer = await trader.client.delete(CANCEL, params={"order_id": number})
    assert (told(answer), answer.json()["metadata"]) == ({"order_id": number}, {"latency": 5})
    pass_time(trader.running, 0.1)

    assert await trader.states(number) == [*ARRIVES, "cancel pending", "cancelled"]
    assert (await trader.details(number))["pending_quantity"] == 0


async def test_a_change_that_the_exchange_rejects_leaves_the_order_as_it_was(trader: Trader) -> None:
    number = await trader.place(order(1.0))
    told(await trader.client.put(MODIFY, json=change(number, 1.03)))
    pass_time(trader.running, 0.1)

    *_, rejected, stands = await trader.data(HISTORY, order_id=number)
    assert (rejected["status"], stands["status"], stands["price"]) == ("not modified", "open", 1.0)
    assert "tick size" in rejected["status_message"]


async def test_v2_says_the_same_without_slices_and_latency(trader: Trader) -> None:
    answer = await trader.client.post("/v2/order/place", json=order(1.0, slice=True))
    number = told(answer)["order_id"]
    assert "metadata" not in answer.json()
    pass_time(trader.running, 0.1)
    assert told(await trader.client.put("/v2/order/modify", json=change(number, 2.0))) == {"order_id": number}
    pass_time(trader.running, 0.1)
    told(await trader.client.delete("/v2/order/cancel", params={"order_id": number}))
    pass_time(trader.running, 0.1)

    done = await trader.details(number)
    assert (done["status"], done["price"]) == ("cancelled", 2.0)


# --- orders that are rejected -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"quantity": LOT + 1}, "lot size 30"),
        ({"quantity": FREEZE + LOT}, "freeze quantity 600"),
        ({"price": 1.02}, "tick size 0.05"),
        ({"price": 1_000_000.0}, "execution range"),
        ({"order_type": "SL-M", "price": 0, "trigger_price": 900.0, "market_protection": 5}, "SL-M"),
        ({"order_type": "MARKET", "price": 0}, "Market orders from API"),
        ({"order_type": "SL", "price": 900.0, "trigger_price": 901.0}, "stop order"),
        ({"transaction_type": "SELL", "quantity": FREEZE, "price": 5000.0, "product": "D"}, None),
    ],
)
async def test_broker_and_exchange_reject_by_status(trader: Trader, changes: dict[str, Any], words: str | None) -> None:
    number = await trader.place(order(**{"price": 1.0, **changes}))

    rejected = await trader.details(number)
    if words is None:
        assert rejected["status"] == "open", "there is margin enough"
        return
    assert rejected["status"] == "rejected"
    assert words in rejected["status_message"] == rejected["status_message_raw"]
    assert (rejected["pending_quantity"], rejected["exchange_order_id"]) == (0, "")
    assert await trader.states(number) == ["put order req received", "validation pending", "rejected"]


async def test_money_bounds_buys_and_what_would_be_short() -> None:
    users = Users(users={"poor": Account.model_validate({"funds": 100_000})})
    async with simulator(settings(speed=STANDING, users=users)) as running, trading(running, "poor") as poor:
        too_much = await poor.details(await poor.buy(20 * LOT))
        assert too_much["status"] == "rejected"
        assert "RMS:Margin Exceeds" in too_much["status_message"]
        assert (await poor.details(await poor.buy()))["status"] == "complete"

        closing = await poor.place(order(5000.0, transaction_type="SELL"))
        short = await poor.place(order(5000.0, transaction_type="SELL"))

        assert (await poor.details(closing))["status"] == "open"
        second = await poor.details(short)
        assert second["status"] == "rejected", "both together would sell more than there is"
        assert "RMS:Margin Exceeds" in second["status_message"]


# --- kinds of orders ----------------------------------------------------------------------------------------------


async def test_ioc_takes_what_there_is_and_ends(trader: Trader) -> None:
    best = offered(trader.running)
    some = await trader.details(
        await trader.place(order(best.ask, quantity=best.ask_quantity + LOT, validity="IOC", product="D"))
    )
    none = await trader.details(await trader.place(order(1.0, validity="IOC")))

    assert (some["status"], some["filled_quantity"], some["pending_quantity"]) == ("cancelled", best.ask_quantity, 0)
    assert (none["status"], none["filled_quantity"]) == ("cancelled", 0)


async def test_a_market_order_with_protection_is_filled_within_it(trader: Trader) -> None:
    last = quote(trader.running).price
    done = await trader.details(await trader.place(order(order_type="MARKET", market_protection=-1)))

    assert (done["status"], done["order_type"], done["price"]) == ("complete", "MARKET", 0)
    assert last * 0.95 < done["average_price"] <= last * 1.05


async def test_a_stop_waits_for_its_trigger() -> None:
    # A market of its own, which is the same each time.
    async with simulator(settings(speed=STANDING)) as running, trading(running) as ann:
        await ann.buy()
        last = quote(running).price
        trigger = round(last) - 3.0
        stop = order(round(last * 0.9), order_type="SL", trigger_price=trigger, transaction_type="SELL")
        number = await ann.place(stop)
        assert (await ann.details(number))["status"] == "trigger pending"

        while quote(running).price > trigger:
            pass_time(running, 1)

        done = await ann.details(number)
        assert done["status"] == "complete"
        assert stop["price"] < done["average_price"] < last
        assert await ann.states(number) == [*ARRIVES[:3], "trigger pending", "open", "complete"]


async def test_an_order_beyond_the_freeze_quantity_is_sliced_if_it_asks(trader: Trader) -> None:
    answer = await trader.client.post(PLACE, json=order(1.0, quantity=2 * FREEZE + LOT, slice=True, tag="sliced"))
    numbers = told(answer)["order_ids"]
    pass_time(trader.running, 0.1)

    book = await trader.data(BOOK)
    assert [one["order_id"] for one in book] == numbers
    assert [one["quantity"] for one in book] == [FREEZE, FREEZE, LOT]
    history = await trader.data(HISTORY, tag="sliced")
    assert [state["order_id"] for state in history] == [number for number in numbers for _ in ARRIVES]
    assert await trader.states(numbers[1]) == ARRIVES
    both = await trader.data(HISTORY, order_id=numbers[0], tag="sliced")
    assert len(both) == len(ARRIVES)
    mismatch = await trader.client.get(HISTORY, params={"order_id": numbers[0], "tag": "other"})
    assert refusal(mismatch) == (400, "UDAPI100010")


async def test_before_the_open_only_after_market_orders_are_taken() -> None:
    async with simulator(settings("09:10", speed=STANDING)) as running, trading(running) as ann:
        assert refusal(await ann.client.post(PLACE, json=order(1.0))) == (400, "UDAPI100057")
        assert refusal(await ann.client.post(EXIT_ALL)) == (400, "UDAPI100057")
        kept, changed, gone = [await ann.place(order(1.0, is_amo=True)) for _ in range(3)]
        waits = await ann.details(kept)
        assert (waits["status"], waits["is_amo"]) == ("after market order req received", True)
        told(await ann.client.put(MODIFY, json=change(changed, 2.0)))
        told(await ann.client.delete(CANCEL, params={"order_id": gone}))
        assert (await ann.states(gone))[-1] == "cancelled after market order"
        assert (await ann.states(changed))[-1] == "modify after market order req received"

        pass_time(running, 301)
        assert (await ann.states(kept))[1:] == ["after market order req received", *ARRIVES[1:]]
        opened = await ann.details(changed)
        assert (opened["status"], opened["price"]) == ("open", 2.0)


async def test_the_algos_name_is_kept(trader: Trader) -> None:
    await trader.client.post(PLACE, json=order(1.0), headers={"X-Algo-Name": "scalper"})

    user = trader.user
    book = (await trader.client.get("/sim/book", params={"user": user})).json()
    (kept,) = book["users"][user]["orders"]
    assert kept["algo"] == "scalper"


# --- many at once -------------------------------------------------------------------------------------------------


def line(name: str | None, price: float = 1.0, **changes: Any) -> dict[str, Any]:
    return order(price, correlation_id=name, **changes)


async def test_several_orders_are_placed_with_one_call_buys_first(trader: Trader) -> None:
    lines = [line("sell", 5000.0, transaction_type="SELL"), line("buy"), line("put", instrument_token=PUT)]
    answer = await trader.client.post(MULTI, json=lines, headers={"X-Algo-Name": "scalper"})

    body = answer.json()
    assert (answer.status_code, body["status"], body["errors"]) == (200, "success", None)
    assert body["summary"] == {"total": 3, "payload_error": 0, "success": 3, "error": 0}
    assert [one["correlation_id"] for one in body["data"]] == ["buy", "put", "sell"]
    book = await trader.data(BOOK)
    assert [one["order_id"] for one in book] == [one["order_id"] for one in body["data"]]


async def test_the_parts_of_a_sliced_line_are_numbered(trader: Trader) -> None:
    answer = await trader.client.post(MULTI, json=[line("big", quantity=FREEZE + LOT, slice=True), line("small")])

    assert [one["correlation_id"] for one in told(answer)] == ["big_1", "big_2", "small"]
    assert answer.json()["summary"]["success"] == 2


async def test_if_any_line_makes_no_sense_none_is_placed(trader: Trader) -> None:
    lines = [line("good"), line("bad", order_type="STOP"), line("good"), line(None), line("x" * 21)]
    answer = await trader.client.post(MULTI, json=lines)

    body = answer.json()
    assert (answer.status_code, body["status"], body["data"]) == (400, "error", [])
    assert [(error["correlation_id"], error["error_code"]) for error in body["errors"]] == [
        ("bad", "UDAPI1056"),
        ("good", "UDAPI1117"),
        (None, "UDAPI1115"),
        (None, "UDAPI1116"),
    ]
    assert body["summary"] == {"total": 5, "payload_error": 4, "success": 0, "error": 0}
    assert await trader.data(BOOK) == []


async def test_lines_that_are_refused_leave_the_others_alone(trader: Trader) -> None:
    lines = [line("good"), line("bad", instrument_token="NSE_FO|1")]
    some = await trader.client.post(MULTI, json=lines)
    none = await trader.client.post(MULTI, json=lines[1:])

    body = some.json()
    assert (some.status_code, body["status"]) == (207, "partial_success")
    assert [one["correlation_id"] for one in body["data"]] == ["good"]
    assert [(error["correlation_id"], error["error_code"]) for error in body["errors"]] == [("bad", "UDAPI100011")]
    assert body["summary"] == {"total": 2, "payload_error": 0, "success": 1, "error": 1}
    assert (none.status_code, none.json()["status"]) == (400, "error")
    assert len(await trader.data(BOOK)) == 1


@pytest.mark.parametrize(
    ("lines", "code"),
    [
        ([], "UDAPI1114"),
        ([line(str(number)) for number in range(26)], "UDAPI1118"),
        ({"orders": []}, "UDAPI100036"),
    ],
)
async def test_a_multi_order_has_1_to_25_lines(trader: Trader, lines: Any, code: str) -> None:
    assert refusal(await trader.client.post(MULTI, json=lines)) == (400, code)


async def test_25_lines_are_placed(trader: Trader) -> None:
    answer = await trader.client.post(MULTI, json=[line(str(number)) for number in range(25)])
    assert answer.json()["summary"]["success"] == 25


async def test_all_orders_are_cancelled_at_once_or_those_of_a_tag(trader: Trader) -> None:
    tagged = await trader.place(order(1.0, tag="mine"))
    other = await trader.place(order(1.0))
    stop = await trader.place(order(6000.0, order_type="SL", trigger_price=6000.0))
    assert await trader.details(stop)
    nothing = await trader.client.delete(CANCEL_ALL, params={"tag": "nobody's"})
    assert refusal(nothing) == (400, "UDAPI1108")

    first = await trader.client.delete(CANCEL_ALL, params={"tag": "mine", "segment": "NSE_FO"})
    assert told(first) == {"order_ids": [tagged]}
    assert first.json()["summary"] == {"total": 1, "success": 1, "error": 0}
    assert first.json()["errors"] is None
    pass_time(trader.running, 0.1)
    assert told(await trader.client.delete(CANCEL_ALL)) == {"order_ids": [other, stop]}
    pass_time(trader.running, 0.1)
    assert {one["status"] for one in await trader.data(BOOK)} == {"cancelled"}


async def test_all_positions_are_exited_shorts_first(trader: Trader) -> None:
    await trader.buy(2 * LOT, product="D")
    await trader.sell(LOT, instrument_token=PUT)
    answer = await trader.client.post(EXIT_ALL)
    pass_time(trader.running, 1)

    numbers = told(answer)["order_ids"]
    assert answer.json()["summary"] == {"total": 2, "success": 2, "error": 0}
    exits = [await trader.details(number) for number in numbers]
    assert [(one["transaction_type"], one["quantity"], one["order_type"], one["product"]) for one in exits] == [
        ("BUY", LOT, "MARKET", "I"),
        ("SELL", 2 * LOT, "MARKET", "D"),
    ]
    assert {one["status"] for one in exits} == {"complete"}
    assert [position["quantity"] for position in await trader.data(POSITIONS)] == [0, 0]
    assert refusal(await trader.client.post(EXIT_ALL)) == (400, "UDAPI1108")


async def test_positions_of_a_tag_are_exited_alone(trader: Trader) -> None:
    await trader.buy(tag="mine")
    await trader.buy(instrument_token=PUT)
    (number,) = told(await trader.client.post(EXIT_ALL, params={"tag": "mine"}))["order_ids"]
    pass_time(trader.running, 1)

    assert (await trader.details(number))["instrument_token"] == CALL
    assert [position["quantity"] for position in await trader.data(POSITIONS)] == [0, LOT]


# --- faults -------------------------------------------------------------------------------------------------------


async def test_a_fault_rejects_an_order_in_its_own_words(trader: Trader) -> None:
    user = trader.user
    await start(trader.running, {"when": {"user": user, "count": 1}, "do": {"reject": "RMS: not today"}}, name=user)
    rejected, taken = [await trader.details(await trader.place(order(1.0))) for _ in range(2)]

    assert (rejected["status"], rejected["status_message"], taken["status"]) == ("rejected", "RMS: not today", "open")


async def test_a_fault_fills_an_order_in_part_and_late_and_before_its_cancellation(trader: Trader) -> None:
    user = trader.user
    when = {"user": user, "count": 1}
    await start(
        trader.running,
        {"when": when, "do": {"partial": {"units": LOT}}},
        {"when": when, "do": {"exchange_latency": 2000}},
        {"when": when, "do": {"fills_before_cancel": {}}},
        name=user,
    )
    number = await trader.buy(2 * LOT)
    assert (await trader.details(number))["status"] == "open pending"
    pass_time(trader.running, 3)
    part = await trader.details(number)
    assert (part["status"], part["filled_quantity"]) == ("open", LOT)

    assert refusal(await trader.client.delete(CANCEL, params={"order_id": "1"})) == (400, "UDAPI100010")
    assert refusal(await trader.client.delete(CANCEL, params={"order_id": number})) == (400, "UDAPI100040")
    assert (await trader.details(number))["status"] == "complete"


# --- the back office ----------------------------------------------------------------------------------------------


async def test_past_trades_come_in_pages(trader: Trader) -> None:
    for _ in range(3):
        await trader.buy(instrument_token=PUT)
        pass_time(trader.running, 1)
    query: dict[str, Any] = {"start_date": "2026-10-13", "end_date": "2026-10-14", "page_size": 2}
    first, second = [
        (await trader.client.get(PAST_TRADES, params={**query, "page_number": number})).json() for number in (1, 2)
    ]

    trades = await trader.data(DAY_TRADES)
    assert [one["trade_id"] for one in first["data"] + second["data"]] == [one["trade_id"] for one in trades]
    assert first["metaData"] == first["meta_data"]
    total = len(trades)
    assert second["metaData"]["page"] == {
        "page_number": 2,
        "page_size": 2,
        "total_records": total,
        "total_pages": (total + 1) // 2,
    }
    row = first["data"][0]
    assert row.pop("amount") == pytest.approx(row["quantity"] * row["price"])
    assert (row["strike_price"], row["option_type"], row["expiry"], row["trade_date"]) == (
        "57000.0",
        "PE",
        "2026-10-27",
        "2026-10-14",
    )
    page = {**query, "page_number": 1}
    assert await trader.data(PAST_TRADES, **{**page, "end_date": "2026-10-13"}) == []
    assert await trader.data(PAST_TRADES, **page, segment="EQ") == []
    assert await trader.data(PAST_TRADES, **page, segment="FO") != []
    assert refusal(await trader.client.get(PAST_TRADES, params={**page, "segment": "NFO"})) == (400, "UDAPI1105")


# --- limits -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("key", [CALL, PUT, "NSE_FO|40001"])
@pytest.mark.parametrize("version", ["v2", "v3"])
async def test_the_price_limits_of_a_quote_are_those_that_orders_meet(trader: Trader, key: str, version: str) -> None:
    (shown,) = (await trader.data(f"/{version}/market-quote/quotes", instrument_key=key)).values()
    tick = 0.05 if key in (CALL, PUT) else 0.2
    lowest, highest = shown["lower_circuit_limit"], shown["upper_circuit_limit"]

    for price, status in (
        (lowest, "open"),
        (round(lowest - tick, 2), "rejected"),
        (round(highest + tick, 2), "rejected"),
    ):
        if price > 0:
            number = await trader.place(order(price, instrument_token=key))
            assert (await trader.details(number))["status"] == status, price
