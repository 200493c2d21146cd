"""What is logged: by whom it was asked for, of which session, how much, and never a secret."""

import asyncio
import json
import logging
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any, Final, get_args

import httpx
import pytest
import pytest_asyncio
from pydantic import BaseModel, SecretStr

from algoexec.api.schemas.sessions import NewSession, NewToken
from algoexec.ports.credentials import AccessToken
from algoexec.settings import Settings
from algoexec.telemetry import LOUDNESS, LogFormat, configure_logging, logger
from algoexec.telemetry.diary import Diary
from tests.api.conftest import Callers
from tests.api.support import Service, running_service
from tests.api.test_sessions import begin, problem
from tests.api.trading import eventually

CANARY: Final = "c4n4ry-that-nobody-may-see"


@pytest_asyncio.fixture
async def diarist() -> AsyncIterator[Service]:
    async with running_service(observers=(Diary(),)) as service:
        yield service


def lines(text: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in text.splitlines()]


# --- secrets ----------------------------------------------------------------------------------------------------


@dataclass
class _Holder:
    token: AccessToken
    key: SecretStr


@pytest.mark.parametrize("form", get_args(LogFormat.__value__))
def test_what_is_a_secret_by_its_type_cannot_be_logged(form: LogFormat, capsys: pytest.CaptureFixture[str]) -> None:
    configure_logging(form, "debug")
    token, secret = AccessToken(CANARY), SecretStr(CANARY)
    settings = Settings.model_construct(mongodb_uri=secret, redis_url=secret, webhook_url=secret, telegram_token=secret)
    bodies: list[BaseModel] = [
        NewSession.model_validate({"user_id": "asha", "access_token": CANARY}),
        NewToken.model_validate({"access_token": CANARY}),
    ]
    holder = _Holder(token, secret)
    log = logger("test")
    for value in (token, secret, settings, *bodies, holder, [token, secret], {"a": {"b": (token, holder)}}):
        log.info("told", value=value, **{"as_text": f"{value} {value!r}"})
        logging.getLogger("some.library").warning("%s %r", value, value)
        try:
            raise ValueError(value)
        except ValueError:
            log.exception("failed", value=value)
            logging.getLogger("some.library").exception("failed")

    said = capsys.readouterr().err
    assert said.count("told") >= 8
    assert "ValueError" in said
    assert CANARY not in said


def test_a_traceback_shows_no_variables(capsys: pytest.CaptureFixture[str]) -> None:
    """The pretty tracebacks of a terminal print every local variable, plain text among them."""
    configure_logging("console", "info")

    def fails(revealed: str) -> None:
        raise RuntimeError(f"{len(revealed)} characters")

    try:
        fails(CANARY)
    except RuntimeError:
        logger("test").exception("failed")
    said = capsys.readouterr().err
    assert "characters" in said
    assert CANARY not in said


async def test_no_request_however_wrong_gets_a_secret_logged(
    diarist: Service, capsys: pytest.CaptureFixture[str]
) -> None:
    configure_logging("json", "debug")
    async with diarist.client(f"ae_{CANARY}") as wrong, diarist.client() as local:
        await wrong.get("/sessions")
        await wrong.get("/sessions", headers={"Authorization": f"Bearer {CANARY}.{CANARY}.{CANARY}"})
        session = (await begin(local, access_token=f"good-{CANARY}"))["id"]
        await local.post("/sessions", json={"user_id": "bela", "access_token": f"bad-{CANARY}"})
        await local.post("/sessions", json={"user_id": "bela", "access_token": [CANARY]})
        await local.post(
            "/sessions", content=f'{{"access_token": "{CANARY}"', headers={"Content-Type": "application/json"}
        )
        await local.post(f"/sessions/{session}/token", json={"access_token": f"bad-{CANARY}"})
        diarist.venue.is_down = True
        await local.post("/preflight", json={"user_id": "bela", "access_token": f"good-{CANARY}"})
        await local.delete(f"/sessions/{session}")
    said = capsys.readouterr()
    assert "decided" in said.err
    assert CANARY not in said.err + said.out


# --- names ------------------------------------------------------------------------------------------------------


async def test_every_answer_names_its_request(local: httpx.AsyncClient) -> None:
    given = await local.get("/sessions", headers={"X-Request-ID": "my-request.1"})
    assert given.headers["x-request-id"] == "my-request.1"
    made = await local.get("/nothing-here", headers={"X-Request-ID": "a b\tc"})
    assert made.status_code == 404
    assert len(made.headers["x-request-id"]) == 32


async def test_lines_name_their_request_and_a_session_outlives_it(
    diarist: Service, capsys: pytest.CaptureFixture[str]
) -> None:
    configure_logging("json", "debug")
    async with diarist.client() as local:
        diarist.venue.is_down = True
        body = {"user_id": "asha", "access_token": "good-token"}
        answer = await local.post("/sessions", json=body, headers={"X-Request-ID": "the-beginning"})
        session = answer.json()["id"]
        diarist.venue.is_down = False
        await asyncio.sleep(0)
        await local.post(f"/sessions/{session}/halt", headers={"X-Request-ID": "the-halt"})
        await local.delete(f"/sessions/{session}")
    told = lines(capsys.readouterr().err)
    begun = [line for line in told if line.get("request_id") == "the-beginning"]
    assert [line["event"] for line in begun] == ["token not checked yet"]
    decided = [line for line in told if line["event"] == "decided"]
    assert {line["session_id"] for line in decided} == {session}
    assert not any("request_id" in line for line in decided)


# --- how much ---------------------------------------------------------------------------------------------------


async def test_one_session_can_be_looked_into(diarist: Service, capsys: pytest.CaptureFixture[str]) -> None:
    configure_logging("json", "info")
    async with diarist.client() as local:
        hers, his = (await begin(local, user_id="asha"))["id"], (await begin(local, user_id="bela"))["id"]
        answer = await local.put(f"/sessions/{hers}/log-level", json={"level": "debug"})
        assert answer.json() == {"level": "debug"}
        for session in (hers, his):
            await local.post(f"/sessions/{session}/halt")
        assert (await local.put(f"/sessions/{hers}/log-level", json={"level": None})).json() == {"level": None}
        await local.post(f"/sessions/{hers}/resume")
    told = [line for line in lines(capsys.readouterr().err) if line["event"] == "decided"]
    assert {line["session_id"] for line in told} == {hers}
    assert [line["of"] for line in told if line["of"] in ("Halted", "Resumed")] == ["Halted"]
    assert next(line for line in told if line["of"] == "Halted")["frames"]


async def test_a_session_can_be_quieter_than_the_service(diarist: Service, capsys: pytest.CaptureFixture[str]) -> None:
    configure_logging("json", "info")
    async with diarist.client() as local:
        session = (await begin(local))["id"]
        await local.put(f"/sessions/{session}/log-level", json={"level": "error"})
        capsys.readouterr()
        await local.delete(f"/sessions/{session}")
    assert [line for line in lines(capsys.readouterr().err) if line.get("session_id") == session] == []


async def test_a_level_ends_with_its_session(diarist: Service) -> None:
    async with diarist.client() as local:
        session = (await begin(local))["id"]
        await local.put(f"/sessions/{session}/log-level", json={"level": "debug"})
        await local.delete(f"/sessions/{session}")
        await eventually(lambda: not LOUDNESS.is_logged("debug", session))
        problem(await local.put(f"/sessions/{session}/log-level", json={"level": "debug"}), 409, "session-over")
        problem(await local.put(f"/sessions/{session}/log-level", json={"level": "loud"}), 422, "invalid-request")


async def test_who_only_reads_changes_nothing(callers: Callers) -> None:
    session = (await begin(callers.asha))["id"]
    answer = await callers.asha_reads.put(f"/sessions/{session}/log-level", json={"level": "debug"})
    problem(answer, 403, "forbidden")
