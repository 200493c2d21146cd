"""Candle geometry: pure functions of one or two candles (strategy.md §3).

Conditions are joined by `&`, not `and`: compiled, that is no branch, and years of candles pass
several times as fast.
"""

from typing import Final, NamedTuple

from algoexec.strategy.kernel import TOLERANCE, UNKNOWN, above, at_least, kernel, known
from algoexec.strategy.parameters import Parameters


class Bar(NamedTuple):
    """A closed candle as the brain sees it.

    `minute` is its start in minutes since the epoch on India's wall clock (so `// 1440` is
    the day); `volume` is unknown as NaN. A bar of unknown prices stands for "none".
    """

    minute: int
    open: float
    high: float
    low: float
    close: float
    volume: float


NO_BAR: Final = Bar(-1, UNKNOWN, UNKNOWN, UNKNOWN, UNKNOWN, UNKNOWN)


@kernel
def span(bar: Bar) -> float:
    """Return high minus low."""
    return bar.high - bar.low


@kernel
def body(bar: Bar) -> float:
    """Return the distance between open and close."""
    return abs(bar.close - bar.open)


@kernel
def upper_shadow(bar: Bar) -> float:
    """Return the distance from the body to the high."""
    return bar.high - max(bar.open, bar.close)


@kernel
def lower_shadow(bar: Bar) -> float:
    """Return the distance from the low to the body."""
    return min(bar.open, bar.close) - bar.low


@kernel
def is_bullish(bar: Bar) -> bool:
    """Return whether it closed above its open."""
    return above(bar.close, bar.open)


@kernel
def is_bearish(bar: Bar) -> bool:
    """Return whether it closed below its open."""
    return above(bar.open, bar.close)


@kernel
def has_range(bar: Bar) -> bool:
    """Return whether it moved at all: one that did not has no pattern."""
    return above(span(bar), 0.0)


@kernel
def is_pin(bar: Bar, long_shadow: float, far_shadow: float, p: Parameters) -> bool:
    """Return whether a small body sits at one end of a long shadow."""
    return (
        has_range(bar)
        & above(body(bar), 0.0)
        & at_least(long_shadow, p.hammer_shadow_to_body * body(bar))
        & at_least(long_shadow, p.hammer_shadow_to_range * span(bar))
        & at_least(p.hammer_far_shadow_to_range * span(bar), far_shadow)
    )


@kernel
def is_hammer(bar: Bar, p: Parameters) -> bool:
    """Return whether it was sold off and bought back."""
    return is_pin(bar, lower_shadow(bar), upper_shadow(bar), p)


@kernel
def is_shooting_star(bar: Bar, p: Parameters) -> bool:
    """Return whether it was bought up and sold back."""
    return is_pin(bar, upper_shadow(bar), lower_shadow(bar), p)


@kernel
def is_bullish_engulfing(prev: Bar, bar: Bar) -> bool:
    """Return whether a bullish body covers the bearish one before it and is larger."""
    return (
        is_bearish(prev)
        & is_bullish(bar)
        & at_least(prev.close, bar.open)
        & at_least(bar.close, prev.open)
        & above(body(bar), body(prev))
    )


@kernel
def is_bearish_engulfing(prev: Bar, bar: Bar) -> bool:
    """Return whether a bearish body covers the bullish one before it and is larger."""
    return (
        is_bullish(prev)
        & is_bearish(bar)
        & at_least(bar.open, prev.close)
        & at_least(prev.open, bar.close)
        & above(body(bar), body(prev))
    )


@kernel
def is_inside_bar(prev: Bar, bar: Bar) -> bool:
    """Return whether it stayed within the candle before it, its mother."""
    return has_range(bar) & at_least(prev.high, bar.high) & at_least(bar.low, prev.low) & above(span(prev), span(bar))


@kernel
def is_strong_bullish(bar: Bar, p: Parameters) -> bool:
    """Return whether it is mostly body and closed near its high."""
    return (
        has_range(bar)
        & is_bullish(bar)
        & at_least(body(bar), p.strong_body_to_range * span(bar))
        & at_least(p.strong_far_shadow_to_range * span(bar), bar.high - bar.close)
    )


@kernel
def is_strong_bearish(bar: Bar, p: Parameters) -> bool:
    """Return whether it is mostly body and closed near its low."""
    return (
        has_range(bar)
        & is_bearish(bar)
        & at_least(body(bar), p.strong_body_to_range * span(bar))
        & at_least(p.strong_far_shadow_to_range * span(bar), bar.close - bar.low)
    )


@kernel
def is_near_level(bar: Bar, level: float, tolerance: float) -> bool:
    """Return whether a known `level` lies within the candle, widened by `tolerance` points."""
    return known(level) & at_least(level, bar.low - tolerance) & at_least(bar.high + tolerance, level)


@kernel
def is_compressed(short_mean: float, long_mean: float, ratio: float) -> float:
    """Return 1.0 when the latest ranges are small beside the longer mean, 0.0 when not, else unknown."""
    if not (known(short_mean) and known(long_mean)):
        return UNKNOWN
    return 1.0 if short_mean <= ratio * long_mean + TOLERANCE else 0.0
