"""Everything that was recorded of many days, handed out day by day."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Final

import numpy as np

from algoexec.adapters.history.bars import NO_BARS, BarColumns, ReadOptions, merged, read_bars
from algoexec.adapters.history.options import Chains, OptionBars, read_chains, read_option_bars
from algoexec.domain.calendar import Calendar, calendar_of
from algoexec.domain.errors import BadRecording
from algoexec.domain.recording import DataFile, RecordedDay

INDEX: Final = "index_1m.csv"
FUTURES: Final = "futures_1m.csv"
CHAIN: Final = "chain_weekly.csv"
"""What the files in the folder of a recorded day are called."""


@dataclass(frozen=True, slots=True, kw_only=True)
class History:
    """Recorded days. What is kept are columns; a day's bars are made when it is asked for."""

    index: BarColumns
    future: BarColumns
    chains: Chains
    options: OptionBars
    files: tuple[DataFile, ...]

    def dates(self) -> list[date]:
        """Return the dates on which the index has a bar, ascending."""
        return self.index.dates()

    def day(self, on: date) -> RecordedDay:
        """Return what was recorded on a date."""
        return RecordedDay(
            date=on,
            index=self.index.of(on),
            future=self.future.of(on),
            chains=self.chains.get(on, ()),
            options=self.options.get(on, ()),
        )

    def days(self) -> Iterator[RecordedDay]:
        """Yield every day, oldest first."""
        return (self.day(on) for on in self.dates())

    def calendar(self) -> Calendar:
        """Return the calendar that follows from the data: days with bars were trading days."""
        return calendar_of(self.dates())


def read_history(
    index: Sequence[Path],
    futures: Sequence[Path] = (),
    chains: Sequence[Path] = (),
    option_bars: Sequence[Path] = (),
    *,
    options: ReadOptions | None = None,
) -> History:
    """Return what is in the files; several of one kind are taken together.

    A folder among `index` is a recorded day (`index_1m.csv` and what else it holds), or holds such folders.

    Raises:
        BadRecording: a file cannot be read, has bad rows, or the files do not go together.
    """
    how = options or ReadOptions()
    folders = [folder for path in index if path.is_dir() for folder in _day_folders(path)]
    futures = [*futures, *(folder / FUTURES for folder in folders if (folder / FUTURES).exists())]
    chains = [*chains, *(folder / CHAIN for folder in folders if (folder / CHAIN).exists())]
    index = [*(path for path in index if not path.is_dir()), *(folder / INDEX for folder in folders)]
    index_bars, read = _bars(index, "index", how, prices_matter=True)
    if not len(index_bars.minute):
        raise BadRecording(f"{', '.join(map(str, index))}: holds no bar")
    future_bars, futures_read = _bars(futures, "futures", how, prices_matter=False)
    all_chains: Chains = {}
    all_options: OptionBars = {}
    files = [*read, *futures_read]
    for path in chains:
        found, file = read_chains(path, how)
        for on, snapshots in found.items():
            all_chains[on] = tuple(sorted((*all_chains.get(on, ()), *snapshots), key=lambda chain: chain.at))
        files.append(file)
    for path in option_bars:
        series, file = read_option_bars(path, how)
        for on, those in series.items():
            all_options[on] = (*all_options.get(on, ()), *those)
        files.append(file)
    history = History(index=index_bars, future=future_bars, chains=all_chains, options=all_options, files=tuple(files))
    _require_common_days(history)
    return history


def _day_folders(path: Path) -> list[Path]:
    """Return the recorded days at a path, by name."""
    if (path / INDEX).exists():
        return [path]
    found = sorted(folder for folder in path.iterdir() if (folder / INDEX).exists())
    if not found:
        raise BadRecording(f"{path}: holds no {INDEX}, nor a folder that does")
    return found


def _bars(
    paths: Sequence[Path], role: str, options: ReadOptions, *, prices_matter: bool
) -> tuple[BarColumns, list[DataFile]]:
    parts, files = [], []
    for path in paths:
        columns, file = read_bars(path, role, options, prices_matter=prices_matter)
        parts.append(columns)
        files.append(file)
    return (merged(parts, paths) if parts else NO_BARS), files


def _require_common_days(history: History) -> None:
    """Refuse files of other days than the index's: nothing of them would count."""
    days = set(history.dates())
    others = (
        ("futures", set(history.future.dates())),
        ("chain", set(history.chains)),
        ("options", set(history.options)),
    )
    for role, dates in others:
        if dates and not dates & days:
            raise BadRecording(
                f"the {role} are of {min(dates)} to {max(dates)}, the index of {min(days)} to {max(days)}: "
                "they have no day in common"
            )
    if np.any(np.diff(history.index.minute) <= 0):
        raise BadRecording("the index is not in order of time")
