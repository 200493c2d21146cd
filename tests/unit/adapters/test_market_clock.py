"""The simulated market clock: stamps lead, silence asks, waiters wake on the moment."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta

import pytest

from algoexec.adapters.upstox.market_clock import ClockReading, SimulatedMarketClock
from algoexec.domain.errors import BrokerUnavailable

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
T0 = 1_791_950_400_000


def moment(stamp: int) -> datetime:
    return EPOCH + timedelta(milliseconds=stamp)


class Simulator:
    """Answers when it is asked, as a test has set it."""

    def __init__(self) -> None:
        self.reading = ClockReading(now=T0, speed=60.0, instance="first")
        self.asked = 0
        self.error: Exception | None = None
        self.gate = asyncio.Event()
        self.gate.set()
        self.was_asked = asyncio.Event()

    async def ask(self) -> ClockReading:
        self.asked += 1
        self.was_asked.set()
        await self.gate.wait()
        if self.error is not None:
            raise self.error
        return self.reading

    async def times_asked(self, count: int) -> None:
        async with asyncio.timeout(5):
            while self.asked < count:
                self.was_asked.clear()
                await self.was_asked.wait()


@pytest.fixture
def simulator() -> Simulator:
    return Simulator()


@pytest.fixture
async def clock(simulator: Simulator) -> AsyncIterator[SimulatedMarketClock]:
    clock = SimulatedMarketClock(simulator.ask, silence=0.005)
    yield clock
    await clock.aclose()


def test_before_anything_was_heard_there_is_no_time(clock: SimulatedMarketClock) -> None:
    with pytest.raises(BrokerUnavailable):
        clock.now()


def test_time_is_the_newest_stamp_and_never_goes_back(clock: SimulatedMarketClock) -> None:
    clock.observe(T0 + 500)
    clock.observe(T0 + 250)

    assert clock.now() == moment(T0 + 500)


def test_a_reading_of_the_same_run_never_sets_it_back(clock: SimulatedMarketClock) -> None:
    clock.observe(T0 + 500)
    clock.take(ClockReading(now=T0, speed=60.0, instance="first"))
    clock.take(ClockReading(now=T0 + 100, speed=30.0, instance="first"))

    assert clock.now() == moment(T0 + 500)
    assert (clock.instance, clock.speed) == ("first", 30.0)


def test_another_run_may_set_it_back(clock: SimulatedMarketClock) -> None:
    clock.take(ClockReading(now=T0 + 500, speed=60.0, instance="first"))
    clock.take(ClockReading(now=T0, speed=60.0, instance="second"))

    assert clock.now() == moment(T0)


async def test_a_waiter_wakes_with_the_stamp_that_reaches_its_moment(clock: SimulatedMarketClock) -> None:
    clock.observe(T0)
    woken: list[int] = []

    async def wait(milliseconds: int) -> None:
        await clock.wait_until(moment(T0 + milliseconds))
        woken.append(milliseconds)

    waiting = [asyncio.create_task(wait(milliseconds)) for milliseconds in (300, 100, 200, 200)]
    await asyncio.sleep(0)
    clock.observe(T0 + 99)
    await asyncio.sleep(0)
    assert woken == []
    clock.observe(T0 + 200)
    await asyncio.wait(waiting[1:])
    assert sorted(woken) == [100, 200, 200]

    clock.observe(T0 + 300)
    await waiting[0]


async def test_a_moment_between_two_milliseconds_is_not_reached_early(clock: SimulatedMarketClock) -> None:
    clock.observe(T0)
    waiting = asyncio.create_task(clock.wait_until(moment(T0) + timedelta(microseconds=1)))
    await asyncio.sleep(0)
    clock.observe(T0)
    await asyncio.sleep(0)
    assert not waiting.done()

    clock.observe(T0 + 1)
    await waiting


async def test_after_a_silence_the_simulator_is_asked_until_the_moment_is_there(
    clock: SimulatedMarketClock, simulator: Simulator
) -> None:
    waiting = asyncio.create_task(clock.wait_until(moment(T0 + 1000)))
    await simulator.times_asked(2)
    assert not waiting.done()

    simulator.reading = ClockReading(now=T0 + 1000, speed=60.0, instance="first")
    await waiting

    assert clock.now() == moment(T0 + 1000)


async def test_nobody_is_asked_when_nobody_waits(clock: SimulatedMarketClock, simulator: Simulator) -> None:
    waiting = asyncio.create_task(clock.wait_until(moment(T0)))
    await waiting
    asked = simulator.asked
    ended = [task for task in asyncio.all_tasks() if task.get_name() == "simulated-clock"]
    if ended:
        await asyncio.wait(ended)

    assert simulator.asked == asked


async def test_once_started_it_follows_without_waiters(clock: SimulatedMarketClock, simulator: Simulator) -> None:
    clock.start()
    await simulator.times_asked(3)

    assert clock.now() == moment(T0)


async def test_an_answer_that_the_feed_has_overtaken_is_dropped(
    clock: SimulatedMarketClock, simulator: Simulator
) -> None:
    """Frames may still be on their way: a later time would make their ticks late."""
    clock.take(simulator.reading)
    simulator.gate.clear()
    clock.start()
    await simulator.times_asked(1)
    clock.observe(T0 + 250)
    simulator.reading = ClockReading(now=T0 + 900, speed=60.0, instance="first")
    simulator.gate.set()
    await asyncio.sleep(0)
    await asyncio.sleep(0)

    assert clock.now() == moment(T0 + 250)


async def test_stamps_that_are_older_than_the_clock_do_not_break_the_silence(
    clock: SimulatedMarketClock, simulator: Simulator
) -> None:
    """Those of a new run are: only the simulator can say that it is one."""
    clock.take(simulator.reading)
    simulator.reading = ClockReading(now=T0 - 60_000, speed=60.0, instance="second")
    clock.start()
    async with asyncio.timeout(5):
        while clock.instance == "first":
            clock.observe(T0 - 60_000)
            await asyncio.sleep(0.001)

    assert clock.now() == moment(T0 - 60_000)


async def test_a_simulator_that_does_not_answer_is_asked_again(
    clock: SimulatedMarketClock, simulator: Simulator
) -> None:
    simulator.error = BrokerUnavailable("away")
    waiting = asyncio.create_task(clock.wait_until(moment(T0)))
    await simulator.times_asked(3)
    assert not waiting.done()

    simulator.error = None
    await waiting


async def test_an_error_nobody_thought_of_reaches_those_who_wait(
    clock: SimulatedMarketClock, simulator: Simulator
) -> None:
    simulator.error = RuntimeError("a bug")

    with pytest.raises(RuntimeError, match="a bug"):
        await clock.wait_until(moment(T0))


async def test_closing_ends_the_task_and_cancels_who_waits(simulator: Simulator) -> None:
    clock = SimulatedMarketClock(simulator.ask, silence=0.005)
    waiting = asyncio.create_task(clock.wait_until(moment(T0 + 10**9)))
    await simulator.times_asked(1)

    await clock.aclose()

    assert not [task for task in asyncio.all_tasks() if task.get_name() == "simulated-clock"]
    with pytest.raises(asyncio.CancelledError):
        await waiting
