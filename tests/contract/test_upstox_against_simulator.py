"""The adapter and the simulator, over real sockets: what one speaks the other understands."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from datetime import time, timedelta

import pytest

from algoexec.adapters.system_clock import SystemClock
from algoexec.adapters.upstox.feed import FeedTiming
from algoexec.adapters.upstox.venue import SimulatorVenue
from algoexec.domain.calendar import IST, ist
from algoexec.domain.errors import BrokerRefused, BrokerUnavailable, TokenRefused
from algoexec.domain.instruments import BANK_NIFTY, InstrumentKey, OptionType
from algoexec.domain.market import Quote
from algoexec.domain.options import read_pcr
from algoexec.ports.credentials import AccessToken
from algoexec.ports.feed import (
    Feed,
    FeedConnected,
    FeedEvent,
    FeedLost,
    FeedTokenRefused,
    QuotesChanged,
    SegmentsChanged,
)
from algoexec.simulation.day import SimulatedDay
from algoexec.simulation.generated import generated_day
from algoexec.simulator.configuration import SimulatorSettings
from algoexec.simulator.server import RunningSimulator, serve

TOKEN = AccessToken("a-trader")
QUICK = FeedTiming(first_delay=0.01, longest_delay=0.05, taken_delays=(0.01,))
MIDDAY = SimulatorSettings(start=time(11, 0), speed=60.0, paced=True)


@dataclass
class Sink:
    """Remembers what a feed says, and lets a test wait until it has said something."""

    events: list[FeedEvent] = field(default_factory=list)
    quotes: dict[InstrumentKey, Quote] = field(default_factory=dict)
    _changed: asyncio.Event = field(default_factory=asyncio.Event)

    def __call__(self, event: FeedEvent) -> None:
        self.events.append(event)
        if isinstance(event, QuotesChanged):
            self.quotes.update((quote.instrument, quote) for quote in event.quotes)
        self._changed.set()

    async def until(self, holds: Callable[[], bool]) -> None:
        async with asyncio.timeout(30):
            while not holds():
                self._changed.clear()
                await self._changed.wait()

    def seen(self, kind: type[FeedEvent]) -> int:
        return sum(isinstance(event, kind) for event in self.events)


@pytest.fixture(scope="module")
def day() -> SimulatedDay:
    return generated_day()


@asynccontextmanager
async def simulator(day: SimulatedDay, settings: SimulatorSettings = MIDDAY) -> AsyncIterator[RunningSimulator]:
    async with serve(day, settings, SystemClock()) as running:
        yield running


@asynccontextmanager
async def venue_of(running: RunningSimulator) -> AsyncIterator[SimulatorVenue]:
    venue = SimulatorVenue(running.url, timing=QUICK)
    await venue.name()
    try:
        yield venue
    finally:
        await venue.aclose()


@asynccontextmanager
async def following(feed: Feed) -> AsyncIterator[Sink]:
    sink = Sink()
    task = asyncio.create_task(feed.run(sink))
    try:
        yield sink
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


async def test_the_venue_is_the_simulators_instance_and_its_clock_follows(day: SimulatedDay) -> None:
    async with simulator(day) as running, venue_of(running) as venue:
        assert await venue.name() == venue.clock.instance == running.broker.instance
        begun = venue.clock.now()
        assert begun.astimezone(IST).date() == day.session.date

        await venue.clock.wait_until(begun + timedelta(seconds=30))

        assert venue.clock.now() >= begun + timedelta(seconds=30)
        assert venue.clock.speed == 60.0


async def test_a_simulator_that_is_gone_is_unavailable(day: SimulatedDay) -> None:
    async with simulator(day) as running:
        url = running.url
    venue = SimulatorVenue(url)

    with pytest.raises(BrokerUnavailable):
        await venue.name()
    with pytest.raises(BrokerUnavailable):
        venue.clock.now()

    await venue.aclose()


async def test_the_profile_tells_whose_token_it_is_and_a_bad_one_is_refused(day: SimulatedDay) -> None:
    async with simulator(day) as running, venue_of(running) as venue:
        assert (await venue.market_data(TOKEN).profile()).account
        with pytest.raises(TokenRefused) as refused:
            await venue.market_data(AccessToken("bad-token")).profile()

    assert refused.value.code == "UDAPI100050"


async def test_contracts_are_the_nearest_future_and_one_expiry(day: SimulatedDay) -> None:
    async with simulator(day) as running, venue_of(running) as venue:
        contracts = await venue.market_data(TOKEN).contracts(BANK_NIFTY, venue.clock.now())

    assert contracts.future == day.futures[0].contract
    assert contracts.expiry == day.expiries()[0]
    assert set(contracts.options) == {option for option in day.options if option.expiry == contracts.expiry}


async def test_after_the_close_of_an_expiry_the_next_one_is_nearest(day: SimulatedDay) -> None:
    first, second = day.expiries()[:2]
    async with simulator(day) as running, venue_of(running) as venue:
        contracts = await venue.market_data(TOKEN).contracts(BANK_NIFTY, ist(first, time(23, 0)))

    assert contracts.expiry == second


async def test_a_chain_has_every_strike_with_open_interest_and_fractions_for_iv(day: SimulatedDay) -> None:
    async with simulator(day) as running, venue_of(running) as venue:
        chain = await venue.market_data(TOKEN).chain(BANK_NIFTY, day.expiries()[0])

    strikes = [quote.strike for quote in chain.quotes]
    assert strikes == sorted(strikes)
    assert {quote.type for quote in chain.quotes} == {OptionType.CALL, OptionType.PUT}
    assert chain.spot is not None
    assert min(strikes) < chain.spot < max(strikes)
    assert all(quote.iv is None or 0.03 < quote.iv < 3 for quote in chain.quotes)
    assert read_pcr(chain).pcr is not None
    assert chain.at.astimezone(IST).date() == day.session.date


async def test_an_unknown_instrument_is_the_brokers_refusal(day: SimulatedDay) -> None:
    async with simulator(day) as running, venue_of(running) as venue:
        with pytest.raises(BrokerRefused) as refused:
            await venue.market_data(TOKEN).chain(InstrumentKey("NSE_INDEX|Nifty 50"), day.expiries()[0])

    assert refused.value.code == "UDAPI100011"


async def test_bars_of_earlier_days_and_the_finished_ones_of_today(day: SimulatedDay) -> None:
    earlier = day.earlier[-1]
    async with simulator(day) as running, venue_of(running) as venue:
        data = venue.market_data(TOKEN)
        past = await data.bars(BANK_NIFTY, day.earlier[0].date, earlier.date)
        today = await data.bars_today(BANK_NIFTY)
        now = venue.clock.now().timestamp()

    assert list(past) == [bar for one in day.earlier for bar in one.index]
    assert [bar.minute for bar in today] == sorted({bar.minute for bar in today})
    assert list(today) == list(day.index[: len(today)])
    assert (today[-1].minute + 1) * 60 <= now
    assert len(today) >= 105  # 09:15 … 11:00


async def test_the_calendar_is_the_venues(day: SimulatedDay) -> None:
    async with simulator(day) as running, venue_of(running) as venue:
        calendar = await venue.market_data(TOKEN).calendar(day.session.date.year)

    assert calendar.day(day.session.date) == day.session
    assert {on for on in calendar.holidays if on.year == day.session.date.year} == {
        on for on in day.calendar.holidays if on.year == day.session.date.year
    }


async def test_the_feed_tells_index_future_and_options_and_moves_the_clock(day: SimulatedDay) -> None:
    async with simulator(day) as running, venue_of(running) as venue:
        contracts = await venue.market_data(TOKEN).contracts(BANK_NIFTY, venue.clock.now())
        spot = day.index[105].open
        wanted = [BANK_NIFTY, contracts.future.key, *(o.key for o in contracts.around_the_money(spot))]
        feed = venue.feed(TOKEN)
        await feed.subscribe(wanted)
        async with following(feed) as sink:
            await sink.until(lambda: len(sink.quotes) == len(wanted) and sink.seen(QuotesChanged) > 200)
            index, future = sink.quotes[BANK_NIFTY], sink.quotes[contracts.future.key]
            newest = max(event.at for event in sink.events if isinstance(event, QuotesChanged))
            assert int(venue.clock.now().timestamp() * 1000) >= newest

    assert isinstance(sink.events[0], FeedConnected)
    assert isinstance(sink.events[1], SegmentsChanged)
    assert sink.events[1].segments["NSE_FO"] == "NORMAL_OPEN"
    assert sink.seen(FeedLost) == feed.undecodable == 0
    assert index.price is not None
    assert index.volume is None
    assert future.volume is not None
    assert future.bid is not None
    assert future.ask is not None
    assert future.bid < future.ask
    assert index.minute in day.index
    option = sink.quotes[wanted[-1]]
    assert option.greeks is not None
    assert option.iv is not None
    assert 0.03 < option.iv < 3


async def test_a_subscription_can_be_moved_while_connected(day: SimulatedDay) -> None:
    future = day.futures[0].contract.key
    async with simulator(day) as running, venue_of(running) as venue:
        feed = venue.feed(TOKEN)
        async with following(feed) as sink:
            await sink.until(lambda: sink.seen(FeedConnected) == 1)
            await feed.subscribe([BANK_NIFTY])
            await sink.until(lambda: BANK_NIFTY in sink.quotes)
            await feed.subscribe([future])
            await feed.unsubscribe([BANK_NIFTY])
            await sink.until(lambda: future in sink.quotes)
            mark = len(sink.events)
            await sink.until(lambda: len(sink.events) > mark + 40)
            last = [event for event in sink.events[-10:] if isinstance(event, QuotesChanged)]

    assert {quote.instrument for event in last for quote in event.quotes} == {future}


async def test_a_second_connection_of_one_user_is_taken_and_comes_through_once_it_is_free(day: SimulatedDay) -> None:
    async with simulator(day) as running, venue_of(running) as venue:
        second = venue.feed(TOKEN)
        async with following(venue.feed(TOKEN)) as holder:
            await holder.until(lambda: holder.seen(FeedConnected) == 1)
            task_sink = Sink()
            task = asyncio.create_task(second.run(task_sink))
            await task_sink.until(lambda: task_sink.seen(FeedLost) == 2)
        await task_sink.until(lambda: task_sink.seen(FeedConnected) == 1)
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task

    assert all(event.taken for event in task_sink.events if isinstance(event, FeedLost))


async def test_a_refused_token_waits_for_a_new_one(day: SimulatedDay) -> None:
    async with simulator(day) as running, venue_of(running) as venue:
        feed = venue.feed(AccessToken("expired-token"))
        async with following(feed) as sink:
            await sink.until(lambda: sink.seen(FeedTokenRefused) == 1)
            feed.renew(TOKEN)
            await sink.until(lambda: sink.seen(FeedConnected) == 1)

    assert sink.seen(FeedLost) == 0


async def test_another_run_of_the_same_day_is_another_venue_and_may_set_the_clock_back(day: SimulatedDay) -> None:
    early = SimulatorSettings(start=time(10, 0), paced=True)
    async with simulator(day) as running:
        port = int(running.url.rpartition(":")[2])
        venue = SimulatorVenue(running.url, timing=QUICK, silence=0.01)
        first = await venue.name()
    venue.clock.start()
    async with serve(day, early, SystemClock(), port=port), asyncio.timeout(30):
        while venue.clock.instance == first:  # noqa: ASYNC110 - a poll: nothing announces a new run
            await asyncio.sleep(0.01)

        assert venue.clock.now() < ist(day.session.date, time(10, 30))
        assert await venue.name() != first
    await venue.aclose()
