"""Time of this machine, and market time that is read from it."""

from datetime import UTC, datetime, timedelta

from algoexec.adapters.system_clock import SystemClock, SystemMarketClock

START = datetime(2026, 10, 14, 4, 0, 0, 123_999, tzinfo=UTC)
STAMP = 1_791_950_400_000
"""2026-10-14 04:00:00 UTC in milliseconds."""


class Wall:
    """A clock that is set by hand."""

    def __init__(self) -> None:
        self.at = START

    def now(self) -> datetime:
        return self.at

    def monotonic(self) -> float:
        return 0.0


def test_the_system_clock_is_aware_and_monotonic_does_not_go_back() -> None:
    clock = SystemClock()

    assert clock.now().tzinfo is UTC
    assert clock.monotonic() <= clock.monotonic()


def test_market_time_is_cut_to_milliseconds() -> None:
    assert SystemMarketClock(Wall()).now() == START.replace(microsecond=123_000)


def test_market_time_stands_still_when_the_system_clock_is_set_back() -> None:
    wall = Wall()
    clock = SystemMarketClock(wall)
    before = clock.now()
    wall.at -= timedelta(seconds=5)
    assert clock.now() == before

    wall.at = START + timedelta(seconds=1)

    assert clock.now() > before


def test_the_offset_is_that_of_the_stamp_that_travelled_least() -> None:
    wall = Wall()
    clock = SystemMarketClock(wall)
    assert clock.offset is None
    wall.at = START.replace(microsecond=0) + timedelta(milliseconds=80)
    clock.observe(STAMP)
    wall.at = START.replace(microsecond=0) + timedelta(milliseconds=1030)
    clock.observe(STAMP + 1000)

    assert clock.offset == timedelta(milliseconds=-30)


async def test_waiting_ends_when_the_moment_is_there() -> None:
    clock = SystemMarketClock()
    at = clock.now() + timedelta(milliseconds=20)

    await clock.wait_until(at)

    assert clock.now() >= at


async def test_a_moment_that_has_passed_is_not_waited_for() -> None:
    await SystemMarketClock(Wall()).wait_until(START - timedelta(days=1))
