"""Whether signals know the future, and how much past they need. Any strategy parameters can be asked.

Look-ahead: a day is cut off at some candle. What was said up to then must not depend on what
came later, to the last bit. Warm-up: the same days begin with less past. What is said then differs from
what a well-warmed session says, and after some candles no more.
"""

from bisect import bisect_right
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, fields, replace
from datetime import date, datetime
from statistics import fmean
from typing import Final

from algoexec.backtest.day import signals_of
from algoexec.backtest.fast.signals import Scan
from algoexec.backtest.fast.tape import tape_of
from algoexec.domain.calendar import IST
from algoexec.domain.recording import RecordedDay
from algoexec.domain.signals import Signal
from algoexec.strategy.parameters import Parameters

type Teller = Callable[[RecordedDay, Sequence[RecordedDay], Parameters], list[Signal]]
"""Returns the signals and rejections of a day, warmed by the days before it."""


def told_by_step(day: RecordedDay, history: Sequence[RecordedDay], parameters: Parameters) -> list[Signal]:
    """Return what a session says, by its own `step`."""
    return list(signals_of(day, history, parameters))


def told_by_scan(day: RecordedDay, history: Sequence[RecordedDay], parameters: Parameters) -> list[Signal]:
    """Return what the compiled folds say, which whole columns go through at once."""
    tape = tape_of([*history, day], warm_up_days=len(history))
    return [one for one in Scan(tape).signals(parameters) if one.at.astimezone(IST).date() == day.date]


TELLERS: Final[dict[str, Teller]] = {"step": told_by_step, "compiled": told_by_scan}


@dataclass(frozen=True, slots=True)
class Leak:
    """Something said at `at` that was said otherwise when the day was cut off after candle `cut`."""

    at: datetime
    cut: int
    what: str


@dataclass(frozen=True, slots=True)
class LookAhead:
    """What was tried: cuts of days, signals and rejections that were compared; and every leak."""

    cuts: int
    compared: int
    leaks: tuple[Leak, ...]

    def verdict(self) -> str:
        """Return it in a sentence."""
        if not self.compared:
            return "Nothing was said on these days, so nothing could be compared."
        if not self.leaks:
            return f"No look-ahead: {self.compared} lines stayed the same to the bit at {self.cuts} cuts."
        names = sorted({leak.what for leak in self.leaks})
        return f"LOOK-AHEAD: {len(self.leaks)} of {self.compared} lines knew what came later ({', '.join(names)})."


def look_ahead(
    days: Sequence[tuple[RecordedDay, Sequence[RecordedDay]]],
    parameters: Parameters,
    tell: Teller,
    *,
    cuts: int,
) -> LookAhead:
    """Cut each day, which comes with those that warm it, at so many candles (`places`)."""
    tried = compared = 0
    leaks: list[Leak] = []
    for day, history in days:
        whole = tell(day, history, parameters)
        for cut in places(day, whole, cuts):
            until = day.index[cut - 1].minute * 60 + 60
            known = [signal for signal in whole if signal.at.timestamp() <= until]
            compared += len(known)
            tried += 1
            leaks += _differences(known, tell(cut_off(day, cut), history, parameters), cut)
    return LookAhead(tried, compared, tuple(leaks))


def places(day: RecordedDay, said: Sequence[Signal], cuts: int) -> list[int]:
    """Return after how many candles to cut: half of the cuts right after something was said, where a leak of one
    candle shows, and half evenly over the day."""
    starts = [bar.minute for bar in day.index]
    talking = sorted({bisect_right(starts, int(one.candle.start.timestamp()) // 60) for one in said})
    evenly = (len(starts) * (n + 1) // (cuts - cuts // 2 + 1) for n in range(cuts - cuts // 2))
    after = (talking[len(talking) * n // (cuts // 2)] for n in range(cuts // 2)) if talking else ()
    return sorted({*evenly, *after} - {0})


def cut_off(day: RecordedDay, candles: int) -> RecordedDay:
    """Return a day of which only its first candles are known, and what else was known by then."""
    last = day.index[candles - 1].minute
    return replace(
        day,
        index=day.index[:candles],
        future=tuple(bar for bar in day.future if bar.minute <= last),
        chains=tuple(chain for chain in day.chains if chain.at.timestamp() <= last * 60 + 60),
    )


def _differences(whole: Sequence[Signal], part: Sequence[Signal], cut: int) -> Iterator[Leak]:
    ours, theirs = ({(one.at, one.pattern, one.side): one for one in lines} for lines in (whole, part))
    for key in sorted({*ours, *theirs}):
        one, other = ours.get(key), theirs.get(key)
        if one != other:
            yield Leak(
                key[0], cut, "a candidate is there or not" if one is None or other is None else _what(one, other)
            )


def _what(one: Signal, other: Signal) -> str:
    names = [field.name for field in fields(one) if getattr(one, field.name) != getattr(other, field.name)]
    return " and ".join(names)


@dataclass(frozen=True, slots=True)
class Warmth:
    """What so many days of past (or a day begun so many minutes late) lead to, against a well-warmed session.

    `days` that were compared and `wrong` among them: those on which a signal was missing, extra, or
    rejected for another reason. `settled` is the mean number of candles after which nothing differs
    any more on a wrong day. `levels` is the largest distance of a fast or slow mean, in points.
    """

    past: int
    days: int
    wrong: int
    settled: float
    levels: float
    is_equal: bool
    """Whether every line is equal to the last bit."""


@dataclass(frozen=True, slots=True)
class WarmUp:
    """By days of past, and by minutes of the day itself that are missing at its beginning."""

    reference: int
    by_days: tuple[Warmth, ...]
    by_minutes: tuple[Warmth, ...]

    def needed(self) -> int | None:
        """Return with how many days of past no signal differs any more; None: not with those that were tried."""
        needed = None
        for one in reversed(self.by_days):
            if one.wrong:
                break
            needed = one.past
        return needed

    def verdict(self, used: int) -> str:
        """Return in a sentence whether `used` days of past are enough."""
        needed = self.needed()
        if needed is None:
            return f"WARM-UP BIAS: signals differ with any past shorter than {self.reference} days."
        if needed > used:
            return f"WARM-UP BIAS: {needed} days of past are needed; sessions are warmed by {used}."
        return (
            f"No warm-up bias: signals are the same with {needed} or more days of past; sessions are warmed by {used}."
        )


def warm_up(days: Sequence[RecordedDay], parameters: Parameters, *, reference: int, late: Sequence[int]) -> WarmUp:
    """Compare each day from `reference` on as warmed by fewer days, or begun late without any past."""
    told = _by_day(days, parameters, reference)
    compared = days[reference:]
    by_days = [_warmth(past, compared, told, _by_day(days, parameters, past)) for past in range(reference)]
    by_minutes = [
        _warmth(minutes, compared, told, _by_day(late_days(days, minutes), parameters, 0), after=minutes)
        for minutes in late
    ]
    return WarmUp(reference, tuple(by_days), tuple(by_minutes))


def late_days(days: Sequence[RecordedDay], minutes: int) -> list[RecordedDay]:
    """Return the days without their first candles; one that has no more is left out."""
    return [replace(day, index=day.index[minutes:]) for day in days if len(day.index) > minutes]


def _by_day(days: Sequence[RecordedDay], parameters: Parameters, past: int) -> dict[date, list[Signal]]:
    found: dict[date, list[Signal]] = {day.date: [] for day in days}
    for signal in Scan(tape_of(days, warm_up_days=past)).signals(parameters):
        found[signal.at.astimezone(IST).date()].append(signal)
    return found


def _warmth(
    past: int,
    days: Sequence[RecordedDay],
    warm: dict[date, list[Signal]],
    cold: dict[date, list[Signal]],
    after: int = 0,
) -> Warmth:
    settled: list[int] = []
    apart, equal, compared = 0.0, True, 0
    for day in days:
        if day.date not in cold or len(day.index) <= after:
            continue
        compared += 1
        begins = day.index[after].minute * 60
        ours = [one for one in warm[day.date] if one.at.timestamp() > begins]
        equal = equal and [replace(one, id="") for one in ours] == [replace(one, id="") for one in cold[day.date]]
        apart = max(apart, _apart(ours, cold[day.date]))
        differing = {_line(one) for one in ours} ^ {_line(one) for one in cold[day.date]}
        if differing:
            settled.append(int(max(line[0] for line in differing).timestamp() - begins) // 60)
    return Warmth(past, compared, len(settled), fmean(settled) if settled else 0.0, apart, equal)


def _line(signal: Signal) -> tuple[datetime, str, str, str | None]:
    return signal.at, signal.pattern, signal.side, signal.reason


def _apart(ours: Sequence[Signal], theirs: Sequence[Signal]) -> float:
    """Return the largest distance of a mean, in points, on lines that both have."""
    others = {_line(one): one.levels for one in theirs}
    widest = 0.0
    for one in ours:
        other = others.get(_line(one))
        if other is not None:
            pairs = ((one.levels.ema_fast, other.ema_fast), (one.levels.ema_slow, other.ema_slow))
            widest = max(widest, *(abs(a - b) for a, b in pairs if a is not None and b is not None), 0.0)
    return widest
