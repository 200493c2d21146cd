"""A POST that is sent twice is done once."""

import asyncio

import httpx
import pytest

from algoexec.domain.errors import StoreUnavailable
from tests.api.conftest import Callers
from tests.api.support import Service
from tests.api.test_sessions import NEW, begin, problem

KEY = {"Idempotency-Key": "3f9c"}


async def test_the_same_request_again_gets_the_same_answer(local: httpx.AsyncClient) -> None:
    first = await local.post("/sessions", json=NEW, headers=KEY)
    second = await local.post("/sessions", json=NEW, headers=KEY)

    assert (first.status_code, second.status_code) == (201, 201)
    assert first.json() == second.json()
    assert first.headers["location"] == second.headers["location"]
    assert "idempotent-replayed" not in first.headers
    assert second.headers["idempotent-replayed"] == "true"
    assert len((await local.get("/sessions")).json()["items"]) == 1


async def test_another_body_under_the_same_key_is_refused(local: httpx.AsyncClient) -> None:
    await local.post("/sessions", json=NEW, headers=KEY)

    problem(await local.post("/sessions", json={**NEW, "user_id": "bela"}, headers=KEY), 422, "idempotency-key-reused")


async def test_while_the_first_runs_the_second_is_told_to_wait(local: httpx.AsyncClient) -> None:
    answers = await asyncio.gather(*(local.post("/sessions", json=NEW, headers=KEY) for _ in range(5)))

    assert sorted(answer.status_code for answer in answers)[0] == 201
    for answer in answers:
        if answer.status_code != 201:
            problem(answer, 409, "request-in-progress")
    assert len({answer.json()["id"] for answer in answers if answer.status_code == 201}) == 1


async def test_a_refusal_is_remembered_too(local: httpx.AsyncClient) -> None:
    session = await begin(local)
    problem(await local.post("/sessions", json=NEW, headers=KEY), 409, "session-exists")
    await local.delete(f"/sessions/{session['id']}")

    again = await local.post("/sessions", json=NEW, headers=KEY)

    problem(again, 409, "session-exists")
    assert again.headers["idempotent-replayed"] == "true"


async def test_a_failure_of_ours_is_forgotten(service: Service, local: httpx.AsyncClient) -> None:
    create, registry = service.registry.create, service.registry

    async def broken(**_: object) -> None:
        raise RuntimeError("scripted")

    registry.create = broken  # type: ignore[method-assign, assignment]
    problem(await local.post("/sessions", json=NEW, headers=KEY), 500, "internal-error")
    registry.create = create  # type: ignore[method-assign]

    assert (await local.post("/sessions", json=NEW, headers=KEY)).status_code == 201


async def test_an_answer_that_cannot_be_remembered_is_given_all_the_same(
    service: Service, local: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def away(*_: object) -> None:
        raise StoreUnavailable("scripted")

    with monkeypatch.context() as patch:
        patch.setattr(service.stores.idempotency, "finish", away)
        assert (await local.post("/sessions", json=NEW, headers=KEY)).status_code == 201

    problem(await local.post("/sessions", json=NEW, headers=KEY), 409, "request-in-progress")
    service.clock.advance(61)
    problem(await local.post("/sessions", json=NEW, headers=KEY), 409, "session-exists")


async def test_after_a_day_the_key_is_new(service: Service, local: httpx.AsyncClient) -> None:
    session = await begin(local)
    path = f"/sessions/{session['id']}/halt"
    await local.post(path, json={"reason": "one"}, headers=KEY)
    service.clock.advance(24 * 3600 + 1)

    answer = await local.post(path, json={"reason": "two"}, headers=KEY)

    assert answer.json()["halted"] == "two (by local)"


async def test_keys_are_each_callers_own_and_each_paths(callers: Callers) -> None:
    hers = await callers.asha.post("/sessions", json={}, headers=KEY)
    theirs = await callers.bela.post("/sessions", json={}, headers=KEY)
    elsewhere = await callers.asha.post(f"/sessions/{hers.json()['id']}/halt", headers=KEY)

    assert (hers.json()["user_id"], theirs.json()["user_id"]) == ("asha", "bela")
    assert elsewhere.status_code == 200
    problem(await callers.anonymous.post("/sessions", json={}, headers=KEY), 401, "unauthenticated")


async def test_a_key_too_long_is_refused(local: httpx.AsyncClient) -> None:
    problem(await local.post("/sessions", json=NEW, headers={"Idempotency-Key": "x" * 201}), 422, "invalid-request")


async def test_the_request_is_kept_as_a_digest(service: Service, local: httpx.AsyncClient) -> None:
    await local.post("/sessions", json=NEW, headers=KEY)

    kept = vars(service.stores.idempotency)
    assert "good-token" not in repr(kept)
