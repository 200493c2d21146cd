"""All stores, in memory."""

from algoexec.adapters.memory.access import (
    MemoryApiKeys,
    MemoryEgresses,
    MemoryIdempotency,
    MemoryKillSwitches,
    MemoryTokens,
)
from algoexec.adapters.memory.journal import MemoryJournal, MemorySnapshots
from algoexec.adapters.memory.projections import MemoryProjections
from algoexec.adapters.memory.reach import Reach
from algoexec.adapters.memory.sessions import MemorySessions


class MemoryStores:
    """All stores of one database that is gone with the process.

    Set `is_available` to False and every method raises `StoreUnavailable`, as MongoDB's do
    when it is down.
    """

    def __init__(self) -> None:
        """Begin empty and available."""
        self._reach = Reach()
        self.journal = MemoryJournal(self._reach)
        self.snapshots = MemorySnapshots(self._reach)
        self.sessions = MemorySessions(self._reach)
        self.projections = MemoryProjections(self._reach)
        self.tokens = MemoryTokens(self._reach)
        self.egresses = MemoryEgresses(self._reach)
        self.api_keys = MemoryApiKeys(self._reach)
        self.idempotency = MemoryIdempotency(self._reach)
        self.kill_switches = MemoryKillSwitches(self._reach)

    @property
    def is_available(self) -> bool:
        """Whether the stores answer."""
        return self._reach.is_open

    @is_available.setter
    def is_available(self, value: bool) -> None:
        self._reach.is_open = value

    async def ping(self) -> None:
        """Return at once; `StoreUnavailable` while it is told not to answer."""
        self._reach.check()
