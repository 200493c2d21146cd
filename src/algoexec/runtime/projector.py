"""Keeps the lists (signals, PCR, candles, status) in step with the journal, off the critical path."""

import asyncio
from collections import defaultdict
from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from typing import Final

from algoexec.domain.errors import StoreUnavailable
from algoexec.domain.instruments import InstrumentKey
from algoexec.engine.state import EngineState
from algoexec.ports.clock import WallClock
from algoexec.ports.stores import JournalEntry, Stores
from algoexec.runtime.waiting import Pulse, backoff
from algoexec.telemetry import logger

_REFUSALS: Final = 5
"""So often a write is tried that the database refuses, though it answers; then the others get their turn."""

_BEHIND_S: Final = 0.05
"""So long a projection waits: what is decided now may send an order, and that comes first."""

_log = logger("projector")


class Projector:
    """Writes projections and snapshots behind the journal. What it loses, a start makes anew."""

    def __init__(self, stores: Stores, clock: WallClock) -> None:
        """Write to `stores`; call `run` to begin."""
        self._stores = stores
        self._clock = clock
        self._entries: dict[tuple[str, InstrumentKey, str], list[JournalEntry]] = defaultdict(list)
        self._behind: set[str] = set()
        self._states: dict[str, EngineState] = {}
        self._statuses: dict[str, tuple[EngineState, str | None]] = {}
        self._wake = asyncio.Event()
        self._handed = self._written = 0
        self._progress = Pulse()

    def project(self, state: EngineState, entries: list[JournalEntry]) -> None:
        """Take over durable entries of one session.

        One of whose entries some were refused gets no later ones: else the mark of how far it
        is projected would pass them, and the next start would not make them anew.
        """
        if state.session_id in self._behind:
            return
        self._entries[state.venue, state.underlying, state.user_id].extend(entries)
        self._stir()

    def snapshot(self, state: EngineState) -> None:
        """Keep `state`; of several that wait only the newest is written."""
        self._states[state.session_id] = state
        self._stir()

    def status(self, state: EngineState, account: str | None) -> None:
        """Show `state`'s status in the list of sessions."""
        self._statuses[state.session_id] = (state, account)
        self._stir()

    async def settled(self) -> None:
        """Return once everything that was handed over until now is written, whatever others hand over meanwhile."""
        handed = self._handed
        await self._progress.until(lambda: self._written >= handed)

    async def run(self) -> None:
        """Write until cancelled."""
        while True:
            await self._wake.wait()
            await asyncio.sleep(_BEHIND_S)
            self._wake.clear()
            handed = self._handed
            await self._write_all()
            self._written = handed
            self._progress.beat()

    def _stir(self) -> None:
        self._handed += 1
        self._wake.set()

    async def _write_all(self) -> None:
        """Write what waits. The status comes last: a session that is over is never taken up and caught up on again."""
        entries, self._entries = self._entries, defaultdict(list)
        states, self._states = self._states, {}
        statuses, self._statuses = self._statuses, {}
        store = self._stores
        for (venue, underlying, user_id), group in entries.items():
            if not await self._insist(partial(self._project, venue, underlying, user_id, group)):
                self._behind.update(entry.session_id for entry in group)
        for state in states.values():
            await self._insist(partial(store.snapshots.save, state, self._clock.now()))
        for state, account in statuses.values():
            args = (state.session_id, state.status, state.reason, account)
            await self._insist(partial(store.sessions.set_status, *args))

    async def _project(
        self, venue: str, underlying: InstrumentKey, user_id: str, entries: Sequence[JournalEntry]
    ) -> None:
        """Project entries, and what a crash of the database has lost of those before them."""
        projections, journal = self._stores.projections, self._stores.journal
        for session_id in await projections.project(venue, underlying, user_id, entries):
            _log.warning("the lists have lost what they had", session_id=session_id)
            lost = await journal.read(session_id, after=await projections.projected(session_id))
            await projections.project(venue, underlying, user_id, lost)

    async def _insist(self, write: Callable[[], Awaitable[None]]) -> bool:
        """Write until it is written, for the same again changes nothing; False when it is refused for good."""
        refusals = 0
        for pause in backoff(0.1, 2.0):
            try:
                await write()
                return True
            except StoreUnavailable as error:
                _log.warning("projection waits", error=str(error))
            except Exception:  # noqa: BLE001 - a task's root: one write that fails for ever must not stop all others
                _log.exception("projection refused")
                refusals += 1
                if refusals == _REFUSALS:
                    return False
            await asyncio.sleep(pause)
        return False
