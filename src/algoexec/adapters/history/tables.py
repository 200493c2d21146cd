"""Read a table of a file, whatever its columns are called and however its times are written."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Final
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd

from algoexec.adapters.history.problems import Problems
from algoexec.domain.calendar import IST
from algoexec.domain.errors import BadRecording

ALIASES: Final[Mapping[str, tuple[str, ...]]] = {
    "timestamp": ("timestamp", "datetime", "date_time", "date time", "time stamp", "stamp"),
    "date": ("date", "day", "trade_date", "<date>"),
    "time": ("time", "<time>"),
    "open": ("open", "o", "open_price", "<open>"),
    "high": ("high", "h", "high_price", "<high>"),
    "low": ("low", "l", "low_price", "<low>"),
    "close": ("close", "c", "close_price", "<close>"),
    "volume": ("volume", "vol", "v", "traded_volume", "contracts", "<volume>", "<vol>"),
    "oi": ("oi", "open_interest", "openinterest", "open interest", "<oi>"),
    "strike": ("strike", "strike_price", "strikeprice", "strike price"),
    "option_type": ("option_type", "optiontype", "option type", "type", "right", "cp", "instrument_type"),
    "expiry": ("expiry", "expiry_date", "expirydate", "expiration", "expiry date"),
    "ltp": ("ltp", "last_price", "last", "lasttradedprice"),
    "bid": ("bid", "bid_price", "best_bid"),
    "ask": ("ask", "ask_price", "best_ask", "offer"),
    "iv": ("iv", "implied_volatility", "impliedvolatility"),
    "stale": ("stale",),
}
"""What a column is called in exports: of Kite (`date`), Upstox, TradingView (`time`), MetaStock (`<date>`), others."""

_UPSTOX_CANDLE: Final = ("timestamp", "open", "high", "low", "close", "volume", "oi")
_WITH_OFFSET: Final = r"(?:[Zz]|[+-]\d{2}:?\d{2})\s*$"
_EARLIEST_S: Final = 631_152_000  # 1990: a smaller number is no time, it may be a date such as 20130101
_ALL_DIGITS: Final = r"^\d{8}$"


@dataclass(frozen=True, slots=True)
class Table:
    """The rows of a file, under our names. `lines` is where each stands in the file, `at` its time in UTC."""

    rows: pd.DataFrame
    lines: "np.ndarray[Any, np.dtype[np.int64]]"
    notes: tuple[str, ...]


def read_table(path: Path, problems: Problems, needed: Sequence[str], *, zone: ZoneInfo = IST) -> Table:
    """Return the rows of a CSV, Parquet or JSON file with a column `at`; rows without a readable time are left out.

    `zone` is that of stamps that name none.

    Raises:
        BadRecording: the file cannot be read, or a column is missing.
    """
    raw, first_line = _read(path)
    rows = raw.rename(columns=_names(list(raw.columns)))
    rows = rows.loc[:, ~rows.columns.duplicated()]
    missing = [column for column in needed if column not in rows.columns]
    if missing or not {"timestamp", "date", "time"} & set(rows.columns):
        wanted = ", ".join(missing or ["timestamp"])
        raise BadRecording(f"{path}: column {wanted} is missing; there are {', '.join(map(str, raw.columns))}")
    lines = np.arange(first_line, first_line + len(rows), dtype=np.int64)
    at, notes = _stamps(rows, zone)
    is_bad = at.isna().to_numpy()
    problems.add(lines[is_bad], "this is no time stamp")
    return Table(rows.assign(at=at)[~is_bad].reset_index(drop=True), lines[~is_bad], notes)


def numbers(
    table: Table, column: str, problems: Problems, *, optional: bool = False
) -> "np.ndarray[Any, np.dtype[np.float64]]":
    """Return a column as floats; NaN stands for an empty cell, or for one that is no number, which is a problem."""
    if column not in table.rows.columns:
        return np.full(len(table.rows), np.nan)
    cells = table.rows[column]
    found = pd.to_numeric(cells, errors="coerce").to_numpy(dtype=np.float64, na_value=np.nan)
    is_bad = ~np.isfinite(found) & (cells.notna().to_numpy() if optional else True)
    problems.add(table.lines[is_bad], f"{column} is not a number")
    return found


def _read(path: Path) -> tuple[pd.DataFrame, int]:
    """Return a file as it stands, and the line of its first row."""
    if not path.is_file():
        raise BadRecording(f"{path}: no such file")
    kind = path.suffixes[-2:] if path.suffix in (".gz", ".zst", ".bz2", ".xz") else [path.suffix]
    try:
        match kind[0].lower():
            case ".parquet" | ".pq":
                return _read_parquet(path), 1
            case ".json":
                return _read_json(path), 1
            case _:
                return pd.read_csv(path, float_precision="round_trip", skipinitialspace=True), 2
    except (pd.errors.ParserError, pd.errors.EmptyDataError, UnicodeDecodeError, OSError, ValueError) as error:
        raise BadRecording(f"{path}: {str(error).strip()}") from error


def _read_parquet(path: Path) -> pd.DataFrame:
    if find_spec("pyarrow") is None:
        raise BadRecording(
            f"{path}: reading Parquet needs pyarrow: install algoexec with the extra `backtest`, or convert it to CSV"
        )
    return pd.read_parquet(path)


def _read_json(path: Path) -> pd.DataFrame:
    """Return the candles of an Upstox answer, or a list of objects."""
    content = json.loads(path.read_text(encoding="utf-8"))
    if isinstance(content, dict):
        content = content.get("data", content)
    if isinstance(content, dict):
        content = content.get("candles")
    if not isinstance(content, list) or not content:
        raise BadRecording(f"{path}: holds no candles; expected are an answer of Upstox's candle API or a list of rows")
    if isinstance(content[0], list):
        return pd.DataFrame(content, columns=list(_UPSTOX_CANDLE[: len(content[0])]))
    return pd.DataFrame(content)


def _names(columns: Sequence[str]) -> dict[str, str]:
    """Return our name of each column that we know."""
    known = {alias: name for name, aliases in ALIASES.items() for alias in aliases}
    return {column: known[key] for column in columns if (key := str(column).strip().lower()) in known}


def _stamps(rows: pd.DataFrame, zone: ZoneInfo) -> "tuple[pd.Series[pd.Timestamp], tuple[str, ...]]":
    """Return the time of each row in UTC, NaT where it is none, and what is to be said of them."""
    if "timestamp" in rows.columns:
        column = rows["timestamp"]
    elif "date" in rows.columns and "time" in rows.columns:
        column = _dates(rows["date"]) + " " + rows["time"].astype(str).str.strip()
    else:
        column = rows["date"] if "date" in rows.columns else rows["time"]
    if isinstance(column.dtype, pd.DatetimeTZDtype):
        return column.dt.tz_convert("UTC"), ()
    assumed = (f"stamps without a zone are taken as {zone.key}",)
    if pd.api.types.is_datetime64_any_dtype(column):
        return _localised(column, zone), assumed
    if pd.api.types.is_numeric_dtype(column) and float(column.median()) > _EARLIEST_S:
        unit: Any = "ms" if float(column.median()) > _EARLIEST_S * 1000 else "s"
        return pd.to_datetime(column, unit=unit, utc=True, errors="coerce"), ("stamps count from 1970, UTC",)
    text = column.astype(str).str.strip()
    has_offset = text.str.contains(_WITH_OFFSET, regex=True) & text.str.contains(":", regex=False)
    if has_offset.all():
        return _parsed(text, utc=True), ()
    plain = _localised(_parsed(text.where(~has_offset), utc=False), zone)
    if has_offset.any():
        plain = plain.fillna(_parsed(text.where(has_offset), utc=True))
    return plain, assumed


def _dates(column: "pd.Series[Any]") -> "pd.Series[str]":
    text = column.astype(str).str.strip()
    compact = text.str.match(_ALL_DIGITS)
    return text.where(~compact, text.str.slice(0, 4) + "-" + text.str.slice(4, 6) + "-" + text.str.slice(6, 8))


def _parsed(text: "pd.Series[str]", *, utc: bool) -> "pd.Series[pd.Timestamp]":
    """Return times in the order year, month, day; where that is none, day first as in India."""
    found = pd.to_datetime(text, format="ISO8601", utc=utc, errors="coerce")
    for pattern in ("%d-%m-%Y %H:%M:%S", "%d-%m-%Y %H:%M", "%d/%m/%Y %H:%M:%S", "%d/%m/%Y %H:%M", "%Y%m%d %H:%M"):
        if not found.isna().any():
            break
        found = found.fillna(pd.to_datetime(text, format=pattern, utc=utc, errors="coerce"))
    return found


def _localised(naive: "pd.Series[pd.Timestamp]", zone: ZoneInfo) -> "pd.Series[pd.Timestamp]":
    return naive.dt.tz_localize(zone, ambiguous="NaT", nonexistent="NaT").dt.tz_convert("UTC")
