"""A sweep from its first set to its ranking, and the walk forward through the same days."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from statistics import fmean, median
from typing import Final, NamedTuple

from algoexec.backtest.run import Plan
from algoexec.backtest.sweep.book import Book
from algoexec.backtest.sweep.farm import Farm, Source, Task, blocks_of, warm_up_of
from algoexec.backtest.sweep.search import Search
from algoexec.backtest.sweep.space import Space, Value, Values
from algoexec.backtest.sweep.trial import Trial, chance_of_skill, daily_sharpe, expected_best
from algoexec.domain.errors import DomainError

FEW_TRADES: Final = 100
STABLE: Final = 0.5
"""The sets next to a good one should keep at least so much of its score."""
SURE: Final = 0.95


class Rank(StrEnum):
    """By what sets are ranked. More is better."""

    SHARPE = "sharpe"
    NET = "net"
    EXPECTANCY = "expectancy"

    def score(self, trial: Trial) -> float:
        """Return the score of a set: 0 where it has none, as of one that never trades."""
        value = {Rank.SHARPE: trial.sharpe, Rank.NET: trial.net / 100, Rank.EXPECTANCY: trial.expectancy}[self]
        return 0.0 if value is None else value / (100 if self is Rank.EXPECTANCY else 1)


class Progress(NamedTuple):
    """How far a sweep is: days of sets, of those that are known to be run."""

    done: int
    wanted: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Work:
    """What is to be swept. `plan_of` makes a plan of a set, or raises DomainError where it contradicts itself."""

    source: Source
    space: Space
    plan_of: Callable[[Values], Plan]
    rank: Rank
    begins: date | None = None
    ends: date | None = None

    def dates(self) -> list[date]:
        """Return the days that are traded."""
        return [day for block in blocks_of(self.source.dates(), self.begins, self.ends) for day in block]


@dataclass(slots=True)
class Sweep:
    """A sweep under way; what was found so far can be had at any time."""

    work: Work
    book: Book
    search: Search
    contradictory: int = 0
    """Sets of which the settings contradict each other: they are not run."""

    def run(self, farm: Farm) -> Iterator[Progress]:
        """Try what the search asks for; yield after each piece of work."""
        dates = self.work.source.dates()
        blocks = list(blocks_of(dates, self.work.begins, self.work.ends))
        days = [day for block in blocks for day in block]
        told = [values for values in self._known() if self.book.has(values, days)]
        for values in told:
            self.search.tell(values, self._score(values))
        done = 0
        for found in self.search.rounds():
            plans = [(values, plan) for values in found if (plan := self._plan(values)) is not None]
            tasks = list(self._tasks(plans, dates, blocks))
            done += len(plans) * len(days) - sum(len(task.sets) * len(task.days) for task in tasks)
            yield self._progress(done, len(days))
            for task, rows in farm.run(tasks):
                for values, results in zip(task.sets, rows, strict=True):
                    self.book.add(values, results)
                done += len(task.sets) * len(task.days)
                yield self._progress(done, len(days))
            for values, _ in plans:
                if values not in told and self.book.has(values, days):
                    self.search.tell(values, self._score(values))

    def trials(self) -> list[Trial]:
        """Return every set that was run to the last day, the best first."""
        days = self.work.dates()
        whole = [self._trial(values) for values in self._known() if self.book.has(values, days)]
        return sorted(whole, key=lambda trial: (-self.work.rank.score(trial), trial.key))

    def _tasks(
        self, plans: Sequence[tuple[Values, Plan]], dates: Sequence[date], blocks: Sequence[tuple[date, ...]]
    ) -> Iterator[Task]:
        for block in blocks:
            missing = [(values, plan) for values, plan in plans if not self.book.has(values, block)]
            if missing:
                sets, those = zip(*missing, strict=True)
                yield Task(warm_up_of(dates, block), block, sets, those)

    def _progress(self, done: int, days: int) -> Progress:
        return Progress(done, (len(self.search) - self.contradictory) * days)

    def _known(self) -> list[Values]:
        """Return the sets of this space of which something is in the book."""
        return [values for values in self.book.sets() if values in self.work.space]

    def _plan(self, values: Values) -> Plan | None:
        try:
            return self.work.plan_of(values)
        except DomainError:
            self.contradictory += 1
            return None

    def _trial(self, values: Values) -> Trial:
        days = frozenset(self.work.dates())
        return self.book.trial(values, self.work.plan_of(values).rules.capital).within(days)

    def _score(self, values: Values) -> float:
        return self.work.rank.score(self._trial(values))


@dataclass(frozen=True, slots=True, kw_only=True)
class Doubts:
    """What speaks against the best set. Ratios are daily; None: not defined, or nothing to compare with.

    `skill` is the deflated Sharpe ratio: the probability that the best set is better than the best
    of so many useless ones would be. `kept` is the median score of the sets one step away, as a share
    of its own.
    """

    tried: int
    best_of_luck: float
    skill: float | None
    kept: float | None
    sentences: tuple[str, ...]


def doubts_of(space: Space, trials: Sequence[Trial], rank: Rank) -> Doubts:
    """Return what is to be said against the first of `trials`, which are ranked."""
    ratios = [ratio for trial in trials if (ratio := daily_sharpe(trial.returns)) is not None]
    luck = expected_best(ratios)
    if not trials:
        return Doubts(tried=0, best_of_luck=0.0, skill=None, kept=None, sentences=("No set was run to the end.",))
    best = trials[0]
    skill = chance_of_skill(best.returns, luck)
    kept = _kept(space, trials, rank)
    sentences = []
    if rank.score(best) <= 0 or best.net <= 0:
        sentences.append("Even the best set loses money after charges: there is nothing to choose here.")
    if best.trades < FEW_TRADES:
        sentences.append(f"It rests on {best.trades} trades; fewer than {FEW_TRADES} prove nothing.")
    if skill is None or skill < SURE:
        chance = "cannot be told" if skill is None else f"is {skill:.0%}"
        sentences.append(
            f"{len(trials)} sets were tried. The chance that the best one is more than the luck of so many {chance} "
            f"(deflated Sharpe ratio; {SURE:.0%} is wanted)."
        )
    if kept is not None and kept < STABLE:
        sentences.append(
            f"It stands on a peak: the sets one step away keep {kept:.0%} of its score. A set amid a plateau is safer."
        )
    if edges := _edges(space, best.values):
        sentences.append(f"It lies at the end of what was tried ({', '.join(edges)}): the best may lie beyond.")
    return Doubts(tried=len(trials), best_of_luck=luck, skill=skill, kept=kept, sentences=tuple(sentences))


def plateau_scores(space: Space, trials: Sequence[Trial], rank: Rank) -> dict[str, float]:
    """Return the mean score of each set and those one step away, by the set's key."""
    scores = {trial.key: rank.score(trial) for trial in trials}
    by_key = {trial.key: trial for trial in trials}
    return {
        key: fmean([scores[key], *(scores[near] for near in _near(space, trial.values, scores))])
        for key, trial in by_key.items()
    }


def _near(space: Space, values: Values, scores: dict[str, float]) -> list[str]:
    keys = (Trial(near, 1, ()).key for near in space.neighbours(values))
    return [key for key in keys if key in scores]


def _kept(space: Space, trials: Sequence[Trial], rank: Rank) -> float | None:
    scores = {trial.key: rank.score(trial) for trial in trials}
    near = _near(space, trials[0].values, scores)
    own = scores[trials[0].key]
    return median(scores[key] for key in near) / own if near and own > 0 else None


def _edges(space: Space, values: Values) -> list[str]:
    """Return the names of numbers that stand at the first or last of three or more values."""
    return [
        axis.name
        for axis in space.axes
        if len(axis.values) > 2
        and _is_number(axis.values[0])
        and values[axis.name] in (axis.values[0], axis.values[-1])
    ]


def _is_number(value: Value) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
