"""The stream: who gets which frame, once, in order, whatever breaks in between."""

import asyncio
import random
from collections.abc import AsyncIterator, Sequence
from contextlib import aclosing, asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import orjson
import pytest

from algoexec.engine.effects import Alert, Frame, SessionChanged, Severity, Status
from algoexec.engine.events import FeedStatus
from algoexec.runtime.cursor import Cursor, CursorWriter, read_cursor
from algoexec.runtime.hub import StreamHub
from algoexec.runtime.watcher import EndReason, Filter, HubOptions, Standing, WatchEnded, Watcher
from tests.contract.given import candle

START = datetime(2026, 11, 23, 3, 45, tzinfo=UTC)


class Clock:
    """Wall time that the test sets."""

    def __init__(self) -> None:
        self.at = START

    def now(self) -> datetime:
        return self.at

    def monotonic(self) -> float:
        return (self.at - START).total_seconds()


class World:
    """Sessions, their journal, and a hub that can be restarted."""

    def __init__(self, **options: Any) -> None:
        self.clock = Clock()
        self.journal: dict[str, list[Frame]] = {}
        self.created: dict[str, datetime] = {}
        self.over: set[str] = set()
        self.users: dict[str, str] = {}
        self.options = HubOptions(**options)
        self.hub = StreamHub(self.frames, self.clock, self.options)
        self.reads = 0

    def restart(self) -> None:
        self.hub.close("restart")
        self.hub = StreamHub(self.frames, self.clock, self.options)

    def create(self, session_id: str, user_id: str = "asha") -> None:
        self.journal[session_id] = []
        self.created[session_id] = self.clock.now()
        self.users[session_id] = user_id

    def tell(self, session_id: str, *kinds: str) -> None:
        told = []
        for kind in kinds:
            frame = frame_of(kind, len(self.journal[session_id]) + 1, self.clock.now())
            self.journal[session_id].append(frame)
            told.append(frame)
        self.hub.publish(session_id, self.users[session_id], told)

    async def frames(self, session_id: str, after: int, limit: int) -> Sequence[Frame]:
        self.reads += 1
        await asyncio.sleep(0)
        return [frame for frame in self.journal[session_id] if frame.number > after][:limit]

    def directory(self, user_id: str | None = "asha") -> "Directory":
        return Directory(self, user_id)

    def watch(
        self, since: str | None = None, *, session_id: str | None = None, topics: frozenset[str] | None = None,
        user_id: str | None = "asha",
    ) -> Watcher:  # fmt: skip
        wanted = Filter(session_id=session_id, user_id=user_id, topics=topics)
        return self.hub.watch(wanted, self.directory(user_id), since)


class Directory:
    """The sessions of one user, as the registry knows them."""

    def __init__(self, world: World, user_id: str | None) -> None:
        self.world, self.user_id = world, user_id

    def describe(self, session_id: str) -> Standing:
        world = self.world
        return Standing(
            session_id=session_id,
            created_at=world.created[session_id],
            is_active=session_id not in world.over,
            frames=world.journal[session_id][-1].number if world.journal[session_id] else 0,
            describe=lambda: {"session": {"id": session_id}},
        )

    async def standing(self, since: datetime | None) -> Sequence[Standing]:
        await asyncio.sleep(0)
        return [
            self.describe(one)
            for one, user in self.world.users.items()
            if self.user_id in (None, user)
            and (one not in self.world.over or (since is not None and self.world.created[one] >= since))
        ]

    async def one(self, session_id: str) -> Standing | None:
        await asyncio.sleep(0)
        if self.world.users.get(session_id) is None or self.user_id not in (None, self.world.users[session_id]):
            return None
        return self.describe(session_id)


def frame_of(kind: str, number: int, at: datetime) -> Frame:
    if kind == "alert":
        return Frame(number=number, at=at, body=Alert(severity=Severity.INFO, code="TEST", message=str(number)))
    if kind == "candle":
        return Frame(number=number, at=at, body=candle(0))
    changed = SessionChanged(status=Status.RUNNING, reason=None, halted=None, feed=FeedStatus.CONNECTED)
    return Frame(number=number, at=at, body=changed)


@asynccontextmanager
async def reading(watcher: Watcher) -> AsyncIterator["Reader"]:
    async with watcher, aclosing(watcher.messages()) as messages:
        yield Reader(messages)


class Reader:
    """Reads frames as a client sees them."""

    def __init__(self, messages: AsyncIterator[Any]) -> None:
        self.messages = messages

    async def next(self) -> dict[str, Any]:
        message = await asyncio.wait_for(anext(self.messages), 5)
        frame: dict[str, Any] = orjson.loads(message.text)
        assert frame["type"] == message.type
        assert frame["cursor"] == message.cursor
        assert set(frame) == {"type", "seq", "session_id", "at", "data", "prev", "cursor"}
        return frame

    async def take(self, count: int) -> list[dict[str, Any]]:
        return [await self.next() for _ in range(count)]


async def test_a_connection_without_a_cursor_begins_with_a_snapshot_and_then_lives() -> None:
    world = World()
    world.create("a")
    world.tell("a", "session", "alert")

    async with reading(world.watch(session_id="a")) as reader:
        snapshot = await reader.next()
        world.tell("a", "alert")
        live = await reader.next()

    assert snapshot["type"] == "snapshot"
    assert snapshot["data"] == {"sessions": [{"session": {"id": "a"}, "seq": 2}]}
    assert (live["type"], live["seq"], live["prev"]) == ("alert", 3, 2)


async def test_a_frame_published_while_the_snapshot_is_made_comes_once() -> None:
    world = World()
    world.create("a")
    watcher = world.watch(session_id="a")
    world.tell("a", "alert")  # after the watch began, before the snapshot was read: the snapshot holds it

    async with reading(watcher) as reader:
        snapshot = await reader.next()
        world.tell("a", "alert")
        live = await reader.next()

    assert snapshot["data"]["sessions"][0]["seq"] == 1
    assert (live["seq"], live["prev"]) == (2, 1)


async def test_a_connection_carries_the_users_sessions_and_no_other() -> None:
    world = World()
    world.create("a")
    world.create("b", "bela")

    async with reading(world.watch()) as reader:
        assert [one["session"]["id"] for one in (await reader.next())["data"]["sessions"]] == ["a"]
        world.tell("b", "alert")
        world.create("c")
        world.tell("c", "session")
        world.tell("a", "alert")
        frames = await reader.take(2)

    assert [(frame["session_id"], frame["seq"], frame["prev"]) for frame in frames] == [("c", 1, 0), ("a", 1, 0)]


async def test_a_service_sees_every_session() -> None:
    world = World()
    world.create("a")
    world.create("b", "bela")

    async with reading(world.watch(user_id=None)) as reader:
        assert len((await reader.next())["data"]["sessions"]) == 2
        world.tell("b", "alert")
        assert (await reader.next())["session_id"] == "b"


async def test_a_plain_number_resumes_a_single_session() -> None:
    world = World(page=2)
    world.create("a")
    world.tell("a", *["alert"] * 7)

    async with reading(world.watch("2", session_id="a")) as reader:
        replayed = await reader.take(5)
        world.tell("a", "alert")
        live = await reader.next()

    assert [frame["seq"] for frame in [*replayed, live]] == [3, 4, 5, 6, 7, 8]
    assert [frame["prev"] for frame in [*replayed, live]] == [2, 3, 4, 5, 6, 7]


async def test_a_session_created_while_nobody_watched_is_replayed_from_its_first_frame() -> None:
    world = World()
    world.create("a")
    async with reading(world.watch()) as reader:
        cursor = (await reader.next())["cursor"]

    world.clock.at += timedelta(hours=1)
    world.create("b")
    world.tell("b", "session", "alert")
    world.over.add("b")
    world.restart()

    async with reading(world.watch(cursor)) as reader:
        assert [(frame["session_id"], frame["seq"]) for frame in await reader.take(2)] == [("b", 1), ("b", 2)]


async def test_a_session_that_is_over_leaves_the_cursor_once_it_is_delivered() -> None:
    world = World()
    world.create("old")
    async with reading(world.watch()) as reader:
        cursor = (await reader.next())["cursor"]
        assert "old" in cursor
    world.over.add("old")
    world.clock.at += timedelta(hours=1)
    world.create("new")

    async with reading(world.watch(cursor)) as reader:
        world.tell("new", "session")
        cursor = (await reader.next())["cursor"]
    assert "old" not in cursor

    async with reading(world.watch(cursor)) as reader:
        world.tell("new", "session")
        assert (await reader.next())["seq"] == 2


@pytest.mark.parametrize("since", ["9", "what", "c1.0.a-9", "c1.zzzzzzzzzzzz", "-1", "9" * 30])
async def test_a_cursor_that_names_nothing_known_gets_a_gap_and_a_snapshot(since: str) -> None:
    world = World()
    world.create("a")
    world.tell("a", "alert")

    async with reading(world.watch(since, session_id="a")) as reader:
        gap, snapshot = await reader.take(2)
        world.tell("a", "alert")
        live = await reader.next()

    assert (gap["type"], gap["data"], gap["cursor"]) == ("gap", {"reason": "unknown_cursor"}, None)
    assert snapshot["type"] == "snapshot"
    assert (live["seq"], live["prev"]) == (2, 1)


async def test_a_plain_number_means_nothing_without_a_session() -> None:
    world = World()
    world.create("a")

    async with reading(world.watch("0")) as reader:
        assert [frame["type"] for frame in await reader.take(2)] == ["gap", "snapshot"]


async def test_a_cursor_of_a_connection_that_watched_other_sessions_gets_a_gap() -> None:
    world = World()
    world.create("a")
    world.create("b")
    world.clock.at += timedelta(hours=1)
    async with reading(world.watch(session_id="a")) as reader:
        cursor = (await reader.next())["cursor"]

    async with reading(world.watch(cursor)) as reader:
        assert [frame["type"] for frame in await reader.take(2)] == ["gap", "snapshot"]


async def test_another_users_session_in_a_cursor_is_unknown() -> None:
    world = World()
    world.create("a")
    cursor = CursorWriter(Cursor(START, {"a": 0})).text()

    async with reading(world.watch(cursor, user_id="bela")) as reader:
        assert [frame["type"] for frame in await reader.take(2)] == ["gap", "snapshot"]


@pytest.mark.parametrize("kept", [slice(5, None), slice(0, 0)])
async def test_frames_that_are_no_longer_kept_are_a_gap(kept: slice) -> None:
    world = World()
    world.create("a")
    world.tell("a", *["alert"] * 9)
    directory = world.directory()
    standing = await directory.one("a")
    assert standing is not None

    class Then(Directory):
        async def one(self, session_id: str) -> Standing | None:
            return standing

    world.journal["a"] = world.journal["a"][kept]
    watcher = world.hub.watch(Filter(session_id="a"), Then(world, None), "2")
    async with reading(watcher) as reader:
        gap, snapshot = await reader.take(2)

    assert gap["data"] == {"reason": "too_old"}
    assert snapshot["data"]["sessions"][0]["seq"] == 9


async def test_a_replay_that_would_be_too_long_is_a_gap() -> None:
    world = World(longest_replay=3)
    world.create("a")
    world.tell("a", *["alert"] * 9)

    async with reading(world.watch("2", session_id="a")) as reader:
        assert (await reader.next())["data"] == {"reason": "too_old"}


async def test_of_volatile_frames_only_the_newest_is_kept_and_none_after_the_end_of_its_minute() -> None:
    world = World(conflation=0.01)
    world.create("a")
    async with reading(world.watch(session_id="a")) as reader:
        await reader.next()
        for close in range(1000):
            world.hub.publish_volatile("a", "asha", "candle_update", START, {"close": close})
        world.hub.publish_volatile("a", "asha", "pnl", START, {"net": 1})
        frames = await reader.take(3)
        for close in (1, 2):
            world.hub.publish_volatile("a", "asha", "candle_update", START, {"close": close})
        world.tell("a", "candle")
        world.hub.publish_volatile("a", "asha", "pnl", START, {"net": 2})
        end = await reader.take(2)

    told = [(frame["type"], frame["data"]) for frame in frames]
    assert told == [("candle_update", {"close": 0}), ("pnl", {"net": 1}), ("candle_update", {"close": 999})]
    assert [frame["seq"] for frame in frames] == [None] * 3
    assert [frame["type"] for frame in end] == ["candle", "pnl"]


async def test_topics_choose_and_a_filtered_stream_counts_in_itself() -> None:
    world = World()
    world.create("a")
    async with reading(world.watch(session_id="a", topics=frozenset({"alert"}))) as reader:
        await reader.next()
        world.tell("a", "session", "alert", "session", "session", "alert")
        world.hub.publish_volatile("a", "asha", "candle_update", START, {})
        world.tell("a", "alert")
        frames = await reader.take(3)

    assert [(frame["seq"], frame["prev"]) for frame in frames] == [(2, 0), (5, 2), (6, 5)]


async def test_a_cursor_that_names_a_session_that_is_gone_gets_a_gap() -> None:
    world = World()
    world.create("a")
    cursor = CursorWriter(Cursor(START, {"a": 0, "gone": 3})).text()

    async with reading(world.watch(cursor)) as reader:
        assert [frame["type"] for frame in await reader.take(2)] == ["gap", "snapshot"]


async def test_a_slow_watcher_is_dropped_with_a_reason_and_delays_nobody() -> None:
    world = World(depth=10)
    world.create("a")
    async with reading(world.watch(session_id="a")) as slow, reading(world.watch(session_id="a")) as quick:
        await slow.next()
        await quick.next()
        world.tell("a", "alert")
        await slow.next()
        await quick.next()
        for _ in range(11):
            world.tell("a", "alert")
            await quick.next()
        with pytest.raises(WatchEnded, match="more than 10 frames behind") as ended:
            await slow.next()

    assert ended.value.reason is EndReason.TOO_SLOW
    assert (world.hub.watching, world.hub.dropped) == (0, 1)


async def test_a_burst_while_a_client_catches_up_does_not_drop_it() -> None:
    world = World(depth=5, page=3)
    world.create("a")
    world.tell("a", *["alert"] * 10)

    async with reading(world.watch("0", session_id="a")) as reader:
        frames = await reader.take(2)
        world.tell("a", *["alert"] * 20)
        frames += await reader.take(28)

    assert [frame["seq"] for frame in frames] == list(range(1, 31))


async def test_closing_ends_every_watch_now_and_later() -> None:
    world = World()
    world.create("a")
    async with reading(world.watch()) as early:
        await early.next()
        world.hub.close("restarting")
        with pytest.raises(WatchEnded, match="restarting"):
            await early.next()
    watcher = world.watch()
    assert watcher.ended is EndReason.RESTART
    assert world.hub.watching == 0


async def test_a_heartbeat_carries_the_cursor() -> None:
    world = World(heartbeat=0.001)
    world.create("a")
    async with reading(world.watch(session_id="a")) as reader:
        await reader.next()
        world.tell("a", "alert")
        frames = await reader.take(3)

    beat = frames[-1]
    assert (beat["type"], beat["seq"]) == ("heartbeat", None)
    cursor = read_cursor(beat["cursor"])
    assert cursor is not None
    assert cursor.positions == {"a": 1}


async def test_a_client_that_is_stuck_in_a_send_is_dropped_and_its_task_told() -> None:
    world = World(heartbeat=0.001)
    world.create("a")
    stuck = asyncio.Event()
    watcher = world.watch(session_id="a")
    watcher.call_at_end(stuck.set)
    async with reading(watcher) as reader:
        await reader.next()
        await asyncio.wait_for(stuck.wait(), 5)  # and meanwhile nothing more is taken

    assert watcher.ended is EndReason.TOO_SLOW
    assert world.hub.dropped == 1


@pytest.mark.parametrize("topics", [None, frozenset({"alert"})], ids=["all topics", "a topic filter"])
@pytest.mark.parametrize("session_id", ["s0", None], ids=["one session", "all sessions"])
@pytest.mark.parametrize("seed", range(3))
async def test_a_client_that_drops_200_times_has_what_one_that_never_dropped_has(
    seed: int, session_id: str | None, topics: frozenset[str] | None
) -> None:
    chance = random.Random(seed)
    world = World(depth=40, page=7)
    for n in range(3):
        world.create(f"s{n}")

    def happen() -> None:
        world.clock.at += timedelta(seconds=chance.choice([0, 1, 40, 200]))
        if chance.random() < 0.03:
            world.create(f"s{len(world.users)}")
        for _ in range(chance.randrange(3)):
            alive = [one for one in world.users if one not in world.over]
            world.tell(chance.choice(alive), *chance.choices(["alert", "session"], k=chance.randrange(1, 4)))
        if chance.random() < 0.02:
            candidates = [one for one in world.users if one not in world.over and one != "s0"]
            if len(candidates) > 2:
                world.tell(candidates[0], "alert")
                world.over.add(candidates[0])

    got: list[dict[str, Any]] = []
    cursor: str | None = None
    drops = 0
    async with reading(world.watch(session_id=session_id)) as reader:
        cursor = (await reader.next())["cursor"]
    while drops < 200:
        if chance.random() < 0.1:
            world.restart()
        async with reading(world.watch(cursor, session_id=session_id, topics=topics)) as reader:
            for _ in range(chance.randrange(8)):
                happen()
                try:
                    frame = await asyncio.wait_for(anext(reader.messages), 0.001)
                except TimeoutError:
                    break
                got.append(orjson.loads(frame.text))
                assert got[-1]["type"] in ("alert", "session")
                cursor = frame.cursor
        drops += 1
        happen()
    world.create("last")
    world.tell("last", "alert")
    world.tell("s0", "alert")
    everything = [
        (one, frame.number)
        for one, frames in world.journal.items()
        if session_id in (None, one)
        for frame in frames
        if topics is None or frame.type in topics
    ]
    async with reading(world.watch(cursor, session_id=session_id, topics=topics)) as reader:
        got += await reader.take(len(everything) - len(got))

    assert sorted((frame["session_id"], frame["seq"]) for frame in got) == sorted(everything)
    for one in world.users:
        own = [frame for frame in got if frame["session_id"] == one]
        assert [frame["seq"] for frame in own] == sorted(frame["seq"] for frame in own)
        assert [frame["prev"] for frame in own] == [0, *(frame["seq"] for frame in own)][: len(own)]


async def test_lag_is_the_age_of_what_somebody_still_waits_for() -> None:
    world = World()
    world.create("a")
    async with world.watch() as slow, reading(world.watch()) as quick:
        await quick.next()
        async for _ in slow.beginning():
            pass
        assert world.hub.lag() == 0
        world.tell("a", "alert")
        world.clock.at += timedelta(seconds=2)
        world.tell("a", "alert")
        await quick.take(2)
        assert world.hub.lag() == 2
        await slow.take()
        assert world.hub.lag() == 0
    assert world.hub.lag() == 0
