"""Accounts of the simulator over real sockets: tokens, registered addresses, the kill switch, limits."""

import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from datetime import time
from typing import Any, Final

import httpx
import pytest
import websockets
from websockets.exceptions import ConnectionClosed, InvalidStatus

from algoexec.domain.calendar import ist
from algoexec.simulation.generated import GENERATED_ON, generated_day
from algoexec.simulator.account_events import AccountEvent, as_json, from_json
from algoexec.simulator.accounts import Accounts
from algoexec.simulator.errors import Refusal
from algoexec.simulator.server import RunningSimulator
from algoexec.simulator.users import User
from algoexec.simulator.users_file import Segment, Users
from tests.integration.simulating import (
    ANN,
    AUTHORIZE,
    INDEX,
    PROTO,
    FeedClient,
    authorized_uri,
    feed,
    rest,
    settings,
    simulator,
)

STANDING: Final = 0.001
"""A speed at which the clock does not move by itself while a test asks."""

DAY: Final = generated_day()
PROFILE: Final = "/v2/user/profile"
IP: Final = "/v2/user/ip"
KILL_SWITCH: Final = "/v2/user/kill-switch"
CANDLES: Final = f"/v3/historical-candle/intraday/{INDEX}/minutes/1"
HERE: Final = "127.0.0.1"
HOUR_MS: Final = 3_600_000
WEEK_MS: Final = 7 * 24 * HOUR_MS
REFUSED: Final = (401, "UDAPI100050")


def at(clock: str) -> int:
    return int(ist(GENERATED_ON, time.fromisoformat(clock)).timestamp() * 1000)


def listed(users: Mapping[str, Mapping[str, Any]], **more: Any) -> Users:
    return Users.model_validate({"users": users, **more})


@asynccontextmanager
async def standing(clock: str = "10:00", **more: Any) -> AsyncIterator[RunningSimulator]:
    async with simulator(settings(clock, speed=STANDING, **more), DAY) as running:
        yield running


async def answered(client: httpx.AsyncClient, method: str, path: str, body: object = None) -> tuple[int, str]:
    """Return the status, and the error code or `success`."""
    answer = await client.request(method, path, json=body)
    content = answer.json()
    return answer.status_code, content["errors"][0]["error_code"] if "errors" in content else content["status"]


async def got(running: RunningSimulator, token: str | None, path: str = PROFILE) -> tuple[int, str]:
    async with rest(running, token) as client:
        return await answered(client, "GET", path)


async def ended(client: FeedClient) -> tuple[int, int | None]:
    """Read until the server closes; return the time of the last frame and the close code."""
    last = 0
    try:
        while True:
            last = max(last, (await client.frame()).currentTs)
    except ConnectionClosed as closed:
        return last, None if closed.rcvd is None else closed.rcvd.code


# --- tokens ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("method", "path"),
    [("DELETE", "/v2/logout"), ("GET", IP), ("PUT", IP), ("GET", KILL_SWITCH), ("POST", KILL_SWITCH)],
)
@pytest.mark.parametrize("token", [None, "bad-one", "user:ann:exp=10:00"])
async def test_without_a_living_token_there_is_no_account(method: str, path: str, token: str | None) -> None:
    async with standing() as running, rest(running, token) as client:
        assert await answered(client, method, path, []) == REFUSED


async def test_a_token_is_dead_everywhere_at_the_moment_it_names() -> None:
    async with standing("15:29:59") as running:
        token = "user:ann:exp=15:30"
        for path in (PROFILE, AUTHORIZE, CANDLES):
            assert await got(running, token, path) == (200, "success")
        running.broker.clock.now_ms = at("15:30")
        for path in (PROFILE, AUTHORIZE, CANDLES):
            assert await got(running, token, path) == REFUSED
        assert await got(running, None, CANDLES) == (200, "success"), "public is public"
        assert await got(running, "user:ann") == (200, "success")
        assert await got(running, "user:bob") == (200, "success")


async def test_a_token_dies_in_the_night_after_it_was_first_seen() -> None:
    async with standing("03:29:59") as running:
        assert await got(running, "user:ann") == (200, "success")
        running.broker.clock.now_ms = at("03:30")
        assert await got(running, "user:ann") == REFUSED
        assert await got(running, "user:bob") == (200, "success")
        running.broker.clock.now_ms = at("03:30") + 24 * HOUR_MS
        assert await got(running, "user:bob") == REFUSED


async def test_a_token_that_was_logged_out_stays_dead() -> None:
    async with standing() as running:
        async with rest(running) as client:
            answer = await client.delete("/v2/logout")
            assert answer.json() == {"status": "success", "data": True}
            assert await answered(client, "GET", PROFILE) == REFUSED
            assert await answered(client, "DELETE", "/v2/logout") == REFUSED
        assert await got(running, "user:ann:2") == (200, "success")
        assert await got(running, "user:bob") == (200, "success")


async def test_neither_handshake_lets_a_dead_token_in() -> None:
    async with standing("15:29:59") as running:
        token = "user:ann:exp=15:30"
        uri = await authorized_uri(running, token)
        running.broker.clock.now_ms = at("15:30")
        with pytest.raises(InvalidStatus) as refused:
            await websockets.connect(uri)
        assert refused.value.response.status_code == 401
        address = running.url.replace("http", "ws") + "/v3/feed/market-data-feed"
        with pytest.raises(InvalidStatus) as refused:
            await websockets.connect(address, additional_headers={"Authorization": f"Bearer {token}"})
        assert refused.value.response.status_code == 401


async def test_a_feed_ends_with_the_token_that_opened_it_and_another_goes_on() -> None:
    async with simulator(settings("10:00:50"), DAY) as running:
        async with feed(running, "user:ann:exp=10:01") as dying, feed(running, "user:bob") as living:
            for client in (dying, living):
                await client.ask("sub", [INDEX], "ltpc")
                await client.initial()
            last, code = await ended(dying)
            assert code == 1000
            assert at("10:00:50") < last <= at("10:01:05"), "it ends when the token does, or a few frames later"
            assert (await living.frame()).type == PROTO.live_feed
        while running.broker.hub.connections(User("ann")):
            await got(running, None, "/sim/clock")


async def test_logging_out_ends_the_feed_of_that_token_alone() -> None:
    async with (
        standing(feeds_per_user=2) as running,
        feed(running) as first,
        feed(running, "user:ann:2") as second,
        rest(running) as client,
    ):
        await client.delete("/v2/logout")
        assert (await ended(first))[1] == 1000
        await second.ask("sub", [INDEX], "ltpc")
        assert (await second.initial()).type == PROTO.initial_feed


async def test_a_users_file_turns_away_whom_it_does_not_name() -> None:
    users = listed({"ann": {}, "eve": {"refuse": True}}, others="refuse")
    async with standing(users=users) as running:
        assert await got(running, "user:ann") == (200, "success")
        for token in ("user:bob", "user:eve", "something"):
            assert await got(running, token) == REFUSED
            assert await got(running, token, CANDLES) == REFUSED


# --- feeds -------------------------------------------------------------------------------------------------------


async def test_the_plan_decides_how_many_feeds_there_may_be() -> None:
    users = listed({"ann": {"plan": "standard"}, "bob": {"feeds": 1}})
    async with standing(users=users) as running, feed(running), feed(running):
        with pytest.raises(InvalidStatus) as refused:
            await websockets.connect(await authorized_uri(running))
        assert refused.value.response.status_code == 403
        async with feed(running, "user:bob"):
            with pytest.raises(InvalidStatus):
                await websockets.connect(await authorized_uri(running, "user:bob"))


async def test_a_subscription_over_the_limit_is_answered_in_text_and_changes_nothing() -> None:
    users = listed({"ann": {"plan": "standard"}})
    async with standing(users=users) as running, feed(running) as client:
        await client.frame()
        await client.ask("sub", [INDEX], "full_d30")
        answer = json.loads(await client.socket.recv())
        assert (answer["status"], answer["method"]) == ("failed", "sub")
        assert "full_d30" in answer["error"]
        await client.ask("sub", [f"NSE_FO|{i}" for i in range(5001)], "ltpc")
        assert "5000" in json.loads(await client.socket.recv())["error"]
        await client.ask("sub", [INDEX], "full")
        snapshot = await client.frame()
        assert snapshot.type == PROTO.initial_feed
        assert list(snapshot.feeds) == [INDEX]


# --- registered addresses ----------------------------------------------------------------------------------------


async def test_addresses_are_registered_once_a_week_and_end_all_tokens() -> None:
    async with standing() as running:
        assert await got(running, "user:ann:old", PROFILE) == (200, "success")
        async with rest(running) as client:
            before = (await client.get(IP)).json()["data"]
            answer = await client.put(IP, json={"primary_ip": "192.0.2.1", "secondary_ip": "2001:DB8:0:0::1"})
        assert before == dict.fromkeys(before), "nothing is registered"
        assert answer.json()["data"] == {
            "primary_ip": "192.0.2.1",
            "secondary_ip": "2001:db8::1",
            "primary_ip_updated_at": "2026-10-14 10:00:00",
            "secondary_ip_updated_at": "2026-10-14 10:00:00",
            "access_tokens_invalidated": True,
        }
        for token in ("user:ann", "user:ann:old"):
            assert await got(running, token) == REFUSED
        assert await got(running, "user:bob") == (200, "success")
        async with rest(running, "user:ann:new") as client:
            assert await answered(client, "PUT", IP, {"primary_ip": "192.0.2.2"}) == (400, "UDAPI1185")
            assert (await client.get(IP)).json()["data"]["primary_ip"] == "192.0.2.1"


async def test_a_new_week_begins_on_monday() -> None:
    async with standing() as running:
        async with rest(running) as client:
            assert await answered(client, "PUT", IP, {"primary_ip": "192.0.2.1"}) == (200, "success")
        # The generated day is a Wednesday.
        running.broker.clock.now_ms = at("00:00") + 5 * 24 * HOUR_MS - 1
        async with rest(running, "user:ann:2") as client:
            assert await answered(client, "PUT", IP, {"primary_ip": "192.0.2.2"}) == (400, "UDAPI1185")
            running.broker.clock.now_ms += 1
            assert await answered(client, "PUT", IP, {"primary_ip": "192.0.2.2"}) == (200, "success")


async def test_a_registered_address_takes_the_place_of_the_files() -> None:
    users = listed({"ann": {"static_ips": [HERE]}})
    async with standing(users=users) as running:
        assert running.broker.addresses(User("ann")).known == (HERE,)
        async with rest(running) as client:
            assert (await client.get(IP)).json()["data"]["primary_ip"] == HERE
            assert await answered(client, "PUT", IP, {"primary_ip": "192.0.2.1"}) == (200, "success")
        assert running.broker.addresses(User("ann")).known == ("192.0.2.1",)


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({}, "UDAPI1182"),
        ([], "UDAPI1182"),
        ({"primary_ip": "home"}, "UDAPI1183"),
        ({"primary_ip": 7}, "UDAPI1183"),
        ({"primary_ip": "192.0.2.1", "secondary_ip": "192.0.2.256"}, "UDAPI1183"),
        ({"primary_ip": "::1", "secondary_ip": "0:0::1"}, "UDAPI1184"),
    ],
)
async def test_addresses_without_sense_change_nothing(body: object, code: str) -> None:
    async with standing() as running, rest(running) as client:
        assert await answered(client, "PUT", IP, body) == (400, code)
        assert await answered(client, "GET", PROFILE) == (200, "success"), "the token lives on"


async def test_a_body_that_is_no_json_is_refused() -> None:
    async with standing() as running, rest(running) as client:
        for method, path in (("PUT", IP), ("POST", KILL_SWITCH)):
            assert (await client.request(method, path, content=b"{")).status_code == 400


# --- the kill switch ---------------------------------------------------------------------------------------------


class Holdings:
    """Trading of which is known what is held; remembers what was cancelled."""

    def __init__(self, *held: tuple[str, str]) -> None:
        self.held = held
        self.cancelled: list[tuple[str, str]] = []

    def has_open_position(self, user: User, segment: Segment) -> bool:
        return (user.id, segment) in self.held

    def cancel_pending(self, user: User, segment: Segment) -> None:
        self.cancelled.append((user.id, segment))


def switch(**actions: str) -> list[dict[str, str]]:
    return [{"segment": segment, "action": action} for segment, action in actions.items()]


async def killed(running: RunningSimulator, token: str = ANN) -> set[str]:
    async with rest(running, token) as client:
        rows = (await client.get(KILL_SWITCH)).json()["data"]
    assert len(rows) == 8
    return {row["segment"] for row in rows if row["kill_switch_enabled"]}


async def test_a_segment_is_switched_off_for_12_hours_for_that_user_alone() -> None:
    async with standing() as running, rest(running) as client:
        running.broker.trading = trading = Holdings()
        answer = (await client.post(KILL_SWITCH, json=switch(NSE_FO="DISABLE"))).json()
        row = {"segment": "NSE_FO", "segment_status": "ACTIVE", "kill_switch_enabled": True}
        assert row in answer["data"]
        assert trading.cancelled == [("ann", "NSE_FO")]
        assert (await killed(running), await killed(running, "user:bob")) == ({"NSE_FO"}, set())
        with pytest.raises(Refusal):
            running.broker.brake(User("ann")).require("NSE_FO")
        running.broker.brake(User("ann")).require("NSE_EQ")
        running.broker.brake(User("bob")).require("NSE_FO")

        running.broker.clock.now_ms += 12 * HOUR_MS - 1
        assert await answered(client, "POST", KILL_SWITCH, switch(NSE_FO="ENABLE")) == (400, "UDAPI1185")
        running.broker.clock.now_ms += 1
        assert await answered(client, "POST", KILL_SWITCH, switch(NSE_FO="ENABLE")) == (200, "success")
        assert await killed(running) == set()


async def test_a_repeated_switch_neither_cancels_nor_prolongs() -> None:
    async with standing() as running, rest(running) as client:
        running.broker.trading = trading = Holdings()
        for _ in range(2):
            assert await answered(client, "POST", KILL_SWITCH, switch(NSE_FO="DISABLE")) == (200, "success")
            running.broker.clock.now_ms += 6 * HOUR_MS
        assert trading.cancelled == [("ann", "NSE_FO")]
        assert await answered(client, "POST", KILL_SWITCH, switch(NSE_FO="ENABLE")) == (200, "success")


async def test_an_open_position_holds_up_all_of_the_request() -> None:
    async with standing() as running, rest(running) as client:
        running.broker.trading = trading = Holdings(("ann", "NSE_FO"))
        body = switch(NSE_EQ="DISABLE", NSE_FO="DISABLE")
        assert await answered(client, "POST", KILL_SWITCH, body) == (400, "UDAPI1184")
        assert (await killed(running), trading.cancelled) == (set(), [])
        async with rest(running, "user:bob") as other:
            assert await answered(other, "POST", KILL_SWITCH, body) == (200, "success")


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ([], "UDAPI100036"),
        ({"segment": "NSE_FO", "action": "DISABLE"}, "UDAPI100036"),
        (["NSE_FO"], "UDAPI1186"),
        (switch(NFO="DISABLE"), "UDAPI1186"),
        (switch(NSE_FO="KILL"), "UDAPI1188"),
        ([*switch(NSE_FO="DISABLE"), *switch(NSE_FO="ENABLE")], "UDAPI100036"),
        (switch(NSE_EQ="DISABLE", MCX_FO="DISABLE"), "UDAPI100036"),
    ],
)
async def test_a_request_that_cannot_be_obeyed_in_full_changes_nothing(body: object, code: str) -> None:
    users = listed({"ann": {"disabled_segments": ["MCX_FO"]}})
    async with standing(users=users) as running, rest(running) as client:
        assert await answered(client, "POST", KILL_SWITCH, body) == (400, code)
        assert await killed(running) == set()
        rows = (await client.get(KILL_SWITCH)).json()["data"]
        assert [row["segment"] for row in rows if row["segment_status"] == "INACTIVE"] == ["MCX_FO"]


# --- a restart ---------------------------------------------------------------------------------------------------


async def test_a_successor_that_is_told_the_events_knows_the_accounts_as_they_were() -> None:
    kept: list[AccountEvent] = []
    async with standing() as running:
        running.broker.accounts.on_event = kept.append
        async with rest(running, "user:bob") as client:
            await client.delete("/v2/logout")
        async with rest(running) as client:
            await client.post(KILL_SWITCH, json=switch(NSE_FO="DISABLE"))
            await client.put(IP, json={"primary_ip": HERE})
        before = running.broker.accounts.state

    successor = Accounts(None, GENERATED_ON)
    successor.replay(from_json(json.loads(json.dumps(as_json(event)))) for event in kept)
    assert successor.state == before
