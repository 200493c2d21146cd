"""asyncapi.yaml says what the stream really sends."""

import asyncio
from contextlib import aclosing
from dataclasses import replace
from functools import cache
from typing import Any

import httpx
import jsonschema
import orjson
import pytest
import yaml
from referencing import Registry
from referencing.jsonschema import DRAFT202012

from algoexec.api.directory import CallersSessions
from algoexec.api.routers import socket
from algoexec.engine.effects import EntryOffered, EntryRefused
from algoexec.engine.events import Mode
from algoexec.engine.trading.marks import OptionMark
from algoexec.engine.trading.rules import Approval, TradeRules
from algoexec.engine.trading.tally import Tally
from algoexec.engine.trading.trade import TradingState
from algoexec.runtime.marks import day_result
from algoexec.runtime.watcher import Filter, HubOptions
from algoexec.runtime.wire import TOPICS, complete, encode
from tests.api.recorded import recorded
from tests.api.support import running_service
from tests.api.test_stream import connected, flap
from tests.conftest import ROOT
from tests.contract.given import state


@cache
def document() -> dict[str, Any]:
    loaded: dict[str, Any] = yaml.safe_load((ROOT / "asyncapi.yaml").read_text(encoding="utf-8"))
    return loaded


def closed(schema: Any) -> Any:
    """Return `schema` with every object of known properties closed, so that nothing untold passes."""
    if isinstance(schema, list):
        return [closed(one) for one in schema]
    if not isinstance(schema, dict):
        return schema
    inner = {name: closed(value) for name, value in schema.items()}
    if inner.get("type") == "object" and "properties" in inner:
        inner["additionalProperties"] = False
    return inner


@cache
def validators() -> dict[str, jsonschema.Draft202012Validator]:
    """Return a validator for each type of frame."""
    specification = closed(document())
    openapi = orjson.loads((ROOT / "openapi.json").read_bytes())
    registry: Registry[Any] = Registry().with_resources(
        (name, DRAFT202012.create_resource(contents))
        for name, contents in (("asyncapi.yaml", specification), ("openapi.json", openapi))
    )
    return {
        name: jsonschema.Draft202012Validator(
            {"$ref": f"asyncapi.yaml#/components/messages/{name}/payload"},
            registry=registry,
            format_checker=jsonschema.Draft202012Validator.FORMAT_CHECKER,
        )
        for name in document()["components"]["messages"]
    }


def check(text: str) -> str:
    """Validate one frame and return its type."""
    frame = orjson.loads(text)
    validators()[frame["type"]].validate(frame)
    return str(frame["type"])


async def test_every_kind_of_frame_is_as_it_is_described() -> None:
    day = recorded("recordedsession0", "asha", mode=Mode.PAPER)
    trading = TradingState(rules=TradeRules(), tally=Tally(realised=-1_240_50, trades=3, losses_in_a_row=1))
    seen: set[str] = set()
    async with running_service(hub=HubOptions(heartbeat=0.05)) as service, service.client() as http:
        await day.keep(service.stores)
        session = await connected(http)
        flap(service, 1)
        sessions = CallersSessions(service.registry, None)
        for wanted, since in ((day.row.id, "0"), (session["id"], "nonsense"), (None, None)):
            watcher = service.registry.hub.watch(Filter(session_id=wanted), sessions, since)
            update = {"start": service.clock.now(), "open": 1.0, "high": 2.0, "low": 0.5, "close": 1.5}
            service.registry.hub.publish_volatile(session["id"], "asha", "candle_update", service.clock.now(), update)
            profit = day_result(replace(state(), trading=trading), OptionMark())
            assert profit is not None
            service.registry.hub.publish_volatile(day.row.id, "asha", "pnl", service.clock.now(), profit)
            async with watcher, aclosing(watcher.messages()) as messages, asyncio.timeout(10):
                async for message in messages:
                    seen.add(check(message.text))
                    if message.type == "heartbeat":
                        break

    assert seen == set(validators()) - {"ticket"}


def test_an_order_that_waits_for_a_person_is_as_it_is_described() -> None:
    day = recorded(
        "askingsession000", "asha", mode=Mode.PAPER, rules=TradeRules(approval=Approval.MANUAL, risk_pct=4.0)
    )
    frames = day.frames_of("order")

    assert {type(frame.body) for frame in frames} == {EntryOffered, EntryRefused}
    for frame in frames:
        check(complete(encode(day.row.id, frame), prev=0, cursor="c").text)
        if isinstance(frame.body, EntryOffered):
            yes = replace(frame, body=replace(frame.body, approved_by="asha"))
            check(complete(encode(day.row.id, yes), prev=0, cursor="c").text)


def test_every_topic_is_described_and_no_other() -> None:
    always = {"snapshot", "heartbeat", "gap", "ticket"}

    assert set(validators()) - always == TOPICS


def test_the_examples_are_frames() -> None:
    for message in document()["components"]["messages"].values():
        for example in message.get("examples", ()):
            check(orjson.dumps(example["payload"]).decode())


@pytest.mark.parametrize(
    "spoil",
    [
        {"seq": None},
        {"prev": None},
        {"data": {}},
        {"data": {"status": "RUNNING", "reason": None, "halted": None, "feed": "CONNECTED", "extra": 1}},
    ],
)
def test_a_frame_that_is_otherwise_is_told_apart(spoil: dict[str, Any]) -> None:
    example = document()["components"]["messages"]["session"]["examples"][0]["payload"]

    with pytest.raises(jsonschema.ValidationError):
        check(orjson.dumps({**example, **spoil}).decode())


def test_the_close_codes_are_those_of_the_socket() -> None:
    codes = {
        value for name, value in vars(socket).items() if name.isupper() and isinstance(value, int) and value >= 1000
    }

    assert set(document()["x-close-codes"]) == codes


async def test_openapi_is_committed_as_it_is(local: httpx.AsyncClient) -> None:
    served = (await local.get("/openapi.json")).json()

    committed = orjson.loads((ROOT / "openapi.json").read_bytes())
    assert served == committed, "run `make openapi`"
