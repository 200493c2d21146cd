"""Entries that wait for a person: looked at, approved, rejected, and everything that can be wrong about it."""

import asyncio
from datetime import timedelta
from typing import Any

import httpx
import pytest

from algoexec.engine.events import EntryDeclined, Mode
from algoexec.ports.stores import Scope
from tests.api.test_lists import every_page
from tests.api.test_sessions import begin, problem
from tests.api.trading import Asking, asking, eventually, has_quotes, held, shows, trading_service


async def rows(client: httpx.AsyncClient, at: Asking) -> list[dict[str, Any]]:
    """Return what stands under the order's id in the list."""
    return [one for one in await every_page(client, "/orders") if one["id"] == at.offered.id]


async def becomes(client: httpx.AsyncClient, at: Asking, phase: str) -> dict[str, Any]:
    """Return the order once it is in that phase."""
    return await shows(client, at.path, lambda one: one.get("phase") == phase)


async def test_it_is_shown_where_a_person_looks() -> None:
    async with asking() as at, at.service.client() as local:
        session = (await local.get(f"/sessions/{at.session_id}")).json()
        listed = await becomes(local, at, "AWAITING_APPROVAL")

        offer = session["trading"]["offer"]
        assert offer == {name: listed[name] for name in offer}
        assert (offer["id"], offer["trade_id"]) == (at.offered.id, at.offered.trade_id)
        assert (offer["instrument"], offer["side"], offer["purpose"]) == (at.offered.instrument, "BUY", "ENTRY")
        assert (offer["quantity"], offer["limit"], offer["risk"]) == (
            at.offered.quantity, at.offered.limit, at.offered.risk / 100,
        )  # fmt: skip
        assert offer["signal_id"] in {one["id"] for one in await every_page(local, "/signals")}
        assert offer["expires_at"] == at.offered.expires_at.isoformat().replace("+00:00", "Z")
        assert session["trading"]["position"]["stage"] == "NEUTRAL"
        assert session["config"]["trading"]["approval"] == "manual"
        [row] = await rows(local, at)
        assert [step["phase"] for step in row["history"]] == ["AWAITING_APPROVAL"]
        assert row in await every_page(local, "/orders", refused=False)


async def test_approved_it_is_bought_at_the_next_quote_under_the_same_id() -> None:
    async with asking() as at, at.service.client() as local:
        answer = await local.post(f"{at.path}/approve")

        assert answer.status_code == 202, answer.text
        assert (answer.json()["phase"], answer.json()["approved_by"]) == ("APPROVED", "local")
        assert at.service.venue.placed == []
        at.quote()
        await becomes(local, at, "FILLED")
        assert [ticket.id for ticket in at.service.venue.placed] == [at.offered.id]
        [row] = await rows(local, at)
        phases = [step["phase"] for step in row["history"]]
        assert phases[:3] == ["AWAITING_APPROVAL", "APPROVED", "SENDING"]
        session = (await local.get(f"/sessions/{at.session_id}")).json()
        assert session["trading"]["offer"] is None
        assert session["trading"]["position"]["trade_id"] == at.offered.trade_id


async def test_approved_it_is_refused_if_the_price_does_not_allow_it_any_more() -> None:
    async with asking() as at, at.service.client() as local:
        await local.post(f"{at.path}/approve")
        at.quote(ask=99_000.0)

        refused = await becomes(local, at, "REFUSED")

        assert refused["reason"] == "RISK_TOO_SMALL"
        assert at.service.venue.placed == []
        [row] = await rows(local, at)
        assert row in await every_page(local, "/orders", refused=True)


async def test_rejected_it_is_dropped_in_the_callers_name() -> None:
    async with asking() as at:
        hers = await at.service.add_key("hers", Scope.TRADE, "asha")
        async with at.service.client(hers) as asha:
            caller = (await asha.post(f"/sessions/{at.session_id}/halt", json={"reason": "x"})).json()["halted"]
    async with asking() as at:
        hers = await at.service.add_key("hers", Scope.TRADE, "asha")
        async with at.service.client(hers) as asha:
            answer = await asha.post(f"{at.path}/reject")

            assert answer.status_code == 200, answer.text
            assert (answer.json()["phase"], answer.json()["reason"]) == ("REFUSED", "DECLINED")
            journal = await at.service.stores.journal.read(at.session_id)
            [declined] = [one.record.event for one in journal if isinstance(one.record.event, EntryDeclined)]
            assert declined.order_id == at.offered.id
            assert declined.by in caller
            assert declined.by in answer.json()["message"]
            at.quote()
            await becomes(asha, at, "REFUSED")
            [row] = await rows(asha, at)
            assert [step["phase"] for step in row["history"]] == ["AWAITING_APPROVAL", "REFUSED"]
            assert at.service.venue.placed == []


async def test_others_do_not_learn_of_it() -> None:
    async with asking() as at:
        bela = await at.service.add_key("bela", Scope.TRADE, "bela")
        reads = await at.service.add_key("reads", Scope.READ, "asha")
        async with at.service.client() as anonymous:
            for path in (at.path, f"{at.path}/approve", f"{at.path}/reject"):
                method = "GET" if path == at.path else "POST"
                problem(await anonymous.request(method, path), 401, "unauthenticated")
        async with at.service.client(bela) as other, at.service.client(reads) as reader:
            problem(await other.get(at.path), 404, "order-not-found")
            for word in ("approve", "reject"):
                problem(await other.post(f"{at.path}/{word}"), 404, "order-not-found")
                problem(await reader.post(f"{at.path}/{word}"), 403, "forbidden")
            await becomes(reader, at, "AWAITING_APPROVAL")


async def test_real_money_is_approved_by_who_may_trade_live() -> None:
    async with asking(mode=Mode.LIVE) as at:
        trades = await at.service.add_key("trades", Scope.TRADE, "asha")
        lives = await at.service.add_key("lives", Scope.LIVE, "asha")
        async with at.service.client(trades) as http, at.service.client(lives) as live:
            problem(await http.post(f"{at.path}/approve"), 403, "forbidden")
            problem(await http.post(f"{at.path}/reject"), 403, "forbidden")
            assert (await live.post(f"{at.path}/approve")).status_code == 202


@pytest.mark.parametrize("word", ["approve", "reject"])
async def test_what_does_not_exist_is_not_found(word: str) -> None:
    async with asking() as at, at.service.client() as local:
        for name in ("nothing", f"{at.session_id}-zz-0", f"{at.offered.id}-0", "-", "a" * 64):
            problem(await local.post(f"/orders/{name}/{word}"), 404, "order-not-found")
            problem(await local.get(f"/orders/{name}"), 404, "order-not-found")
        problem(await local.post(f"/orders/{'a' * 65}/{word}"), 422, "invalid-request")


@pytest.mark.parametrize("first", ["approve", "reject"])
@pytest.mark.parametrize("then", ["approve", "reject"])
async def test_it_is_decided_once(first: str, then: str) -> None:
    async with asking() as at, at.service.client() as local:
        assert (await local.post(f"{at.path}/{first}")).is_success

        again = await local.post(f"{at.path}/{then}")

        stands = {"approve": "APPROVED", "reject": "REFUSED DECLINED"}[first]
        assert problem(again, 409, "order-not-waiting")["detail"] == stands


async def test_of_many_who_decide_at_once_one_does() -> None:
    async with asking() as at, at.service.client() as local:
        words = ["approve", "reject"] * 4

        answers = await asyncio.gather(*(local.post(f"{at.path}/{word}") for word in words))

        assert sorted(answer.status_code for answer in answers)[0] in (200, 202)
        assert [answer.status_code for answer in answers].count(409) == len(words) - 1
        at.quote()
        decided = next(word for word, answer in zip(words, answers, strict=True) if answer.is_success)
        await becomes(local, at, "FILLED" if decided == "approve" else "REFUSED")
        assert len(at.service.venue.placed) == (decided == "approve")


@pytest.mark.parametrize("word", ["approve", "reject"])
async def test_what_has_expired_waits_no_more(word: str) -> None:
    async with asking() as at, at.service.client() as local:
        # Nobody has noticed yet: the clock of this venue wakes nobody.
        at.service.venue.clock.at = at.offered.expires_at

        late = await local.post(f"{at.path}/{word}")
        later = await local.post(f"{at.path}/{word}")

        assert "NOT_APPROVED" in problem(late, 409, "order-not-waiting")["detail"]
        assert problem(later, 409, "order-not-waiting")["detail"] == "REFUSED NOT_APPROVED"
        at.quote()
        assert at.service.venue.placed == []


@pytest.mark.parametrize(
    ("what", "why"),
    [
        (("POST", "/sessions/{id}/halt"), "HALTED"),
        (("POST", "/sessions/{id}/flatten"), "HALTED"),
        (("DELETE", "/sessions/{id}"), "STOPPING"),
        (("POST", "/kill-switch?user_id=asha"), "KILL_SWITCH"),
    ],
)
async def test_whoever_stops_trading_drops_it(what: tuple[str, str], why: str) -> None:
    method, path = what
    async with asking() as at, at.service.client() as local:
        answer = await local.request(method, path.format(id=at.session_id))

        assert answer.is_success, answer.text
        refused = await becomes(local, at, "REFUSED")
        assert refused["reason"] == why
        late = await local.post(f"{at.path}/approve")
        assert why in problem(late, 409, "order-not-waiting")["detail"]


async def test_the_same_key_decides_once_and_is_answered_again() -> None:
    async with asking() as at, at.service.client() as local:
        key = {"Idempotency-Key": "once"}

        first = await local.post(f"{at.path}/approve", headers=key)
        at.quote()
        await becomes(local, at, "FILLED")
        again = await local.post(f"{at.path}/approve", headers=key)

        assert (first.status_code, again.status_code) == (202, 202)
        assert again.json() == first.json()
        assert again.headers["idempotent-replayed"] == "true"
        assert len(at.service.venue.placed) == 1


async def test_an_order_that_never_waited_cannot_be_decided() -> None:
    async with held() as at, at.service.client() as local:
        await eventually(lambda: bool(at.service.stores.projections._orders))
        [entry, *_] = [one for one in await every_page(local, "/orders", refused=False) if one["purpose"] == "ENTRY"]

        for word in ("approve", "reject"):
            answer = await local.post(f"/orders/{entry['id']}/{word}")
            assert problem(answer, 409, "order-not-waiting")["detail"] == "FILLED"


async def test_it_waits_through_a_restart() -> None:
    async with asking() as at:
        pass
    async with trading_service(stores=at.service.stores, venue=at.service.venue) as service, service.client() as local:
        at.service = service
        await eventually(lambda: has_quotes(service, at.session_id))
        assert (await local.post(f"{at.path}/approve")).status_code == 202
        at.quote()
        await becomes(local, at, "FILLED")
    assert [ticket.id for ticket in service.venue.placed] == [at.offered.id]


async def test_who_has_the_last_word_may_be_changed() -> None:
    async with trading_service() as service, service.client() as local:
        session = await begin(local, mode="paper")
        assert session["config"]["trading"]["approval"] == "automatic"
        path = f"/sessions/{session['id']}"

        changed = await local.patch(path, json={"config": {"trading": {"approval": "manual"}}})
        wrong = await local.patch(path, json={"config": {"trading": {"approval": "never"}}})

        assert changed.json()["config"]["trading"]["approval"] == "manual"
        [error] = problem(wrong, 422, "invalid-request")["errors"]
        assert error["field"] == "body.config.trading.approval"
        assert (await local.get(path)).json()["config"]["trading"]["approval"] == "manual"


async def test_time_goes_on_while_it_waits() -> None:
    async with asking() as at, at.service.client() as local:
        at.service.venue.clock.at = at.offered.expires_at - timedelta(seconds=1)

        assert (await local.post(f"{at.path}/approve")).status_code == 202
        at.service.venue.clock.at = at.offered.expires_at
        at.quote()

        refused = await becomes(local, at, "REFUSED")
        assert refused["reason"] == "EXPIRED"
        assert at.service.venue.placed == []
