"""What became of a place, modify or cancel, for every way in which it can end."""

import asyncio
import base64
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import orjson
import pytest
import respx

from algoexec.adapters.upstox.broker import UpstoxBroker
from algoexec.adapters.upstox.hosts import Hosts
from algoexec.adapters.upstox.limits import LIMITS, Limit, RateGovernor, RateGroup
from algoexec.adapters.upstox.order_requests import OrderRequests
from algoexec.adapters.upstox.portfolio_feed import PortfolioFeed
from algoexec.adapters.upstox.rest import UpstoxRest, http_client
from algoexec.adapters.upstox.stream import Stream
from algoexec.adapters.upstox.venue import UpstoxVenue
from algoexec.domain.errors import (
    AlgoexecError,
    BrokerRefused,
    BrokerUnavailable,
    DomainError,
    OutcomeUnknown,
    RateLimited,
    TokenRefused,
)
from algoexec.domain.instruments import InstrumentKey
from algoexec.domain.orders import OrderTerms, OrderTicket, OrderType, Side
from algoexec.ports.broker import Urgency
from algoexec.ports.credentials import AccessToken
from algoexec.ports.egress import Egress, ProxyAddress

API = "https://api.invalid"
ORDERS = "https://orders.invalid"
TOKEN = AccessToken("a.secret.token")
NUMBER = "260930000001"
TICKET = OrderTicket(
    id="abcdefgh01234567-1z-0",
    instrument=InstrumentKey("NSE_FO|45450"),
    side=Side.BUY,
    quantity=30,
    type=OrderType.LIMIT,
    price=101.05,
)
TERMS = OrderTerms(type=OrderType.LIMIT, price=102.1)

type Write = Callable[[UpstoxBroker], Awaitable[object]]

WRITES: dict[str, tuple[str, str, Write]] = {
    "place": ("POST", "/v3/order/place", lambda broker: broker.place(TICKET, Urgency.ENTRY)),
    "modify": ("PUT", "/v3/order/modify", lambda broker: broker.modify(NUMBER, TERMS, Urgency.EXIT)),
    "cancel": ("DELETE", "/v3/order/cancel", lambda broker: broker.cancel(NUMBER, Urgency.EXIT)),
}


class Clock:
    """A market clock on which waiting takes no time at all."""

    def __init__(self) -> None:
        self.at = datetime(2026, 10, 14, 4, 0, tzinfo=UTC)

    def now(self) -> datetime:
        return self.at

    async def wait_until(self, at: datetime) -> None:
        await asyncio.sleep(0)
        self.at = max(self.at, at)


@pytest.fixture(params=WRITES)
def write(request: pytest.FixtureRequest) -> tuple[str, str, Write]:
    return WRITES[request.param]


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
async def broker(clock: Clock) -> AsyncIterator[UpstoxBroker]:
    async with http_client(ORDERS) as orders, http_client(API) as api:
        yield broker_of(api, orders, clock)


def broker_of(api: httpx.AsyncClient, orders: httpx.AsyncClient, clock: Clock, algo: str | None = None) -> UpstoxBroker:
    async def nowhere(_: AccessToken) -> str:
        raise BrokerUnavailable("there is no stream here")

    return UpstoxBroker(
        UpstoxRest(api, TOKEN, RateGovernor(clock, LIMITS[RateGroup.STANDARD])),
        OrderRequests(orders, TOKEN, RateGovernor(clock, [Limit(2, 1.0)]), algo=algo),
        PortfolioFeed(Stream(nowhere), TOKEN),
    )


def error(code: str | None, message: str = "no") -> dict[str, object]:
    item = {"errorCode": code, "error_code": code, "message": message, "propertyPath": None, "invalid_value": None}
    return {"status": "error", "errors": [item]}


def success(data: object) -> dict[str, object]:
    return {"status": "success", "data": data, "metadata": {"latency": 30}}


@pytest.mark.parametrize(
    ("status", "body", "expected", "code"),
    [
        # Their own no: surely not done.
        (400, error("UDAPI100036"), BrokerRefused, "UDAPI100036"),
        (400, error("UDAPI100040"), BrokerRefused, "UDAPI100040"),
        (401, error("UDAPI100050"), TokenRefused, "UDAPI100050"),
        (403, error("UDAPI1154"), BrokerRefused, "UDAPI1154"),
        (404, error("UDAPI100060"), BrokerRefused, "UDAPI100060"),
        (422, error("UDAPI100036"), BrokerRefused, "UDAPI100036"),
        (423, error("UDAPI100072"), BrokerRefused, "UDAPI100072"),
        (429, error("UDAPI10005"), RateLimited, None),
        # Somebody else's no, or none: who knows how far it came.
        (400, "", OutcomeUnknown, None),
        (400, {"status": "error", "errors": []}, OutcomeUnknown, None),
        (400, error(None), OutcomeUnknown, None),
        (401, "", OutcomeUnknown, None),
        (403, "<html>error 1010</html>", OutcomeUnknown, None),
        (404, "<html>nginx</html>", OutcomeUnknown, None),
        (407, "", OutcomeUnknown, None),
        (408, "", OutcomeUnknown, None),
        (423, "", OutcomeUnknown, None),
        (429, "<html>slow down</html>", OutcomeUnknown, None),
        (302, "", OutcomeUnknown, None),
        (500, error("UDAPI100500"), OutcomeUnknown, None),
        (502, "<html>bad gateway</html>", OutcomeUnknown, None),
        (503, error("UDAPI100500"), OutcomeUnknown, None),
        (504, "", OutcomeUnknown, None),
        # A yes that says nothing.
        (200, "", OutcomeUnknown, None),
        (200, '{"status":"success","data":{"order_id', OutcomeUnknown, None),
        (200, "<html></html>", OutcomeUnknown, None),
        (200, "[]", OutcomeUnknown, None),
        (200, error("UDAPI100036"), OutcomeUnknown, None),
        (200, {"status": "success"}, OutcomeUnknown, None),
        (200, success(None), OutcomeUnknown, None),
        (200, success({}), OutcomeUnknown, None),
        (200, success({"order_ids": [], "order_id": "another"}), OutcomeUnknown, None),
        (200, success({"order_ids": ["1", "2"], "order_id": ""}), OutcomeUnknown, None),
        (200, success({"order_ids": [""], "order_id": 7}), OutcomeUnknown, None),
        (200, success({"order_ids": NUMBER, "order_id": [NUMBER]}), OutcomeUnknown, None),
        (204, "", OutcomeUnknown, None),
    ],
)
async def test_an_answer_is_told_by_what_is_sure(
    broker: UpstoxBroker,
    write: tuple[str, str, Write],
    status: int,
    body: object,
    expected: type[AlgoexecError],
    code: str | None,
) -> None:
    method, path, do = write
    answer = httpx.Response(status, text=body) if isinstance(body, str) else httpx.Response(status, json=body)
    with respx.mock(base_url=ORDERS) as router:
        route = router.request(method, path).mock(return_value=answer)
        with pytest.raises(expected) as caught:
            await do(broker)

    assert type(caught.value) is expected
    assert getattr(caught.value, "code", None) == code
    assert "secret" not in str(caught.value)
    assert route.call_count == 1


@pytest.mark.parametrize(
    ("failure", "expected"),
    [
        (httpx.ConnectError("refused"), BrokerUnavailable),
        (httpx.ConnectTimeout("slow"), BrokerUnavailable),
        (httpx.PoolTimeout("busy"), BrokerUnavailable),
        (httpx.ProxyError("407"), BrokerUnavailable),
        (httpx.ReadTimeout("slow"), OutcomeUnknown),
        (httpx.WriteTimeout("slow"), OutcomeUnknown),
        (httpx.ReadError("reset"), OutcomeUnknown),
        (httpx.WriteError("reset"), OutcomeUnknown),
        (httpx.CloseError("reset"), OutcomeUnknown),
        (httpx.RemoteProtocolError("cut"), OutcomeUnknown),
        (httpx.LocalProtocolError("odd"), OutcomeUnknown),
        (httpx.DecodingError("not gzip"), OutcomeUnknown),
    ],
)
async def test_a_failure_is_told_by_whether_anything_was_sent(
    broker: UpstoxBroker, write: tuple[str, str, Write], failure: httpx.HTTPError, expected: type[AlgoexecError]
) -> None:
    method, path, do = write
    with respx.mock(base_url=ORDERS) as router:
        route = router.request(method, path).mock(side_effect=failure)
        with pytest.raises(AlgoexecError, match=type(failure).__name__) as caught:
            await do(broker)

    assert type(caught.value) is expected
    assert route.call_count == 1


async def test_what_is_sent_is_what_they_ask_for(broker: UpstoxBroker) -> None:
    with respx.mock(base_url=ORDERS) as router:
        place = router.post("/v3/order/place").respond(json=success({"order_ids": [NUMBER]}))
        modify = router.put("/v3/order/modify").respond(json=success({"order_id": NUMBER}))
        cancel = router.delete("/v3/order/cancel", params={"order_id": NUMBER}).respond(
            json=success({"order_id": NUMBER})
        )
        assert await broker.place(TICKET, Urgency.ENTRY) == NUMBER
        await broker.modify(NUMBER, TERMS, Urgency.EXIT)
        await broker.cancel(NUMBER, Urgency.EXIT)

    assert sent(place) == {
        "instrument_token": "NSE_FO|45450",
        "transaction_type": "BUY",
        "quantity": 30,
        "product": "I",
        "validity": "DAY",
        "order_type": "LIMIT",
        "price": 101.05,
        "trigger_price": 0,
        "disclosed_quantity": 0,
        "is_amo": False,
        "slice": False,
        "tag": "abcdefgh01234567-1z-0",
    }
    assert sent(modify) == {
        "order_id": NUMBER,
        "validity": "DAY",
        "order_type": "LIMIT",
        "price": 102.1,
        "trigger_price": 0,
    }
    assert cancel.called
    assert "X-Algo-Name" not in place.calls.last.request.headers


async def test_a_stop_has_a_trigger_and_a_market_order_the_brokers_own_protection(broker: UpstoxBroker) -> None:
    with respx.mock(base_url=ORDERS) as router:
        modify = router.put("/v3/order/modify").respond(json=success({"order_id": NUMBER}))
        await broker.modify(NUMBER, OrderTerms(type=OrderType.SL, price=90.0, trigger_price=90.5), Urgency.EXIT)
        stop = sent(modify)
        await broker.modify(NUMBER, OrderTerms(type=OrderType.MARKET, price=90.0), Urgency.EXIT)
        market = sent(modify)

    assert (stop["order_type"], stop["price"], stop["trigger_price"]) == ("SL", 90.0, 90.5)
    assert (market["order_type"], market["price"], market["market_protection"]) == ("MARKET", 0, -1)


async def test_an_algo_that_is_registered_says_its_name(clock: Clock) -> None:
    async with http_client(ORDERS) as orders, http_client(API) as api:
        broker = broker_of(api, orders, clock, algo="scalper")
        with respx.mock(base_url=ORDERS) as router:
            cancel = router.delete("/v3/order/cancel").respond(json=success({"order_id": NUMBER}))
            await broker.cancel(NUMBER, Urgency.EXIT)

    assert cancel.calls.last.request.headers["X-Algo-Name"] == "scalper"


@pytest.mark.parametrize(
    "name", ["", "t1", "abcdefgh01234567", "Abcdefgh01234567-1-0", "abcdefgh01234567-1-" + 30 * "0"]
)
async def test_an_id_that_would_not_come_back_as_ours_is_never_sent(broker: UpstoxBroker, name: str) -> None:
    ticket = OrderTicket(
        id=name, instrument=TICKET.instrument, side=Side.BUY, quantity=30, type=OrderType.LIMIT, price=1.0
    )
    with respx.mock(base_url=ORDERS), pytest.raises(DomainError):
        await broker.place(ticket, Urgency.ENTRY)


async def test_the_three_share_a_budget_and_a_429_halves_it(broker: UpstoxBroker, clock: Clock) -> None:
    begun = clock.now()
    with respx.mock(base_url=ORDERS) as router:
        router.post("/v3/order/place").respond(json=success({"order_ids": [NUMBER]}))
        router.put("/v3/order/modify").respond(json=success({"order_id": NUMBER}))
        cancel = router.delete("/v3/order/cancel").respond(429, text="<html></html>")
        await broker.place(TICKET, Urgency.ENTRY)
        await broker.modify(NUMBER, TERMS, Urgency.EXIT)
        assert clock.now() == begun
        with pytest.raises(OutcomeUnknown):
            await broker.cancel(NUMBER, Urgency.EXIT)
        assert clock.now() - begun >= timedelta(seconds=1)
        cancel.respond(json=success({"order_id": NUMBER}))
        before = clock.now()
        await broker.cancel(NUMBER, Urgency.EXIT)

    assert clock.now() - before >= timedelta(seconds=1)


async def test_our_own_limit_refuses_before_anything_is_sent(clock: Clock) -> None:
    governor = RateGovernor(clock, [Limit(1, 1800.0)])
    await governor.acquire()
    async with http_client(ORDERS) as orders:
        requests = OrderRequests(orders, TOKEN, governor)
        with respx.mock(base_url=ORDERS), pytest.raises(RateLimited):
            await requests.send("DELETE", "/v3/order/cancel", Urgency.EXIT, query={"order_id": NUMBER})


async def test_a_venue_sends_orders_to_their_own_host_and_asks_the_other() -> None:
    venue = UpstoxVenue(hosts=Hosts(api=API, orders=ORDERS), algo="scalper")
    broker = venue.broker(TOKEN)
    with respx.mock() as router:
        place = router.post(f"{ORDERS}/v3/order/place").respond(json=success({"order_ids": [NUMBER]}))
        modify = router.put(f"{ORDERS}/v3/order/modify").respond(json=success({"order_id": NUMBER}))
        cancel = router.delete(f"{ORDERS}/v3/order/cancel").respond(json=success({"order_id": NUMBER}))
        router.get(f"{API}/v2/order/retrieve-all").respond(json=success([]))
        router.get(f"{API}/v2/portfolio/short-term-positions").respond(json=success([]))
        await broker.place(TICKET, Urgency.ENTRY)
        await broker.modify(NUMBER, TERMS, Urgency.EXIT)
        await broker.cancel(NUMBER, Urgency.EXIT)
        assert await broker.orders() == []
        assert await broker.positions() == {}
    await venue.aclose()

    for route in (place, modify, cancel):
        assert route.calls.last.request.headers["X-Algo-Name"] == "scalper"
        assert route.calls.last.request.headers["Authorization"] == "Bearer a.secret.token"


async def test_brokers_of_one_credential_share_their_budget() -> None:
    clock = Clock()
    venue = UpstoxVenue(hosts=Hosts(api=API, orders=ORDERS), clock=clock)  # type: ignore[arg-type]
    begun = clock.now()
    with respx.mock() as router:
        router.delete(f"{ORDERS}/v3/order/cancel").respond(json=success({"order_id": NUMBER}))
        for _ in range(9):
            await venue.broker(AccessToken("another")).cancel(NUMBER, Urgency.EXIT)
        waited = clock.now() - begun
        await venue.broker(TOKEN).cancel(NUMBER, Urgency.EXIT)
    await venue.aclose()

    assert timedelta(seconds=1) <= waited < timedelta(seconds=2)
    assert clock.now() - begun == waited


async def test_through_a_proxy_that_is_not_there_nothing_is_sent(unused_tcp_port: int) -> None:
    proxy = ProxyAddress(f"http://127.0.0.1:{unused_tcp_port}")
    venue = UpstoxVenue(hosts=Hosts(api=API, orders=ORDERS))
    with pytest.raises(BrokerUnavailable, match="ConnectError"):
        await venue.broker(TOKEN, Egress(proxy)).place(TICKET, Urgency.ENTRY)
    await venue.aclose()


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n", "ProxyError"),
        (b"HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\n\r\n", "ProxyError"),
        (b"HTTP/1.1 502 Bad Gateway\r\nContent-Length: 0\r\n\r\n", "ProxyError"),
        (b"SSH-2.0-nonsense\r\n", "RemoteProtocolError"),
        # These say nothing of the order by their type: it was the tunnel that was cut, or was no tunnel.
        (b"", "RemoteProtocolError"),
        (b"HTTP/1.1 200 Connection established\r\n\r\n", "ConnectError|ReadError"),
    ],
)
async def test_through_a_proxy_that_makes_no_tunnel_nothing_is_sent(answer: bytes, said: str) -> None:
    asked: list[bytes] = []

    async def refuse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        asked.append(await reader.readuntil(b"\r\n\r\n"))
        writer.write(answer)
        await writer.drain()
        writer.close()

    async with await asyncio.start_server(refuse, "127.0.0.1", 0) as server:
        proxy = ProxyAddress(f"http://ann:pa%20ss@127.0.0.1:{server.sockets[0].getsockname()[1]}")
        venue = UpstoxVenue(hosts=Hosts(api=API, orders=ORDERS))
        with pytest.raises(BrokerUnavailable, match=said) as caught:
            await venue.broker(TOKEN, Egress(proxy)).place(TICKET, Urgency.ENTRY)
        await venue.aclose()

    (request,) = asked
    assert request.startswith(b"CONNECT orders.invalid:443")
    assert b"Proxy-Authorization: Basic " + base64.b64encode(b"ann:pa ss") in request
    assert b"secret" not in request
    assert "pa%20ss" not in str(caught.value)


async def test_a_proxy_that_never_answers_has_sent_nothing() -> None:
    """A read time-out would mean that nobody knows, had the order been sent."""
    asked = asyncio.Event()

    async def say_nothing(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        asked.set()
        await reader.read()
        writer.close()

    async with await asyncio.start_server(say_nothing, "127.0.0.1", 0) as server:
        proxy = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        async with http_client(ORDERS, proxy=proxy) as orders:
            orders.timeout = httpx.Timeout(0.2)
            requests = OrderRequests(orders, TOKEN, RateGovernor(Clock(), [Limit(2, 1.0)]))
            with pytest.raises(BrokerUnavailable, match="ReadTimeout at the egress proxy"):
                await requests.send("DELETE", "/v3/order/cancel", Urgency.EXIT, query={"order_id": NUMBER})

    assert asked.is_set()


def sent(route: respx.Route) -> Mapping[str, Any]:
    body = orjson.loads(route.calls.last.request.content)
    assert isinstance(body, dict)
    return body
