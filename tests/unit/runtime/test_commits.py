"""Durability: the journal, and the disk while the journal is down and something is held."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import pytest

from algoexec.domain.errors import FenceLost, StoreUnavailable
from algoexec.engine.state import EngineState
from algoexec.ports.spill import Spill
from algoexec.ports.stores import JournalEntry
from algoexec.runtime.commits import Commits
from algoexec.runtime.journal_writer import JournalWriter
from algoexec.storage.spill import SpillFolder
from tests.contract.given import entry, state
from tests.unit.runtime.test_journal_writer import GatedJournal
from tests.unit.runtime.warped import LoopClock, rest, warped

BEFORE, AFTER = state(), state()


class Counted:
    """What was let count, in order."""

    def __init__(self) -> None:
        self.seqs: list[int] = []

    def __call__(self, before: EngineState, after: EngineState, entries: Sequence[JournalEntry]) -> None:
        assert (before, after) == (BEFORE, AFTER)
        self.seqs += [one.record.seq for one in entries]


@asynccontextmanager
async def committing(journal: GatedJournal, spill: Spill | None, counted: Counted) -> AsyncIterator[Commits]:
    writer = JournalWriter(journal, LoopClock())
    commits = Commits("s1", writer, spill, counted)
    tasks = [asyncio.create_task(writer.run()), asyncio.create_task(commits.catch_up())]
    try:
        yield commits
    finally:
        for task in tasks:
            task.cancel()
        with suppress(asyncio.CancelledError, FenceLost):
            await asyncio.gather(*tasks)


@warped
async def test_a_journal_that_answers_needs_no_disk(tmp_path: Path) -> None:
    counted, spill = Counted(), SpillFolder(tmp_path / "spill")
    async with committing(GatedJournal(), spill, counted) as commits:
        assert await commits.commit(BEFORE, AFTER, [entry(2)], holds=True)
    assert counted.seqs == [2]
    assert not (tmp_path / "spill").exists()


@warped
async def test_what_is_held_waits_a_second_then_goes_to_disk_and_counts_when_the_journal_has_it(tmp_path: Path) -> None:
    journal, counted, spill = GatedJournal(), Counted(), SpillFolder(tmp_path)
    journal.gate.clear()
    async with committing(journal, spill, counted) as commits:
        begun = asyncio.get_running_loop().time()
        assert not await commits.commit(BEFORE, AFTER, [entry(2)], holds=True)
        assert asyncio.get_running_loop().time() - begun == pytest.approx(1.0, abs=0.01)
        begun = asyncio.get_running_loop().time()
        assert not await commits.commit(BEFORE, AFTER, [entry(3)], holds=True)
        assert asyncio.get_running_loop().time() - begun < 0.01, "who is late once does not wait again"
        assert [one.record.seq for one in spill.read("s1")] == [2, 3]
        assert counted.seqs == []
        journal.gate.set()
        await rest()
        assert counted.seqs == [2, 3]
        assert spill.read("s1") == ()
        assert await commits.commit(BEFORE, AFTER, [entry(4)], holds=True)
    assert counted.seqs == [2, 3, 4]


@warped
async def test_who_holds_nothing_waits_for_the_journal(tmp_path: Path) -> None:
    journal, counted, spill = GatedJournal(), Counted(), SpillFolder(tmp_path)
    journal.gate.clear()
    async with committing(journal, spill, counted) as commits:
        waiting = asyncio.create_task(commits.commit(BEFORE, AFTER, [entry(2)], holds=False))
        await asyncio.sleep(60)
        assert not waiting.done()
        journal.gate.set()
        assert await waiting
    assert spill.read("s1") == ()


@warped
async def test_another_owners_record_ends_the_session_also_after_the_disk(tmp_path: Path) -> None:
    journal, spill = GatedJournal(), SpillFolder(tmp_path)
    journal.answers = [StoreUnavailable("down"), {"s1": FenceLost("theirs")}]
    journal.gate.clear()
    writer = JournalWriter(journal, LoopClock())
    commits = Commits("s1", writer, spill, Counted())
    writing = asyncio.create_task(writer.run())
    assert not await commits.commit(BEFORE, AFTER, [entry(2)], holds=True)
    journal.gate.set()
    with pytest.raises(FenceLost):
        await commits.catch_up()
    assert [one.record.seq for one in spill.read("s1")] == [2], "a person must see what was done from it"
    writing.cancel()


@warped
async def test_who_lets_go_of_a_session_writes_nothing_any_more(tmp_path: Path) -> None:
    journal, spill = GatedJournal(), SpillFolder(tmp_path)
    journal.answers = [StoreUnavailable("down")] * 5
    async with committing(journal, spill, Counted()) as commits:
        waiting = asyncio.create_task(commits.commit(BEFORE, AFTER, [entry(2)], holds=False))
        await asyncio.sleep(1)
        waiting.cancel()
        await asyncio.sleep(60)
        assert len(journal.inserts) == 5, "it was tried while somebody waited, and not after"


@warped
async def test_what_was_spilled_waits_on_disk_for_the_next_owner(tmp_path: Path) -> None:
    journal, spill = GatedJournal(), SpillFolder(tmp_path)
    journal.answers = [StoreUnavailable("down")] * 50
    writer = JournalWriter(journal, LoopClock())
    commits = Commits("s1", writer, spill, Counted())
    writing, catching = asyncio.create_task(writer.run()), asyncio.create_task(commits.catch_up())
    for seq in (2, 3):
        assert not await commits.commit(BEFORE, AFTER, [entry(seq)], holds=True)
    catching.cancel()
    await asyncio.sleep(10)
    tried = len(journal.inserts)
    await asyncio.sleep(60)
    assert len(journal.inserts) == tried
    assert [one.record.seq for one in spill.read("s1")] == [2, 3]
    writing.cancel()


def test_a_torn_line_was_never_acted_upon(tmp_path: Path) -> None:
    spill = SpillFolder(tmp_path)
    spill.write([entry(2), entry(3)])
    path = tmp_path / "s1.jsonl"
    path.write_bytes(path.read_bytes()[:-10])
    assert spill.read("s1") == [entry(2)]
    assert path.stat().st_mode & 0o077 == 0


def test_what_was_never_spilled_reads_as_nothing(tmp_path: Path) -> None:
    spill = SpillFolder(tmp_path / "missing")
    assert spill.read("s1") == ()
    spill.forget("s1")
