"""The service is killed again and again while it trades, and its book stays that of the exchange."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime, time, timedelta
from pathlib import Path
from random import Random
from typing import NamedTuple

import pytest

from algoexec.domain.calendar import IST
from tests.e2e.books import books_agree, flat_and_over, journal_rebuilds
from tests.e2e.stack import Exchange, Service, begin, standing_market

TRADING = {"capital": 300_000, "max_daily_loss": 60_000, "risk_pct": 3.0, "max_consecutive_losses": 20}
SPEED = 10.0


class Trading(NamedTuple):
    """A service that trades, and the exchange it trades at."""

    running: Service
    exchange: Exchange

    async def restart(self) -> None:
        """Kill the service and start it again; the market waits for it."""
        self.running.kill()
        await self.exchange.pause()
        await self.running.start()
        await self.exchange.resume()

    async def orders(self) -> int:
        """Return how many orders the exchange has had."""
        return len((await self.exchange.book())["orders"])


@asynccontextmanager
async def trading(data: Path, at: str, speed: float, **rules: float) -> AsyncIterator[Trading]:
    """Trade from `at` on; afterwards the session is ended, and its books compared with those of the exchange."""
    async with standing_market(data, f"--at={at}", f"--speed={speed:g}") as (running, exchange):
        session = await begin(running, mode="live", config={"trading": {**TRADING, **rules}})
        await exchange.resume()
        yield Trading(running, exchange)
        async with asyncio.timeout(120):
            await flat_and_over(running, session["id"])
        await books_agree(running, await exchange.book())
    await journal_rebuilds(data)


async def killed_at_random_moments(
    data: Path, kills: int, *, since: time, until: time, seed: int, speed: float = SPEED
) -> None:
    """Kill the service at moments spread over a part of the trading day."""
    random = Random(seed)
    async with trading(data, since.strftime("%H:%M"), speed) as here:
        day = (await here.exchange.now()).astimezone(IST).date()
        begins, ends = (datetime.combine(day, clock, IST) for clock in (since, until))
        for moment in sorted(begins + random.random() * (ends - begins) for _ in range(kills)):
            await here.exchange.until(moment)
            await here.restart()


async def killed_while_ordering(data: Path, kills: int, *, seed: int, speed: float = SPEED) -> None:
    """Kill the service just after each second order on average, sometimes again while it starts."""
    random = Random(seed)
    async with trading(data, "09:44", speed, max_minutes_in_trade=3) as here:
        for _ in range(kills):
            wanted = await here.orders() + random.randint(1, 3)
            async with asyncio.timeout(600):
                while await here.orders() < wanted:  # noqa: ASYNC110 - one can only ask again
                    await asyncio.sleep(0.005)
            await here.exchange.until(await here.exchange.now() + timedelta(seconds=random.expovariate(1)))
            if random.random() < 0.3:
                here.running.kill()
                here.running.spawn()
                await asyncio.sleep(random.uniform(1, 8))
            await here.restart()


@pytest.mark.timeout(400)
async def test_kills_while_trading_lose_and_double_nothing(tmp_path: Path) -> None:
    await killed_at_random_moments(tmp_path, 2, since=time(9, 44), until=time(9, 50), seed=5, speed=30.0)


@pytest.mark.prove
@pytest.mark.timeout(7200)
async def test_fifty_kills_in_a_day_lose_and_double_nothing(tmp_path: Path) -> None:
    await killed_at_random_moments(tmp_path, 50, since=time(9, 31), until=time(15, 20), seed=50)


@pytest.mark.prove
@pytest.mark.timeout(7200)
async def test_kills_right_after_orders_lose_and_double_nothing(tmp_path: Path) -> None:
    await killed_while_ordering(tmp_path, 10, seed=25, speed=20.0)
