"""Read a folder that holds one recorded trading day.

`index_1m.csv` (timestamp, open, high, low, close), optional `futures_1m.csv` (timestamp,
volume) and `chain_weekly.csv` (timestamp, strike, option_type, oi; rows with `stale` True
are no observation). Other columns are optional. Stamps are bar starts; one without an
offset is IST.
"""

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


def read_day(folder: Path) -> RecordedDay:
    """Return the day recorded in `folder`.

    Raises:
        BadRecording: a file or column is missing, or a row makes no sense; names file and line.
    """
    if not folder.is_dir():
        raise BadRecording(f"{folder}: no such folder; a recorded day is a folder with index_1m.csv")
    index = tuple(_bars(folder / "index_1m.csv", volume_required=False))
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
        except ValueError as error:
            raise BadRecording(f"{path}:{line}: {text!r} is no time stamp") from error
        stamps.append((stamp if stamp.tzinfo else stamp.replace(tzinfo=IST)).astimezone(UTC))
    return stamps


def _numbers(path: Path, table: pd.DataFrame, column: str, *, optional: bool = False) -> list[float]:
    """Return a column as floats; NaN stands for an empty cell, which only an optional one may have."""
    if column not in table.columns:
        return [float("nan")] * len(table)
    numbers = pd.to_numeric(table[column], errors="coerce")
    bad = numbers.isna() & (table[column].notna() if optional else True)
    if bad.any():
        line = int(bad.to_numpy().argmax()) + 2
        raise BadRecording(f"{path}:{line}: {column} is {table[column].iloc[line - 2]!r}, not a number")
    return [float(number) for number in numbers]


def _bars(path: Path, *, volume_required: bool) -> list[Bar]:
    columns = ("timestamp", *_PRICES, *(("volume",) if volume_required else ()))
    table = _table(path, columns)
    prices = [_numbers(path, table, column) for column in _PRICES]
    volumes = _volumes(path, table)
    bars: dict[int, Bar] = {}
    rows = zip(table["at"], *prices, volumes, strict=True)
    for line, (at, opened, high, low, close, volume) in enumerate(rows, start=2):
        bar = Bar(int(at.timestamp()) // 60, opened, high, low, close, volume)
        if not bar.low <= min(bar.open, bar.close) <= max(bar.open, bar.close) <= bar.high:
            raise BadRecording(f"{path}:{line}: high and low do not bound open and close")
        if bar.minute in bars:
            raise BadRecording(f"{path}:{line}: this minute was there before")
        bars[bar.minute] = bar
    return [bars[minute] for minute in sorted(bars)]


def _volumes(path: Path, table: pd.DataFrame) -> list[int]:
    return [0 if volume != volume else int(volume) for volume in _numbers(path, table, "volume", optional=True)]


def _future_bars(path: Path) -> list[Bar]:
    """Return the future's bars; without prices of its own a bar carries zeros, its volume counts."""
    if not path.exists():
        return []
    table = _table(path, ("timestamp", "volume"))
    if all(column in table.columns for column in _PRICES):
        return _bars(path, volume_required=True)
    minutes = [int(at.timestamp()) // 60 for at in table["at"]]
    volumes = dict(zip(minutes, _volumes(path, table), strict=True))
    return [Bar(minute, 0.0, 0.0, 0.0, 0.0, volumes[minute]) for minute in sorted(volumes)]


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
    expiries = {str(expiry)[:10] for expiry in rows["expiry"]}
    if len(expiries) != 1:
        raise BadRecording(f"{path}: a snapshot holds {len(expiries)} expiries; one is expected")
    return date.fromisoformat(expiries.pop())


def _options(path: Path, rows: pd.DataFrame) -> list[RecordedOption]:
    strikes = _numbers(path, rows, "strike")
    wanted = ("oi", "ltp", "bid", "ask", "volume", "iv")
    optional = {column: _numbers(path, rows, column, optional=True) for column in wanted}
    options = []
    for i, (strike, type_name) in enumerate(zip(strikes, rows["option_type"], strict=True)):
        if type_name not in _TYPES:
            raise BadRecording(f"{path}: option_type {type_name!r} is neither CE nor PE")
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
