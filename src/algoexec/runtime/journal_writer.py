"""One durable insert at a time, for all sessions of the process."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from algoexec.domain.errors import StoreUnavailable
from algoexec.ports.clock import WallClock
from algoexec.ports.stores import Journal, JournalEntry
from algoexec.runtime.observing import Observers
from algoexec.runtime.waiting import backoff
from algoexec.telemetry import logger

SLOW_S: Final = 1.0
"""A durable insert takes milliseconds; one that takes a second will not come back soon."""

_log = logger("journal")


@dataclass(slots=True)
class _Waiting:
    entries: Sequence[JournalEntry]
    done: asyncio.Future[None]


class JournalWriter:
    """Group commit: while one insert is under way, what comes next is gathered for the one after.

    A database that does not answer is tried for ever with the same entries: the journal
    knows our own retry from another owner's record. Until then nothing moves.
    """

    def __init__(self, journal: Journal, clock: WallClock, observers: Observers | None = None) -> None:
        """Write to `journal`; call `run` to begin. `observers` hear how long each insert took."""
        self._journal = journal
        self._observers = observers or Observers()
        self._clock = clock
        self._waiting: list[_Waiting] = []
        self._wake = asyncio.Event()
        self._idle = asyncio.Event()
        self._idle.set()
        self._failing_since: float | None = None
        self._writing_since: float | None = None

    @property
    def failing_for(self) -> float:
        """Seconds since the journal could last be written; 0 when it can.

        An insert that has had no answer for a second counts as failing, before its time-out says so.
        """
        now = self._clock.monotonic()
        if self._failing_since is not None:
            return now - self._failing_since
        pending = 0.0 if self._writing_since is None else now - self._writing_since
        return pending if pending > SLOW_S else 0.0

    async def append(self, entries: Sequence[JournalEntry]) -> None:
        """Return once the entries of one session are durable.

        Raises:
            FenceLost: another owner has written in their place.
        """
        waiting = _Waiting(entries, asyncio.get_running_loop().create_future())
        self._waiting.append(waiting)
        self._wake.set()
        await waiting.done

    async def settled(self) -> None:
        """Return once no insert is under way: what a cancelled session had begun to write is written or given up."""
        await self._idle.wait()

    async def run(self) -> None:
        """Write until cancelled."""
        while True:
            await self._wake.wait()
            self._wake.clear()
            batch, self._waiting = self._waiting, []
            self._idle.clear()
            await self._write(batch)
            self._idle.set()

    async def _write(self, batch: Sequence[_Waiting]) -> None:
        """Write for those who wait. A session that was let go meanwhile has perhaps another owner by now."""
        for pause in backoff(0.05, 1.0):
            batch = [waiting for waiting in batch if not waiting.done.done()]
            if not batch:
                self._failing_since = None  # nobody tries any more, so nobody would find out that it works again
                return
            self._writing_since = begun = self._clock.monotonic()
            entries = [entry for waiting in batch for entry in waiting.entries]
            try:
                failed = await self._journal.append(entries)
            except StoreUnavailable as error:
                self._fails(error)
            except Exception as error:  # noqa: BLE001 - a task's root: if it ended, every session would wait for ever
                _log.exception("journal failed")
                self._fails(error)
            else:
                self._works()
                _answer(batch, failed)
                self._observers.flushed(self._clock.monotonic() - begun, len(entries))
                return
            finally:
                self._writing_since = None
            await asyncio.sleep(pause)

    def _fails(self, error: Exception) -> None:
        if self._failing_since is None:
            self._failing_since = self._clock.monotonic()
            _log.error("journal unwritable", error=str(error))

    def _works(self) -> None:
        if self._failing_since is not None:
            _log.info("journal writable again", after_s=round(self.failing_for, 1))
            self._failing_since = None


def _answer(batch: Sequence[_Waiting], failed: dict[str, Exception]) -> None:
    for waiting in batch:
        if waiting.done.done():
            continue
        error = failed.get(waiting.entries[0].session_id)
        if error is None:
            waiting.done.set_result(None)
        else:
            waiting.done.set_exception(error)
