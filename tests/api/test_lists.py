"""Signals, rejections, put-call ratios, candles and chains of a stored day."""

from datetime import timedelta
from typing import Any

import httpx
import orjson
import pytest

from algoexec.runtime.wire import encode
from tests.api.conftest import Callers
from tests.api.recorded import DAY, recorded
from tests.api.support import Service
from tests.api.test_sessions import begin, problem

HERS = recorded("ashasession00000", "asha")
MINUTES = 360
"""Of continuous trading, in late 2026."""
THEIRS = recorded("belasession00000", "bela", seed=2)


async def keep(service: Service) -> None:
    for one in (HERS, THEIRS):
        await one.keep(service.stores)


async def every_page(client: httpx.AsyncClient, path: str, **given: Any) -> list[dict[str, Any]]:
    items: list[dict[str, Any]] = []
    cursor: str | None = None
    while True:
        params = {"limit": 7, **given, **({"cursor": cursor} if cursor else {})}
        page = (await client.get(path, params=params)).json()
        items += page["items"]
        if (cursor := page["cursor"]) is None:
            return items


@pytest.mark.parametrize(("path", "kind"), [("/signals", "signal"), ("/rejections", "rejection")])
async def test_what_is_listed_is_what_was_streamed(callers: Callers, path: str, kind: str) -> None:
    await keep(callers.service)

    listed = await every_page(callers.asha, path)

    for one in listed:
        # What became of a signal is not known yet when it is streamed: test_outcomes.py.
        one.pop("outcome", None)
    streamed = [orjson.loads(encode(HERS.row.id, frame).head + "}")["data"] for frame in HERS.frames_of(kind)]
    assert len(streamed) > 5
    own = {"session_id": HERS.row.id, "user_id": "asha"}
    assert sorted(listed, key=_place) == sorted(({**one, **own} for one in streamed), key=_place)
    assert [one["at"] for one in listed] == sorted((one["at"] for one in listed), reverse=True)


def _place(one: dict[str, Any]) -> tuple[str, str]:
    return one["at"], one["id"]


async def test_another_users_signals_are_not_there(callers: Callers) -> None:
    await keep(callers.service)

    assert {one["user_id"] for one in await every_page(callers.bela, "/signals")} == {"bela"}
    assert await every_page(callers.bela, "/signals", session_id=HERS.row.id) == []
    assert {one["user_id"] for one in await every_page(callers.backend, "/signals")} == {"asha", "bela"}
    only_hers = await every_page(callers.backend, "/signals", session_id=HERS.row.id)
    assert {one["user_id"] for one in only_hers} == {"asha"}


async def test_lists_are_cut_by_time(callers: Callers) -> None:
    await keep(callers.service)
    since, until = DAY.opens_at + timedelta(hours=2), DAY.opens_at + timedelta(hours=3)

    everything = await every_page(callers.asha, "/rejections")
    cut = await every_page(callers.asha, "/rejections", since=since.isoformat(), until=until.isoformat())

    inside = [one for one in everything if since.isoformat()[:19] <= one["at"][:19] < until.isoformat()[:19]]
    assert cut == inside != []


@pytest.mark.parametrize("path", ["/signals", "/rejections", "/pcr", "/orders", "/trades", "/days"])
@pytest.mark.parametrize(
    "given",
    [
        {"limit": 0},
        {"limit": 1001},
        {"limit": "x"},
        {"since": "now"},
        {"session_id": "?"},
        {"since": "0001-01-01T00:00:00+14:00"},
        {"until": "9999-12-31T23:59:59-14:00"},
    ],
)
async def test_a_filter_that_means_nothing_is_a_problem(
    local: httpx.AsyncClient, path: str, given: dict[str, Any]
) -> None:
    problem(await local.get(path, params=given), 422, "invalid-request")


async def test_put_call_ratios_are_listed(callers: Callers) -> None:
    await keep(callers.service)

    here = await every_page(callers.asha, "/pcr", limit=100)
    of_session = await every_page(callers.asha, "/pcr", session_id=HERS.row.id, limit=100)

    assert here == of_session
    assert len(here) == 125
    assert any(one["pcr"] is None for one in here)
    problem(await callers.bela.get("/pcr", params={"session_id": HERS.row.id}), 404, "session-not-found")


async def test_candles_of_a_stored_session_come_with_indicators(callers: Callers) -> None:
    await keep(callers.service)

    answer = await callers.asha.get(f"/sessions/{HERS.row.id}/candles", params={"ta": "ema:9,vwap,macd"})

    body = answer.json()
    assert len(body["candles"]) == MINUTES
    assert set(body["ta"]) == {"ema:9", "vwap", "macd"}
    assert set(body["ta"]["macd"]) == {"macd", "signal", "histogram"}
    assert body["ta"]["ema:9"]["ema"][:8] == [None] * 8
    assert body["ta"]["ema:9"]["ema"][8] == pytest.approx(sum(one["close"] for one in body["candles"][:9]) / 9)
    assert all(len(line) == MINUTES for lines in body["ta"].values() for line in lines.values())


async def test_candles_since_a_time_have_the_whole_days_indicators(callers: Callers) -> None:
    await keep(callers.service)
    path = f"/sessions/{HERS.row.id}/candles"
    whole = (await callers.asha.get(path, params={"ta": "ema:9,vwap"})).json()
    since = whole["candles"][-3]["start"]

    tail = (await callers.asha.get(path, params={"ta": "ema:9,vwap", "since": since})).json()
    nothing = (await callers.asha.get(path, params={"ta": "vwap", "since": "2036-01-01T00:00:00Z"})).json()

    assert tail["candles"] == whole["candles"][-3:]
    assert tail["ta"]["ema:9"]["ema"] == whole["ta"]["ema:9"]["ema"][-3:]
    assert tail["ta"]["vwap"]["vwap"] == whole["ta"]["vwap"]["vwap"][-3:]
    assert (nothing["candles"], nothing["ta"]["vwap"]["vwap"]) == ([], [])
    problem(await callers.asha.get(path, params={"since": "2026-10-14T09:15:00"}), 422, "invalid-request")


async def test_the_days_options_are_named(callers: Callers) -> None:
    await keep(callers.service)

    options = (await callers.asha.get(f"/sessions/{HERS.row.id}/options")).json()["options"]
    signal = (await callers.asha.get("/signals", params={"limit": 1})).json()["items"][0]

    (chosen,) = [one for one in options if one["instrument"] == signal["instrument"]]
    assert chosen["type"] == {"BUY_CALL": "CALL", "BUY_PUT": "PUT"}[signal["side"]]
    assert abs(chosen["strike"] - signal["price"]) <= 100
    assert [(one["strike"], one["type"]) for one in options] == sorted((one["strike"], one["type"]) for one in options)


async def test_a_stored_session_tells_how_it_ended(callers: Callers) -> None:
    await keep(callers.service)

    session = (await callers.asha.get(f"/sessions/{HERS.row.id}")).json()
    after = len(HERS.entries) - 7
    journal = (await callers.asha.get(f"/sessions/{HERS.row.id}/journal", params={"after": after})).json()

    assert (session["status"], session["reason"]) == ("STOPPED", "requested")
    assert journal["items"][-1]["event"] == "StopRequested"
    assert journal["items"][0]["seq"] == after + 1


async def test_a_session_that_does_not_run_has_no_chain(callers: Callers) -> None:
    await keep(callers.service)

    problem(await callers.asha.get("/option-chain", params={"session_id": HERS.row.id}), 404, "chain-not-polled")


async def test_the_chain_of_a_running_session_is_shown(local: httpx.AsyncClient) -> None:
    session = await begin(local)
    answer = await local.get("/option-chain", params={"session_id": session["id"]})
    while answer.status_code == 404:
        answer = await local.get("/option-chain", params={"session_id": session["id"]})

    chain = answer.json()
    assert chain["pcr"] == 0.93
    assert [one["type"] for one in chain["quotes"]] == ["CALL", "PUT"]


async def test_a_database_that_is_away_is_said_so(callers: Callers) -> None:
    callers.service.stores.is_available = False
    for path in ("/signals", "/rejections", "/pcr", "/orders", "/orders/x", "/trades", "/days", "/kill-switch"):
        problem(await callers.asha.get(path), 503, "database-unavailable")
    callers.service.stores.is_available = True
