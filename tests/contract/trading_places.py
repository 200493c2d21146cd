"""Places to trade at, for the contract suite of brokers: each lets time pass and the market move."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta
from itertools import count
from typing import Final, Protocol

from algoexec.adapters.paper.broker import PaperBroker
from algoexec.adapters.upstox.stream import FeedTiming
from algoexec.adapters.upstox.venue import SimulatorVenue
from algoexec.domain.calendar import Calendar, TradingDay, ist
from algoexec.domain.instruments import BANK_NIFTY, Contracts, Future, InstrumentKey, Option, OptionType
from algoexec.domain.market import Book, Quote
from algoexec.domain.orders import OrderReport, OrderTicket, OrderType, Side, Validity
from algoexec.ports.broker import Broker, BrokerNews, UpdatesBegin, UpdatesEnd, Urgency
from algoexec.ports.credentials import AccessToken
from algoexec.simulator.server import RunningSimulator
from tests.integration import trading
from tests.integration.faulting import start

LOT: Final = 30
CAPITAL: Final = 10_00_000_00
"""A million rupees, in paise."""
QUICK: Final = FeedTiming(first_delay=0.01, longest_delay=0.05, taken_delays=(0.01,))
DAY: Final = date(2026, 11, 23)

_ids = count(1)


def ticket(
    instrument: InstrumentKey,
    price: float,
    *,
    side: Side = Side.BUY,
    quantity: int = LOT,
    trigger: float | None = None,
    validity: Validity = Validity.DAY,
) -> OrderTicket:
    """Return a limit order with an id of its own; with a `trigger` a stop."""
    return OrderTicket(
        id=f"abcdefgh01234567-{next(_ids)}-0",
        instrument=instrument,
        side=side,
        quantity=quantity,
        type=OrderType.LIMIT if trigger is None else OrderType.SL,
        price=price,
        trigger_price=trigger,
        validity=validity,
    )


class Place(Protocol):
    """An account with money, and one option that is quoted."""

    instrument: InstrumentKey

    @property
    def broker(self) -> Broker:
        """The account."""

    def price(self) -> float:
        """Return the last price, in rupees."""

    async def pass_time(self, seconds: float) -> None:
        """Let market time pass."""

    async def rise_to(self, price: float) -> None:
        """Let the last price reach `price`."""

    async def offer_only(self, units: int) -> None:
        """Let the next buy find so much and no more."""

    async def interfere(self) -> None:
        """Let somebody else place an order on the account."""

    async def reconnect(self, told: "Told") -> None:
        """Let the connection of order updates end and begin anew, if it is one that can."""


async def buy(place: Place, quantity: int = LOT) -> str:
    """Buy through what is asked, and let it be filled; return the number."""
    number = await place.broker.place(ticket(place.instrument, through(place), quantity=quantity), Urgency.ENTRY)
    await place.pass_time(1)
    return number


def through(place: Place) -> float:
    """Return a price at which a buy takes whatever is asked."""
    return round(place.price() * 1.05, 0)


async def report(broker: Broker, number: str) -> OrderReport:
    """Return an order as it stands."""
    (found,) = [report for report in await broker.orders() if report.order_id == number]
    return found


@dataclass
class Told:
    """Remembers what a broker tells, and lets a test wait until it has told something."""

    news: list[BrokerNews] = field(default_factory=list)
    _changed: asyncio.Event = field(default_factory=asyncio.Event)

    def __call__(self, news: BrokerNews) -> None:
        self.news.append(news)
        self._changed.set()

    async def until(self, holds: Callable[[], bool]) -> None:
        async with asyncio.timeout(10):
            while not holds():
                self._changed.clear()
                await self._changed.wait()

    def of(self, number: str) -> list[OrderReport]:
        return [news for news in self.news if isinstance(news, OrderReport) and news.order_id == number]

    def begun(self) -> int:
        return sum(isinstance(news, UpdatesBegin) for news in self.news)

    def ended(self) -> int:
        return sum(isinstance(news, UpdatesEnd) for news in self.news)


@asynccontextmanager
async def following(broker: Broker) -> AsyncIterator[Told]:
    """Follow a broker once its updates have begun."""
    told = Told()
    task = asyncio.create_task(broker.follow(told))
    try:
        await told.until(lambda: told.begun() > 0)
        yield told
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


# --- at a simulator ------------------------------------------------------------------------------------------------


@dataclass
class SimulatorPlace:
    """A user of a simulator whose clock stands."""

    running: RunningSimulator
    broker: Broker
    user: str
    instrument: InstrumentKey = trading.CALL

    def price(self) -> float:
        return trading.quote(self.running).price

    async def pass_time(self, seconds: float) -> None:
        trading.pass_time(self.running, seconds)

    async def rise_to(self, price: float) -> None:
        for _ in range(10_000):
            if self.price() >= price:
                return
            trading.pass_time(self.running, 1)
        raise AssertionError(f"it never rose to {price}")

    async def offer_only(self, units: int) -> None:
        fault = {"when": {"user": self.user, "count": 1}, "do": {"partial": {"units": units}}}
        await start(self.running, fault, name=f"partial-{self.user}")

    async def interfere(self) -> None:
        async with trading.trading(self.running, self.user) as by_hand:
            await by_hand.place(trading.order(1.0))

    async def reconnect(self, told: Told) -> None:
        before = told.begun()
        when = {"user": self.user, "path": "/v2/feed/portfolio-stream-feed", "count": 1}
        await start(self.running, {"when": when, "do": {"close": 1006}}, name=f"cut-{self.user}")
        await self.interfere()
        await told.until(lambda: told.begun() > before and told.ended() == before)


_users = count(1)


@asynccontextmanager
async def at_simulator(running: RunningSimulator) -> AsyncIterator[SimulatorPlace]:
    """Trade at a simulator as a user of its own."""
    user = f"contract{next(_users)}"
    venue = SimulatorVenue(running.url, timing=QUICK)
    await venue.name()
    try:
        yield SimulatorPlace(running, venue.broker(AccessToken(f"user:{user}")), user)
    finally:
        await venue.aclose()


# --- on paper ------------------------------------------------------------------------------------------------------


class HandClock:
    """A market clock that is moved by hand."""

    def __init__(self, at: datetime) -> None:
        self.at = at
        self._moved = asyncio.Event()

    def now(self) -> datetime:
        return self.at

    async def wait_until(self, at: datetime) -> None:
        while self.at < at:
            await self._moved.wait()

    def move(self, at: datetime) -> None:
        self.at, moved = at, self._moved
        self._moved = asyncio.Event()
        moved.set()


def option(number: int = 41090, strike: float = 51_000.0) -> Option:
    """Return a call on Bank Nifty."""
    return Option(
        key=InstrumentKey(f"NSE_FO|{number}"),
        name=f"BANKNIFTY {strike:g} CE",
        type=OptionType.CALL,
        strike=strike,
        expiry=date(2026, 12, 29),
        lot=LOT,
        tick_size=0.05,
        freeze_quantity=600,
    )


def contracts() -> Contracts:
    """Return two calls and a future."""
    key = InstrumentKey("NSE_FO|40001")
    future = Future(key=key, name="FUT", expiry=date(2026, 12, 29), lot=LOT, tick_size=0.2, freeze_quantity=600)
    options = (option(), option(41091, 51_100.0))
    return Contracts(underlying=BANK_NIFTY, future=future, expiry=date(2026, 12, 29), options=options)


def trading_day() -> TradingDay:
    """Return an ordinary day."""
    day = Calendar().day(DAY)
    assert day is not None
    return day


class PaperPlace:
    """A paper broker whose quotes are scripted: a spread of a rupee, and much on both sides unless said otherwise."""

    instrument = option().key

    def __init__(self, **more: object) -> None:
        self.clock = HandClock(ist(DAY, time(10, 30)))
        self.broker = PaperBroker(self.clock, trading_day(), contracts(), capital=CAPITAL, **more)  # type: ignore[arg-type]
        self.last = 100.0
        self.volume = 1_000
        self.offered = 3_000
        self.quote()

    def price(self) -> float:
        return self.last

    def quote(self, *, traded: int = 0, spot: float | None = None) -> None:
        """Push the option as it stands, after a trade of so many units."""
        self.volume += traded
        stamp = round(self.clock.at.timestamp() * 1000)
        book = Book(self.last - 0.5, 3_000, self.last + 0.5, self.offered)
        self.broker.quoted(
            Quote(
                instrument=self.instrument,
                received_at=stamp,
                price=self.last,
                traded_quantity=traded,
                volume=self.volume,
                told_book=book,
            ),
            self.clock.at,
        )
        if spot is not None:
            self.broker.quoted(Quote(instrument=BANK_NIFTY, received_at=stamp, price=spot), self.clock.at)

    async def pass_time(self, seconds: float) -> None:
        self.clock.move(self.clock.at + timedelta(seconds=seconds))
        for _ in range(5):  # whoever waits for the clock has a turn, and what it does another one
            await asyncio.sleep(0)

    async def rise_to(self, price: float) -> None:
        await self.pass_time(1)
        self.last = price
        self.quote(traded=LOT)

    async def offer_only(self, units: int) -> None:
        self.offered = units
        self.quote()

    async def interfere(self) -> None:
        await buy(self)
        squared_off = ist(DAY, time(15, 25))
        await self.pass_time((squared_off - self.clock.at).total_seconds())

    async def reconnect(self, told: Told) -> None:
        """Do nothing: it is connected by a function call."""
