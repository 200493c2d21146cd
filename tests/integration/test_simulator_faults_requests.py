"""Requests that suffer, as their client sees it on a real connection."""

from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
import pytest_asyncio
import websockets
from websockets.exceptions import InvalidStatus

from algoexec.adapters.system_clock import SystemClock
from algoexec.simulator.server import RunningSimulator
from tests.integration.faulting import hits, start
from tests.integration.simulating import INDEX, authorized_uri, rest, settings, simulator

PROFILE = "/v2/user/profile"
CANDLES = f"/v3/historical-candle/intraday/{INDEX}/minutes/1"

# One simulator; each test begins its script anew.
pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def running() -> AsyncIterator[RunningSimulator]:
    async with simulator(settings(speed=0.001, rate_limits=False)) as running:
        yield running


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def client(running: RunningSimulator) -> AsyncIterator[httpx.AsyncClient]:
    async with rest(running) as client:
        yield client


def elapsed(since: float) -> float:
    return SystemClock().monotonic() - since


@pytest.mark.parametrize("latency", [80, {"before_ms": 50, "after_ms": 30}, {"after_ms": 80}])
async def test_an_answer_is_late(running: RunningSimulator, client: httpx.AsyncClient, latency: Any) -> None:
    await start(running, {"do": {"latency": latency}})
    begun = SystemClock().monotonic()

    assert (await client.get(PROFILE)).status_code == 200
    assert 0.08 <= elapsed(begun) < 5


async def test_a_client_that_gives_up_does_not_undo_what_it_asked_for(running: RunningSimulator) -> None:
    await start(running, {"when": {"path": "/v2/logout"}, "do": {"latency": {"after_ms": 30_000}}})

    async with rest(running, "user:impatient") as client:
        with pytest.raises(httpx.ReadTimeout):
            await client.delete("/v2/logout", timeout=0.2)
        # Who is logged out has a dead token.
        assert (await client.get(PROFILE)).status_code == 401


@pytest.mark.parametrize(
    ("answer", "code"),
    [
        (500, "UDAPI100500"),
        (503, "UDAPI100500"),
        (429, "UDAPI10005"),
        (401, "UDAPI100050"),
        (423, "UDAPI100072"),
        ({"status": 400, "code": "UDAPI100049", "message": "Restricted"}, "UDAPI100049"),
    ],
)
async def test_another_answer_has_the_brokers_shape(
    running: RunningSimulator, client: httpx.AsyncClient, answer: Any, code: str
) -> None:
    await start(running, {"when": {"count": 1}, "do": {"answer": answer}})

    refused = await client.get(PROFILE)
    assert refused.status_code == (answer if isinstance(answer, int) else answer["status"])
    (error,) = refused.json()["errors"]
    assert error["errorCode"] == error["error_code"] == code
    assert error["message"]
    assert (await client.get(PROFILE)).status_code == 200


async def test_what_stands_before_the_broker_answers_in_html(
    running: RunningSimulator, client: httpx.AsyncClient
) -> None:
    await start(running, {"do": {"answer": {"status": 403, "body": "html"}}})

    blocked = await client.get(PROFILE)
    assert blocked.status_code == 403
    assert blocked.headers["content-type"].startswith("text/html")
    assert "Error 1010" in blocked.text


async def test_a_success_can_be_no_json_or_nothing(running: RunningSimulator, client: httpx.AsyncClient) -> None:
    await start(
        running,
        {"when": {"count": 1}, "do": {"answer": {"status": 200, "body": "garbage"}}},
        {"when": {"count": 1}, "do": {"answer": {"status": 200, "body": "empty"}}},
    )

    for _ in range(2):
        answer = await client.get(PROFILE)
        assert answer.status_code == 200
        with pytest.raises(ValueError, match=r"Expecting|Unterminated"):
            answer.json()


@pytest.mark.parametrize("at", ["before", "after", "midway"])
async def test_a_connection_ends_without_an_answer(
    running: RunningSimulator, client: httpx.AsyncClient, at: str
) -> None:
    await start(running, {"when": {"count": 1}, "do": {"cut": at}})

    with pytest.raises((httpx.RemoteProtocolError, httpx.ReadError)):
        await client.get(PROFILE)
    assert (await client.get(PROFILE)).status_code == 200
    assert await hits(client) == [1]


@pytest.mark.parametrize(
    ("do", "is_done"),
    [
        ({"cut": "before"}, False),
        ({"cut": "after"}, True),
        ({"cut": "midway"}, True),
        ({"answer": 504}, False),
        ({"answer": {"status": 504, "accepted": True}}, True),
    ],
)
async def test_work_is_done_or_not_whatever_the_client_hears(do: dict[str, Any], is_done: bool) -> None:
    token = "user:eve"
    async with simulator(settings(speed=0.001)) as running, rest(running, token) as client:
        await start(running, {"when": {"count": 1, "path": "/v2/logout", "user": "eve"}, "do": do})
        try:
            assert (await client.delete("/v2/logout")).status_code == 504
        except (httpx.RemoteProtocolError, httpx.ReadError):
            assert "cut" in do
        # Who is logged out has a dead token.
        assert (await client.get(PROFILE)).status_code == (401 if is_done else 200)


@pytest.mark.parametrize(
    ("when", "answers"),
    [
        ({"path": CANDLES}, [503, 200, 200]),
        ({"instrument": INDEX}, [503, 200, 503]),
        ({"user": "a?n"}, [503, 503, 503]),
        ({"user": "bob"}, [200, 200, 200]),
        ({"method": "DELETE"}, [200, 200, 200]),
        ({"from": "10:00", "until": "10:01"}, [503, 503, 503]),
        ({"from": "10:01"}, [200, 200, 200]),
    ],
)
async def test_a_request_is_known_by_path_instrument_user_method_and_time(
    running: RunningSimulator, client: httpx.AsyncClient, when: dict[str, str], answers: list[int]
) -> None:
    await start(running, {"when": when, "do": {"answer": 503}})

    paths = (CANDLES, PROFILE, f"/v3/market-quote/ltp?instrument_key={INDEX}")
    assert [(await client.get(path)).status_code for path in paths] == answers


@pytest.mark.parametrize(
    ("when", "body", "is_struck"),
    [
        ({"tag": "a-*", "side": "SELL"}, {"tag": "a-1", "transaction_type": "SELL"}, True),
        ({"tag": "a-*", "side": "SELL"}, {"tag": "a-1", "transaction_type": "BUY"}, False),
        ({"tag": "a-*"}, {"tag": None}, False),
        ({"instrument": "NSE_FO|4*"}, [{"instrument_token": "NSE_FO|1"}, {"instrument_token": "NSE_FO|40001"}], True),
        ({"instrument": "NSE_FO|4*"}, "no order", False),
    ],
)
async def test_an_order_is_known_by_its_body(
    running: RunningSimulator, client: httpx.AsyncClient, when: dict[str, str], body: Any, is_struck: bool
) -> None:
    await start(running, {"when": when, "do": {"answer": 599}})

    answer = await client.post("/v3/order/nowhere", json=body)
    assert (answer.status_code == 599) is is_struck


async def test_the_same_script_strikes_the_same_requests_again(
    running: RunningSimulator, client: httpx.AsyncClient
) -> None:
    patterns = []
    for seed in (1, 1, 2):
        await start(running, {"when": {"probability": 0.5}, "do": {"answer": 503}}, seed=seed)
        patterns.append([(await client.get(PROFILE)).status_code for _ in range(24)])

    assert patterns[0] == patterns[1] != patterns[2]
    assert set(patterns[0]) == {200, 503}


async def test_the_handshake_of_a_socket_is_a_request(running: RunningSimulator) -> None:
    await start(running, {"when": {"path": "/market-data-feeder/*", "count": 1}, "do": {"answer": 403}})

    with pytest.raises(InvalidStatus) as refused:
        await websockets.connect(await authorized_uri(running))
    assert refused.value.response.status_code == 403
    async with websockets.connect(await authorized_uri(running)) as socket:
        await socket.recv()


async def test_the_handshake_of_a_socket_is_cut(running: RunningSimulator, caplog: pytest.LogCaptureFixture) -> None:
    await start(running, {"when": {"path": "/market-data-feeder/*", "count": 1}, "do": {"cut": "before"}})

    with pytest.raises((websockets.exceptions.InvalidMessage, ConnectionError)):
        await websockets.connect(await authorized_uri(running))
    assert not [
        record for record in caplog.records if record.name.startswith("uvicorn") and record.levelname == "ERROR"
    ]
