"""What only a simulator can tell and be told: its books are those that REST tells of, and its clock can stand."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any, Final

import httpx
import pytest

from algoexec.simulator.configuration import SimulatorSettings
from algoexec.simulator.server import RunningSimulator
from tests.integration.simulating import INDEX, feed, rest, settings, simulator
from tests.integration.trading import (
    BOOK,
    CALL,
    CANCEL,
    DAY_TRADES,
    FUNDS_V3,
    LOT,
    PLACE,
    POSITIONS,
    PUT,
    STANDING,
    Trader,
    order,
    pass_time,
    quote,
    told,
    trading,
)

SIM_BOOK: Final = "/sim/book"
PATIENCE_S: Final = 10

type Row = dict[str, Any]


async def sim(client: httpx.AsyncClient, path: str, method: str = "GET", **query: str) -> Row:
    """Return what an endpoint of the simulator's own tells."""
    answer = await client.request(method, path, params=query)
    assert answer.status_code == 200, answer.text
    content: Row = answer.json()
    return content


# --- the books ----------------------------------------------------------------------------------------------------


async def traded(running: RunningSimulator, trader: Trader) -> None:
    """Leave a position, a flat one, and orders of several fates."""
    await trader.buy(2 * LOT, tag="a")
    await trader.buy(instrument_token=PUT)
    await trader.sell(instrument_token=PUT)
    await trader.place(order(1.0))
    ended = await trader.place(order(1.0, product="D"))
    told(await trader.client.delete(CANCEL, params={"order_id": ended}))
    await trader.place(order(1.0, quantity=LOT + 1))
    rule = {"strategy": "ENTRY", "trigger_type": "BELOW", "trigger_price": 1.0}
    gtt = {"type": "SINGLE", "quantity": LOT, "product": "D", "instrument_token": CALL, "rules": [rule]}
    told(await trader.client.post("/v3/order/gtt/place", json={**gtt, "transaction_type": "BUY"}))
    pass_time(running, 60)


async def test_the_book_is_what_rest_tells() -> None:
    play = settings("10:30:30", speed=STANDING, rate_limits=False)
    async with simulator(play) as running, trading(running) as trader, rest(running, None) as nobody:
        await traded(running, trader)
        book = (await sim(nobody, SIM_BOOK, user=trader.user))["users"][trader.user]
        orders, trades = await trader.data(BOOK), await trader.data(DAY_TRADES)
        positions, funds = await trader.data(POSITIONS), await trader.data(FUNDS_V3)
        gtts = await trader.data("/v3/order/gtt")

    fields = {"id": "order_id", "status": "status", "filled": "filled_quantity", "side": "transaction_type"}
    fields |= {"instrument": "instrument_token", "quantity": "quantity", "price": "price", "tag": "tag"}
    fields |= {"product": "product", "type": "order_type", "message": "status_message", "placed_by": "placed_by"}
    assert [[one[name] for name in fields] for one in book["orders"]] == [
        [one[name] for name in fields.values()] for one in orders
    ]
    assert {one["status"] for one in orders} == {"complete", "open", "cancelled", "rejected"}
    assert [(one["id"], one["order_id"], one["quantity"], one["price"]) for one in book["trades"]] == [
        (one["trade_id"], one["order_id"], one["quantity"], one["average_price"]) for one in trades
    ]
    assert {(one["instrument"], one["product"]): (one["net"], one["realised"]) for one in book["positions"]} == {
        (one["instrument_token"], one["product"]): (one["quantity"], one["realised"]) for one in positions
    }
    cash = funds["available_to_trade"]["cash_available_to_trade"]
    assert book["opening"] == cash["cash"]["opening_balance"]
    assert book["charges"] == {"total": -cash["cash"]["unpaid_charges"], "approximate": False}
    spent = sum(one["quantity"] * one["price"] * (1 if one["side"] == "BUY" else -1) for one in book["trades"])
    assert book["cash"] == pytest.approx(book["opening"] - spent, abs=0.005)
    assert book["gtt_orders"] == gtts


async def test_the_book_tells_of_everybody_and_of_whoever_never_traded() -> None:
    async with simulator(settings("10:30:30", speed=STANDING)) as running, rest(running, None) as nobody:
        assert (await sim(nobody, SIM_BOOK))["users"] == {}
        async with trading(running, "ann") as ann, trading(running, "bob") as bob:
            await ann.buy()
            await bob.place(order(1.0))
        book = await sim(nobody, SIM_BOOK)
        stranger = (await sim(nobody, SIM_BOOK, user="eve"))["users"]["eve"]

    assert list(book["users"]) == ["ann", "bob"]
    assert book["at"] == running.broker.clock.now_ms
    assert (stranger["opening"], stranger["cash"], stranger["orders"], stranger["positions"]) == (1e7, 1e7, [], [])


async def test_the_book_tells_the_truth_while_faults_lie() -> None:
    async with simulator(settings("10:30:30", speed=STANDING)) as running, trading(running, "ann") as ann:
        await ann.buy()
        fault = {"when": {"path": "/v2/*"}, "do": {"answer": {"status": 200, "body": "garbage"}}}
        script = {"name": "lies", "imitates": "A test.", "faults": [fault]}
        assert (await ann.client.post("/sim/faults", json=script)).status_code == 201
        with pytest.raises(ValueError, match="Unterminated"):
            (await ann.client.get(POSITIONS)).json()

        (held,) = (await sim(ann.client, SIM_BOOK))["users"]["ann"]["positions"]
        assert (held["instrument"], held["net"]) == (CALL, LOT)


# --- the clock ----------------------------------------------------------------------------------------------------


async def stands(client: httpx.AsyncClient) -> bool:
    """Return whether no market time passes while some wall time does."""
    before = (await sim(client, "/sim/clock"))["now_ms"]
    await asyncio.sleep(0.2)
    return bool((await sim(client, "/sim/clock"))["now_ms"] == before)


async def completes(trader: Trader, number: str) -> Row:
    """Return an order once it is filled."""
    async with asyncio.timeout(PATIENCE_S):
        while (details := await trader.details(number))["status"] != "complete":
            pass
    assert isinstance(details, dict)
    return details


async def test_while_the_market_stands_orders_are_taken_and_filled_when_it_goes_on() -> None:
    play = settings("10:30:30", speed=20.0, rate_limits=False)
    async with simulator(play) as running, trading(running) as trader, rest(running, None) as nobody:
        assert not await stands(nobody)
        told_of = await sim(nobody, "/sim/pause", "POST")
        assert (told_of["paused"], told_of["speed"]) == (True, 20.0)
        assert await stands(nobody)

        price = round(quote(running).price * 1.05)
        (number,) = told(await trader.client.post(PLACE, json=order(price)))["order_ids"]
        assert await stands(nobody)
        assert (await trader.details(number))["status"] == "open pending"
        assert (await sim(nobody, "/sim/pause", "POST"))["now_ms"] == told_of["now_ms"], "it stands already"

        assert (await sim(nobody, "/sim/resume", "POST"))["paused"] is False
        await completes(trader, number)
        assert not await stands(nobody)


@pytest.fixture(params=[{"speed": 20.0, "paced": True}, {"speed": None}])
def waiting(request: pytest.FixtureRequest) -> SimulatorSettings:
    """Return how a day is played that waits for who watches it."""
    return settings("10:30:30", **request.param)


async def frames(running: RunningSimulator) -> AsyncIterator[int]:
    """Yield the stamps of the frames that a socket gets."""
    async with feed(running) as client:
        await client.ask("sub", [INDEX], "ltpc")
        while True:
            yield (await client.frame()).currentTs


async def test_a_paced_day_stands_and_goes_on_without_a_jump(waiting: SimulatorSettings) -> None:
    async with simulator(waiting) as running, rest(running, None) as nobody:
        stamps = frames(running)
        async with asyncio.timeout(PATIENCE_S):
            for _ in range(20):
                await anext(stamps)
            paused = (await sim(nobody, "/sim/pause", "POST"))["now_ms"]
            assert await stands(nobody)
            await sim(nobody, "/sim/resume", "POST")
            while (before := await anext(stamps)) <= paused:
                pass
            following = [before] + [await anext(stamps) for _ in range(20)]
        assert before - paused < 5_000, "the time that it stood is not made up for"
        assert following == sorted(following)
        await stamps.aclose()  # type: ignore[attr-defined] # an async generator


async def test_the_clock_is_told_by_its_speed_and_its_run() -> None:
    async with simulator(settings("09:20:00", speed=STANDING)) as running, rest(running, None) as nobody:
        clock = await sim(nobody, "/sim/clock")

    assert clock["now"].startswith("2026-10-14T09:20:0")
    assert clock["now"].endswith("+05:30")
    assert (clock["speed"], clock["paused"], clock["instance"]) == (STANDING, False, running.broker.instance)
