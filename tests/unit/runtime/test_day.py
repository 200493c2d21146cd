"""Whole days through desk, runner and journal, in no time."""

from collections import Counter
from datetime import timedelta

from algoexec.domain.errors import BrokerUnavailable
from algoexec.domain.signals import PcrQuality, Reason, Signal
from algoexec.engine.effects import Status
from algoexec.ports.feed import FeedConnected, FeedLost
from algoexec.runtime.registry import Registry
from algoexec.strategy.decision import Ledger
from tests.unit.runtime.registries import World, create, ends, known, reaches
from tests.unit.runtime.scripted import generated_bars
from tests.unit.runtime.warped import START, warped

BARS = generated_bars()


async def at(minute: int, second: float = 0.0) -> None:
    """Return at that second of the day's minute."""
    await World().venue.clock.wait_until(START + timedelta(minutes=minute, seconds=second))


async def is_over(registry: Registry, session: str) -> None:
    """Return once the day is over, and the session with it."""
    await at(386)
    await ends(registry, session)


async def said(world: World, *sessions: str) -> list[Signal]:
    """Return signals and rejections of the sessions, in order."""
    entries = [entry for session in sessions for entry in await world.entries(session)]
    return [frame.body for entry in entries for frame in entry.frames if isinstance(frame.body, Signal)]


def lines(signals: list[Signal]) -> list[tuple[object, ...]]:
    """Return what must not depend on how the session came to say it."""
    return [
        (s.at, s.side, s.pattern, s.priority, s.price, s.stop_loss, s.target, s.pcr, s.volume_confirmed, s.reason)
        for s in signals
    ]


async def whole_day() -> list[Signal]:
    """Return what a session says that nothing disturbs."""
    world = World(BARS)
    world.play()
    async with world.registry() as registry:
        session = await create(registry)
        await is_over(registry, session)
    assert await world.row_status(session) == (Status.STOPPED, "day_over")
    return await said(world, session)


@warped
async def test_an_undisturbed_day_has_signals_and_rejections() -> None:
    found = await whole_day()
    reasons = Counter(signal.reason for signal in found)
    assert reasons[None] > 5
    assert reasons[Reason.TRADE_LOCK] > 5
    assert {signal.decided_at - signal.at for signal in found} <= {timedelta(seconds=n) for n in range(3)}


def test_a_day_in_two_sessions_says_what_it_says_in_one() -> None:
    """Lock and the day's breakout belong to the day, so the second session inherits them."""
    whole: list[Signal] = []
    parts: list[tuple[object, ...]] = []
    begins: list[Signal] = []

    @warped
    async def in_one() -> None:
        whole.extend(await whole_day())

    @warped
    async def in_two() -> None:
        world = World(BARS)
        world.play()
        async with world.registry() as registry:
            first = await create(registry)
            stop_at = int((begins[0].at - START).total_seconds()) // 60
            await at(stop_at, 20)
            await registry.stop(first)
            second = await create(registry)
            assert known(registry, second).ledger != Ledger()
            await is_over(registry, second)
        parts.extend(lines(await said(world, first, second)))

    in_one()
    # Stopped just after a signal: the next ones fall under its lock.
    begins.append(next(signal for signal in whole if signal.reason is None))
    in_two()
    assert parts == lines(whole)


def test_restarts_and_a_feed_that_is_cut_change_nothing_that_is_said() -> None:
    whole: list[Signal] = []
    broken: list[Signal] = []

    @warped
    async def undisturbed() -> None:
        whole.extend(await whole_day())

    @warped
    async def disturbed() -> None:
        world = World(BARS)
        world.play()
        async with world.registry() as registry:
            session = await create(registry)
            for minute in (17, 23, 40):
                await at(minute, 5)
                world.venue.feeds[-1].say(FeedLost(detail="cut"))
                await at(minute + 1, 40)
                world.venue.feeds[-1].say(FeedConnected())
            await at(61, 13)
        for minute in (64, 100, 163):
            async with world.registry() as registry:
                await reaches(registry, session, Status.RUNNING)
                await at(minute, 31)
        async with world.registry() as registry:
            await is_over(registry, session)
        broken.extend(await said(world, session))

    undisturbed()
    disturbed()
    assert lines(broken) == lines(whole)


@warped
async def test_a_ratio_older_than_fifteen_minutes_is_stale_and_no_ratio() -> None:
    world = World(BARS)
    world.play()
    async with world.registry() as registry:
        session = await create(registry)
        await at(20, 40)
        world.venue.market.failures["chain"] = [BrokerUnavailable("down")] * 100_000
        await at(70)
        world.venue.market.failures["chain"] = []
        await is_over(registry, session)
    polled = timedelta(minutes=20, seconds=30)
    for signal in await said(world, session):
        age = signal.at - START - polled
        if timedelta() < age <= timedelta(minutes=15):
            assert (signal.pcr, signal.pcr_quality) == (0.9, PcrQuality.FRESH)
        elif timedelta(minutes=15) < age < timedelta(minutes=49, seconds=30):
            assert (signal.pcr, signal.pcr_quality) == (None, PcrQuality.STALE)
        elif age > timedelta(minutes=51):
            assert (signal.pcr, signal.pcr_quality) == (0.9, PcrQuality.FRESH)
    qualities = {signal.pcr_quality for signal in await said(world, session)}
    assert {PcrQuality.FRESH, PcrQuality.STALE} <= qualities
