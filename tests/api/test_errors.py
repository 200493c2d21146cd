"""Every failure is a problem."""

import re

import httpx
import pytest

from algoexec.api.documentation import DESCRIPTION
from algoexec.api.errors import KINDS, ApiProblem
from tests.api.support import Service
from tests.api.test_sessions import problem


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


@pytest.mark.parametrize("code", KINDS)
def test_every_code_is_a_slug_and_documented(code: str) -> None:
    assert re.fullmatch(r"[a-z]+(-[a-z]+)*", code)
    assert f"`{code}`" in DESCRIPTION
    assert ApiProblem(code).response().status_code == KINDS[code].status


async def test_wrong_input_is_not_repeated(local: httpx.AsyncClient) -> None:
    answer = await local.post("/sessions", json={"user_id": "asha", "access_token": ["a secret"]})

    problem(answer, 422, "invalid-request")
    assert "a secret" not in answer.text
