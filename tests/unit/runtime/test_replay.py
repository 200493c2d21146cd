"""A stored session is what its journal says, or the first difference is named; also as the command line tells it."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from typer.testing import CliRunner

from algoexec.cli import app
from algoexec.engine.effects import Status
from algoexec.engine.events import CandleClosed
from algoexec.engine.state import EngineState
from algoexec.ports.stores import JournalEntry
from algoexec.runtime.replay import Contradiction, OtherOutcome, OtherState, Replay, Replayed, pages
from algoexec.storage.codec import to_json
from tests.unit.runtime.registries import World, create, reaches
from tests.unit.runtime.warped import START, warped


async def played() -> tuple[World, str]:
    """Return a world in which a session has met some minutes, and its id."""
    world = World()
    await world.venue.clock.wait_until(START + timedelta(minutes=30))
    async with world.registry() as registry:
        world.play()
        session = await create(registry)
        await reaches(registry, session, Status.RUNNING)
        await world.venue.clock.wait_until(START + timedelta(minutes=40, seconds=10))
    return world, session


async def recorded() -> tuple[list[JournalEntry], EngineState]:
    """Return a journal and the state that was kept."""
    world, session = await played()
    kept = await world.stores.snapshots.newest(session)
    assert kept is not None
    return await world.entries(session), kept


def replayed(entries: Sequence[JournalEntry], kept: EngineState | None = None) -> Replayed:
    replay = Replay(kept)
    for entry in entries:
        replay.take([entry])
    result = replay.result()
    assert result is not None
    return result


@warped
async def test_what_was_recorded_is_what_is_folded() -> None:
    world, session = await played()
    kept = await world.stores.snapshots.newest(session)
    assert kept is not None
    replay = Replay(kept)
    async for entries in pages(world.stores.journal, session):
        replay.take(entries)
    result = replay.result()
    assert result is not None
    assert result.difference is None
    assert result.compared_at == kept.seq
    assert result.state == await world.folded(session)


@warped
async def test_without_a_record_nothing_is_said() -> None:
    world = World()
    replay = Replay()
    async for entries in pages(world.stores.journal, "nobody"):
        replay.take(entries)
    assert replay.result() is None


@warped
async def test_another_price_leads_elsewhere_at_that_record() -> None:
    entries, kept = await recorded()
    place = next(n for n, entry in enumerate(entries) if isinstance(entry.record.event, CandleClosed))
    event = entries[place].record.event
    assert isinstance(event, CandleClosed)
    other = replace(event, candle=replace(event.candle, close=event.candle.close + 1))
    entries[place] = replace(entries[place], record=replace(entries[place].record, event=other))
    difference = replayed(entries, kept).difference
    assert isinstance(difference, OtherOutcome)
    assert difference.recorded == entries[place]
    assert difference.replayed.frames != entries[place].frames


@warped
async def test_a_missing_record_is_a_contradiction() -> None:
    entries, _ = await recorded()
    result = replayed([*entries[:10], *entries[11:]])
    assert isinstance(result.difference, Contradiction)
    assert result.difference.after == entries[9].record.seq
    assert result.state is not None
    assert result.state.seq == entries[9].record.seq
    headless = replayed(entries[1:])
    assert headless.state is None
    assert isinstance(headless.difference, Contradiction)


@warped
async def test_another_kept_state_is_found_though_every_outcome_is_equal() -> None:
    entries, kept = await recorded()
    difference = replayed(entries, replace(kept, halted="nobody said so")).difference
    assert isinstance(difference, OtherState)
    assert (difference.kept.halted, difference.replayed.halted) == ("nobody said so", kept.halted)


# --- the command line ------------------------------------------------------------------------------------------


def run(*arguments: str) -> tuple[int, str]:
    result = CliRunner().invoke(app, ["replay", *arguments])
    return result.exit_code, result.output


def export(path: Path, entries: Sequence[JournalEntry]) -> str:
    path.write_bytes(b"".join(to_json(entry) + b"\n" for entry in entries))
    return f"--file={path}"


@warped
async def test_an_exported_journal_is_told_equal(tmp_path: Path) -> None:
    entries, _ = await recorded()
    status, said = run(export(tmp_path / "journal.jsonl", entries))
    assert status == 0, said
    assert f"{len(entries)} records" in said
    assert "every effect and every frame is equal" in said


@warped
async def test_the_first_difference_is_shown_line_by_line(tmp_path: Path) -> None:
    entries, _ = await recorded()
    place = next(n for n, entry in enumerate(entries) if isinstance(entry.record.event, CandleClosed))
    entries[place] = replace(entries[place], frames=entries[place].frames[:0])
    status, said = run(export(tmp_path / "journal.jsonl", entries))
    assert status == 1
    assert f"Record {entries[place].record.seq} (CandleClosed" in said
    assert "+++ folded by rules" in said


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ([], "name a session"),
        (["one", "--file=two"], "name a session"),
        (["--file=/nowhere/at/all"], "No such file"),
        (["--file=x", "--export=y"], "is a file already"),
    ],
)
def test_what_cannot_be_read_is_said_in_a_sentence(arguments: list[str], says: str) -> None:
    status, said = run(*arguments)
    assert status == 2
    assert says in said
    assert "Traceback" not in said


def test_a_line_that_is_no_record_is_named(tmp_path: Path) -> None:
    (tmp_path / "journal.jsonl").write_text("no json\n")
    status, said = run(f"--file={tmp_path / 'journal.jsonl'}")
    assert status == 2
    assert "journal.jsonl:1:" in said


def test_an_empty_file_holds_no_record(tmp_path: Path) -> None:
    (tmp_path / "journal.jsonl").touch()
    assert run(f"--file={tmp_path / 'journal.jsonl'}")[0] == 2
