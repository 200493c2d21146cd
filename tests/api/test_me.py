"""What the service says of its caller."""

import httpx
import pytest

from algoexec.engine.events import Mode
from algoexec.ports.stores import Scope
from tests.api.conftest import Callers
from tests.api.support import running_service
from tests.api.test_sessions import problem


async def test_a_user_is_told_who_it_is_and_what_it_may_begin(callers: Callers) -> None:
    me = (await callers.asha.get("/me")).json()

    assert (me["user_id"], me["scope"], me["modes"]) == ("asha", "trade", ["signals"])
    assert (await callers.backend.get("/me")).json()["user_id"] is None


@pytest.mark.parametrize(
    ("scope", "modes"),
    [(Scope.READ, []), (Scope.TRADE, ["signals", "paper"]), (Scope.LIVE, ["signals", "paper", "live"])],
)
async def test_what_may_be_begun_follows_from_the_scope(scope: Scope, modes: list[str]) -> None:
    async with (
        running_service(modes=frozenset(Mode)) as service,
        service.client(await service.add_key("asha", scope, "asha")) as client,
    ):
        assert (await client.get("/me")).json()["modes"] == modes


@pytest.mark.parametrize("risks_money", [True, False])
async def test_without_a_credential_live_is_offered_only_where_it_costs_nothing(risks_money: bool) -> None:
    async with running_service(risks_money=risks_money, modes=frozenset(Mode)) as service, service.client() as client:
        me = (await client.get("/me")).json()
        begun = await client.post("/sessions", json={"user_id": "asha", "mode": "live", "access_token": "good-token"})

    assert me["real_money"] is risks_money
    assert ("live" in me["modes"]) is not risks_money
    if risks_money:
        problem(begun, 403, "forbidden")
    else:
        problem(begun, 422, "invalid-request")  # capital is missing: it got past the question who asks


async def test_a_foreign_page_is_told_nothing(local: httpx.AsyncClient) -> None:
    problem(await local.get("/me", headers={"Origin": "https://elsewhere.example"}), 403, "origin-not-allowed")
