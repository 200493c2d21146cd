"""Makes what a session decides durable: in the journal, and while that is down and something is held, on disk.

Nothing unrecorded is done. But a held position must be got out of even when the database is
gone: then its records go to an fsynced spill file, exits are performed from it, and watchers
hear of it when the journal has caught up (architecture.md §2.7).
"""

import asyncio
from collections.abc import Callable, Sequence
from typing import Final, NamedTuple

from algoexec.engine.state import EngineState
from algoexec.ports.spill import Spill
from algoexec.ports.stores import JournalEntry
from algoexec.runtime.journal_writer import JournalWriter
from algoexec.telemetry import logger

SPILL_AFTER_S: Final = 1.0
"""Wall seconds without an answer of the journal after which a held position waits for it no longer."""

type Count = Callable[[EngineState, EngineState, Sequence[JournalEntry]], None]
"""Lets entries count for everybody else: the state before them, the one after them, the entries."""

_log = logger("commits")


class _Spilled(NamedTuple):
    """What is on disk and not yet in the journal."""

    written: asyncio.Future[None]
    before: EngineState
    after: EngineState
    entries: Sequence[JournalEntry]


class Commits:
    """One session's way to durability; call `catch_up` for as long as it is used."""

    def __init__(self, session_id: str, journal: JournalWriter, spill: Spill | None, count: Count) -> None:
        """Write to `journal`, or to `spill` if there is one; `count` is called once entries are journaled, in order."""
        self._session_id = session_id
        self._journal, self._spill, self._count = journal, spill, count
        self._backlog: asyncio.Queue[_Spilled] = asyncio.Queue()
        self._behind = 0

    async def commit(
        self, before: EngineState, after: EngineState, entries: Sequence[JournalEntry], *, holds: bool
    ) -> bool:
        """Return once the entries are durable: True in the journal, False on disk only.

        `holds` says whether the session holds something; otherwise it waits for the journal.

        Raises:
            FenceLost: another owner has written in their place.
        """
        written = asyncio.ensure_future(self._journal.append(entries))
        if self._behind == 0:
            may_spill = holds and self._spill is not None
            try:
                await asyncio.wait((written,), timeout=SPILL_AFTER_S if may_spill else None)
            except asyncio.CancelledError:
                written.cancel()  # who lets go of a session must not write into the journal of its next owner
                raise
        if written.done() or self._spill is None:
            written.result()
            self._count(before, after, entries)
            return True
        if self._behind == 0:
            _log.error("records go to the spill file", session_id=self._session_id)
        self._spill.write(entries)
        self._behind += 1
        self._backlog.put_nowait(_Spilled(written, before, after, entries))
        return False

    async def catch_up(self) -> None:
        """Let spilled entries count as the journal takes them, until cancelled.

        Raises:
            FenceLost: another owner has written in their place.
        """
        try:
            while True:
                spilled = await self._backlog.get()
                await spilled.written
                self._count(spilled.before, spilled.after, spilled.entries)
                self._behind -= 1
                if self._behind == 0 and self._spill is not None:
                    self._spill.forget(self._session_id)
                    _log.info("the journal has caught up", session_id=self._session_id)
        finally:
            # They stay on disk: whoever takes the session up appends them first.
            while not self._backlog.empty():
                self._backlog.get_nowait().written.cancel()
