"""What contracts were like on a date."""

from datetime import date
from pathlib import Path

import pandas as pd
import pytest

from algoexec.domain.calendar import Calendar, calendar_of
from algoexec.domain.terms import monthly_expiry, next_expiries, option_expiry, terms_on


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


@pytest.mark.parametrize(
    ("on", "expiry", "lot"),
    [
        (date(2015, 10, 29), date(2015, 10, 29), 25),
        (date(2015, 10, 30), date(2015, 11, 26), 30),
        (date(2020, 7, 23), date(2020, 7, 23), 20),
        (date(2020, 7, 24), date(2020, 7, 30), 25),
        (date(2023, 7, 14), date(2023, 7, 20), 25),
        (date(2023, 7, 21), date(2023, 7, 27), 15),
        (date(2025, 1, 15), date(2025, 1, 30), 15),
        (date(2025, 6, 20), date(2025, 6, 26), 30),
        (date(2025, 7, 10), date(2025, 7, 31), 35),
        (date(2026, 1, 14), date(2026, 1, 27), 30),
    ],
)
def test_the_lot_belongs_to_the_contract(on: date, expiry: date, lot: int) -> None:
    assert terms_on(on, expiry).lot == lot


@pytest.mark.parametrize(
    ("on", "expiry"),
    [
        (date(2016, 5, 2), date(2016, 5, 26)),  # before weekly options
        (date(2016, 5, 27), date(2016, 6, 2)),  # the first ones
        (date(2023, 8, 24), date(2023, 8, 24)),  # Thursdays, and the day itself
        (date(2023, 9, 1), date(2023, 9, 6)),  # Wednesdays from here on
        (date(2023, 9, 21), date(2023, 9, 28)),  # the month's own week has no Wednesday
        (date(2024, 11, 12), date(2024, 11, 13)),  # the last weekly
        (date(2024, 11, 14), date(2024, 11, 27)),  # months only
        (date(2026, 11, 20), date(2026, 11, 23)),  # the 24th is a holiday
    ],
)
def test_options_expire_by_the_week_or_the_month_of_their_time(on: date, expiry: date) -> None:
    assert option_expiry(on, Calendar()) == expiry


def test_a_weekly_expiry_on_a_holiday_is_the_trading_day_before_it() -> None:
    thursday = date(2019, 8, 15)
    calendar = Calendar(holidays=frozenset({thursday}))
    assert option_expiry(date(2019, 8, 13), calendar) == date(2019, 8, 14)
    assert option_expiry(date(2019, 8, 16), calendar) == date(2019, 8, 22)


def test_every_expiry_of_a_real_half_year_is_found(shared_data: Path) -> None:
    """From the days that have bars alone; expiries beyond the last of them are not judged."""
    chain = pd.read_parquet(shared_data / "chain_weekly_2019.parquet", columns=["timestamp", "expiry"])
    index = pd.read_parquet(shared_data / "index_1m.parquet", columns=["timestamp"])
    days = sorted(set(index["timestamp"].dt.date))
    calendar = calendar_of(days)
    observed = {
        (on, date.fromisoformat(expiry))
        for on, expiry in zip(chain["timestamp"].dt.date, chain["expiry"], strict=True)
        if date.fromisoformat(expiry) <= days[-1]
    }
    assert len({on for on, _ in observed}) > 60
    wrong = {(on, expiry) for on, expiry in observed if option_expiry(on, calendar) != expiry}
    assert wrong == set()
