"""The lists follow the journal: in order, in the end, and without holding anybody up."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import replace
from datetime import datetime
from typing import Any

import pytest

from algoexec.adapters.memory import MemoryStores
from algoexec.domain.errors import StoreError
from algoexec.engine.effects import Status
from algoexec.engine.state import EngineState
from algoexec.ports.stores import JournalEntry
from algoexec.runtime.projector import Projector
from tests.contract.given import entry, reading, row, state
from tests.unit.runtime.warped import LoopClock, rest, until, warped


class Recorder:
    """Stores in memory that remember in which order they were written, and can be told to fail."""

    def __init__(self) -> None:
        self.stores: Any = MemoryStores()
        self.writes: list[tuple[str, object]] = []
        self.failing: dict[tuple[str, str], Exception] = {}
        projections: Any = self.stores.projections
        snapshots: Any = self.stores.snapshots
        sessions: Any = self.stores.sessions
        self._project, self._save, self._set = projections.project, snapshots.save, sessions.set_status
        projections.project, snapshots.save, sessions.set_status = self.project, self.save, self.set_status

    def _note(self, kind: str, session_id: str, what: object) -> None:
        if (kind, session_id) in self.failing:
            raise self.failing[kind, session_id]
        self.writes.append((kind, what))

    async def project(
        self, venue: str, underlying: Any, user_id: str, entries: Sequence[JournalEntry]
    ) -> frozenset[str]:
        self._note("entries", entries[0].session_id, [one.record.seq for one in entries])
        behind: frozenset[str] = await self._project(venue, underlying, user_id, entries)
        return behind

    async def save(self, kept: EngineState, recorded_at: datetime) -> None:
        self._note("snapshot", kept.session_id, kept.seq)
        await self._save(kept, recorded_at)

    async def set_status(self, session_id: str, status: Status, reason: str | None, account: str | None) -> None:
        self._note("status", session_id, status)
        await self._set(session_id, status, reason, account)


@asynccontextmanager
async def projecting(recorder: Recorder) -> AsyncIterator[Projector]:
    projector = Projector(recorder.stores, LoopClock())
    task = asyncio.create_task(projector.run())
    try:
        yield projector
    finally:
        assert not task.done(), "the projector has ended by itself"
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


@warped
async def test_entries_are_projected_in_their_order() -> None:
    recorder = Recorder()
    async with projecting(recorder) as projector:
        for seq in range(1, 6):
            projector.project(state(), [entry(seq, reading(seq))])
            if seq % 2:
                await asyncio.sleep(1)
        await projector.settled()
        assert recorder.writes == [("entries", [1]), ("entries", [2, 3]), ("entries", [4, 5])]
        assert await recorder.stores.projections.projected("s1") == 5


@warped
async def test_what_is_handed_over_gives_way_to_what_is_decided_just_then() -> None:
    """An order may come of it, and that is to be on its way before the lists take their time."""
    recorder = Recorder()
    async with projecting(recorder) as projector:
        projector.project(state(), [entry(1, reading(1))])
        projector.snapshot(state())
        await rest()
        assert recorder.writes == []
        await projector.settled()
        assert [kind for kind, _ in recorder.writes] == ["entries", "snapshot"]


@warped
async def test_what_a_crashed_database_has_lost_is_projected_again() -> None:
    recorder = Recorder()
    entries = [entry(seq, reading(seq)) for seq in range(1, 7)]
    await recorder.stores.journal.append(entries)
    async with projecting(recorder) as projector:
        projector.project(state(), entries[:4])
        await projector.settled()
        recorder.stores.projections._progress["s1"] = 2
        recorder.stores.projections._readings.popitem()
        projector.project(state(), entries[4:])
        await projector.settled()
    assert recorder.writes == [("entries", [1, 2, 3, 4]), ("entries", [5, 6]), ("entries", [3, 4, 5, 6])]
    assert await recorder.stores.projections.projected("s1") == 6
    assert len(recorder.stores.projections._readings) == 6


@warped
async def test_of_several_snapshots_only_the_newest_is_written() -> None:
    recorder = Recorder()
    async with projecting(recorder) as projector:
        for seq in range(1, 9):
            projector.snapshot(replace(state(), seq=seq))
        await projector.settled()
        assert recorder.writes == [("snapshot", 8)]


@warped
async def test_a_session_is_over_for_the_lists_only_once_all_that_it_said_is_in_them() -> None:
    """One that is over is never taken up again: what a crash in between lost would be lost for good."""
    recorder = Recorder()
    await recorder.stores.sessions.create(row())
    over = replace(state(), status=Status.STOPPED, seq=7)
    async with projecting(recorder) as projector:
        projector.status(over, None)
        projector.snapshot(over)
        projector.project(over, [entry(1, reading(1))])
        await projector.settled()
        assert recorder.writes == [("entries", [1]), ("snapshot", 7), ("status", Status.STOPPED)]


@warped
async def test_what_the_database_does_not_take_now_is_written_later_and_in_order() -> None:
    recorder = Recorder()
    async with projecting(recorder) as projector:
        recorder.stores.is_available = False
        projector.project(state(), [entry(1, reading(1))])
        await asyncio.sleep(1)
        projector.project(state(), [entry(2, reading(2))])
        settled = asyncio.create_task(projector.settled())
        await asyncio.sleep(30)
        assert not settled.done()
        recorder.stores.is_available = True
        await settled
        assert await recorder.stores.projections.projected("s1") == 2
        assert recorder.writes[-2:] == [("entries", [1]), ("entries", [2])]


@pytest.mark.parametrize("failure", [StoreError("cannot be stored"), ValueError("a bug")])
@warped
async def test_one_session_that_cannot_be_projected_does_not_stop_the_others(failure: Exception) -> None:
    recorder = Recorder()
    recorder.failing["entries", "a"] = failure
    async with projecting(recorder) as projector:
        projector.project(replace(state(), session_id="a", user_id="ann"), [entry(1, session="a")])
        projector.project(replace(state(), session_id="b", user_id="bob"), [entry(1, session="b")])
        await projector.settled()
        assert recorder.writes == [("entries", [1])]
        projector.snapshot(state())
        await projector.settled()
        assert recorder.writes[1:] == [("snapshot", state().seq)]


@warped
async def test_settled_does_not_wait_for_what_comes_later() -> None:
    """Somebody always hands something over; who stops a session is answered all the same."""
    recorder = Recorder()
    async with projecting(recorder) as projector:

        async def chatter() -> None:
            for seq in range(1, 10_000):
                projector.snapshot(replace(state(), session_id="other", seq=seq))
                await asyncio.sleep(0.001)

        chattering = asyncio.create_task(chatter())
        await rest()
        projector.status(state(), None)
        await projector.settled()
        assert not chattering.done()
        chattering.cancel()


@warped
async def test_settled_returns_at_once_when_nothing_was_handed_over() -> None:
    async with projecting(Recorder()) as projector:
        await projector.settled()


@warped
async def test_everybody_who_waits_until_it_is_settled_is_told() -> None:
    recorder = Recorder()
    async with projecting(recorder) as projector:
        projector.status(state(), None)
        waiting = [asyncio.create_task(projector.settled()) for _ in range(3)]
        await until(lambda: all(one.done() for one in waiting))
