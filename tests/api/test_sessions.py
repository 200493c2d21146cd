"""Sessions over HTTP: begin, look, change, end, and everything that can be wrong about it."""

import asyncio
from typing import Any

import httpx
import pytest

from algoexec.api.errors import TYPE_PREFIX
from tests.api.conftest import Callers
from tests.api.support import Service, running_service

NEW = {"user_id": "asha", "access_token": "good-token"}


def problem(answer: httpx.Response, status: int, code: str) -> dict[str, Any]:
    """Return the problem that `answer` is, checked for form."""
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    body: dict[str, Any] = answer.json()
    assert (body["type"], body["code"], body["status"]) == (TYPE_PREFIX + code, code, status)
    assert body["title"]
    assert body["detail"]
    return body


async def begin(client: httpx.AsyncClient, **fields: Any) -> dict[str, Any]:
    answer = await client.post("/sessions", json={**NEW, **fields})
    assert answer.status_code == 201, answer.text
    session: dict[str, Any] = answer.json()
    return session


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", "/sessions"),
        ("GET", "/sessions"),
        ("GET", "/sessions/x"),
        ("PATCH", "/sessions/x"),
        ("DELETE", "/sessions/x"),
        ("POST", "/sessions/x/halt"),
        ("POST", "/sessions/x/resume"),
        ("POST", "/sessions/x/flatten"),
        ("POST", "/sessions/x/token"),
        ("PUT", "/sessions/x/log-level"),
        ("GET", "/sessions/x/preflight"),
        ("GET", "/sessions/x/journal"),
        ("GET", "/sessions/x/candles"),
        ("GET", "/sessions/x/options"),
        ("GET", "/sessions/x/quotes"),
        ("GET", "/me"),
        ("GET", "/signals"),
        ("GET", "/rejections"),
        ("GET", "/orders"),
        ("GET", "/orders/x-1-0"),
        ("POST", "/orders/x-1-0/approve"),
        ("POST", "/orders/x-1-0/reject"),
        ("GET", "/trades"),
        ("POST", "/preflight"),
        ("GET", "/kill-switch"),
        ("POST", "/kill-switch"),
        ("POST", "/kill-switch?all=true"),
        ("DELETE", "/kill-switch"),
        ("GET", "/orders/x"),
        ("GET", "/days"),
        ("GET", "/pcr"),
        ("GET", "/option-chain?session_id=x"),
        ("GET", "/config/schema"),
        ("POST", "/ws/tickets"),
        ("GET", "/events"),
        ("GET", "/metrics"),
    ],
)
async def test_nobody_in_particular_gets_nothing(callers: Callers, method: str, path: str) -> None:
    answer = await callers.anonymous.request(method, path)

    problem(answer, 401, "unauthenticated")
    assert answer.headers["www-authenticate"] == "Bearer"


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("GET", "", None),
        ("PATCH", "", {"config": {"lock_minutes": 1}}),
        ("DELETE", "", None),
        ("POST", "/halt", {"reason": "mine"}),
        ("POST", "/resume", None),
        ("DELETE", "?flatten=true", None),
        ("DELETE", "?hand_over=true", None),
        ("POST", "/flatten", None),
        ("POST", "/token", {"access_token": "other"}),
        ("PUT", "/log-level", {"level": "debug"}),
        ("GET", "/preflight", None),
        ("GET", "/journal", None),
        ("GET", "/candles", None),
        ("GET", "/options", None),
        ("GET", "/quotes", None),
    ],
)
async def test_another_users_session_is_as_unknown_as_none(
    callers: Callers, method: str, path: str, body: object
) -> None:
    session = await begin(callers.asha)

    theirs = await callers.bela.request(method, f"/sessions/{session['id']}{path}", json=body)
    none = await callers.bela.request(method, f"/sessions/nosuchsession0000{path}", json=body)

    problem(theirs, 404, "session-not-found")
    problem(none, 404, "session-not-found")
    problem(await callers.bela.get("/option-chain", params={"session_id": session["id"]}), 404, "session-not-found")


async def test_a_session_begins_is_shown_and_ends(local: httpx.AsyncClient) -> None:
    answer = await local.post("/sessions", json={**NEW, "config": {"lock_minutes": 7, "patterns": ["HAMMER"]}})

    assert answer.status_code == 201
    session = answer.json()
    assert answer.headers["location"] == f"/sessions/{session['id']}"
    assert session["user_id"] == "asha"
    assert session["mode"] == "signals"
    assert session["status"] == "STARTING"
    assert session["account"] == "AB1234"
    assert (session["config"]["lock_minutes"], session["config"]["patterns"]) == (7, ["HAMMER"])
    assert session["config"]["ema_fast_length"] == 9
    assert "good-token" not in answer.text
    shown = (await local.get(f"/sessions/{session['id']}")).json()
    assert shown["id"] == session["id"]
    listed = (await local.get("/sessions", params={"active": True})).json()
    assert [one["id"] for one in listed["items"]] == [session["id"]]

    ended = await local.delete(f"/sessions/{session['id']}")

    assert ended.status_code == 200
    assert (ended.json()["status"], ended.json()["reason"]) == ("STOPPED", "requested")
    assert (await local.get("/sessions", params={"active": True})).json()["items"] == []
    again = await local.delete(f"/sessions/{session['id']}")
    problem(again, 409, "session-over")


async def test_a_user_has_one_session(local: httpx.AsyncClient) -> None:
    first = await begin(local)

    second = await local.post("/sessions", json=NEW)

    assert problem(second, 409, "session-exists")["session_id"] == first["id"]
    await begin(local, user_id="bela")


async def test_of_many_posts_at_once_exactly_one_begins_a_session(local: httpx.AsyncClient) -> None:
    answers = await asyncio.gather(*(local.post("/sessions", json=NEW) for _ in range(8)))

    assert sorted(answer.status_code for answer in answers) == [201] + [409] * 7


async def test_a_token_that_the_broker_refuses_begins_nothing(local: httpx.AsyncClient) -> None:
    answer = await local.post("/sessions", json={**NEW, "access_token": "bad-token"})

    assert problem(answer, 422, "broker-token-rejected")["broker_code"] == "UDAPI100050"
    assert "bad-token" not in answer.text
    assert (await local.get("/sessions")).json()["items"] == []


async def test_a_broker_that_does_not_answer_is_waited_for(service: Service, local: httpx.AsyncClient) -> None:
    service.venue.is_down = True

    session = await begin(local)

    assert (session["status"], session["account"]) == ("STARTING", None)


async def test_a_session_without_a_token_asks_for_one_and_goes_on_with_it(local: httpx.AsyncClient) -> None:
    session = await begin(local, access_token=None)
    path = f"/sessions/{session['id']}"
    await until(local, path, "NEEDS_TOKEN")

    refused = await local.post(f"{path}/token", json={"access_token": "bad-one"})
    taken = await local.post(f"{path}/token", json={"access_token": "good-one"})

    problem(refused, 422, "broker-token-rejected")
    assert taken.json()["status"] != "NEEDS_TOKEN"
    await until(local, path, "WARMING_UP")


async def until(client: httpx.AsyncClient, path: str, status: str) -> dict[str, Any]:
    """Return the session once it has that status."""
    async with asyncio.timeout(10):
        while (session := (await client.get(path)).json())["status"] != status:  # noqa: ASYNC110 - HTTP has no event
            await asyncio.sleep(0)
    return dict(session)


async def test_entries_are_halted_and_allowed_again(local: httpx.AsyncClient) -> None:
    session = await begin(local)
    path = f"/sessions/{session['id']}"

    halted = await local.post(f"{path}/halt", json={"reason": "RBI policy"})
    resumed = await local.post(f"{path}/resume")

    assert halted.json()["halted"] == "RBI policy (by local)"
    assert resumed.json()["halted"] is None
    assert (await local.post(f"{path}/halt")).json()["halted"] == "requested (by local)"


async def test_a_change_touches_what_it_names(local: httpx.AsyncClient) -> None:
    session = await begin(local, config={"lock_minutes": 7})
    path = f"/sessions/{session['id']}"

    changed = await local.patch(path, json={"config": {"pcr_call_min": 0.8}})

    config = changed.json()["config"]
    assert (config["lock_minutes"], config["pcr_call_min"], config["pcr_put_max"]) == (7, 0.8, 1.3)
    events = [entry["event"] for entry in (await local.get(f"{path}/journal")).json()["items"]]
    assert "ParametersChanged" in events


async def test_a_change_that_contradicts_what_stays_is_refused(local: httpx.AsyncClient) -> None:
    session = await begin(local)

    answer = await local.patch(f"/sessions/{session['id']}", json={"config": {"ema_fast_length": 21}})

    body = problem(answer, 422, "invalid-request")
    assert "ema_fast_length (21) must be below ema_slow_length (21)" in body["detail"]


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"user_id": "asha", "config": {"no_such_number": 1}}, "body.config.no_such_number"),
        ({"user_id": "asha", "config": {"lock_minutes": "5"}}, "body.config.lock_minutes"),
        ({"user_id": "asha", "config": {"lock_minutes": True}}, "body.config.lock_minutes"),
        ({"user_id": "asha", "config": {"lock_minutes": 2.5}}, "body.config.lock_minutes"),
        ({"user_id": "asha", "config": {"pcr_call_min": -1}}, "body.config.pcr_call_min"),
        ({"user_id": "asha", "config": {"patterns": ["DOJI"]}}, "body.config.patterns.0"),
        ({"user_id": "asha", "config": {"ema_fast_length": 21}}, "body.config"),
        ({"user_id": "asha", "config": []}, "body.config"),
        ({"user_id": "asha", "mode": "fast"}, "body.mode"),
        ({"user_id": "asha", "mystery": 1}, "body.mystery"),
        ({"user_id": "../etc"}, "body.user_id"),
        ({"user_id": "asha", "access_token": ""}, "body.access_token"),
        ({"user_id": "asha", "access_token": 7}, "body.access_token"),
        ({}, "body.user_id"),
        ([], "body"),
    ],
)
async def test_what_is_wrong_is_said_field_by_field(local: httpx.AsyncClient, body: object, field: str) -> None:
    answer = await local.post("/sessions", json=body)

    assert [one["field"] for one in problem(answer, 422, "invalid-request")["errors"]] == [field]


@pytest.mark.parametrize("text", ["{", "", "nonsense", '{"user_id": "asha"'])
async def test_a_body_that_is_no_json_is_a_problem(local: httpx.AsyncClient, text: str) -> None:
    answer = await local.post("/sessions", content=text, headers={"Content-Type": "application/json"})

    problem(answer, 422, "invalid-request")


async def test_numbers_that_are_no_numbers_are_refused(local: httpx.AsyncClient) -> None:
    text = '{"user_id": "asha", "config": {"pcr_call_min": NaN}}'

    answer = await local.post("/sessions", content=text, headers={"Content-Type": "application/json"})

    problem(answer, 422, "invalid-request")


@pytest.mark.parametrize("mode", ["paper", "live"])
async def test_a_mode_that_is_not_there_yet_is_said_so(local: httpx.AsyncClient, mode: str) -> None:
    problem(await local.post("/sessions", json={**NEW, "mode": mode}), 422, "mode-not-available")


async def test_a_user_begins_only_sessions_of_their_own(callers: Callers) -> None:
    answer = await callers.asha.post("/sessions", json={"user_id": "bela"})
    problem(answer, 403, "forbidden")

    own = await callers.asha.post("/sessions", json={})
    assert own.json()["user_id"] == "asha"
    on_behalf = await callers.backend.post("/sessions", json={"user_id": "bela"})
    assert on_behalf.json()["user_id"] == "bela"
    assert len((await callers.backend.get("/sessions")).json()["items"]) == 2
    assert len((await callers.bela.get("/sessions")).json()["items"]) == 1


async def test_who_may_only_read_may_not_command(callers: Callers) -> None:
    session = await begin(callers.asha)
    path = f"/sessions/{session['id']}"

    assert (await callers.asha_reads.get(path)).status_code == 200
    problem(await callers.asha_reads.post("/sessions", json=NEW), 403, "forbidden")
    problem(await callers.asha_reads.post(f"{path}/halt"), 403, "forbidden")
    problem(await callers.asha_reads.post(f"{path}/flatten"), 403, "forbidden")
    problem(await callers.asha_reads.post("/preflight", json={}), 403, "forbidden")
    problem(await callers.asha_reads.post("/kill-switch"), 403, "forbidden")
    problem(await callers.asha_reads.delete("/kill-switch"), 403, "forbidden")
    problem(await callers.asha_reads.delete(path), 403, "forbidden")


async def test_lists_are_read_page_by_page(local: httpx.AsyncClient, service: Service) -> None:
    ids = []
    for n in range(5):
        ids.append((await begin(local, user_id=f"user{n}"))["id"])
        service.clock.advance(1)

    seen: list[str] = []
    cursor = None
    while True:
        given = {"limit": 2, **({"cursor": cursor} if cursor else {})}
        page = (await local.get("/sessions", params=given)).json()
        seen += [one["id"] for one in page["items"]]
        if (cursor := page["cursor"]) is None:
            break

    assert seen == ids[::-1]
    problem(await local.get("/sessions", params={"cursor": "made up"}), 422, "invalid-cursor")
    problem(await local.get("/sessions", params={"limit": 0}), 422, "invalid-request")
    problem(await local.get("/sessions", params={"since": "yesterday"}), 422, "invalid-request")
    problem(await local.get("/sessions", params={"since": "2026-11-23T09:15:00"}), 422, "invalid-request")
    recent = await local.get("/sessions", params={"since": "2026-11-23T09:30:08+05:30"})
    assert len(recent.json()["items"]) == 2


async def test_without_the_database_the_answer_says_so_and_when_to_come_back(
    service: Service, local: httpx.AsyncClient
) -> None:
    session = await begin(local)
    service.stores.is_available = False
    path = f"/sessions/{session['id']}"

    for answer in (
        await local.post("/sessions", json={**NEW, "user_id": "bela"}),
        await local.get(path),
        await local.get("/signals"),
        await local.post(f"{path}/halt"),
    ):
        problem(answer, 503, "database-unavailable")
        assert int(answer.headers["retry-after"]) > 0

    service.stores.is_available = True
    assert (await local.get(path)).json()["halted"] is None


async def test_a_session_survives_its_process(service: Service, local: httpx.AsyncClient) -> None:
    session = await begin(local)
    await local.post(f"/sessions/{session['id']}/halt")

    async with running_service(stores=service.stores) as other, other.client() as client:
        shown = (await client.get(f"/sessions/{session['id']}")).json()

    assert shown["halted"] == "requested (by local)"
