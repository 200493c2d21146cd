"""The day's limits, over HTTP and in a real database: what resets the breaker, and what does not."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any, Final

import httpx
import pytest_asyncio

from algoexec.domain.instruments import InstrumentKey
from algoexec.domain.market import Book, Quote
from algoexec.engine.events import Mode, Resumed
from algoexec.ports.feed import QuotesChanged
from algoexec.ports.stores import Scope
from algoexec.runtime.minutes import milliseconds
from algoexec.storage.stores import MongoStores
from tests.api.recorded import DAY, RULES, recorded
from tests.api.support import ScriptedVenue, Service, StillClock
from tests.api.test_sessions import begin, problem
from tests.api.trading import eventually, has_quotes, is_held, shows, trading_service

LIMIT: Final = 5_000
"""Rupees that the day may lose."""


@dataclass
class Account:
    """Asha's account: one database and one venue, whichever service runs on them; a restart is another `service`."""

    stores: Any
    venue: ScriptedVenue
    option: InstrumentKey
    paid: float

    @asynccontextmanager
    async def service(self) -> AsyncIterator[tuple[Service, httpx.AsyncClient]]:
        """Run a service on the account's database until it is stopped."""
        async with trading_service(stores=self.stores, venue=self.venue) as service, service.client() as client:
            yield service, client

    def quote(self, price: float) -> None:
        """Show a price of the option that is held."""
        at = milliseconds(self.venue.clock.now())
        book = Book(bid=price, bid_quantity=900, ask=round(price + 0.1, 2), ask_quantity=900)
        for feed in self.venue.feeds:
            assert feed.sink is not None
            feed.sink(QuotesChanged(at, (Quote(self.option, at, price=price, traded_at=at, told_book=book),)))


async def tally(client: httpx.AsyncClient, session_id: str) -> dict[str, Any]:
    """Return the day's account as a session shows it."""
    found: dict[str, Any] = (await client.get(f"/sessions/{session_id}")).json()["trading"]["tally"]
    return found


@pytest_asyncio.fixture
async def locked(mongo_stores: MongoStores) -> tuple[Account, str, dict[str, Any]]:
    """Return an account whose session has just lost more in a trade than the day may, and the day's account."""
    rules = replace(RULES, max_daily_loss=LIMIT * 100)
    day, state = recorded("breakersession00", "asha", mode=Mode.PAPER, rules=rules).cut(is_held)
    assert state.trading is not None
    assert state.trading.trade is not None
    trade = state.trading.trade
    assert trade.bought.average is not None
    venue = ScriptedVenue(clock=StillClock(state.at), held={trade.option.key: trade.open_units})
    stores: Any = mongo_stores
    await day.keep_under_way(stores)
    account = Account(stores, venue, trade.option.key, trade.bought.average)
    async with account.service() as (service, client):
        await eventually(lambda: has_quotes(service, day.row.id))
        # Far from the stop at 20 % of the premium: it is the day's limit that ends it.
        account.quote(round(account.paid * 0.88, 1))
        path = f"/sessions/{day.row.id}"
        lost = await shows(client, path, lambda one: one["trading"]["position"]["stage"] == "NEUTRAL")
        [closed] = (await shows(client, "/trades", lambda page: bool(page["items"])))["items"]
    assert closed["reason"] == "BREAKER"
    assert lost["trading"]["tally"]["lock"] == "MAX_DAILY_LOSS"
    assert lost["trading"]["tally"]["realised"] == closed["net"] <= -LIMIT
    assert "MAX_DAILY_LOSS" in lost["halted"]
    return account, day.row.id, lost["trading"]["tally"]


async def test_a_restart_does_not_reset_it(locked: tuple[Account, str, dict[str, Any]]) -> None:
    account, session_id, lost = locked
    for _ in range(2):
        async with account.service() as (service, client):
            await eventually(lambda: has_quotes(service, session_id))
            session = (await client.get(f"/sessions/{session_id}")).json()
            assert session["trading"]["tally"] == lost
            assert "MAX_DAILY_LOSS" in session["halted"]


async def test_a_change_of_the_configuration_does_not_reset_it(locked: tuple[Account, str, dict[str, Any]]) -> None:
    account, session_id, lost = locked
    looser = {"max_daily_loss": 100_000, "max_trades_per_day": 500, "capital": 900_000}
    async with account.service() as (service, client):
        await eventually(lambda: has_quotes(service, session_id))
        changed = await client.patch(f"/sessions/{session_id}", json={"config": {"trading": looser}})

        assert changed.json()["config"]["trading"]["max_daily_loss"] == LIMIT
        assert changed.json()["config"]["trading"]["capital"] == 900_000
        assert changed.json()["trading"]["tally"] == lost
        assert changed.json()["halted"] is not None
    async with account.service() as (service, client):
        assert await tally(client, session_id) == lost


async def test_stopping_and_starting_does_not_reset_it(locked: tuple[Account, str, dict[str, Any]]) -> None:
    account, session_id, lost = locked
    looser = {"max_daily_loss": 100_000}
    async with account.service() as (service, client):
        await eventually(lambda: has_quotes(service, session_id))
        assert (await client.delete(f"/sessions/{session_id}")).json()["status"] == "STOPPED"
        second = await begin(client, mode="paper", config={"trading": looser})

        assert second["trading"]["tally"] == lost
        assert second["config"]["trading"]["max_daily_loss"] == LIMIT
        await shows(client, f"/sessions/{second['id']}", lambda one: one["halted"] is not None)
        await client.delete(f"/sessions/{second['id']}")
    async with account.service() as (service, client):
        # Nor does somebody else who trades the same account.
        third = await begin(client, user_id="bela", mode="paper", config={"trading": looser})
        assert third["trading"]["tally"] == lost


async def test_the_next_trading_day_begins_anew(locked: tuple[Account, str, dict[str, Any]]) -> None:
    account, session_id, _ = locked
    async with account.service() as (service, client):
        await eventually(lambda: has_quotes(service, session_id))
        await client.delete(f"/sessions/{session_id}")
    account.venue.clock.at = DAY.opens_at + timedelta(days=3, minutes=20)
    async with account.service() as (service, client):
        session = await begin(client, mode="paper", config={"trading": {"max_daily_loss": 100_000}})

        assert session["day"] == "2026-11-23"
        assert session["trading"]["tally"] == {
            "realised": 0, "trades": 0, "losses_in_a_row": 0, "lock": None, "baseline": 0,
        }  # fmt: skip
        assert (session["halted"], session["config"]["trading"]["max_daily_loss"]) == (None, 100_000)


async def test_a_person_who_resumes_unlocks_it_in_their_name(locked: tuple[Account, str, dict[str, Any]]) -> None:
    account, session_id, lost = locked
    path = f"/sessions/{session_id}/resume"
    async with account.service() as (service, _):
        await eventually(lambda: has_quotes(service, session_id))
        asha = await service.add_key("asha", Scope.TRADE, "asha")
        bela = await service.add_key("bela", Scope.TRADE, "bela")
        reads = await service.add_key("reads", Scope.READ, "asha")
        async with service.client() as nobody, service.client(bela) as other, service.client(reads) as reader:
            problem(await nobody.post(path), 401, "unauthenticated")
            problem(await other.post(path), 404, "session-not-found")
            problem(await reader.post(path), 403, "forbidden")
        async with service.client(asha) as client:
            assert await tally(client, session_id) == lost
            resumed = (await client.post(path)).json()
    unlocked = {**lost, "lock": None, "losses_in_a_row": 0, "baseline": lost["realised"]}
    assert (resumed["halted"], resumed["trading"]["tally"]) == (None, unlocked)
    events = [entry.record.event for entry in await account.stores.journal.read(session_id)]
    [by] = [event.by for event in events if isinstance(event, Resumed)]
    assert "asha" in by
    async with account.service() as (service, _), service.client(asha) as client:
        assert await tally(client, session_id) == unlocked
        await eventually(lambda: has_quotes(service, session_id))
        await client.delete(f"/sessions/{session_id}")
        again = await begin(client, mode="paper", config={"trading": {"max_daily_loss": LIMIT}})
        assert again["trading"]["tally"] == unlocked, "what has been lost is not forgotten, nor who said go on"
