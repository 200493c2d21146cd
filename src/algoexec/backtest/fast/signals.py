"""Signals of many days and parameter sets, equal to those that `step` gives, at a fraction of the cost."""

from collections import OrderedDict
from collections.abc import Callable, Hashable, Iterator
from typing import Any, Final, NamedTuple

import numpy as np

from algoexec.backtest.fast.compiling import asks_for, compiled
from algoexec.backtest.fast.folds import (
    candidate_columns,
    compressed_at,
    ema_column,
    judged,
    range_columns,
    shape_column,
    volume_column,
    vwap_columns,
)
from algoexec.backtest.fast.tape import Rows, Tape
from algoexec.domain.signals import PcrQuality, Signal
from algoexec.engine.signals import bits, pcr_quality, signal_id, signal_of, told_levels
from algoexec.engine.state import NEVER
from algoexec.strategy.decision import Levels, Verdict
from algoexec.strategy.indicators import volume_breakout
from algoexec.strategy.parameters import Parameters

_KEPT_COLUMNS: Final = 48
"""How many columns are kept for other parameter sets, the least recently used given up first."""

_RECORDS_BEFORE: Final = 2
"""A session's first candle or poll is its third record: after its creation and the warm-up."""


class _Column(NamedTuple):
    """What a fold has made, and the key that tells it from what the same fold makes of other numbers."""

    key: Hashable
    value: Any


class Scan:
    """Signals on one tape. What parameter sets have in common is reckoned once."""

    def __init__(self, tape: Tape) -> None:
        """Scan `tape`; nothing is reckoned yet."""
        self.tape = tape
        self._kept: OrderedDict[Hashable, _Column] = OrderedDict()
        self._rows: Rows = np.empty((len(tape), 8), np.int32)

    def emitted(self, parameters: Parameters) -> Rows:
        """Return a row for each signal: the candle's place, and the seven masks of `strategy.decision.Masks`."""
        return self._judged(typed(parameters), everything=False)

    def signals(
        self, parameters: Parameters, session_id: str = "recorded", *, rejections: bool = True
    ) -> Iterator[Signal]:
        """Yield the signals, and the rejections too unless they are not wanted, as a session of each day tells them."""
        p = typed(parameters)
        for signal in self._told(self._judged(p, everything=rejections), p, session_id):
            if rejections or not signal.is_rejection:
                yield signal

    def _judged(self, p: Parameters, *, everything: bool) -> Rows:
        bars, days = self.tape.bars, self.tape.days
        fast, slow, vwaps, ranges = self._levels(p)
        shapes = self._column(shape_column, bars, days, p)
        candidates = self._column(candidate_columns, bars, days, fast, slow, vwaps, ranges, shapes, p)
        found = (fast.value, slow.value, vwaps.value, self._volumes(p).value, candidates.value)
        count = compiled(judged)(bars, self.tape.polls, *found, p, self._rows, everything)
        return self._rows[:count].copy()

    def _levels(self, p: Parameters) -> tuple[_Column, _Column, _Column, _Column]:
        bars, days = self.tape.bars, self.tape.days
        return (
            self._column(ema_column, bars.close, days, p.ema_fast_length),
            self._column(ema_column, bars.close, days, p.ema_slow_length),
            self._column(vwap_columns, bars, days),
            self._column(range_columns, bars, days, p, p._replace(opening_minute=NEVER)),
        )

    def _volumes(self, p: Parameters) -> _Column:
        return self._column(volume_column, self.tape.bars.volume, self.tape.days, p.volume_length)

    def _column(self, fold: Callable[..., Any], *arguments: Any) -> _Column:
        """Return what `fold` makes of columns, and of those numbers that it asks for."""
        read = asks_for(fold)
        key = (fold, *(_key(argument, read) for argument in arguments))
        if key not in self._kept:
            values = (one.value if isinstance(one, _Column) else one for one in arguments)
            self._kept[key] = _Column(key, compiled(fold)(*values))
            if len(self._kept) > _KEPT_COLUMNS:
                self._kept.popitem(last=False)
        self._kept.move_to_end(key)
        return self._kept[key]

    def _told(self, rows: Rows, p: Parameters, session_id: str) -> Iterator[Signal]:
        tape = self.tape
        fast, slow, (vwap, traded), (high, low) = (column.value for column in self._levels(p))
        volume = self._volumes(p).value
        day = 0
        for at, *masks in rows.tolist():
            while tape.days.first[day + 1] <= at:
                day += 1
            begin = int(tape.days.first[day])
            confirmed = volume_breakout(float(tape.bars.volume[at]), float(volume[at]), p.volume_multiple)
            verdict = Verdict._make((*masks, confirmed, compiled(compressed_at)(tape.bars, begin, at, p)))
            candle = tape.candle(at)
            pcr = float(tape.polls.pcr[at])
            quality = pcr_quality(pcr, float(tape.polls.age[at]), p)
            seq = _RECORDS_BEFORE + int(tape.polls.met[at]) + at - begin + 1
            levels = Levels(*(float(column[at]) for column in (vwap, fast, slow, high, low)))
            for n, index in enumerate(bits(verdict.candidates)):
                yield signal_of(
                    signal_id(session_id, seq, n),
                    index,
                    verdict,
                    candle,
                    decided_at=candle.closed_at,
                    levels=told_levels(levels, float(traded[at])),
                    pcr=pcr if quality is PcrQuality.FRESH else None,
                    pcr_quality=quality,
                    instrument=None,
                    p=p,
                )


def typed(parameters: Parameters) -> Parameters:
    """Return the parameters with each number of the type its default has: code is compiled for types."""
    defaults = Parameters()
    return Parameters._make(type(default)(value) for default, value in zip(defaults, parameters, strict=True))


def _key(argument: Any, read: tuple[str, ...]) -> Hashable:
    """Return what tells an argument of a fold from others; the tape's own columns are always the same."""
    match argument:
        case _Column(key=key):
            return key
        case Parameters():
            return tuple(getattr(argument, name) for name in read)
        case int():
            return argument
        case _:
            return None
