"""Orders, their updates and the person's hand, while faults are about: all over real sockets, at a running clock."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import datetime
from typing import Any, Final

import httpx
import pytest
import websockets
from websockets.exceptions import ConnectionClosed

from algoexec.simulator.server import RunningSimulator
from tests.integration.faulting import start
from tests.integration.simulating import rest, settings, simulator

CALL: Final = "NSE_FO|41090"
LOT: Final = 30
PLACE: Final = "/v3/order/place"
BOOK: Final = "/v2/order/retrieve-all"
POSITIONS: Final = "/v2/portfolio/short-term-positions"
STREAM: Final = "/v2/feed/portfolio-stream-feed"
QUICK: Final = 20.0
"""Market seconds in a second: a cancel comes well before a fill that takes its time."""

type Data = Any


class Account:
    """Ann's account as she sees it: what is told over REST, and what her portfolio socket says."""

    def __init__(self, running: RunningSimulator, client: httpx.AsyncClient) -> None:
        """Trade at `running` by `client`."""
        self.running = running
        self.client = client

    async def data(self, path: str, **query: Any) -> Data:
        """Return what an endpoint tells."""
        answer = await self.client.get(path, params=query)
        assert answer.status_code == 200, answer.text
        return answer.json()["data"]

    async def body(self, side: str, quantity: int, beyond: float = 0.03, **more: Any) -> dict[str, Any]:
        """Return a limit order that goes `beyond` (a fraction) the last price, on the side where it is filled."""
        (quote,) = (await self.data("/v3/market-quote/ltp", instrument_key=CALL)).values()
        price = round(quote["last_price"] * (1 + (beyond if side == "BUY" else -beyond)))
        fixed = {"product": "I", "validity": "DAY", "order_type": "LIMIT", "disclosed_quantity": 0}
        order = {"instrument_token": CALL, "transaction_type": side, "quantity": quantity, "price": price}
        return {**fixed, **order, "trigger_price": 0, "is_amo": False, **more}

    async def place(self, side: str = "BUY", quantity: int = LOT, **more: Any) -> str:
        """Place an order that the market would fill; return its number."""
        answer = await self.client.post(PLACE, json=await self.body(side, quantity, **more))
        assert answer.status_code == 200, answer.text
        return str(answer.json()["data"]["order_ids"][0])

    async def order(self, number: str) -> Data:
        """Return an order as it stands."""
        return await self.data("/v2/order/details", order_id=number)

    async def until(self, path: str, holds: Callable[[Data], bool], **query: Any) -> Data:
        """Return what an endpoint tells once it `holds`."""
        async with asyncio.timeout(20):
            while not holds(told := await self.data(path, **query)):
                pass
        return told

    async def ended(self, number: str, status: str) -> Data:
        """Return an order once it has this status."""
        return await self.until("/v2/order/details", lambda order: order["status"] == status, order_id=number)

    async def holding(self, quantity: int) -> None:
        """Return once so many units of the call are held."""
        await self.until(POSITIONS, lambda rows: sum(row["quantity"] for row in rows) == quantity)

    @asynccontextmanager
    async def updates(self) -> AsyncIterator[websockets.ClientConnection]:
        """Open the portfolio socket for order updates."""
        uri = (await self.data(f"{STREAM}/authorize"))["authorized_redirect_uri"]
        async with websockets.connect(uri, close_timeout=0.1) as socket:
            yield socket


@asynccontextmanager
async def account(speed: float = QUICK) -> AsyncIterator[Account]:
    async with simulator(settings("10:30:30", speed=speed, rate_limits=False)) as running, rest(running) as client:
        yield Account(running, client)


async def statuses(socket: websockets.ClientConnection, last: str = "complete") -> list[str]:
    """Return the statuses that are told of one order up to `last`."""
    told = [""]
    async with asyncio.timeout(20):
        while told[-1] != last:
            told.append(json.loads(await socket.recv())["status"])
    return told[1:]


# --- requests ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("do", "orders"), [({"cut": "before"}, 0), ({"cut": "after"}, 1)])
async def test_an_order_whose_answer_is_lost_may_be_in_the_book(do: dict[str, str], orders: int) -> None:
    async with account() as ann:
        await start(ann.running, {"when": {"path": PLACE, "tag": "mine", "count": 1}, "do": do})
        body = await ann.body("BUY", LOT, tag="mine")
        with pytest.raises((httpx.RemoteProtocolError, httpx.ReadError)):
            await ann.client.post(PLACE, json=body)

        assert [order["tag"] for order in await ann.data(BOOK)] == ["mine"] * orders


async def test_a_fill_comes_before_the_answer_to_its_order() -> None:
    async with account() as ann, ann.updates() as socket:
        await start(ann.running, {"when": {"path": PLACE}, "do": {"latency": {"after_ms": 1500}}})
        body = await ann.body("BUY", LOT)
        answering = asyncio.create_task(ann.client.post(PLACE, json=body))

        await statuses(socket, "complete")
        assert not answering.done()
        assert (await answering).status_code == 200


# --- orders --------------------------------------------------------------------------------------------------------


async def test_an_exit_is_accepted_and_rejected_by_risk_management() -> None:
    async with account() as ann:
        await start(ann.running, {"when": {"side": "SELL", "count": 1}, "do": {"reject": "RMS:Square off refused"}})
        await ann.ended(await ann.place("BUY"), "complete")

        rejected = await ann.ended(await ann.place("SELL"), "rejected")
        assert "RMS:Square off refused" in rejected["status_message"]
        assert rejected["filled_quantity"] == 0
        await ann.holding(LOT)
        await ann.ended(await ann.place("SELL"), "complete")


async def test_an_order_is_filled_in_part_and_stands_until_it_is_cancelled() -> None:
    async with account() as ann:
        await start(ann.running, {"when": {"count": 1}, "do": {"partial": {"fraction": 0.5}}})
        number = await ann.place("BUY", 4 * LOT)
        await ann.until("/v2/order/details", lambda order: order["filled_quantity"] == 2 * LOT, order_id=number)
        before = await market_time(ann)
        while await market_time(ann) < before + 10_000:
            pass
        stuck = await ann.order(number)
        assert (stuck["status"], stuck["filled_quantity"], stuck["pending_quantity"]) == ("open", 2 * LOT, 2 * LOT)

        assert (await ann.client.delete("/v3/order/cancel", params={"order_id": number})).status_code == 200
        assert (await ann.ended(number, "cancelled"))["filled_quantity"] == 2 * LOT
        await ann.holding(2 * LOT)


async def test_a_cancel_is_refused_because_the_order_is_filled() -> None:
    async with account() as ann:
        await start(ann.running, {"do": {"fills_before_cancel": {}}})
        number = await ann.place("BUY", beyond=-0.3)
        await ann.ended(number, "open")

        await ann.client.delete("/v3/order/cancel", params={"order_id": number})
        assert (await ann.ended(number, "complete"))["filled_quantity"] == LOT
        late = await ann.client.delete("/v3/order/cancel", params={"order_id": number})
        assert late.status_code == 400
        await ann.holding(LOT)


async def test_a_change_is_accepted_and_not_made() -> None:
    async with account() as ann:
        number = await ann.place("BUY", beyond=-0.3)
        before = await ann.ended(number, "open")
        await start(ann.running, {"when": {"count": 1}, "do": {"reject": "RMS:No"}})
        change = {"order_id": number, "order_type": "LIMIT", "validity": "DAY", "price": 2.0, "trigger_price": 0}
        assert (await ann.client.put("/v3/order/modify", json=change)).status_code == 200

        states = await ann.until(
            "/v2/order/history", lambda told: told[-2]["status"] == "not modified", order_id=number
        )
        assert (states[-2]["status_message"], states[-1]["status"]) == ("RMS:No", "open")
        assert (await ann.order(number))["price"] == before["price"]
        await ann.client.put("/v3/order/modify", json=change)
        await ann.until("/v2/order/details", lambda order: order["price"] == 2.0, order_id=number)


async def test_of_a_cancel_of_all_orders_one_comes_too_late() -> None:
    async with account() as ann:
        await start(ann.running, {"when": {"tag": "late"}, "do": {"fills_before_cancel": {}}})
        late, other = await ann.place(beyond=-0.3, tag="late"), await ann.place(beyond=-0.3)
        for number in (late, other):
            await ann.ended(number, "open")
        answer = await ann.client.delete("/v2/order/multi/cancel")

        body = answer.json()
        assert (answer.status_code, body["status"], body["data"]["order_ids"]) == (207, "partial_success", [other])
        assert body["summary"] == {"total": 2, "success": 1, "error": 1}
        (error,) = body["errors"]
        assert (error["error_code"], error["order_id"], error["instrument_key"]) == ("UDAPI100040", late, CALL)
        assert (await ann.order(late))["filled_quantity"] == LOT
        await ann.ended(other, "cancelled")


async def test_the_only_order_of_a_cancel_of_all_comes_too_late() -> None:
    async with account() as ann:
        await start(ann.running, {"do": {"fills_before_cancel": {}}})
        await ann.ended(await ann.place(beyond=-0.3), "open")
        answer = await ann.client.delete("/v2/order/multi/cancel")

        assert (answer.status_code, answer.json()["status"]) == (400, "error")
        await ann.holding(LOT)


async def test_exits_from_everything_are_rejected_one_by_one() -> None:
    put = "NSE_FO|41091"
    async with account() as ann:
        for key in (CALL, put):
            await ann.ended(await ann.place(instrument_token=key, price=2000), "complete")
        await start(ann.running, {"when": {"instrument": put, "side": "SELL"}, "do": {"reject": "RMS:No"}})
        numbers = (await ann.client.post("/v2/order/positions/exit")).json()["data"]["order_ids"]

        ended = {order["instrument_token"]: order for order in await ann.data(BOOK) if order["order_id"] in numbers}
        assert ended[put]["status"] == "rejected"
        await ann.ended(ended[CALL]["order_id"], "complete")
        await ann.holding(LOT)


async def test_slices_share_what_is_filled_of_their_order() -> None:
    async with account() as ann:
        await start(ann.running, {"when": {"count": 1}, "do": {"partial": {"units": 20 * LOT + LOT}}})
        body = await ann.body("BUY", 40 * LOT, slice=True)
        numbers = (await ann.client.post(PLACE, json=body)).json()["data"]["order_ids"]

        await ann.holding(21 * LOT)
        assert [(await ann.order(number))["filled_quantity"] for number in numbers] == [20 * LOT, LOT]


async def test_an_order_is_long_on_its_way_to_the_exchange() -> None:
    async with account() as ann:
        await start(ann.running, {"when": {"count": 1}, "do": {"exchange_latency": 7000}})
        slow = await ann.ended(await ann.place("BUY"), "complete")

        placed, filled = (datetime.fromisoformat(slow[name]) for name in ("order_timestamp", "exchange_timestamp"))
        history = await ann.data("/v2/order/history", order_id=slow["order_id"])
        begun = datetime.fromisoformat(history[0]["order_timestamp"])
        assert max(placed, filled).timestamp() - begun.timestamp() >= 6


async def market_time(ann: Account) -> int:
    return int((await ann.client.get("/sim/clock")).json()["now_ms"])


# --- the person ----------------------------------------------------------------------------------------------------


async def test_the_person_sells_half_then_all_by_hand_in_the_app() -> None:
    async with account() as ann:
        await start(
            ann.running,
            {"do": {"hand": {"sell": "half", "after_s": 5}}},
            {"do": {"hand": {"sell": "all", "after_s": 20}}},
        )
        mine = await ann.place("BUY", 4 * LOT)
        await ann.ended(mine, "complete")
        await ann.holding(2 * LOT)
        await ann.holding(0)

        by_hand = [order for order in await ann.data(BOOK) if order["order_id"] != mine]
        assert [(one["transaction_type"], one["quantity"]) for one in by_hand] == [("SELL", 2 * LOT)] * 2
        assert {one["tag"] for one in by_hand} == {None}


# --- updates -------------------------------------------------------------------------------------------------------


async def test_updates_come_twice_or_never() -> None:
    async with account() as ann, ann.updates() as socket:
        await start(
            ann.running,
            {"when": {"status": "open"}, "do": {"duplicate_update": 2}},
            {"when": {"status": "validation pending"}, "do": {"drop_update": {}}},
        )
        number = await ann.place("BUY")

        assert await statuses(socket) == ["put order req received", "open pending", *["open"] * 3, "complete"]
        history = await ann.data("/v2/order/history", order_id=number)
        assert "validation pending" in [state["status"] for state in history], "REST tells what the stream lost"


async def test_an_update_is_overtaken_by_the_next_one() -> None:
    async with account() as ann, ann.updates() as socket:
        await start(ann.running, {"when": {"status": "open"}, "do": {"reorder_update": {}}})
        await ann.place("BUY")

        assert (await statuses(socket, "open"))[-2:] == ["complete", "open"]


async def test_an_update_comes_late() -> None:
    async with account() as ann, ann.updates() as socket:
        await start(ann.running, {"when": {"status": "open pending"}, "do": {"delay_update": 20_000}})
        await ann.ended(await ann.place("BUY"), "complete")
        filled = await market_time(ann)

        assert (await statuses(socket, "open pending"))[-2:] == ["complete", "open pending"]
        assert await market_time(ann) - filled > 10_000


@pytest.mark.parametrize(("code", "received"), [(1000, 1000), (1006, None)])
async def test_a_portfolio_socket_is_closed(code: int, received: int | None) -> None:
    async with account() as ann, ann.updates() as socket:
        await start(ann.running, {"when": {"path": STREAM, "count": 1, "skip": 1}, "do": {"close": code}})
        await ann.place("BUY")
        await socket.recv()
        with pytest.raises(ConnectionClosed) as closed:
            await socket.recv()
        assert (None if closed.value.rcvd is None else closed.value.rcvd.code) == received


async def test_a_portfolio_socket_stalls_and_still_answers_pings() -> None:
    async with account() as ann, ann.updates() as socket:
        await start(ann.running, {"when": {"path": STREAM}, "do": {"stall": 3600}})
        await ann.ended(await ann.place("BUY"), "complete")
        await asyncio.wait_for(await socket.ping(), 10)
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(socket.recv(), 0.3)
