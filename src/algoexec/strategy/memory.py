"""What the brain remembers of the candles so far: a pure function of them alone.

Nothing here depends on what was decided, so a repaired history is simply remembered anew.
"""

from typing import NamedTuple

from algoexec.strategy.indicators import Ema, Vwap, Window, ema_next, slide, vwap_next
from algoexec.strategy.kernel import UNKNOWN, above, kernel
from algoexec.strategy.opening_range import OpeningRange, opening_range_next
from algoexec.strategy.parameters import Parameters
from algoexec.strategy.patterns import NO_BAR, Bar, is_inside_bar, span


class Setup(NamedTuple):
    """An inside bar's mother, and how many more candles may break out of her."""

    high: float = UNKNOWN
    low: float = UNKNOWN
    remaining: int = 0


class Memory(NamedTuple):
    """The fold of `remember` over all candles, oldest first.

    `ema_fast`, `ema_slow` and `volumes` reach back across days; the rest is today's.
    """

    ema_fast: Ema
    ema_slow: Ema
    volumes: Window
    ranges: Window
    vwap: Vwap
    opening: OpeningRange
    setup: Setup
    prev: Bar


def empty_memory(p: Parameters) -> Memory:
    """Return the memory before the first candle."""
    return Memory(
        ema_fast=Ema(),
        ema_slow=Ema(),
        volumes=(UNKNOWN,) * p.volume_length,
        ranges=(UNKNOWN,) * p.compression_long_length,
        vwap=Vwap(),
        opening=OpeningRange(),
        setup=Setup(),
        prev=NO_BAR,
    )


def reshaped(memory: Memory, old: Parameters, new: Parameters) -> Memory:
    """Return what of `memory`, kept under `old`, still holds under `new`: today is left out.

    A mean whose length has changed begins anew: its candles are not kept.
    """
    fresh = empty_memory(new)
    return fresh._replace(
        ema_fast=memory.ema_fast if new.ema_fast_length == old.ema_fast_length else fresh.ema_fast,
        ema_slow=memory.ema_slow if new.ema_slow_length == old.ema_slow_length else fresh.ema_slow,
        volumes=(*fresh.volumes, *memory.volumes)[-new.volume_length :],
    )


@kernel
def breaks_up(setup: Setup, bar: Bar) -> bool:
    """Return whether it closes above a living setup's mother."""
    return (setup.remaining > 0) & above(bar.close, setup.high)


@kernel
def breaks_down(setup: Setup, bar: Bar) -> bool:
    """Return whether it closes below a living setup's mother."""
    return (setup.remaining > 0) & above(setup.low, bar.close)


@kernel
def setup_next(setup: Setup, prev: Bar, bar: Bar, p: Parameters) -> Setup:
    """Return the setup after `bar`: a breakout ends it, a newer inside bar replaces it."""
    if is_inside_bar(prev, bar):
        return Setup(prev.high, prev.low, p.inside_bar_candles)
    if breaks_up(setup, bar) or breaks_down(setup, bar) or setup.remaining <= 1:
        return Setup(UNKNOWN, UNKNOWN, 0)
    return Setup(setup.high, setup.low, setup.remaining - 1)


@kernel
def at_day_of(memory: Memory, bar: Bar) -> Memory:
    """Return `memory` as `bar` meets it: on a new day, patterns, setups, range and VWAP begin anew."""
    if memory.prev.minute // 1440 == bar.minute // 1440:
        return memory
    forgotten = memory.ranges
    for _ in range(len(memory.ranges)):
        forgotten = slide(forgotten, UNKNOWN)
    return Memory(
        memory.ema_fast,
        memory.ema_slow,
        memory.volumes,
        forgotten,
        Vwap(0.0, 0.0, 0.0, 0),
        OpeningRange(0, float("-inf"), float("inf")),
        Setup(UNKNOWN, UNKNOWN, 0),
        Bar(-1, UNKNOWN, UNKNOWN, UNKNOWN, UNKNOWN, UNKNOWN),
    )


@kernel
def remember(memory: Memory, bar: Bar, p: Parameters) -> Memory:
    """Return the memory after `bar`. `memory` must already be at its day (`at_day_of`)."""
    return Memory(
        ema_next(memory.ema_fast, bar.close, p.ema_fast_length),
        ema_next(memory.ema_slow, bar.close, p.ema_slow_length),
        slide(memory.volumes, bar.volume),
        slide(memory.ranges, span(bar)),
        vwap_next(memory.vwap, bar.high, bar.low, bar.close, bar.volume),
        opening_range_next(memory.opening, bar, p),
        setup_next(memory.setup, memory.prev, bar, p),
        bar,
    )
