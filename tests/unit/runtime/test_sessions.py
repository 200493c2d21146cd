"""Sessions from their beginning to their end, with everything that comes between."""

import asyncio
from datetime import timedelta

import pytest

from algoexec.domain.errors import BrokerUnavailable, StoreUnavailable, TokenRefused
from algoexec.domain.instruments import BANK_NIFTY
from algoexec.engine.effects import Status
from algoexec.engine.events import CandleClosed, DayPrepared, ParametersChanged, WarmedUp
from algoexec.ports.credentials import AccessToken
from algoexec.ports.feed import FeedLost, FeedTokenRefused
from algoexec.ports.stores import ActiveSessionExists, Query
from algoexec.runtime.conflicts import SessionIsOver
from algoexec.runtime.running import NEVER_BEGAN
from algoexec.runtime.seat import LONGEST_REQUEST_S
from algoexec.strategy.parameters import Parameters
from tests.unit.runtime.registries import ANN, Link, World, create, ends, known, live, look, reaches
from tests.unit.runtime.scripted import FUTURE
from tests.unit.runtime.warped import START, rest, until, warped

REFUSED = TokenRefused("Invalid token", code="UDAPI100050")


async def at(minute: int, second: float = 0.0) -> None:
    """Return at that second of the day's minute."""
    await World().venue.clock.wait_until(START + timedelta(minutes=minute, seconds=second))


# --- the usual day ---------------------------------------------------------------------------------------------


@warped
async def test_a_session_starts_warms_up_runs_and_is_stopped() -> None:
    world = World()
    await at(30, 20)
    async with world.registry() as registry:
        session = await create(registry)
        assert known(registry, session).status is Status.STARTING
        state = await reaches(registry, session, Status.RUNNING)
        assert len(state.candles) == 30, "those before the start only warm"
        world.play()
        await at(35, 10)
        assert len(known(registry, session).candles) == 35
        view = await registry.stop(session)
        assert (view.row.status, view.row.reason, view.row.is_active) == (Status.STOPPED, "requested", False)
        await ends(registry, session)
    assert await world.row_status(session) == (Status.STOPPED, "requested")
    kinds = [type(entry.record.event) for entry in await world.entries(session)]
    assert kinds[1:3] == [DayPrepared, WarmedUp]
    assert kinds.count(CandleClosed) == 5
    assert await world.stores.tokens.get(session, START) is None, "its token is deleted"
    assert [feed.is_running for feed in world.venue.feeds] == [False]


@warped
async def test_before_the_open_it_is_scheduled_and_ends_with_its_day() -> None:
    world = World()
    async with world.registry() as registry:
        # One begins after the close of the day, the other is of the next one.
        await at(384)
        session = await create(registry)
        state = known(registry, session)
        assert state.status is Status.STARTING
        await at(386)
        await ends(registry, session)
        assert await world.row_status(session) == (Status.STOPPED, "day_over")
        second = await create(registry)
        state = known(registry, second)
        assert state.status is Status.SCHEDULED
        assert state.day.date.day == 25, "the 24th is a holiday"
        await at(2 * 24 * 60 - 16)
        assert known(registry, second).status is Status.SCHEDULED
        assert len(world.venue.feeds) == 1, "until then it needs no connection"
        await at(2 * 24 * 60 - 15, 1)
        assert known(registry, second).status is Status.NEEDS_TOKEN, "03:30 has passed twice"
        await registry.replace_token(second, ANN)
        await reaches(registry, second, Status.WARMING_UP)


@warped
async def test_three_users_of_one_token_share_one_connection() -> None:
    world = World()
    await at(30)
    async with world.registry() as registry:
        sessions = [await create(registry, user) for user in ("ann", "bob", "eve")]
        for session in sessions:
            await reaches(registry, session, Status.RUNNING)
        assert len(world.venue.feeds) == 1
        feed = world.venue.feeds[0]
        tracked = set(known(registry, sessions[0]).tracked)
        assert len(tracked) == 4, "51,000 is the lowest strike listed: it and the next"
        assert set(feed.wanted) == {BANK_NIFTY, FUTURE} | tracked
        await registry.stop(sessions[0])
        await ends(registry, sessions[0])
        assert set(feed.wanted) == {BANK_NIFTY, FUTURE} | tracked
        await registry.stop(sessions[1])
        await registry.stop(sessions[2])
        await ends(registry, sessions[2])
        assert not feed.is_running


# --- creation --------------------------------------------------------------------------------------------------


@warped
async def test_a_user_has_one_session() -> None:
    world = World()
    async with world.registry() as registry:
        session = await create(registry)
        with pytest.raises(ActiveSessionExists) as found:
            await create(registry)
        assert found.value.session_id == session
        await create(registry, "bob")


@warped
async def test_of_two_creations_at_once_one_succeeds() -> None:
    world = World()
    async with world.registry(Link(world.stores)) as registry:
        results = await asyncio.gather(*(create(registry) for _ in range(5)), return_exceptions=True)
        assert sorted(type(result).__name__ for result in results) == [*["ActiveSessionExists"] * 4, "str"]


@warped
async def test_a_refused_token_begins_nothing() -> None:
    world = World()
    async with world.registry() as registry:
        world.venue.market.failures["profile"] = [REFUSED]
        with pytest.raises(TokenRefused):
            await create(registry)
        await create(registry)


@warped
async def test_without_a_venue_nothing_begins() -> None:
    world = World()
    async with world.registry() as registry:
        await rest()
        world.venue.names = [BrokerUnavailable("nobody there")]
        with pytest.raises(BrokerUnavailable):
            await create(registry)
        await create(registry)


@warped
async def test_a_broker_that_does_not_answer_is_waited_for() -> None:
    world = World()
    await at(30)
    async with world.registry() as registry:
        world.venue.market.failures["profile"] = [BrokerUnavailable("down")]
        world.venue.market.failures["contracts"] = [BrokerUnavailable("down")] * 5
        session = await create(registry)
        await rest()
        assert known(registry, session).status is Status.STARTING
        await reaches(registry, session, Status.RUNNING)


@warped
async def test_a_database_that_goes_away_while_a_session_is_begun_leaves_nothing_half_done() -> None:
    world = World()
    link = Link(world.stores)
    async with world.registry(link) as registry:
        link.held.clear()
        began = asyncio.get_running_loop().time()
        with pytest.raises(StoreUnavailable):
            await create(registry)
        assert asyncio.get_running_loop().time() - began < 10, "well within the lease"
        link.held.set()
        await asyncio.sleep(20)
        # What was under way became durable: then it is a session like any other.
        with pytest.raises(ActiveSessionExists) as found:
            await create(registry)
        assert known(registry, found.value.session_id).status is not Status.FAILED
        await registry.stop(found.value.session_id)
        await create(registry)


@warped
async def test_a_session_whose_first_record_was_never_written_fails_and_is_in_nobodys_way() -> None:
    world = World()
    link = Link(world.stores)
    async with world.registry(link) as registry:
        link.held.clear()
        creating = asyncio.create_task(create(registry))
        await rest()
        link.is_up = False
        link.held.set()
        with pytest.raises(StoreUnavailable):
            await creating
        link.is_up = True
        (row,) = (await world.stores.sessions.list(Query())).items
        assert await world.entries(row.id) == []
        await until(lambda: registry.health().store.ok)
        with pytest.raises(ActiveSessionExists):
            await create(registry)
        await asyncio.sleep(20)
        assert await world.row_status(row.id) == (Status.FAILED, NEVER_BEGAN)
        await create(registry)


# --- tokens ----------------------------------------------------------------------------------------------------


@warped
async def test_without_a_token_it_asks_for_one_and_then_decides_everything_since_its_start() -> None:
    world = World()
    await at(20, 20)
    async with world.registry() as registry:
        world.play()
        session = await create(registry, token=None)
        await reaches(registry, session, Status.NEEDS_TOKEN)
        await at(24, 30)
        await registry.replace_token(session, ANN)
        state = await reaches(registry, session, Status.RUNNING)
        await until(lambda: len(known(registry, session).candles) == 24)
        decided = [e.record.event for e in await world.entries(session) if isinstance(e.record.event, CandleClosed)]
        assert [event.candle.closed_at for event in decided] == [START + timedelta(minutes=n) for n in (21, 22, 23, 24)]
        assert state.started_at == START + timedelta(minutes=20, seconds=20)


@pytest.mark.parametrize("where", ["feed", "chain", "bars_today"])
@warped
async def test_a_token_that_dies_is_asked_for_anew_wherever_it_was_noticed(where: str) -> None:
    world = World()
    await at(30, 20)
    async with world.registry() as registry:
        world.play()
        sessions = [await create(registry, user) for user in ("ann", "bob")]
        for session in sessions:
            await reaches(registry, session, Status.RUNNING)
        if where == "feed":
            world.venue.feeds[0].say(FeedTokenRefused(detail="401"))
        else:
            world.venue.market.failures[where] = [REFUSED]
            world.venue.feeds[0].say(FeedLost(detail="cut"))
        for session in sessions:
            await reaches(registry, session, Status.NEEDS_TOKEN)
        assert not world.venue.feeds[0].is_running
        await registry.replace_token(sessions[0], AccessToken("new"))
        await reaches(registry, sessions[0], Status.RUNNING)
        assert known(registry, sessions[1]).status is Status.NEEDS_TOKEN
        assert len(world.venue.feeds) == 2


@warped
async def test_a_refused_new_token_leaves_it_waiting() -> None:
    world = World()
    async with world.registry() as registry:
        session = await create(registry, token=None)
        await reaches(registry, session, Status.NEEDS_TOKEN)
        world.venue.market.failures["profile"] = [REFUSED]
        with pytest.raises(TokenRefused):
            await registry.replace_token(session, ANN)
        assert known(registry, session).status is Status.NEEDS_TOKEN
        assert await world.stores.tokens.get(session, START) is None


@warped
async def test_a_token_handed_in_before_the_old_one_dies_is_used_when_it_does() -> None:
    world = World()
    await at(30)
    async with world.registry() as registry:
        session = await create(registry)
        await reaches(registry, session, Status.RUNNING)
        await registry.replace_token(session, AccessToken("new"))
        world.venue.feeds[0].say(FeedTokenRefused(detail="401"))
        await until(lambda: len(world.venue.feeds) == 2 and world.venue.feeds[1].is_running)
        assert known(registry, session).status is Status.RUNNING
        statuses = [e.record.event for e in await world.entries(session)]
        assert not any(type(event).__name__ == "TokenRejected" for event in statuses)


# --- commands --------------------------------------------------------------------------------------------------


@warped
async def test_halting_and_resuming_are_journaled_and_seen_at_once() -> None:
    world = World()
    async with world.registry() as registry:
        session = await create(registry)
        view = await registry.halt(session, by="ann", reason="lunch")
        assert view.state is not None
        assert view.state.halted == "lunch (by ann)"
        assert (await look(registry, session)).state == view.state
        view = await registry.resume(session, by="ann")
        assert view.state is not None
        assert view.state.halted is None


@warped
async def test_changed_parameters_are_journaled_and_hold_from_the_next_candle() -> None:
    world = World()
    await at(30)
    async with world.registry() as registry:
        session = await create(registry)
        await reaches(registry, session, Status.RUNNING)
        changed = Parameters()._replace(lock_minutes=9)
        view = await registry.change_parameters(session, changed)
        assert view.state is not None
        assert view.state.parameters == changed
        last = (await world.entries(session))[-1].record.event
        assert last == ParametersChanged(parameters=changed)


@warped
async def test_commands_while_a_session_stops_are_answered_and_change_nothing() -> None:
    world = World()
    link = Link(world.stores)
    async with world.registry(link) as registry:
        session = await create(registry)
        await rest()
        link.held.clear()
        commands = [
            asyncio.create_task(registry.stop(session)),
            asyncio.create_task(registry.halt(session, by="ann", reason="late")),
            asyncio.create_task(registry.stop(session)),
        ]
        await rest()
        link.held.set()
        views = await asyncio.gather(*commands)
        assert {view.row.status for view in views} == {Status.STOPPED}
        assert views[1].state is not None
        assert asyncio.get_running_loop().time() < 5
        with pytest.raises(SessionIsOver):
            await registry.stop(session)


@warped
async def test_a_command_never_waits_for_a_session_that_has_ended() -> None:
    """Between its last record and its lease given back a session is still here, but reads no command."""
    world = World()
    link = Link(world.stores)
    async with world.registry(link) as registry:
        session = await create(registry)
        await rest()
        stopping = asyncio.create_task(registry.stop(session))
        runner = registry._running.get(session)
        assert runner is not None
        await until(lambda: runner.state.status.is_over)
        for _ in range(30):
            if live(registry, session) is None:
                break
            with pytest.raises(SessionIsOver):
                await registry.halt(session, by="ann", reason="late")
            await asyncio.sleep(0)
        await stopping
        assert (await runner.ask(CandleClosed(candle=None))).state.status is Status.STOPPED  # type: ignore[arg-type]


@warped
async def test_a_command_that_the_journal_does_not_answer_is_said_to_take_effect_later_and_does() -> None:
    world = World()
    link = Link(world.stores)
    async with world.registry(link) as registry:
        session = await create(registry)
        await rest()
        link.held.clear()
        with pytest.raises(StoreUnavailable, match="takes effect when it does"):
            await registry.halt(session, by="ann", reason="now")
        assert known(registry, session).halted is None
        link.held.set()
        await until(lambda: known(registry, session).halted == "now (by ann)")


@warped
async def test_while_the_journal_cannot_be_written_commands_are_refused_and_nothing_is_lost() -> None:
    world = World()
    await at(30)
    link = Link(world.stores)
    async with world.registry(link) as registry:
        world.play()
        session = await create(registry)
        await reaches(registry, session, Status.RUNNING)
        await at(31, 10)
        before = known(registry, session)
        published = registry.hub.published
        link.is_up = False
        await at(33, 30)
        assert known(registry, session) == before, "nothing unrecorded is done"
        assert registry.hub.published == published, "nor told"
        assert not registry.health().store.ok
        assert "unwritable" in str(registry.health().store.detail)
        for command in (
            registry.halt(session, by="ann", reason="x"),
            registry.resume(session, by="ann"),
            registry.change_parameters(session, Parameters()._replace(lock_minutes=9)),
            registry.replace_token(session, AccessToken("new")),
            registry.stop(session),
        ):
            with pytest.raises(StoreUnavailable):
                await command
        with pytest.raises(StoreUnavailable):
            await create(registry, "bob")
        link.is_up = True
        await at(35, 10)
        state = known(registry, session)
        assert len(state.candles) == 35
        assert state.halted is None
        assert state.parameters == Parameters()
        assert registry.health().store.ok
        assert await world.stores.tokens.get(session, START) == ANN


@warped
async def test_while_the_journal_alone_cannot_be_written_nothing_is_half_done() -> None:
    world = World()
    await at(30)
    link = Link(world.stores)
    async with world.registry(link) as registry:
        world.play()
        session = await create(registry)
        await reaches(registry, session, Status.RUNNING)
        link.takes_records = False
        await until(lambda: not registry.health().store.ok)
        with pytest.raises(StoreUnavailable):
            await create(registry, "bob")
        assert [row.user_id for row in (await world.stores.sessions.list(Query())).items] == ["ann"]
        with pytest.raises(StoreUnavailable):
            await registry.replace_token(session, AccessToken("new"))
        assert await world.stores.tokens.get(session, START) == ANN
        link.takes_records = True
        await until(lambda: registry.health().store.ok)
        await registry.replace_token(session, AccessToken("new"))
        await create(registry, "bob")


@warped
async def test_a_write_whose_answer_was_lost_is_not_done_twice() -> None:
    world = World()
    await at(30)
    link = Link(world.stores)
    async with world.registry(link) as registry:
        world.play()
        session = await create(registry)
        await reaches(registry, session, Status.RUNNING)
        link.loses_answers = True
        await at(32, 30)
        link.loses_answers = False
        await at(34, 10)
        assert len(known(registry, session).candles) == 34


@warped
async def test_a_stop_is_answered_also_while_the_lists_cannot_be_written() -> None:
    world = World()
    link = Link(world.stores)
    async with world.registry(link) as registry:
        session = await create(registry)
        await reaches(registry, session, Status.WARMING_UP)
        failing: list[str] = []

        async def refuse(*_: object) -> None:
            failing.append("x")
            raise StoreUnavailable("down for lists")

        link.projections.project = refuse  # type: ignore[attr-defined]
        view = await registry.stop(session)
        assert view.row.status is Status.STOPPED
        assert failing


# --- trouble ---------------------------------------------------------------------------------------------------


@warped
async def test_a_desk_that_fails_is_opened_again_but_not_in_a_hurry() -> None:
    world = World()
    await at(30)
    async with world.registry() as registry:
        session = await create(registry)
        await reaches(registry, session, Status.RUNNING)
        for _ in range(5):
            world.venue.feeds[-1].say(ZeroDivisionError("a bug"))
            opened = len(world.venue.feeds)
            failed_at = world.venue.clock.now()
            await until(lambda: len(world.venue.feeds) > opened)  # noqa: B023 - it is awaited here
            assert world.venue.clock.now() - failed_at >= timedelta(seconds=9)
            await until(lambda: world.venue.feeds[-1].is_running)
        assert known(registry, session).status is Status.RUNNING


@warped
async def test_a_token_that_cannot_be_read_now_is_read_later() -> None:
    world = World()
    await at(30)
    link = Link(world.stores)
    async with world.registry(link) as registry:
        world.play()
        session = await create(registry)
        await reaches(registry, session, Status.RUNNING)
        runner = registry._running.get(session)
        world.venue.feeds[0].say(ZeroDivisionError("a bug"))
        await rest()
        link.is_up = False
        await asyncio.sleep(60)
        link.is_up = True
        await at(35, 10)
        assert len(known(registry, session).candles) == 35
        assert world.venue.feeds[-1].is_running
        assert registry._running.get(session) is runner, "it need not be taken up again"


@warped
async def test_when_the_venue_is_another_run_its_sessions_end() -> None:
    world = World()
    async with world.registry() as registry:
        session = await create(registry)
        world.venue.names += [BrokerUnavailable("restarting"), BrokerUnavailable("still"), *["another run"] * 99]
        await until(lambda: not registry.health().venue.ok)
        assert known(registry, session).status is not Status.STOPPED
        await ends(registry, session)
        assert await world.row_status(session) == (Status.STOPPED, "venue_gone")
        await until(lambda: registry.health().venue.ok)


@warped
async def test_a_venue_that_does_not_answer_does_not_cost_the_leases() -> None:
    world = World()
    async with world.registry() as registry:
        session = await create(registry)

        async def hang() -> str:
            await asyncio.sleep(60)
            return "scripted"

        world.venue.name = hang  # type: ignore[method-assign]
        await until(lambda: not registry.health().venue.ok)
        for _ in range(30):
            row = await world.stores.sessions.get(session)
            assert row is not None
            assert row.lease_until is not None
            assert row.lease_until > START + timedelta(seconds=asyncio.get_running_loop().time())
            await asyncio.sleep(1)


@warped
async def test_a_session_is_surely_ours_long_enough_for_an_order_from_its_first_second_on() -> None:
    world = World()
    async with world.registry() as registry:
        await asyncio.sleep(0.5)  # the keeper sleeps
        session = await create(registry)
        runner = registry._running.get(session)
        assert runner is not None
        for _ in range(50):
            assert runner.lease_until > asyncio.get_running_loop().time() + LONGEST_REQUEST_S
            await asyncio.sleep(0.2)


# --- the chain -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("interest", "strikes"), [(None, 0), ((0, 0), 0), ((0, 900), 6)])
@warped
async def test_a_chain_without_open_interest_of_calls_is_kept_as_unknown(
    interest: tuple[int, int] | None, strikes: int
) -> None:
    world = World()
    await at(30)
    world.venue.market.open_interest = interest
    async with world.registry() as registry:
        session = await create(registry)
        await reaches(registry, session, Status.RUNNING)
        await until(lambda: bool(known(registry, session).readings))
        reading = known(registry, session).readings[-1]
        assert (reading.pcr, reading.strikes) == (None, strikes)
        assert reading.spot is (None if interest is None else reading.spot)
        await registry.stop(session)
