"""The rate governor: its windows hold whatever comes, and waiters keep their order."""

import asyncio
from collections import deque
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from algoexec.adapters.upstox.limits import LIMITS, PENALTY, Limit, RateGovernor, RateGroup, RateWindows
from algoexec.domain.errors import RateLimited
from algoexec.ports.broker import Urgency

SMALL = (Limit(3, 1.0), Limit(5, 10.0))
pauses = st.lists(st.floats(min_value=0, max_value=4, allow_nan=False), max_size=80)


class Clock:
    """A market clock on which waiting takes no time at all."""

    def __init__(self) -> None:
        self.at = datetime(2026, 10, 14, 4, 0, tzinfo=UTC)

    def now(self) -> datetime:
        return self.at

    async def wait_until(self, at: datetime) -> None:
        await asyncio.sleep(0)
        self.at = max(self.at, at)


def test_what_is_left_is_that_of_the_narrowest_limit() -> None:
    windows = RateWindows(SMALL)
    assert windows.left(1_000.0) == 1
    windows.spend(1_000.0)
    assert windows.left(1_000.0) == pytest.approx(2 / 3)
    assert windows.left(1_002.0) == pytest.approx(4 / 5), "the second is over, the ten seconds are not"
    assert windows.left(1_011.0) == 1


def send_all(windows: RateWindows, waits: list[float]) -> list[float]:
    """Make a call after each pause, as soon as the windows allow it; return when each was made."""
    now, made = 1_000.0, list[float]()
    for pause in waits:
        now += pause
        while (delay := windows.delay(now)) > 0:
            now += delay
        windows.spend(now)
        made.append(now)
    return made


@given(pauses)
def test_no_window_ever_holds_more_than_its_limit(waits: list[float]) -> None:
    made = send_all(RateWindows(SMALL), waits)

    for calls, seconds in SMALL:
        recent: deque[float] = deque()
        for at in made:
            recent.append(at)
            while recent[0] <= at - seconds + 1e-9:
                recent.popleft()
            assert len(recent) <= calls


@given(pauses)
def test_nobody_waits_without_need(waits: list[float]) -> None:
    windows, now, made = RateWindows(SMALL), 1_000.0, list[float]()
    for pause in waits:
        now += pause
        is_full = any(sum(at > now - seconds for at in made) >= calls for calls, seconds in SMALL)
        assert (windows.delay(now) > 1e-9) <= is_full
        if windows.delay(now) == 0:
            windows.spend(now)
            made.append(now)


@given(pauses)
def test_after_a_429_half_of_each_limit_holds_for_a_minute(waits: list[float]) -> None:
    windows = RateWindows(SMALL)
    windows.halve(1_000.0)

    made = [at for at in send_all(windows, waits) if at < 1_000.0 + PENALTY]

    assert all(later - earlier >= 1.0 - 1e-9 for earlier, later in pairwise(made))


def test_the_penalty_ends() -> None:
    windows = RateWindows([Limit(2, 3600.0)])
    windows.halve(0.0)
    windows.spend(0.0)

    assert windows.delay(1.0) == PENALTY - 1.0
    assert windows.delay(PENALTY) == 0.0


def test_a_time_before_the_last_call_is_another_day() -> None:
    windows = RateWindows([Limit(1, 1800.0)])
    windows.spend(5_000.0)

    assert windows.delay(5_001.0) > 0
    assert windows.delay(1_000.0) == 0


async def test_fifty_calls_pass_and_the_next_waits_for_the_second() -> None:
    clock = Clock()
    begun = clock.now()
    governor = RateGovernor(clock, LIMITS[RateGroup.STANDARD])

    for _ in range(50):
        await governor.acquire()
    assert clock.now() == begun
    await governor.acquire()

    assert timedelta(seconds=1) <= clock.now() - begun <= timedelta(seconds=1, milliseconds=2)


async def test_callers_get_their_turn_in_order() -> None:
    governor = RateGovernor(Clock(), [Limit(1, 1.0)])
    served: list[int] = []

    async def call(number: int) -> None:
        await governor.acquire()
        served.append(number)

    await asyncio.gather(*(call(number) for number in range(10)))

    assert served == list(range(10))


async def test_a_longer_wait_than_anyone_has_patience_for_is_refused_and_costs_nothing() -> None:
    clock = Clock()
    governor = RateGovernor(clock, [Limit(1, 1800.0)])
    await governor.acquire()

    with pytest.raises(RateLimited):
        await governor.acquire()

    clock.at += timedelta(seconds=1800)
    await governor.acquire()


async def test_a_429_slows_the_governor_down() -> None:
    clock = Clock()
    begun = clock.now()
    governor = RateGovernor(clock, [Limit(2, 1.0)])
    governor.penalise()

    await governor.acquire()
    await governor.acquire()

    assert clock.now() - begun >= timedelta(seconds=1)


def busy(made: list[datetime], limits: Sequence[Limit]) -> bool:
    """Return whether some window holds more calls than its limit."""
    return any(
        later - earlier < timedelta(seconds=limit.seconds)
        for limit in limits
        for earlier, later in zip(made, made[limit.calls :], strict=False)
    )


urgencies = st.lists(st.tuples(st.sampled_from(Urgency), st.integers(min_value=0, max_value=3)), max_size=40)


@given(urgencies)
def test_an_exit_never_waits_behind_an_entry_and_the_budget_holds(calls: list[tuple[Urgency, int]]) -> None:
    """Calls come after so many turns of the loop; whoever is served finds nobody more urgent, or earlier, waiting."""
    waiting, made, overtaken = list[tuple[Urgency, int]](), list[datetime](), list[object]()

    async def run() -> None:
        clock = Clock()
        governor = RateGovernor(clock, SMALL, patience=float("inf"))

        async def call(urgency: Urgency, number: int) -> None:
            waiting.append((urgency, number))
            await governor.acquire(urgency)
            waiting.remove((urgency, number))
            made.append(clock.now())
            overtaken.extend(other for other in waiting if other < (urgency, number))

        async with asyncio.TaskGroup() as tasks:
            for number, (urgency, turns) in enumerate(calls):
                tasks.create_task(call(urgency, number))
                for _ in range(turns):
                    await asyncio.sleep(0)

    asyncio.run(run())

    assert overtaken == []
    assert len(made) == len(calls)
    assert not busy(made, SMALL)


async def test_who_gives_up_lets_the_next_one_through() -> None:
    governor = RateGovernor(Clock(), [Limit(1, 1.0)])
    await governor.acquire()
    first, second = (asyncio.create_task(governor.acquire(Urgency.ENTRY)) for _ in range(2))
    await asyncio.sleep(0)
    first.cancel()

    await second

    assert first.cancelled()


async def test_orders_have_a_budget_of_eight_a_second() -> None:
    clock = Clock()
    begun = clock.now()
    governor = RateGovernor(clock, LIMITS[RateGroup.ORDERS])

    for _ in range(8):
        await governor.acquire(Urgency.EXIT)
    assert clock.now() == begun
    await governor.acquire(Urgency.EXIT)

    assert clock.now() - begun >= timedelta(seconds=1)


async def test_the_patience_also_counts_what_others_took() -> None:
    clock = Clock()
    governor = RateGovernor(clock, [Limit(1, 1.0)], patience=2.5)
    begun = clock.now()

    ended = await asyncio.gather(*(governor.acquire(Urgency.EXIT) for _ in range(5)), return_exceptions=True)

    assert [type(one) for one in ended] == [type(None)] * 3 + [RateLimited] * 2
    assert clock.now() - begun < timedelta(seconds=2.5)
