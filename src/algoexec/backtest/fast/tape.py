"""Recorded days laid out as columns, for folds that are compiled."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from algoexec.backtest.day import candles_of, polls_of, session_of
from algoexec.domain.calendar import from_ist_minute
from algoexec.domain.market import Candle, Provenance
from algoexec.domain.recording import RecordedDay
from algoexec.engine.candles import HISTORY_DAYS
from algoexec.engine.signals import bar_of

type Floats = NDArray[np.float64]
type Ints = NDArray[np.int64]
type Masks = NDArray[np.int16]
"""Candidates as bits: there are ten."""
type Rows = NDArray[np.int32]


class Bars(NamedTuple):
    """The candles of many days, oldest first, a column for each field of the brain's `Bar`."""

    minute: Ints
    open: Floats
    high: Floats
    low: Floats
    close: Floats
    volume: Floats


class Polls(NamedTuple):
    """What a session would know of the option chain at the close of each candle.

    `pcr` is the newest reading of the day (unknown when it has none), `age` how many seconds
    ago it was taken; infinite when there is no reading yet. `met` counts the polls before.
    """

    pcr: Floats
    age: Floats
    met: Ints


class Days(NamedTuple):
    """Where days begin: candle `first[d]` is the first of day `d`, and the last entry is the end.

    Day `d` is warmed by all candles from `first[warm[d]]` on. `regular` is 0 for a day that does
    not open at 09:15.
    """

    first: Ints
    warm: Ints
    regular: Ints


@dataclass(frozen=True, slots=True, kw_only=True)
class Tape:
    """Days to fold over. A value: nothing writes into its columns."""

    dates: tuple[date, ...]
    bars: Bars
    polls: Polls
    days: Days

    def __len__(self) -> int:
        """Return how many candles there are."""
        return len(self.bars.minute)

    def part(self, begin: int, end: int) -> "Tape":
        """Return days `begin` to `end` (not included), warmed by nothing that is older than them."""
        first = self.days.first[begin : end + 1]
        inside = slice(int(first[0]), int(first[-1]))
        return Tape(
            dates=self.dates[begin:end],
            bars=Bars._make(column[inside] for column in self.bars),
            polls=Polls._make(column[inside] for column in self.polls),
            days=Days(first - first[0], np.maximum(self.days.warm[begin:end] - begin, 0), self.days.regular[begin:end]),
        )

    def candle(self, at: int) -> Candle:
        """Return a candle as a session was told it."""
        bars = self.bars
        volume = float(bars.volume[at])
        return Candle(
            start=from_ist_minute(int(bars.minute[at])),
            open=float(bars.open[at]),
            high=float(bars.high[at]),
            low=float(bars.low[at]),
            close=float(bars.close[at]),
            volume=int(volume) if volume == volume else None,
            provenance=Provenance.BACKFILLED,
        )


def tape_of(days: Sequence[RecordedDay], warm_up_days: int = HISTORY_DAYS) -> Tape:
    """Return `days`, oldest first, as a tape on which each is warmed by so many before it."""
    rows: list[tuple[float, ...]] = []
    polls: list[tuple[float, float, int]] = []
    first, regular = [0], []
    for day in days:
        candles = candles_of(day)
        rows.extend(bar_of(candle) for candle in candles)
        polls.extend(_polled(day, candles))
        first.append(len(rows))
        regular.append(int(session_of(day).is_regular))
    columns = list(zip(*rows, strict=True)) or [()] * len(Bars._fields)
    pcr, age, met = list(zip(*polls, strict=True)) or [()] * len(Polls._fields)
    return Tape(
        dates=tuple(day.date for day in days),
        bars=Bars(np.array(columns[0], np.int64), *(np.array(column, np.float64) for column in columns[1:])),
        polls=Polls(np.array(pcr, np.float64), np.array(age, np.float64), np.array(met, np.int64)),
        days=Days(
            np.array(first, np.int64),
            np.maximum(np.arange(len(days), dtype=np.int64) - warm_up_days, 0),
            np.array(regular, np.int64),
        ),
    )


def _polled(day: RecordedDay, candles: Sequence[Candle]) -> Iterator[tuple[float, float, int]]:
    """Yield a row of `Polls` for each candle."""
    readings = list(polls_of(day, session_of(day)))
    met = 0
    for candle in candles:
        while met < len(readings) and readings[met].at < candle.closed_at:
            met += 1
        if not met:
            yield np.nan, np.inf, 0
            continue
        newest = readings[met - 1]
        age = (candle.closed_at - newest.at).total_seconds()
        yield (np.nan if newest.pcr is None else newest.pcr), age, met
