"""The database is killed while something is held, and the stop is hit: it gets out, once, and forgets nothing."""

import asyncio
import logging
import os
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime
from pathlib import Path
from typing import NamedTuple

import httpx
import pytest
from pydantic import SecretStr

from algoexec.runtime.commits import SPILL_AFTER_S
from algoexec.storage.embedded import EmbeddedMongod
from algoexec.storage.mongod_binary import MongodNotFound, find_mongod
from tests.e2e.books import books_agree, flat_and_over, journal_rebuilds, trades_add_up
from tests.e2e.stack import Exchange, Frame, Service, all_pages, begin, standing_market
from tests.e2e.watching import Client, moment

SPEED = 20.0

TRADING = {"capital": 300_000, "max_daily_loss": 60_000, "risk_pct": 0.5, "premium_stop_pct": 2.0, "trailing": False}
"""A stop so near that the next move against the position reaches it."""

logger = logging.getLogger(__name__)

STOPS = ("PREMIUM_STOP", "INDEX_STOP")


class Stage(NamedTuple):
    """All that takes part."""

    mongod: EmbeddedMongod
    running: Service
    exchange: Exchange
    spill: Path

    def kill_database(self) -> None:
        """End the database as a crash would."""
        assert self.mongod.pid is not None
        os.kill(self.mongod.pid, signal.SIGKILL)


@asynccontextmanager
async def staged(folder: Path) -> AsyncIterator[Stage]:
    """Run a private database, a simulator whose market stands still, and a service."""
    try:
        find_mongod()
    except MongodNotFound as error:
        pytest.skip(str(error))
    mongod = EmbeddedMongod(folder / "database")
    await mongod.start()
    try:
        environment = {"ALGOEXEC_MONGODB_URI": mongod.uri}
        market = standing_market(folder, "--at=09:44", f"--speed={SPEED:g}", environment=environment)
        async with market as (running, exchange):
            yield Stage(mongod, running, exchange, folder / "spill")
    finally:
        await mongod.stop()


@pytest.mark.timeout(300)
async def test_a_stop_is_hit_while_the_database_is_dead(tmp_path: Path) -> None:
    async with staged(tmp_path) as stage:
        session, client, following = await in_trade(stage)
        stage.kill_database()
        await stage.exchange.resume()
        await exchange_is_flat(stage.exchange)
        async with stage.running.client() as http:
            assert (await http.get("/readyz")).status_code == httpx.codes.SERVICE_UNAVAILABLE
        assert has_spilled(stage.spill)
        assert not client.of("trade"), "what is not in the journal was told"
        await stage.mongod.start()
        await once_and_forgotten_nothing(stage, session, client, following)


@pytest.mark.prove
@pytest.mark.timeout(300)
@pytest.mark.parametrize("is_out", [True, False])
async def test_the_service_dies_too_before_the_database_is_back(is_out: bool, tmp_path: Path) -> None:
    async with staged(tmp_path) as stage:
        session, client, following = await in_trade(stage)
        stage.kill_database()
        await stage.exchange.resume()
        await (exchange_is_flat(stage.exchange) if is_out else spilled(stage.spill))
        await stage.exchange.pause()
        stage.running.kill()
        assert has_spilled(stage.spill)
        await stage.mongod.start()
        await stage.running.start()
        await stage.exchange.resume()
        await exchange_is_flat(stage.exchange)
        await once_and_forgotten_nothing(stage, session, client, following)


async def in_trade(stage: Stage) -> tuple[Frame, Client, "asyncio.Task[None]"]:
    """Begin a session and return, with the market standing still, while it holds its first position."""
    session = await begin(stage.running, mode="live", config={"trading": TRADING})
    client = Client(stage.running, session["id"])
    following = asyncio.create_task(client.follow())
    await stage.exchange.resume()
    await client.until(lambda: any(frame["data"]["stage"] == "IN_TRADE" for frame in client.of("position")))
    await stage.exchange.pause()
    book = await stage.exchange.book()
    assert any(position["net"] for position in book["positions"]), "it was out again before anything was killed"
    return session, client, following


async def exchange_is_flat(exchange: Exchange) -> None:
    """Return once the exchange says that nothing is held."""
    async with asyncio.timeout(90):
        while any(position["net"] for position in (await exchange.book())["positions"]):  # noqa: ASYNC110 - one can only ask again
            await asyncio.sleep(0.05)


def has_spilled(folder: Path) -> bool:
    """Whether there are records that the journal does not have."""
    return folder.is_dir() and any(folder.iterdir())


async def spilled(folder: Path) -> None:
    """Return once records have gone to the spill file."""
    async with asyncio.timeout(60):
        while not has_spilled(folder):  # noqa: ASYNC110 - a file tells nobody
            await asyncio.sleep(0.02)


async def once_and_forgotten_nothing(
    stage: Stage, session: Frame, client: Client, following: "asyncio.Task[None]"
) -> None:
    """The database is back: one exit, at the stop, and one story in journal, lists, stream and at the exchange."""
    async with asyncio.timeout(60):
        await client.until(lambda: bool(client.of("trade")))
    await flat_and_over(stage.running, session["id"])
    async with asyncio.timeout(60):
        await following
    assert not has_spilled(stage.spill), "the spill file was not taken in"
    trade, *_ = await trades_add_up(stage.running, session, client)
    book = await stage.exchange.book()
    await books_agree(stage.running, book)
    await journal_rebuilds(stage.spill.parent, SecretStr(stage.mongod.uri))
    own = {order["id"] for order in await all_pages(stage.running, "/orders") if order["trade_id"] == trade["id"]}
    sides = [order["side"] for order in book["orders"] if order["tag"] in own]
    assert sides == ["BUY", "SELL"], "one position, one exit"
    assert trade["reason"] in STOPS
    positions = [frame for frame in client.of("position") if frame["data"]["trade_id"] == trade["id"]]
    held = [frame["data"] for frame in positions if frame["data"]["stage"] == "IN_TRADE"]
    decided = next(moment(frame) for frame in positions if frame["data"]["stage"] == "EXITING")
    took = (datetime.fromisoformat(trade["closed_at"]) - decided).total_seconds()
    logger.info("stop %s, sold at %s, flat after %s market seconds", held[-1]["stop"], trade["exit_price"], took)
    assert took <= SPEED * SPILL_AFTER_S + 10, "the exit waited for the database"
