"""The bridge at a real Redis: by channel and by stream, through restarts of either side."""

import asyncio
import json
import time
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from typing import Any

import pytest
from redis.asyncio import Redis

from algoexec.adapters.memory.stores import MemoryStores
from algoexec.adapters.redis.bridge import RedisBridge
from algoexec.adapters.redis.names import Names
from algoexec.api.bridge.line import EventText, Line
from algoexec.ports.stores import Query
from tests.api.support import Service, running_service
from tests.fixtures_redis import RedisServer

NAMES = Names("trading")
START: dict[str, Any] = {
    "action": "START_TRADING",
    "user_id": "123",
    "command_id": "c-1",
    "data": {"access_token": "good-token", "config": {"stopLossPercent": 0.2}},
}
STOP: dict[str, Any] = {"action": "STOP_TRADING", "user_id": "123", "command_id": "c-2"}

type Frame = dict[str, Any]


class BackEnd:
    """The other side: it sends commands and keeps every event."""

    def __init__(self, redis: Redis) -> None:
        self.redis = redis
        self.seen: list[Frame] = []
        self._news = asyncio.Event()

    async def listen(self, listening: asyncio.Event) -> None:
        async with self.redis.pubsub() as pubsub:
            await pubsub.subscribe("trading:events")
            async for message in pubsub.listen():
                if message["type"] == "message":
                    self.seen.append(json.loads(message["data"]))
                    self._news.set()
                else:
                    listening.set()

    async def say(self, command: Mapping[str, Any]) -> None:
        """Send over the channel."""
        heard = await self.redis.publish("trading:commands", json.dumps(command))
        assert heard == 1, "nobody listens"

    async def put(self, command: Mapping[str, Any]) -> None:
        """Send over the stream."""
        await self.redis.xadd("trading:commands:stream", {"command": json.dumps(command)})

    async def until(self, wanted: Callable[[Frame], bool]) -> Frame:
        """Return the first event that is wanted, waiting for it."""
        async with asyncio.timeout(30):
            while not (found := [frame for frame in self.seen if wanted(frame)]):
                self._news.clear()
                await self._news.wait()
        return found[0]

    async def answer(self, command_id: str) -> Frame:
        """Return the answer to a command."""
        frame = await self.until(lambda one: one["data"].get("command_id") == command_id)
        data: Frame = frame["data"]
        return data

    def answers(self) -> list[str]:
        """Return the ids of all commands that were answered."""
        return [frame["data"]["command_id"] for frame in self.seen if frame["type"] in ("command", "error")]


@asynccontextmanager
async def back_end(server: RedisServer) -> AsyncIterator[BackEnd]:
    async with Redis.from_url(server.url, protocol=2) as redis:
        other = BackEnd(redis)
        listening = asyncio.Event()
        task = asyncio.create_task(other.listen(listening))
        await listening.wait()
        try:
            yield other
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)


@asynccontextmanager
async def bridged(
    service: Service, server: RedisServer, *, text: EventText | None = None
) -> AsyncIterator[RedisBridge]:
    line = Line(service.app.state.services, service.app.state.options, allow_live=False, text=text)
    bridge = RedisBridge(server.url, NAMES, answer=line.answer, events=line.events)
    task = asyncio.create_task(bridge.run())
    try:
        await until(lambda: bridge.trouble is None)
        async with Redis.from_url(server.url, protocol=2) as redis:
            await until_true(lambda: _is_heard(redis))
        yield bridge
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def _is_heard(redis: Redis) -> bool:
    return (await redis.pubsub_numsub("trading:commands"))[0][1] == 1


async def until(holds: Callable[[], bool], within: float = 30) -> None:
    """Return once `holds()`."""
    deadline = time.monotonic() + within
    while not holds():
        assert time.monotonic() < deadline, "it did not come about in time"
        await asyncio.sleep(0.02)


async def until_true(holds: Callable[[], Any], within: float = 30) -> None:
    deadline = time.monotonic() + within
    while not await holds():
        assert time.monotonic() < deadline, "it did not come about in time"
        await asyncio.sleep(0.02)


async def is_done(other: BackEnd) -> bool:
    """Whether nothing waits in the stream."""
    return bool(await other.redis.xlen("trading:commands:stream") == 0)


async def test_a_back_end_starts_watches_and_stops(redis_server: RedisServer) -> None:
    async with running_service() as service, back_end(redis_server) as other, bridged(service, redis_server):
        await other.until(lambda one: one["type"] == "snapshot")
        await other.say(START)
        begun = await other.answer("c-1")
        assert begun["ok"]
        running = await other.until(_is_connected)
        await other.say(STOP)
        assert (await other.answer("c-2"))["session"]["status"] == "STOPPED"
        await other.until(lambda one: one["data"].get("status") == "STOPPED")

        # The same frames, with the same numbers, as everybody else gets.
        journaled = await service.stores.journal.frames(begun["session"]["id"], 0, 1000)
        told = [(one["seq"], one["type"]) for one in other.seen if one["seq"] is not None]
        assert told == [(frame.number, frame.type) for frame in journaled]
        assert running["session_id"] == begun["session"]["id"]
        assert running["cursor"]


def _is_connected(frame: Frame) -> bool:
    return bool(frame["type"] == "session" and frame["data"]["feed"] == "CONNECTED")


async def test_what_came_while_nobody_listened_is_done(redis_server: RedisServer) -> None:
    async with back_end(redis_server) as other:
        await other.put(START)
        async with running_service() as service, bridged(service, redis_server):
            assert (await other.answer("c-1"))["ok"]
            await until_true(lambda: is_done(other))
            assert not (await other.redis.xpending("trading:commands:stream", "algoexec"))["pending"]


async def test_by_both_ways_at_once_it_is_done_once(redis_server: RedisServer) -> None:
    async with running_service() as service, back_end(redis_server) as other, bridged(service, redis_server):
        await other.put(START)
        await other.say(START)
        await until(lambda: other.answers() == ["c-1", "c-1"])
        answers = [one["data"] for one in other.seen if one["type"] == "command"]
        assert sorted(one["replayed"] for one in answers) == [False, True]
        assert len({one["session"]["id"] for one in answers}) == 1
        assert len((await service.stores.sessions.list(Query())).items) == 1


async def test_a_command_whose_process_died_is_done_by_the_next(redis_server: RedisServer) -> None:
    """The first process took the entry and died before it said that it was done."""
    stores = MemoryStores()
    async with back_end(redis_server) as other:
        async with running_service(stores=stores) as service:
            hangs = asyncio.Event()

            async def never(text: bytes, delivery: str | None) -> str:
                hangs.set()
                await asyncio.Event().wait()
                return ""

            line = Line(service.app.state.services, service.app.state.options, allow_live=False)
            bridge = RedisBridge(redis_server.url, NAMES, answer=never, events=line.events)
            task = asyncio.create_task(bridge.run())
            await other.put(START)
            await hangs.wait()
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
            assert other.answers() == []
        async with running_service(stores=stores) as service, bridged(service, redis_server):
            assert (await other.answer("c-1"))["ok"]
            await until_true(lambda: is_done(other))


async def test_the_database_may_be_down_when_it_comes(redis_server: RedisServer) -> None:
    async with running_service() as service, back_end(redis_server) as other, bridged(service, redis_server):
        service.stores.is_available = False
        await other.say({**START, "command_id": "lost"})
        assert (await other.answer("lost"))["problem"]["code"] == "database-unavailable"
        await other.put(START)
        await until_true(lambda: _is_taken(other))
        service.stores.is_available = True
        assert (await other.answer("c-1"))["ok"]


async def _is_taken(other: BackEnd) -> bool:
    return bool((await other.redis.xpending("trading:commands:stream", "algoexec"))["pending"] == 1)


async def test_redis_may_go_and_come_back(redis_server: RedisServer) -> None:
    async with running_service() as service, bridged(service, redis_server) as bridge:
        async with back_end(redis_server) as other:
            await other.say(START)
            session = (await other.answer("c-1"))["session"]["id"]
            await other.until(_is_connected)
            redis_server.stop()
        before = [one["seq"] for one in other.seen if one["seq"] is not None]
        await service.registry.halt(session, by="test", reason="while Redis is away")
        await until(lambda: bridge.trouble is not None)
        redis_server.start()

        async with back_end(redis_server) as other:
            halted = await other.until(lambda one: one["data"].get("halted") is not None)
            await until_true(lambda: _is_heard(other.redis))
            await other.say(STOP)
            assert (await other.answer("c-2"))["ok"]
        after = [one["seq"] for one in other.seen if one["seq"] is not None]
        assert halted["seq"] in after
        assert [*before, *after] == list(range(before[0], after[-1] + 1)), "something was left out, or told twice"
        assert bridge.trouble is None


async def test_a_redis_that_lost_everything_is_a_new_one(redis_server: RedisServer) -> None:
    async with running_service() as service, back_end(redis_server) as other, bridged(service, redis_server):
        await other.put(START)
        assert (await other.answer("c-1"))["ok"]
        await until_true(lambda: is_done(other))
        await other.redis.flushall()
        await other.put(STOP)
        assert (await other.answer("c-2"))["ok"]


async def test_an_entry_that_is_no_command_blocks_nothing(redis_server: RedisServer) -> None:
    async with running_service() as service, back_end(redis_server) as other, bridged(service, redis_server):
        await other.redis.xadd("trading:commands:stream", {"a": "1", "b": "2"})
        await other.redis.xadd("trading:commands:stream", {"message": json.dumps(START)})
        assert (await other.answer("c-1"))["ok"], "an only field may have any name"
        await until_true(lambda: is_done(other))
        assert len(other.answers()) == 2


async def test_events_go_in_the_operators_words(redis_server: RedisServer) -> None:
    def text(frame: Mapping[str, Any]) -> str | None:
        if frame["type"] == "session":
            raise ValueError("not in our words")
        if frame["type"] != "command":
            return None
        return json.dumps({"type": "STARTED", "data": {"command_id": frame["data"]["command_id"]}})

    async with running_service() as service, back_end(redis_server) as other:
        async with bridged(service, redis_server, text=text):
            await other.say(START)
            await other.answer("c-1")
            await other.until(lambda one: one["type"] == "session")
        assert {one["type"] for one in other.seen} == {"STARTED", "session"}


async def test_a_slow_redis_holds_up_nothing(redis_server: RedisServer) -> None:
    """While Redis stands still, sessions are begun, halted and ended over HTTP as if it were not there."""
    async with running_service() as service, bridged(service, redis_server), service.client() as http:
        redis = Redis.from_url(redis_server.url)
        await redis.client_pause(60_000)
        begun = time.monotonic()
        answer = await http.post("/sessions", json={"user_id": "9", "access_token": "good-token"})
        path = f"/sessions/{answer.json()['id']}"
        assert (await http.post(f"{path}/halt")).status_code == 200
        assert (await http.delete(path)).status_code == 200
        assert time.monotonic() - begun < 10
        redis_server.stop()
        await redis.aclose()


@pytest.mark.parametrize("url", ["redis://127.0.0.1:notaport", "redis://[::"])
def test_an_address_that_is_none_is_refused(url: str) -> None:
    line = Line.__new__(Line)
    with pytest.raises(ValueError, match=r"Port|IPv6"):
        RedisBridge(url, NAMES, answer=line.answer, events=line.events)
