"""Services whose sessions trade."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from typing import Any

import httpx

from algoexec.adapters.memory.stores import MemoryStores
from algoexec.domain.market import Book, Quote
from algoexec.engine.effects import EntryOffered
from algoexec.engine.events import FeedStatus, Mode
from algoexec.engine.state import EngineState
from algoexec.engine.trading.drafting import offer_of
from algoexec.engine.trading.rules import Approval
from algoexec.engine.trading.trade import Stage
from algoexec.ports.feed import QuotesChanged
from algoexec.runtime.minutes import milliseconds
from tests.api.recorded import DAY, RULES, recorded
from tests.api.support import ScriptedVenue, Service, StillClock, running_service

LIMITS = {"capital": 300_000, "max_daily_loss": 9_000}
"""What mode `live` wants to be told."""


def is_held(state: EngineState) -> bool:
    return state.trading is not None and state.trading.trade is not None and state.trading.trade.stage is Stage.IN_TRADE


@dataclass
class Held:
    """A service that has taken up a session in a trade."""

    service: Service
    session_id: str
    units: int

    @property
    def path(self) -> str:
        return f"/sessions/{self.session_id}"


@asynccontextmanager
async def trading_service(**options: Any) -> AsyncIterator[Service]:
    """Run a service that offers every mode and knows that its money is made up."""
    async with running_service(**{"modes": frozenset(Mode), "risks_money": False, **options}) as service:
        yield service


@asynccontextmanager
async def held(*, mode: Mode = Mode.PAPER, user_id: str = "asha", **options: Any) -> AsyncIterator[Held]:
    """Run a service that takes up a session of `user_id` in the middle of a trade."""
    day, state = recorded("heldsession00000", user_id, mode=mode).cut(is_held)
    assert state.trading is not None
    assert state.trading.trade is not None
    trade = state.trading.trade
    venue = ScriptedVenue(clock=StillClock(state.at), held={trade.option.key: trade.open_units})
    stores = MemoryStores()
    await day.keep_under_way(stores)
    async with trading_service(stores=stores, venue=venue, **options) as service:
        await eventually(lambda: day.row.id in service.registry._running._runners)
        yield Held(service, day.row.id, trade.open_units)


@dataclass
class Asking:
    """A service that has taken up a session which asks a person about an entry."""

    service: Service
    session_id: str
    offered: EntryOffered

    @property
    def path(self) -> str:
        """Where the order is."""
        return f"/orders/{self.offered.id}"

    def quote(self, ask: float | None = None) -> None:
        """Show a price of the option; by default the one at which it was offered."""
        at = milliseconds(self.service.venue.clock.now())
        ask = self.offered.limit if ask is None else ask
        book = Book(bid=round(ask - 0.1, 2), bid_quantity=900, ask=ask, ask_quantity=900)
        quote = Quote(self.offered.instrument, at, price=ask, traded_at=at, told_book=book)
        for feed in self.service.venue.feeds:
            assert feed.sink is not None
            feed.sink(QuotesChanged(at, (quote,)))


@asynccontextmanager
async def asking(*, mode: Mode = Mode.PAPER, user_id: str = "asha", **options: Any) -> AsyncIterator[Asking]:
    """Run a service that takes up a session of `user_id` which waits for a person's word."""
    rules = replace(RULES, approval=Approval.MANUAL)
    day, state = recorded("askingsession000", user_id, mode=mode, rules=rules).cut(lambda state: bool(offer_in(state)))
    offered = offer_in(state)
    assert offered is not None
    stores = MemoryStores()
    await day.keep_under_way(stores)
    async with trading_service(stores=stores, venue=ScriptedVenue(clock=StillClock(state.at)), **options) as service:
        await eventually(lambda: has_quotes(service, day.row.id))
        yield Asking(service, day.row.id, offered)


def has_quotes(service: Service, session_id: str) -> bool:
    """Whether the session runs here, and the feed that it now has is connected."""
    runner = service.registry._running.get(session_id)
    if runner is None or runner.desk is None or runner.state.feed is not FeedStatus.CONNECTED:
        return False
    return service.venue.feeds[-1].sink is not None


def offer_in(state: EngineState) -> EntryOffered | None:
    """Return what a person is asked."""
    return None if state.trading is None else offer_of(state.trading.intent)


async def eventually(holds: Callable[[], bool]) -> None:
    """Return once it holds."""
    async with asyncio.timeout(10):
        while not holds():  # noqa: ASYNC110 - whatever it is, it has no event
            await asyncio.sleep(0)


async def shows(client: httpx.AsyncClient, path: str, holds: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
    """Return the session once it is so."""
    async with asyncio.timeout(10):
        while True:
            session: dict[str, Any] = (await client.get(path)).json()
            if holds(session):
                return session
            await asyncio.sleep(0)


def on_the_recorded_day(**fields: Any) -> ScriptedVenue:
    """Return a venue in the afternoon of the day that is recorded."""
    return ScriptedVenue(clock=StillClock(DAY.opens_at.replace(hour=8)), **fields)
