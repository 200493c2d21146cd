"""A session's state from what was stored: the newest snapshot and the journal after it."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from algoexec.engine.state import EngineState
from algoexec.engine.step import step
from algoexec.ports.stores import JournalEntry, Stores


@dataclass(frozen=True, slots=True, kw_only=True)
class Recovered:
    """A state folded from the journal.

    `diverged_at` is the first `seq` at which today's code would have done something else
    than what is recorded; None when it never would.
    """

    state: EngineState
    diverged_at: int | None


async def recover(stores: Stores, session_id: str) -> Recovered | None:
    """Return the session as its journal leaves it; None when it has no record."""
    snapshot = await stores.snapshots.newest(session_id)
    entries = await stores.journal.read(session_id, after=snapshot.seq if snapshot else 0)
    return fold(snapshot, entries)


def fold(state: EngineState | None, entries: Sequence[JournalEntry]) -> Recovered | None:
    """Fold `entries` onto `state`. Where code and record disagree, the record stands."""
    diverged_at: int | None = None
    for entry in entries:
        told = state.frames if state is not None else 0
        moved = step(state, entry.record)
        state = moved.state
        if (moved.effects, moved.frames) != (entry.effects, entry.frames):
            diverged_at = diverged_at or entry.record.seq
            # Watchers have seen the recorded numbers: the next one follows those, whatever today's code would say.
            state = replace(state, frames=entry.frames[-1].number if entry.frames else told)
    return None if state is None else Recovered(state=state, diverged_at=diverged_at)
