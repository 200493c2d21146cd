"""From one closed candle to a verdict on every candidate (strategy.md §4 and §5).

Candidates are bits, best first: an even bit is a call, the odd one after it a put.
The first bit that survives all guards is the signal; each guard is a mask of bits.
Conditions that every candle is asked are joined by `&`, as in `patterns`.
"""

from typing import Final, NamedTuple

from algoexec.domain.signals import Pattern, Reason, Side
from algoexec.strategy.indicators import ema_value, mean_of_last, volume_breakout, vwap_value
from algoexec.strategy.kernel import UNKNOWN, above, at_least, kernel, known
from algoexec.strategy.memory import Memory, Setup, breaks_down, breaks_up
from algoexec.strategy.opening_range import range_high, range_low
from algoexec.strategy.parameters import Parameters
from algoexec.strategy.patterns import (
    Bar,
    is_bearish_engulfing,
    is_bullish_engulfing,
    is_compressed,
    is_hammer,
    is_near_level,
    is_shooting_star,
    is_strong_bearish,
    is_strong_bullish,
)


class Candidate(NamedTuple):
    """One row of the table of candidates."""

    pattern: Pattern
    side: Side
    priority: int


CANDIDATES: Final = (
    Candidate(Pattern.ORB_BREAKOUT, Side.BUY_CALL, 1),
    Candidate(Pattern.ORB_BREAKOUT, Side.BUY_PUT, 1),
    Candidate(Pattern.INSIDE_BAR_BREAKOUT, Side.BUY_CALL, 2),
    Candidate(Pattern.INSIDE_BAR_BREAKOUT, Side.BUY_PUT, 2),
    Candidate(Pattern.BULLISH_ENGULFING, Side.BUY_CALL, 3),
    Candidate(Pattern.BEARISH_ENGULFING, Side.BUY_PUT, 3),
    Candidate(Pattern.HAMMER, Side.BUY_CALL, 3),
    Candidate(Pattern.SHOOTING_STAR, Side.BUY_PUT, 3),
    Candidate(Pattern.MOMENTUM, Side.BUY_CALL, 4),
    Candidate(Pattern.MOMENTUM, Side.BUY_PUT, 4),
)
"""Best first; the place in this table is the bit."""

ALL: Final = (1 << len(CANDIDATES)) - 1
CALLS: Final = 0b01_01_01_01_01
PUTS: Final = 0b10_10_10_10_10
BREAKOUTS: Final = 0b00_00_00_00_11
"""Opening-range breakouts: they need volume and fire once a day and side."""
REVERSALS: Final = 0b00_11_11_00_00
"""Engulfings, hammer and shooting star: valid only near a level."""
MOMENTUM_CALL: Final = 0b01_00_00_00_00
MOMENTUM_PUT: Final = 0b10_00_00_00_00


class Ledger(NamedTuple):
    """What follows from the signals that were emitted; a repaired history does not undo it.

    `locked_from` is T of the last signal and `day` the Indian day of the last breakout,
    both as in `Bar.minute`; -1 before the first. `fired` holds the breakout bits of `day`.
    """

    locked_from: int = -1
    day: int = -1
    fired: int = 0


class Levels(NamedTuple):
    """The levels as of the candle; NaN when unknown."""

    vwap: float
    ema_fast: float
    ema_slow: float
    range_high: float
    range_low: float


class Masks(NamedTuple):
    """What became of every candidate of one candle. All but the first are disjoint and cover `candidates`."""

    candidates: int
    locked: int
    volume: int
    level: int
    pcr: int
    lower: int
    emitted: int


class Verdict(NamedTuple):
    """The masks of one candle, as in `Masks`, and what else a signal says of it."""

    candidates: int
    locked: int
    volume: int
    level: int
    pcr: int
    lower: int
    emitted: int
    volume_confirmed: float
    """1.0, 0.0, or NaN when the volume or its average is unknown."""
    compressed: float
    """1.0, 0.0, or NaN when there are too few candles."""


GUARDS: Final = (
    (Reason.TRADE_LOCK, "locked"),
    (Reason.VOLUME, "volume"),
    (Reason.NO_MANS_LAND, "level"),
    (Reason.PCR, "pcr"),
    (Reason.LOWER_PRIORITY, "lower"),
)
"""Which mask of a `Verdict` holds what each guard refused, in the order of the guards."""


@kernel
def levels_of(memory: Memory, p: Parameters) -> Levels:
    """Return the levels that `memory` holds."""
    return Levels(
        vwap_value(memory.vwap),
        ema_value(memory.ema_fast, p.ema_fast_length),
        ema_value(memory.ema_slow, p.ema_slow_length),
        range_high(memory.opening, p),
        range_low(memory.opening, p),
    )


@kernel
def bit(index: int, condition: bool) -> int:  # noqa: FBT001 - a mask is built of conditions
    """Return the mask of one candidate, or nothing."""
    return (1 << index) if condition else 0


@kernel
def is_in_window(bar: Bar, p: Parameters) -> bool:
    """Return whether candidates are looked for on this candle."""
    minute = bar.minute % 1440
    return (p.first_entry_minute <= minute) & (minute + 1 <= p.last_entry_minute)


@kernel
def shapes_of(prev: Bar, setup: Setup, bar: Bar, p: Parameters) -> int:
    """Return the mask of every candidate for which the candles themselves speak; `setup` is the one before `bar`.

    The breakouts of the opening range are none of them: those are a matter of levels alone.
    """
    return (
        bit(2, breaks_up(setup, bar))
        | bit(3, breaks_down(setup, bar))
        | bit(4, is_bullish_engulfing(prev, bar))
        | bit(5, is_bearish_engulfing(prev, bar))
        | bit(6, is_hammer(bar, p))
        | bit(7, is_shooting_star(bar, p))
        | bit(8, is_strong_bullish(bar, p))
        | bit(9, is_strong_bearish(bar, p))
    )


@kernel
def trends_of(close: float, levels: Levels) -> int:
    """Return the momentum candidates that the trend allows: at most one."""
    up = above(levels.ema_fast, levels.ema_slow) & above(close, levels.ema_fast) & above(close, levels.vwap)
    down = above(levels.ema_slow, levels.ema_fast) & above(levels.ema_fast, close) & above(levels.vwap, close)
    return (MOMENTUM_CALL if up else 0) | (MOMENTUM_PUT if down else 0)


@kernel
def breakouts_of(prev_close: float, close: float, levels: Levels) -> int:
    """Return the breakouts of the opening range."""
    return bit(0, above(close, levels.range_high) & at_least(levels.range_high, prev_close)) | bit(
        1, above(levels.range_low, close) & at_least(prev_close, levels.range_low)
    )


@kernel
def candidates_of(shapes: int, prev_close: float, bar: Bar, levels: Levels, p: Parameters) -> int:
    """Return the mask of every candidate that holds on `bar`, whatever was emitted before it.

    `shapes` is what `shapes_of` says, `prev_close` the close before it on the same day, and
    `levels` are those after it.
    """
    if not is_in_window(bar, p):
        return 0
    shown = shapes & (~(MOMENTUM_CALL | MOMENTUM_PUT) | trends_of(bar.close, levels))
    return (shown | breakouts_of(prev_close, bar.close, levels)) & p.enabled


@kernel
def failing_volume(confirmed: float) -> int:
    """Return the candidates that a known lack of volume forbids."""
    return BREAKOUTS if confirmed == 0.0 else 0


@kernel
def failing_level(bar: Bar, levels: Levels, p: Parameters) -> int:
    """Return the candidates that need a level near `bar`, unless there is one."""
    tolerance = p.level_tolerance_pct / 100.0 * bar.close
    near = (
        is_near_level(bar, levels.vwap, tolerance)
        or is_near_level(bar, levels.ema_fast, tolerance)
        or is_near_level(bar, levels.ema_slow, tolerance)
    )
    return 0 if near else REVERSALS


@kernel
def usable_pcr(pcr: float, age_seconds: float, p: Parameters) -> float:
    """Return the put-call ratio of the newest poll, unknown when that is too old."""
    return pcr if age_seconds <= p.pcr_max_age_minutes * 60.0 else UNKNOWN


@kernel
def failing_pcr(pcr: float, p: Parameters) -> int:
    """Return the candidates that a known put-call ratio forbids."""
    if not known(pcr):
        return 0
    # A ratio is not points: nothing is rounded here, so nothing is tolerated.
    refused = 0 if pcr >= p.pcr_call_min else CALLS
    return refused | (0 if pcr <= p.pcr_put_max else PUTS)


@kernel
def is_locked(ledger: Ledger, bar: Bar, p: Parameters) -> bool:
    """Return whether an earlier signal still locks the close of `bar`."""
    return ledger.locked_from >= 0 and bar.minute + 1 - ledger.locked_from < p.lock_minutes


@kernel
def judge(held: int, confirmed: float, levels: Levels, ledger: Ledger, bar: Bar, pcr: float, p: Parameters) -> Masks:
    """Send the candidates that `candidates_of` found (`held`) through the guards, in their order."""
    fired = ledger.fired if ledger.day == bar.minute // 1440 else 0
    candidates = held & ~fired
    if is_locked(ledger, bar, p):
        return Masks(candidates, candidates, 0, 0, 0, 0, 0)
    left = candidates
    volume = left & failing_volume(confirmed)
    left &= ~volume
    level = left & failing_level(bar, levels, p)
    left &= ~level
    refused = left & failing_pcr(pcr, p)
    left &= ~refused
    emitted = left & -left
    return Masks(candidates, 0, volume, level, refused, left & ~emitted, emitted)


@kernel
def decide(before: Memory, after: Memory, ledger: Ledger, bar: Bar, pcr: float, p: Parameters) -> Verdict:
    """Judge every candidate of `bar`; `pcr` is NaN when missing.

    `before` and `after` are the memory around it (`after = remember(before, bar, p)`).
    """
    levels = levels_of(after, p)
    confirmed = volume_breakout(bar.volume, mean_of_last(before.volumes, p.volume_length), p.volume_multiple)
    shapes = shapes_of(before.prev, before.setup, bar, p)
    held = candidates_of(shapes, before.prev.close, bar, levels, p)
    masks = judge(held, confirmed, levels, ledger, bar, pcr, p)
    compressed = is_compressed(
        mean_of_last(after.ranges, p.compression_short_length),
        mean_of_last(after.ranges, p.compression_long_length),
        p.compression_ratio,
    )
    return Verdict(
        masks.candidates,
        masks.locked,
        masks.volume,
        masks.level,
        masks.pcr,
        masks.lower,
        masks.emitted,
        confirmed,
        compressed,
    )


@kernel
def ledger_next(ledger: Ledger, emitted: int, bar: Bar) -> Ledger:
    """Return the ledger after what was `emitted` on `bar`: a signal locks, a breakout is counted."""
    if emitted == 0:
        return ledger
    day = bar.minute // 1440
    fired = ledger.fired if ledger.day == day else 0
    return Ledger(bar.minute + 1, day, fired | (emitted & BREAKOUTS))
