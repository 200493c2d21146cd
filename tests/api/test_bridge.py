"""Commands in the words of the old back end: what is understood, what is refused, and that each is done once."""

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio

from algoexec.adapters.memory.stores import MemoryStores
from algoexec.api.bridge.line import Line
from algoexec.api.bridge.names import OLD_NAMES, old_name, read_config
from algoexec.api.config import SessionConfig
from algoexec.api.errors import ApiProblem
from algoexec.domain.errors import StoreUnavailable
from tests.api.support import Service, running_service
from tests.conftest import ROOT

START: dict[str, Any] = {
    "action": "START_TRADING",
    "user_id": "123",
    "command_id": "c-1",
    "data": {"access_token": "good-token", "config": {"stopLossPercent": 0.3, "lockMinutes": 7}},
}
STOP: dict[str, Any] = {"action": "STOP_TRADING", "user_id": "123", "command_id": "c-2"}


def line_of(service: Service, *, allow_live: bool = False) -> Line:
    return Line(service.app.state.services, service.app.state.options, allow_live=allow_live)


@pytest_asyncio.fixture
async def service() -> AsyncIterator[Service]:
    async with running_service(modes=frozenset({"signals", "paper", "live"})) as running:
        yield running


@pytest.fixture
def line(service: Service) -> Line:
    return line_of(service)


async def tell(line: Line, command: Any, delivery: str | None = None) -> dict[str, Any]:
    """Return the frame that answers `command`."""
    text = command if isinstance(command, bytes) else json.dumps(command).encode()
    answer = await line.answer(text, delivery)
    assert answer is not None
    frame: dict[str, Any] = json.loads(answer)
    assert set(frame) == {"type", "seq", "session_id", "at", "data", "prev", "cursor"}
    assert frame["type"] == ("command" if frame["data"]["ok"] else "error")
    return frame


async def refused(line: Line, command: Any) -> dict[str, Any]:
    problem: dict[str, Any] = (await tell(line, command))["data"]["problem"]
    return problem


# --- what is understood -----------------------------------------------------------------------------------------


async def test_a_session_is_begun_and_ended(line: Line, service: Service) -> None:
    begun = await tell(line, START)
    session = begun["data"]["session"]

    assert begun["data"]["command_id"] == "c-1"
    assert begun["session_id"] == session["id"]
    assert (session["user_id"], session["mode"]) == ("123", "signals")
    assert (session["config"]["stop_loss_pct"], session["config"]["lock_minutes"]) == (0.3, 7)

    ended = await tell(line, STOP)
    assert ended["data"]["session"]["status"] == "STOPPED"
    view = await service.registry.get(session["id"], "123")
    assert view is not None
    assert not view.row.is_active


async def test_both_ways_lead_to_the_same_sessions(line: Line, service: Service) -> None:
    async with service.client() as http:
        await http.post("/sessions", json={"user_id": "123", "access_token": "good-token"})
        again = await refused(line, START)
        assert again["code"] == "session-exists"
        stopped = await tell(line, STOP)
        assert stopped["data"]["ok"]
        told = (await http.get("/sessions")).json()["items"]
    assert [one["status"] for one in told] == ["STOPPED"]


async def test_who_numbers_users_writes_numbers(line: Line) -> None:
    begun = await tell(line, {**START, "user_id": 123})
    assert begun["data"]["session"]["user_id"] == "123"


async def test_a_command_without_a_name_gets_one(line: Line) -> None:
    command = {name: value for name, value in START.items() if name != "command_id"}
    by_channel, by_stream = await tell(line, command), await tell(line, {**command, "user_id": "9"}, "17-0")
    assert len(by_channel["data"]["command_id"]) == 32
    assert by_stream["data"]["command_id"] == "17-0"


# --- names --------------------------------------------------------------------------------------------------------


def test_every_number_has_its_old_name() -> None:
    assert OLD_NAMES["stopLossPercent"] == ("stop_loss_pct",)
    assert OLD_NAMES["maxDailyLoss"] == ("trading", "max_daily_loss")
    ours = set(OLD_NAMES.values())
    strategy = set(SessionConfig.model_fields) - {"trading"}
    assert {path[0] for path in ours if len(path) == 1} == strategy
    for path in ours:
        assert OLD_NAMES[old_name(path[-1])] == OLD_NAMES[path[-1]] == path, "two numbers have one name"


def test_the_page_lists_the_names() -> None:
    page = (ROOT / "docs" / "redis.md").read_text()
    rows = {
        tuple(cell.strip().strip("`") for cell in line.strip("|").split(" | "))
        for line in page.split("## Configuration")[1].splitlines()
        if line.startswith("| `")
    }
    names = {(old_name(path[-1]), ".".join(path)) for path in OLD_NAMES.values()}
    assert {row[:2] for row in rows} == names


def test_one_thing_is_said_once() -> None:
    with pytest.raises(ApiProblem, match="says the same as stopLossPercent"):
        read_config({"stopLossPercent": 0.2, "stop_loss_pct": 0.3})


# --- what is refused ----------------------------------------------------------------------------------------------


async def test_a_name_that_is_not_known_is_refused(line: Line, service: Service) -> None:
    problem = await refused(line, {**START, "data": {**START["data"], "config": {"stopLoss": 1, "lockMinutes": 2}}})
    assert problem["code"] == "invalid-request"
    assert [one["field"] for one in problem["errors"]] == ["data.config.stopLoss"]
    assert not list(service.registry._running)


@pytest.mark.parametrize(
    ("command", "field"),
    [
        ({**START, "action": "PAUSE_TRADING"}, ""),
        ({**START, "user_id": "a b"}, "user_id"),
        ({**START, "lots": 2}, "lots"),
        ({**START, "data": {**START["data"], "quantity": 2}}, "data.quantity"),
        ({**START, "data": {**START["data"], "mode": "real"}}, "data.mode"),
        ({**START, "data": {**START["data"], "config": {"lockMinutes": "five"}}}, "data.config.lock_minutes"),
        ({**STOP, "data": {"flatten": "perhaps"}}, "data.flatten"),
    ],
)
async def test_what_is_not_as_it_must_be_is_said(line: Line, command: dict[str, Any], field: str) -> None:
    frame = await tell(line, command)
    assert frame["data"]["command_id"] == command["command_id"]
    problem = frame["data"]["problem"]
    assert problem["code"] == "invalid-request"
    assert [one["field"] for one in problem["errors"]] == [field]


@pytest.mark.parametrize("text", [b"", b"{", b"[]", b"null", b'"START_TRADING"', b"\xff\xfe", b"1e999"])
async def test_what_is_no_command_is_answered(line: Line, text: bytes) -> None:
    assert (await refused(line, text))["code"] == "invalid-request"


async def test_no_answer_repeats_a_token(line: Line) -> None:
    commands: list[dict[str, Any]] = [
        {"access_token": "s3cret-token", "mode": "real"},
        {"access_token": ["s3cret-token"]},
        {"accessToken": "s3cret-token"},
        {"access_token": "bad-s3cret-token"},
        {"access_token": "good-s3cret-token"},
    ]
    for n, data in enumerate(commands):
        answer = await line.answer(json.dumps({**START, "command_id": f"c-{n}", "data": data}).encode(), None)
        assert answer is not None
        assert "s3cret" not in answer


async def test_a_token_that_the_broker_refuses_begins_nothing(line: Line) -> None:
    problem = await refused(line, {**START, "data": {"access_token": "bad-token"}})
    assert problem["code"] == "broker-token-rejected"


async def test_nobody_stops_what_does_not_run(line: Line) -> None:
    assert (await refused(line, STOP))["code"] == "session-not-found"


async def test_another_users_session_is_not_found(line: Line) -> None:
    session = (await tell(line, START))["data"]["session"]["id"]
    stop = {**STOP, "user_id": "456", "data": {"session_id": session}}
    assert (await refused(line, stop))["code"] == "session-not-found"


async def test_rules_of_trading_are_refused_where_nothing_is_traded(line: Line) -> None:
    problem = await refused(line, {**START, "data": {"access_token": "good-token", "config": {"capital": 500000}}})
    assert problem["code"] == "invalid-request"


# --- real money ---------------------------------------------------------------------------------------------------

LIVE: dict[str, Any] = {
    **START,
    "data": {"access_token": "good-token", "mode": "live", "config": {"capital": 300000, "maxDailyLoss": 9000}},
}


async def test_live_must_be_allowed(service: Service) -> None:
    problem = await refused(line_of(service), LIVE)
    assert problem["code"] == "forbidden"
    assert "ALGOEXEC_REDIS_ALLOW_LIVE" in problem["detail"]


async def test_live_begins_when_it_is_allowed_and_everything_is_green(service: Service) -> None:
    begun = await tell(line_of(service, allow_live=True), LIVE)
    assert begun["data"]["session"]["mode"] == "live"


async def test_live_does_not_begin_on_red(service: Service) -> None:
    service.venue.funds = 0
    problem = await refused(line_of(service, allow_live=True), LIVE)
    assert problem["code"] == "preflight-failed"
    assert [check["name"] for check in problem["checks"] if check["ok"] is False] == ["funds"]


# --- once ---------------------------------------------------------------------------------------------------------


async def test_a_command_that_comes_twice_is_done_once(line: Line) -> None:
    first, second = await asyncio.gather(tell(line, START), tell(line, START, "1-0"))
    assert first["data"]["session"] == second["data"]["session"]
    assert sorted((first["data"]["replayed"], second["data"]["replayed"])) == [False, True]

    await tell(line, STOP)
    late = await tell(line, START, "1-0")
    assert late["data"]["replayed"]
    assert late["data"]["session"]["id"] == first["data"]["session"]["id"]


async def test_a_refusal_is_remembered_too(line: Line, service: Service) -> None:
    assert (await refused(line, STOP))["code"] == "session-not-found"
    await tell(line, START)
    assert (await refused(line, STOP))["code"] == "session-not-found", "it was answered before"


async def test_a_name_is_of_one_command(line: Line) -> None:
    await tell(line, START)
    assert (await refused(line, {**STOP, "command_id": "c-1"}))["code"] == "idempotency-key-reused"


async def test_a_restart_does_not_forget() -> None:
    stores = MemoryStores()
    async with running_service(stores=stores) as before:
        first = await tell(line_of(before), START)
        await tell(line_of(before), STOP)
    async with running_service(stores=stores) as after:
        again = await tell(line_of(after), START, "1-0")
    assert again["data"]["replayed"]
    assert again["data"]["session"]["id"] == first["data"]["session"]["id"]


async def test_who_died_over_a_command_began_no_second_session(line: Line, service: Service) -> None:
    """The process ended after the session had begun and before the answer was kept; then the person stopped it."""
    first = (await tell(line, START))["data"]["session"]["id"]
    await service.registry.stop(first)
    service.stores.idempotency._kept.clear()

    again = (await tell(line, START, "1-0"))["data"]

    assert (again["replayed"], again["session"]["id"], again["session"]["status"]) == (False, first, "STOPPED")


async def test_without_the_database_a_command_is_delivered_again(line: Line, service: Service) -> None:
    service.stores.is_available = False
    with pytest.raises(StoreUnavailable):
        await line.answer(json.dumps(START).encode(), "1-0")
    assert (await refused(line, START))["code"] == "database-unavailable"
    service.stores.is_available = True
    assert (await tell(line, START, "1-0"))["data"]["ok"]


async def test_events_go_on_where_they_ended(line: Line) -> None:
    begun = await tell(line, START)
    cursor = None
    async for events in line.events(None):
        cursor = events[-1][1]
        assert json.loads(str(events[0][0]))["type"] == "snapshot"
        break
    await tell(line, STOP)
    async with asyncio.timeout(20):
        seen: list[dict[str, Any]] = []
        async for events in line.events(cursor):
            seen += [json.loads(str(text)) for text, _ in events]
            if any(frame["data"].get("status") == "STOPPED" for frame in seen):
                break
    numbered = [frame for frame in seen if frame["seq"] is not None]
    assert {frame["session_id"] for frame in numbered} == {begun["session_id"]}
    assert [frame["seq"] for frame in numbered] == list(range(numbered[0]["seq"], numbered[0]["seq"] + len(numbered)))
