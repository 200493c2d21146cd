"""Stretches in which the equity is below where it has been."""

import math
from collections.abc import Sequence
from datetime import timedelta
from typing import NamedTuple

from algoexec.backtest.result import EquityPoint


class Drawdown(NamedTuple):
    """A stretch below a peak of the equity: its depth in paise and per cent of the peak, and how long it lasted.

    It lasts until the peak is reached again, or to the end of the run.
    """

    depth: int
    percent: float
    lasted: timedelta


def drawdowns_of(equity: Sequence[EquityPoint]) -> tuple[Drawdown, ...]:
    """Return every stretch below a peak, in order."""
    found: list[Drawdown] = []
    peak: EquityPoint | None = None
    lowest = 0
    for point in equity:
        if peak is None or point.equity >= peak.equity:
            if peak is not None and lowest < peak.equity:
                found.append(_drawdown(peak, lowest, point))
            peak, lowest = point, point.equity
        lowest = min(lowest, point.equity)
    if peak is not None and lowest < peak.equity:
        found.append(_drawdown(peak, lowest, equity[-1]))
    return tuple(found)


def _drawdown(peak: EquityPoint, lowest: int, until: EquityPoint) -> Drawdown:
    depth = peak.equity - lowest
    return Drawdown(depth, 100 * depth / peak.equity if peak.equity > 0 else math.inf, until.at - peak.at)
