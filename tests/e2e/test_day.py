"""A whole day through feed, journal and WebSocket gives what the fold over its recording gives."""

import asyncio
import json
import subprocess
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import time, timedelta
from pathlib import Path

import pytest

from tests.e2e.books import journal_rebuilds
from tests.e2e.days import write_generated_day
from tests.e2e.proxy import CuttingProxy
from tests.e2e.stack import ALGOEXEC, Exchange, Service, all_pages, begin, service, simulator
from tests.e2e.watching import Client, comparable

GOLDEN = ("2019-02-01", "2019-05-20", "2019-05-21")


@pytest.fixture
def generated(tmp_path: Path) -> Path:
    """A day folder that ships with nobody's prices."""
    return write_generated_day(tmp_path / "day")


@pytest.mark.timeout(240)
async def test_a_morning_played_fast_gives_the_signals_of_its_recording(generated: Path, tmp_path: Path) -> None:
    with simulator(f"--day={generated}", "--at=09:10", "--speed=120", "--paced") as broker:
        async with service(tmp_path, broker.url) as running:
            session = await begin(running)
            client = Client(running, session["id"])
            following = asyncio.create_task(client.follow())
            await client.candle_closed(time(10, 50))
            async with running.client() as http:
                assert (await http.delete(f"/sessions/{session['id']}")).status_code == 200
            await following
            got = comparable(client.lines())
            assert got == comparable(expected(generated))[: len(got)]
            assert len(got) >= 25
            await lists_agree(running, client)
    await journal_rebuilds(tmp_path)


async def test_cuts_of_the_feed_and_a_killed_service_change_no_signal(generated: Path, tmp_path: Path) -> None:
    with simulator(f"--day={generated}", "--at=09:14", "--speed=30", "--paced") as broker:
        async with behind_a_proxy(broker.url, tmp_path) as (exchange, proxy, running):
            session = await begin(running)
            client = Client(running, session["id"])
            following = asyncio.create_task(client.follow())
            await client.candle_closed(time(9, 32))
            proxy.cut()
            await client.candle_closed(time(9, 34))
            await away(running, exchange)
            await client.candle_closed(time(9, 50))
            following.cancel()
            assert proxy.cuts == 1
            until = client.numbered[-1]["at"]
            lines = [line for line in comparable(expected(generated)) if str(line[1]) <= str(until)]
            got = comparable(client.lines())
            assert got == lines[: len(got)]
            assert len(got) >= 8
            assert [frame["seq"] for frame in client.numbered] == list(range(1, len(client.numbered) + 1))


@pytest.mark.prove
@pytest.mark.timeout(900)
@pytest.mark.parametrize("name", GOLDEN)
async def test_a_recorded_day_at_60_gives_the_signals_of_its_recording(
    name: str, shared_data: Path, tmp_path: Path
) -> None:
    day = shared_data / "golden_days" / name
    with simulator(f"--day={day}", "--at=09:05", "--speed=60", "--paced") as broker:
        async with service(tmp_path, broker.url) as running:
            client = await whole_day(running)
            assert comparable(client.lines()) == comparable(expected(day))
            await lists_agree(running, client)
    await journal_rebuilds(tmp_path)


@pytest.mark.prove
@pytest.mark.timeout(900)
async def test_a_recorded_day_with_five_cuts_and_a_kill_gives_the_same_signals(
    shared_data: Path, tmp_path: Path
) -> None:
    """Each is set where the poll that it may cost would have read what the one before had read."""
    day = shared_data / "golden_days" / "2019-05-21"
    cuts = (time(9, 36), time(10, 6), time(11, 7), time(12, 21), time(14, 36))
    with simulator(f"--day={day}", "--at=09:05", "--speed=60", "--paced") as broker:
        async with behind_a_proxy(broker.url, tmp_path) as (exchange, proxy, running):
            session = await begin(running)
            client = Client(running, session["id"])
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(client.follow())
                for number, clock in enumerate(cuts):
                    await client.candle_closed(clock)
                    proxy.cut()
                    if number == 1:
                        await client.candle_closed(time(10, 32))
                        await away(running, exchange)
            assert proxy.cuts == len(cuts)
            assert comparable(client.lines()) == comparable(expected(day))
    await journal_rebuilds(tmp_path)


@asynccontextmanager
async def behind_a_proxy(url: str, data: Path) -> AsyncIterator[tuple[Exchange, CuttingProxy, Service]]:
    """Run a service whose way to the simulator can be cut."""
    async with Exchange(url) as exchange, CuttingProxy(url) as proxy, service(data, proxy.url) as running:
        yield exchange, proxy, running


async def away(running: Service, exchange: Exchange) -> None:
    """Kill the service, and let the market go on without it for two minutes.

    Then it waits until the service is back: a slow machine's start must not cost another poll.
    """
    running.kill()
    await exchange.until(await exchange.now() + timedelta(minutes=2))
    await exchange.pause()
    await running.start()
    await exchange.resume()


async def whole_day(running: Service) -> Client:
    """Begin a session before the open and follow it until its day is over."""
    session = await begin(running)
    client = Client(running, session["id"])
    await client.follow()
    assert client.numbered[-1]["data"]["reason"] == "day_over"
    return client


async def lists_agree(running: Service, client: Client) -> None:
    """The lists hold what was streamed."""
    signals = await all_pages(running, "/signals")
    rejections = await all_pages(running, "/rejections")
    streamed = [frame["data"]["id"] for frame in client.numbered if frame["type"] in ("signal", "rejection")]
    assert sorted(item["id"] for item in signals + rejections) == sorted(streamed)


def expected(day: Path) -> list[dict[str, object]]:
    """Return what `algoexec signals` prints of the day."""
    printed = subprocess.run([*ALGOEXEC, "signals", str(day)], stdout=subprocess.PIPE, check=True).stdout
    return [json.loads(line) for line in printed.splitlines()]
