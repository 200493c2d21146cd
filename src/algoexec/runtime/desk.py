"""Market data of one credential and day, fetched and built once and shared by its sessions."""

import asyncio
from collections.abc import Coroutine, Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from typing import Any, Protocol

from algoexec.domain.calendar import Calendar, TradingDay
from algoexec.domain.errors import TokenRefused
from algoexec.domain.instruments import Contracts, InstrumentKey
from algoexec.domain.market import Bar, Candle, Quote
from algoexec.domain.options import OptionChain, read_pcr
from algoexec.engine.candles import HISTORY_DAYS, Settled, join
from algoexec.engine.events import (
    CandleClosed,
    CandlesRepaired,
    ChainPolled,
    Event,
    FeedChanged,
    FeedStatus,
)
from algoexec.ports.clock import MarketClock
from algoexec.ports.feed import (
    Feed,
    FeedConnected,
    FeedEvent,
    FeedLost,
    FeedTokenRefused,
    QuotesChanged,
    SegmentsChanged,
)
from algoexec.ports.market_data import MarketData
from algoexec.runtime.chain_poller import ChainPoller
from algoexec.runtime.marks import premiums
from algoexec.runtime.minutes import Minutes, milliseconds
from algoexec.runtime.waiting import insist


class Listener(Protocol):
    """A session as the desk sees it."""

    def tell(self, event: Event) -> None:
        """Take in an event; must not block."""

    def running(self, at: datetime, minute: Bar) -> None:
        """Take in the minute under way; may be dropped."""

    def quoted(self, quotes: Sequence[Quote]) -> None:
        """Take in what has just changed; must not block."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Opened:
    """A desk that follows its day: what was fetched for it, and what it now knows."""

    contracts: Contracts
    history: tuple[Candle, ...]
    minutes: Minutes
    chain: ChainPoller


class MarketDesk:
    """Follows one day of one underlying with one credential, for all sessions that share it."""

    def __init__(
        self, *, market: MarketData, feed: Feed, clock: MarketClock, underlying: InstrumentKey, day: TradingDay
    ) -> None:
        """Nothing happens before `run`."""
        self._market, self._feed, self._clock = market, feed, clock
        self._underlying, self._day = underlying, day
        self._listeners: list[Listener] = []
        self._wanted: dict[InstrumentKey, set[object]] = {}
        self._opened: asyncio.Future[Opened | None] = asyncio.get_running_loop().create_future()
        self._feed_changed = FeedChanged(status=FeedStatus.CONNECTING, detail="")
        self._newest_frame: int | None = None
        self.closed = asyncio.Event()
        """Set when the desk has ended: its feed refused the token, or it failed."""
        self.refused = asyncio.Event()
        """Set when the token was refused; an open feed may outlive that, and goes on until the desk is closed."""
        self.refusal: str | None = None
        """What the broker said when it refused the token; None while it has not."""
        self.quotes: dict[InstrumentKey, Quote] = {}
        """The newest merged quote of everything that is subscribed."""

    async def run(self) -> None:
        """Follow the market until cancelled, or until the broker refuses the token."""
        try:
            opened = await insist(self._open, "contracts and history")
            await self._want(self, (self._underlying, opened.contracts.future.key))
            self._opened.set_result(opened)
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(self._feed.run(partial(self._on_feed, opened)))
                tasks.create_task(self._ask(opened.minutes.follow()))
                tasks.create_task(self._ask(opened.chain.run()))
        except* TokenRefused as refused:
            self._take_refusal(_first(refused))
        finally:
            if not self._opened.done():
                self._opened.set_result(None)
            self.closed.set()

    async def _ask(self, work: Coroutine[Any, Any, None]) -> None:
        """Do what asks the broker, until it refuses the token."""
        try:
            await work
        except TokenRefused as refused:
            self._take_refusal(refused)

    def _take_refusal(self, refused: BaseException) -> None:
        self.refusal = self.refusal or str(refused)
        self.refused.set()

    async def opened(self) -> Opened | None:
        """Return the desk's knowledge once it follows the market; None when it ended before."""
        return await asyncio.shield(self._opened)

    @property
    def chain(self) -> OptionChain | None:
        """The newest polled chain; None before the first poll."""
        opened = self._opened.result() if self._opened.done() else None
        return opened.chain.newest if opened else None

    @property
    def late_ticks(self) -> int:
        """How many ticks were dropped because their minute was closed."""
        opened = self._opened.result() if self._opened.done() else None
        return opened.minutes.late_ticks if opened else 0

    def feed_age_ms(self) -> int | None:
        """Return market milliseconds since the newest frame; None when not connected."""
        if self._newest_frame is None or not self.is_connected:
            return None
        return max(0, milliseconds(self._clock.now()) - self._newest_frame)

    @property
    def is_connected(self) -> bool:
        """Whether the feed is connected, as far as is known."""
        return self._feed_changed.status is FeedStatus.CONNECTED

    def chain_age_s(self) -> float | None:
        """Return market seconds since the newest polled chain; None before the first poll."""
        chain = self.chain
        return None if chain is None else max(0.0, (self._clock.now() - chain.at).total_seconds())

    def is_open(self) -> bool:
        """Return whether its day's market is open now."""
        return self._day.opens_at <= self._clock.now() < self._day.closes_at

    def attach(self, listener: Listener, opened: Opened) -> None:
        """Tell `listener` everything from now on, after the feed's status and all of today's candles."""
        self._listeners.append(listener)
        listener.tell(self._feed_changed)
        for candle in opened.minutes.candles():
            listener.tell(CandleClosed(candle=candle))
        if repairs := opened.minutes.repairs():
            listener.tell(CandlesRepaired(candles=repairs))  # it may have decided on what was believed before
        opened.chain.poll_now()

    async def detach(self, listener: Listener) -> None:
        """Say nothing more to `listener`, and let go of what it alone has asked for."""
        if listener in self._listeners:
            self._listeners.remove(listener)
        await self.unsubscribe(listener, [key for key, by in self._wanted.items() if listener in by])

    async def subscribe(self, listener: Listener, instruments: Iterable[InstrumentKey]) -> None:
        """Ask the feed for those instruments that no session asked for before."""
        await self._want(listener, instruments)

    async def unsubscribe(self, listener: Listener, instruments: Iterable[InstrumentKey]) -> None:
        """Let go of those instruments that no session needs any more."""
        gone: list[InstrumentKey] = []
        for key in instruments:
            by = self._wanted.get(key, set())
            by.discard(listener)
            if key in self._wanted and not by:
                del self._wanted[key]
                self.quotes.pop(key, None)
                gone.append(key)
        if gone:
            await self._feed.unsubscribe(gone)

    async def _want(self, who: object, instruments: Iterable[InstrumentKey]) -> None:
        new: list[InstrumentKey] = []
        for key in instruments:
            if key not in self._wanted:
                self._wanted[key] = set()
                new.append(key)
            self._wanted[key].add(who)
        if new:
            await self._feed.subscribe(new)

    async def _open(self) -> Opened:
        contracts = await self._market.contracts(self._underlying, self._clock.now())
        calendar = await self._market.calendar(self._day.date.year)
        history = await self._history(calendar, contracts.future.key)
        minutes = Minutes(
            market=self._market,
            clock=self._clock,
            day=self._day,
            index=self._underlying,
            future=contracts.future.key,
            deliver=self._deliver,
        )
        chain = ChainPoller(
            market=self._market,
            clock=self._clock,
            underlying=self._underlying,
            expiry=contracts.expiry,
            deliver=lambda polled: self._tell(ChainPolled(reading=read_pcr(polled))),
        )
        return Opened(contracts=contracts, history=history, minutes=minutes, chain=chain)

    async def _history(self, calendar: Calendar, future: InstrumentKey) -> tuple[Candle, ...]:
        days = calendar.days_before(self._day.date, HISTORY_DAYS)
        if not days:
            return ()
        first, last = days[0].date, days[-1].date
        index = await self._market.bars(self._underlying, first, last)
        traded = await self._market.bars(future, first, last)
        return tuple(c for c in join(index, traded) if any(day.counts(c.start) for day in days))

    def _on_feed(self, opened: Opened, event: FeedEvent) -> None:
        match event:
            case QuotesChanged(at=at, quotes=quotes):
                self._newest_frame = at
                for quote in quotes:
                    if quote.instrument in self._wanted:  # else it was under way when its instrument was let go of
                        self.quotes[quote.instrument] = quote
                for listener in self._listeners:
                    listener.quoted(quotes)
                opened.minutes.on_quotes(event)
                self._tell_running(opened.minutes, event)
            case FeedConnected():
                opened.minutes.connected()
                self._change_feed(FeedStatus.CONNECTED, "")
                opened.chain.poll_now()
            case FeedLost(detail=detail, taken=taken):
                opened.minutes.lost()
                self._change_feed(FeedStatus.FEED_TAKEN if taken else FeedStatus.LOST, detail)
            case FeedTokenRefused(detail=detail):
                raise TokenRefused(detail)
            case SegmentsChanged():
                pass  # the calendar already says when the market is open

    def _change_feed(self, status: FeedStatus, detail: str) -> None:
        self._feed_changed = FeedChanged(status=status, detail=detail)
        self._tell(self._feed_changed)

    def _deliver(self, settled: Settled) -> None:
        options = [key for key, by in self._wanted.items() if self not in by]
        costs = premiums(self.quotes, options, self._clock.now()) if settled.candles else ()
        for candle in settled.candles:
            self._tell(CandleClosed(candle=candle, premiums=costs))
        if settled.repairs:
            self._tell(CandlesRepaired(candles=settled.repairs))

    def _tell(self, event: Event) -> None:
        for listener in tuple(self._listeners):
            listener.tell(event)

    def _tell_running(self, minutes: Minutes, frame: QuotesChanged) -> None:
        """Tell the minute under way whenever the index has moved."""
        if not any(quote.instrument == self._underlying for quote in frame.quotes):
            return
        if (running := minutes.running()) is not None:
            at = datetime.fromtimestamp(frame.at / 1000, UTC)
            for listener in self._listeners:
                listener.running(at, running)


def _first(group: BaseExceptionGroup[TokenRefused]) -> BaseException:
    """Return the first refusal of a possibly nested group."""
    inner: BaseException = group
    while isinstance(inner, BaseExceptionGroup):
        inner = inner.exceptions[0]
    return inner
