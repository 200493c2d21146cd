"""A day traded on paper: the lists, the stream and the session tell one profit, to the paisa."""

import asyncio
import logging
from datetime import time
from pathlib import Path

import pytest

from tests.e2e.books import journal_rebuilds, profit_follows, trades_add_up
from tests.e2e.stack import Exchange, Frame, Service, begin, standing_market
from tests.e2e.test_day import GOLDEN
from tests.e2e.watching import Client, moment

TRADING = {"capital": 300_000, "max_daily_loss": 60_000, "risk_pct": 3.0, "max_consecutive_losses": 20}
"""Several lots, also of those of 2019, and limits that hardly cut a day short."""

logger = logging.getLogger(__name__)

GENERATED = "generated"


@pytest.mark.prove
@pytest.mark.timeout(240)
async def test_a_morning_on_paper_adds_up(tmp_path: Path) -> None:
    async with standing_market(tmp_path, "--at=09:44", "--speed=60") as (running, exchange):
        session = await begin(running, mode="paper", config={"trading": {**TRADING, "max_minutes_in_trade": 4}})
        client = Client(running, session["id"])
        following = asyncio.create_task(client.follow())
        await exchange.resume()
        await client.candle_closed(time(9, 55))
        await flatten(running, session["id"], client)
        await following
        await adds_up(running, exchange, session, client)
    await journal_rebuilds(tmp_path)


async def flatten(running: Service, session_id: str, client: Client) -> None:
    """Begin nothing more, sell what is held, and end the session once the stream has told the result."""
    async with running.client() as http:
        for command in ("halt", "flatten"):
            assert (await http.post(f"/sessions/{session_id}/{command}", json={})).is_success
        await client.until(lambda: is_flat(client))
        assert (await http.delete(f"/sessions/{session_id}")).is_success


def is_flat(client: Client) -> bool:
    """Whether nothing is held, and the newest profit is that of closed trades alone."""
    positions, trades = client.of("position"), client.of("trade")
    is_neutral = bool(positions) and positions[-1]["data"]["stage"] == "NEUTRAL"
    return is_neutral and bool(trades) and moment(client.pnl[-1]) >= moment(trades[-1])


@pytest.mark.prove
@pytest.mark.timeout(900)
@pytest.mark.parametrize("name", [GENERATED, *GOLDEN])
async def test_a_day_on_paper_at_60_adds_up(name: str, tmp_path: Path, request: pytest.FixtureRequest) -> None:
    day: object = name
    if name != GENERATED:
        day = request.getfixturevalue("shared_data") / "golden_days" / name
    async with standing_market(tmp_path, f"--day={day}", "--at=09:14", "--speed=60") as (running, exchange):
        session = await begin(running, mode="paper", config={"trading": TRADING})
        client = Client(running, session["id"])
        await exchange.resume()
        await client.follow()
        assert client.numbered[-1]["data"]["reason"] == "day_over"
        await adds_up(running, exchange, session, client)
    await journal_rebuilds(tmp_path)


async def adds_up(running: Service, exchange: Exchange, session: Frame, client: Client) -> None:
    """Lists, stream and session agree on what was traded, something was, and the exchange knows nothing of it."""
    trades = await trades_add_up(running, session, client)
    assert len(trades) >= 2, "too little was traded to try anything"
    profit_follows(client.pnl, trades)
    assert (await exchange.book())["orders"] == [], "paper has reached the exchange"
    summary(str(session["day"]), trades)


def summary(name: str, trades: list[Frame]) -> None:
    """Say what a day brought (--log-level=info)."""
    net = sum(trade["net"] for trade in trades)
    logger.info("%s: %d trades, charges %.2f, net %.2f", name, len(trades), sum(t["charges"] for t in trades), net)
    for trade in trades:
        told = [trade[key] for key in ("opened_at", "pattern", "quantity", "reason", "net")]
        logger.info("%s %s %d %s %.2f", *told)
