"""The portfolio stream over a real socket: who is told what, and that nobody is told of the past."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, Final
from urllib.parse import parse_qs, urlsplit

import pytest
import pytest_asyncio
import websockets
from websockets.exceptions import ConnectionClosed, InvalidStatus

from algoexec.simulator.server import RunningSimulator
from tests.integration.simulating import rest, settings, simulator
from tests.integration.trading import CALL, LOT, STANDING, Trader, order, pass_time, refusal, told, trading

STREAM: Final = "/v2/feed/portfolio-stream-feed"
AUTHORIZE: Final = f"{STREAM}/authorize"
PATIENCE_S: Final = 10
EVERYTHING: Final = "order,position,holding,gtt_order"
ARRIVES: Final = ["put order req received", "validation pending", "open pending", "open"]

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def running() -> AsyncIterator[RunningSimulator]:
    async with simulator(settings("10:30:30", speed=STANDING, rate_limits=False)) as running:
        yield running


@pytest_asyncio.fixture(loop_scope="module")
async def trader(running: RunningSimulator) -> AsyncIterator[Trader]:
    # A new book: the tests before may have taken what this one wants.
    pass_time(running, 5)
    async with trading(running) as trader:
        yield trader


class Updates:
    """A portfolio socket, read update by update."""

    def __init__(self, socket: websockets.ClientConnection) -> None:
        """Read from `socket`."""
        self.socket = socket

    async def next(self) -> dict[str, Any]:
        """Return the next update: a text frame of JSON."""
        async with asyncio.timeout(PATIENCE_S):
            message = await self.socket.recv()
        assert isinstance(message, str)
        update: dict[str, Any] = json.loads(message)
        return update

    async def until(self, kind: str) -> dict[str, Any]:
        """Return the next update of a kind."""
        while (update := await self.next())["update_type"] != kind:
            pass
        return update

    async def statuses(self, last: str) -> list[str]:
        """Return the statuses of orders up to the one that is last."""
        found = []
        while (update := await self.next())["status"] != last:
            found.append(update["status"])
        return [*found, last]

    async def says_nothing(self) -> None:
        """Return if nothing comes though it is waited for."""
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(self.socket.recv(), 0.2)


@asynccontextmanager
async def updates(trader: Trader, update_types: str | None = None) -> AsyncIterator[Updates]:
    """Open a trader's portfolio stream."""
    query = {} if update_types is None else {"update_types": update_types}
    uri = (await trader.data(AUTHORIZE, **query))["authorized_redirect_uri"]
    async with websockets.connect(uri, close_timeout=0.1) as socket:
        yield Updates(socket)


# --- who may ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("token", [None, "bad-token", "user:"])
async def test_nobody_is_let_in_without_a_token(running: RunningSimulator, token: str | None) -> None:
    async with rest(running, token) as nobody:
        assert refusal(await nobody.get(AUTHORIZE)) == (401, "UDAPI100050")
    headers = {} if token is None else {"Authorization": f"Bearer {token}"}
    with pytest.raises(InvalidStatus) as refused:
        await websockets.connect(running.url.replace("http", "ws") + STREAM, additional_headers=headers)
    assert refused.value.response.status_code == 401


async def test_an_address_opens_the_stream_once(trader: Trader) -> None:
    uri = (await trader.data(AUTHORIZE))["authorized_redirect_uri"]
    assert {"requestId", "code"} == set(parse_qs(urlsplit(uri).query))
    async with websockets.connect(uri, close_timeout=0.1):
        with pytest.raises(InvalidStatus) as refused:
            await websockets.connect(uri)
    assert refused.value.response.status_code == 401


async def test_a_client_that_comes_with_its_token_is_sent_to_such_an_address(trader: Trader) -> None:
    address = trader.running.url.replace("http", "ws") + STREAM + "?update_types=position"
    headers = {"Authorization": f"Bearer user:{trader.user}"}
    async with websockets.connect(address, additional_headers=headers, close_timeout=0.1) as socket:
        await trader.buy()
        assert (await Updates(socket).next())["update_type"] == "position"


async def test_a_refused_handshake_is_no_error_of_the_simulators(
    running: RunningSimulator, caplog: pytest.LogCaptureFixture
) -> None:
    address = running.url.replace("http", "ws") + STREAM
    with pytest.raises(InvalidStatus):
        await websockets.connect(address)
    async with websockets.connect(address, additional_headers={"Authorization": "Bearer user:ann"}, close_timeout=0.1):
        pass

    assert [record.message for record in caplog.records if record.levelname == "ERROR"] == []


async def test_several_sockets_of_a_user_are_told_the_same(trader: Trader) -> None:
    async with updates(trader) as first, updates(trader) as second:
        number = await trader.place(order(1.0))
        assert [(await one.next())["order_id"] for one in (first, second)] == [number] * 2


async def test_what_happens_to_others_is_not_told(trader: Trader) -> None:
    async with trading(trader.running) as other, updates(other, EVERYTHING) as heard:
        await trader.buy()
        await heard.says_nothing()
        mine = await other.place(order(1.0))
        update = await heard.next()
        assert (update["order_id"], update["user_id"]) == (mine, other.user)


# --- what is told -------------------------------------------------------------------------------------------------


async def test_an_order_is_told_with_each_of_its_states(trader: Trader) -> None:
    async with updates(trader) as heard:
        number = await trader.place(order(1.0, tag="mine"))
        first = await heard.next()
        assert await heard.statuses("open") == ARRIVES[1:]
        told(await trader.client.delete("/v3/order/cancel", params={"order_id": number}))
        pass_time(trader.running, 1)
        assert await heard.statuses("cancelled") == ["cancel pending", "cancelled"]

    assert first == {
        "update_type": "order",
        "user_id": trader.user,
        "userId": trader.user,
        "exchange": "NFO",
        "instrument_token": CALL,
        "instrument_key": CALL,
        "trading_symbol": "BANKNIFTY 57000 CE 27 OCT 26",
        "tradingsymbol": "BANKNIFTY 57000 CE 27 OCT 26",
        "product": "I",
        "order_type": "LIMIT",
        "validity": "DAY",
        "transaction_type": "BUY",
        "quantity": LOT,
        "price": 1.0,
        "trigger_price": 0.0,
        "disclosed_quantity": 0,
        "average_price": None,
        "filled_quantity": 0,
        "pending_quantity": LOT,
        "status": "put order req received",
        "status_message": None,
        "status_message_raw": None,
        "exchange_order_id": "",
        "parent_order_id": None,
        "order_id": number,
        "order_ref_id": number,
        "order_request_id": "1",
        "variety": "SIMPLE",
        "order_timestamp": first["order_timestamp"],
        "exchange_timestamp": None,
        "is_amo": False,
        "tag": "mine",
        "guid": None,
        "placed_by": trader.user,
    }


async def test_a_fill_is_told_as_rest_tells_it(trader: Trader) -> None:
    async with updates(trader, "order,position") as heard:
        number = await trader.buy()
        while (done := await heard.next())["status"] != "complete":
            pass
        position = await heard.until("position")
        (held,) = await trader.data("/v2/portfolio/short-term-positions")
        details = await trader.details(number)

    assert (done["filled_quantity"], done["pending_quantity"]) == (LOT, 0)
    assert done["average_price"] == pytest.approx(details["average_price"], abs=1e-4)
    assert set(position) == {*held, "update_type", "user_id", "userId", "instrument_key"}
    assert (position["quantity"], position["average_price"]) == (LOT, held["average_price"])


@pytest.mark.parametrize(
    ("wanted", "expected"),
    [
        (None, {"order"}),
        ("", {"order"}),
        ("position", {"position"}),
        ("order,position", {"order", "position"}),
        ("holding", set()),
        ("gtt_order", {"gtt_order"}),
        (EVERYTHING, {"order", "position", "gtt_order"}),
    ],
)
async def test_only_what_was_asked_for_is_told(trader: Trader, wanted: str | None, expected: set[str]) -> None:
    async with updates(trader, wanted) as heard:
        await trader.buy()
        rule = {"strategy": "ENTRY", "trigger_type": "BELOW", "trigger_price": 1.0}
        gtt = {"type": "SINGLE", "quantity": LOT, "product": "D", "instrument_token": CALL, "rules": [rule]}
        told(await trader.client.post("/v3/order/gtt/place", json={**gtt, "transaction_type": "BUY"}))
        kinds: set[str] = set()
        while kinds != expected:
            kinds.add((await heard.next())["update_type"])
        assert kinds <= expected
        if not expected:
            await heard.says_nothing()


async def test_an_unknown_kind_of_update_is_refused(trader: Trader) -> None:
    answer = await trader.client.get(AUTHORIZE, params={"update_types": "order,trade"})

    assert refusal(answer) == (400, "UDAPI100036")
    assert "trade" in answer.text


async def test_what_a_client_says_is_not_heard(trader: Trader) -> None:
    async with updates(trader) as heard:
        await heard.socket.send("{")
        await heard.socket.send(b"\xff\x00")
        number = await trader.place(order(1.0))
        assert (await heard.next())["order_id"] == number


# --- absence ------------------------------------------------------------------------------------------------------


async def test_who_comes_back_is_not_told_what_was_missed(trader: Trader) -> None:
    async with updates(trader, EVERYTHING) as heard:
        seen = await trader.place(order(1.0))
        assert (await heard.next())["order_id"] == seen
    missed = await trader.buy()
    async with updates(trader, EVERYTHING) as heard:
        await heard.says_nothing()
        later = await trader.place(order(1.0))
        assert (await heard.next())["order_id"] == later
    assert (await trader.details(missed))["status"] == "complete", "REST tells what the stream does not"


async def test_the_stream_ends_with_its_token(trader: Trader) -> None:
    other_token = f"user:{trader.user}:other"
    async with updates(trader) as heard, rest(trader.running, other_token) as other:
        uri = told(await other.get(AUTHORIZE))["authorized_redirect_uri"]
        async with websockets.connect(uri, close_timeout=0.1) as kept:
            assert (await trader.client.delete("/v2/logout")).status_code == 200
            with pytest.raises(ConnectionClosed) as closed:
                await asyncio.wait_for(heard.socket.recv(), PATIENCE_S)
            assert closed.value.rcvd is not None
            assert closed.value.rcvd.code == 1000
            await (await kept.ping())


async def test_an_address_dies_with_the_token_that_it_was_made_for(trader: Trader) -> None:
    uri = (await trader.data(AUTHORIZE))["authorized_redirect_uri"]
    await trader.client.delete("/v2/logout")

    with pytest.raises(InvalidStatus) as refused:
        await websockets.connect(uri)
    assert refused.value.response.status_code == 401


async def test_the_stream_ends_when_its_token_expires_at_the_market() -> None:
    async with (
        simulator(settings("10:30:50", speed=10.0)) as running,
        trading(running, "ann:exp=10:31") as ann,
        updates(ann) as heard,
    ):
        with pytest.raises(ConnectionClosed):
            await asyncio.wait_for(heard.socket.recv(), PATIENCE_S)
        assert refusal(await ann.client.get(AUTHORIZE)) == (401, "UDAPI100050")
