"""A second reading of the strategy page (§1 to §7), written from the page alone, to hold the real one against.

Plain and slow on purpose: every question about a candle is answered from the whole list of candles, nothing is carried
along but the lines already written (from which lock and ORB count are read). It shares no code with the package: keep
it so, or it proves nothing. Times are IST throughout; a line in quotation marks is the page's own sentence.
"""

# ruff: noqa: ERA001 - sentences of the page, quoted beside their rule, look like code

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime, time, timedelta
from pathlib import Path
from typing import NamedTuple
from zoneinfo import ZoneInfo

import pandas as pd

IST = ZoneInfo("Asia/Kolkata")
MINUTE = timedelta(minutes=1)
CALL, PUT = "BUY_CALL", "BUY_PUT"

Line = dict[str, object]


class Candle(NamedTuple):
    """One minute of the index, and what the future traded in it (None: unknown)."""

    start: datetime
    open: float
    high: float
    low: float
    close: float
    volume: float | None


class Snapshot(NamedTuple):
    """One recorded chain; `pcr` is None when no call has open interest."""

    at: datetime
    pcr: float | None


class Levels(NamedTuple):
    """The three levels as they stand at the close of one candle."""

    vwap: float
    ema9: float | None
    ema21: float | None


class Candidate(NamedTuple):
    """`refusal` is the candidate's own condition, None when it is met or there is none."""

    pattern: str
    priority: int
    side: str
    refusal: str | None


def read_day(day: Path, history: Sequence[Path] = ()) -> list[Line]:
    """Return the lines of one recorded day folder; `history` holds whole earlier days, oldest first."""
    return read_frames(
        pd.read_csv(day / "index_1m.csv"),
        _csv_or_none(day / "futures_1m.csv"),
        _csv_or_none(day / "chain_weekly.csv"),
        [(pd.read_csv(folder / "index_1m.csv"), _csv_or_none(folder / "futures_1m.csv")) for folder in history],
    )


def read_frames(
    index: pd.DataFrame,
    futures: pd.DataFrame | None,
    chain: pd.DataFrame | None,
    history: Sequence[tuple[pd.DataFrame, pd.DataFrame | None]] = (),
) -> list[Line]:
    """Return one line per signal and rejection of the day in `index`, in order of T and then of the candidates.

    `timestamp` columns are bar starts: aware, or naive IST. `futures`, `chain` and the history frames may hold other
    days too: only the minutes of the index are looked up in `futures`, only its day in `chain`.

    Raises:
        ValueError: `index` holds more than one day, or a minute occurs twice.
    """
    earlier = [candle for frame, future in history for candle in candles(frame, future)]
    today = candles(index, futures)
    days = {candle.start.date() for candle in today}
    if len(days) > 1:
        raise ValueError(f"one day expected, got {sorted(days)}")
    return [] if not today else _lines(earlier, today, snapshots(chain, today[0].start.date()))


def _csv_or_none(path: Path) -> pd.DataFrame | None:
    return pd.read_csv(path) if path.exists() else None


# §1 Inputs


def candles(index: pd.DataFrame, futures: pd.DataFrame | None) -> list[Candle]:
    """Return the candles of `index` that count, oldest first, each with the volume of the same minute of `futures`."""
    # "traded quantity of the nearest-expiry Bank Nifty future in the same minute"; "None when unknown or the future
    # did not trade: never 0 in its place".
    volumes: dict[datetime, float] = {}
    if futures is not None:
        traded = zip(_ist(futures["timestamp"]), _floats(futures["volume"]), strict=True)
        volumes = {minute: volume for minute, volume in traded if volume > 0}  # NaN > 0 is False
    # "A minute without an index tick has no candle; none is invented."
    ticked = index.dropna(subset=["open", "high", "low", "close"])
    prices = (_floats(ticked[name]) for name in ("open", "high", "low", "close"))
    rows = sorted(
        Candle(start, open_, high, low, close, volumes.get(start))
        for start, open_, high, low, close in zip(_ist(ticked["timestamp"]), *prices, strict=True)
    )
    if len({row.start for row in rows}) < len(rows):
        raise ValueError("a minute occurs twice")
    ordinary = [row for row in rows if time(9, 15) <= row.start.time() <= last_start(row.start.date())]
    # "times come from the calendar of the candle's own date": there is no calendar here. A day with no candle at all
    # in the ordinary hours (Muhurat) is taken to have its continuous trading when it has its candles.
    ordinary_days = {row.start.date() for row in ordinary}
    special = [row for row in rows if row.start.date() not in ordinary_days]
    return sorted(ordinary + special)


def last_start(day: date) -> time:
    """Return when the last candle of continuous trading starts."""
    # "Continuous trading only: to 15:29, and to 15:14 since 2026-08-03 (afterwards the spot stands still until 15:40)"
    return time(15, 14) if day >= date(2026, 8, 3) else time(15, 29)


def _ist(stamps: pd.Series) -> list[datetime]:
    parsed = pd.DatetimeIndex(pd.to_datetime(stamps))
    aware = parsed.tz_localize(IST) if parsed.tz is None else parsed.tz_convert(IST)
    return [stamp.to_pydatetime() for stamp in aware]


def _floats(column: pd.Series) -> list[float]:
    return [float(value) for value in pd.to_numeric(column)]


# §2 Indicators


def ema(closes: Sequence[float], n: int) -> list[float | None]:
    """Return the EMA after each close."""
    # "seeded with the simple mean of the first n closes of the available history, then
    # `ema += 2/(n+1) * (close - ema)`. Unknown before n closes."
    if len(closes) < n:
        return [None] * len(closes)
    seeded = pd.Series([sum(closes[:n]) / n, *closes[n:]], dtype="float64")
    return [None] * (n - 1) + [float(value) for value in seeded.ewm(alpha=2 / (n + 1), adjust=False).mean()]


def vwap(day_so_far: Sequence[Candle]) -> float:
    """Return the VWAP at the close of the last of `day_so_far`."""
    # "anchored at the first candle of the trading day: `sum(tp * v) / sum(v)`, `tp = (high + low + close) / 3`; an
    # unknown volume weighs nothing."
    typical = [(candle.high + candle.low + candle.close) / 3 for candle in day_so_far]
    weights = [candle.volume or 0.0 for candle in day_so_far]
    if sum(weights) > 0:
        return sum(tp * weight for tp, weight in zip(typical, weights, strict=True)) / sum(weights)
    # "While the day's volume is zero or unknown it is the plain mean of `tp`"
    return sum(typical) / len(typical)


def volume_breakout(known: Sequence[Candle], position: int) -> bool | None:
    """Return whether the candle at `position` of all known candles, earlier days included, has a volume breakout."""
    # "mean volume of the 20 candles just before `i` (history included, `i` not); one unknown, or fewer than 20
    # candles → unknown."
    before = [candle.volume for candle in known[max(0, position - 20) : position]]
    volumes = [volume for volume in before if volume is not None]
    own = known[position].volume
    # "`v_i >= 1.5 * average`. True, False, or None when either is unknown."
    if own is None or len(volumes) < 20:
        return None
    return at_least(own, 1.5 * (sum(volumes) / 20))


# §3 Candle geometry

# "`>=` and `<=` hold at equality, `>` and `<` do not, to a tolerance of 1e-6 points"
TOLERANCE = 1e-6


def at_least(a: float, b: float) -> bool:
    """Return `a >= b`, to the tolerance."""
    return a >= b - TOLERANCE


def at_most(a: float, b: float) -> bool:
    """Return `a <= b`, to the tolerance."""
    return a <= b + TOLERANCE


def above(a: float, b: float) -> bool:
    """Return `a > b`, to the tolerance."""
    return a > b + TOLERANCE


def below(a: float, b: float) -> bool:
    """Return `a < b`, to the tolerance."""
    return a < b - TOLERANCE


# "`body = |close - open|`, `range = high - low`, `upper = high - max(open, close)`, `lower = min(open, close) - low`;
# bullish: `close > open`; bearish: `close < open`."


def body(candle: Candle) -> float:
    """Return the size of the body, in points."""
    return abs(candle.close - candle.open)


def span(candle: Candle) -> float:
    """Return the range, in points."""
    return candle.high - candle.low


def upper(candle: Candle) -> float:
    """Return the size of the upper wick, in points."""
    return candle.high - max(candle.open, candle.close)


def lower(candle: Candle) -> float:
    """Return the size of the lower wick, in points."""
    return min(candle.open, candle.close) - candle.low


def is_bullish(candle: Candle) -> bool:
    """Return whether the candle closed above its open."""
    return above(candle.close, candle.open)


def is_bearish(candle: Candle) -> bool:
    """Return whether the candle closed below its open."""
    return below(candle.close, candle.open)


def is_flat(candle: Candle) -> bool:
    """Return whether the range is zero."""
    # "A candle of zero range has no pattern and opens no setup."
    return not above(span(candle), 0)


def is_hammer(candle: Candle) -> bool:
    """Return whether the candle is a hammer."""
    # "hammer | `body > 0`, `lower >= 2 * body`, `lower >= 0.6 * range`, `upper <= 0.1 * range`"
    return (
        not is_flat(candle)
        and above(body(candle), 0)
        and at_least(lower(candle), 2 * body(candle))
        and at_least(lower(candle), 0.6 * span(candle))
        and at_most(upper(candle), 0.1 * span(candle))
    )


def is_shooting_star(candle: Candle) -> bool:
    """Return whether the candle is a shooting star."""
    # "shooting star | `body > 0`, `upper >= 2 * body`, `upper >= 0.6 * range`, `lower <= 0.1 * range`"
    return (
        not is_flat(candle)
        and above(body(candle), 0)
        and at_least(upper(candle), 2 * body(candle))
        and at_least(upper(candle), 0.6 * span(candle))
        and at_most(lower(candle), 0.1 * span(candle))
    )


def is_bullish_engulfing(candle: Candle, prev: Candle | None) -> bool:
    """Return whether the candle engulfs a bearish one."""
    # "bullish engulfing | previous bearish, this bullish, `open <= prev.close`, `close >= prev.open`,
    # `body > prev.body`"
    return (
        prev is not None
        and not is_flat(candle)
        and is_bearish(prev)
        and is_bullish(candle)
        and at_most(candle.open, prev.close)
        and at_least(candle.close, prev.open)
        and above(body(candle), body(prev))
    )


def is_bearish_engulfing(candle: Candle, prev: Candle | None) -> bool:
    """Return whether the candle engulfs a bullish one."""
    # "bearish engulfing | previous bullish, this bearish, `open >= prev.close`, `close <= prev.open`,
    # `body > prev.body`"
    return (
        prev is not None
        and not is_flat(candle)
        and is_bullish(prev)
        and is_bearish(candle)
        and at_least(candle.open, prev.close)
        and at_most(candle.close, prev.open)
        and above(body(candle), body(prev))
    )


def is_inside_bar(candle: Candle, prev: Candle | None) -> bool:
    """Return whether the candle is an inside bar, of which `prev` is the mother."""
    # "inside bar | `high <= prev.high`, `low >= prev.low`, `range < prev.range`; `prev` is the mother"
    return (
        prev is not None
        and not is_flat(candle)
        and at_most(candle.high, prev.high)
        and at_least(candle.low, prev.low)
        and below(span(candle), span(prev))
    )


def strong_side(candle: Candle) -> str | None:
    """Return the side that a strong candle speaks for; None when the candle is not strong."""
    # "strong candle | `body >= 0.6 * range` and, bullish: `high - close <= 0.2 * range`; bearish:
    # `close - low <= 0.2 * range`"
    if is_flat(candle) or not at_least(body(candle), 0.6 * span(candle)):
        return None
    if is_bullish(candle) and at_most(candle.high - candle.close, 0.2 * span(candle)):
        return CALL
    if is_bearish(candle) and at_most(candle.close - candle.low, 0.2 * span(candle)):
        return PUT
    return None


# §4 Candidates, in this order


def orb_candidates(
    today: Sequence[Candle], i: int, lines: Sequence[Line], *, confirmed: bool | None
) -> list[Candidate]:
    """Return the opening-range candidate of candle `i`, if any."""
    # "the opening range is the high and low of the 15 candles that start 09:15 … 09:29; it exists once all 15 are
    # known"
    opening = [candle for candle in today if time(9, 15) <= candle.start.time() <= time(9, 29)]
    # "From the candle that starts 09:30"
    if len(opening) < 15 or today[i].start.time() < time(9, 30):
        return []
    range_high, range_low = max(candle.high for candle in opening), min(candle.low for candle in opening)
    close, prev_close = today[i].close, today[i - 1].close
    # "call when `close > range high >= prev.close`; put when `close < range low <= prev.close`"
    sides = [
        (CALL, above(close, range_high) and at_least(range_high, prev_close)),
        (PUT, below(close, range_low) and at_most(range_low, prev_close)),
    ]
    # "Each side fires at most once a day, counted when its signal is emitted; a side that has fired is no candidate."
    fired = {line["side"] for line in lines if line["kind"] == "signal" and line["pattern"] == "ORB_BREAKOUT"}
    # "Needs a volume breakout: False rejects with `VOLUME`; None passes"
    refusal = "VOLUME" if confirmed is False else None
    return [Candidate("ORB_BREAKOUT", 1, side, refusal) for side, holds in sides if holds and side not in fired]


def inside_bar_candidates(today: Sequence[Candle], i: int) -> list[Candidate]:
    """Return the inside-bar candidate of candle `i`, if any."""
    # "A newer inside bar replaces an older setup.": only the newest before `i` can stand.
    # "The breakout is looked for before a new setup is opened.": an inside bar at `i` itself is not looked at.
    # "an inside bar opens a setup (its mother's high and low) for the next 3 known candles of the day"
    openers = [k for k in range(max(1, i - 3), i) if is_inside_bar(today[k], today[k - 1])]
    if not openers:
        return []
    mother = today[openers[-1] - 1]
    # "Call when `close > mother high`, put when `close < mother low`; either ends the setup, also outside the window
    # of §5 (then without a line)."
    if any(_broken_side(mother, candle) for candle in today[openers[-1] + 1 : i]):
        return []
    side = _broken_side(mother, today[i])
    return [] if side is None else [Candidate("INSIDE_BAR_BREAKOUT", 2, side, None)]


def _broken_side(mother: Candle, candle: Candle) -> str | None:
    if above(candle.close, mother.high):
        return CALL
    return PUT if below(candle.close, mother.low) else None


def reversal_candidates(today: Sequence[Candle], i: int, levels: Levels) -> list[Candidate]:
    """Return the engulfing, hammer and shooting-star candidates of candle `i`."""
    candle, prev = today[i], today[i - 1] if i > 0 else None
    # "valid only near a level: some known one of VWAP, EMA(9), EMA(21) lies within `[low - tol, high + tol]`,
    # `tol = 0.05 % of close`. Otherwise rejected with `NO_MANS_LAND`."
    tol = 0.0005 * candle.close
    near = any(
        at_least(level, candle.low - tol) and at_most(level, candle.high + tol) for level in levels if level is not None
    )
    # "BULLISH_ENGULFING, BEARISH_ENGULFING, HAMMER (call), SHOOTING_STAR (put), in that order (3)"
    rows = [
        ("BULLISH_ENGULFING", CALL, is_bullish_engulfing(candle, prev)),
        ("BEARISH_ENGULFING", PUT, is_bearish_engulfing(candle, prev)),
        ("HAMMER", CALL, is_hammer(candle)),
        ("SHOOTING_STAR", PUT, is_shooting_star(candle)),
    ]
    return [Candidate(name, 3, side, None if near else "NO_MANS_LAND") for name, side, holds in rows if holds]


def momentum_candidates(candle: Candle, levels: Levels) -> list[Candidate]:
    """Return the momentum candidate of a candle, if any."""
    # "strong candle with the trend, all three levels known: call when `EMA9 > EMA21`, `close > EMA9`, `close > VWAP`;
    # put mirrored"
    if levels.ema9 is None or levels.ema21 is None:
        return []
    pairs = [(levels.ema9, levels.ema21), (candle.close, levels.ema9), (candle.close, levels.vwap)]
    trend = CALL if all(above(*pair) for pair in pairs) else PUT if all(below(*pair) for pair in pairs) else None
    return [Candidate("MOMENTUM", 4, trend, None)] if trend is not None and trend == strong_side(candle) else []


# §7 Option chain


def snapshots(chain: pd.DataFrame | None, day: date) -> list[Snapshot]:
    """Return the recorded chains of `day`, oldest first."""
    if chain is None or chain.empty:
        return []
    rows = chain.assign(at=_ist(chain["timestamp"]), oi=_floats(chain["oi"]))
    # "rows with `stale` True are no observation" (the day folder's own note)
    if "stale" in rows:
        rows = rows[rows["stale"].astype(str).str.lower() != "true"]
    stamps = sorted({at for at in _ist(rows["at"]) if at.date() == day})  # "yesterday's never counts"
    return [Snapshot(at, put_call_ratio(rows[rows["at"] == at])) for at in stamps]


def put_call_ratio(rows: pd.DataFrame) -> float | None:
    """Return put over call open interest of one snapshot."""
    # "total put open interest / total call open interest, over every strike of the expiry that has one; None when no
    # call has open interest"
    puts = float(rows.loc[rows["option_type"] == "PE", "oi"].sum())  # the sum passes over a NaN
    calls = float(rows.loc[rows["option_type"] == "CE", "oi"].sum())
    return puts / calls if calls > 0 else None


def last_poll(at: datetime) -> datetime:
    """Return the last poll instant before `at`."""
    # "at session start and at second 30 of every market minute divisible by 5"; "(the first one is 09:15:00)"
    start = datetime.combine(at.date(), time(9, 15), tzinfo=at.tzinfo)
    seconds_30 = [start + timedelta(minutes=minute, seconds=30) for minute in range(0, 375, 5)]
    return max(instant for instant in [start, *seconds_30] if instant < at)


def pcr_at(recorded: Sequence[Snapshot], at: datetime) -> float | None:
    """Return the PCR that a candle closing at `at` is decided with."""
    # "for a candle closing at T it uses the newest recorded snapshot not later than the last poll instant before T"
    poll = last_poll(at)
    seen = [snapshot for snapshot in recorded if snapshot.at <= poll]
    # "A chain without call OI is kept as None and *is* the newest."
    # "A PCR whose poll is older than 15 minutes counts as missing": the imitated poll never is, whatever the age of
    # the recording that answers it.
    return seen[-1].pcr if seen else None


# §5 Guards and §6 the line


def _lines(earlier: list[Candle], today: list[Candle], recorded: list[Snapshot]) -> list[Line]:
    known = earlier + today
    ema9, ema21 = (ema([candle.close for candle in known], n) for n in (9, 21))
    lines: list[Line] = []
    for i, candle in enumerate(today):
        at = candle.start + MINUTE
        # "Candidates are looked for on candles that start at 09:30 or later and with `T <= 15:00`."
        if candle.start.time() < time(9, 30) or at.time() > time(15, 0):
            continue
        position = len(earlier) + i
        levels = Levels(vwap(today[: i + 1]), ema9[position], ema21[position])
        confirmed = volume_breakout(known, position)
        # "For each candle, all that hold; "better" means earlier in this list (call side before put side within a
        # row)"
        found = [
            *orb_candidates(today, i, lines, confirmed=confirmed),
            *inside_bar_candidates(today, i),
            *reversal_candidates(today, i, levels),
            *momentum_candidates(candle, levels),
        ]
        pcr = pcr_at(recorded, at)
        # "by the lock as it stood *before* this candle"
        locked = is_locked(lines, at)
        mine: list[Line] = []
        # "Every candidate yields exactly one line: the signal, or one rejection."
        for candidate in found:
            reason = refusal(candidate, locked=locked, pcr=pcr, emitted=any(one["kind"] == "signal" for one in mine))
            mine.append(_line(candidate, candle, reason, pcr, confirmed=confirmed))
        lines += mine
    return lines


def is_locked(lines: Sequence[Line], at: datetime) -> bool:
    """Return whether the lock stands at `at`, given the lines of earlier candles."""
    # "`T - T_signal < 5 min`"
    signals = [datetime.fromisoformat(str(line["at"])) for line in lines if line["kind"] == "signal"]
    return any(at - signal < timedelta(minutes=5) for signal in signals)


def refusal(candidate: Candidate, *, locked: bool, pcr: float | None, emitted: bool) -> str | None:
    """Return the first guard that refuses, None for a signal."""
    # "Guards, in this order; the first that refuses names the rejection": "`TRADE_LOCK` → the candidate's own condition
    # (`VOLUME`, `NO_MANS_LAND`) → `PCR` → `LOWER_PRIORITY` (a better candidate of this candle was emitted)"
    if locked:
        return "TRADE_LOCK"
    if candidate.refusal is not None:
        return candidate.refusal
    # "a call needs `pcr >= 0.7`, a put `pcr <= 1.3`; a missing PCR passes". A ratio is not points: no tolerance.
    if pcr is not None and not (pcr >= 0.7 if candidate.side == CALL else pcr <= 1.3):
        return "PCR"
    return "LOWER_PRIORITY" if emitted else None


def _line(
    candidate: Candidate, candle: Candle, reason: str | None, pcr: float | None, *, confirmed: bool | None
) -> Line:
    towards = 1 if candidate.side == CALL else -1
    return {
        "kind": "signal" if reason is None else "rejection",
        "at": (candle.start + MINUTE).isoformat(),
        "side": candidate.side,
        "pattern": candidate.pattern,
        "priority": candidate.priority,
        # "price = close, stop_loss = close ∓ 0.2 %, target = close ± 0.4 % (neither rounded to the tick)"
        "price": candle.close,
        "stop_loss": candle.close - towards * 0.002 * candle.close,
        "target": candle.close + towards * 0.004 * candle.close,
        "pcr": pcr,
        "volume_confirmed": confirmed,
        "reason": reason,
    }
