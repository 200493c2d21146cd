"""A person has the last word: over HTTP, through a kill of the service, at the exchange."""

import asyncio
from pathlib import Path

import httpx
import pytest

from algoexec.domain.calendar import IST
from tests.e2e.books import books_agree, flat_and_over, journal_rebuilds
from tests.e2e.stack import Frame, Service, begin, frames, standing_market

CONFIG = {
    "signal_life_minutes": 15,
    "trading": {"capital": 300_000, "max_daily_loss": 60_000, "risk_pct": 3.0, "approval": "manual"},
}


async def told(running: Service, session_id: str, phase: str, order_id: str | None = None) -> Frame:
    """Return the first order that the stream has told, or tells, in a phase."""
    async with asyncio.timeout(120):
        async for frame in frames(running, f"?session_id={session_id}&topics=order&since=0"):
            data: Frame = frame["data"]
            if frame["type"] == "order" and data["phase"] == phase and order_id in (None, data["id"]):
                return data
    raise AssertionError("the stream has ended")


async def decide(client: httpx.AsyncClient, offer: Frame, word: str) -> Frame:
    """Answer a question, twice with one key, as after a lost answer."""
    key = {"Idempotency-Key": f"{word} {offer['id']}"}
    answers = [await client.post(f"/orders/{offer['id']}/{word}", headers=key) for _ in range(2)]
    assert all(answer.is_success for answer in answers), answers[0].text
    assert answers[0].json() == answers[1].json()
    said: Frame = answers[0].json()
    return said


@pytest.mark.prove
@pytest.mark.timeout(240)
async def test_what_a_person_approves_is_bought_once_also_after_a_kill(tmp_path: Path) -> None:
    async with standing_market(tmp_path, "--at=09:35", "--speed=30") as (running, exchange):
        session = await begin(running, mode="live", config=CONFIG)
        await exchange.resume()
        first = await told(running, session["id"], "AWAITING_APPROVAL")
        assert (await exchange.book())["orders"] == [], "nobody has said yes"

        running.kill()
        await exchange.pause()
        await running.start()
        async with running.client() as client:
            shown = (await client.get(f"/sessions/{session['id']}")).json()["trading"]["offer"]
            assert (shown["id"], shown["phase"]) == (first["id"], "AWAITING_APPROVAL")
            await exchange.resume()
            assert (await decide(client, first, "reject"))["reason"] == "DECLINED"

            second = await told(running, session["id"], "AWAITING_APPROVAL", await another(client, first))
            assert (await decide(client, second, "approve"))["phase"] == "APPROVED"
            filled = await told(running, session["id"], "FILLED", second["id"])
            late = await client.post(f"/orders/{second['id']}/approve")
            row = (await client.get(f"/orders/{second['id']}")).json()

        assert late.status_code == httpx.codes.CONFLICT
        phases = [step["phase"] for step in row["history"]]
        assert phases[:3] == ["AWAITING_APPROVAL", "APPROVED", "SENDING"]
        assert (filled["instrument"], filled["side"]) == (second["instrument"], "BUY")
        await flat_and_over(running, session["id"])
        book = await exchange.book()
        assert [order["tag"] for order in book["orders"]].count(second["id"]) == 1
        assert first["id"] not in {order["tag"] for order in book["orders"]}
        await books_agree(running, book)
        assert (await exchange.now()).astimezone(IST).hour < 15
    await journal_rebuilds(tmp_path)


async def another(client: httpx.AsyncClient, first: Frame) -> str:
    """Return the id of an entry that waits after the first one."""
    async with asyncio.timeout(120):
        while True:
            items = (await client.get("/orders", params={"refused": "false"})).json()["items"]
            for order in items:
                if order["id"] != first["id"] and order["phase"] == "AWAITING_APPROVAL":
                    waiting: str = order["id"]
                    return waiting
            await asyncio.sleep(0.05)
