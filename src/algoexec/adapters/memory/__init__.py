"""The stores in memory: for tests, backtests and sessions that nobody needs to find again."""

from algoexec.adapters.memory.stores import MemoryStores

__all__ = ["MemoryStores"]
