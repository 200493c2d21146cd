"""The opening range: high and low of the first minutes of the day."""

from typing import NamedTuple

from algoexec.strategy.kernel import UNKNOWN, kernel
from algoexec.strategy.parameters import Parameters
from algoexec.strategy.patterns import Bar


class OpeningRange(NamedTuple):
    """The range as far as it is known: `seen` of its candles have come."""

    seen: int = 0
    high: float = float("-inf")
    low: float = float("inf")


@kernel
def opening_range_next(opening: OpeningRange, bar: Bar, p: Parameters) -> OpeningRange:
    """Return `opening` after one more candle; those outside the opening minutes change nothing."""
    offset = bar.minute % 1440 - p.opening_minute
    if offset < 0 or offset >= p.opening_range_minutes:
        return opening
    return OpeningRange(opening.seen + 1, max(opening.high, bar.high), min(opening.low, bar.low))


@kernel
def range_high(opening: OpeningRange, p: Parameters) -> float:
    """Return the range's high, unknown until all its candles are known."""
    return opening.high if opening.seen == p.opening_range_minutes else UNKNOWN


@kernel
def range_low(opening: OpeningRange, p: Parameters) -> float:
    """Return the range's low, unknown until all its candles are known."""
    return opening.low if opening.seen == p.opening_range_minutes else UNKNOWN
