"""Walking forward: choose by the past alone, then see what the choice brought.

A sweep over all days is all that is needed: a day's result does not depend on the days before it,
so what a set would have scored on the days known at a time is the score of just those days.
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from statistics import fmean, stdev
from typing import Final

from algoexec.backtest.report.metrics import DAYS_A_YEAR
from algoexec.backtest.sweep.sweeping import Rank
from algoexec.backtest.sweep.trial import Trial
from algoexec.domain.errors import DomainError

EFFICIENT: Final = 0.5
"""What is kept of the past's result per day where a strategy holds up."""
SIGNIFICANT: Final = 2.0
MOSTLY: Final = 0.6


@dataclass(frozen=True, slots=True)
class Fold:
    """One step: chosen on `known`, then traded on `unseen`, which come right after."""

    known: Trial
    unseen: Trial


@dataclass(frozen=True, slots=True)
class Walk:
    """All steps, oldest first."""

    folds: tuple[Fold, ...]

    @property
    def unseen(self) -> list[float]:
        """The daily returns of all days on which a choice was tried."""
        return [one for fold in self.folds for one in fold.unseen.returns]

    @property
    def net(self) -> int:
        """What the choices brought on unseen days, in paise, after charges."""
        return sum(fold.unseen.net for fold in self.folds)

    @property
    def efficiency(self) -> float | None:
        """The mean unseen day over the mean day it was chosen by; None where that one lost."""
        known = fmean([one for fold in self.folds for one in fold.known.returns])
        return fmean(self.unseen) / known if known > 0 else None

    @property
    def t(self) -> float | None:
        """Mean over standard error of the unseen days; None where they are all alike."""
        spread = stdev(self.unseen) if len(self.unseen) > 1 else 0.0
        return fmean(self.unseen) / spread * math.sqrt(len(self.unseen)) if spread else None

    @property
    def sharpe(self) -> float | None:
        """The yearly Sharpe ratio of the unseen days."""
        return None if self.t is None else self.t / math.sqrt(len(self.unseen)) * math.sqrt(DAYS_A_YEAR)

    @property
    def won(self) -> float:
        """The share of steps with an unseen profit."""
        return fmean(fold.unseen.net > 0 for fold in self.folds)

    def verdict(self) -> tuple[str, str]:
        """Return the verdict in a word, and why in a sentence."""
        days, steps = len(self.unseen), len(self.folds)
        kept = "" if self.efficiency is None else f", {self.efficiency:.0%} of what the days before had promised"
        said = (
            f"On {days} unseen days in {steps} steps the choices brought Rs {self.net / 100:,.0f} after charges{kept}"
        )
        if self.net <= 0:
            return "FAILS", f"{said}: what was chosen by the past lost money in the days after it."
        doubt = self._doubt()
        if doubt is not None:
            return "NOT PROVEN", f"{said}, but {doubt}."
        return "HOLDS UP", f"{said}; {self.won:.0%} of the steps won, t = {self.t:.1f}."

    def _doubt(self) -> str | None:
        if self.t is None or self.t < SIGNIFICANT:
            t = "undefined" if self.t is None else f"{self.t:.1f}"
            return f"that may be luck (t = {t}; {SIGNIFICANT:.0f} is wanted)"
        if self.won < MOSTLY:
            return f"only {self.won:.0%} of the steps won ({MOSTLY:.0%} are wanted)"
        if self.efficiency is not None and self.efficiency < EFFICIENT:
            return f"most of what the past had promised was lost ({EFFICIENT:.0%} should be kept)"
        return None


def walked(trials: Sequence[Trial], rank: Rank, *, known: int, unseen: int, anchored: bool = False) -> Walk:
    """Return the walk over the days of `trials`, all of which were run on the same days.

    Each choice is the best set of `known` days (`anchored`: of all days so far) and is tried on the
    `unseen` days after them.

    Raises:
        DomainError: there are too few days for one step, or no trial.
    """
    if not trials:
        raise DomainError("no set was run to the end: there is nothing to choose from")
    days = [one.day for one in trials[0].days]
    folds = tuple(
        _fold(trials, rank, frozenset(days[first:at]), frozenset(days[at : at + unseen]))
        for first, at in _steps(len(days), known, unseen, anchored=anchored)
    )
    if not folds:
        raise DomainError(f"{len(days)} days are too few to choose by {known} and try on {unseen}")
    return Walk(folds)


def _steps(days: int, known: int, unseen: int, *, anchored: bool) -> Iterator[tuple[int, int]]:
    for at in range(known, days - unseen + 1, unseen):
        yield (0 if anchored else at - known), at


def _fold(trials: Sequence[Trial], rank: Rank, known: frozenset[date], unseen: frozenset[date]) -> Fold:
    seen = [(trial, trial.within(known)) for trial in trials]
    chosen, past = min(seen, key=lambda pair: (-rank.score(pair[1]), pair[0].key))
    return Fold(past, chosen.within(unseen))
