"""The newest quotes of what a session follows."""

import asyncio
from datetime import UTC, datetime
from typing import Any

import httpx

from algoexec.domain.instruments import BANK_NIFTY
from algoexec.domain.market import Book, Greeks, Quote
from algoexec.ports.feed import FeedConnected, QuotesChanged
from tests.api.conftest import Callers
from tests.api.recorded import recorded
from tests.api.support import MARKET_TIME, Service
from tests.api.test_sessions import begin

STAMP = round(MARKET_TIME.timestamp() * 1000)


async def quotes_of(client: httpx.AsyncClient, session_id: str) -> list[dict[str, Any]]:
    answer = await client.get(f"/sessions/{session_id}/quotes")
    assert answer.status_code == 200, answer.text
    quotes: list[dict[str, Any]] = answer.json()["quotes"]
    return quotes


async def test_what_was_told_is_shown_and_what_was_not_is_null(service: Service, local: httpx.AsyncClient) -> None:
    session = await begin(local)
    async with asyncio.timeout(20):
        while not service.venue.feeds or (sink := service.venue.feeds[0].sink) is None:
            await local.get(f"/sessions/{session['id']}")
        book, greeks = Book(ask=212.4, ask_quantity=210), Greeks(0.52, -48.2, 0.0004, 21.3, 1.0)
        index = Quote(
            BANK_NIFTY, STAMP, price=51_230.2, previous_close=51_000.0, iv=0.131, told_book=book, told_greeks=greeks
        )
        sink(FeedConnected())
        sink(QuotesChanged(STAMP, (index,)))
        found = await quotes_of(local, session["id"])
        while not found:
            found = await quotes_of(local, session["id"])

    (quote,) = found
    assert datetime.fromisoformat(quote["at"]) == datetime.fromtimestamp(STAMP / 1000, UTC)
    assert (quote["last_price"], quote["previous_close"], quote["iv"]) == (51_230.2, 51_000.0, 0.131)
    assert (quote["bid"], quote["ask"], quote["ask_quantity"]) == (None, 212.4, 210)
    assert quote["greeks"] == {"delta": 0.52, "gamma": 0.0004, "theta": -48.2, "vega": 21.3}
    assert (quote["open_interest"], quote["volume"]) == (None, None)


async def test_a_session_that_does_not_run_follows_nothing(callers: Callers) -> None:
    day = recorded("recordedsession0", "asha")
    await day.keep(callers.service.stores)

    assert await quotes_of(callers.asha, day.row.id) == []
