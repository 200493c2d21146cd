"""Sessions outlive the process that runs them, and never have two masters."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from algoexec.domain.errors import FenceLost
from algoexec.engine.effects import Frame, Status
from algoexec.engine.events import CandleClosed, Halted, Mode, TokenRejected
from algoexec.ports.stores import JournalEntry, Query, SessionRow
from algoexec.runtime.conflicts import SessionIsOver
from algoexec.runtime.recovery import fold
from algoexec.runtime.registry import Registry
from algoexec.runtime.running import LEASE, NEVER_BEGAN, UNREADABLE
from algoexec.strategy.decision import Ledger
from tests.contract.given import alert
from tests.unit.runtime.registries import Link, World, create, elsewhere, ends, known, live, look, reaches
from tests.unit.runtime.warped import START, rest, until, warped


async def at(minute: int, second: float = 0.0) -> None:
    """Return at that second of the day's minute."""
    await World().venue.clock.wait_until(START + timedelta(minutes=minute, seconds=second))


def bodies(entries: Sequence[JournalEntry]) -> list[object]:
    """Return what the session said of candles and signals: the rest depends on when it was away."""
    frames = [frame for entry in entries for frame in entry.frames]
    return [_without_names(frame) for frame in frames if frame.type in ("candle", "signal", "rejection")]


def _without_names(frame: Frame) -> object:
    body: Any = frame.body
    if frame.type == "candle":
        return (body.start, body.open, body.high, body.low, body.close)
    return (body.at, body.side, body.pattern, body.reason, body.price)


@asynccontextmanager
async def two_hosts(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[tuple[Registry, Link, Registry, Link]]:
    """Run two registries that know nothing of each other but what is stored."""
    async with AsyncExitStack() as stack:
        links = Link(world.stores), Link(world.stores)
        elsewhere(monkeypatch, "host-a")
        first = await stack.enter_async_context(world.registry(links[0]))
        elsewhere(monkeypatch, "host-b")
        second = await stack.enter_async_context(world.registry(links[1]))
        yield first, links[0], second, links[1]


# --- going on --------------------------------------------------------------------------------------------------


@warped
async def test_a_restart_goes_on_where_it_was_and_decides_what_it_has_missed() -> None:
    whole, broken = World(), World()
    await at(30)
    async with whole.registry() as registry:
        whole.play()
        undisturbed = await create(registry)
        broken.play()
        async with broken.registry() as first:
            session = await create(first)
            await at(33, 20)
            state = known(first, session)
        assert await broken.row_status(session) == (Status.RUNNING, None), "it is left, not ended"
        row = await broken.stores.sessions.get(session)
        assert row is not None
        assert row.owner is None, "its lease is given back"
        await at(36, 20)
        async with broken.registry() as second:
            await reaches(second, session, Status.RUNNING)
            assert known(second, session).seq >= state.seq
            await at(40, 10)
            assert len(known(second, session).candles) == 40
            assert await broken.folded(session) == known(second, session)
            row = await broken.stores.sessions.get(session)
            assert row is not None
            assert row.epoch == 2
    assert bodies(await broken.entries(session)) == bodies(await whole.entries(undisturbed))


@warped
async def test_a_restart_in_the_middle_of_a_commit_loses_and_repeats_nothing() -> None:
    """The record is durable, but who wrote it never heard so."""
    world = World()
    await at(30)
    world.play()
    link = Link(world.stores)
    async with world.registry(link) as first:
        session = await create(first)
        await reaches(first, session, Status.RUNNING)
        link.loses_answers = True
        await at(31, 10)
        counted = known(first, session).seq
        assert len(await world.entries(session)) > counted
    async with world.registry() as second:
        await at(33, 10)
        state = known(second, session)
        assert len(state.candles) == 33
        assert await world.folded(session) == state
        projected = await world.stores.projections.projected(session)
        assert projected == state.seq
    closed = [e.record.event.candle for e in await world.entries(session) if isinstance(e.record.event, CandleClosed)]
    assert len({candle.start for candle in closed}) == len(closed)


@warped
async def test_leaving_waits_for_the_insert_under_way_so_that_the_next_owner_reads_it() -> None:
    world = World()
    link = Link(world.stores)
    async with AsyncExitStack() as stack:
        first = await stack.enter_async_context(world.registry(link))
        session = await create(first)
        await reaches(first, session, Status.WARMING_UP)
        link.held.clear()
        halting = asyncio.create_task(first.halt(session, by="ann", reason="now"))
        await rest()
        leaving = asyncio.create_task(stack.aclose())
        await rest()
        with pytest.raises(FenceLost):
            await halting  # at once: nobody is going to answer it any more
        row = await world.stores.sessions.get(session)
        assert row is not None
        assert row.owner is not None, "the lease is ours until it is known what was written"
        link.held.set()
        await leaving
    async with world.registry() as second:
        await reaches(second, session, Status.WARMING_UP)
        assert known(second, session).halted == "now (by ann)"


@warped
async def test_what_is_being_left_is_not_taken_up_again_by_the_same_process() -> None:
    world = World()
    link = Link(world.stores)
    async with AsyncExitStack() as stack:
        first = await stack.enter_async_context(world.registry(link))
        sessions = [await create(first, f"user{n}") for n in range(40)]
        await rest()
        released: list[float] = []
        release = link.sessions.release  # type: ignore[attr-defined]

        async def slowly(*args: Any) -> None:
            await release(*args)
            released.append(asyncio.get_running_loop().time())
            await asyncio.sleep(0.1)

        link.sessions.release = slowly  # type: ignore[attr-defined]
        await stack.aclose()
    assert released[-1] - released[0] > 3, "longer than the keeper sleeps"
    for session in sessions:
        row = await world.stores.sessions.get(session)
        assert row is not None
        assert row.owner is None


@warped
async def test_a_session_that_had_ended_but_whose_lists_had_not_heard_is_caught_up_on() -> None:
    world = World()
    link = Link(world.stores)
    async with world.registry(link) as first:
        session = await create(first)
        await reaches(first, session, Status.WARMING_UP)
        link.snapshots.save = link.sessions.set_status = link.projections.project = _never  # type: ignore[attr-defined]
        stopping = asyncio.create_task(first.stop(session))
        await until(lambda: live(first, session) is not None and known(first, session).status is Status.STOPPED)
        await stopping
    assert (await world.row_status(session))[0] is not Status.STOPPED
    async with world.registry() as second:
        await asyncio.sleep(1)
        await ends(second, session)
        assert await world.row_status(session) == (Status.STOPPED, "requested")
        assert await world.stores.projections.projected(session) == len(await world.entries(session))
        assert await world.stores.tokens.get(session, START) is None
        await create(second)


async def _never(*_: object) -> None:
    await asyncio.Event().wait()


# --- leases ----------------------------------------------------------------------------------------------------


@warped
async def test_a_lease_is_believed_until_it_expires(monkeypatch: pytest.MonkeyPatch) -> None:
    world = World()
    async with two_hosts(world, monkeypatch) as (first, link, second, _):
        session = await create(first)
        await asyncio.sleep(60)
        assert live(second, session) is None, "it is renewed"
        link.is_up = False
        row = await world.stores.sessions.get(session)
        assert row is not None
        assert row.lease_until is not None
        left = (row.lease_until - START).total_seconds() - asyncio.get_running_loop().time()
        assert 6 < left <= LEASE.total_seconds()
        await asyncio.sleep(left - 0.1)
        assert live(second, session) is None
        await asyncio.sleep(3.5)
        assert live(second, session) is not None


@warped
async def test_who_has_lost_its_lease_lets_go_and_writes_nothing_more(monkeypatch: pytest.MonkeyPatch) -> None:
    world = World()
    await at(30)
    world.play()
    async with two_hosts(world, monkeypatch) as (first, link, second, _):
        session = await create(first)
        await reaches(first, session, Status.RUNNING)
        link.is_up = False
        halting = asyncio.create_task(first.halt(session, by="ann", reason="was never written"))
        await at(31, 10)
        await at(33, 10)
        assert live(second, session) is not None
        (outcome,) = await asyncio.gather(halting, return_exceptions=True)
        assert isinstance(outcome, Exception)
        link.is_up = True
        await ends(first, session)
        await at(36, 10)
        state = known(second, session)
        assert state.halted is None
        assert len(state.candles) == 36
        assert {entry.epoch for entry in await world.entries(session)} == {1, 2}
        assert await world.folded(session) == state
        # Both hosts follow the market with the same token; the one that let go holds no connection.
        assert [feed.is_running for feed in world.venue.feeds] == [False, True]


@warped
async def test_a_lease_that_was_taken_away_stops_the_session_here(monkeypatch: pytest.MonkeyPatch) -> None:
    world = World()
    await at(30)
    elsewhere(monkeypatch, "host-a")
    async with world.registry() as registry:
        one, other = await create(registry, "ann"), await create(registry, "bob")
        for session in (one, other):
            await reaches(registry, session, Status.RUNNING)
        feed = world.venue.feeds[0]
        assert len(feed.wanted) > 2
        row = await world.stores.sessions.get(one)
        assert row is not None
        now = START + timedelta(seconds=asyncio.get_running_loop().time())
        await world.stores.sessions.release(one, row.owner or "")
        await world.stores.sessions.claim(one, "host-b/1/life", now, now + timedelta(hours=1))
        await ends(registry, one)
        with pytest.raises(Exception, match=one):
            await registry.halt(one, by="ann", reason="not here")
        assert feed.is_running, "the other still uses it"
        assert known(registry, other).status is Status.RUNNING
        await registry.stop(other)
        await ends(registry, other)
        assert len(feed.wanted) == 2, "who let go has let go of its instruments, too"


@warped
async def test_a_foreign_record_in_our_journal_stops_us_until_the_journal_is_read_anew() -> None:
    world = World()
    link = Link(world.stores)
    async with world.registry(link) as registry:
        session = await create(registry)
        state = await reaches(registry, session, Status.WARMING_UP)
        await rest()
        state = known(registry, session)
        foreign = (await world.entries(session))[-1]
        record = replace(foreign.record, seq=state.seq + 1, event=Halted(by="eve", reason="foreign"))
        written = fold(state, [replace(foreign, record=record)])
        assert written is not None
        frame = Frame(number=state.frames + 1, at=record.at, body=alert())
        await world.stores.journal.append([replace(foreign, epoch=7, record=record, effects=(), frames=(frame,))])
        with pytest.raises(FenceLost):
            await registry.halt(session, by="ann", reason="ours")
        await ends(registry, session)
        assert await world.stores.tokens.get(session, START) is not None, "somebody is going to need it"
        await asyncio.sleep(LEASE.total_seconds() + 4)
        assert known(registry, session).halted is not None
        assert "reads otherwise" in str(known(registry, session).halted), "the frame is not what we would have said"
        # Not the same in every fold, as a stranger wrote it.
        await registry.stop(session)
        world.check = _nothing  # type: ignore[method-assign]


async def _nothing() -> None:
    return


# --- what cannot go on -----------------------------------------------------------------------------------------


def row(id_: str = "neverbegan", **fields: Any) -> SessionRow:
    given: dict[str, Any] = {
        "user_id": "ann",
        "venue": "scripted",
        "mode": Mode.SIGNALS,
        "status": Status.STARTING,
        "is_active": True,
        "created_at": START,
        "day": "2026-11-23",
    }
    return SessionRow(id=id_, **{**given, **fields})


@warped
async def test_a_session_that_died_before_its_first_record_has_failed_and_its_user_starts_again() -> None:
    world = World()
    owner = "elsewhere/1/life"
    await world.stores.sessions.create(row(owner=owner, epoch=1, lease_until=START + timedelta(seconds=7)))
    async with world.registry() as registry:
        await asyncio.sleep(5)
        assert (await world.row_status("neverbegan"))[0] is Status.STARTING
        await asyncio.sleep(6)
        assert await world.row_status("neverbegan") == (Status.FAILED, NEVER_BEGAN)
        view = await look(registry, "neverbegan")
        assert (view.row.is_active, view.state) == (False, None)
        with pytest.raises(SessionIsOver):
            await registry.stop("neverbegan")
        await create(registry)


@warped
async def test_where_code_and_journal_disagree_the_journal_stands_and_the_session_is_halted() -> None:
    world = World()
    async with world.registry() as first:
        session = await create(first)
        await reaches(first, session, Status.WARMING_UP)
    kept = world.stores.journal._kept[session]
    seq = next(seq for seq, entry in kept.items() if entry.frames and seq > 1)
    kept[seq] = replace(kept[seq], frames=tuple(replace(frame, body=alert()) for frame in kept[seq].frames))
    world.stores.snapshots._newest.clear()
    world.check = _nothing  # type: ignore[method-assign]
    async with world.registry() as second:
        await until(lambda: live(second, session) is not None and known(second, session).halted is not None)
        assert known(second, session).halted == f"record {seq} reads otherwise in this version (by service)"
        numbers = [frame.number for entry in await world.entries(session) for frame in entry.frames]
        assert numbers == list(range(1, len(numbers) + 1))


@warped
async def test_a_number_that_was_seen_is_never_given_out_again() -> None:
    """An older version said more than today's would: what it has numbered stays numbered."""
    world = World()
    async with world.registry() as first:
        session = await create(first)
        await reaches(first, session, Status.WARMING_UP)
    kept = world.stores.journal._kept[session]
    last = kept[max(kept)]
    newest = max(frame.number for entry in kept.values() for frame in entry.frames)
    extra = tuple(Frame(number=newest + n, at=last.record.at, body=alert()) for n in (1, 2, 3))
    kept[max(kept)] = replace(last, frames=(*last.frames, *extra))
    world.stores.snapshots._newest.clear()
    world.check = _nothing  # type: ignore[method-assign]
    async with world.registry() as second:
        await until(lambda: live(second, session) is not None and known(second, session).halted is not None)
        numbers = [frame.number for entry in await world.entries(session) for frame in entry.frames]
        assert numbers == list(range(1, len(numbers) + 1))
        assert known(second, session).frames == numbers[-1]


@pytest.mark.parametrize("damage", ["gap", "second creation"])
@warped
async def test_a_journal_that_cannot_be_read_fails_its_session_and_no_other(damage: str) -> None:
    world = World()
    async with world.registry() as first:
        bad, good = await create(first, "ann"), await create(first, "bob")
        for session in (bad, good):
            await reaches(first, session, Status.WARMING_UP)
    kept = world.stores.journal._kept[bad]
    if damage == "gap":
        del kept[2]
    else:
        kept[2] = replace(kept[2], record=replace(kept[2].record, event=kept[1].record.event))
    world.stores.snapshots._newest.clear()
    world.check = _nothing  # type: ignore[method-assign]
    async with world.registry() as second:
        await reaches(second, good, Status.WARMING_UP)
        assert await world.row_status(bad) == (Status.FAILED, UNREADABLE)
        assert live(second, bad) is None
        await asyncio.sleep(30)
        assert known(second, good).status is Status.WARMING_UP, "leases are kept all the same"
        assert second.health().store.ok


@warped
async def test_a_keeper_survives_whatever_a_database_may_raise() -> None:
    world = World()
    link = Link(world.stores)
    async with world.registry(link) as registry:
        session = await create(registry)
        renew = link.sessions.renew  # type: ignore[attr-defined]
        raised: list[int] = []

        async def fail(*_: object) -> None:
            raised.append(1)
            raise OSError("not one of ours")

        link.sessions.renew = fail  # type: ignore[attr-defined]
        await until(lambda: bool(raised))
        assert not registry.health().store.ok
        link.sessions.renew = renew  # type: ignore[attr-defined]
        await until(lambda: registry.health().store.ok)
        assert live(registry, session) is not None


# --- what is inherited -----------------------------------------------------------------------------------------


async def _with_ledger(world: World, registry: Registry, ledger: Ledger) -> str:
    """Begin and end a session of the day that leaves `ledger` behind."""
    session = await create(registry)
    kept = world.stores.journal._kept[session]
    event: Any = kept[1].record.event
    await registry.stop(session)
    await ends(registry, session)
    first = replace(kept[1], record=replace(kept[1].record, event=replace(event, inherited=ledger)))
    kept[1] = first
    world.stores.snapshots._newest.clear()
    return session


@warped
async def test_the_next_session_of_the_day_inherits_lock_and_count() -> None:
    world = World()
    ledger = Ledger()._replace(**{Ledger._fields[0]: 12_345})
    async with world.registry() as registry:
        await _with_ledger(world, registry, ledger)
        await world.stores.sessions.create(row("begannever", created_at=START + timedelta(hours=1)))
        await world.stores.sessions.set_status("begannever", Status.FAILED, NEVER_BEGAN, None)
        session = await create(registry)
        assert known(registry, session).ledger == ledger, "also over one that never began"
        other = await create(registry, "bob")
        assert known(registry, other).ledger == Ledger(), "another user's is his own"


@warped
async def test_another_mode_inherits_nothing() -> None:
    world = World()
    ledger = Ledger()._replace(**{Ledger._fields[0]: 12_345})
    async with world.registry() as registry:
        await _with_ledger(world, registry, ledger)
        session = await create(registry, mode=Mode.PAPER)
        assert known(registry, session).ledger == Ledger()


@warped
async def test_a_session_that_ends_while_the_next_is_begun_is_inherited_from() -> None:
    """The second may begin only once the first has ended; what it inherits is read after that."""
    world = World()
    ledger = Ledger()._replace(**{Ledger._fields[0]: 12_345})
    link = Link(world.stores)
    async with world.registry(link) as registry:
        first = await create(registry)
        kept = world.stores.journal._kept[first]
        event: Any = kept[1].record.event
        kept[1] = replace(kept[1], record=replace(kept[1].record, event=replace(event, inherited=ledger)))
        create_row = link.sessions.create  # type: ignore[attr-defined]

        async def stop_first(*args: Any) -> None:
            await registry.stop(first)
            world.stores.snapshots._newest.clear()
            await create_row(*args)

        link.sessions.create = stop_first  # type: ignore[attr-defined]
        second = await create(registry)
        assert known(registry, second).ledger == ledger


@warped
async def test_every_session_that_is_over_can_be_looked_at() -> None:
    world = World()
    async with world.registry() as registry:
        session = await create(registry)
        state = await reaches(registry, session, Status.WARMING_UP)
        await registry.stop(session)
        await ends(registry, session)
        view = await look(registry, session)
        assert view.state is not None
        assert view.state.status is Status.STOPPED
        assert view.state.contracts == state.contracts
        assert [one.row.id for one in (await registry.list(Query())).items] == [session]
        assert await registry.candles(session) == view.state.candles
        assert registry.option_chain(session) is None
        journal = await registry.journal(session, 1, 2)
        assert [entry.record.seq for entry in journal] == [2, 3]
        assert not any(isinstance(entry.record.event, TokenRejected) for entry in journal)
