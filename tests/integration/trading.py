"""Trading against a simulator whose clock stands: a test lets the time pass that it needs."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from itertools import count
from typing import Any, Final

import httpx

from algoexec.domain.instruments import InstrumentKey
from algoexec.simulation.book import Level
from algoexec.simulation.exchange import Quote
from algoexec.simulator.server import RunningSimulator
from tests.integration.simulating import rest

STANDING: Final = 0.001
"""A speed at which the clock does not move by itself while a test runs."""
CALL: Final = InstrumentKey("NSE_FO|41090")
PUT: Final = InstrumentKey("NSE_FO|41091")
FUTURE: Final = InstrumentKey("NSE_FO|40001")
LOT: Final = 30
FREEZE: Final = 600

PLACE: Final = "/v3/order/place"
MODIFY: Final = "/v3/order/modify"
CANCEL: Final = "/v3/order/cancel"
MULTI: Final = "/v2/order/multi/place"
CANCEL_ALL: Final = "/v2/order/multi/cancel"
EXIT_ALL: Final = "/v2/order/positions/exit"
BOOK: Final = "/v2/order/retrieve-all"
DETAILS: Final = "/v2/order/details"
HISTORY: Final = "/v2/order/history"
TRADES: Final = "/v2/order/trades"
DAY_TRADES: Final = "/v2/order/trades/get-trades-for-day"
PAST_TRADES: Final = "/v2/charges/historical-trades"
POSITIONS: Final = "/v2/portfolio/short-term-positions"
CONVERT: Final = "/v2/portfolio/convert-position"
HOLDINGS: Final = "/v2/portfolio/long-term-holdings"
FUNDS: Final = "/v2/user/get-funds-and-margin"
FUNDS_V3: Final = "/v3/user/get-funds-and-margin"
BROKERAGE: Final = "/v2/charges/brokerage"
MARGIN: Final = "/v2/charges/margin"

_numbers = count(1)


def pass_time(running: RunningSimulator, seconds: float) -> None:
    """Let market time pass at once."""
    broker = running.broker
    until = broker.clock.now_ms + round(seconds * 1000)
    broker.dealing.advance(until)
    broker.clock.now_ms = until


def quote(running: RunningSimulator, key: InstrumentKey = CALL) -> Quote:
    """Return an instrument as it stands."""
    return running.broker.exchange.quote(key, running.broker.clock.now_ms)


def offered(running: RunningSimulator) -> Level:
    """Return the best row of the call's book, once it is small enough and stays until an order has come to it."""
    while True:
        now = running.broker.clock.now_ms
        shown = quote(running)
        assert shown.book is not None
        is_quiet = running.broker.exchange.quote(CALL, now + 200).trade == shown.trade
        if is_quiet and shown.book.levels[0].ask_quantity < FREEZE:
            return shown.book.levels[0]
        pass_time(running, 1)


def order(price: float = 0.0, **changes: Any) -> dict[str, Any]:
    """Return the body of an order: a limit buy of a lot, but for the changes; None leaves a field out."""
    body = {
        "quantity": LOT,
        "product": "I",
        "validity": "DAY",
        "price": price,
        "instrument_token": CALL,
        "order_type": "LIMIT",
        "transaction_type": "BUY",
        "disclosed_quantity": 0,
        "trigger_price": 0,
        "is_amo": False,
        **changes,
    }
    return {name: value for name, value in body.items() if value is not None}


def change(order_id: str, price: float, **changes: Any) -> dict[str, Any]:
    """Return the body of a change to another limit, but for the changes; None leaves a field out."""
    body = {"order_id": order_id, "order_type": "LIMIT", "validity": "DAY", "price": price, "trigger_price": 0}
    return {name: value for name, value in {**body, **changes}.items() if value is not None}


class Trader:
    """A user of a simulator; what goes wrong fails the test."""

    def __init__(self, running: RunningSimulator, user: str, client: httpx.AsyncClient) -> None:
        """Trade at `running` by `client`."""
        self.running = running
        self.user = user
        self.client = client

    async def data(self, path: str, **query: Any) -> Any:
        """Return what an endpoint tells."""
        return told(await self.client.get(path, params=query))

    async def place(self, body: dict[str, Any]) -> str:
        """Place an order and let it reach the exchange; return its number."""
        (number,) = told(await self.client.post(PLACE, json=body))["order_ids"]
        pass_time(self.running, 0.1)
        return str(number)

    async def details(self, number: str) -> Any:
        """Return an order as it stands."""
        return await self.data(DETAILS, order_id=number)

    async def states(self, number: str) -> list[str]:
        """Return the states that an order has been in."""
        return [state["status"] for state in await self.data(HISTORY, order_id=number)]

    async def buy(self, quantity: int = LOT, **changes: Any) -> str:
        """Buy at what is asked, and through."""
        price = round(quote(self.running, changes.get("instrument_token", CALL)).price * 1.02, 0)
        return await self.place(order(price, quantity=quantity, **changes))

    async def sell(self, quantity: int = LOT, **changes: Any) -> str:
        """Sell at what is bid, and through."""
        price = round(quote(self.running, changes.get("instrument_token", CALL)).price * 0.98, 0)
        return await self.place(order(price, quantity=quantity, transaction_type="SELL", **changes))


@asynccontextmanager
async def trading(running: RunningSimulator, user: str | None = None) -> AsyncIterator[Trader]:
    """Trade as a user, another one each time unless named."""
    name = user or f"trader{next(_numbers)}"
    async with rest(running, f"user:{name}") as client:
        yield Trader(running, name, client)


def told(answer: httpx.Response) -> Any:
    """Return the data of an answer that went well."""
    assert answer.status_code == 200, answer.text
    assert answer.json()["status"] == "success"
    return answer.json()["data"]


def refusal(answer: httpx.Response) -> tuple[int, str]:
    """Return status and code of an answer that did not."""
    body = answer.json()
    assert body["status"] == "error"
    (error,) = body["errors"]
    assert error["errorCode"] == error["error_code"]
    return answer.status_code, error["error_code"]
