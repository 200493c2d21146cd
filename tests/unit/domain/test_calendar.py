"""When the exchange trades: hours by date, expiries, polls, and India's clock."""

from datetime import UTC, date, datetime, time, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from algoexec.domain.calendar import (
    BUDGET_SUNDAY_2026,
    HOLIDAYS_2026,
    IST,
    Calendar,
    Hours,
    from_ist_minute,
    ist,
    ist_minute,
    next_poll,
    regular_session,
)

DAYS = st.dates(date(2013, 1, 1), date(2030, 12, 31))
MOMENTS = st.datetimes(datetime(2013, 1, 1), datetime(2030, 12, 31), timezones=st.just(UTC))  # noqa: DTZ001 - bounds


@pytest.mark.parametrize(
    ("on", "continuous", "closes"),
    [
        (date(2019, 5, 21), time(15, 30), time(15, 30)),
        (date(2026, 7, 31), time(15, 30), time(15, 30)),
        (date(2026, 8, 3), time(15, 15), time(15, 40)),
        (date(2027, 1, 4), time(15, 15), time(15, 40)),
    ],
)
def test_hours_are_those_of_the_date(on: date, continuous: time, closes: time) -> None:
    session = regular_session(on)
    assert session.is_regular
    assert session.opens_at == ist(on, time(9, 15))
    assert session.continuous_until == ist(on, continuous)
    assert session.closes_at == ist(on, closes)
    last = session.continuous_until - timedelta(minutes=1)
    assert session.counts(session.opens_at)
    assert session.counts(last)
    assert not session.counts(session.continuous_until)
    assert not session.counts(session.opens_at - timedelta(minutes=1))


@given(DAYS)
def test_weekends_and_holidays_do_not_trade(on: date) -> None:
    traded = Calendar().day(on) is not None
    assert traded == ((on.weekday() < 5 and on not in HOLIDAYS_2026) or on == BUDGET_SUNDAY_2026)


def test_a_special_session_overrides_a_holiday() -> None:
    muhurat = date(2026, 11, 10)
    assert muhurat in HOLIDAYS_2026
    calendar = Calendar(special={muhurat: Hours(opens=time(18), closes=time(19))})
    session = calendar.day(muhurat)
    assert session is not None
    assert not session.is_regular
    assert (session.opens_at, session.continuous_until, session.closes_at) == (
        ist(muhurat, time(18)),
        ist(muhurat, time(19)),
        ist(muhurat, time(19)),
    )


@pytest.mark.parametrize(
    ("clock", "expected"),
    [(time(0), date(2026, 7, 17)), (time(15, 29, 59), date(2026, 7, 17)), (time(15, 30), date(2026, 7, 20))],
)
def test_the_next_session_is_the_one_under_way_until_it_has_closed(clock: time, expected: date) -> None:
    friday = date(2026, 7, 17)
    assert Calendar().next_day(ist(friday, clock)).date == expected


def test_a_session_is_under_way_until_its_derivatives_have_closed() -> None:
    on = date(2026, 8, 3)
    assert Calendar().next_day(ist(on, time(15, 39))).date == on
    assert Calendar().next_day(ist(on, time(15, 40))).date == date(2026, 8, 4)


def test_a_calendar_without_a_trading_day_is_wrong() -> None:
    closed = frozenset(date(2026, 7, 1) + timedelta(days=n) for n in range(60))
    with pytest.raises(ValueError, match="no trading day"):
        Calendar(holidays=closed, special={}).next_day(ist(date(2026, 7, 1), time(9)))


@given(DAYS, st.integers(0, 10))
def test_earlier_days_are_the_newest_before_and_in_order(on: date, count: int) -> None:
    calendar = Calendar()
    days = [day.date for day in calendar.days_before(on, count)]
    assert len(days) == count
    assert days == sorted(set(days))
    between = [on - timedelta(days=n) for n in range(1, (on - days[0]).days + 1)] if days else []
    assert [day for day in reversed(between) if calendar.day(day)] == days


def test_an_expiry_passes_at_the_close_of_its_own_day() -> None:
    first, second = date(2026, 7, 28), date(2026, 8, 25)
    calendar = Calendar()
    assert calendar.nearest_expiry([second, first], ist(first, time(15, 29))) == first
    assert calendar.nearest_expiry([second, first], ist(first, time(15, 30))) == second
    assert calendar.nearest_expiry([second], ist(second, time(15, 39))) == second
    assert calendar.nearest_expiry([second], ist(second, time(15, 40))) is None
    assert calendar.nearest_expiry([], ist(first, time(9))) is None


@given(MOMENTS)
def test_india_is_five_and_a_half_hours_ahead(at: datetime) -> None:
    minute = ist_minute(at)
    local = at.astimezone(IST)
    assert divmod(minute, 1440) == ((local.date() - date(1970, 1, 1)).days, local.hour * 60 + local.minute)
    assert from_ist_minute(minute) == at.replace(second=0, microsecond=0)


@given(MOMENTS)
def test_the_next_poll_is_the_first_second_30_of_a_fifth_minute(at: datetime) -> None:
    poll = next_poll(at)
    assert timedelta() < poll - at <= timedelta(minutes=5)
    assert (poll.second, poll.microsecond, poll.astimezone(IST).minute % 5) == (30, 0, 0)
    assert next_poll(poll) == poll + timedelta(minutes=5)
