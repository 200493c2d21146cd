"""A session that is interrupted says what an undisturbed one says."""

from datetime import datetime

import pytest

from algoexec.adapters.memory import MemoryStores
from algoexec.backtest.day import signals_of
from algoexec.domain.errors import StoreUnavailable
from algoexec.domain.recording import RecordedDay
from algoexec.engine.effects import Status
from algoexec.runtime.recovery import fold
from algoexec.simulation.recorded import recorded_day
from algoexec.storage.stores import MongoStores
from tests.integration.runtime.trading import (
    create,
    ends,
    folds,
    has_candles,
    line,
    live,
    reaches,
    said,
    simulator,
    trading,
    until,
)


def expected(recording: RecordedDay, until: datetime) -> list[tuple[object, ...]]:
    """Return what the fold over the recording says of candles that close by `until`."""
    return [line(signal) for signal in signals_of(recording) if signal.at <= until]


async def test_left_and_taken_up_twice_it_says_what_an_undisturbed_one_says(
    mongo_stores: MongoStores, recording: RecordedDay
) -> None:
    stores = mongo_stores
    # Slow enough that what is away for a moment does not miss a poll of another chain.
    async with simulator("09:14:50", recorded_day(recording), speed=180.0, paced=True) as broker:
        async with trading(stores, broker.url) as first:
            session = await create(first)
            await has_candles(first, session, 16)
        async with trading(stores, broker.url) as second:
            await has_candles(second, session, 21)
        async with trading(stores, broker.url) as third:
            state = await has_candles(third, session, 27)
            await third.stop(session)
            await ends(third, session)
    newest = fold(None, await stores.journal.read(session))
    assert newest is not None
    lines = [line(signal) for signal in await said(stores, session)]
    assert lines == expected(recording, newest.state.decided_until)
    assert len(lines) >= 3
    assert len(newest.state.candles) >= len(state.candles)
    row = await stores.sessions.get(session)
    assert row is not None
    assert (row.epoch, row.owner) == (3, None)
    await folds(stores)


async def test_while_nothing_can_be_stored_nothing_is_said_and_afterwards_nothing_is_missing(
    recording: RecordedDay,
) -> None:
    stores = MemoryStores()
    async with (
        simulator("09:14:50", recorded_day(recording), speed=300.0, paced=True) as broker,
        trading(stores, broker.url) as registry,
    ):
        session = await create(registry)
        state = await has_candles(registry, session, 5)
        stores.is_available = False
        away_at = broker.broker.clock.now_ms
        published = registry.hub.published
        await until(lambda: not registry.health().store.ok)
        with pytest.raises(StoreUnavailable):
            await registry.halt(session, by="ann", reason="x")
        await until(lambda: broker.broker.clock.now_ms - away_at > 6 * 60_000)
        held = live(registry, session)
        assert held is not None
        assert len(held.candles) <= len(state.candles) + 1, "what was already written when the stores went away"
        assert registry.hub.published <= published + 10
        stores.is_available = True
        await until(lambda: registry.health().store.ok)
        await has_candles(registry, session, 22)
        await registry.stop(session)
        await ends(registry, session)
    newest = fold(None, await stores.journal.read(session))
    assert newest is not None
    assert newest.state.halted is None
    assert [line(one) for one in await said(stores, session)] == expected(recording, newest.state.decided_until)
    starts = [candle.start for candle in newest.state.candles]
    assert len(starts) == (starts[-1] - starts[0]).total_seconds() / 60 + 1
    await folds(stores)


async def test_two_registries_of_one_process_do_not_run_a_session_twice() -> None:
    """The second one's own name is of another life of this process: it takes over, the first lets go."""
    stores = MemoryStores()
    async with simulator("09:50", speed=60.0) as broker, trading(stores, broker.url) as first:
        session = await create(first)
        await reaches(first, session, Status.RUNNING)
        async with trading(stores, broker.url) as second:
            await ends(first, session)
            await until(lambda: live(second, session) is not None)
            state = live(second, session)
            assert state is not None
            await has_candles(second, session, len(state.candles) + 2)
            assert live(first, session) is None
            await second.stop(session)
    await folds(stores)
