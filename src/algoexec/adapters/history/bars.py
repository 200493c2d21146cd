"""One-minute bars of years: checked once, kept as columns, handed out by the day."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path
from typing import Any, Final, NamedTuple
from zoneinfo import ZoneInfo

import numpy as np

from algoexec.adapters.history.problems import Problems
from algoexec.adapters.history.tables import Table, numbers, read_table
from algoexec.domain.calendar import IST, IST_OFFSET_MINUTES
from algoexec.domain.errors import BadRecording
from algoexec.domain.market import Bar
from algoexec.domain.recording import DataFile

type Ints = np.ndarray[Any, np.dtype[np.int64]]
type Floats = np.ndarray[Any, np.dtype[np.float64]]

PRICES: Final = ("open", "high", "low", "close")
_DAY: Final = 1440
_EPOCH_DAY: Final = date(1970, 1, 1)
_OPENS: Final = 9 * 60 + 15
_CLOSES: Final = 15 * 60 + 40
_MOST: Final = 0.5
"""Above this share of odd rows it is not the rows that are odd."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadOptions:
    """How files are to be understood: the zone of stamps that name none, whether stamps are the ends of bars,
    whether bad rows are left out."""

    zone: ZoneInfo = IST
    stamps_are_ends: bool = False
    skip_bad_rows: bool = False


class BarColumns(NamedTuple):
    """Minutes since the epoch (UTC), ascending, and what happened in each. A price of 0 is not known."""

    minute: Ints
    open: Floats
    high: Floats
    low: Floats
    close: Floats
    volume: Ints

    def dates(self) -> list[date]:
        """Return the dates on which there is a bar, ascending."""
        return [_EPOCH_DAY + timedelta(days=int(day)) for day in np.unique(indian_day(self.minute))]

    def of(self, on: date) -> tuple[Bar, ...]:
        """Return the bars of a date, oldest first."""
        midnight = (on - _EPOCH_DAY).days * _DAY - IST_OFFSET_MINUTES
        first, last = np.searchsorted(self.minute, [midnight, midnight + _DAY])
        return self.where(slice(first, last)).bars()

    def where(self, wanted: Any) -> "BarColumns":
        """Return the rows that a slice, a mask or places choose."""
        return BarColumns._make(column[wanted] for column in self)

    def bars(self) -> tuple[Bar, ...]:
        """Return every bar."""
        return tuple(map(Bar._make, zip(*(column.tolist() for column in self), strict=True)))


NO_BARS: Final = BarColumns._make([np.zeros(0, np.int64), *[np.zeros(0)] * 4, np.zeros(0, np.int64)])


def indian_day(minute: Ints) -> Ints:
    """Return days since the epoch on India's wall clock."""
    return (minute + IST_OFFSET_MINUTES) // _DAY


def read_bars(
    path: Path, role: str, options: ReadOptions, *, prices_matter: bool = True
) -> tuple[BarColumns, DataFile]:
    """Return the bars of a file, and what was read.

    A row without any price is a minute without a tick. Where prices do not matter, its volume counts.

    Raises:
        BadRecording: the file cannot be read, is not of one-minute bars of the Indian day, or has bad rows.
    """
    problems = Problems(path, skip=options.skip_bad_rows)
    needed = PRICES if prices_matter else ("volume",)
    table = read_table(path, problems, needed, zone=options.zone)
    columns, lines = checked(table, problems, prices_matter=prices_matter, ends=options.stamps_are_ends)
    columns, notes = in_order(columns, lines, problems)
    require_minutes(path, columns, options)
    return columns, DataFile(role, path.name, len(columns.minute), (*table.notes, *notes, *problems.settle()))


def checked(table: Table, problems: Problems, *, prices_matter: bool, ends: bool) -> tuple[BarColumns, Ints]:
    """Return the rows that make sense, and their lines; the others become problems."""
    seconds = (table.rows["at"].astype("int64") // _unit_of(table)).to_numpy(dtype=np.int64)
    lines = table.lines
    problems.add(lines[seconds % 60 != 0], "a bar of one minute starts on a whole minute")
    prices = [numbers(table, column, problems, optional=True) for column in PRICES]
    volume = np.nan_to_num(numbers(table, "volume", problems, optional=True))
    problems.add(lines[volume < 0], "nothing trades a negative quantity")
    unknown = sum(np.isnan(price).astype(int) for price in prices)
    opened, high, low, close = prices
    with np.errstate(invalid="ignore"):
        is_positive = (opened > 0) & (high > 0) & (low > 0) & (close > 0)
        is_bounded = (low <= np.minimum(opened, close)) & (np.maximum(opened, close) <= high)
    if prices_matter:
        problems.add(lines[(unknown > 0) & (unknown < len(PRICES))], "a price is missing")
        problems.add(lines[(unknown == 0) & ~is_positive], "a price is 0 or less")
        problems.add(lines[(unknown == 0) & is_positive & ~is_bounded], "high and low do not bound open and close")
        kept = unknown == 0
    else:
        is_whole = (unknown == 0) & is_positive & is_bounded
        opened, high, low, close = (np.where(is_whole, price, 0.0) for price in prices)
        kept = np.ones(len(lines), dtype=bool)
    kept &= ~np.isin(lines, list(problems.lines))
    minute: Ints = (seconds // 60 - (1 if ends else 0)).astype(np.int64)
    columns = BarColumns(minute, opened, high, low, close, volume.astype(np.int64))
    return columns.where(kept), lines[kept]


def in_order(columns: BarColumns, lines: Ints, problems: Problems) -> tuple[BarColumns, tuple[str, ...]]:
    """Return the bars by time, each minute once: a row that says the same again is left out, another is a problem."""
    order = np.argsort(columns.minute, kind="stable")
    notes: tuple[str, ...] = () if (np.diff(order) > 0).all() else ("rows were not in order of time",)
    columns, lines = columns.where(order), lines[order]
    again = np.zeros(len(lines), dtype=bool)
    again[1:] = np.diff(columns.minute) == 0
    if again.any():
        same = again.copy()
        for column in columns:
            same[1:] &= column[1:] == column[:-1]
        problems.add(lines[again & ~same], "this minute was there before, with other values")
        if same.any():
            notes += (f"{int(same.sum())} rows were there twice",)
        columns = columns.where(~again)
    return columns, notes


def require_minutes(path: Path, columns: BarColumns, options: ReadOptions) -> None:
    """Refuse what are no minutes of Indian trading days.

    Raises:
        BadRecording: it says what they look like.
    """
    minute = columns.minute
    if not len(minute):
        return
    step = np.diff(minute)
    step = step[step < 6 * 60]
    if len(step) > 10 and float(np.median(step)) != 1:
        raise BadRecording(f"{path}: the bars are {np.median(step):g} minutes apart; bars of one minute are needed")
    of_day = (minute + IST_OFFSET_MINUTES) % _DAY
    outside = (of_day < _OPENS) | (of_day >= _CLOSES)
    if outside.mean() > _MOST:
        first, last = (f"{int(m) // 60:02d}:{int(m) % 60:02d}" for m in (of_day.min(), of_day.max()))
        raise BadRecording(
            f"{path}: most bars lie outside of 09:15 to 15:30 in India (they run from {first} to {last}): "
            f"the stamps are of another zone than {options.zone.key}; give it with --zone, for example --zone UTC"
        )
    days = len(np.unique(indian_day(minute)))
    opens, closes = (np.count_nonzero(of_day == at) for at in (_OPENS, 15 * 60 + 30))
    if not options.stamps_are_ends and days > 3 and opens < days * 0.1 and closes > days * 0.9:
        raise BadRecording(
            f"{path}: the days run from 09:16 to 15:30, so the stamps are the ends of bars; say so with --stamps end"
        )


def merged(parts: Sequence[BarColumns], paths: Sequence[Path]) -> BarColumns:
    """Return the bars of several files as one.

    Raises:
        BadRecording: a minute is in two of them.
    """
    if len(parts) == 1:
        return parts[0]
    whole = BarColumns._make(np.concatenate(columns) for columns in zip(*parts, strict=True))
    whole = whole.where(np.argsort(whole.minute, kind="stable"))
    if (np.diff(whole.minute) == 0).any():
        raise BadRecording(f"{', '.join(map(str, paths))}: some minutes are in more than one of these files")
    return whole


def _unit_of(table: Table) -> int:
    """Return how many of the column's units are a second."""
    unit = table.rows["at"].dtype.unit  # type: ignore[union-attr]
    return {"s": 1, "ms": 10**3, "us": 10**6, "ns": 10**9}[unit]
