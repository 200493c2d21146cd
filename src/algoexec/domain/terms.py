"""What Bank Nifty contracts were like on a date: lot, freeze, ticks, expiries.

Sources: NSE circulars (FAOP70616, FAOP69431, FAOP71876) and notices as collected for 2026; older rows are
greatest common divisors of recorded volumes. A venue's own contract list overrides this table.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Final

from algoexec.domain.calendar import Calendar

STRIKE_STEP: Final = 100.0


@dataclass(frozen=True, slots=True, kw_only=True)
class ContractTerms:
    """Terms of the nearest contracts. `lot` and `freeze_quantity` in units, ticks in rupees."""

    lot: int
    freeze_quantity: int
    future_tick: float
    option_tick: float = 0.05


_LOTS: Final = (
    # expiries from, units: the lot belongs to the contract, so two may be traded on one day
    (date.min, 25),
    (date(2015, 10, 30), 30),
    (date(2016, 7, 1), 40),
    (date(2018, 10, 26), 20),
    (date(2020, 7, 24), 25),
    (date(2023, 7, 21), 15),
    (date(2025, 1, 31), 30),
    (date(2025, 7, 1), 35),
    (date(2026, 1, 1), 30),
)
_FREEZE_LOTS: Final = 20
"""600 units at a lot of 30; the exchange resets it with the index level."""

_WEEKDAYS: Final = (
    # from, weekday of the monthly expiry (Monday is 0)
    (date.min, 3),
    (date(2024, 3, 1), 2),
    (date(2025, 1, 1), 3),
    (date(2025, 9, 1), 1),
)
_WEEKLIES: Final = (
    # from, weekday of the weekly options' expiry; None: there are none
    (date.min, None),
    (date(2016, 5, 27), 3),
    (date(2023, 9, 4), 2),
    (date(2024, 11, 14), None),
)
_FUTURE_TICKS: Final = ((date.min, 0.05), (date(2025, 4, 15), 0.2))


def terms_on(on: date, expiry: date | None = None) -> ContractTerms:
    """Return the terms, as they are on a date, of contracts with that expiry; None: of those that expire next."""
    _, lot = max(row for row in _LOTS if row[0] <= (expiry or on))
    _, tick = max(row for row in _FUTURE_TICKS if row[0] <= on)
    return ContractTerms(lot=lot, freeze_quantity=_FREEZE_LOTS * lot, future_tick=tick)


def monthly_expiry(year: int, month: int, calendar: Calendar) -> date:
    """Return the monthly expiry: the last weekday of its era, or the trading day before it."""
    return _trading_day_until(_nominal_monthly(year, month), calendar)


def next_expiries(on: date, count: int, calendar: Calendar) -> tuple[date, ...]:
    """Return the next monthly expiries that are not before `on`, nearest first."""
    found: list[date] = []
    for year, month in _months_from(on):
        if len(found) == count:
            break
        expiry = monthly_expiry(year, month, calendar)
        if expiry >= on:
            found.append(expiry)
    return tuple(found)


def option_expiry(on: date, calendar: Calendar) -> date:
    """Return the nearest expiry of options that is not before `on`: of a week or of a month.

    The week of a monthly expiry has no other.
    """
    (monthly,) = next_expiries(on, 1, calendar)
    monday = on - timedelta(days=on.weekday())
    while monday < monthly:
        weekly = _weekly_expiry(monday, calendar)
        if weekly is not None and on <= weekly:
            return min(weekly, monthly)
        monday += timedelta(days=7)
    return monthly


def _weekly_expiry(monday: date, calendar: Calendar) -> date | None:
    """Return on which day of a week its options expire; None: there are none that do."""
    week = [monday + timedelta(days=ahead) for ahead in range(7)]
    if any(_nominal_monthly(day.year, day.month) == day for day in week):
        return None
    for day in week:
        _, weekday = max((row for row in _WEEKLIES if row[0] <= day), key=lambda row: row[0])
        if day.weekday() == weekday:
            return _trading_day_until(day, calendar)
    return None


def _nominal_monthly(year: int, month: int) -> date:
    last = date(year + month // 12, month % 12 + 1, 1) - timedelta(days=1)
    _, weekday = max(row for row in _WEEKDAYS if row[0] <= last)
    return last - timedelta(days=(last.weekday() - weekday) % 7)


def _trading_day_until(day: date, calendar: Calendar) -> date:
    """Return the day, or the trading day before it if nothing trades on it."""
    while calendar.day(day) is None:
        day -= timedelta(days=1)
    return day


def _months_from(on: date) -> Iterator[tuple[int, int]]:
    year, month = on.year, on.month
    while True:
        yield year, month
        year, month = (year + 1, 1) if month == 12 else (year, month + 1)
