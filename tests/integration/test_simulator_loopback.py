"""Who may reach the simulator with a browser: pages of loopback, nobody else's."""

from collections.abc import AsyncIterator

import httpx
import pytest
import pytest_asyncio
import websockets
from websockets.exceptions import InvalidStatus

from algoexec.simulator.server import RunningSimulator
from tests.integration.simulating import authorized_uri, rest, settings, simulator
from tests.integration.trading import BOOK, CANCEL_ALL, PLACE, order

OUTSIDE = (
    "https://example.com",
    "http://127.0.0.1.example.com",
    "http://192.0.2.7:8010",
    "null",
    "http://[::2]",
    "x:[",
)
INSIDE = ("http://localhost:5173", "http://127.0.0.1:3000", "https://[::1]:8443", "http://127.1.2.3")
CALLS = [
    ("POST", "/sim/pause"),
    ("POST", "/sim/resume"),
    ("POST", "/sim/faults"),
    ("DELETE", "/sim/faults"),
    ("GET", "/sim/book"),
    ("POST", PLACE),
    ("DELETE", CANCEL_ALL),
    ("POST", "/v3/order/gtt/place"),
    ("PUT", "/v2/user/ip"),
    ("GET", "/v2/option/chain"),
    ("OPTIONS", PLACE),
]

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def running() -> AsyncIterator[RunningSimulator]:
    async with simulator(settings(speed=0.001, rate_limits=False)) as running:
        yield running


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def client(running: RunningSimulator) -> AsyncIterator[httpx.AsyncClient]:
    async with rest(running) as client:
        yield client


@pytest.mark.parametrize("origin", OUTSIDE)
@pytest.mark.parametrize(("method", "path"), CALLS)
async def test_a_foreign_page_drives_nothing(client: httpx.AsyncClient, method: str, path: str, origin: str) -> None:
    answer = await client.request(method, path, headers={"Origin": origin})

    assert answer.status_code == 403
    assert origin in answer.json()["error"]
    assert "access-control-allow-origin" not in answer.headers


async def test_nothing_has_happened(running: RunningSimulator, client: httpx.AsyncClient) -> None:
    answer = await client.post(PLACE, json=order(100.0), headers={"Origin": OUTSIDE[0]})

    assert answer.status_code == 403
    assert (await client.get(BOOK)).json()["data"] == []
    assert (await client.get("/sim/clock")).json()["paused"] is False


@pytest.mark.parametrize("host", ["example.com", "rebound.example.com:8010", "192.0.2.7", "", "localhost.example.com"])
@pytest.mark.parametrize("path", ["/sim/clock", BOOK, "/"])
async def test_a_name_that_was_pointed_at_loopback_is_nobodys(client: httpx.AsyncClient, host: str, path: str) -> None:
    answer = await client.get(path, headers={"Host": host})

    assert answer.status_code == 403
    assert "loopback" in answer.json()["error"]


@pytest.mark.parametrize("host", ["localhost", "localhost:1", "127.0.0.1", "[::1]:8010", "127.9.9.9:80"])
async def test_loopback_has_several_names(client: httpx.AsyncClient, host: str) -> None:
    assert (await client.get("/sim/clock", headers={"Host": host})).status_code == 200


@pytest.mark.parametrize("origin", INSIDE)
async def test_a_page_of_this_machine_may_call_and_read(client: httpx.AsyncClient, origin: str) -> None:
    asked = {"Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "authorization,content-type"}
    preflight = await client.options(PLACE, headers={"Origin": origin, **asked})
    answer = await client.get("/v2/user/profile", headers={"Origin": origin})

    assert preflight.status_code == 200
    assert "authorization" in preflight.headers["access-control-allow-headers"].lower()
    for told in (preflight, answer):
        assert told.headers["access-control-allow-origin"] in (origin, "*")
    assert answer.status_code == 200


async def test_a_page_opens_sockets_only_from_this_machine(running: RunningSimulator) -> None:
    async with websockets.connect(
        await authorized_uri(running), origin=websockets.Origin(INSIDE[0]), close_timeout=0.1
    ):
        pass
    with pytest.raises(InvalidStatus) as refused:
        await websockets.connect(await authorized_uri(running), origin=websockets.Origin(OUTSIDE[0]))
    assert refused.value.response.status_code == 403


async def test_the_front_page_says_what_it_is(running: RunningSimulator) -> None:
    async with rest(running, None) as nobody:
        answer = await nobody.get("/")

    told = answer.json()
    assert answer.status_code == 200
    assert "Upstox" in told["what"]
    assert told["docs"] == "docs/simulator.md"
    assert told["day"] == "2026-10-14"
