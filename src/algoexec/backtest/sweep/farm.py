"""Runs sets over days on all cores.

The work is cut into blocks of days. A worker goes through a block day by day with several sets at
once: what the market does on a day is the same for all of them.
"""

import signal
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from dataclasses import dataclass, replace
from datetime import date
from multiprocessing import get_context
from multiprocessing.synchronize import Event
from typing import Final, Protocol, Self

from algoexec.backtest.prices import DayPrices
from algoexec.backtest.result import Execution
from algoexec.backtest.run import Backtest, Plan, prices_of
from algoexec.backtest.sweep.space import Values
from algoexec.backtest.sweep.trial import DayResult
from algoexec.domain.calendar import Calendar
from algoexec.domain.recording import RecordedDay
from algoexec.engine.candles import HISTORY_DAYS

DAYS_A_BLOCK: Final = 10


class Source(Protocol):
    """Where days come from; it is sent to every worker once."""

    def dates(self) -> list[date]:
        """Return the dates that were recorded, ascending."""

    def day(self, on: date) -> RecordedDay:
        """Return what was recorded on a date."""

    def calendar(self) -> Calendar:
        """Return the calendar that follows from the data."""


@dataclass(frozen=True, slots=True)
class Task:
    """Days to trade with several sets, and the plan of each; `warm_up` are the days before them."""

    warm_up: tuple[date, ...]
    days: tuple[date, ...]
    sets: tuple[Values, ...]
    plans: tuple[Plan, ...]


def blocks_of(dates: Sequence[date], begins: date | None, ends: date | None) -> Iterator[tuple[date, ...]]:
    """Yield the days to be traded in blocks; the same days always make the same blocks."""
    wanted = [day for day in dates if (begins is None or day >= begins) and (ends is None or day <= ends)]
    for first in range(0, len(wanted), DAYS_A_BLOCK):
        yield tuple(wanted[first : first + DAYS_A_BLOCK])


def warm_up_of(dates: Sequence[date], block: Sequence[date]) -> tuple[date, ...]:
    """Return the days that warm the first day of a block."""
    at = dates.index(block[0])
    return tuple(dates[max(0, at - HISTORY_DAYS) : at])


class Farm:
    """Worker processes. Leave it by an exception and they end within a day's work."""

    def __init__(self, source: Source, jobs: int) -> None:
        """Nothing runs before the first task."""
        # Not forked: a fork copies the locks of threads that it does not copy.
        context = get_context("spawn")
        self._jobs = jobs
        self._stop = context.Event()
        self._pool = ProcessPoolExecutor(jobs, mp_context=context, initializer=_prepare, initargs=(source, self._stop))

    def __enter__(self) -> Self:
        """Be ready for tasks."""
        return self

    def __exit__(self, *_: object) -> None:
        """End the workers."""
        self._stop.set()
        self._pool.shutdown(wait=True, cancel_futures=True)

    def run(self, tasks: Iterable[Task]) -> Iterator[tuple[Task, list[list[DayResult]]]]:
        """Yield each task with the days of each of its sets, as they are done, in any order.

        Raises:
            BrokenProcessPool: a worker was ended from outside, as when memory is short.
        """
        waiting: dict[Future[list[list[DayResult]] | None], Task] = {}
        ahead = iter(tasks)
        while True:
            while len(waiting) < 2 * self._jobs and (task := next(ahead, None)) is not None:
                waiting[self._pool.submit(_work, task)] = task
            if not waiting:
                return
            done, _ = wait(waiting, return_when=FIRST_COMPLETED)
            for future in done:
                task, found = waiting.pop(future), future.result()
                if found is not None:
                    yield task, found


_source: Source | None = None
_stop: Event | None = None


def _prepare(source: Source, stop: Event) -> None:
    """Begin a worker: it leaves Ctrl-C to its parent, who tells it to stop."""
    global _source, _stop
    _source, _stop = source, stop
    signal.signal(signal.SIGINT, signal.SIG_IGN)


def _work(task: Task) -> list[list[DayResult]] | None:
    if _source is None or _stop is None:
        raise RuntimeError("no worker")
    return worked_off(_source, task, _stop.is_set)


def worked_off(source: Source, task: Task, is_stopped: "Stopped" = lambda: False) -> list[list[DayResult]] | None:
    """Return the days of each plan; None when it was stopped before the last."""
    calendar = source.calendar()
    runs = [Backtest(replace(plan, begins=task.days[0]), calendar=calendar) for plan in task.plans]
    found: list[list[DayResult]] = [[] for _ in runs]
    for on in (*task.warm_up, *task.days):
        day, prices = source.day(on), dict[Execution, DayPrices]()
        for run, rows in zip(runs, found, strict=True):
            if is_stopped():
                return None
            execution = run.plan.execution
            if on in task.days and execution not in prices:
                prices[execution] = prices_of(day, execution, calendar)
            row = run.add(day, prices.get(execution))
            if row is not None:
                rows.append(DayResult(row.date, row.net, row.gross, row.charges, row.trades, row.wins))
    return found


class Stopped(Protocol):
    """Whether the work is not wanted any more."""

    def __call__(self) -> bool:
        """Return it."""
