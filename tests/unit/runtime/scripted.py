"""A venue that does what the test says: market data, feed and clock of the ports, in memory."""

import asyncio
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from datetime import date, datetime
from typing import Final

from algoexec.domain.calendar import Calendar, TradingDay, regular_session
from algoexec.domain.instruments import BANK_NIFTY, Contracts, InstrumentKey, OptionType
from algoexec.domain.market import Bar, Quote
from algoexec.domain.options import OptionChain, OptionQuote
from algoexec.engine.events import Event
from algoexec.ports.broker import Broker
from algoexec.ports.clock import MarketClock
from algoexec.ports.credentials import AccessToken
from algoexec.ports.egress import DIRECT, Egress
from algoexec.ports.feed import FeedConnected, FeedEvent, QuotesChanged
from algoexec.ports.market_data import Profile
from algoexec.ports.venue import Addresses
from algoexec.simulation.generated import generated_day
from tests.contract.given import contracts
from tests.unit.runtime.warped import START, LoopMarketClock

CONTRACTS: Final = contracts(12)
FUTURE: Final = CONTRACTS.future.key
DAY: Final[TradingDay] = regular_session(START.date())
FIRST: Final = int(DAY.opens_at.timestamp()) // 60
"""The day's first minute."""


def index_bar(n: int) -> Bar:
    """Return the index's minute `n` of the day, as everybody who looks sees it."""
    price = 51_000.0 + 3 * (n % 7)
    return Bar(FIRST + n, price, price + 5, price - 5, price + 1, 0)


def future_bar(n: int) -> Bar:
    """Return the future's minute `n` of the day."""
    return index_bar(n)._replace(volume=1_000 + n)


type Bars = Sequence[tuple[Bar, Bar]]
"""Index and future, minute by minute."""

MADE_UP: Final[Bars] = [(index_bar(n), future_bar(n)) for n in range(375)]


def generated_bars() -> Bars:
    """Return the minutes of the simulator's generated day: something happens in them."""
    day = generated_day()
    away = FIRST - day.index[0].minute
    volumes = {bar.minute: bar.volume for bar in day.futures[0].bars}
    return [
        (bar._replace(minute=bar.minute + away), bar._replace(minute=bar.minute + away, volume=volumes[bar.minute]))
        for bar in day.index
    ]


def ticks(n: int, bars: Bars = MADE_UP) -> list[QuotesChanged]:
    """Return the frames that make minute `n` of `bars`: at seconds 0, 10, 20 and 59."""
    bar, volume = bars[n][0], bars[n][1].volume
    before = sum(future.volume for _, future in bars[:n])
    prices = (bar.open, bar.high, bar.low, bar.close)
    return [
        frame((FIRST + n) * 60 + second, price, before + volume * (step + 1) // 4)
        for step, (second, price) in enumerate(zip((0, 10, 20, 59), prices, strict=True))
    ]


def frame(second: float, price: float, volume: int) -> QuotesChanged:
    """Return a frame in which index and future trade at `second` of the epoch."""
    at = round(second * 1000)
    quotes = (
        Quote(BANK_NIFTY, at, price=price, traded_at=at),
        Quote(FUTURE, at, price=price, traded_at=at, volume=volume),
    )
    return QuotesChanged(at, quotes)


class Feed:
    """A feed that says what it is told to say, and remembers what it was asked for."""

    def __init__(self) -> None:
        self._said: asyncio.Queue[FeedEvent | Exception] = asyncio.Queue()
        self.wanted: list[InstrumentKey] = []
        self.requests: list[tuple[str, tuple[InstrumentKey, ...]]] = []
        self.is_running = False
        self.closes = asyncio.Event()
        self.closes.set()

    async def run(self, sink: Callable[[FeedEvent], None]) -> None:
        self.is_running = True
        try:
            while True:
                said = await self._said.get()
                if isinstance(said, Exception):
                    raise said
                sink(said)
        finally:
            await self.closes.wait()
            self.is_running = False

    async def subscribe(self, instruments: Iterable[InstrumentKey]) -> None:
        new = tuple(instruments)
        assert not set(new) & set(self.wanted), "what is subscribed already"
        self.wanted += new
        self.requests.append(("sub", new))

    async def unsubscribe(self, instruments: Iterable[InstrumentKey]) -> None:
        gone = tuple(instruments)
        self.wanted = [key for key in self.wanted if key not in gone]
        self.requests.append(("unsub", gone))

    def renew(self, token: AccessToken) -> None:
        raise NotImplementedError

    def say(self, *events: FeedEvent | Exception) -> None:
        """Hand out events; an exception ends the feed."""
        for event in events:
            self._said.put_nowait(event)


class Market:
    """The read side: finished minutes of the made-up day, and a chain; each call can fail or be held up."""

    def __init__(self, clock: MarketClock, bars: Bars) -> None:
        self._clock = clock
        self._bars = bars
        self.calls: list[str] = []
        self.failures: dict[str, list[Exception]] = defaultdict(list)
        self.held: dict[str, asyncio.Event] = {}
        self.contracts_of_day: Contracts = CONTRACTS
        self.days: dict[date, int] = {}
        """How many minutes of which earlier day are known."""
        self.absent: set[int] = set()
        """Minutes of today that the venue does not know."""
        self.open_interest: tuple[int, int] | None = (1_000, 900)
        """Calls and puts at every strike; None for an empty chain."""

    async def _answer(self, name: str) -> None:
        self.calls.append(name)
        if name in self.held:
            await self.held[name].wait()
        if self.failures[name]:
            raise self.failures[name].pop(0)

    async def profile(self) -> Profile:
        await self._answer("profile")
        return Profile(account="AB1234", name="Asha")

    async def contracts(self, underlying: InstrumentKey, at: datetime) -> Contracts:
        await self._answer("contracts")
        return self.contracts_of_day

    async def chain(self, underlying: InstrumentKey, expiry: date) -> OptionChain:
        await self._answer("chain")
        quotes: tuple[OptionQuote, ...] = ()
        if self.open_interest is not None:
            calls, puts = self.open_interest
            quotes = tuple(
                OptionQuote(
                    instrument=option.key,
                    type=option.type,
                    strike=option.strike,
                    open_interest=calls if option.type is OptionType.CALL else puts,
                )
                for option in self.contracts_of_day.options
            )
        spot = 51_000.5 if quotes else None
        return OptionChain(underlying=underlying, expiry=expiry, at=self._clock.now(), spot=spot, quotes=quotes)

    async def bars(self, instrument: InstrumentKey, first: date, last: date) -> Sequence[Bar]:
        await self._answer("bars")
        found: list[Bar] = []
        for day, minutes in sorted(self.days.items()):
            if first <= day <= last:
                away = int(regular_session(day).opens_at.timestamp()) // 60 - FIRST
                found += [bar._replace(minute=bar.minute + away) for bar in self._of(instrument)[:minutes]]
        return found

    async def bars_today(self, instrument: InstrumentKey) -> Sequence[Bar]:
        await self._answer("bars_today")
        over = int(self._clock.now().timestamp()) // 60 - FIRST
        return [bar for n, bar in enumerate(self._of(instrument)[: max(0, over)]) if n not in self.absent]

    def _of(self, instrument: InstrumentKey) -> list[Bar]:
        return [index if instrument == BANK_NIFTY else future for index, future in self._bars]

    async def calendar(self, year: int) -> Calendar:
        await self._answer("calendar")
        return Calendar()


class Venue:
    """Lends the same market to every token, and a feed to each that asks."""

    def __init__(self, name: str = "scripted", bars: Bars = MADE_UP) -> None:
        self.clock = LoopMarketClock()
        self.market = Market(self.clock, bars)
        self.feeds: list[Feed] = []
        self.names: list[str | Exception] = []
        self._name = name

    async def name(self) -> str:
        said = self.names.pop(0) if self.names else self._name
        if isinstance(said, Exception):
            raise said
        return said

    def market_data(self, token: AccessToken) -> Market:
        return self.market

    def feed(self, token: AccessToken) -> Feed:
        feed = Feed()
        feed.say(FeedConnected())
        self.feeds.append(feed)
        return feed

    def broker(self, token: AccessToken, egress: Egress = DIRECT) -> Broker:
        raise NotImplementedError

    async def addresses(self, token: AccessToken, egress: Egress) -> Addresses:
        raise NotImplementedError


class Listener:
    """Remembers what a desk says."""

    def __init__(self) -> None:
        self.told: list[Event] = []
        self.minutes: list[tuple[datetime, Bar]] = []
        self.priced = 0

    def tell(self, event: Event) -> None:
        self.told.append(event)

    def quoted(self, quotes: Sequence[Quote]) -> None:
        """Count that prices came: which ones is not of interest here."""
        self.priced += 1

    def running(self, at: datetime, minute: Bar) -> None:
        self.minutes.append((at, minute))

    def of[T: Event](self, kind: type[T]) -> list[T]:
        """Return what was told of one kind, in order."""
        return [event for event in self.told if isinstance(event, kind)]
