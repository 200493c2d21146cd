"""A session's state from what was stored: the newest snapshot and the journal after it."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

from algoexec.engine.state import EngineState
from algoexec.engine.step import step
from algoexec.engine.transition import Transition
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
    for folded in refold(state, entries):
        state = folded.state
        if not folded.agrees:
            diverged_at = diverged_at or folded.entry.record.seq
    return None if state is None else Recovered(state=state, diverged_at=diverged_at)


class Refolded(NamedTuple):
    """One entry folded anew: `moved` is what today's code makes of its record, `state` the state after it."""

    entry: JournalEntry
    moved: Transition
    state: EngineState

    @property
    def agrees(self) -> bool:
        """Whether today's code does what was recorded."""
        return (self.moved.effects, self.moved.frames) == (self.entry.effects, self.entry.frames)


def refold(state: EngineState | None, entries: Iterable[JournalEntry]) -> Iterator[Refolded]:
    """Fold `entries` onto `state`, one after the other.

    Watchers have seen the recorded numbers: where code and record disagree the next number follows those.
    """
    for entry in entries:
        told = state.frames if state is not None else 0
        moved = step(state, entry.record)
        state = moved.state
        folded = Refolded(entry, moved, state)
        if not folded.agrees:
            state = replace(state, frames=entry.frames[-1].number if entry.frames else told)
            folded = folded._replace(state=state)
        yield folded
