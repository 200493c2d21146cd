"""What came of one parameter set: its days, and the figures that follow from them.

Each day begins with the same capital and is traded by itself, so a day's result does not depend on
which days were run before it: a period's result is the sum of its days. Money is paise.
"""

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from statistics import NormalDist, fmean, stdev
from typing import Final, NamedTuple

from algoexec.backtest.report.metrics import DAYS_A_YEAR
from algoexec.backtest.sweep.space import Values

_NORMAL: Final = NormalDist()
_EULER: Final = 0.5772156649015329


class DayResult(NamedTuple):
    """One day of one set."""

    day: date
    net: int
    gross: int
    charges: int
    trades: int
    wins: int


@dataclass(frozen=True, slots=True)
class Trial:
    """One set and its days, oldest first. `capital` is what each day began with."""

    values: Values
    capital: int
    days: tuple[DayResult, ...]

    @property
    def key(self) -> str:
        """What tells this set from others."""
        return key_of(self.values)

    @property
    def net(self) -> int:
        """What it brought, after charges."""
        return sum(day.net for day in self.days)

    @property
    def trades(self) -> int:
        """How many trades were closed."""
        return sum(day.trades for day in self.days)

    @property
    def win_rate(self) -> float | None:
        """Trades with a net profit, per cent; None: no trade."""
        return 100 * sum(day.wins for day in self.days) / self.trades if self.trades else None

    @property
    def expectancy(self) -> float | None:
        """Mean net of a trade; None: no trade."""
        return self.net / self.trades if self.trades else None

    @property
    def returns(self) -> list[float]:
        """Each day's net result over the capital; a day without a trade is 0."""
        return [day.net / self.capital for day in self.days]

    @property
    def sharpe(self) -> float | None:
        """Mean over standard deviation of daily returns, a year; None where that is not defined."""
        daily = daily_sharpe(self.returns)
        return None if daily is None else daily * math.sqrt(DAYS_A_YEAR)

    @property
    def max_drawdown(self) -> int:
        """The deepest fall from a peak, by the results at the ends of days."""
        peak = equity = deepest = 0
        for day in self.days:
            equity += day.net
            peak = max(peak, equity)
            deepest = max(deepest, peak - equity)
        return deepest

    def within(self, days: frozenset[date]) -> "Trial":
        """Return the same set on some of its days."""
        return Trial(self.values, self.capital, tuple(one for one in self.days if one.day in days))


def key_of(values: Values) -> str:
    """Return a text that is the same for equal sets only, whatever the order of names."""
    return json.dumps(dict(sorted(values.items())))


def daily_sharpe(returns: Sequence[float]) -> float | None:
    """Return mean over standard deviation of a sample; None of fewer than two values, or of equal ones."""
    spread = stdev(returns) if len(returns) > 1 else 0.0
    return fmean(returns) / spread if spread else None


def expected_best(sharpes: Sequence[float]) -> float:
    """Return the daily Sharpe ratio that the best of so many useless sets is expected to have.

    `√V · ((1 − γ) Z⁻¹(1 − 1/N) + γ Z⁻¹(1 − 1/(N e)))`: V the variance of the sets' ratios, N their
    number, γ Euler's constant. Source: Bailey and López de Prado, The Deflated Sharpe Ratio (2014).
    """
    count = len(sharpes)
    if count < 2:
        return 0.0
    high = (1 - _EULER) * _NORMAL.inv_cdf(1 - 1 / count) + _EULER * _NORMAL.inv_cdf(1 - 1 / (count * math.e))
    return stdev(sharpes) * high


def chance_of_skill(returns: Sequence[float], hurdle: float) -> float | None:
    """Return the probability that the true daily Sharpe ratio is above `hurdle`; None where there is no ratio.

    `Φ((SR − hurdle) √(T − 1) / √(1 − γ₃ SR + (γ₄ − 1)/4 · SR²))` over T days with skewness γ₃ and
    kurtosis γ₄. With `expected_best` as the hurdle it is the deflated Sharpe ratio of the same paper.
    """
    ratio = daily_sharpe(returns)
    if ratio is None:
        return None
    mean = fmean(returns)
    second, third, fourth = (fmean((one - mean) ** n for one in returns) for n in (2, 3, 4))
    spread = 1 - third / second**1.5 * ratio + (fourth / second**2 - 1) / 4 * ratio**2
    return _NORMAL.cdf((ratio - hurdle) * math.sqrt(len(returns) - 1) / math.sqrt(spread)) if spread > 0 else None
