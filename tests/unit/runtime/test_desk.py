"""One credential's day at the market: fetched once, followed minute by minute, shared by all its sessions."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from datetime import date, datetime, time, timedelta

import pytest

from algoexec.domain.calendar import ist
from algoexec.domain.errors import BrokerRefused, BrokerUnavailable, DecodeError, RateLimited, TokenRefused
from algoexec.domain.instruments import BANK_NIFTY, InstrumentKey
from algoexec.domain.market import Book, Candle, Provenance, Quote
from algoexec.domain.options import Premium
from algoexec.engine.events import CandleClosed, CandlesRepaired, ChainPolled, FeedChanged, FeedStatus
from algoexec.ports.feed import FeedConnected, FeedLost, FeedTokenRefused, QuotesChanged
from algoexec.runtime.desk import MarketDesk, Opened
from tests.unit.runtime.scripted import DAY, FIRST, FUTURE, Feed, Listener, Market, Venue, frame, index_bar, ticks
from tests.unit.runtime.warped import START, rest, until, warped

REFUSED = TokenRefused("Invalid token", code="UDAPI100050")
OPTION = [InstrumentKey(f"NSE_FO|{1000 + n}") for n in range(6)]


class World:
    """A desk that runs, and what it stands between."""

    def __init__(self) -> None:
        self.venue = Venue()
        self.market: Market = self.venue.market
        self.feed = Feed()
        self.desk = MarketDesk(
            market=self.market, feed=self.feed, clock=self.venue.clock, underlying=BANK_NIFTY, day=DAY
        )

    async def opened(self) -> Opened:
        opened = await self.desk.opened()
        assert opened is not None
        return opened

    async def listener(self) -> Listener:
        listener = Listener()
        self.desk.attach(listener, await self.opened())
        return listener

    async def play(self, first: int, last: int) -> None:
        """Say the ticks of minutes `first` to `last`, each when its time has come, and the one after them."""
        for event in [event for n in range(first, last + 1) for event in ticks(n)] + ticks(last + 1)[:1]:
            await self.venue.clock.wait_until(datetime.fromtimestamp(event.at / 1000, START.tzinfo))
            self.feed.say(event)
        await rest()


@asynccontextmanager
async def running(world: World) -> AsyncIterator[World]:
    task = asyncio.create_task(world.desk.run())
    try:
        yield world
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


async def at(minute: int, second: float = 0.0) -> None:
    """Return at that second of the day's minute."""
    await Venue().clock.wait_until(START + timedelta(minutes=minute, seconds=second))


def minutes(candles: Sequence[Candle]) -> list[int]:
    """Return the numbers of the candles' minutes in the day."""
    return [int(candle.start.timestamp()) // 60 - FIRST for candle in candles]


def closed(listener: Listener) -> list[Candle]:
    return [event.candle for event in listener.of(CandleClosed)]


# --- opening ---------------------------------------------------------------------------------------------------


@warped
async def test_the_last_five_trading_days_warm_a_session() -> None:
    world = World()
    world.market.days = {date(2026, 11, day): 375 for day in (13, 16, 17, 18, 19, 20)}
    async with running(world):
        history = (await world.opened()).history
    assert [candle.start.date().day for candle in history[::375]] == [16, 17, 18, 19, 20], "not the 13th, no weekend"
    assert {candle.provenance for candle in history} == {Provenance.BACKFILLED}
    assert [candle.volume for candle in history[:3]] == [1000, 1001, 1002]


@warped
async def test_only_continuous_trading_warms() -> None:
    """Since August 2026 the index stands still from 15:15 on, and the venue tells bars of it all the same."""
    world = World()
    world.market.days = {date(2026, 11, 20): 375}
    async with running(world):
        history = (await world.opened()).history
    assert history[-1].start == ist(date(2026, 11, 20), time(15, 14))


@pytest.mark.parametrize(
    "failure",
    [BrokerUnavailable("cut"), RateLimited("429"), BrokerRefused("500", code=None), DecodeError("nonsense")],
)
@warped
async def test_opening_is_tried_until_it_succeeds(failure: Exception) -> None:
    world = World()
    for call in ("contracts", "calendar", "bars"):
        world.market.failures[call] = [failure]
    async with running(world):
        await world.opened()
        assert world.market.calls.count("contracts") == 4
        assert world.feed.wanted == [BANK_NIFTY, FUTURE]


@warped
async def test_a_session_that_waits_for_a_desk_that_ends_is_told() -> None:
    world = World()
    world.market.held["bars"] = asyncio.Event()
    async with running(world):
        waiting = asyncio.create_task(world.desk.opened())
        await rest()
        assert not waiting.done()
    assert await waiting is None
    assert world.desk.closed.is_set()
    assert world.desk.refusal is None


# --- minutes ---------------------------------------------------------------------------------------------------


@warped
async def test_ticks_become_candles_that_every_session_hears() -> None:
    world = World()
    async with running(world):
        first, second = await world.listener(), await world.listener()
        world.feed.say(FeedConnected())
        await world.play(0, 3)
    assert minutes(closed(first)) == [0, 1, 2, 3]
    assert closed(first) == closed(second)
    assert [c.provenance for c in closed(first)] == [Provenance.LIVE] * 4
    assert [c.close for c in closed(first)] == [index_bar(n).close for n in range(4)]
    assert [c.volume for c in closed(first)][1:] == [1001, 1002, 1003]


@warped
async def test_a_gap_is_fetched_before_anything_later_is_told() -> None:
    world = World()
    async with running(world):
        listener = await world.listener()
        world.feed.say(FeedConnected())
        await world.play(0, 2)
        await at(3, 30)
        world.feed.say(FeedLost(detail="cut"))
        await at(5, 20)
        world.market.held["bars_today"] = asyncio.Event()
        world.feed.say(FeedConnected())
        await world.play(6, 7)
        await at(8, 30)
        assert minutes(closed(listener)) == [0, 1, 2, 3, 4], "5 is asked for, 6 and 7 wait for it"
        world.market.held["bars_today"].set()
        await rest()
    assert minutes(closed(listener)) == list(range(8))
    assert [c.provenance.value[0] for c in closed(listener)] == [*"lllbbbll"]


@warped
async def test_after_three_fetches_without_an_answer_a_minute_stays_unknown() -> None:
    world = World()
    async with running(world):
        listener = await world.listener()
        world.market.failures["bars_today"] = [BrokerUnavailable("cut")] * 3
        world.feed.say(FeedConnected())
        await at(0, 30)
        await world.play(1, 2)
        await at(4)
    assert world.market.calls.count("bars_today") == 3
    assert minutes(closed(listener)) == [1, 2]


@warped
async def test_a_minute_that_was_given_up_and_is_found_later_is_a_repair() -> None:
    world = World()
    async with running(world):
        listener = await world.listener()
        world.market.failures["bars_today"] = [BrokerUnavailable("cut")] * 3
        world.feed.say(FeedConnected())
        await at(0, 30)
        await world.play(1, 1)
        await at(2, 30)
        world.feed.say(FeedLost(detail="cut"))
        await at(4, 3)
        joined = (await world.listener()).of(CandlesRepaired)
    assert minutes(closed(listener)) == [1, 2, 3]
    (repaired,) = listener.of(CandlesRepaired)
    assert minutes(repaired.candles) == [0, 1], "0 was unknown, and of 1 the volume: its first one was a base line"
    assert {candle.provenance for candle in repaired.candles} == {Provenance.REPAIRED}
    assert joined == [repaired]  # who joins later may have decided on what was believed before


@warped
async def test_who_joins_late_hears_the_day_so_far_and_then_goes_on() -> None:
    world = World()
    async with running(world):
        world.feed.say(FeedConnected())
        await world.play(0, 2)
        await at(3, 10)
        late = await world.listener()
        assert late.told[0] == FeedChanged(status=FeedStatus.CONNECTED, detail="")
        assert minutes(closed(late)) == [0, 1, 2]
        await world.play(3, 3)
        await at(4, 2)
        await rest()
        assert minutes(closed(late)) == [0, 1, 2, 3]


@warped
async def test_the_past_is_known_once_every_minute_before_is_settled() -> None:
    world = World()
    world.market.held["bars_today"] = asyncio.Event()
    await at(5, 30)
    async with running(world):
        past = asyncio.create_task((await world.opened()).minutes.past(START + timedelta(minutes=5, seconds=20)))
        await at(5, 40)
        assert not past.done()
        world.market.held["bars_today"].set()
        assert minutes(await past) == [0, 1, 2, 3, 4]


@warped
async def test_before_the_open_there_is_no_past() -> None:
    world = World()
    async with running(world):
        assert await (await world.opened()).minutes.past(START - timedelta(hours=1)) == ()
        assert "bars_today" not in world.market.calls


@warped
async def test_after_the_close_the_past_is_the_whole_day() -> None:
    world = World()
    await at(370)
    async with running(world):
        past = await (await world.opened()).minutes.past(START + timedelta(minutes=369))
    assert len(past) == 360, "09:15 to 15:15"


@warped
async def test_a_past_that_cannot_be_fetched_is_given_up() -> None:
    world = World()
    world.market.failures["bars_today"] = [BrokerUnavailable("down")] * 3
    await at(5, 30)
    async with running(world):
        assert await (await world.opened()).minutes.past(START + timedelta(minutes=5)) == ()


@warped
async def test_the_minute_under_way_is_shown_and_a_session_that_left_sees_no_more() -> None:
    world = World()
    async with running(world):
        stays, leaves = await world.listener(), await world.listener()
        world.feed.say(FeedConnected(), frame(FIRST * 60 + 1, 51_000.0, 10))
        await rest()
        await world.desk.detach(leaves)
        told = len(leaves.told)
        world.feed.say(frame(FIRST * 60 + 2, 51_004.0, 15))
        await at(2, 30)
        assert [(bar.close, bar.volume) for _, bar in stays.minutes] == [(51_000.0, 0), (51_004.0, 5)]
        assert len(leaves.minutes) == 1
        assert len(leaves.told) == told
        assert len(stays.told) > told
        await world.desk.detach(leaves)


@warped
async def test_after_the_last_minute_the_desk_stays_for_the_chain() -> None:
    world = World()
    await at(359)
    async with running(world):
        listener = await world.listener()
        await at(365)
        assert len(closed(listener)) == 360
        assert not world.desk.closed.is_set()
        polls = len(listener.of(ChainPolled))
        await at(371)
        assert len(listener.of(ChainPolled)) == polls + 2


# --- the feed --------------------------------------------------------------------------------------------------


@warped
async def test_the_feeds_fate_is_told() -> None:
    world = World()
    async with running(world):
        listener = await world.listener()
        assert world.desk.feed_age_ms() is None
        world.feed.say(FeedConnected(), frame(FIRST * 60, 51_000.0, 1))
        await at(0, 1.5)
        assert world.desk.feed_age_ms() == 1500
        world.feed.say(FeedLost(detail="cut"), FeedLost(detail="403", taken=True))
        await rest()
        assert world.desk.feed_age_ms() is None
    assert [(e.status, e.detail) for e in listener.of(FeedChanged)] == [
        (FeedStatus.CONNECTING, ""),
        (FeedStatus.CONNECTED, ""),
        (FeedStatus.LOST, "cut"),
        (FeedStatus.FEED_TAKEN, "403"),
    ]


@warped
async def test_a_token_that_the_feed_refuses_ends_the_desk() -> None:
    world = World()
    async with running(world):
        await world.opened()
        world.feed.say(FeedTokenRefused(detail="401 twice"))
        await world.desk.closed.wait()
        assert world.desk.refusal == "401 twice"
        assert not world.feed.is_running


@pytest.mark.parametrize("call", ["bars_today", "chain"])
@warped
async def test_an_open_feed_outlives_its_token(call: str) -> None:
    world = World()
    world.market.failures[call] = [REFUSED]
    await at(1)
    async with running(world):
        listener = await world.listener()
        await world.desk.refused.wait()
        assert "Invalid token" in (world.desk.refusal or "")
        assert world.feed.is_running
        assert not world.desk.closed.is_set()
        before = listener.priced
        world.feed.say(ticks(3)[0])
        await rest()
        assert listener.priced > before, "prices go on"
        world.feed.say(FeedTokenRefused(detail="401 twice"))
        await world.desk.closed.wait()
        assert "Invalid token" in (world.desk.refusal or ""), "the first word stays"


@pytest.mark.parametrize("call", ["contracts", "calendar", "bars"])
@warped
async def test_a_token_that_is_refused_before_the_desk_is_open_ends_it(call: str) -> None:
    world = World()
    world.market.failures[call] = [REFUSED]
    await at(1)
    async with running(world):
        await world.desk.closed.wait()
        assert world.desk.refusal is not None
        assert "Invalid token" in world.desk.refusal
        assert not world.feed.is_running


@warped
async def test_a_failure_of_our_own_ends_the_desk_without_a_refusal() -> None:
    world = World()
    task = asyncio.create_task(world.desk.run())
    await world.opened()
    world.feed.say(ZeroDivisionError("a bug"))
    await world.desk.closed.wait()
    assert world.desk.refusal is None
    with pytest.raises(ExceptionGroup):
        await task


# --- the chain -------------------------------------------------------------------------------------------------


def polled(listener: Listener) -> list[timedelta]:
    return [event.reading.at - START for event in listener.of(ChainPolled)]


@warped
async def test_the_chain_is_polled_when_a_session_joins_and_then_at_its_instants() -> None:
    world = World()
    await at(2)
    async with running(world):
        listener = await world.listener()
        await at(11)
    minute = timedelta(minutes=1)
    half = timedelta(seconds=30)
    assert polled(listener)[-2:] == [5 * minute + half, 10 * minute + half]
    assert set(polled(listener)[:-2]) == {2 * minute}
    assert world.desk.chain is not None
    assert listener.of(ChainPolled)[-1].reading.pcr == 0.9


@warped
async def test_the_chain_is_polled_at_once_after_a_reconnect() -> None:
    world = World()
    async with running(world):
        listener = await world.listener()
        world.feed.say(FeedConnected())
        await at(1)
        world.feed.say(FeedLost(detail="cut"))
        await at(2)
        world.feed.say(FeedConnected())
        await at(3)
    assert polled(listener)[-2:] == [timedelta(seconds=30), timedelta(minutes=2)]


@warped
async def test_a_failed_poll_is_tried_again() -> None:
    world = World()
    async with running(world):
        listener = await world.listener()
        await at(1)
        world.market.failures["chain"] = [BrokerUnavailable("cut"), RateLimited("429")]
        await at(6)
        assert polled(listener)[-1] == timedelta(minutes=5, seconds=30 + 0.5 + 1.0)


@warped
async def test_a_reconnect_does_not_wait_until_a_failing_poll_would_be_tried_again() -> None:
    world = World()
    async with running(world):
        listener = await world.listener()
        await at(1)
        world.market.failures["chain"] = [BrokerUnavailable("cut")] * 9
        world.feed.say(FeedLost(detail="cut"), FeedConnected())
        await at(2, 17)
        world.market.failures["chain"] = []
        told = len(polled(listener))
        world.feed.say(FeedConnected())
        await rest()
        assert polled(listener)[told:] == [timedelta(minutes=2, seconds=17)]


@warped
async def test_asked_for_during_a_poll_one_more_follows_it() -> None:
    world = World()
    async with running(world):
        await world.opened()
        await at(1)
        calls = world.market.calls.count("chain")
        world.market.held["chain"] = asyncio.Event()
        first = await world.listener()
        await rest()
        second = await world.listener()
        third = await world.listener()
        await rest()
        assert world.market.calls.count("chain") == calls + 1
        world.market.held["chain"].set()
        await rest()
        assert world.market.calls.count("chain") == calls + 2, "both who came during the poll share the one after it"
        assert len(polled(first)) == len(polled(second)) == len(polled(third)) == 2


@warped
async def test_a_session_that_leaves_during_a_poll_does_not_hear_of_it() -> None:
    world = World()
    async with running(world):
        stays, leaves = await world.listener(), await world.listener()
        await at(1)
        world.market.held["chain"] = asyncio.Event()
        await at(5, 31)
        await world.desk.detach(leaves)
        told = len(leaves.told)
        world.market.held["chain"].set()
        await rest()
        assert len(leaves.told) == told
        assert polled(stays)[-1] == timedelta(minutes=5, seconds=31), "it is of when the answer came"


# --- subscriptions ---------------------------------------------------------------------------------------------


@warped
async def test_an_instrument_is_asked_for_once_and_let_go_of_by_its_last_session() -> None:
    world = World()
    async with running(world):
        one, two = await world.listener(), await world.listener()
        await world.desk.subscribe(one, OPTION[:3])
        await world.desk.subscribe(two, OPTION[2:4])
        await world.desk.unsubscribe(one, OPTION[:3])
        await world.desk.unsubscribe(two, OPTION[2:4])
    assert world.feed.requests == [
        ("sub", (BANK_NIFTY, FUTURE)),
        ("sub", tuple(OPTION[:3])),
        ("sub", (OPTION[3],)),
        ("unsub", tuple(OPTION[:2])),
        ("unsub", tuple(OPTION[2:4])),
    ]


@warped
async def test_asking_twice_counts_once() -> None:
    world = World()
    async with running(world):
        one = await world.listener()
        await world.desk.subscribe(one, OPTION[:1])
        await world.desk.subscribe(one, OPTION[:1])
        await world.desk.unsubscribe(one, OPTION[:1])
        await world.desk.unsubscribe(one, OPTION[:1])
        assert world.feed.wanted == [BANK_NIFTY, FUTURE]


@warped
async def test_a_session_that_leaves_holds_nothing_any_more() -> None:
    world = World()
    async with running(world):
        one, two = await world.listener(), await world.listener()
        await world.desk.subscribe(one, OPTION[:3])
        await world.desk.subscribe(two, OPTION[2:4])
        await world.desk.detach(one)
        assert world.feed.wanted == [BANK_NIFTY, FUTURE, *OPTION[2:4]]


@warped
async def test_the_quotes_of_what_nobody_wants_are_forgotten() -> None:
    world = World()
    async with running(world):
        one = await world.listener()
        await world.desk.subscribe(one, OPTION[:1])
        stamp = FIRST * 60_000
        world.feed.say(FeedConnected(), QuotesChanged(stamp, (Quote(OPTION[0], stamp, price=1.0, traded_at=stamp),)))
        await rest()
        assert OPTION[0] in world.desk.quotes
        await world.desk.unsubscribe(one, OPTION[:1])
        assert OPTION[0] not in world.desk.quotes


@warped
async def test_a_quote_that_was_under_way_when_its_instrument_was_let_go_of_is_not_kept() -> None:
    world = World()
    async with running(world):
        one = await world.listener()
        await world.desk.subscribe(one, OPTION[:1])
        await world.desk.unsubscribe(one, OPTION[:1])
        stamp = FIRST * 60_000
        quotes = (Quote(OPTION[0], stamp, price=1.0), Quote(BANK_NIFTY, stamp, price=51_000.0))
        world.feed.say(FeedConnected(), QuotesChanged(stamp, quotes))
        await rest()
        assert set(world.desk.quotes) == {BANK_NIFTY}


@warped
async def test_late_ticks_are_counted() -> None:
    world = World()
    async with running(world):
        await world.opened()
        assert world.desk.late_ticks == 0
        world.feed.say(FeedConnected())
        await until(lambda: world.venue.clock.now() > START + timedelta(minutes=1, seconds=10))
        world.feed.say(frame(FIRST * 60 + 30, 51_000.0, 5))
        await rest()
        assert world.desk.late_ticks == 2


@warped
async def test_a_candle_comes_with_what_the_options_cost_then() -> None:
    world = World()
    async with running(world):
        listener = await world.listener()
        await world.desk.subscribe(listener, OPTION)
        world.feed.say(FeedConnected())
        await world.play(0, 2)
        await at(3, 30)
        now, old = ((FIRST + n) * 60_000 + 29_000 for n in (3, 2))
        book = Book(bid=100.0, ask=100.5)
        quotes = (
            Quote(OPTION[0], now, price=100.0, traded_at=now, told_book=book),
            Quote(OPTION[1], now, price=90.0, traded_at=now),
            Quote(OPTION[2], now, price=80.0, traded_at=now, told_book=Book(bid=81.0, ask=79.0)),
            Quote(OPTION[3], old, price=70.0, traded_at=old, told_book=book),
            Quote(OPTION[4], now, told_book=Book(bid=60.0)),
        )
        world.feed.say(QuotesChanged(now, quotes))
        await rest()
        await world.play(3, 3)
    assert minutes(closed(listener)) == [0, 1, 2, 3]
    assert listener.of(CandleClosed)[-1].premiums == (
        Premium(OPTION[0], 100.5),
        Premium(OPTION[1], 90.0),
        Premium(OPTION[2], 80.0),
    ), "the ask, or else the last price; what is a minute old says nothing"
