"""Sessions that trade: what they may risk, how they are got out of, and what the day leaves to the next one."""

from typing import Any

import httpx
import pytest
import pytest_asyncio

from algoexec.adapters.memory.stores import MemoryStores
from algoexec.domain.errors import BrokerUnavailable
from algoexec.engine.events import Mode
from algoexec.ports.credentials import AccessToken
from algoexec.ports.stores import Scope
from algoexec.strategy.parameters import Parameters
from tests.api.recorded import recorded
from tests.api.support import Service
from tests.api.test_sessions import begin, problem
from tests.api.trading import LIMITS, eventually, held, on_the_recorded_day, shows, trading_service


@pytest_asyncio.fixture
async def service() -> Any:
    """A service that offers every mode."""
    async with trading_service() as running:
        yield running


class TestRules:
    async def test_what_is_left_out_has_its_default_and_is_shown(self, local: httpx.AsyncClient) -> None:
        session = await begin(local, mode="paper", config={"trading": {"capital": 200_000.5, "risk_pct": 2}})

        trading = session["config"]["trading"]
        assert (trading["capital"], trading["risk_pct"], trading["max_daily_loss"]) == (200_000.5, 2, 6_000.01)
        assert (trading["premium_stop_pct"], trading["brokerage"], trading["blackout"]) == (20, 20, [])
        assert session["trading"] == {
            "tally": {"realised": 0, "trades": 0, "losses_in_a_row": 0, "lock": None, "baseline": 0},
            "position": {
                "stage": "NEUTRAL", "trade_id": None, "instrument": None, "open_units": 0, "average_price": None,
                "stop": None, "target": None, "index_stop": None, "index_target": None, "exit_reason": None,
            },
            "offer": None,
            "funds": None,
            "killed": None,
        }  # fmt: skip
        told = await shows(local, f"/sessions/{session['id']}", lambda one: one["trading"]["funds"] is not None)
        assert told["trading"]["funds"] == 500_000

    async def test_where_nothing_is_traded_there_are_none(self, local: httpx.AsyncClient) -> None:
        refused = await local.post("/sessions", json={"user_id": "asha", "config": {"trading": {"capital": 1}}})
        session = await begin(local)
        patched = await local.patch(f"/sessions/{session['id']}", json={"config": {"trading": {"capital": 1}}})

        for answer in (refused, patched):
            assert [one["field"] for one in problem(answer, 422, "invalid-request")["errors"]] == [
                "body.config.trading"
            ]
        assert (session["trading"], session["config"]["trading"]) == (None, None)

    @pytest.mark.parametrize(
        ("trading", "missing"),
        [
            (None, ["capital", "max_daily_loss"]),
            ({}, ["capital", "max_daily_loss"]),
            ({"capital": 300_000}, ["max_daily_loss"]),
            ({"max_daily_loss": 9_000}, ["capital"]),
        ],
    )
    async def test_real_money_has_no_silent_defaults(
        self, local: httpx.AsyncClient, trading: object, missing: list[str]
    ) -> None:
        config = {} if trading is None else {"trading": trading}

        answer = await local.post("/sessions", json={"user_id": "asha", "mode": "live", "config": config})

        fields = [one["field"] for one in problem(answer, 422, "invalid-request")["errors"]]
        assert fields == [f"body.config.trading.{name}" for name in missing]

    @pytest.mark.parametrize(
        ("trading", "place"),
        [
            ({"capital": 0}, ".capital"),
            ({"capital": -1}, ".capital"),
            ({"capital": 1e12}, ".capital"),
            ({"capital": 100.005}, ".capital"),
            ({"capital": "300000"}, ".capital"),
            ({"capital": True}, ".capital"),
            ({"max_daily_profit": 0.001}, ".max_daily_profit"),
            ({"risk_pct": 11}, ".risk_pct"),
            ({"max_trades_per_day": 0}, ".max_trades_per_day"),
            ({"max_trades_per_day": 2.5}, ".max_trades_per_day"),
            ({"square_off_minute": 926}, ".square_off_minute"),
            ({"protection_pct": 0}, ".protection_pct"),
            ({"blackout": [{"begins": 600}]}, ".blackout.0.ends"),
            ({"blackout": [{"begins": 600, "ends": 600}]}, ".blackout.0"),
            ({"capital": 1_000, "max_daily_loss": 1_000.01}, ""),
            ({"leverage": 5}, ".leverage"),
            ([], ""),
        ],
    )
    async def test_what_is_wrong_is_said_field_by_field(
        self, local: httpx.AsyncClient, trading: object, place: str
    ) -> None:
        body = {"user_id": "asha", "mode": "paper", "config": {"trading": trading}}

        answer = await local.post("/sessions", json=body)

        fields = [one["field"] for one in problem(answer, 422, "invalid-request")["errors"]]
        assert fields == [f"body.config.trading{place}"]

    async def test_a_change_tightens_at_once_and_loosens_tomorrow(self, local: httpx.AsyncClient) -> None:
        session = await begin(local, mode="paper", config={"trading": {"max_daily_loss": 5_000, "risk_pct": 1}})
        path = f"/sessions/{session['id']}"

        loose = await local.patch(path, json={"config": {"trading": {"max_daily_loss": 8_000, "risk_pct": 2}}})
        tight = await local.patch(path, json={"config": {"trading": {"max_daily_loss": 3_000.5}, "lock_minutes": 7}})

        assert (loose.json()["config"]["trading"]["max_daily_loss"], loose.json()["config"]["trading"]["risk_pct"]) == (
            5_000,
            2,
        )
        config = tight.json()["config"]
        assert (config["trading"]["max_daily_loss"], config["trading"]["risk_pct"]) == (3_000.5, 2)
        assert config["lock_minutes"] == 7
        events = [entry["event"] for entry in (await local.get(f"{path}/journal")).json()["items"]]
        assert (events.count("TradeRulesChanged"), events.count("ParametersChanged")) == (2, 1)

    async def test_a_change_that_contradicts_what_stays_changes_nothing(self, local: httpx.AsyncClient) -> None:
        session = await begin(local, mode="paper", config={"trading": LIMITS})
        path = f"/sessions/{session['id']}"

        answer = await local.patch(path, json={"config": {"trading": {"capital": 5_000}, "lock_minutes": 7}})

        [error] = problem(answer, 422, "invalid-request")["errors"]
        assert error["field"] == "body.config.trading"
        assert (await local.get(path)).json()["config"] == session["config"]


class TestGettingOut:
    async def test_a_session_with_a_position_is_not_stopped_by_accident(self) -> None:
        async with held() as at, at.service.client() as local:
            refused = await local.delete(at.path)

            assert str(at.units) in problem(refused, 409, "position-open")["detail"]
            session = (await local.get(at.path)).json()
            assert session["trading"]["position"]["stage"] == "IN_TRADE"
            assert session["trading"]["position"]["open_units"] == at.units

            stopping = await local.delete(at.path, params={"flatten": True})

            assert stopping.status_code == 202
            assert stopping.json()["status"] == "STOPPING"
            stopped = await shows(local, at.path, lambda one: one["status"] == "STOPPED")
            assert stopped["reason"] == "requested"
            assert stopped["trading"]["position"]["stage"] == "NEUTRAL"
            [sold] = at.service.venue.placed
            assert sold.quantity == at.units
            await eventually(lambda: not at.service.registry._running._runners)
            [trade] = (await local.get("/trades")).json()["items"]
            assert (trade["reason"], trade["quantity"]) == ("FLATTEN", at.units)
            assert trade["net"] == stopped["trading"]["tally"]["realised"]

    async def test_one_that_is_stopping_already_may_be_told_again(self) -> None:
        async with held() as at, at.service.client() as local:
            at.service.venue.fills = False
            for params in ({"flatten": True}, {"flatten": True}, {}):
                again = await local.delete(at.path, params=params)
                assert (again.status_code, again.json()["status"]) == (202, "STOPPING")

    async def test_what_is_held_can_be_taken_over(self) -> None:
        async with held() as at, at.service.client() as local:
            both = await local.delete(at.path, params={"flatten": True, "hand_over": True})
            fields = [error["field"] for error in problem(both, 422, "invalid-request")["errors"]]
            assert fields == ["query.flatten", "query.hand_over"]
            assert (await local.get(at.path)).json()["trading"]["position"]["stage"] == "IN_TRADE"

            answer = await local.delete(at.path, params={"hand_over": True})

            assert (answer.status_code, answer.json()["status"]) == (202, "STOPPING")
            at.service.venue.clock.move(2.0)  # no quote comes: it is valued at its stop
            stopped = await shows(local, at.path, lambda one: one["status"] == "STOPPED")
            assert stopped["reason"] == "handed_over"
            assert stopped["trading"]["position"]["stage"] == "NEUTRAL"
            assert at.service.venue.placed == [], "nothing is sold"
            await eventually(lambda: not at.service.registry._running._runners)
            [trade] = (await local.get("/trades")).json()["items"]
            assert (trade["reason"], trade["external_units"]) == ("HANDED_OVER", at.units)
            assert trade["net"] == stopped["trading"]["tally"]["realised"]

    async def test_nothing_held_is_handed_over_as_any_session_ends(self, local: httpx.AsyncClient) -> None:
        session = await begin(local)
        ended = await local.delete(f"/sessions/{session['id']}", params={"hand_over": True})
        assert (ended.status_code, ended.json()["reason"]) == (200, "requested")

    async def test_flattened_it_goes_on(self) -> None:
        async with held() as at, at.service.client() as local:
            key = {"Idempotency-Key": "once"}

            first = await local.post(f"{at.path}/flatten", headers=key)
            again = await local.post(f"{at.path}/flatten", headers=key)

            assert (first.status_code, again.status_code) == (202, 202)
            assert again.headers["idempotent-replayed"] == "true"
            flat = await shows(local, at.path, lambda one: one["trading"]["position"]["stage"] == "NEUTRAL")
            assert flat["status"] not in ("STOPPING", "STOPPED")
            assert (await local.post(f"{at.path}/flatten")).status_code == 200
            assert (await local.delete(at.path)).status_code == 200

    async def test_a_live_session_is_commanded_by_who_may_trade_live(self) -> None:
        async with held(mode=Mode.LIVE) as at:
            trades = await at.service.add_key("trades", Scope.TRADE, "asha")
            lives = await at.service.add_key("lives", Scope.LIVE, "asha")
            bela = await at.service.add_key("bela", Scope.LIVE, "bela")
            async with at.service.client(trades) as http, at.service.client(lives) as live:
                problem(await http.post(f"{at.path}/flatten"), 403, "forbidden")
                problem(await http.delete(at.path, params={"flatten": True}), 403, "forbidden")
                assert (await live.post(f"{at.path}/flatten")).status_code == 202
            async with at.service.client(bela) as other:
                problem(await other.post(f"{at.path}/flatten"), 404, "session-not-found")
                token = {"access_token": "good-token"}
                body = {**token, "mode": "live", "config": {"trading": LIMITS}}
                problem(await other.post("/sessions", json=body), 409, "account-in-use")

    async def test_where_nothing_is_traded_there_is_nothing_to_get_out_of(self, local: httpx.AsyncClient) -> None:
        session = await begin(local)

        assert (await local.post(f"/sessions/{session['id']}/flatten")).status_code == 200
        assert (await local.delete(f"/sessions/{session['id']}", params={"flatten": True})).status_code == 200

    async def test_a_token_of_another_account_is_refused(self) -> None:
        async with held() as at, at.service.client() as local:
            answer = await local.post(f"{at.path}/token", json={"access_token": "other-token"})

            assert "XY9876" in problem(answer, 409, "other-account")["detail"]
            assert (await local.post(f"{at.path}/token", json={"access_token": "good-new"})).status_code == 200


class TestTheDay:
    """Stopping and starting again does not begin the day anew."""

    async def earlier(self, user_id: str = "asha", mode: Mode = Mode.PAPER) -> tuple[MemoryStores, dict[str, Any]]:
        """Return stores with a session that the breaker has locked, and its account of the day."""
        stores = MemoryStores()
        await recorded("earliersession00", user_id, mode=mode).keep(stores)
        async with trading_service(stores=stores) as running, running.client() as client:
            session = (await client.get("/sessions/earliersession00")).json()
        tally: dict[str, Any] = session["trading"]["tally"]
        assert tally["lock"] == "MAX_DAILY_LOSS"
        return stores, tally

    async def test_a_new_session_is_locked_until_a_person_says_otherwise(self) -> None:
        stores, tally = await self.earlier()
        async with trading_service(stores=stores, venue=on_the_recorded_day()) as running, running.client() as local:
            session = await begin(local, mode="paper", config={"trading": {"max_daily_loss": 200_000}})
            path = f"/sessions/{session['id']}"

            assert session["day"] == "2026-11-20"
            assert session["trading"]["tally"] == tally
            assert session["config"]["trading"]["max_daily_loss"] == 100_000, "looser counts from tomorrow"
            told = await shows(local, path, lambda one: one["halted"] is not None)
            assert "MAX_DAILY_LOSS" in told["halted"]
            resumed = (await local.post(f"{path}/resume")).json()
            assert (resumed["halted"], resumed["trading"]["tally"]["lock"]) == (None, None)
            assert resumed["trading"]["tally"]["realised"] == tally["realised"]

    async def test_the_account_carries_it_whoever_trades_there(self) -> None:
        stores, tally = await self.earlier()
        async with trading_service(stores=stores, venue=on_the_recorded_day()) as running, running.client() as local:
            session = await begin(local, user_id="bela", mode="paper")

            assert session["trading"]["tally"] == tally

    @pytest.mark.parametrize(("mode", "day"), [("live", "the same"), ("paper", "another")])
    async def test_another_mode_and_another_day_begin_anew(self, mode: str, day: str) -> None:
        stores, _ = await self.earlier()
        venue = on_the_recorded_day() if day == "the same" else None
        async with trading_service(stores=stores, venue=venue) as running, running.client() as local:
            session = await begin(local, mode=mode, config={"trading": LIMITS})

            assert session["trading"]["tally"]["lock"] is None
            assert session["halted"] is None

    async def test_a_loss_that_cannot_be_read_is_not_taken_for_none(self, monkeypatch: pytest.MonkeyPatch) -> None:
        stores, _ = await self.earlier()
        entries = list(await stores.journal.read("earliersession00"))
        del stores.journal._kept["earliersession00"][len(entries) // 2]
        async with trading_service(stores=stores, venue=on_the_recorded_day()) as running, running.client() as local:
            session = await begin(local, mode="paper")

            assert session["trading"]["tally"]["lock"] == "EARLIER_SESSION_UNREADABLE"

    async def test_a_position_that_was_left_behind_halts(self) -> None:
        day, state = recorded("earliersession00", "asha", mode=Mode.PAPER).cut(
            lambda state: bool(state.trading and state.trading.trade and state.trading.trade.open_units)
        )
        assert state.trading is not None
        assert state.trading.trade is not None
        stores = MemoryStores()
        await day.keep(stores)
        async with trading_service(stores=stores, venue=on_the_recorded_day()) as running, running.client() as local:
            session = await begin(local, mode="paper")

            told = await shows(local, f"/sessions/{session['id']}", lambda one: one["halted"] is not None)
            assert f"{state.trading.trade.open_units} units" in told["halted"]


async def test_a_mode_needs_its_scope(service: Service) -> None:
    trades = await service.add_key("trades", Scope.TRADE, "asha")
    async with service.client(trades) as http:
        answer = await http.post("/sessions", json={"mode": "live", "config": {"trading": LIMITS}})
        problem(answer, 403, "forbidden")
        assert (await http.post("/sessions", json={"mode": "paper"})).status_code == 201


async def test_a_live_session_begins_at_an_account_that_is_known(service: Service) -> None:
    service.venue.is_down = True
    given: dict[str, Any] = {"user_id": "asha", "token": AccessToken("good-token"), "parameters": Parameters()}

    with pytest.raises(BrokerUnavailable):
        await service.registry.create(mode=Mode.LIVE, **given)

    assert (await service.registry.create(mode=Mode.PAPER, **given)).row.account is None


async def test_real_money_asks_who_it_is() -> None:
    body = {"user_id": "asha", "access_token": "good-token", "mode": "live", "config": {"trading": LIMITS}}
    async with trading_service(risks_money=True) as running:
        async with running.client() as local:
            problem(await local.post("/sessions", json=body), 403, "forbidden")
        lives = await running.add_key("lives", Scope.LIVE, "asha")
        async with running.client(lives) as http:
            assert (await http.post("/sessions", json=body)).status_code == 201
