"""`algoexec replay SESSION`: prove that a stored session is what its journal says."""

import asyncio
import difflib
import json
from collections.abc import Iterator
from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final, NoReturn

import typer

from algoexec.cli.service import settings_or_exit

if TYPE_CHECKING:
    from algoexec.runtime.replay import Difference, Replayed

_MOST_LINES: Final = 80
_CONTEXT: Final = 2

Named = Annotated[str | None, typer.Argument(metavar="[SESSION]", help="The session's id.")]
Read = Annotated[Path | None, typer.Option("--file", help="Replay a journal that was exported; needs no database.")]
Written = Annotated[Path | None, typer.Option("--export", help="Also write the journal here, one JSON line a record.")]


def replay(session: Named = None, file: Read = None, export: Written = None) -> None:
    """Fold a stored session from its first record: prove it equal, or print the first difference.

    Status 0: every effect, every frame and the kept state are equal; 1: they are not; 2: it cannot be read.
    """
    from algoexec.domain.errors import DecodeError, StoreError

    if (session is None) == (file is None):
        _refuse("name a session, or an exported journal with --file")
    try:
        replayed = _of_file(file, export) if file is not None else asyncio.run(_of_store(str(session), export))
    except (DecodeError, StoreError, OSError) as error:
        _refuse(str(error))
    if replayed is None:
        _refuse(f"session {session} has no record" if file is None else f"{file} holds no record")
    for line in report(replayed):
        typer.echo(line)
    raise typer.Exit(0 if replayed.difference is None else 1)


async def _of_store(session_id: str, export: Path | None) -> "Replayed | None":
    from algoexec.bootstrap import open_stores
    from algoexec.runtime.replay import Replay, pages
    from algoexec.storage.codec import to_json

    async with open_stores(settings_or_exit("replay")) as stores:
        replaying = Replay(await stores.snapshots.newest(session_id))
        with nullcontext() if export is None else export.open("wb") as lines:
            async for entries in pages(stores.journal, session_id):
                replaying.take(entries)
                if lines is not None:
                    lines.writelines(to_json(entry) + b"\n" for entry in entries)
        return replaying.result()


def _of_file(file: Path, export: Path | None) -> "Replayed | None":
    from algoexec.domain.errors import DecodeError
    from algoexec.ports.stores import JournalEntry
    from algoexec.runtime.replay import Replay
    from algoexec.storage.codec import from_json

    if export is not None:
        _refuse("--export writes what is in the database; this is a file already")
    replaying = Replay()
    with file.open("rb") as lines:
        for number, line in enumerate(lines, start=1):
            try:
                replaying.take([from_json(JournalEntry, line)])
            except DecodeError as error:
                raise DecodeError(f"{file}:{number}: {error}") from error
    return replaying.result()


def report(replayed: "Replayed") -> Iterator[str]:
    """Yield the lines that say what came of a replay."""
    from algoexec.engine.version import ENGINE_VERSION

    if replayed.difference is not None:
        yield from _told(replayed.difference)
        return
    state = replayed.state
    assert state is not None  # noqa: S101 - without a difference at least one record was folded
    yield f"Session {state.session_id}: {state.seq} records, {state.frames} frames, {state.status}."
    yield f"Written by rules {', '.join(replayed.engines)}, folded by rules {ENGINE_VERSION}:"
    yield "every effect and every frame is equal."
    if replayed.compared_at is None:
        yield "No kept state was there to compare with."
    else:
        yield f"The state kept at record {replayed.compared_at} is equal."


def _told(difference: "Difference") -> Iterator[str]:
    from algoexec.engine.version import ENGINE_VERSION
    from algoexec.runtime.replay import Contradiction, OtherOutcome
    from algoexec.storage.codec import JSON

    match difference:
        case Contradiction(after=after, detail=detail):
            yield f"The record after {after} cannot be folded: {detail}"
        case OtherOutcome(recorded=recorded, replayed=replayed):
            record = recorded.record
            yield f"Record {record.seq} ({type(record.event).__name__}, {record.at.isoformat()}) leads elsewhere."
            yield from _unified(
                JSON.encode(recorded),
                JSON.encode(replayed),
                f"recorded by rules {recorded.engine}",
                f"folded by rules {ENGINE_VERSION}",
            )
        case _:
            yield f"The state kept at record {difference.kept.seq} is another one."
            yield from _unified(JSON.encode(difference.kept), JSON.encode(difference.replayed), "kept", "folded")


def _unified(left: object, right: object, left_name: str, right_name: str) -> Iterator[str]:
    lines = list(difflib.unified_diff(_lines(left), _lines(right), left_name, right_name, n=_CONTEXT, lineterm=""))
    yield from lines[:_MOST_LINES]
    if len(lines) > _MOST_LINES:
        yield f"… and {len(lines) - _MOST_LINES} more lines"


def _lines(value: object) -> list[str]:
    return json.dumps(value, indent=1, default=str).splitlines()


def _refuse(why: str) -> NoReturn:
    typer.echo(f"algoexec replay: {why}", err=True)
    raise typer.Exit(2)
