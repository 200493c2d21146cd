"""Folds a stored session anew, from nothing, and finds where what was kept and what this code does part."""

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, replace
from typing import Final

from algoexec.domain.errors import DomainError
from algoexec.engine.state import EngineState
from algoexec.ports.stores import Journal, JournalEntry
from algoexec.runtime.recovery import refold

_PAGE: Final = 1_000


@dataclass(frozen=True, slots=True, kw_only=True)
class OtherOutcome:
    """This code does something else at a record than is recorded: both sides as journal entries."""

    recorded: JournalEntry
    replayed: JournalEntry


@dataclass(frozen=True, slots=True, kw_only=True)
class OtherState:
    """Every outcome up to here is equal, and the state is not the one that was kept."""

    kept: EngineState
    replayed: EngineState


@dataclass(frozen=True, slots=True, kw_only=True)
class Contradiction:
    """The record after `after` cannot be stepped: one is missing, or this code knows no such thing."""

    after: int
    detail: str


type Difference = OtherOutcome | OtherState | Contradiction


@dataclass(frozen=True, slots=True, kw_only=True)
class Replayed:
    """A session folded from its first record, up to its last one or the first `difference`; None: there is none.

    `state` is None when not even the first record could be stepped. `engines` are the versions of
    the rules that wrote it, in order. `compared_at` is the `seq` at which the kept state was
    compared; None: none was kept by this version.
    """

    state: EngineState | None
    engines: tuple[str, ...]
    difference: Difference | None
    compared_at: int | None


async def pages(journal: Journal, session_id: str) -> AsyncIterator[Sequence[JournalEntry]]:
    """Yield a session's journal from its first entry, as far as it goes when it is read.

    Raises:
        StoreUnavailable: the database does not answer.
        DecodeError: an entry holds what this version does not know.
    """
    after = 0
    while entries := await journal.read(session_id, after=after, limit=_PAGE):
        yield entries
        after = entries[-1].record.seq


class Replay:
    """Takes a session's entries in order, page by page, and stops at the first difference."""

    def __init__(self, kept: EngineState | None = None) -> None:
        """Compare the state with `kept` when its record is reached."""
        self._kept = kept
        self._has_begun = False
        self._state: EngineState | None = None
        self._engines: dict[str, None] = {}
        self._compared_at: int | None = None
        self._difference: Difference | None = None

    def take(self, entries: Sequence[JournalEntry]) -> None:
        """Fold more; nothing after the first difference."""
        self._has_begun = self._has_begun or bool(entries)
        if self._difference is not None:
            return
        try:
            for folded in refold(self._state, entries):
                self._state = folded.state
                self._engines[folded.entry.engine] = None
                if not folded.agrees:
                    moved = folded.moved
                    other = replace(folded.entry, effects=moved.effects, frames=moved.frames)
                    self._difference = OtherOutcome(recorded=folded.entry, replayed=other)
                    return
                if self._differs_from_kept(folded.state):
                    return
        except DomainError as error:
            self._difference = Contradiction(after=self._state.seq if self._state else 0, detail=str(error))

    def result(self) -> Replayed | None:
        """Return what has come of it so far; None when there was no entry."""
        if not self._has_begun:
            return None
        return Replayed(
            state=self._state,
            engines=tuple(self._engines),
            difference=self._difference,
            compared_at=self._compared_at,
        )

    def _differs_from_kept(self, state: EngineState) -> bool:
        if self._kept is None or self._kept.seq != state.seq:
            return False
        self._compared_at = state.seq
        if self._kept != state:
            self._difference = OtherState(kept=self._kept, replayed=state)
        return self._difference is not None
