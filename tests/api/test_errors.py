"""Every failure is a problem."""

import re
from collections.abc import Awaitable, Callable

import httpx
import pytest

from algoexec.api.documentation import DESCRIPTION
from algoexec.api.errors import KINDS, ApiProblem
from algoexec.domain.errors import (
    BrokerError,
    BrokerRefused,
    BrokerUnavailable,
    DecodeError,
    FeedTaken,
    InvalidMarketData,
    RateLimited,
    TokenRefused,
)
from tests.api.support import Service
from tests.api.test_sessions import NEW, begin, problem


async def test_a_path_that_is_not_there(local: httpx.AsyncClient) -> None:
    problem(await local.get("/nothing/here"), 404, "not-found")


async def test_a_method_that_is_not_there(local: httpx.AsyncClient) -> None:
    answer = await local.put("/sessions", json={})

    problem(answer, 405, "method-not-allowed")
    assert "GET" in answer.headers["allow"]


async def test_what_nobody_foresaw_says_nothing_of_itself(service: Service, local: httpx.AsyncClient) -> None:
    async def broken(*_: object, **__: object) -> None:
        raise RuntimeError("the secret is 42")

    service.registry.get = broken  # type: ignore[method-assign]
    answer = await local.get("/sessions/x")

    problem(answer, 500, "internal-error")
    assert "42" not in answer.text


@pytest.mark.parametrize(
    ("error", "status", "code"),
    [
        (DecodeError("no envelope"), 502, "broker-answer-unreadable"),
        (BrokerRefused("not today", code="UDAPI1"), 502, "broker-refused"),
        (FeedTaken("taken"), 502, "broker-refused"),
        (TokenRefused("dead"), 422, "broker-token-rejected"),
        (RateLimited("slow down"), 503, "broker-rate-limited"),
        (BrokerUnavailable("away"), 503, "broker-unavailable"),
        (BrokerError("something else"), 503, "broker-unavailable"),
    ],
)
async def test_what_the_broker_does_is_never_our_mistake(
    service: Service,
    local: httpx.AsyncClient,
    monkeypatch: pytest.MonkeyPatch,
    error: Exception,
    status: int,
    code: str,
) -> None:
    monkeypatch.setattr(service.registry, "create", _raising(error))

    problem(await local.post("/sessions", json=NEW), status, code)


@pytest.mark.parametrize("error", [DecodeError("stored Record: type Nonsense"), InvalidMarketData("high below low")])
@pytest.mark.parametrize(
    ("method", "path"),
    [("get", ""), ("get", "/candles"), ("get", "/journal"), ("candles", "/candles"), ("journal", "/journal")],
)
async def test_a_session_that_cannot_be_read_is_said_so(
    service: Service,
    local: httpx.AsyncClient,
    monkeypatch: pytest.MonkeyPatch,
    method: str,
    path: str,
    error: Exception,
) -> None:
    session = await begin(local)
    monkeypatch.setattr(service.registry, method, _raising(error))

    told = problem(await local.get(f"/sessions/{session['id']}{path}"), 500, "session-unreadable")

    assert told["detail"] == f"session {session['id']}: {error}"


@pytest.mark.parametrize("path", ["signals", "rejections", "pcr"])
async def test_a_list_that_cannot_be_read_is_said_so(
    service: Service, local: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch, path: str
) -> None:
    monkeypatch.setattr(service.stores.projections, path, _raising(DecodeError("stored Signal: kind")))

    problem(await local.get(f"/{path}"), 500, "session-unreadable")


def _raising(error: Exception) -> Callable[..., Awaitable[None]]:
    async def raising(*_: object, **__: object) -> None:
        raise error

    return raising


@pytest.mark.parametrize("code", KINDS)
def test_every_code_is_a_slug_and_documented(code: str) -> None:
    assert re.fullmatch(r"[a-z]+(-[a-z]+)*", code)
    assert f"`{code}`" in DESCRIPTION
    assert ApiProblem(code).response().status_code == KINDS[code].status


async def test_wrong_input_is_not_repeated(local: httpx.AsyncClient) -> None:
    answer = await local.post("/sessions", json={"user_id": "asha", "access_token": ["a secret"]})

    problem(answer, 422, "invalid-request")
    assert "a secret" not in answer.text
