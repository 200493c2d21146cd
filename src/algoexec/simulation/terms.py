"""What Bank Nifty contracts were like on a date: lot, freeze, ticks, monthly expiry.

Sources: NSE circulars as collected for 2026 (FAOP70616, FAOP69431, FAOP71876); older rows are
greatest common divisors of recorded volumes. A venue's own contract list overrides this table.
"""

from dataclasses import dataclass
from datetime import date, timedelta
from typing import Final

from algoexec.domain.calendar import Calendar

STRIKE_STEP: Final = 100.0


@dataclass(frozen=True, slots=True, kw_only=True)
class ContractTerms:
    """Terms of the nearest monthly contracts. `lot` and `freeze_quantity` in units, ticks in rupees."""

    lot: int
    freeze_quantity: int
    future_tick: float
    option_tick: float = 0.05


_LOTS: Final = (
    (date.min, 25),
    (date(2015, 10, 30), 30),
    (date(2016, 7, 1), 40),
    (date(2018, 10, 26), 20),
    (date(2020, 7, 24), 25),
    (date(2023, 7, 1), 15),
    (date(2025, 1, 1), 30),
    (date(2025, 7, 1), 35),
    (date(2025, 12, 31), 30),
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
_FUTURE_TICKS: Final = ((date.min, 0.05), (date(2025, 4, 15), 0.2))


def terms_on(on: date) -> ContractTerms:
    """Return the terms of the nearest contracts on a date."""
    _, lot = max(row for row in _LOTS if row[0] <= on)
    _, tick = max(row for row in _FUTURE_TICKS if row[0] <= on)
    return ContractTerms(lot=lot, freeze_quantity=_FREEZE_LOTS * lot, future_tick=tick)


def monthly_expiry(year: int, month: int, calendar: Calendar) -> date:
    """Return the monthly expiry: the last weekday of its era, or the trading day before it."""
    last = date(year + month // 12, month % 12 + 1, 1) - timedelta(days=1)
    _, weekday = max(row for row in _WEEKDAYS if row[0] <= last)
    expiry = last - timedelta(days=(last.weekday() - weekday) % 7)
    while calendar.day(expiry) is None:
        expiry -= timedelta(days=1)
    return expiry


def next_expiries(on: date, count: int, calendar: Calendar) -> tuple[date, ...]:
    """Return the next monthly expiries that are not before `on`, nearest first."""
    found: list[date] = []
    year, month = on.year, on.month
    while len(found) < count:
        expiry = monthly_expiry(year, month, calendar)
        if expiry >= on:
            found.append(expiry)
        year, month = (year + 1, 1) if month == 12 else (year, month + 1)
    return tuple(found)
