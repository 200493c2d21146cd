"""The brain says on every day what a second, independent reading of the strategy page says."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import date, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Final

import pandas as pd
import pytest

from algoexec.adapters.history.day_folder import read_day
from algoexec.backtest.day import signals_of
from algoexec.domain.signals import Signal
from tests import strategies
from tests.parity import second_reading

GOLDEN: Final = ("2019-02-01", "2019-05-20", "2019-05-21")

RECORDED: Final = (
    # days with an outage in the index or the future, and one of shortened trading
    "2013-01-11", "2013-04-12", "2013-05-11", "2013-07-29", "2013-10-14", "2014-03-22", "2014-11-05", "2015-08-03",
    "2015-08-26", "2016-09-20", "2016-11-03", "2019-04-24",
    # whole days without a chain, then with one; 2016-11-09 opened after an election and a note ban
    "2013-08-28", "2014-05-16", "2015-08-24", "2016-06-24", "2016-11-09", "2019-01-02", "2019-01-31", "2019-02-26",
    "2019-03-11", "2019-03-28", "2019-04-04", "2019-04-30", "2019-05-09", "2019-05-22",
)  # fmt: skip

NUMBERS: Final = ("price", "stop_loss", "target", "pcr")

Line = Mapping[str, object]


def line_of(signal: Signal) -> Line:
    """Return a signal in the other reading's words."""
    return {
        "kind": "rejection" if signal.is_rejection else "signal",
        "at": signal.at,
        "side": signal.side.value,
        "pattern": signal.pattern.value,
        "priority": signal.priority,
        "price": signal.price,
        "stop_loss": signal.stop_loss,
        "target": signal.target,
        "pcr": signal.pcr,
        "volume_confirmed": signal.volume_confirmed,
        "reason": signal.reason.value if signal.reason else None,
    }


def assert_same_lines(ours: Iterable[Signal], theirs: Sequence[Line]) -> None:
    """Compare line by line in order; floats to 1e-9 of their size."""
    lines = [line_of(signal) for signal in ours]
    expected = [{**line, "at": datetime.fromisoformat(str(line["at"]))} for line in theirs]
    for line, other in zip(lines, expected, strict=False):
        assert line == {
            name: pytest.approx(value, rel=1e-9, abs=1e-9) if name in NUMBERS and value is not None else value
            for name, value in other.items()
        }
    assert len(lines) == len(expected)


def assert_same_folders(day: Path, history: Sequence[Path] = ()) -> None:
    """Read the same folders both ways."""
    earlier = [read_day(folder) for folder in history]
    assert_same_lines(signals_of(read_day(day), earlier), second_reading.read_day(day, history))


@pytest.mark.parametrize("day", GOLDEN)
def test_a_golden_day_alone(shared_data: Path, day: str) -> None:
    assert_same_folders(shared_data / "golden_days" / day)


def test_golden_days_after_one_another(shared_data: Path) -> None:
    days = [shared_data / "golden_days" / day for day in GOLDEN]
    assert_same_folders(days[1], days[:1])
    assert_same_folders(days[2], days[:2])
    assert_same_folders(days[2], days[1:2])


def test_the_golden_days_say_something(shared_data: Path) -> None:
    folder = shared_data / "golden_days"
    signals = [signal for day in GOLDEN for signal in signals_of(read_day(folder / day))]
    assert any(not signal.is_rejection for signal in signals)
    assert any(signal.is_rejection for signal in signals)


@pytest.fixture(scope="module")
def recorded(shared_data: Path) -> Mapping[str, Mapping[date, pd.DataFrame]]:
    """Return every recorded day's rows, by table and date."""
    pytest.importorskip("pyarrow", reason="the recorded years are parquet files, and no reader of those is installed")
    tables = {}
    for name in ("index_1m", "futures_1m", "chain_weekly_2019"):
        table = pd.read_parquet(shared_data / f"{name}.parquet")
        tables[name] = {day: rows for day, rows in table.groupby(table["timestamp"].dt.date) if isinstance(day, date)}
    return tables


def write_recorded(tables: Mapping[str, Mapping[date, pd.DataFrame]], day: date, folder: Path) -> Path:
    """Write one recorded day as a day folder."""
    folder.mkdir()
    for table, file in (
        ("index_1m", "index_1m"),
        ("futures_1m", "futures_1m"),
        ("chain_weekly_2019", "chain_weekly"),
    ):
        if (rows := tables[table].get(day)) is not None:
            rows.to_csv(folder / f"{file}.csv", index=False)
    return folder


@pytest.mark.parametrize("day", RECORDED)
def test_a_recorded_day_after_the_one_before(
    recorded: Mapping[str, Mapping[date, pd.DataFrame]], tmp_path: Path, day: str
) -> None:
    on = date.fromisoformat(day)
    before = max((other for other in recorded["index_1m"] if other < on), default=None)
    folder = write_recorded(recorded, on, tmp_path / "day")
    history = [] if before is None else [write_recorded(recorded, before, tmp_path / "before")]
    assert_same_folders(folder, history)
    assert_same_folders(folder)


@pytest.mark.parametrize("seed", range(24))
def test_a_made_up_day_after_two_others(seed: int, tmp_path: Path) -> None:
    days = [strategies.DAY + timedelta(days=n) for n in range(3)]
    folders = [strategies.made_up_day(3 * seed + n, on).write(tmp_path / str(n)) for n, on in enumerate(days)]
    assert_same_folders(folders[2], folders[: seed % 3])


@pytest.mark.parametrize("on", [date(2026, 7, 31), date(2026, 8, 3), date(2026, 11, 7)])
def test_the_hours_of_the_date_decide_which_candles_count(on: date, tmp_path: Path) -> None:
    folders = [
        strategies.made_up_day(7, on - timedelta(days=1)).write(tmp_path / "before"),
        strategies.made_up_day(8, on).write(tmp_path / "day"),
    ]
    assert_same_folders(folders[1], folders[:1])


def test_made_up_days_show_every_pattern_on_both_sides_and_every_reason(tmp_path: Path) -> None:
    days = [list(signals_of(read_day(strategies.made_up_day(seed).write(tmp_path / str(seed))))) for seed in range(24)]
    signals = [signal for day in days for signal in day]
    assert len({(signal.pattern, signal.side) for signal in signals}) == 10
    assert len({signal.reason for signal in signals}) == 6
    assert {signal.volume_confirmed for signal in signals} == {True, False, None}
    assert all(earlier.at <= later.at for day in days for earlier, later in pairwise(day))
