"""How the orders of a session leave: given with it, kept secret, and only by the operator's proxies."""

from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
import pytest_asyncio

from algoexec.domain.errors import BrokerRefused, BrokerUnavailable, DecodeError
from algoexec.engine.effects import Status
from algoexec.engine.events import Mode
from algoexec.ports.egress import DIRECT, Egress, EgressPolicy, ProxyAddress
from tests.api.support import Service
from tests.api.test_kill_switch import LIVE, found
from tests.api.test_sessions import begin, problem
from tests.api.trading import eventually, held, shows, trading_service

PROXY = "http://ann:hidden-word@proxy.example:3128"
HERS = Egress(ProxyAddress(PROXY), "her-scalper")
POLICY = EgressPolicy(
    proxies={"proxy.example:3128": "203.0.113.7", "other.example:3128": None}, address="198.51.100.1", algo="ours"
)
GIVEN: dict[str, Any] = {**LIVE, "egress_proxy": PROXY, "algo_name": "her-scalper"}


@pytest_asyncio.fixture
async def service() -> AsyncIterator[Service]:
    """A service whose operator allows two proxies."""
    async with trading_service(egress=POLICY) as running:
        yield running


@pytest.fixture
def live(service: Service) -> Service:
    """The same, at a broker at which orders may come from nowhere in particular."""
    service.venue.registered = BrokerRefused("not allowed", code="UDAPI1179")
    return service


async def test_orders_leave_as_was_said_and_nobody_is_told_by_which_password(
    live: Service, local: httpx.AsyncClient
) -> None:
    session = await begin(local, **GIVEN)
    path = f"/sessions/{session['id']}"

    await eventually(lambda: live.venue.egresses[-1:] == [HERS])

    for answer in (session, *[(await local.get(one)).text for one in (path, f"{path}/journal", f"{path}/preflight")]):
        assert "hidden-word" not in str(answer)


@pytest.mark.parametrize("mode", ["signals", "paper"])
@pytest.mark.parametrize("name", ["egress_proxy", "algo_name"])
async def test_where_no_order_leaves_no_way_is_taken(
    live: Service, local: httpx.AsyncClient, mode: str, name: str
) -> None:
    config = {} if mode == "signals" else LIVE["config"]
    body = {**LIVE, "mode": mode, "config": config, name: GIVEN[name]}

    for path in ("/sessions", "/preflight"):
        sent = body if path == "/sessions" else {key: one for key, one in body.items() if key != "config"}
        refused = problem(await local.post(path, json=sent), 422, "invalid-request")
        assert [one["field"] for one in refused["errors"]] == [f"body.{name}"]


async def test_a_proxy_that_is_none_of_the_operators_is_refused(live: Service, local: httpx.AsyncClient) -> None:
    evil = "http://ann:hidden-word@evil.example:3128"
    for path, body in (("/sessions", LIVE), ("/preflight", {"user_id": "asha", "access_token": "good-token"})):
        answer = await local.post(path, json={**body, "egress_proxy": evil})
        assert "evil.example:3128" in problem(answer, 422, "egress-proxy-not-allowed")["detail"]
        assert "hidden-word" not in answer.text
    assert (await local.get("/sessions")).json()["items"] == []


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("egress_proxy", "proxy.example:3128"),
        ("egress_proxy", "http://ann:hidden-word@proxy.example"),
        ("egress_proxy", "ftp://ann:hidden-word@proxy.example:3128"),
        ("egress_proxy", "http://ann:hidden-word/@proxy.example:3128"),
        ("egress_proxy", ""),
        ("egress_proxy", "http://" + "a" * 600 + ":1"),
        ("algo_name", ""),
        ("algo_name", " padded "),
        ("algo_name", "two\r\nlines: x"),
        ("algo_name", "schöner"),
        ("algo_name", "n" * 65),
    ],
)
async def test_what_no_header_or_client_could_take_is_refused_and_not_repeated(
    live: Service, local: httpx.AsyncClient, name: str, value: str
) -> None:
    answer = await local.post("/sessions", json={**GIVEN, name: value})

    refused = problem(answer, 422, "invalid-request")
    assert [one["field"] for one in refused["errors"]] == [f"body.{name}"]
    assert "hidden-word" not in answer.text


async def test_with_a_new_token_orders_leave_as_before_unless_it_says_otherwise(
    live: Service, local: httpx.AsyncClient
) -> None:
    session = await begin(local, **GIVEN)
    path, stores = f"/sessions/{session['id']}", live.stores

    async def hand_in(**more: str) -> httpx.Response:
        return await local.post(f"{path}/token", json={"access_token": "new-token", **more})

    assert (await hand_in()).status_code == 200
    assert await stores.egresses.get(session["id"]) == HERS
    other = "https://other.example:3128"
    assert (await hand_in(egress_proxy=other)).status_code == 200
    assert await stores.egresses.get(session["id"]) == Egress(ProxyAddress(other), "her-scalper")
    assert (await hand_in(algo_name="renamed")).status_code == 200
    assert await stores.egresses.get(session["id"]) == Egress(ProxyAddress(other), "renamed")
    problem(await hand_in(egress_proxy="http://evil.example:1"), 422, "egress-proxy-not-allowed")
    assert (await stores.egresses.get(session["id"])).proxy == ProxyAddress(other)


async def test_with_the_session_its_way_is_forgotten(live: Service, local: httpx.AsyncClient) -> None:
    session = await begin(local, **GIVEN)
    assert await live.stores.egresses.get(session["id"]) == HERS

    await local.delete(f"/sessions/{session['id']}")

    await shows(local, f"/sessions/{session['id']}", lambda one: one["status"] == Status.STOPPED)
    await eventually(lambda: session["id"] not in live.registry._running._runners)
    assert await live.stores.egresses.get(session["id"]) == DIRECT


async def test_a_proxy_that_the_operator_takes_away_is_not_used_after_a_restart() -> None:
    async with held(mode=Mode.LIVE, egress=POLICY) as at:
        stores = at.service.stores
        await stores.egresses.put(at.session_id, HERS)
    at.service.venue.egresses.clear()
    async with trading_service(stores=stores, venue=at.service.venue) as service, service.client() as local:
        told = await shows(local, at.path, lambda one: one["status"] == "NEEDS_TOKEN")

        assert "proxy.example:3128" in told["reason"]
        assert "hidden-word" not in told["reason"]
        assert service.venue.egresses == []


async def test_a_way_that_cannot_be_read_any_more_is_not_taken_for_the_direct_one(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async with held(mode=Mode.LIVE, egress=POLICY) as at:
        stores = at.service.stores
    at.service.venue.egresses.clear()
    readable = stores.egresses.get

    async def unreadable(_: str) -> Egress:
        raise DecodeError("none of the secret keys opens it")

    monkeypatch.setattr(stores.egresses, "get", unreadable)
    again = trading_service(stores=stores, venue=at.service.venue, egress=POLICY)
    async with again as service, service.client() as local:

        async def hand_in(**more: str) -> None:
            answer = await local.post(f"{at.path}/token", json={"access_token": "new-token", **more})
            assert answer.status_code == 200, answer.text

        told = await shows(local, at.path, lambda one: one["status"] == "NEEDS_TOKEN")
        assert "none of the secret keys opens it" in told["reason"]
        await hand_in(algo_name="renamed")
        await shows(local, at.path, lambda one: one["status"] == "NEEDS_TOKEN")
        assert service.venue.egresses == [], "it sat down at its account by another way"
        assert found(await local.get(f"{at.path}/preflight"))["static_ip"] is False

        await hand_in(egress_proxy=PROXY)
        monkeypatch.setattr(stores.egresses, "get", readable)
        await hand_in()

        await eventually(lambda: service.venue.egresses[-1:] == [Egress(HERS.proxy)])


class TestPreflight:
    async def look(self, local: httpx.AsyncClient, **more: str) -> tuple[bool | None, str]:
        looked = await local.post("/preflight", json={"user_id": "asha", "access_token": "good-token", **more})
        assert "hidden-word" not in looked.text
        [check] = [one for one in looked.json()["checks"] if one["name"] == "static_ip"]
        return found(looked)["static_ip"], check["detail"]

    async def test_where_orders_would_come_from_is_compared_with_what_is_registered(
        self, service: Service, local: httpx.AsyncClient
    ) -> None:
        service.venue.registered = ("203.0.113.7", "2001:db8::1")

        assert await self.look(local, egress_proxy=PROXY) == (
            True,
            "203.0.113.7 and 2001:db8::1 registered with the broker; "
            "orders leave by proxy.example:3128, from 203.0.113.7",
        )
        is_right, detail = await self.look(local)
        assert is_right is False
        assert "directly, from 198.51.100.1" in detail
        unknown, detail = await self.look(local, egress_proxy="http://other.example:3128")
        assert unknown is None
        assert "other.example:3128" in detail

    async def test_without_a_registered_address_live_does_not_begin(
        self, service: Service, local: httpx.AsyncClient
    ) -> None:
        service.venue.registered = ()

        is_right, detail = await self.look(local)

        assert (is_right, "no address is registered" in detail) == (False, True)
        refused = problem(await local.post("/sessions", json=LIVE), 409, "preflight-failed")
        assert "static_ip" in refused["detail"]

    async def test_a_proxy_that_does_not_work_is_found(self, service: Service, local: httpx.AsyncClient) -> None:
        service.venue.registered = BrokerUnavailable("GET /v2/user/ip: ConnectError")

        assert await self.look(local, egress_proxy=PROXY) == (False, "GET /v2/user/ip: ConnectError")

    async def test_a_broker_that_does_not_say_it_is_in_nobodys_way(
        self, live: Service, local: httpx.AsyncClient
    ) -> None:
        unknown, detail = await self.look(local)

        assert unknown is None
        assert "does not say" in detail

    async def test_the_name_that_orders_carry_is_told(self, live: Service, local: httpx.AsyncClient) -> None:
        for given, name in (({}, "ours"), ({"algo_name": "hers"}, "hers")):
            looked = await local.post("/preflight", json={"user_id": "asha", "access_token": "good-token", **given})
            [check] = [one for one in looked.json()["checks"] if one["name"] == "algo_name"]
            assert check["detail"] == f"orders carry {name}"
