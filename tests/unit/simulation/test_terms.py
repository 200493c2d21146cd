"""What contracts were like on a date."""

from datetime import date

import pytest

from algoexec.domain.calendar import Calendar
from algoexec.simulation.terms import monthly_expiry, next_expiries, terms_on


@pytest.mark.parametrize(
    ("year", "month", "expiry"),
    [
        (2019, 5, date(2019, 5, 30)),
        (2024, 4, date(2024, 4, 24)),
        (2025, 9, date(2025, 9, 30)),
        (2025, 12, date(2025, 12, 30)),
        (2026, 1, date(2026, 1, 27)),
        (2026, 3, date(2026, 3, 30)),  # the 31st is a holiday
        (2026, 10, date(2026, 10, 27)),
        (2026, 11, date(2026, 11, 23)),  # the 24th is a holiday
        (2026, 12, date(2026, 12, 29)),
    ],
)
def test_monthly_expiries_as_the_exchange_published_them(year: int, month: int, expiry: date) -> None:
    assert monthly_expiry(year, month, Calendar()) == expiry


def test_an_expiry_day_is_its_own_next_expiry() -> None:
    assert next_expiries(date(2026, 10, 27), 2, Calendar()) == (date(2026, 10, 27), date(2026, 11, 23))


def test_expiries_go_on_over_the_end_of_the_year() -> None:
    assert [expiry.month for expiry in next_expiries(date(2026, 12, 1), 3, Calendar())] == [12, 1, 2]


@pytest.mark.parametrize(
    ("on", "lot", "tick"),
    [
        (date(2015, 3, 2), 25, 0.05),
        (date(2016, 12, 1), 40, 0.05),
        (date(2019, 5, 21), 20, 0.05),
        (date(2026, 10, 14), 30, 0.2),
    ],
)
def test_lots_and_ticks_of_their_time(on: date, lot: int, tick: float) -> None:
    terms = terms_on(on)

    assert (terms.lot, terms.future_tick, terms.freeze_quantity) == (lot, tick, 20 * lot)
