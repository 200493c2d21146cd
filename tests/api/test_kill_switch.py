"""The kill switch, and the look before trading."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import httpx
import pytest
import pytest_asyncio

from algoexec.adapters.memory.stores import MemoryStores
from algoexec.engine.events import Mode
from algoexec.ports.stores import Scope
from algoexec.ports.trading import KillSwitch
from tests.api.recorded import recorded
from tests.api.support import MARKET_TIME, ScriptedVenue, Service, StillClock
from tests.api.test_sessions import begin, problem
from tests.api.trading import LIMITS, eventually, held, on_the_recorded_day, shows, trading_service

LIVE: dict[str, Any] = {
    "user_id": "asha",
    "access_token": "good-token",
    "mode": "live",
    "config": {"trading": LIMITS},
}


@pytest_asyncio.fixture
async def service() -> AsyncIterator[Service]:
    """A service that offers every mode."""
    async with trading_service() as running:
        yield running


@dataclass
class Keys:
    """Who may throw what."""

    asha: httpx.AsyncClient
    asha_lives: httpx.AsyncClient
    bela: httpx.AsyncClient
    backend: httpx.AsyncClient
    admin: httpx.AsyncClient
    asha_rules: httpx.AsyncClient


@pytest_asyncio.fixture
async def keys(service: Service) -> AsyncIterator[Keys]:
    given = {
        "asha": (Scope.TRADE, "asha"),
        "asha_lives": (Scope.LIVE, "asha"),
        "bela": (Scope.TRADE, "bela"),
        "backend": (Scope.LIVE, None),
        "admin": (Scope.ADMIN, None),
        "asha_rules": (Scope.ADMIN, "asha"),
    }
    clients = {name: service.client(await service.add_key(name, *scope)) for name, scope in given.items()}
    yield Keys(**clients)
    for client in clients.values():
        await client.aclose()


class TestKillSwitch:
    async def test_it_gets_out_stays_on_and_is_taken_back(self) -> None:
        async with held() as at, at.service.client() as local:
            switch = {"user_id": "asha"}

            thrown = await local.post("/kill-switch", params=switch, json={"reason": "news"})

            assert thrown.status_code == 201
            [told] = thrown.json()["switches"]
            assert (told["user_id"], told["by"], told["reason"]) == ("asha", "local", "news")
            flat = await shows(local, at.path, lambda one: one["trading"]["position"]["stage"] == "NEUTRAL")
            assert flat["trading"]["killed"] == "news (by local)"
            assert flat["status"] not in ("STOPPING", "STOPPED")
            assert sum(order.quantity for order in at.service.venue.placed) == at.units
            assert (await local.delete(at.path)).status_code == 200
            again = await local.post("/sessions", json={"user_id": "asha", "mode": "paper"})
            assert "news (by local)" in problem(again, 409, "kill-switch-on")["detail"]

            back = await local.delete("/kill-switch", params=switch)

            assert back.json() == {"on": False, "switches": []}
            assert (await local.post("/sessions", json={"user_id": "asha", "mode": "paper"})).status_code == 201

    async def test_each_user_has_their_own_and_everybody_one_more(self, keys: Keys) -> None:
        assert (await keys.asha.post("/kill-switch")).json()["on"] is True
        assert (await keys.bela.get("/kill-switch")).json()["on"] is False
        assert (await keys.bela.post("/sessions", json={"mode": "paper"})).status_code == 201
        await keys.admin.post("/kill-switch", params={"all": True})

        assert [one["user_id"] for one in (await keys.asha.get("/kill-switch")).json()["switches"]] == ["asha", None]
        assert [one["user_id"] for one in (await keys.bela.get("/kill-switch")).json()["switches"]] == [None]
        back = await keys.asha.delete("/kill-switch")
        assert [one["user_id"] for one in back.json()["switches"]] == [None]
        problem(await keys.asha.post("/sessions", json={"mode": "paper"}), 409, "kill-switch-on")
        assert (await keys.admin.delete("/kill-switch", params={"all": True})).json()["on"] is False
        assert (await keys.asha.post("/sessions", json={"mode": "paper"})).status_code == 201

    async def test_who_may_throw_what(self, keys: Keys) -> None:
        everybody = {"all": True}
        problem(await keys.asha.post("/kill-switch", params={"user_id": "bela"}), 403, "forbidden")
        problem(await keys.asha.delete("/kill-switch", params={"user_id": "bela"}), 403, "forbidden")
        problem(await keys.backend.post("/kill-switch", params=everybody), 403, "forbidden")
        problem(await keys.backend.delete("/kill-switch", params=everybody), 403, "forbidden")
        problem(await keys.asha_rules.post("/kill-switch", params=everybody), 403, "forbidden")
        unnamed = problem(await keys.backend.post("/kill-switch"), 422, "invalid-request")
        assert [one["field"] for one in unnamed["errors"]] == ["query.user_id"]
        assert (await keys.backend.post("/kill-switch", params={"user_id": "bela"})).status_code == 201
        assert (await keys.backend.get("/kill-switch")).json()["on"] is True
        assert (await keys.asha.get("/kill-switch")).json()["on"] is False

    @pytest.mark.parametrize("body", [{"reason": ""}, {"reason": "x" * 201}, {"why": "x"}, []])
    async def test_a_body_that_means_nothing_is_a_problem(self, local: httpx.AsyncClient, body: object) -> None:
        answer = await local.post("/kill-switch", params={"user_id": "asha"}, json=body)

        problem(answer, 422, "invalid-request")
        assert (await local.get("/kill-switch")).json()["on"] is False

    async def test_a_session_that_only_tells_goes_on(self, local: httpx.AsyncClient) -> None:
        await local.post("/kill-switch", params={"user_id": "asha"})

        session = await begin(local)

        assert session["trading"] is None

    async def test_money_is_risked_again_by_who_may(self) -> None:
        async with held(mode=Mode.LIVE) as at:
            trades = await at.service.add_key("trades", Scope.TRADE, "asha")
            lives = await at.service.add_key("lives", Scope.LIVE, "asha")
            async with at.service.client(trades) as http, at.service.client(lives) as live:
                assert (await http.post("/kill-switch")).status_code == 201
                problem(await http.delete("/kill-switch"), 403, "forbidden")
                assert (await live.delete("/kill-switch")).json()["on"] is False

    async def test_it_is_thrown_once_under_one_key(self, local: httpx.AsyncClient) -> None:
        key, whose = {"Idempotency-Key": "once"}, {"user_id": "asha"}
        await local.post("/kill-switch", params=whose, headers=key)
        await local.delete("/kill-switch", params=whose)

        again = await local.post("/kill-switch", params=whose, headers=key)

        assert again.headers["idempotent-replayed"] == "true"
        assert (await local.get("/kill-switch")).json()["on"] is False

    async def test_a_session_that_is_taken_up_hears_of_it(self) -> None:
        thrown = KillSwitch(user_id=None, by="key:k", reason="halt", at=MARKET_TIME)
        stores = MemoryStores()
        day, state = recorded("heldsession00000", "asha", mode=Mode.PAPER).cut(
            lambda state: bool(state.trading and state.trading.trade)
        )
        await day.keep_under_way(stores)
        await stores.kill_switches.put(thrown)
        venue = ScriptedVenue(clock=StillClock(state.at))
        async with trading_service(stores=stores, venue=venue) as service, service.client() as local:
            await eventually(lambda: day.row.id in service.registry._running._runners)
            await service.registry._switches.tell()

            told = await shows(local, f"/sessions/{day.row.id}", lambda one: one["trading"]["killed"] is not None)

            assert told["trading"]["killed"] == "halt (by key:k)"
            await service.registry._switches.tell()
            await local.post(f"/sessions/{day.row.id}/halt")
            entries = await stores.journal.read(day.row.id)
            assert [type(entry.record.event).__name__ for entry in entries].count("KillSwitched") == 1

    async def test_another_process_that_threw_it_is_heard(self, service: Service, local: httpx.AsyncClient) -> None:
        session = await begin(local, mode="paper")
        switch = KillSwitch(user_id="asha", by="key:k", reason="elsewhere", at=MARKET_TIME)
        path = f"/sessions/{session['id']}"

        await service.stores.kill_switches.put(switch)
        await service.registry._switches.tell()
        await shows(local, path, lambda one: one["trading"]["killed"] == "elsewhere (by key:k)")
        await service.stores.kill_switches.delete("asha")
        await service.registry._switches.tell()
        await shows(local, path, lambda one: one["trading"]["killed"] is None)


def found(answer: httpx.Response) -> dict[str, bool | None]:
    assert answer.status_code == 200, answer.text
    return {one["name"]: one["ok"] for one in answer.json()["checks"]}


GREEN = {
    "token": True,
    "funds": True,
    "calendar": True,
    "instruments": True,
    "breaker": True,
    "kill_switch": True,
    "algo_name": None,
    "static_ip": None,
    "clock": None,
}


class TestPreflight:
    async def test_when_nothing_is_in_the_way_it_is_green(self, service: Service, local: httpx.AsyncClient) -> None:
        looked = await local.post("/preflight", json={"user_id": "asha", "access_token": "good-token"})

        assert found(looked) == GREEN
        assert looked.json()["green"] is True
        assert all(one["detail"] for one in looked.json()["checks"])
        assert "good-token" not in looked.text
        assert (await local.get("/sessions")).json()["items"] == []
        assert (await local.post("/sessions", json=LIVE)).status_code == 201

    async def test_what_is_in_the_way_is_named_and_live_does_not_begin(
        self, service: Service, local: httpx.AsyncClient
    ) -> None:
        service.venue.funds = 0
        await local.post("/kill-switch", params={"user_id": "asha"})

        looked = await local.post("/preflight", json={"user_id": "asha", "access_token": "good-token"})

        assert found(looked) == {**GREEN, "funds": False, "kill_switch": False}
        assert looked.json()["green"] is False
        refused = problem(await local.post("/sessions", json=LIVE), 409, "preflight-failed")
        assert refused["checks"] == looked.json()["checks"]
        assert (await local.get("/sessions")).json()["items"] == []

    @pytest.mark.parametrize(
        ("token", "is_down", "failing"),
        [
            (None, False, {"token"}),
            ("bad-token", False, {"token", "funds", "calendar", "instruments"}),
            ("good-token", True, {"token", "funds", "calendar", "instruments"}),
        ],
    )
    async def test_a_token_that_cannot_be_used_fails(
        self, service: Service, local: httpx.AsyncClient, token: str | None, is_down: bool, failing: set[str]
    ) -> None:
        service.venue.is_down = is_down

        looked = await local.post("/preflight", json={"user_id": "asha", "access_token": token})

        assert {name for name, ok in found(looked).items() if ok is False} == failing
        problem(await local.post("/sessions", json={**LIVE, "access_token": token}), 409, "preflight-failed")

    async def test_a_day_that_the_breaker_has_ended_is_locked(self) -> None:
        stores = MemoryStores()
        await recorded("earliersession00", "asha", mode=Mode.LIVE).keep(stores)
        async with trading_service(stores=stores, venue=on_the_recorded_day()) as service, service.client() as local:
            body = {"user_id": "asha", "access_token": "good-token"}

            live = await local.post("/preflight", json={**body, "mode": "live"})
            paper = await local.post("/preflight", json={**body, "mode": "paper"})

            assert found(live)["breaker"] is False
            assert found(paper) == {**GREEN, "funds": None}

    async def test_on_a_day_without_a_market_the_session_would_wait(self, local: httpx.AsyncClient) -> None:
        saturday = ScriptedVenue(clock=StillClock(MARKET_TIME - timedelta(days=2)))
        async with trading_service(venue=saturday) as service, service.client() as http:
            looked = await http.post("/preflight", json={"user_id": "asha", "access_token": "good-token"})

        [calendar] = [one for one in looked.json()["checks"] if one["name"] == "calendar"]
        assert calendar["ok"] is True
        assert "2026-11-23" in calendar["detail"]

    async def test_a_session_is_looked_at_with_its_own_token(self) -> None:
        async with held(mode=Mode.LIVE) as at, at.service.client() as local:
            assert found(await local.get(f"{at.path}/preflight")) == GREEN

            await at.service.stores.tokens.delete(at.session_id)

            assert found(await local.get(f"{at.path}/preflight"))["token"] is False

    async def test_a_user_looks_for_themselves(self, keys: Keys) -> None:
        body = {"access_token": "good-token"}
        problem(await keys.asha.post("/preflight", json={**body, "user_id": "bela"}), 403, "forbidden")
        problem(await keys.backend.post("/preflight", json=body), 422, "invalid-request")
        assert (await keys.asha.post("/preflight", json=body)).status_code == 200

    @pytest.mark.parametrize("body", [{"mode": "fast"}, {"access_token": ""}, {"config": {}}, []])
    async def test_a_body_that_means_nothing_is_a_problem(self, local: httpx.AsyncClient, body: object) -> None:
        problem(await local.post("/preflight", json=body), 422, "invalid-request")
