"""The service is killed again and again while it trades, and its book stays that of the exchange."""

import asyncio
from collections import Counter
from datetime import datetime
from pathlib import Path
from random import Random
from typing import Any

import httpx
import pytest

from tests.e2e.stack import Service, all_pages, begin, service, simulator

TRADING = {"capital": 300_000, "max_daily_loss": 60_000, "risk_pct": 3.0, "max_consecutive_losses": 20}
SPEED = 20.0


class Exchange:
    """The simulator as the test knows it: its clock, its books, and a pause."""

    def __init__(self, url: str) -> None:
        self._client = httpx.AsyncClient(base_url=url, trust_env=False)

    async def __aenter__(self) -> "Exchange":
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._client.aclose()

    async def now(self) -> datetime:
        return datetime.fromisoformat((await self._client.get("/sim/clock")).json()["now"])

    async def pause(self) -> None:
        await self._client.post("/sim/pause")

    async def resume(self) -> None:
        await self._client.post("/sim/resume")

    async def book(self, user: str) -> dict[str, Any]:
        users = (await self._client.get("/sim/book", params={"user": user})).json()["users"]
        book: dict[str, Any] = users[user]
        return book


async def killed_while_trading(data: Path, kills: int, seed: int) -> None:
    """Kill the service at random moments of a trading morning; compare what it says with what the exchange has."""
    random = Random(seed)
    with simulator("--at=09:31", f"--speed={SPEED:g}", "--paced") as broker:
        async with Exchange(broker.url) as exchange, service(data, broker.url) as running:
            session = await begin(running, mode="live", config={"trading": TRADING})
            for _ in range(kills):
                await asyncio.sleep(random.uniform(0.2, 60 / SPEED * 4))
                running.kill()
                await exchange.pause()
                await running.start()
                await exchange.resume()
            await flat_and_over(running, session["id"])
            await books_agree(running, await exchange.book("trader"))


async def flat_and_over(running: Service, session_id: str) -> None:
    """End the session and return when it is over."""
    async with running.client() as client, asyncio.timeout(120):
        while (await client.delete(f"/sessions/{session_id}", params={"flatten": "true"})).status_code >= 500:  # noqa: ASYNC110 - one can only ask again
            await asyncio.sleep(0.2)
        while (await client.get(f"/sessions/{session_id}")).json()["status"] != "STOPPED":  # noqa: ASYNC110 - one can only ask again
            await asyncio.sleep(0.2)


async def books_agree(running: Service, book: dict[str, Any]) -> None:
    orders, trades = await all_pages(running, "/orders"), await all_pages(running, "/trades")
    sent = {order["id"]: order for order in orders if order["phase"] != "REFUSED"}
    placed = Counter(order["tag"] for order in book["orders"])
    assert trades, "nothing was traded: nothing was tried"
    assert all(position["net"] == 0 for position in book["positions"]), "something is still held"
    assert set(placed.values()) == {1}, "an intent became two orders"
    assert set(placed) <= set(sent), "the exchange has an order that the service has forgotten"
    for order in book["orders"]:
        assert sent[order["tag"]]["filled"] == order["filled"], order
    missing = [order for tag, order in sent.items() if tag not in placed]
    assert all(order["phase"] in ("NOT_SENT", "REJECTED") and not order["filled"] for order in missing)
    assert round(sum(trade["gross"] for trade in trades), 2) == round(book["cash"] - book["opening"], 2)


@pytest.mark.timeout(200)
async def test_kills_while_trading_lose_and_double_nothing(tmp_path: Path) -> None:
    await killed_while_trading(tmp_path, kills=2, seed=5)


@pytest.mark.prove
@pytest.mark.timeout(1800)
async def test_fifty_kills_while_trading_lose_and_double_nothing(tmp_path: Path) -> None:
    await killed_while_trading(tmp_path, kills=50, seed=50)
