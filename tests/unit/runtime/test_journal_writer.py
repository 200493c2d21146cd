"""One durable insert at a time, and nobody pays for another's trouble."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress

import pytest

from algoexec.domain.errors import FenceLost, StoreError, StoreUnavailable
from algoexec.engine.effects import Frame
from algoexec.ports.stores import JournalEntry
from algoexec.runtime.journal_writer import JournalWriter
from tests.contract.given import entry
from tests.unit.runtime.warped import LoopClock, rest, until, warped


class GatedJournal:
    """A journal whose inserts take as long as the test says, and end as it says."""

    def __init__(self) -> None:
        self.inserts: list[list[JournalEntry]] = []
        self.gate = asyncio.Event()
        self.gate.set()
        self.answers: list[dict[str, Exception] | Exception] = []

    async def append(self, entries: Sequence[JournalEntry]) -> dict[str, Exception]:
        self.inserts.append(list(entries))
        await self.gate.wait()
        answer = self.answers.pop(0) if self.answers else {}
        if isinstance(answer, Exception):
            raise answer
        return answer

    async def read(self, session_id: str, after: int = 0, limit: int | None = None) -> Sequence[JournalEntry]:
        raise NotImplementedError

    async def frames(self, session_id: str, after: int, limit: int) -> Sequence[Frame]:
        raise NotImplementedError

    def written(self) -> list[list[tuple[str, int]]]:
        return [[(one.session_id, one.record.seq) for one in entries] for entries in self.inserts]


@asynccontextmanager
async def writing(journal: GatedJournal) -> AsyncIterator[JournalWriter]:
    writer = JournalWriter(journal, LoopClock())
    task = asyncio.create_task(writer.run())
    try:
        yield writer
    finally:
        assert not task.done(), "the writer has ended by itself"
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


@warped
async def test_while_one_insert_is_under_way_what_comes_is_gathered_for_the_next() -> None:
    journal = GatedJournal()
    async with writing(journal) as writer:
        journal.gate.clear()
        first = asyncio.create_task(writer.append([entry(1, session="a")]))
        await rest()
        others = [asyncio.create_task(writer.append([entry(n, session=s)])) for s, n in (("b", 1), ("c", 4), ("d", 2))]
        await rest()
        assert journal.written() == [[("a", 1)]]
        assert not first.done()
        journal.gate.set()
        await asyncio.gather(first, *others)
        assert journal.written() == [[("a", 1)], [("b", 1), ("c", 4), ("d", 2)]]


@warped
async def test_nothing_is_durable_before_the_insert_has_come_back() -> None:
    journal = GatedJournal()
    async with writing(journal) as writer:
        journal.gate.clear()
        append = asyncio.create_task(writer.append([entry(1)]))
        await rest()
        assert not append.done()
        journal.gate.set()
        await append


@warped
async def test_a_database_that_does_not_answer_is_tried_again_with_the_same_entries() -> None:
    journal = GatedJournal()
    async with writing(journal) as writer:
        journal.answers = [StoreUnavailable("down")] * 5
        own = [entry(1), entry(2)]
        append = asyncio.create_task(writer.append(own))
        await until(lambda: len(journal.inserts) == 3)
        assert not append.done()
        assert writer.failing_for > 0
        later = asyncio.create_task(writer.append([entry(1, session="b")]))
        await asyncio.gather(append, later)
        assert journal.inserts[:6] == [own] * 6
        assert journal.written()[6] == [("b", 1)]
        assert writer.failing_for == 0


@warped
async def test_it_says_for_how_long_the_journal_could_not_be_written() -> None:
    journal = GatedJournal()
    async with writing(journal) as writer:
        journal.answers = [StoreUnavailable("down")] * 1000
        append = asyncio.create_task(writer.append([entry(1)]))
        await until(lambda: writer.failing_for > 12)
        assert not append.done()
        journal.answers = []
        await append


@pytest.mark.parametrize("failure", [StoreError("no space left"), OSError("what a driver may raise")])
@warped
async def test_no_failure_ends_the_writer_for_all(failure: Exception) -> None:
    journal = GatedJournal()
    async with writing(journal) as writer:
        journal.answers = [failure, failure]
        await writer.append([entry(1)])
        assert journal.written() == [[("s1", 1)]] * 3
        await writer.append([entry(2)])


@warped
async def test_a_lost_fence_is_heard_by_its_session_alone() -> None:
    journal = GatedJournal()
    async with writing(journal) as writer:
        journal.answers = [{"b": FenceLost("another owner")}]
        appends = [asyncio.create_task(writer.append([entry(1, session=s)])) for s in "abc"]
        results = await asyncio.gather(*appends, return_exceptions=True)
        assert [type(result) for result in results] == [type(None), FenceLost, type(None)]
        assert journal.written() == [[("a", 1), ("b", 1), ("c", 1)]]


@warped
async def test_what_nobody_waits_for_any_more_is_not_begun() -> None:
    """A session that has lost its lease must not write into the journal of the next owner."""
    journal = GatedJournal()
    async with writing(journal) as writer:
        journal.gate.clear()
        first = asyncio.create_task(writer.append([entry(1, session="a")]))
        await rest()
        gone = asyncio.create_task(writer.append([entry(1, session="b")]))
        kept = asyncio.create_task(writer.append([entry(1, session="c")]))
        await rest()
        gone.cancel()
        await rest()
        journal.gate.set()
        await asyncio.gather(first, kept)
        assert journal.written() == [[("a", 1)], [("c", 1)]]


@warped
async def test_what_nobody_waits_for_any_more_is_not_tried_again() -> None:
    journal = GatedJournal()
    async with writing(journal) as writer:
        journal.answers = [StoreUnavailable("down")] * 3
        gone = asyncio.create_task(writer.append([entry(1, session="a")]))
        kept = asyncio.create_task(writer.append([entry(1, session="b")]))
        await until(lambda: len(journal.inserts) == 2)
        gone.cancel()
        await kept
        assert journal.written()[:2] == [[("a", 1), ("b", 1)]] * 2
        assert journal.written()[2:] == [[("b", 1)]] * 2


@warped
async def test_it_does_not_say_for_ever_that_it_fails_when_nobody_tries_any_more() -> None:
    journal = GatedJournal()
    async with writing(journal) as writer:
        journal.answers = [StoreUnavailable("down")] * 9
        gone = asyncio.create_task(writer.append([entry(1)]))
        await until(lambda: writer.failing_for > 0)
        gone.cancel()
        await until(lambda: writer.failing_for == 0)


@warped
async def test_a_cancelled_session_does_not_stop_the_insert_that_others_wait_for() -> None:
    journal = GatedJournal()
    async with writing(journal) as writer:
        journal.gate.clear()
        gone = asyncio.create_task(writer.append([entry(1, session="a")]))
        kept = asyncio.create_task(writer.append([entry(1, session="b")]))
        await rest()
        gone.cancel()
        await rest()
        journal.gate.set()
        await kept
        assert gone.cancelled()
        assert journal.written() == [[("a", 1), ("b", 1)]]


@warped
async def test_settled_means_that_no_insert_is_under_way() -> None:
    journal = GatedJournal()
    async with writing(journal) as writer:
        await writer.settled()
        journal.gate.clear()
        gone = asyncio.create_task(writer.append([entry(1)]))
        await rest()
        gone.cancel()
        settled = asyncio.create_task(writer.settled())
        await rest()
        assert not settled.done(), "the record may still become durable"
        journal.gate.set()
        await settled
