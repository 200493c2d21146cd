"""Read a folder that holds one recorded trading day.

`index_1m.csv` (timestamp, open, high, low, close), optional `futures_1m.csv` (timestamp,
volume) and `chain_weekly.csv` (timestamp, strike, option_type, oi; rows with `stale` True
are no observation). Other columns are optional. Stamps are bar starts; one without an
offset is IST.
"""

import math
from collections.abc import Iterable
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Final

import pandas as pd

from algoexec.domain.calendar import IST
from algoexec.domain.errors import BadRecording
from algoexec.domain.instruments import OptionType
from algoexec.domain.market import Bar
from algoexec.domain.recording import RecordedChain, RecordedDay, RecordedOption

_TYPES: Final = {"CE": OptionType.CALL, "PE": OptionType.PUT}
_PRICES: Final = ("open", "high", "low", "close")
_EMPTY: Final = float("nan")


def read_day(folder: Path) -> RecordedDay:
    """Return the day recorded in `folder`.

    Raises:
        BadRecording: a file or column is missing, or a row makes no sense; names file and line.
    """
    if not folder.is_dir():
        raise BadRecording(f"{folder}: no such folder; a recorded day is a folder with index_1m.csv")
    index = tuple(_bars(folder / "index_1m.csv", ("timestamp", *_PRICES), prices_matter=True))
    if not index:
        raise BadRecording(f"{folder / 'index_1m.csv'}: holds no candle")
    return RecordedDay(
        date=_one_date(folder / "index_1m.csv", index),
        index=index,
        future=tuple(_future_bars(folder / "futures_1m.csv")),
        chains=tuple(_chains(folder / "chain_weekly.csv")),
    )


def _table(path: Path, columns: Iterable[str]) -> pd.DataFrame:
    try:
        table = pd.read_csv(path, float_precision="round_trip")
    except FileNotFoundError as error:
        raise BadRecording(f"{path}: no such file") from error
    except (pd.errors.ParserError, pd.errors.EmptyDataError, UnicodeDecodeError) as error:
        raise BadRecording(f"{path}: {error}") from error
    missing = [column for column in columns if column not in table.columns]
    if missing:
        raise BadRecording(f"{path}: column {', '.join(missing)} is missing")
    return table.assign(at=_stamps(path, table["timestamp"]))


def _stamps(path: Path, column: "pd.Series[str]") -> list[datetime]:
    stamps = []
    for line, text in enumerate(column, start=2):
        try:
            stamp = datetime.fromisoformat(str(text))
            stamps.append((stamp if stamp.tzinfo else stamp.replace(tzinfo=IST)).astimezone(UTC))
        except (ValueError, OverflowError) as error:
            raise BadRecording(f"{path}:{line}: {text!r} is no time stamp") from error
    return stamps


def _lines(table: pd.DataFrame) -> list[int]:
    """Return the line in the file of each row, also of a table that has lost rows."""
    return [int(row) + 2 for row in table.index]


def _numbers(path: Path, table: pd.DataFrame, column: str, *, optional: bool = False) -> list[float]:
    """Return a column as floats; NaN stands for an empty cell, which only an optional one may have."""
    if column not in table.columns:
        return [_EMPTY] * len(table)
    numbers = [float(number) for number in pd.to_numeric(table[column], errors="coerce")]
    for line, number, text, is_empty in zip(_lines(table), numbers, table[column], table[column].isna(), strict=True):
        if not math.isfinite(number) and not (optional and is_empty):
            raise BadRecording(f"{path}:{line}: {column} is {text!r}, not a number")
    return numbers


def _bars(path: Path, columns: Iterable[str], *, prices_matter: bool) -> list[Bar]:
    """Return a bar a row, in order of time.

    A row without prices is a minute without a tick; where prices do not matter, it carries
    zeros and its volume counts.
    """
    table = _table(path, columns)
    prices = [_numbers(path, table, column, optional=True) for column in _PRICES]
    bars: dict[int, Bar] = {}
    rows = zip(_lines(table), table["at"], *prices, _volumes(path, table), strict=True)
    for line, at, opened, high, low, close, volume in rows:
        bar = Bar(int(at.timestamp()) // 60, opened, high, low, close, volume)
        if at.second or at.microsecond:
            raise BadRecording(f"{path}:{line}: a bar starts on a whole minute")
        if bar.minute in bars:
            raise BadRecording(f"{path}:{line}: this minute was there before")
        unknown = sum(map(math.isnan, bar[1:5]))
        if unknown and not prices_matter:
            bar = Bar(bar.minute, 0.0, 0.0, 0.0, 0.0, volume)
        elif unknown == len(_PRICES):
            continue
        elif unknown:
            raise BadRecording(f"{path}:{line}: a price is missing")
        elif not bar.low <= min(bar.open, bar.close) <= max(bar.open, bar.close) <= bar.high:
            raise BadRecording(f"{path}:{line}: high and low do not bound open and close")
        bars[bar.minute] = bar
    return [bars[minute] for minute in sorted(bars)]


def _volumes(path: Path, table: pd.DataFrame) -> list[int]:
    volumes = [0 if math.isnan(volume) else int(volume) for volume in _numbers(path, table, "volume", optional=True)]
    for line, volume in zip(_lines(table), volumes, strict=True):
        if volume < 0:
            raise BadRecording(f"{path}:{line}: volume is {volume}; nothing trades a negative quantity")
    return volumes


def _future_bars(path: Path) -> list[Bar]:
    return _bars(path, ("timestamp", "volume"), prices_matter=False) if path.exists() else []


def _chains(path: Path) -> list[RecordedChain]:
    if not path.exists():
        return []
    table = _table(path, ("timestamp", "strike", "option_type", "oi"))
    if "stale" in table.columns:
        table = table[table["stale"].astype(str).str.lower() != "true"]
    chains = []
    for at in sorted(set(table["at"])):
        rows = table[table["at"] == at]
        # Not pandas' own subclass of datetime: that does not leave this file.
        plain = datetime.fromtimestamp(at.timestamp(), UTC)
        chains.append(RecordedChain(at=plain, expiry=_expiry(path, rows), rows=tuple(_options(path, rows))))
    return chains


def _expiry(path: Path, rows: pd.DataFrame) -> date | None:
    if "expiry" not in rows.columns:
        return None
    expiries = {str(expiry)[:10] for expiry in rows["expiry"].dropna()}
    if len(expiries) > 1:
        raise BadRecording(f"{path}: a snapshot holds {len(expiries)} expiries; one is expected")
    try:
        return date.fromisoformat(expiries.pop()) if expiries else None
    except ValueError as error:
        raise BadRecording(f"{path}:{_lines(rows)[0]}: expiry is no date: {error}") from error


def _options(path: Path, rows: pd.DataFrame) -> list[RecordedOption]:
    strikes = _numbers(path, rows, "strike")
    wanted = ("oi", "ltp", "bid", "ask", "volume", "iv")
    optional = {column: _numbers(path, rows, column, optional=True) for column in wanted}
    options = []
    for i, (line, strike, type_name) in enumerate(zip(_lines(rows), strikes, rows["option_type"], strict=True)):
        if type_name not in _TYPES:
            raise BadRecording(f"{path}:{line}: option_type {type_name!r} is neither CE nor PE")
        value = {column: _none(values[i]) for column, values in optional.items()}
        options.append(
            RecordedOption(
                strike=strike,
                type=_TYPES[type_name],
                oi=_whole(value["oi"]),
                last_price=value["ltp"],
                bid=value["bid"],
                ask=value["ask"],
                volume=_whole(value["volume"]),
                iv=None if value["iv"] is None else value["iv"] / 100,
            )
        )
    return options


def _none(value: float) -> float | None:
    return value if value == value else None


def _whole(value: float | None) -> int | None:
    return None if value is None else int(value)


def _one_date(path: Path, bars: tuple[Bar, ...]) -> date:
    dates = {datetime.fromtimestamp(bar.minute * 60, IST).date() for bar in bars}
    if len(dates) != 1:
        raise BadRecording(f"{path}: holds {len(dates)} dates; a folder is one day")
    return dates.pop()
