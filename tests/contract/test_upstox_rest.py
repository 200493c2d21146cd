"""Every way in which Upstox can answer a read, and what the caller is told to do about it."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta

import httpx
import pytest
import respx
from pydantic import ConfigDict, TypeAdapter

from algoexec.adapters.upstox.limits import Limit, RateGovernor
from algoexec.adapters.upstox.rest import UpstoxRest, http_client
from algoexec.domain.errors import (
    AlgoexecError,
    BrokerRefused,
    BrokerUnavailable,
    DecodeError,
    RateLimited,
    TokenRefused,
)
from algoexec.ports.credentials import AccessToken

URL = "https://broker.invalid"
PATH = "/v2/anything"
NUMBERS = TypeAdapter(list[int], config=ConfigDict(strict=True))
TOKEN = AccessToken("a.secret.token")


class Clock:
    """A market clock on which waiting takes no time at all."""

    def __init__(self) -> None:
        self.at = datetime(2026, 10, 14, 4, 0, tzinfo=UTC)

    def now(self) -> datetime:
        return self.at

    async def wait_until(self, at: datetime) -> None:
        await asyncio.sleep(0)
        self.at = max(self.at, at)


@pytest.fixture
async def http() -> AsyncIterator[httpx.AsyncClient]:
    async with http_client(URL) as client:
        yield client


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def rest(http: httpx.AsyncClient, clock: Clock) -> UpstoxRest:
    return UpstoxRest(http, TOKEN, RateGovernor(clock, [Limit(2, 1.0)]))


def error(code: str, message: str = "no") -> dict[str, object]:
    item = {"errorCode": code, "error_code": code, "message": message, "propertyPath": None, "invalid_value": None}
    return {"status": "error", "errors": [item]}


def test_a_client_gives_up_in_time_and_says_who_it_is(http: httpx.AsyncClient) -> None:
    assert http.timeout == httpx.Timeout(5.0, connect=2.0)
    assert http.headers["User-Agent"] == "algoexec"
    assert not http.trust_env


@respx.mock(base_url=URL)
async def test_data_of_a_success_is_returned_and_the_token_is_sent(respx_mock: respx.Router, rest: UpstoxRest) -> None:
    route = respx_mock.get(PATH, params={"q": "x"}).respond(json={"status": "success", "data": [1, 2], "metadata": {}})

    assert await rest.get(NUMBERS, PATH, {"q": "x"}) == [1, 2]
    assert route.calls.last.request.headers["Authorization"] == "Bearer a.secret.token"


@pytest.mark.parametrize(
    ("status", "body", "expected", "code"),
    [
        (401, error("UDAPI100050"), TokenRefused, "UDAPI100050"),
        (401, "not theirs", TokenRefused, None),
        (403, error("UDAPI100067"), BrokerRefused, "UDAPI100067"),
        (403, "<html>error 1010</html>", BrokerRefused, None),
        (400, error("UDAPI1148"), BrokerRefused, "UDAPI1148"),
        (404, error("UDAPI100060"), BrokerRefused, "UDAPI100060"),
        (405, error("UDAPI10000"), BrokerRefused, "UDAPI10000"),
        (410, error("UDAPI10000"), BrokerRefused, "UDAPI10000"),
        (422, error("UDAPI100036"), BrokerRefused, "UDAPI100036"),
        (400, "", BrokerUnavailable, None),
        (404, "<html>nginx</html>", BrokerUnavailable, None),
        (407, "", BrokerUnavailable, None),
        (423, error("UDAPI100072"), BrokerUnavailable, None),
        (429, error("UDAPI10005"), RateLimited, None),
        (500, error("UDAPI100500"), BrokerUnavailable, None),
        (502, "<html>bad gateway</html>", BrokerUnavailable, None),
        (503, "", BrokerUnavailable, None),
        (302, "", BrokerUnavailable, None),
        (400, {"status": "error", "errors": []}, BrokerUnavailable, None),
        (400, {"status": "error", "errors": [{"error_code": 17}]}, BrokerUnavailable, None),
    ],
)
async def test_an_error_is_told_by_what_the_caller_must_do(
    rest: UpstoxRest, status: int, body: object, expected: type[AlgoexecError], code: str | None
) -> None:
    answer = httpx.Response(status, text=body) if isinstance(body, str) else httpx.Response(status, json=body)
    with respx.mock(base_url=URL) as router:
        router.get(PATH).mock(return_value=answer)
        with pytest.raises(expected) as caught:
            await rest.get(NUMBERS, PATH)

    assert type(caught.value) is expected
    assert getattr(caught.value, "code", None) == code
    assert "secret" not in str(caught.value)


async def test_outside_service_hours_is_said_in_words(rest: UpstoxRest) -> None:
    with respx.mock(base_url=URL) as router:
        router.get(PATH).respond(423, json=error("UDAPI100072"))
        with pytest.raises(BrokerUnavailable, match="outside service hours"):
            await rest.get(NUMBERS, PATH)


@pytest.mark.parametrize(
    "failure",
    [
        httpx.ConnectError("refused"),
        httpx.ConnectTimeout("slow"),
        httpx.ReadTimeout("slow"),
        httpx.ReadError("reset"),
        httpx.RemoteProtocolError("cut"),
        httpx.ProxyError("no proxy"),
        httpx.PoolTimeout("busy"),
    ],
)
async def test_a_network_failure_of_a_read_may_be_tried_again(rest: UpstoxRest, failure: httpx.HTTPError) -> None:
    with respx.mock(base_url=URL) as router:
        router.get(PATH).mock(side_effect=failure)
        with pytest.raises(BrokerUnavailable, match=type(failure).__name__):
            await rest.get(NUMBERS, PATH)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"<html></html>",
        b"[]",
        b"null",
        b'{"status": "success"}',
        b'{"status": "error", "data": []}',
        b'{"data": [1]}',
        b'{"status": "success", "data": null}',
        b'{"status": "success", "data": ["1"]}',
        b'{"status": "success", "data": [NaN]}',
        b'{"status": "success", "data": [1]',
    ],
)
async def test_a_success_that_makes_no_sense_is_no_answer(rest: UpstoxRest, body: bytes) -> None:
    with respx.mock(base_url=URL) as router:
        router.get(PATH).respond(200, content=body)
        with pytest.raises(DecodeError):
            await rest.get(NUMBERS, PATH)


async def test_our_own_limit_makes_calls_wait_and_a_429_halves_it(rest: UpstoxRest, clock: Clock) -> None:
    begun = clock.now()
    with respx.mock(base_url=URL) as router:
        route = router.get(PATH).respond(200, json={"status": "success", "data": []})
        await rest.get(NUMBERS, PATH)
        await rest.get(NUMBERS, PATH)
        assert clock.now() == begun
        route.respond(429, json=error("UDAPI10005"))
        with pytest.raises(RateLimited):
            await rest.get(NUMBERS, PATH)
        assert clock.now() - begun >= timedelta(seconds=1)
        route.respond(200, json={"status": "success", "data": []})
        before = clock.now()
        await rest.get(NUMBERS, PATH)

    assert clock.now() - before >= timedelta(seconds=1)


@pytest.mark.parametrize("text", ["", "two words", "line\nbreak", "naïve", "tab\there"])
async def test_what_no_header_can_carry_is_no_token(http: httpx.AsyncClient, clock: Clock, text: str) -> None:
    rest = UpstoxRest(http, AccessToken(text), RateGovernor(clock, [Limit(2, 1.0)]))

    with pytest.raises(TokenRefused) as caught:
        await rest.get(NUMBERS, PATH)

    assert not text or text not in str(caught.value)
