"""The compiled folds say what `step` says: the same signals and rejections, every float to the last bit."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import date, datetime, time, timedelta
from pathlib import Path
from random import Random
from typing import Final

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from algoexec.adapters.history.day_folder import read_day
from algoexec.backtest.day import signals_of
from algoexec.backtest.fast.compiling import asks_for, compiled
from algoexec.backtest.fast.folds import ema_column, range_columns, shape_column, volume_column, vwap_columns
from algoexec.backtest.fast.signals import Scan, typed
from algoexec.backtest.fast.tape import tape_of
from algoexec.domain.calendar import IST, ist
from algoexec.domain.market import Bar
from algoexec.domain.recording import RecordedDay
from algoexec.domain.signals import Signal
from algoexec.engine.candles import HISTORY_DAYS
from algoexec.strategy.parameters import Parameters
from tests import strategies

POOL: Final = 40
"""So many made-up days are drawn from; making one takes longer than scanning a year."""


@pytest.fixture(scope="module")
def pool(tmp_path_factory: pytest.TempPathFactory) -> list[RecordedDay]:
    folder = tmp_path_factory.mktemp("days")
    return [read_day(strategies.made_up_day(seed).write(folder / str(seed))) for seed in range(POOL)]


def dated(days: Sequence[RecordedDay]) -> list[RecordedDay]:
    """Return the days one after the other, each moved to a date of its own."""
    return [moved(day, i) for i, day in enumerate(days)]


def moved(day: RecordedDay, by: int) -> RecordedDay:
    minutes = by * 1440
    chains = tuple(replace(chain, at=chain.at + timedelta(days=by)) for chain in day.chains)
    index = tuple(bar._replace(minute=bar.minute + minutes) for bar in day.index)
    future = tuple(bar._replace(minute=bar.minute + minutes) for bar in day.future)
    return replace(day, date=day.date + timedelta(days=by), index=index, future=future, chains=chains)


def folded(days: Sequence[RecordedDay], p: Parameters) -> Iterator[Signal]:
    """Yield what `step` says of each day, warmed by those before it."""
    for i, day in enumerate(days):
        yield from signals_of(day, days[max(0, i - HISTORY_DAYS) : i], p)


def assert_same(days: Sequence[RecordedDay], p: Parameters, scan: Scan | None = None) -> int:
    slow = list(folded(days, p))
    fast = list((scan or Scan(tape_of(days))).signals(p))
    for one, other in zip(fast, slow, strict=False):
        assert one == other
    assert len(fast) == len(slow)
    return len(slow)


def muhurat(on: date) -> RecordedDay:
    rng = Random("lamps")
    price, bars = 50_000.0, []
    for minute in range(60):
        first = int(ist(on, time(18)).timestamp()) // 60
        close = price + rng.gauss(0, 10)
        bars.append(Bar(first + minute, price, max(price, close) + 2, min(price, close) - 2, close, 0))
        price = close
    return RecordedDay(date=on, index=tuple(bars))


@settings(deadline=None, max_examples=12, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    drawn=st.lists(st.tuples(st.integers(0, POOL - 1), st.integers(1, 375)), min_size=1, max_size=3),
    p=strategies.parameters(),
)
def test_random_days_say_the_same(pool: list[RecordedDay], drawn: list[tuple[int, int]], p: Parameters) -> None:
    cut = [replace(pool[seed], index=pool[seed].index[-length:]) for seed, length in drawn]
    assert_same(dated(cut), p)


def test_a_long_run_of_days_says_the_same(pool: list[RecordedDay]) -> None:
    """More days than warm one: the oldest are forgotten."""
    days = dated(pool[: HISTORY_DAYS + 5])
    assert assert_same(days, Parameters()) > 1_000


def test_a_day_that_does_not_open_at_nine_fifteen_has_no_opening_range(pool: list[RecordedDay]) -> None:
    days = dated(pool[:2])
    evening = muhurat(days[-1].date + timedelta(days=1))
    p = Parameters(opening_minute=18 * 60, first_entry_minute=18 * 60, last_entry_minute=19 * 60)
    assert assert_same([*days, evening, moved(pool[3], 3)], p) > 0


def test_parameter_sets_that_share_columns_do_not_mix_them_up(pool: list[RecordedDay]) -> None:
    days = dated(pool[5:8])
    scan = Scan(tape_of(days))
    usual = Parameters()
    others = [
        usual._replace(**change)
        for change in (
            {},
            {"ema_fast_length": 21, "ema_slow_length": 9},
            {"ema_slow_length": 30},
            {"volume_length": 5, "volume_multiple": 0.5},
            {"lock_minutes": 0, "level_tolerance_pct": 1.0},
            {"hammer_shadow_to_body": 1.0, "inside_bar_candles": 1},
            {"opening_range_minutes": 5, "enabled": 3},
            {"pcr_max_age_minutes": 1},
            {"pcr_call_min": 1.1, "pcr_put_max": 0.9},
            {"stop_loss_pct": 1, "target_pct": 2},
            {"last_entry_minute": 660},
            {"compression_short_length": 2, "compression_long_length": 3},
            {},
        )
    ]
    for p in others:
        assert list(scan.signals(p)) == list(folded(days, p))


def test_rejections_are_told_on_demand_and_emitted_rows_are_the_signals(pool: list[RecordedDay]) -> None:
    scan = Scan(tape_of(dated(pool[:3])))
    everything = list(scan.signals(Parameters()))
    signals = list(scan.signals(Parameters(), rejections=False))
    assert signals == [signal for signal in everything if not signal.is_rejection]
    assert 0 < len(signals) < len(everything)
    rows = scan.emitted(Parameters())
    assert [scan.tape.candle(int(at)) for at in rows[:, 0]] == [signal.candle for signal in signals]


def test_nothing_is_nothing() -> None:
    assert list(Scan(tape_of([])).signals(Parameters())) == []


def test_a_part_of_a_tape_is_the_tape_of_those_days(pool: list[RecordedDay]) -> None:
    days = dated(pool[:8])
    part, whole = tape_of(days).part(2, 8), tape_of(days[2:])
    assert part.dates == whole.dates
    for ours, theirs in zip(
        (*part.bars, *part.polls[:2], *part.days), (*whole.bars, *whole.polls[:2], *whole.days), strict=True
    ):
        np.testing.assert_array_equal(ours, theirs)


def test_a_mean_meets_the_one_of_the_day_before_and_is_the_plain_fold_all_the_same(pool: list[RecordedDay]) -> None:
    """Also where prices stand still, so that two folds may stay a bit apart for long."""
    tape = tape_of(dated(pool[:9]))
    still = np.full(len(tape), 50_000.05)
    for closes in (tape.bars.close, still, np.where(np.arange(len(tape)) % 700 < 600, still, tape.bars.close)):
        for length in (1, 2, 9, 21, 200):
            fast = compiled(ema_column)(closes, tape.days, length)
            for d in range(len(tape.dates)):
                begin, first, end = (
                    int(n) for n in (tape.days.first[tape.days.warm[d]], tape.days.first[d], tape.days.first[d + 1])
                )
                alone = tape.days._replace(first=np.array([0, end - begin]), warm=np.array([0]), regular=np.array([1]))
                plain = compiled(ema_column)(closes[begin:end], alone, length)
                np.testing.assert_array_equal(fast[first:end], plain[first - begin :])


def test_what_a_fold_asks_for_is_read_off_its_rules() -> None:
    assert asks_for(ema_column) == ()
    assert asks_for(vwap_columns) == ()
    assert asks_for(volume_column) == ()
    assert asks_for(range_columns) == ("opening_minute", "opening_range_minutes")
    assert asks_for(shape_column) == (
        "hammer_far_shadow_to_range",
        "hammer_shadow_to_body",
        "hammer_shadow_to_range",
        "inside_bar_candles",
        "strong_body_to_range",
        "strong_far_shadow_to_range",
    )


def test_numbers_get_the_types_that_code_is_compiled_for() -> None:
    p = typed(Parameters(stop_loss_pct=1))
    assert p == Parameters(stop_loss_pct=1.0)
    assert [type(value) for value in p] == [type(value) for value in Parameters()]


def test_golden_days_say_the_same(shared_data: Path) -> None:
    days = [read_day(folder) for folder in sorted((shared_data / "golden_days").iterdir())]
    assert assert_same(days, Parameters()) > 0
    assert any(signal.pcr is not None for signal in Scan(tape_of(days)).signals(Parameters()))


def test_real_days_say_the_same(shared_data: Path) -> None:
    """Some weeks out of each year."""
    days = list(real_days(shared_data))
    for begin in range(0, len(days), 250):
        assert_same(days[begin : begin + 7], Parameters())


@pytest.mark.prove
def test_all_real_days_say_the_same(shared_data: Path) -> None:
    assert assert_same(list(real_days(shared_data)), Parameters()) > 50_000


def real_days(data: Path) -> Iterator[RecordedDay]:
    """Yield the recorded days, oldest first, without chains."""
    index = by_date(pd.read_parquet(data / "index_1m.parquet"))
    futures = by_date(pd.read_parquet(data / "futures_1m.parquet"))
    for on, rows in index.items():
        future = tuple(bars(futures[on], "volume")) if on in futures else ()
        yield RecordedDay(date=on, index=tuple(bars(rows, None)), future=future)


def by_date(table: pd.DataFrame) -> dict[date, pd.DataFrame]:
    stamps = pd.DatetimeIndex(table["timestamp"]).tz_convert(IST)
    return {date.fromisoformat(str(on)): rows for on, rows in table.set_axis(stamps).groupby(stamps.date)}


def bars(rows: pd.DataFrame, volume: str | None) -> Iterator[Bar]:
    volumes = [0.0] * len(rows) if volume is None else [float(v) for v in rows[volume]]
    columns = [[float(price) for price in rows[name]] for name in ("open", "high", "low", "close")]
    for stamp, *prices, traded in zip(rows.index, *columns, volumes, strict=True):
        assert isinstance(stamp, datetime)
        opened, high, low, close = prices
        assert not math.isnan(close)
        yield Bar(int(stamp.timestamp()) // 60, opened, high, low, close, int(traded))
