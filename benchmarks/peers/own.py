"""algoexec's own side of the backtest benchmark, spoken to as `engines.py` is.

`python own.py NAME DATA`: `signals` scans one parameter set with nothing kept from before, `sweep` many that
share what they can (bars count once for each set), `trades` folds whole days with trades and charges.
"""

import json
import sys
from collections.abc import Callable
from datetime import date, timedelta
from itertools import product
from resource import RUSAGE_SELF, getrusage
from time import perf_counter
from typing import Any

import numpy as np
from numpy.typing import NDArray

from algoexec.backtest.fast.signals import Scan
from algoexec.backtest.fast.tape import Bars, Days, Polls, Tape
from algoexec.domain.calendar import IST_OFFSET_MINUTES
from algoexec.domain.market import Bar
from algoexec.domain.recording import RecordedDay
from algoexec.engine.candles import HISTORY_DAYS
from algoexec.strategy.parameters import Parameters

type Columns = dict[str, NDArray[Any]]

DAY = 375
SETS = [
    Parameters(ema_fast_length=fast, ema_slow_length=slow, lock_minutes=lock, level_tolerance_pct=near)
    for fast, slow, lock, near in product((7, 8, 9, 10, 11), (18, 21, 24, 27), (3, 5, 8), (0.03, 0.05))
]
"""120 sets: lengths of both means, the lock, and how near a level is."""


def tape_of(columns: Columns, count: int) -> Tape:
    """Return the first bars as a tape; the put-call ratio is never known."""
    days = count // DAY
    bars = Bars._make(columns[name][: days * DAY] for name in Bars._fields)
    first = np.arange(days + 1, dtype=np.int64) * DAY
    warm = np.maximum(np.arange(days, dtype=np.int64) - HISTORY_DAYS, 0)
    none = np.full(days * DAY, np.nan)
    return Tape(
        dates=tuple(_date(int(minute)) for minute in bars.minute[::DAY]),
        bars=bars,
        polls=Polls(none, np.full(days * DAY, np.inf), np.zeros(days * DAY, np.int64)),
        days=Days(first, warm, np.ones(days, np.int64)),
    )


def signals(columns: Columns) -> Callable[[int], int]:
    """Return a run of one set."""
    return lambda count: len(Scan(tape_of(columns, count)).emitted(Parameters()))


def sweep(columns: Columns) -> Callable[[int], int]:
    """Return a run of all sets."""

    def run(count: int) -> int:
        scan = Scan(tape_of(columns, count))
        return sum(len(scan.emitted(p)) for p in SETS)

    return run


def trades(columns: Columns) -> Callable[[int], int]:
    """Return a run with orders, fills, ticks within minutes, and charges."""
    from algoexec.backtest.run import Plan, backtest
    from algoexec.domain.calendar import calendar_of
    from algoexec.engine.trading.rules import TradeRules

    rows = list(zip(*(columns[name].tolist() for name in Bars._fields), strict=True))

    def day(n: int) -> RecordedDay:
        index = tuple(Bar._make((row[0] - IST_OFFSET_MINUTES, *row[1:5], 0)) for row in rows[n * DAY : (n + 1) * DAY])
        future = tuple(bar._replace(volume=int(row[5])) for bar, row in zip(index, rows[n * DAY :], strict=False))
        return RecordedDay(date=_date(rows[n * DAY][0]), index=index, future=future)

    def run(count: int) -> int:
        days = [day(n) for n in range(count // DAY)]
        found = backtest(days, Plan(rules=TradeRules(risk_pct=2.0)), calendar=calendar_of([one.date for one in days]))
        return len(found.trades)

    return run


def _date(minute: int) -> date:
    return date(1970, 1, 1) + timedelta(days=minute // 1440)


def main() -> None:
    """Answer until the input ends."""
    name, data = sys.argv[1:]
    with np.load(data) as file:
        columns = {column: file[column] for column in Bars._fields}
    run = {"signals": signals, "sweep": sweep, "trades": trades}[name](columns)
    print(json.dumps({"version": "here"}), flush=True)
    for line in sys.stdin:
        begun = perf_counter()
        found = run(int(line))
        seconds = perf_counter() - begun
        print(
            json.dumps({"seconds": seconds, "trades": found, "peak_mb": getrusage(RUSAGE_SELF).ru_maxrss / 1024}),
            flush=True,
        )


if __name__ == "__main__":
    main()
