"""A morning on paper, through desk, runner, journal and paper broker, and the same morning as a backtest.

Both meet the same ticks at the same market time. Then nothing differs: not a price, not a
millisecond, not a paisa.
"""

import asyncio
from collections.abc import Iterable, Iterator
from contextlib import asynccontextmanager
from datetime import date, timedelta
from typing import Any, Final

import pytest

from algoexec.adapters.memory import MemoryStores
from algoexec.backtest.prices import DayPrices
from algoexec.backtest.recorder import DayRecorder
from algoexec.backtest.result import BacktestTrade, Execution
from algoexec.backtest.run import strikes_of
from algoexec.backtest.session import DaySession
from algoexec.bootstrap import open_accounts
from algoexec.domain.instruments import BANK_NIFTY, InstrumentKey
from algoexec.domain.market import Greeks, Quote
from algoexec.domain.recording import RecordedDay
from algoexec.domain.signals import Signal
from algoexec.engine.effects import EntryRefused, TradeClosed
from algoexec.engine.events import CandleClosed, ChainPolled, Event, Mode, SessionCreated
from algoexec.engine.trading.rules import TradeRules
from algoexec.ports.credentials import AccessToken
from algoexec.ports.feed import FeedConnected, QuotesChanged
from algoexec.ports.stores import JournalEntry
from algoexec.runtime.hub import StreamHub
from algoexec.runtime.registry import Registry
from algoexec.simulation.expansion import Tick
from algoexec.simulation.generated import generated_day
from algoexec.simulation.recorded import recorded_day
from algoexec.simulation.trading.paper import milliseconds, moment
from algoexec.storage.codec import canonical
from algoexec.strategy.parameters import Parameters
from tests.unit.runtime.scripted import Feed, Venue
from tests.unit.runtime.warped import START, LoopClock, warped

ANN: Final = AccessToken("user:ann")
RULES: Final = TradeRules(risk_pct=3.0, max_minutes_in_trade=8)
EXECUTION: Final = Execution(depth=1, decided_after_ms=0)
"""Paper is shown the best row of a book; when a candle is decided is what the journal says."""
UNTIL: Final = START + timedelta(minutes=105)
ON: Final[date] = START.date()


class PlayedFeed(Feed):
    """Tells every tick of what is subscribed, when its time has come; first what was told last."""

    def __init__(self, market: "PlayedMarket") -> None:
        super().__init__()
        self._market = market
        self.say(FeedConnected())

    async def subscribe(self, instruments: Iterable[InstrumentKey]) -> None:
        new = tuple(instruments)
        await super().subscribe(new)
        now = milliseconds(self._market.clock.now())
        known = [(tick, key) for key in new if (tick := self._market.tape(key).last_trade(now)) is not None]
        if known:
            self.say(QuotesChanged(now, tuple(self._market.quote(key, tick) for tick, key in known)))

    async def play(self) -> None:
        """Tell until nobody listens any more."""
        told = milliseconds(START) - 1
        while told < milliseconds(UNTIL):
            ahead = min((tick.at for tick, _ in self._ticks(told, told + 60_000)), default=told + 60_000)
            await self._market.clock.wait_until(moment(ahead))
            for at, those in _together(sorted(self._ticks(told, ahead), key=lambda pair: pair[0].at)):
                self.say(QuotesChanged(at, tuple(self._market.quote(key, tick) for tick, key in those)))
            told = ahead

    def _ticks(self, after: int, until: int) -> Iterator[tuple[Tick, InstrumentKey]]:
        for key in self.wanted:
            for tick in self._market.tape(key).between(after, until):
                yield tick, key


def _together(
    ticks: Iterable[tuple[Tick, InstrumentKey]],
) -> Iterator[tuple[int, list[tuple[Tick, InstrumentKey]]]]:
    """Group ticks of one millisecond; the index comes first among them."""
    groups: dict[int, list[tuple[Tick, InstrumentKey]]] = {}
    for tick, key in ticks:
        groups.setdefault(tick.at, []).append((tick, key))
    for at, those in groups.items():
        yield at, sorted(those, key=lambda pair: pair[1] != BANK_NIFTY)


class PlayedMarket(Venue):
    """A venue at which a backtest's own day is played."""

    def __init__(self, day: RecordedDay, prices: DayPrices) -> None:
        volumes = {bar.minute: bar for bar in day.future}
        super().__init__(bars=[(bar, volumes[bar.minute]) for bar in day.index])
        self.prices = prices
        self.market.contracts_of_day = prices.contracts
        self._options = {option.key: option for option in prices.contracts.options}

    def tape(self, key: InstrumentKey) -> Any:
        return self.prices._exchange.tape(key)

    def quote(self, key: InstrumentKey, tick: Tick) -> Quote:
        if key == BANK_NIFTY:
            return self.prices.index_quote(tick)
        option = self._options.get(key)
        if option is None:
            return Quote(key, tick.at, price=tick.price, traded_at=tick.at, volume=tick.volume)
        delta = self.prices.delta(option, tick.at)
        greeks = None if delta is None else Greeks(delta, 0.0, 0.0, 0.0, 0.0)
        return self.prices.option_quote(option, tick)._replace(told_greeks=greeks)

    def feed(self, token: AccessToken) -> Feed:
        feed = PlayedFeed(self)
        self.feeds.append(feed)
        return feed


def recorded(seed: int) -> RecordedDay:
    day = generated_day(seed, ON)
    return RecordedDay(date=ON, index=day.index, future=day.futures[0].bars)


def played(day: RecordedDay) -> DayPrices:
    return DayPrices(recorded_day(day, strikes=strikes_of(day)), EXECUTION)


@asynccontextmanager
async def trading(venue: PlayedMarket, stores: MemoryStores) -> Any:
    hub = StreamHub(stores.journal.frames, LoopClock())
    registry = Registry(
        venue=venue, stores=stores, hub=hub, clock=LoopClock(), canonical=canonical, open_account=open_accounts(venue)
    )
    async with registry.running():
        yield registry


async def on_paper(day: RecordedDay) -> list[JournalEntry]:
    """Return the journal of a paper session over the morning."""
    venue, stores = PlayedMarket(day, played(day)), MemoryStores()
    async with trading(venue, stores) as registry:
        view = await registry.create(
            user_id="ann", token=ANN, mode=Mode.PAPER, parameters=Parameters(last_entry_minute=645), rules=RULES
        )
        while not venue.feeds:  # noqa: ASYNC110 - the desk opens its feed by itself
            await asyncio.sleep(0.001)
        (feed,) = venue.feeds
        assert isinstance(feed, PlayedFeed)
        await feed.play()
        await asyncio.sleep(1)
        return list(await stores.journal.read(view.row.id))


def as_backtest(day: RecordedDay, journal: list[JournalEntry]) -> tuple[DayRecorder, DaySession]:
    """Return what a backtest writes down that decides on candles and chains when the paper session did."""
    created = journal[0].record.event
    assert isinstance(created, SessionCreated)
    prices = played(day)
    recorder = DayRecorder(prices, day.index, RULES.capital, 0, lambda _: None)
    session = DaySession(created, prices, recorder, latency_ms=EXECUTION.latency_ms)
    session.begin(())
    for entry in journal:
        event: Event = entry.record.event
        if isinstance(event, CandleClosed | ChainPolled):
            session.play(milliseconds(entry.record.at), event)
    session.advance(milliseconds(UNTIL))
    return recorder, session


def of_paper(trade: TradeClosed) -> tuple[object, ...]:
    return (
        trade.instrument, trade.quantity, trade.entry_price, trade.exit_price, trade.opened_at, trade.closed_at,
        trade.reason, trade.gross, trade.charges, trade.net, trade.r, trade.mfe, trade.mae,
    )  # fmt: skip


def of_backtest(trade: BacktestTrade) -> tuple[object, ...]:
    return (
        trade.instrument, trade.quantity, trade.entry_price, trade.exit_price, trade.opened_at, trade.closed_at,
        trade.reason, trade.gross, trade.charges, trade.net, trade.r, trade.mfe, trade.mae,
    )  # fmt: skip


def seen(signal: Signal) -> tuple[object, ...]:
    return (signal.at, signal.decided_at, signal.side, signal.pattern, signal.price, signal.instrument, signal.reason)


@pytest.mark.parametrize("seed", [7, 11])
@pytest.mark.timeout(600)
def test_a_morning_on_paper_is_the_morning_of_a_backtest(seed: int) -> None:
    day = recorded(seed)
    journal: list[JournalEntry] = []

    @warped
    async def on_the_market() -> None:
        journal.extend(await on_paper(day))

    on_the_market()
    recorder, _ = as_backtest(day, journal)
    told = [frame for entry in journal for frame in entry.frames]
    traded = [frame.body for frame in told if isinstance(frame.body, TradeClosed)]
    refused = [(f.at, f.body.reason) for f in told if isinstance(f.body, EntryRefused)]
    signals = [frame.body for frame in told if isinstance(frame.body, Signal) and not frame.body.is_rejection]

    assert len(traded) >= 2, "a morning on which nothing is traded proves nothing"
    assert [seen(signal) for signal in recorder.signals] == [seen(signal) for signal in signals]
    assert [of_backtest(trade) for trade in recorder.trades] == [of_paper(trade) for trade in traded]
    assert [(one.at, one.reason) for one in recorder.refusals] == refused
