"""SIGTERM while a position is held: what the settings say becomes of it, and the next start goes on from there."""

import asyncio
import signal
from pathlib import Path

import pytest

from tests.e2e.books import books_agree, flat_and_over
from tests.e2e.stack import Exchange, Frame, begin, service, simulator
from tests.e2e.test_kills import TRADING


def held(book: Frame) -> int:
    """Return the units that the exchange says are held."""
    return sum(position["net"] for position in book["positions"])


async def something_is_held(exchange: Exchange) -> None:
    """Return once something is held, and nothing works any more."""
    async with asyncio.timeout(120):
        while True:
            book = await exchange.book()
            if held(book) and all(order["status"] == "complete" for order in book["orders"]):
                return
            await asyncio.sleep(0.05)


@pytest.mark.timeout(400)
@pytest.mark.parametrize(
    "policy", ["protect", *(pytest.param(policy, marks=pytest.mark.prove) for policy in ("flatten", "leave"))]
)
async def test_a_service_that_is_stopped_leaves_its_position_as_it_was_told(tmp_path: Path, policy: str) -> None:
    with simulator("--at=09:31", "--speed=10", "--paced") as broker:
        settings = {"ALGOEXEC_ON_SHUTDOWN": policy}
        async with Exchange(broker.url) as exchange, service(tmp_path, broker.url, settings) as running:
            session = await begin(running, mode="live", config={"trading": {**TRADING, "premium_stop_pct": 60.0}})
            await something_is_held(exchange)
            assert running.stop() != -signal.SIGKILL, "it did not end in order"
            await exchange.pause()
            book = await exchange.book()
            sells = [order for order in book["orders"] if order["side"] == "SELL"]
            match policy:
                case "protect":
                    assert held(book) > 0
                    assert [sell["status"] for sell in sells] == ["trigger pending"]
                    assert sum(sell["quantity"] for sell in sells) == held(book)
                case "flatten":
                    assert held(book) == 0
                case _:
                    assert held(book) > 0
                    assert sells == []
            await running.start()
            await exchange.resume()
            await flat_and_over(running, session["id"])
            book = await exchange.book()
            await books_agree(running, book)
            if policy == "protect":
                first = next(order for order in book["orders"] if order["side"] == "SELL")
                assert (first["id"], first["status"]) == (sells[0]["id"], "complete"), "the exit is the stop, changed"
