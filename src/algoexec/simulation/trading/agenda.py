"""What is to happen at its time."""

from collections.abc import Callable
from heapq import heappop, heappush

type Task = Callable[[int], None]
"""Is given the moment it was due, in milliseconds since the epoch."""


class Agenda:
    """Tasks by due time; of those due together, the one added first is first."""

    def __init__(self) -> None:
        """Begin empty."""
        self._tasks: list[tuple[int, int, Task]] = []
        self._added = 0

    def add(self, due: int, task: Task) -> None:
        """Do `task` at `due`."""
        self._added += 1
        heappush(self._tasks, (due, self._added, task))

    def due(self) -> int | None:
        """Return when the next task is due; None without any."""
        return self._tasks[0][0] if self._tasks else None

    def do_next(self) -> None:
        """Take the next task out and do it."""
        due, _, task = heappop(self._tasks)
        task(due)
