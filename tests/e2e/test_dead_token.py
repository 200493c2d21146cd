"""The broker refuses the access token while something is held: what is watched then, and what a new one brings."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import time
from pathlib import Path
from typing import Final

import httpx
import pytest

from algoexec.adapters.history.day_folder import read_day
from algoexec.adapters.system_clock import SystemClock
from algoexec.engine.effects import Status
from algoexec.engine.state import EngineState
from algoexec.engine.trading.trade import Stage
from algoexec.ports.credentials import AccessToken
from algoexec.runtime.registry import Registry
from algoexec.simulation.recorded import recorded_day
from algoexec.simulator.configuration import SimulatorSettings
from algoexec.simulator.server import RunningSimulator, serve
from tests.e2e.days import write_swinging_day
from tests.e2e.test_trading import must_be_sound
from tests.e2e.trading import RULES, USER, trade_at

CLOSE_BY: Final = replace(RULES, premium_stop_pct=3.0, trailing=False)
AGAIN: Final = AccessToken(f"user:{USER}:again")
NO_ORDERS: Final = {
    "name": "no-orders",
    "imitates": "A token that reads prices and is refused for orders.",
    "seed": 1,
    "faults": [
        {"when": {"path": path}, "do": {"answer": 401}}
        for path in ("/v3/order/*", "/v2/order/*", "/v2/portfolio/short-term-positions")
    ],
}


@asynccontextmanager
async def swinging(folder: Path) -> AsyncIterator[RunningSimulator]:
    """Run a simulator whose market turns against whatever is held."""
    day = recorded_day(read_day(write_swinging_day(folder / "day", time(9, 45))), earlier=[])
    settings = SimulatorSettings(start=time(9, 31), speed=20.0, paced=True)
    async with serve(day, settings, SystemClock()) as running:
        yield running


async def reaches(registry: Registry, session_id: str, holds: Callable[[EngineState], bool]) -> None:
    """Return once the session is so."""
    runner = registry._running.get(session_id)
    assert runner is not None
    async with asyncio.timeout(200):
        await runner.changed.until(lambda: holds(runner.state))


def stage(state: EngineState) -> Stage | None:
    """Return where the session's trade stands."""
    trade = None if state.trading is None else state.trading.trade
    return None if trade is None else trade.stage


@pytest.mark.prove
@pytest.mark.timeout(400)
async def test_refused_for_orders_alone_stops_are_watched_and_sold_once_a_token_comes(tmp_path: Path) -> None:
    async with swinging(tmp_path) as running, httpx.AsyncClient(base_url=running.url, trust_env=False) as broker:

        async def refused(registry: Registry, session_id: str) -> None:
            await reaches(registry, session_id, lambda state: stage(state) is Stage.IN_TRADE)
            assert (await broker.post("/sim/faults", json=NO_ORDERS)).status_code == 201
            await reaches(registry, session_id, lambda state: state.status is Status.NEEDS_TOKEN)
            await reaches(registry, session_id, lambda state: stage(state) is Stage.EXITING)
            runner = registry._running.get(session_id)
            assert runner is not None
            assert runner.desk is not None, "the prices are of the market desk, which stays"
            assert runner.state.status is Status.NEEDS_TOKEN
            assert (await broker.delete("/sim/faults/no-orders")).status_code < 300
            await registry.replace_token(session_id, AGAIN)
            await reaches(registry, session_id, lambda state: stage(state) is None)

        traded = await trade_at(running, until="09:31", rules=CLOSE_BY, meanwhile=refused)
    must_be_sound(traded)
    assert traded.alerts["EXITS_WAIT"] == 1
    assert traded.alerts["POSITION_UNWATCHED"] == 0
    assert sum(trade.gross for trade in traded.closed) == traded.exchange_gross()


@pytest.mark.prove
@pytest.mark.timeout(400)
async def test_a_token_that_ends_takes_the_prices_and_a_new_one_brings_back_the_watch(tmp_path: Path) -> None:
    async with swinging(tmp_path) as running, httpx.AsyncClient(base_url=running.url, trust_env=False) as broker:

        async def logged_out(registry: Registry, session_id: str) -> None:
            await reaches(registry, session_id, lambda state: stage(state) is Stage.IN_TRADE)
            headers = {"Authorization": f"Bearer user:{USER}"}
            assert (await broker.delete("/v2/logout", headers=headers)).status_code == 200
            await reaches(registry, session_id, lambda state: state.status is Status.NEEDS_TOKEN)
            runner = registry._running.get(session_id)
            assert runner is not None
            async with asyncio.timeout(60):
                await runner.changed.until(lambda: runner.desk is None)
            await registry.replace_token(session_id, AGAIN)
            await reaches(registry, session_id, lambda state: stage(state) is None)

        traded = await trade_at(running, until="09:31", rules=CLOSE_BY, meanwhile=logged_out)
    must_be_sound(traded)
    assert traded.alerts["POSITION_UNWATCHED"] >= 1
    assert sum(trade.gross for trade in traded.closed) == traded.exchange_gross()
