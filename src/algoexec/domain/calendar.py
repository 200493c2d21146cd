"""When the exchange trades. All of India's clock lives here: IST outside, UTC inside.

Source: NSE circulars as collected for 2026; the venue's own holiday list overrides the table.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from typing import Final
from zoneinfo import ZoneInfo

IST: Final = ZoneInfo("Asia/Kolkata")
IST_OFFSET_MINUTES: Final = 330
"""India has no daylight saving: IST is always UTC + 5:30."""

REGULAR_OPEN: Final = time(9, 15)

_HOURS: Final = (
    # from, end of the index's continuous trading, close of its derivatives
    (date.min, time(15, 30), time(15, 30)),
    # Closing auction in the cash market; F&O runs on. Source: NSE FAOP74467, CMTR74466.
    (date(2026, 8, 3), time(15, 15), time(15, 40)),
)

HOLIDAYS_2026: Final = frozenset(
    date(2026, month, day)
    for month, day in (
        (1, 15), (1, 26), (3, 3), (3, 26), (3, 31), (4, 3), (4, 14), (5, 1),
        (5, 28), (6, 26), (9, 14), (10, 2), (10, 20), (11, 10), (11, 24), (12, 25),
    )
)  # fmt: skip
"""F&O holidays of 2026 on which nothing trades. Source: NSE FAOP71777, FAOP72262."""

BUDGET_SUNDAY_2026: Final = date(2026, 2, 1)


@dataclass(frozen=True, slots=True, kw_only=True)
class TradingDay:
    """One day's session; times are UTC.

    `continuous_until` ends the index's continuous trading: the last candle that counts
    starts a minute before. `closes_at` is when its options stop trading.
    """

    date: date
    opens_at: datetime
    continuous_until: datetime
    closes_at: datetime

    @property
    def is_regular(self) -> bool:
        """Whether it opens at 09:15; a Muhurat session does not."""
        return self.opens_at.astimezone(IST).time() == REGULAR_OPEN

    def counts(self, start: datetime) -> bool:
        """Whether a candle that starts at `start` belongs to continuous trading."""
        return self.opens_at <= start < self.continuous_until


@dataclass(frozen=True, slots=True, kw_only=True)
class Hours:
    """A special session: its own opening and closing time, IST."""

    opens: time
    closes: time


@dataclass(frozen=True, slots=True)
class Calendar:
    """Which days trade, and when. Weekends and `holidays` do not, unless `special` says so."""

    holidays: frozenset[date] = HOLIDAYS_2026
    special: Mapping[date, Hours] = field(
        default_factory=lambda: {BUDGET_SUNDAY_2026: Hours(opens=REGULAR_OPEN, closes=time(15, 30))}
    )

    def day(self, on: date) -> TradingDay | None:
        """Return the session of that date; None when nothing trades."""
        if (hours := self.special.get(on)) is not None:
            return _session(on, hours.opens, hours.closes, hours.closes)
        if on.weekday() >= 5 or on in self.holidays:
            return None
        return regular_session(on)

    def next_day(self, at: datetime) -> TradingDay:
        """Return the session that is under way at `at`, or else the next one.

        A session is under way until its derivatives have closed.

        Raises:
            ValueError: no session within a month, so the calendar must be wrong.
        """
        first = at.astimezone(IST).date()
        for ahead in range(31):
            day = self.day(first + timedelta(days=ahead))
            if day is not None and at < day.closes_at:
                return day
        raise ValueError(f"no trading day within a month of {first}")

    def days_before(self, on: date, count: int) -> tuple[TradingDay, ...]:
        """Return the last `count` trading days before `on`, oldest first."""
        found: list[TradingDay] = []
        candidate = on
        while len(found) < count and (on - candidate).days < 30 + 3 * count:
            candidate -= timedelta(days=1)
            if (day := self.day(candidate)) is not None:
                found.append(day)
        return tuple(reversed(found))

    def nearest_expiry(self, expiries: Iterable[date], at: datetime) -> date | None:
        """Return the nearest expiry that has not passed; None when all have.

        An expiry passes at the derivatives' close of its own day (strategy.md §7).
        """
        return min((e for e in expiries if not self._has_passed(e, at)), default=None)

    def _has_passed(self, expiry: date, at: datetime) -> bool:
        day = self.day(expiry) or regular_session(expiry)
        return at >= day.closes_at


def calendar_of(traded: Iterable[date]) -> Calendar:
    """Return the calendar that follows from the days on which something traded.

    A weekday between the first and the last of them was a holiday unless it is among them. Before
    and after, the table of holidays says what is known.
    """
    days = set(traded)
    if not days:
        return Calendar()
    between = (min(days) + timedelta(days=ahead) for ahead in range((max(days) - min(days)).days))
    return Calendar(holidays=(HOLIDAYS_2026 | frozenset(between)) - days)


def regular_session(on: date) -> TradingDay:
    """Return the session that `on` would have if it is a regular trading day."""
    _, continuous, close = max(row for row in _HOURS if row[0] <= on)
    return _session(on, REGULAR_OPEN, continuous, close)


def _session(on: date, opens: time, continuous: time, closes: time) -> TradingDay:
    return TradingDay(
        date=on,
        opens_at=ist(on, opens),
        continuous_until=ist(on, continuous),
        closes_at=ist(on, closes),
    )


def ist(on: date, clock: time) -> datetime:
    """Return the UTC moment at which clocks in India show `clock` on the date `on`."""
    return datetime.combine(on, clock, IST).astimezone(UTC)


def ist_minute(at: datetime) -> int:
    """Return whole minutes since the epoch on India's wall clock.

    `// 1440` is then the Indian day, `% 1440` the minute of it (09:15 is 555).
    """
    return int(at.timestamp()) // 60 + IST_OFFSET_MINUTES


def from_ist_minute(minute: int) -> datetime:
    """Return the UTC moment of an `ist_minute`."""
    return datetime.fromtimestamp((minute - IST_OFFSET_MINUTES) * 60, UTC)


POLL_EVERY_MINUTES: Final = 5
POLL_SECOND: Final = 30


def next_poll(after: datetime) -> datetime:
    """Return the first moment later than `after` at which the option chain is polled.

    Second 30 of every market minute divisible by five (strategy.md §7).
    """
    whole = int(after.timestamp())
    step = POLL_EVERY_MINUTES * 60
    due = whole // step * step + POLL_SECOND
    while due <= after.timestamp():
        due += step
    return datetime.fromtimestamp(due, UTC)
