"""One connection's view of the stream: begin, catch up, then live."""

import asyncio
from collections import deque
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from types import TracebackType
from typing import Any, Final, Protocol, Self

from algoexec.engine.effects import Frame
from algoexec.ports.clock import WallClock
from algoexec.runtime.cursor import Cursor, read_cursor
from algoexec.runtime.place import Place
from algoexec.runtime.wire import Encoded, Message, encode, unnumbered

_MARGIN: Final = timedelta(minutes=1)
"""A session this young is named in every cursor: its row may have been on its way when we looked."""


@dataclass(frozen=True, slots=True, kw_only=True)
class HubOptions:
    """`depth` is how many frames a watcher may lie behind, `page` how many a replay reads at a time.

    A cursor that lies further back than `longest_replay` frames is too old; a heartbeat
    comes every `heartbeat` seconds of wall time; of what is conflated, one each `conflation` seconds.
    """

    depth: int = 2048
    page: int = 500
    longest_replay: int = 50_000
    heartbeat: float = 15.0
    conflation: float = 0.25


@dataclass(frozen=True, slots=True, kw_only=True)
class Filter:
    """What a watcher wants. `session_id` None: every session of `user_id`, or of everybody.

    `topics` None: all types. Whether the caller may see the session was asked before.
    """

    session_id: str | None = None
    user_id: str | None = None
    topics: frozenset[str] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """A session when a watch begins, as of its frame number `frames`: the journal may be further on.

    `describe` returns what a snapshot tells of it.
    """

    session_id: str
    created_at: datetime
    is_active: bool
    frames: int
    describe: Callable[[], Mapping[str, Any]]


class Directory(Protocol):
    """The sessions that one caller may see."""

    async def standing(self, since: datetime | None) -> Sequence[Standing]:
        """Return the active ones, and with `since` also those created at or after it."""

    async def one(self, session_id: str) -> Standing | None:
        """Return that session as of now, over or not; None when the caller may not see it."""


class EndReason(StrEnum):
    """Why a watch ended although the client wanted more."""

    TOO_SLOW = "too_slow"
    RESTART = "restart"


class WatchEnded(Exception):
    """The hub ended the watch."""

    def __init__(self, reason: EndReason, detail: str) -> None:
        """Keep the reason for the close code, the detail for a person."""
        super().__init__(detail)
        self.reason = reason


class _Gap(Exception):
    """What `since` names cannot be had; the argument says why."""


class Watcher:
    """Collects from the moment it is made. Take `beginning` first, then `take` for ever.

    Per session, frames come in order and each once.
    """

    def __init__(
        self,
        frames: Callable[[str, int, int], Awaitable[Sequence[Frame]]],
        clock: WallClock,
        options: HubOptions,
        wanted: Filter,
        directory: Directory,
        since: str | None,
        leave: Callable[["Watcher"], None],
    ) -> None:
        """Begin to collect; nothing is read before the first message is asked for."""
        self.wanted: Final = wanted
        self.ended: EndReason | None = None
        self.why = ""
        """What ended it, for a person."""
        self._frames: Final = frames
        self._clock: Final = clock
        self._options: Final = options
        self._directory: Final = directory
        self._since: Final = since
        self._leave: Final = leave
        self._topics: Final = wanted.topics
        self._depth: Final = options.depth
        self._is_in = True
        self._is_live = False
        self._queue: Final[deque[Encoded]] = deque()
        self._newest: Final[dict[tuple[str, str], Message]] = {}
        self._missed: set[str] = set()
        self._place = Place(Cursor(clock.now(), {}))
        self._waiting: asyncio.Future[None] | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._is_due = False
        self._has_moved = True
        self._at_end: Callable[[], object] | None = None

    def offer(self, encoded: Encoded) -> None:
        """Take a frame that was just published."""
        if encoded.type == "candle" and self._newest:
            # The minute is over: what was to be told of it while it ran would now come after its end.
            self._newest.pop((encoded.session_id, "candle_update"), None)
        if self._topics is not None and encoded.type not in self._topics:
            return
        self._queue.append(encoded)
        if len(self._queue) > self._depth:
            self._overflow()
        if self._waiting is not None:
            self._wake()

    def oldest(self) -> float | None:
        """Return when the oldest frame was published that waits to be taken; None when none does."""
        return self._queue[0].published_at if self._queue else None

    def offer_volatile(self, session_id: str, message: Message) -> None:
        """Take a frame of which only the newest counts."""
        if self._topics is None or message.type in self._topics:
            self._newest[session_id, message.type] = message
            self._wake()

    def end(self, reason: EndReason, detail: str) -> None:
        """End the watch from the hub's side; whoever takes from it gets `WatchEnded`."""
        if self.ended is None:
            self.ended, self.why = reason, detail
            self._queue.clear()
            self._newest.clear()
            self._go()
            self._wake()
            if self._at_end is not None:
                self._at_end()

    def call_at_end(self, callback: Callable[[], object]) -> None:
        """Have `callback` called if the hub ends the watch: the consumer may be stuck in a send."""
        self._at_end = callback

    async def __aenter__(self) -> Self:
        """Return itself: it was watching already."""
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Leave the hub."""
        self._go()

    async def messages(self) -> AsyncGenerator[Message]:
        """Yield everything that the connection is to send, for ever.

        Raises:
            WatchEnded: the hub dropped this watcher or is closing.
            StoreUnavailable: what was missed cannot be read now.
        """
        async for message in self.beginning():
            yield message
        while True:
            for message in await self.take():
                yield message

    async def beginning(self) -> AsyncGenerator[Message]:
        """Yield a snapshot, or what was missed; ends when the rest is live. Raises as `messages`."""
        since = self._since
        self._beat_later()
        while not self._is_live:
            try:
                if since is None:
                    yield await self._snapshot()
                    owed: dict[str, int] = {}
                else:
                    owed = await self._resume(since)
                async for message in self._catch_up(owed):
                    yield message
            except _Gap as gap:
                since = None
                yield unnumbered("gap", self.wanted.session_id, self._clock.now(), {"reason": str(gap)})

    async def take(self) -> list[Message]:
        """Wait for what happens and return all of it, one or more. Raises `WatchEnded`."""
        while True:
            self._raise_if_ended()
            self._has_moved = True
            if self._queue:
                ready = [message for one in self._queue if (message := self._place.next(one)) is not None]
                self._queue.clear()
                if ready:
                    return ready
            if self._newest or self._is_due:
                return self._unnumbered()
            self._waiting = asyncio.get_running_loop().create_future()
            try:
                await self._waiting
            finally:
                self._waiting = None

    def _unnumbered(self) -> list[Message]:
        ready = list(self._newest.values())
        self._newest.clear()
        if self._is_due:
            self._is_due = False
            ready.append(self._heartbeat())
        return ready

    def _wake(self) -> None:
        if self._waiting is not None and not self._waiting.done():
            self._waiting.set_result(None)

    def _beat_later(self) -> None:
        self._timer = asyncio.get_running_loop().call_later(self._options.heartbeat, self._beat)

    def _beat(self) -> None:
        """Ask for a heartbeat; a consumer that has not moved since the last one never will."""
        if self._is_due and not self._has_moved:
            self.end(EndReason.TOO_SLOW, f"nothing could be sent for {self._options.heartbeat:g} s")
            return
        self._is_due, self._has_moved = True, False
        self._wake()
        self._beat_later()

    def _heartbeat(self) -> Message:
        return unnumbered("heartbeat", self.wanted.session_id, self._clock.now(), {}, self._place.cursor())

    def _base(self) -> datetime:
        """Return the base of this connection's cursors: on the minute, so that connections share theirs."""
        return self._clock.now().replace(second=0, microsecond=0) - _MARGIN

    async def _snapshot(self) -> Message:
        """Forget what was sent and begin from how the sessions stand."""
        base = self._base()
        if self.wanted.session_id is None:
            found = list(await self._directory.standing(base))
        else:
            one = await self._directory.one(self.wanted.session_id)
            found = [] if one is None else [one]
        found = [await self._as_of_now(one) for one in found]
        positions = {one.session_id: one.frames for one in found}
        self._place = Place(Cursor(base, positions))
        shown = [one for one in found if one.is_active or self.wanted.session_id is not None]
        sessions = [{**one.describe(), "seq": positions[one.session_id]} for one in shown]
        return unnumbered(
            "snapshot", self.wanted.session_id, self._clock.now(), {"sessions": sessions}, self._place.cursor()
        )

    async def _resume(self, since: str) -> dict[str, int]:
        """Stand where the client stood; return the newest number of each session that is owed."""
        cursor, base = self._read(since), self._base()
        found = await self._named(cursor)
        newest = {one.session_id: await self._newest_of(one) for one in found.values()}
        positions = {key: _position(one, newest[key], cursor) for key, one in found.items()}
        if sum(newest[key] - at for key, at in positions.items()) > self._options.longest_replay:
            raise _Gap("too_old")
        living = {
            key: at
            for key, at in positions.items()
            if newest[key] > at or found[key].is_active or found[key].created_at >= base
        }
        self._place = Place(Cursor(base, living))
        self._missed.update(living)
        return newest

    async def _named(self, cursor: Cursor) -> dict[str, Standing]:
        """Return the sessions of the connection: those of the cursor, and those that came after it."""
        if self.wanted.session_id is not None:
            named, found = {self.wanted.session_id}, {}
        else:
            named = set(cursor.positions)
            found = {one.session_id: one for one in await self._directory.standing(cursor.base)}
        for session_id in named - found.keys():
            one = await self._directory.one(session_id)
            if one is None:
                raise _Gap("unknown_cursor")
            found[session_id] = one
        return found

    def _read(self, since: str) -> Cursor:
        if since.isascii() and since.isdigit() and len(since) <= 18 and self.wanted.session_id is not None:
            return Cursor(self._clock.now(), {self.wanted.session_id: int(since)})
        cursor = read_cursor(since)
        if cursor is None:
            raise _Gap("unknown_cursor")
        return cursor

    async def _newest_of(self, one: Standing) -> int:
        newest = one.frames
        while page := await self._frames(one.session_id, newest, self._options.page):
            newest = page[-1].number
        return newest

    async def _as_of_now(self, one: Standing) -> Standing:
        """Return the session as it is, should the list know an older state of it."""
        if not await self._frames(one.session_id, one.frames, 1):
            return one
        return await self._directory.one(one.session_id) or one

    async def _catch_up(self, owed: Mapping[str, int]) -> AsyncIterator[Message]:
        """Replay until the queue holds everything that comes after the replay."""
        while self._missed:
            session_id = self._missed.pop()
            async for message in self._replay(session_id, owed.get(session_id, 0)):
                yield message
        self._is_live = True

    async def _replay(self, session_id: str, owed: int) -> AsyncIterator[Message]:
        while True:
            after = self._place.scanned(session_id)
            page = await self._frames(session_id, after, self._options.page)
            self._raise_if_ended()
            for frame in page:
                if frame.number != after + 1:
                    raise _Gap("too_old")
                after = frame.number
                if self._topics is not None and frame.type not in self._topics:
                    self._place.skip(session_id, after)
                elif (message := self._place.next(encode(session_id, frame))) is not None:
                    yield message
                    self._has_moved = True
            if len(page) < self._options.page:
                if after < owed:
                    raise _Gap("too_old")
                return

    def _overflow(self) -> None:
        if self._is_live:
            self.end(EndReason.TOO_SLOW, f"more than {self._depth} frames behind")
            return
        # What is dropped here is in the journal: the replay under way will come to it.
        self._missed.update(encoded.session_id for encoded in self._queue)
        self._queue.clear()

    def _raise_if_ended(self) -> None:
        if self.ended is not None:
            raise WatchEnded(self.ended, self.why)

    def _go(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        if self._is_in:
            self._is_in = False
            self._leave(self)


def _position(one: Standing, newest: int, cursor: Cursor) -> int:
    position = cursor.positions.get(one.session_id)
    if position is None and one.created_at >= cursor.base:
        return 0
    if position is None or position > newest:
        # It is of a connection that watched other sessions, or of another database.
        raise _Gap("unknown_cursor")
    return position
