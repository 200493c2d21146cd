"""Clients that drop at random end with what a client that never dropped has: over a whole day, in real processes."""

import asyncio
import json
import random
from collections.abc import AsyncGenerator
from contextlib import aclosing
from pathlib import Path

import httpx
import pytest

from tests.e2e.stack import Frame, Service, begin, frames, service, simulator
from tests.e2e.watching import Client

DROPS = 200


class Dropping:
    """Reads a few frames, drops the connection, and resumes by the last cursor; after `DROPS` it stays."""

    def __init__(self, running: Service, session_id: str, *, topics: str | None = None, sse: bool = False) -> None:
        """Watch `session_id`; `topics` None is everything."""
        self._running = running
        self._query = f"?session_id={session_id}" + (f"&topics={topics}" if topics else "")
        self._sse = sse
        self._dice = random.Random(f"{topics}{sse}")
        self._cursor = "0"
        self.drops = 0
        self.numbered: list[Frame] = []

    async def follow(self, is_over: asyncio.Event, newest: Client) -> None:
        """Collect until the session is over and everything up to `newest` has come."""
        while not (is_over.is_set() and self._has_all(newest)):
            left = self._dice.randint(1, 3) if self.drops < DROPS else 10**9
            async with aclosing(self._stream()) as stream:
                async for frame in stream:
                    if frame.get("seq") is not None:
                        self.numbered.append(frame)
                        self._cursor = frame["cursor"]
                        left -= 1
                    if left == 0 or (is_over.is_set() and self._has_all(newest)):
                        break
            self.drops += 1

    def _has_all(self, newest: Client) -> bool:
        return bool(self.numbered) and self.numbered[-1]["seq"] == newest.numbered[-1]["seq"]

    def _stream(self) -> AsyncGenerator[Frame]:
        if self._sse:
            return self._events()
        return frames(self._running, f"{self._query}&since={self._cursor}")

    async def _events(self) -> AsyncGenerator[Frame]:
        headers = {"Last-Event-ID": self._cursor}
        async with (
            self._running.client() as client,
            client.stream("GET", f"/events{self._query}", headers=headers) as answer,
        ):
            assert answer.status_code == httpx.codes.OK
            async for line in answer.aiter_lines():
                if line.startswith("data:"):
                    yield json.loads(line.removeprefix("data:"))


@pytest.mark.prove
@pytest.mark.timeout(600)
async def test_clients_that_drop_200_times_have_every_frame(tmp_path: Path) -> None:
    with simulator("--at=09:10", "--speed=120", "--paced") as broker:
        async with service(tmp_path, broker.url) as running:
            session = await begin(running)
            steady = Client(running, session["id"])
            all_topics = Dropping(running, session["id"])
            session_and_signals = Dropping(running, session["id"], topics="signal,rejection,session")
            events = Dropping(running, session["id"], sse=True)
            is_over = asyncio.Event()
            async with asyncio.TaskGroup() as tasks:
                for dropping in (all_topics, session_and_signals, events):
                    tasks.create_task(dropping.follow(is_over, steady))
                await steady.follow()
                is_over.set()
    everything = [bare(frame) for frame in steady.numbered]
    assert [frame["seq"] for frame in everything] == list(range(1, len(everything) + 1))
    assert [bare(frame) for frame in all_topics.numbered] == everything
    assert [bare(frame) for frame in events.numbered] == everything
    wanted = [frame for frame in everything if frame["type"] in ("signal", "rejection", "session")]
    assert [bare(frame) for frame in session_and_signals.numbered] == wanted
    assert all_topics.drops > DROPS
    assert events.drops > DROPS
    chain = [frame["prev"] for frame in session_and_signals.numbered[1:]]
    assert chain == [frame["seq"] for frame in session_and_signals.numbered[:-1]]


def bare(frame: Frame) -> Frame:
    """Return a frame without what belongs to its connection."""
    return {key: value for key, value in frame.items() if key not in ("prev", "cursor")}
