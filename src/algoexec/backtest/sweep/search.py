"""Which sets are tried next: all of them, or those that look best so far."""

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Final, Protocol

from algoexec.backtest.sweep.space import Space, Value, Values
from algoexec.backtest.sweep.trial import key_of
from algoexec.domain.errors import DomainError

if TYPE_CHECKING:
    from optuna.distributions import BaseDistribution

A_ROUND: Final = 8
"""So many sets are run together over each day: enough to share it, few enough to learn from."""


class Search(Protocol):
    """Yields rounds of sets and is told what came of them."""

    def __len__(self) -> int:
        """Return how many sets will be tried."""

    def rounds(self) -> Iterator[list[dict[str, Value]]]:
        """Yield sets to be tried together, none twice; what was told between two rounds may decide the next."""

    def tell(self, values: Values, score: float) -> None:
        """Take in what came of a set; more is better."""


class Grid:
    """Every set of the space."""

    def __init__(self, space: Space) -> None:
        """Search all of `space`."""
        self._space = space

    def __len__(self) -> int:
        """Return how many sets there are."""
        return len(self._space)

    def rounds(self) -> Iterator[list[dict[str, Value]]]:
        """Yield all sets in order."""
        sets = list(self._space)
        for first in range(0, len(sets), A_ROUND):
            yield sets[first : first + A_ROUND]

    def tell(self, values: Values, score: float) -> None:
        """Nothing is learnt: all are tried."""


class Guided:
    """So many sets of the space, chosen by Optuna's TPE sampler from what came of those before."""

    def __init__(self, space: Space, trials: int, seed: int) -> None:
        """Try `trials` sets. Equal seeds and results give equal choices.

        Raises:
            DomainError: Optuna is not installed.
        """
        try:
            import optuna
        except ImportError as error:
            raise DomainError(
                "Optuna is not installed: install algoexec[backtest], or leave --trials out to try every set"
            ) from error
        optuna.logging.set_verbosity(optuna.logging.WARNING)
        self._space, self._trials = space, min(trials, len(space))
        # A place on the axis, not the value: so neighbours are near each other, words included.
        self._places: dict[str, BaseDistribution] = {
            axis.name: optuna.distributions.IntDistribution(0, len(axis.values) - 1) for axis in space.axes
        }
        self._study = optuna.create_study(direction="maximize", sampler=optuna.samplers.TPESampler(seed=seed))
        self._create: Callable[..., object] = optuna.trial.create_trial
        self._tried: set[str] = set()

    def __len__(self) -> int:
        """Return how many sets will be tried."""
        return self._trials

    def rounds(self) -> Iterator[list[dict[str, Value]]]:
        """Yield rounds until so many sets were tried."""
        rest = iter(self._space)
        while len(self._tried) < self._trials:
            found: list[dict[str, Value]] = []
            wanted = min(A_ROUND, self._trials - len(self._tried))
            for _ in range(20 * wanted):
                places = self._study.ask(self._places).params
                self._take({axis.name: axis.values[places[axis.name]] for axis in self._space.axes}, found)
                if len(found) == wanted:
                    break
            while len(found) < wanted:  # the sampler keeps to what it knows: take the next that nobody tried
                self._take(next(rest), found)
            yield found

    def tell(self, values: Values, score: float) -> None:
        """Learn from a set."""
        self._tried.add(key_of(values))
        places = {axis.name: axis.values.index(values[axis.name]) for axis in self._space.axes}
        self._study.add_trial(self._create(params=places, distributions=self._places, value=score))  # type: ignore[arg-type]

    def _take(self, values: dict[str, Value], found: list[dict[str, Value]]) -> None:
        key = key_of(values)
        if key not in self._tried:
            self._tried.add(key)
            found.append(values)
