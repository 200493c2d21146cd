"""Day folders to play: the recorded ones where they are present, else one made of the generated day."""

import csv
from collections.abc import Sequence
from datetime import UTC, datetime, time, timedelta
from pathlib import Path

from algoexec.domain.calendar import IST, ist
from algoexec.domain.instruments import OptionType
from algoexec.domain.market import Bar
from algoexec.simulation.generated import generated_day

SNAPSHOT_EVERY = timedelta(minutes=15)


def write_generated_day(folder: Path) -> Path:
    """Write the generated day as if it had been recorded, the chain every 15 minutes."""
    day = generated_day()
    folder.mkdir(parents=True)
    write_bars(folder / "index_1m.csv", day.index)
    write_bars(folder / "futures_1m.csv", day.futures[0].bars)
    with (folder / "chain_weekly.csv").open("w", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(["timestamp", "expiry", "strike", "option_type", "oi"])
        nearest = [option for option in day.options if option.expiry == day.expiries()[0]]
        at = day.session.opens_at
        while at < day.session.closes_at:
            stamp = round(at.timestamp() * 1000)
            for option in nearest:
                kind = "CE" if option.type is OptionType.CALL else "PE"
                interest = day.model.open_interest(option, stamp)
                rows.writerow([at.astimezone(IST).isoformat(), option.expiry, option.strike, kind, interest])
            at += SNAPSHOT_EVERY
    return folder


def write_swinging_day(folder: Path, since: time) -> Path:
    """Write the generated day, but from the time `since` (IST) on it goes far up and then farther down.

    Whichever option is held then falls: a put at once, a call some minutes later.
    """
    day = generated_day()
    write_generated_day(folder)
    first = round(ist(day.date, since).timestamp()) // 60
    write_bars(folder / "index_1m.csv", _swinging(day.index, first))
    write_bars(folder / "futures_1m.csv", _swinging(day.futures[0].bars, first))
    return folder


def _swinging(bars: Sequence[Bar], first: int) -> tuple[Bar, ...]:
    swung = [bar for bar in bars if bar.minute < first]
    for bar in bars[len(swung) :]:
        opened = swung[-1].close
        minutes = bar.minute - first
        closed = opened + (40.0 if minutes < 8 else -60.0 if minutes < 24 else 0.0)
        swung.append(bar._replace(open=opened, high=max(opened, closed), low=min(opened, closed), close=closed))
    return tuple(swung)


def write_bars(path: Path, bars: tuple[Bar, ...]) -> None:
    """Write bars with their stamps in IST."""
    with path.open("w", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(["timestamp", "open", "high", "low", "close", "volume"])
        for bar in bars:
            start = datetime.fromtimestamp(bar.minute * 60, UTC).astimezone(IST)
            rows.writerow([start.isoformat(), bar.open, bar.high, bar.low, bar.close, bar.volume])
