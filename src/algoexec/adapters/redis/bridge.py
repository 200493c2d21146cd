"""Brings commands from Redis and takes events there, for ever, whatever becomes of Redis meanwhile.

Trading never waits for it: commands are answered beside it, and events are read from a bounded
queue which, should Redis be away for long, is given up and read anew from the journal.
"""

import asyncio
import json
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping, Sequence
from contextlib import aclosing
from typing import Any, Final

from redis.asyncio import Redis
from redis.asyncio.client import PubSub
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import RedisError, ResponseError

from algoexec.adapters.redis.names import Names
from algoexec.domain.errors import StoreError
from algoexec.telemetry import logger

type Answer = Callable[[bytes, str | None], Awaitable[str | None]]
"""Acts on a command: its text, and the name of a delivery that is repeated; returns the event that answers it.

None: nothing is to be published.
"""

type Event = tuple[str | None, str | None]
"""An event as text, None where it is not to be published, and the cursor behind it, None where it has none."""

type Events = Callable[[str | None], AsyncGenerator[Sequence[Event]]]
"""Yields events after a cursor, some at a time."""

MOST_AT_ONCE: Final = 64
"""Commands under way; further ones wait in Redis."""

_PAUSE_S: Final = 1.0
_LISTEN_S: Final = 1.0
_TIMEOUT_S: Final = 5.0
_BLOCK_MS: Final = 2000

_log = logger("redis")


class RedisBridge:
    """One service's line to one Redis; call `run`."""

    def __init__(self, url: str, names: Names, *, answer: Answer, events: Events) -> None:
        """Connect nowhere yet.

        Raises:
            ValueError: `url` is none.
        """
        self._redis: Final[Redis] = Redis.from_url(
            url,
            socket_connect_timeout=_TIMEOUT_S,
            # A stream is read for up to two seconds at a time.
            socket_timeout=_TIMEOUT_S,
            health_check_interval=10,
            protocol=2,
            # Repeating is ours: what was sent and not answered must not be sent twice.
            retry=Retry(NoBackoff(), 0),
        )
        self._names, self._answer, self._events = names, answer, events
        self._room: Final = asyncio.Semaphore(MOST_AT_ONCE)
        self._turns: Final[dict[str, asyncio.Lock]] = {}
        self._in_hand: Final[set[str]] = set()
        self._tasks: asyncio.TaskGroup | None = None
        self.trouble: str | None = "not connected yet"
        """What keeps it from working, for a person; None when nothing does."""

    async def run(self) -> None:
        """Bring and take until cancelled."""
        try:
            async with asyncio.TaskGroup() as self._tasks:
                self._tasks.create_task(self._insist(self._listen))
                self._tasks.create_task(self._insist(self._read_stream))
                self._tasks.create_task(self._insist(self._publish_events))
        finally:
            self.trouble = "the bridge has ended"
            await self._redis.aclose()

    async def _insist(self, work: Callable[[], Awaitable[None]]) -> None:
        """Do `work` again whenever it ends, and when Redis fails it."""
        while True:
            try:
                await work()
            except (RedisError, OSError) as error:
                self._fails(error)
            await asyncio.sleep(_PAUSE_S)

    def _fails(self, error: Exception) -> None:
        if self.trouble is None:
            _log.warning("redis is away", error=type(error).__name__)
        self.trouble = f"redis does not answer: {type(error).__name__}"

    def _works(self) -> None:
        if self.trouble is not None:
            _log.info("redis answers")
        self.trouble = None

    # --- commands ---------------------------------------------------------------------------------------------------

    async def _listen(self) -> None:
        """Take commands from the channel until Redis is gone."""
        pubsub: PubSub
        async with self._redis.pubsub() as pubsub:
            await pubsub.subscribe(self._names.commands)
            self._works()
            while True:
                message = await pubsub.get_message(ignore_subscribe_messages=True, timeout=_LISTEN_S)
                if message is not None:
                    await self._take(message["data"], None)

    async def _read_stream(self) -> None:
        """Take commands from the stream: first those that an earlier process did not finish."""
        await self._join()
        after = "0"
        while True:
            entries = await self._entries(after)
            self._works()
            for entry_id, fields in entries:
                if after != ">":
                    after = entry_id
                if not fields:
                    await self._acknowledge(entry_id)  # somebody has deleted it
                elif entry_id not in self._in_hand:
                    await self._take(_command_in(fields), entry_id)
            if not entries:
                after = ">"

    async def _join(self) -> None:
        try:
            await self._redis.xgroup_create(self._names.stream, self._names.group, id="0", mkstream=True)
        except ResponseError as error:
            if not str(error).startswith("BUSYGROUP"):
                raise

    async def _entries(self, after: str) -> list[tuple[str, dict[bytes, bytes]]]:
        """Return entries: with `>` new ones, else those after `after` that are ours and not acknowledged."""
        found: Any = await self._redis.xreadgroup(
            self._names.group, self._names.group, {self._names.stream: after}, count=MOST_AT_ONCE, block=_BLOCK_MS
        )
        return [(entry_id.decode(), fields) for _, entries in found for entry_id, fields in entries]

    async def _take(self, text: bytes, entry_id: str | None) -> None:
        """Answer a command beside whatever else is under way, a user's commands one after the other."""
        assert self._tasks is not None  # noqa: S101 - only tasks of this group come here
        await self._room.acquire()
        turn = self._turns.setdefault(_user_in(text), asyncio.Lock())
        if entry_id is not None:
            self._in_hand.add(entry_id)
        self._tasks.create_task(self._act(text, entry_id, turn))

    async def _act(self, text: bytes, entry_id: str | None, turn: asyncio.Lock) -> None:
        try:
            async with turn:
                told = await self._answered(text, entry_id)
                await self._until_done(lambda: self._publish([(told, None)]))
            if entry_id is not None:
                await self._until_done(lambda: self._acknowledge(entry_id))
                self._in_hand.discard(entry_id)
        finally:
            self._room.release()
            for user, lock in list(self._turns.items()):
                if lock is turn and not lock.locked():
                    del self._turns[user]

    async def _answered(self, text: bytes, entry_id: str | None) -> str | None:
        """Return the answer; what came by the stream waits for the database."""
        while True:
            try:
                return await self._answer(text, entry_id)
            except StoreError as error:
                _log.warning("a command waits for the database", error=str(error))
                await asyncio.sleep(_PAUSE_S)

    async def _acknowledge(self, entry_id: str) -> None:
        """Say that an entry is done, and delete it: it may hold a token."""
        async with self._redis.pipeline(transaction=True) as pipe:
            pipe.xack(self._names.stream, self._names.group, entry_id)
            pipe.xdel(self._names.stream, entry_id)
            await pipe.execute()

    async def _until_done(self, work: Callable[[], Awaitable[None]]) -> None:
        while True:
            try:
                await work()
            except ResponseError:
                # A Redis that lost its data knows no group; there is nothing to acknowledge either.
                _log.warning("redis has lost a command's delivery")
                return
            except (RedisError, OSError) as error:
                self._fails(error)
                await asyncio.sleep(_PAUSE_S)
            else:
                return

    # --- events -----------------------------------------------------------------------------------------------------

    async def _publish_events(self) -> None:
        """Publish what happens, from where the last process stopped, until the events or Redis end."""
        kept: Any = await self._redis.get(self._names.cursor)
        self._works()
        async with aclosing(self._events(kept.decode() if kept else None)) as found:
            async for events in found:
                await self._publish(events)

    async def _publish(self, events: Sequence[Event]) -> None:
        """Publish events, and with them where to go on: both or neither."""
        cursors = [cursor for _, cursor in events if cursor is not None]
        async with self._redis.pipeline(transaction=True) as pipe:
            for text, _ in events:
                if text is not None:
                    pipe.publish(self._names.events, text)
            if cursors:
                pipe.set(self._names.cursor, cursors[-1])
            if pipe.command_stack:
                await pipe.execute()


def _command_in(fields: Mapping[bytes, bytes]) -> bytes:
    """Return the command of an entry: its field `command`, or its only one."""
    if b"command" in fields:
        return fields[b"command"]
    return next(iter(fields.values())) if len(fields) == 1 else b""


def _user_in(text: bytes) -> str:
    """Return whose turn it is; whoever writes no user shares one turn."""
    try:
        return str(json.loads(text).get("user_id"))
    except (ValueError, AttributeError):
        return ""
