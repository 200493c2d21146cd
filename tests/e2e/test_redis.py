"""A back end drives the whole service over a real Redis, and neither loses what the other said when it is killed."""

import asyncio
import json
from collections.abc import AsyncGenerator
from contextlib import aclosing
from pathlib import Path

import pytest
from redis.asyncio import Redis

from tests.e2e.stack import Frame, all_pages, service, simulator
from tests.fixtures_redis import RedisServer, redis_server

__all__ = ["redis_server"]

START = {
    "action": "START_TRADING",
    "user_id": "123",
    "command_id": "morning",
    "data": {"access_token": "user:trader", "config": {"stopLossPercent": 0.2, "targetPercent": 0.4}},
}
STOP = {"action": "STOP_TRADING", "user_id": "123", "command_id": "evening"}


async def events(redis: Redis) -> AsyncGenerator[Frame]:
    """Yield what is published."""
    async with redis.pubsub() as pubsub:
        await pubsub.subscribe("trading:events")
        async for message in pubsub.listen():
            if message["type"] == "message":
                yield json.loads(message["data"])


@pytest.mark.prove
@pytest.mark.timeout(300)
async def test_a_day_over_redis_through_a_kill_of_the_service(tmp_path: Path, redis_server: RedisServer) -> None:
    with simulator("--at=09:29", "--speed=30", "--paced") as broker:
        async with (
            Redis.from_url(redis_server.url, protocol=2) as redis,
            service(tmp_path, broker.url, {"ALGOEXEC_REDIS_URL": redis_server.url}) as running,
            asyncio.timeout(280),
            aclosing(events(redis)) as published,
        ):
            seen: list[Frame] = []

            async def until(kind: str, command_id: str | None = None) -> Frame:
                async for frame in published:
                    seen.append(frame)
                    if frame["type"] == kind and frame["data"].get("command_id") == command_id:
                        return frame
                raise AssertionError("the events ended")

            await redis.xadd("trading:commands:stream", {"command": json.dumps(START)})
            begun = await until("command", "morning")
            await until("candle")
            running.kill()
            # While it is away: the same command once more.
            await redis.xadd("trading:commands:stream", {"command": json.dumps(START)})
            await running.start()
            again = await until("command", "morning")
            await until("signal")
            await redis.xadd("trading:commands:stream", {"command": json.dumps(STOP)})
            ended = await until("command", "evening")

            assert (begun["data"]["replayed"], again["data"]["replayed"]) == (False, True)
            assert again["session_id"] == ended["session_id"] == begun["session_id"]
            assert ended["data"]["session"]["status"] == "STOPPED"
            assert [one["id"] for one in await all_pages(running, "/sessions")] == [begun["session_id"]]
            numbers = [frame["seq"] for frame in seen if frame["seq"] is not None]
            assert sorted(set(numbers)) == list(range(1, max(numbers) + 1)), "nothing was left out"
            assert not await redis.xlen("trading:commands:stream")
