"""The folds that are compiled: each carries kernels of `strategy` over columns of candles.

No rule is written here. Each fold says what is carried along (over a day, or over the days
that warm it) and writes down a column; the arithmetic is the kernels' own.
"""

import numpy as np

from algoexec.backtest.fast.tape import Bars, Days, Floats, Masks, Polls, Rows
from algoexec.strategy.decision import (
    Ledger,
    Levels,
    candidates_of,
    judge,
    ledger_next,
    shapes_of,
    usable_pcr,
)
from algoexec.strategy.indicators import (
    Ema,
    Vwap,
    ema_next,
    ema_value,
    mean_of_last,
    volume_breakout,
    vwap_next,
    vwap_value,
)
from algoexec.strategy.kernel import UNKNOWN
from algoexec.strategy.memory import Setup, setup_next
from algoexec.strategy.opening_range import OpeningRange, opening_range_next, range_high, range_low
from algoexec.strategy.parameters import Parameters
from algoexec.strategy.patterns import Bar, is_compressed, span


def ema_column(closes: Floats, days: Days, length: int) -> Floats:
    """Return the EMA after each candle, each day begun anew with the days that warm it.

    Two days share most of the candles that warm them, and the younger day's mean soon equals the
    older's to the bit. From there on they are one: what is known and equal stays equal. So a day
    is folded only until it meets the one before it.
    """
    found = np.empty(len(closes))
    newest = np.full(len(closes), np.nan)  # what the newest day's fold says of candles that warm it
    for d in range(len(days.warm)):
        begin, end = days.first[d], days.first[d + 1]
        ema = Ema(0, 0.0)
        i = days.first[days.warm[d]]
        while i < end:
            ema = ema_next(ema, closes[i], length)
            value = ema_value(ema, length)
            if i < begin and value == newest[i]:
                i = begin - 1
                ema = Ema(ema.seen, newest[i])
            else:
                newest[i] = value
                if i >= begin:
                    found[i] = value
            i += 1
    return found


def volume_column(volumes: Floats, days: Days, length: int) -> Floats:
    """Return the mean volume of the candles before each one."""
    found = np.full(len(volumes), UNKNOWN)
    for d in range(len(days.warm)):
        oldest = days.first[days.warm[d]]
        for i in range(max(days.first[d], oldest + length), days.first[d + 1]):
            found[i] = mean_of_last(volumes[i - length : i], length)
    return found


def vwap_columns(bars: Bars, days: Days) -> tuple[Floats, Floats]:
    """Return the day's VWAP after each candle, and the known volume behind it."""
    found, traded = np.empty(len(bars.close)), np.empty(len(bars.close))
    for d in range(len(days.warm)):
        vwap = Vwap(0.0, 0.0, 0.0, 0)
        for i in range(days.first[d], days.first[d + 1]):
            vwap = vwap_next(vwap, bars.high[i], bars.low[i], bars.close[i], bars.volume[i])
            found[i], traded[i] = vwap_value(vwap), vwap.volume
    return found, traded


def range_columns(bars: Bars, days: Days, regular: Parameters, special: Parameters) -> tuple[Floats, Floats]:
    """Return the opening range's high and low as known after each candle."""
    high, low = np.empty(len(bars.close)), np.empty(len(bars.close))
    for d in range(len(days.warm)):
        p = regular if days.regular[d] else special
        opening = OpeningRange(0, -np.inf, np.inf)
        for i in range(days.first[d], days.first[d + 1]):
            opening = opening_range_next(opening, _bar(bars, i), p)
            high[i], low[i] = range_high(opening, p), range_low(opening, p)
    return high, low


def shape_column(bars: Bars, days: Days, p: Parameters) -> Masks:
    """Return what the candles themselves speak for, at each candle."""
    found = np.empty(len(bars.close), np.int16)
    for d in range(len(days.warm)):
        setup = Setup(UNKNOWN, UNKNOWN, 0)
        prev = Bar(-1, UNKNOWN, UNKNOWN, UNKNOWN, UNKNOWN, UNKNOWN)
        for i in range(days.first[d], days.first[d + 1]):
            bar = _bar(bars, i)
            found[i] = shapes_of(prev, setup, bar, p)
            setup = setup_next(setup, prev, bar, p)
            prev = bar
    return found


def compressed_at(bars: Bars, begin: int, at: int, p: Parameters) -> float:
    """Return whether ranges are compressed at a candle of the day that begins at `begin`."""
    oldest = max(begin, at + 1 - p.compression_long_length)
    spans = np.empty(at + 1 - oldest)
    for i in range(len(spans)):
        spans[i] = span(_bar(bars, oldest + i))
    short = mean_of_last(spans, p.compression_short_length)
    return is_compressed(short, mean_of_last(spans, p.compression_long_length), p.compression_ratio)


def candidate_columns(
    bars: Bars,
    days: Days,
    fast: Floats,
    slow: Floats,
    vwaps: tuple[Floats, Floats],
    ranges: tuple[Floats, Floats],
    shapes: Masks,
    p: Parameters,
) -> tuple[Rows, Masks]:
    """Return the places of the candles that have candidates, whatever was emitted before, and their masks."""
    held = np.empty(len(bars.close), np.int16)
    count = 0
    for d in range(len(days.warm)):
        prev_close = UNKNOWN
        for i in range(days.first[d], days.first[d + 1]):
            bar = _bar(bars, i)
            levels = Levels(vwaps[0][i], fast[i], slow[i], ranges[0][i], ranges[1][i])
            held[i] = candidates_of(shapes[i], prev_close, bar, levels, p)
            count += held[i] != 0
            prev_close = bar.close
    places, masks = np.empty(count, np.int32), np.empty(count, np.int16)
    k = 0
    for i in range(len(held)):
        if held[i] != 0:
            places[k], masks[k] = i, held[i]
            k += 1
    return places, masks


def judged(
    bars: Bars,
    polls: Polls,
    fast: Floats,
    slow: Floats,
    vwaps: tuple[Floats, Floats],
    volumes: Floats,
    candidates: tuple[Rows, Masks],
    p: Parameters,
    rows: Rows,
    everything: bool,  # noqa: FBT001 - numba takes arguments by position
) -> int:
    """Write a row for each candle that emits, or (`everything`) has a candidate at all; return how many.

    A row is the candle's place and the seven `Masks`.
    """
    count = 0
    ledger = Ledger(-1, -1, 0)
    for k in range(len(candidates[0])):
        i = candidates[0][k]
        bar = _bar(bars, i)
        if ledger.day >= 0 and bar.minute // 1440 != ledger.day:
            ledger = Ledger(-1, -1, 0)
        # The opening range forbids nothing.
        levels = Levels(vwaps[0][i], fast[i], slow[i], UNKNOWN, UNKNOWN)
        confirmed = volume_breakout(bar.volume, volumes[i], p.volume_multiple)
        pcr = usable_pcr(polls.pcr[i], polls.age[i], p)
        masks = judge(candidates[1][k], confirmed, levels, ledger, bar, pcr, p)
        ledger = ledger_next(ledger, masks.emitted, bar)
        if masks.emitted != 0 or (everything and masks.candidates != 0):
            row = rows[count]
            row[0], row[1], row[2], row[3] = i, masks.candidates, masks.locked, masks.volume
            row[4], row[5], row[6], row[7] = masks.level, masks.pcr, masks.lower, masks.emitted
            count += 1
    return count


def _bar(bars: Bars, i: int) -> Bar:
    return Bar(bars.minute[i], bars.open[i], bars.high[i], bars.low[i], bars.close[i], bars.volume[i])
