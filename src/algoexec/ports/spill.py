"""Where records go that cannot wait for the journal."""

from collections.abc import Sequence
from typing import Protocol

from algoexec.ports.stores import JournalEntry


class Spill(Protocol):
    """Where records go that cannot wait for the journal: this machine's own disk."""

    def write(self, entries: Sequence[JournalEntry]) -> None:
        """Keep entries of one session, after those kept before; they are durable once this returns."""

    def read(self, session_id: str) -> Sequence[JournalEntry]:
        """Return what is kept of a session, in order."""

    def forget(self, session_id: str) -> None:
        """Drop what is kept of a session: the journal has it."""
