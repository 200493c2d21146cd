"""Recorded chains and recorded bars of options, by the day."""

from collections.abc import Iterator
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any, Final

import numpy as np
import pandas as pd

from algoexec.adapters.history.bars import ReadOptions, checked, in_order
from algoexec.adapters.history.problems import Problems
from algoexec.adapters.history.tables import Table, numbers, read_table
from algoexec.domain.calendar import IST
from algoexec.domain.instruments import OptionType
from algoexec.domain.recording import DataFile, RecordedChain, RecordedOption, RecordedSeries

_TYPES: Final = {
    "CE": OptionType.CALL,
    "CALL": OptionType.CALL,
    "C": OptionType.CALL,
    "PE": OptionType.PUT,
    "PUT": OptionType.PUT,
    "P": OptionType.PUT,
}
_NO_VOLUME: Final = 1_000
"""Units a minute where a file of option bars does not say what was traded."""

type Chains = dict[date, tuple[RecordedChain, ...]]
type OptionBars = dict[date, tuple[RecordedSeries, ...]]


def read_chains(path: Path, options: ReadOptions) -> tuple[Chains, DataFile]:
    """Return the chains of a file by date, oldest first, and what was read.

    Of a snapshot with several expiries the nearest is kept. Rows that are marked as stale are no observation.

    Raises:
        BadRecording: the file cannot be read, or has bad rows.
    """
    problems = Problems(path, skip=options.skip_bad_rows)
    table = _of_options(read_table(path, problems, ("strike", "option_type", "oi"), zone=options.zone), problems)
    columns = {
        name: numbers(table, name, problems, optional=True) for name in ("oi", "ltp", "bid", "ask", "volume", "iv")
    }
    problems.add(table.lines[np.nan_to_num(columns["oi"]) < 0], "a negative open interest")
    rows = table.rows.assign(**columns)
    kept = ~np.isin(table.lines, list(problems.lines))
    if "stale" in rows.columns:
        kept &= (rows["stale"].astype(str).str.lower() != "true").to_numpy()
    found: dict[date, list[RecordedChain]] = {}
    for chain in _snapshots(rows[kept]):
        found.setdefault(chain.at.astimezone(IST).date(), []).append(chain)
    read = DataFile("chain", path.name, int(kept.sum()), (*table.notes, *problems.settle()))
    return {on: tuple(chains) for on, chains in found.items()}, read


def read_option_bars(path: Path, options: ReadOptions) -> tuple[OptionBars, DataFile]:
    """Return the bars of options of a file by date, and what was read.

    Raises:
        BadRecording: the file cannot be read, or has bad rows.
    """
    problems = Problems(path, skip=options.skip_bad_rows)
    needed = ("strike", "option_type", "expiry", "open", "high", "low", "close")
    table = _of_options(read_table(path, problems, needed, zone=options.zone), problems)
    problems.add(table.lines[table.rows["expiry"].isna()], "there is no expiry")
    notes = list(table.notes)
    if "volume" not in table.rows.columns:
        table = Table(table.rows.assign(volume=_NO_VOLUME), table.lines, table.notes)
        notes.append(f"no volume is given: {_NO_VOLUME} units a minute are assumed")
    found: dict[date, list[RecordedSeries]] = {}
    count = 0
    keys = [table.rows["at"].dt.tz_convert(IST).dt.date, *(table.rows[c] for c in ("expiry", "strike", "option_type"))]
    by_series: Any = table.rows.groupby(keys, sort=True).indices
    for (on, expiry, strike, kind), places in by_series.items():
        part = Table(table.rows.iloc[places], table.lines[places], ())
        bars, lines = checked(part, problems, prices_matter=True, ends=options.stamps_are_ends)
        bars, _ = in_order(bars, lines, problems)
        count += len(bars.minute)
        series = RecordedSeries(expiry=expiry, strike=float(strike), type=_TYPES[kind], bars=bars.bars())
        found.setdefault(on, []).append(series)
    read = DataFile("options", path.name, count, (*notes, *problems.settle()))
    return {on: tuple(series) for on, series in found.items()}, read


def _of_options(table: Table, problems: Problems) -> Table:
    """Return the rows with a known type, a strike, and a date or None as their expiry; others become problems."""
    strikes = numbers(table, "strike", problems)
    problems.add(table.lines[~(strikes > 0)], "strike is no price")
    kinds = table.rows["option_type"].astype(str).str.strip().str.upper()
    problems.add(table.lines[~kinds.isin(list(_TYPES)).to_numpy()], "option_type is neither CE nor PE")
    expiries, is_bad = _expiries(table.rows)
    problems.add(table.lines[is_bad], "expiry is no date")
    kept = ~np.isin(table.lines, list(problems.lines))
    rows = table.rows.assign(strike=strikes, option_type=kinds, expiry=expiries)[kept].reset_index(drop=True)
    return Table(rows, table.lines[kept], table.notes)


def _expiries(rows: pd.DataFrame) -> "tuple[pd.Series[Any], np.ndarray[Any, np.dtype[np.bool_]]]":
    if "expiry" not in rows.columns:
        return pd.Series([None] * len(rows), index=rows.index, dtype=object), np.zeros(len(rows), dtype=bool)
    given = rows["expiry"]
    known = {text: _date(text) for text in given.dropna().unique()}
    expiries = given.map(known).astype(object).where(given.notna(), None)
    return expiries, (given.notna() & expiries.isna()).to_numpy()


def _date(given: object) -> date | None:
    if isinstance(given, datetime):
        return given.date()
    if isinstance(given, date):
        return given
    stamp = pd.to_datetime(str(given).strip(), errors="coerce", dayfirst=not str(given).strip()[:4].isdigit())
    return None if pd.isna(stamp) else stamp.date()


def _snapshots(rows: pd.DataFrame) -> Iterator[RecordedChain]:
    for at, snapshot in rows.groupby("at", sort=True):
        moment = datetime.fromtimestamp(pd.Timestamp(str(at)).timestamp(), UTC)
        today = moment.astimezone(IST).date()
        expiries = {expiry for expiry in snapshot["expiry"].unique() if expiry is not None and expiry >= today}
        if len(expiries) > 1:
            snapshot = snapshot[snapshot["expiry"] == min(expiries)]
        expiry = min(expiries, default=None)
        yield RecordedChain(at=moment, expiry=expiry, rows=tuple(_rows(snapshot)))


def _rows(snapshot: pd.DataFrame) -> Iterator[RecordedOption]:
    names = ("strike", "option_type", "oi", "ltp", "bid", "ask", "volume", "iv")
    for strike, kind, oi, ltp, bid, ask, volume, iv in zip(*(snapshot[name].tolist() for name in names), strict=True):
        yield RecordedOption(
            strike=strike,
            type=_TYPES[kind],
            oi=_whole(oi),
            last_price=_known(ltp),
            bid=_known(bid),
            ask=_known(ask),
            volume=_whole(volume),
            iv=None if iv != iv else iv / 100,
        )


def _known(value: float) -> float | None:
    return value if value == value else None


def _whole(value: float) -> int | None:
    return None if value != value else int(value)
