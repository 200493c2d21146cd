"""Sessions at a simulator that plays: their beginning, their tokens, their venue."""

from contextlib import AsyncExitStack
from datetime import timedelta
from itertools import pairwise

import pytest

from algoexec.adapters.memory import MemoryStores
from algoexec.domain.charges import breakeven_points
from algoexec.domain.errors import BrokerUnavailable, TokenRefused
from algoexec.engine.effects import Status
from algoexec.engine.events import CandleClosed
from algoexec.ports.credentials import AccessToken
from algoexec.ports.stores import ActiveSessionExists, Query
from algoexec.simulator.server import RunningSimulator
from algoexec.simulator.users import User
from tests.integration.runtime.trading import (
    ANN,
    create,
    ends,
    folds,
    has_candles,
    live,
    reaches,
    said,
    simulator,
    trading,
    until,
)


def cut(broker: RunningSimulator) -> None:
    """Abort every feed socket: no close frame, no goodbye."""
    for subscriber in tuple(broker.broker.hub._subscribers):
        assert subscriber._uplink is not None
        subscriber._uplink.abort()


async def test_a_session_runs_at_the_simulator_until_it_is_stopped() -> None:
    stores = MemoryStores()
    async with simulator("09:50") as broker, trading(stores, broker.url) as registry:
        session = await create(registry)
        state = await reaches(registry, session, Status.RUNNING)
        before = len(state.candles)
        assert before >= 35, "from 09:15 on"
        state = await has_candles(registry, session, before + 3)
        assert len(state.tracked) == 6
        view = await registry.stop(session)
        assert view.row.status is Status.STOPPED
        await ends(registry, session)
        await until(lambda: not broker.broker.hub._subscribers)
    await folds(stores)


async def test_one_token_of_three_users_is_one_connection() -> None:
    stores = MemoryStores()
    async with simulator("09:50") as broker, trading(stores, broker.url) as registry:
        sessions = [await create(registry, user) for user in ("ann", "bob", "eve")]
        with pytest.raises(ActiveSessionExists):
            await create(registry, "bob")
        for session in sessions:
            await reaches(registry, session, Status.RUNNING)
        assert broker.broker.hub.connections(User("ann")) == 1
        assert len(broker.broker.hub._subscribers) == 1
        (subscriber,) = broker.broker.hub._subscribers
        await registry.stop(sessions[0])
        await ends(registry, sessions[0])
        assert broker.broker.hub._subscribers == [subscriber]
        await registry.stop(sessions[1])
        await registry.stop(sessions[2])
        await until(lambda: not broker.broker.hub._subscribers)
    await folds(stores)


async def test_stopped_and_begun_again_at_once_it_does_not_find_the_feed_taken() -> None:
    stores = MemoryStores()
    async with simulator("09:50") as broker, trading(stores, broker.url) as registry:
        for _ in range(4):
            session = await create(registry)
            await reaches(registry, session, Status.RUNNING)
            await registry.stop(session)
        for row in (await registry.list(Query())).items:
            for entry in await stores.journal.read(row.row.id):
                assert "FEED_TAKEN" not in str(entry.record.event)
    await folds(stores)


async def test_a_token_that_the_broker_refuses_begins_nothing() -> None:
    stores = MemoryStores()
    async with simulator() as broker, trading(stores, broker.url) as registry:
        for token in ("bad-1", "expired-1"):
            with pytest.raises(TokenRefused):
                await create(registry, token=AccessToken(token))
        assert (await registry.list(Query())).items == ()


async def test_without_a_token_it_waits_and_then_decides_all_since_its_start() -> None:
    stores = MemoryStores()
    async with simulator("09:50", speed=120.0) as broker, trading(stores, broker.url) as registry:
        session = await create(registry, token=None)
        state = await reaches(registry, session, Status.NEEDS_TOKEN)
        await until(lambda: broker.broker.clock.now_ms / 1000 - state.started_at.timestamp() > 150)
        with pytest.raises(TokenRefused):
            await registry.replace_token(session, AccessToken("bad-one"))
        await registry.replace_token(session, ANN)
        await has_candles(registry, session, 39)
        decided = [
            entry.record.event.candle
            for entry in await stores.journal.read(session)
            if isinstance(entry.record.event, CandleClosed)
        ]
        assert decided[0].closed_at > state.started_at
        assert (decided[0].closed_at - state.started_at).total_seconds() <= 60
        gaps = {(b.start - a.start).total_seconds() for a, b in pairwise(decided)}
        assert gaps == {60.0}
    await folds(stores)


async def test_a_token_that_dies_is_replaced_and_nothing_is_missed(monkeypatch: pytest.MonkeyPatch) -> None:
    stores = MemoryStores()
    async with simulator("09:50", speed=60.0) as broker, trading(stores, broker.url) as registry:
        sessions = [await create(registry, user) for user in ("ann", "bob")]
        for session in sessions:
            await reaches(registry, session, Status.RUNNING)
        monkeypatch.setattr("algoexec.simulator.users._REFUSED", ("bad-", "expired-", "user:ann"))
        cut(broker)
        states = [await reaches(registry, session, Status.NEEDS_TOKEN) for session in sessions]
        assert all(state.reason for state in states)
        known = len(states[0].candles)
        await until(lambda: not broker.broker.hub._subscribers)
        for session in sessions:
            await registry.replace_token(session, AccessToken("user:new"))
            await has_candles(registry, session, known + 2)
        assert broker.broker.hub.connections(User("new")) == 1
    await folds(stores)


async def test_with_no_simulator_nothing_begins_and_with_one_it_does() -> None:
    stores = MemoryStores()
    async with simulator("09:50") as gone:
        pass
    async with trading(stores, gone.url) as registry:
        with pytest.raises(BrokerUnavailable):
            await create(registry)
        await until(lambda: not registry.health().venue.ok)
        async with simulator("09:50", like=gone):
            session = await create(registry)
            await reaches(registry, session, Status.RUNNING)


async def test_a_simulator_that_comes_back_as_another_run_has_lost_its_sessions() -> None:
    stores = MemoryStores()
    async with simulator("09:50") as first, trading(stores, first.url) as registry:
        session = await create(registry)
        await reaches(registry, session, Status.RUNNING)
    async with trading(stores, first.url) as registry:
        await until(lambda: live(registry, session) is not None)
        await until(lambda: not registry.health().venue.ok)
        async with simulator("09:50", like=first):
            await ends(registry, session)
            row = await stores.sessions.get(session)
            assert row is not None
            assert (row.status, row.reason) == (Status.STOPPED, "venue_gone")
            second = await create(registry)
            await reaches(registry, second, Status.RUNNING)
            state = live(registry, second)
            assert state is not None
            assert state.venue != row.venue
    await folds(stores)


async def test_a_simulator_that_restarts_under_a_running_session_ends_it() -> None:
    stores = MemoryStores()
    async with AsyncExitStack() as stack:
        first = await stack.enter_async_context(simulator("09:50"))
        async with trading(stores, first.url) as registry:
            session = await create(registry)
            await reaches(registry, session, Status.RUNNING)
            await stack.aclose()
            async with simulator("09:50", like=first):
                await ends(registry, session)
                row = await stores.sessions.get(session)
                assert row is not None
                assert (row.status, row.reason) == (Status.STOPPED, "venue_gone")
    await folds(stores)


async def test_a_market_that_has_closed_schedules_for_the_next_day() -> None:
    stores = MemoryStores()
    async with simulator("15:41") as broker, trading(stores, broker.url) as registry:
        session = await create(registry)
        state = live(registry, session)
        assert state is not None
        assert state.status is Status.SCHEDULED
        assert state.day.date == broker.broker.exchange.day.calendar.next_day(broker.broker.clock.now()).date
        assert not broker.broker.hub._subscribers


async def test_a_day_ends_when_its_derivatives_have_closed() -> None:
    stores = MemoryStores()
    async with simulator("15:38") as broker, trading(stores, broker.url) as registry:
        session = await create(registry)
        await ends(registry, session)
        row = await stores.sessions.get(session)
        assert row is not None
        assert (row.status, row.reason) == (Status.STOPPED, "day_over")
    await folds(stores)


async def test_before_the_market_wakes_it_is_scheduled_and_then_it_starts() -> None:
    stores = MemoryStores()
    async with simulator("08:59:50") as broker, trading(stores, broker.url) as registry:
        session = await create(registry)
        state = live(registry, session)
        assert state is not None
        assert state.status is Status.SCHEDULED
        await reaches(registry, session, Status.WARMING_UP)
        await has_candles(registry, session, 1)
    await folds(stores)


async def test_a_session_that_trades_nothing_says_what_a_trade_would_have_to_gain() -> None:
    stores = MemoryStores()
    async with simulator("09:40", speed=120.0) as broker, trading(stores, broker.url) as registry:
        session = await create(registry)
        state = await has_candles(registry, session, 60)
        signals = [one for one in await said(stores, session) if one.decided_at - one.at < timedelta(seconds=5)]
    assert len(signals) > 3
    assert state.contracts is not None
    lots = {option.key: option.lot for option in state.contracts.options}
    for signal in signals:
        assert signal.instrument is not None
        assert signal.premium is not None, "the options near the money are followed in every mode"
        lot = lots[signal.instrument]
        assert signal.breakeven_points == breakeven_points(on=state.day.date, premium=signal.premium, units=lot)
