"""Journal and snapshots in memory."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

from algoexec.adapters.memory.reach import Reach
from algoexec.domain.errors import FenceLost
from algoexec.engine.effects import Frame
from algoexec.engine.state import EngineState
from algoexec.ports.stores import JournalEntry


class MemoryJournal:
    """The journal: per session a dict by seq."""

    def __init__(self, reach: Reach) -> None:
        """Begin empty."""
        self._reach = reach
        self._kept: dict[str, dict[int, JournalEntry]] = defaultdict(dict)

    async def append(self, entries: Sequence[JournalEntry]) -> dict[str, Exception]:
        """Keep each session's entries together or not at all; return what failed, by session id."""
        self._reach.check()
        failed: dict[str, Exception] = {}
        for session_id in dict.fromkeys(entry.session_id for entry in entries):
            own = [entry for entry in entries if entry.session_id == session_id]
            kept = self._kept[session_id]
            if any(_content(kept.get(entry.record.seq, entry)) != _content(entry) for entry in own):
                seqs = [entry.record.seq for entry in own]
                failed[session_id] = FenceLost(f"another owner has written records {seqs} of session {session_id}")
                continue
            for entry in own:
                kept.setdefault(entry.record.seq, entry)
        return failed

    async def read(self, session_id: str, after: int = 0, limit: int | None = None) -> Sequence[JournalEntry]:
        """Return entries with `seq > after`, in order."""
        self._reach.check()
        kept = self._kept[session_id]
        return [kept[seq] for seq in sorted(kept) if seq > after][:limit]

    async def frames(self, session_id: str, after: int, limit: int) -> Sequence[Frame]:
        """Return up to `limit` numbered frames with `number > after`, in order."""
        entries = await self.read(session_id)
        return [frame for entry in entries for frame in entry.frames if frame.number > after][:limit]


class MemorySnapshots:
    """The newest state of each session. Memory does not outlive its engine version."""

    def __init__(self, reach: Reach) -> None:
        """Begin empty."""
        self._reach = reach
        self._newest: dict[str, EngineState] = {}

    async def save(self, state: EngineState, recorded_at: datetime) -> None:
        """Keep `state` unless a newer one is kept."""
        self._reach.check()
        kept = self._newest.get(state.session_id)
        if kept is None or kept.seq <= state.seq:
            self._newest[state.session_id] = state

    async def newest(self, session_id: str) -> EngineState | None:
        """Return the newest snapshot, None when there is none."""
        self._reach.check()
        return self._newest.get(session_id)


def _content(entry: JournalEntry) -> JournalEntry:
    """Return what must be equal for two entries to be the same one: a retry is written later."""
    return replace(entry, recorded_at=entry.record.at)
