"""Who wants to know what sessions decide: metrics, traces, people."""

from collections.abc import Sequence
from typing import NamedTuple, Protocol

from algoexec.engine.state import EngineState
from algoexec.ports.stores import JournalEntry


class Decision(NamedTuple):
    """A durable record with what came of it. `told_at` is when its event arrived, in monotonic seconds."""

    entry: JournalEntry
    told_at: float


class Observer(Protocol):
    """Hears what happens, where it happens: it must neither wait nor take long."""

    def decided(self, after: EngineState, decisions: Sequence[Decision]) -> None:
        """Take in what a session of this process has just made durable; `after` is what it led to."""

    def flushed(self, seconds: float, records: int) -> None:
        """Take in how long the journal took to make so many records durable."""
