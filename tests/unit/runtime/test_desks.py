"""Who shares a desk, and when it is opened and closed."""

import asyncio
from contextlib import AsyncExitStack

from algoexec.domain.instruments import BANK_NIFTY
from algoexec.ports.credentials import AccessToken
from algoexec.ports.feed import FeedTokenRefused
from algoexec.runtime.desks import MarketDesks
from tests.unit.runtime.scripted import DAY, Venue
from tests.unit.runtime.warped import rest, warped

ANN, BOB = AccessToken("ann"), AccessToken("bob")


@warped
async def test_sessions_of_one_credential_share_a_desk_and_its_one_connection() -> None:
    venue = Venue()
    desks = MarketDesks(venue)
    async with desks.use(ANN, BANK_NIFTY, DAY) as one, desks.use(AccessToken(" ann "), BANK_NIFTY, DAY) as two:
        await rest()
        assert one is two
        assert [feed.is_running for feed in venue.feeds] == [True]
    assert [feed.is_running for feed in venue.feeds] == [False]


@warped
async def test_another_credential_has_a_desk_of_its_own() -> None:
    venue = Venue()
    desks = MarketDesks(venue)
    async with desks.use(ANN, BANK_NIFTY, DAY) as one, desks.use(BOB, BANK_NIFTY, DAY) as two:
        await rest()
        assert one is not two
        assert len(venue.feeds) == 2


@warped
async def test_a_desk_stays_until_its_last_user_leaves() -> None:
    venue = Venue()
    desks = MarketDesks(venue)
    async with AsyncExitStack() as stays:
        async with desks.use(ANN, BANK_NIFTY, DAY):
            desk = await stays.enter_async_context(desks.use(ANN, BANK_NIFTY, DAY))
        await rest()
        assert not desk.closed.is_set()
        assert venue.feeds[0].is_running
    assert desk.closed.is_set()


@warped
async def test_a_desk_that_has_closed_is_not_lent_again() -> None:
    venue = Venue()
    desks = MarketDesks(venue)
    async with desks.use(ANN, BANK_NIFTY, DAY) as refused:
        await refused.opened()
        venue.feeds[0].say(FeedTokenRefused(detail="dead"))
        await refused.closed.wait()
        async with desks.use(ANN, BANK_NIFTY, DAY) as fresh:
            assert fresh is not refused
    async with desks.use(ANN, BANK_NIFTY, DAY) as third:
        assert third is not fresh


@warped
async def test_the_user_of_a_closed_desk_does_not_close_its_successor() -> None:
    venue = Venue()
    desks = MarketDesks(venue)
    async with AsyncExitStack() as early:
        refused = await early.enter_async_context(desks.use(ANN, BANK_NIFTY, DAY))
        await refused.opened()
        venue.feeds[0].say(FeedTokenRefused(detail="dead"))
        await refused.closed.wait()
        async with desks.use(ANN, BANK_NIFTY, DAY) as fresh:
            await early.aclose()
            await rest()
            assert not fresh.closed.is_set()
            async with desks.use(ANN, BANK_NIFTY, DAY) as same:
                assert same is fresh


@warped
async def test_a_desk_that_fails_is_closed_for_all_who_use_it() -> None:
    venue = Venue()
    desks = MarketDesks(venue)
    async with desks.use(ANN, BANK_NIFTY, DAY) as desk:
        await desk.opened()
        venue.feeds[0].say(ZeroDivisionError("a bug"))
        await desk.closed.wait()
        assert desk.refusal is None


@warped
async def test_a_new_desk_waits_until_the_connection_of_the_one_before_is_closed() -> None:
    """The broker allows one: it would refuse the second, and say that another program holds it."""
    venue = Venue()
    desks = MarketDesks(venue)

    leave = asyncio.Event()

    async def come_and_go() -> None:
        async with desks.use(ANN, BANK_NIFTY, DAY):
            await leave.wait()

    async def come() -> None:
        async with desks.use(ANN, BANK_NIFTY, DAY) as desk:
            await desk.opened()
            assert not venue.feeds[0].is_running

    leaving = asyncio.create_task(come_and_go())
    await rest()
    venue.feeds[0].closes.clear()
    leave.set()
    await rest()
    coming = [asyncio.create_task(come()) for _ in range(2)]
    await rest()
    assert len(venue.feeds) == 1
    venue.feeds[0].closes.set()
    await asyncio.gather(leaving, *coming)
    assert len(venue.feeds) == 2, "both who came share one"
