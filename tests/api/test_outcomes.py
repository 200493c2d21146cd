"""What became of listed signals, and of days."""

from collections import Counter
from datetime import date, datetime, timedelta
from typing import Any

import httpx
import pytest

from algoexec.engine.events import Mode
from tests.api.conftest import Callers
from tests.api.recorded import DAY, VENUE, Recorded, recorded
from tests.api.support import Service
from tests.api.test_lists import every_page
from tests.api.test_sessions import problem

WATCHED = recorded("ashasession00000", "asha")
TRADED = recorded("belasession00000", "bela", seed=2, mode=Mode.PAPER)


async def keep(service: Service, *days: Recorded) -> None:
    for one in days or (WATCHED, TRADED):
        await one.keep(service.stores)


async def by_id(client: httpx.AsyncClient, path: str, **given: Any) -> dict[str, dict[str, Any]]:
    return {one["id"]: one for one in await every_page(client, path, **given)}


def second_reading(signal: dict[str, Any], closed: dict[datetime, dict[str, Any]]) -> dict[str, Any]:
    """Return what the index did, read off the streamed candles minute by minute."""
    at = datetime.fromisoformat(signal["at"])
    is_call = signal["side"] == "BUY_CALL"
    end = min(at + timedelta(minutes=20), DAY.opens_at + timedelta(hours=6))
    last = None
    while at < end:
        at += timedelta(minutes=1)
        last = closed[at]
        is_stopped = last["low"] <= signal["stop_loss"] if is_call else last["high"] >= signal["stop_loss"]
        is_right = last["high"] >= signal["target"] if is_call else last["low"] <= signal["target"]
        if is_stopped or is_right:
            level = signal["stop_loss"] if is_stopped else signal["target"]
            points = -abs(level - signal["price"]) if is_stopped else abs(level - signal["price"])
            return {"reached": "STOP" if is_stopped else "TARGET", "points": round(points, 2), "at": at}
    assert last is not None
    moved = last["close"] - signal["price"]
    return {"reached": "NEITHER", "points": round(moved if is_call else -moved, 2), "at": at}


def closed_of(day: Recorded) -> dict[datetime, dict[str, Any]]:
    found = {}
    for frame in day.frames_of("candle"):
        candle: Any = frame.body
        found[candle.closed_at] = {"high": candle.high, "low": candle.low, "close": candle.close}
    return found


async def test_in_mode_signals_the_outcome_is_what_the_index_did(callers: Callers) -> None:
    await keep(callers.service, WATCHED)

    listed = await every_page(callers.asha, "/signals")

    closed = closed_of(WATCHED)
    for one in listed:
        outcome = one["outcome"]
        assert (outcome["fate"], outcome["reason"], outcome["trade_id"]) == ("NOT_TRADED", None, None)
        told = {**outcome["index"], "at": datetime.fromisoformat(outcome["index"]["at"])}
        assert told == second_reading(one, closed), one["id"]
    assert len({one["outcome"]["index"]["reached"] for one in listed}) > 1, "the day shows too little"


async def test_every_signal_of_a_day_on_paper_says_what_became_of_it(callers: Callers) -> None:
    await keep(callers.service, TRADED)

    signals = await by_id(callers.bela, "/signals")

    trades = {one["signal_id"]: one for one in await every_page(callers.bela, "/trades")}
    refused = {one["signal_id"]: one for one in await every_page(callers.bela, "/orders", refused=True)}
    assert signals.keys() == trades.keys() | refused.keys()
    assert not trades.keys() & refused.keys()
    closed = closed_of(TRADED)
    for id_, signal in signals.items():
        outcome = signal["outcome"]
        assert datetime.fromisoformat(outcome["index"]["at"]) == second_reading(signal, closed)["at"]
        if id_ in trades:
            trade = trades[id_]
            assert (outcome["fate"], outcome["reason"]) == ("TRADED", trade["reason"])
            assert (outcome["trade_id"], outcome["net"], outcome["r"]) == (trade["id"], trade["net"], trade["r"])
        else:
            assert (outcome["fate"], outcome["reason"]) == ("REFUSED", refused[id_]["reason"])
            assert outcome["net"] is outcome["r"] is outcome["trade_id"] is None


async def test_while_a_session_goes_on_what_is_not_known_is_null(callers: Callers) -> None:
    half, _ = WATCHED.cut(lambda state: state.frames >= WATCHED.frames_of("signal")[8].number)
    stores = callers.service.stores
    await stores.sessions.create(half.row)
    await stores.projections.project(VENUE, half.entries[0].record.event.underlying, "asha", half.entries)  # type: ignore[union-attr]

    newest, *older = await every_page(callers.asha, "/signals")

    assert newest["outcome"] is None
    assert older[-1]["outcome"]["fate"] == "NOT_TRADED"


async def test_a_rejection_has_no_outcome(callers: Callers) -> None:
    await keep(callers.service, WATCHED)

    assert all("outcome" not in one for one in await every_page(callers.asha, "/rejections"))


async def test_an_order_is_looked_at_by_its_id(callers: Callers) -> None:
    await keep(callers.service)
    listed = await by_id(callers.bela, "/orders")
    refused = next(one for one in listed.values() if one["phase"] == "REFUSED")
    filled = next(one for one in listed.values() if one["phase"] == "FILLED")

    for one in (refused, filled):
        assert (await callers.bela.get(f"/orders/{one['id']}")).json() == one
        problem(await callers.asha.get(f"/orders/{one['id']}"), 404, "order-not-found")
    problem(await callers.bela.get("/orders/nobodys-1-0"), 404, "order-not-found")
    problem(await callers.bela.get("/orders/NOT%20ONE"), 422, "invalid-request")
    [fill] = filled["fills"]
    assert (fill["quantity"], fill["price"]) == (filled["filled"], filled["average_price"])
    assert refused["fills"] == []


class TestDays:
    async def test_another_users_days_are_not_there(self, callers: Callers) -> None:
        await keep(callers.service)

        assert {one["user_id"] for one in await every_page(callers.asha, "/days")} == {"asha"}
        assert await every_page(callers.asha, "/days", session_id=TRADED.row.id) == []
        problem(await callers.asha.get("/days", params={"user_id": "bela"}), 403, "forbidden")
        assert {one["user_id"] for one in await every_page(callers.backend, "/days")} == {"asha", "bela"}
        assert {one["user_id"] for one in await every_page(callers.backend, "/days", user_id="bela")} == {"bela"}

    async def test_a_day_adds_up_to_what_the_lists_hold(self, callers: Callers) -> None:
        await keep(callers.service)

        [day] = await every_page(callers.bela, "/days")

        assert (day["venue"], day["mode"], day["day"]) == (VENUE, "paper", DAY.date.isoformat())
        assert day["sessions"] == [TRADED.row.id]
        trades = await every_page(callers.bela, "/trades")
        paise = [round(one["net"] * 100) for one in trades]
        assert day["trades"] == len(trades) > 5
        assert (day["wins"], day["losses"]) == (sum(net > 0 for net in paise), sum(net < 0 for net in paise))
        for name in ("gross", "charges", "net"):
            assert round(day[name] * 100) == sum(round(one[name] * 100) for one in trades)
        assert day["best_trade"]["net"] == max(one["net"] for one in trades)
        assert day["worst_trade"]["net"] == min(one["net"] for one in trades)
        assert day["r"] == pytest.approx(sum(one["r"] for one in trades))
        assert day["signals"] == len(await every_page(callers.bela, "/signals"))
        reasons = Counter(one["reason"] for one in await every_page(callers.bela, "/rejections"))
        assert day["rejections"] == reasons
        refusals = Counter(one["reason"] for one in await every_page(callers.bela, "/orders", refused=True))
        assert day["refusals"] == refusals
        session = (await callers.bela.get(f"/sessions/{TRADED.row.id}")).json()
        assert round(day["net"] * 100) == round(session["trading"]["tally"]["realised"] * 100)
        assert day["locks"] == [session["trading"]["tally"]["lock"]]

    async def test_a_day_in_mode_signals_has_no_trades(self, callers: Callers) -> None:
        await keep(callers.service)

        [day] = await every_page(callers.asha, "/days", mode="signals")

        assert (day["trades"], day["net"], day["best_trade"], day["locks"]) == (0, 0.0, None, [])
        assert day["signals"] > 5
        assert await every_page(callers.asha, "/days", mode="live") == []

    @pytest.mark.parametrize(
        ("since", "until", "is_there"),
        [
            (DAY.date, None, True),
            (DAY.date + timedelta(days=1), None, False),
            (None, DAY.date, False),
            (None, DAY.date + timedelta(days=1), True),
        ],
    )
    async def test_days_are_cut_by_date(
        self, callers: Callers, since: date | None, until: date | None, *, is_there: bool
    ) -> None:
        await keep(callers.service)
        given = {name: day.isoformat() for name, day in (("since", since), ("until", until)) if day is not None}

        assert bool(await every_page(callers.asha, "/days", **given)) is is_there

    @pytest.mark.parametrize("day", ["0001-01-01", "2026-13-01", "yesterday"])
    async def test_what_is_no_day_is_refused(self, callers: Callers, day: str) -> None:
        problem(await callers.asha.get("/days", params={"since": day}), 422, "invalid-request")

    async def test_an_empty_service_has_no_days(self, local: httpx.AsyncClient) -> None:
        assert (await local.get("/days")).json() == {"items": [], "cursor": None}
