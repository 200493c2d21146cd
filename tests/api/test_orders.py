"""Orders and trades of a day on paper, as they are listed."""

from collections import defaultdict
from datetime import timedelta
from typing import Any

import httpx
import orjson
import pytest

from algoexec.engine.events import Mode
from algoexec.runtime.wire import encode
from tests.api.conftest import Callers
from tests.api.recorded import DAY, Recorded, recorded
from tests.api.support import Service
from tests.api.test_lists import every_page

HERS = recorded("ashasession00000", "asha", mode=Mode.PAPER)
THEIRS = recorded("belasession00000", "bela", seed=2, mode=Mode.PAPER)


async def keep(service: Service) -> None:
    for one in (HERS, THEIRS):
        await one.keep(service.stores)


def streamed(day: Recorded, kind: str) -> list[dict[str, Any]]:
    """Return the frames of that type as they go out."""
    return [orjson.loads(encode(day.row.id, frame).head + "}") for frame in day.frames_of(kind)]


async def test_another_users_orders_and_trades_are_not_there(callers: Callers) -> None:
    await keep(callers.service)

    for path in ("/orders", "/trades"):
        assert {one["user_id"] for one in await every_page(callers.bela, path)} == {"bela"}
        assert await every_page(callers.bela, path, session_id=HERS.row.id) == []
        assert {one["user_id"] for one in await every_page(callers.backend, path)} == {"asha", "bela"}


async def test_every_order_is_listed_once_with_all_that_was_streamed_of_it(callers: Callers) -> None:
    await keep(callers.service)

    listed = await every_page(callers.asha, "/orders")

    told: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for frame in streamed(HERS, "order"):
        told[frame["data"]["id"]].append({**frame["data"], "seq": frame["seq"], "at": frame["at"]})
    assert {one["id"]: one["history"] for one in listed} == told
    assert len(listed) == len(told) > 50
    for one in listed:
        first, last = told[one["id"]][0], told[one["id"]][-1]
        assert {name: one[name] for name in last if name != "seq"} == {
            **{name: value for name, value in last.items() if name != "seq"},
            "at": first["at"],
        }
    assert [one["at"] for one in listed] == sorted((one["at"] for one in listed), reverse=True)


async def test_refused_signals_can_be_listed_alone(callers: Callers) -> None:
    await keep(callers.service)

    refused = await every_page(callers.asha, "/orders", refused=True)
    orders = await every_page(callers.asha, "/orders", refused=False)

    assert {one["phase"] for one in refused} == {"REFUSED"}
    assert {"ALREADY_IN_TRADE", "HALTED"} <= {one["reason"] for one in refused}
    assert all(one["signal_id"] and one["message"] and one["quantity"] is None for one in refused)
    assert {one["phase"] for one in orders} == {"FILLED"}
    assert {one["purpose"] for one in orders} == {"ENTRY", "EXIT"}
    assert all(one["reason"] is None and one["filled"] == one["quantity"] for one in orders)
    signals = {one["id"] for one in await every_page(callers.asha, "/signals")}
    assert {one["signal_id"] for one in refused} < signals


async def test_trades_are_listed_as_they_were_streamed_and_add_up(callers: Callers) -> None:
    await keep(callers.service)

    listed = await every_page(callers.asha, "/trades")

    own = {"session_id": HERS.row.id, "user_id": "asha"}
    assert listed[::-1] == [{**frame["data"], **own} for frame in streamed(HERS, "trade")]
    assert len(listed) > 5
    session = (await callers.asha.get(f"/sessions/{HERS.row.id}")).json()
    paise = sum(round(one["net"] * 100) for one in listed)
    assert paise == round(session["trading"]["tally"]["realised"] * 100)
    assert all(round(one["gross"] * 100) - round(one["charges"] * 100) == round(one["net"] * 100) for one in listed)
    assert session["trading"]["tally"]["trades"] == len(listed)
    assert session["trading"]["tally"]["lock"] == "MAX_DAILY_LOSS"
    assert session["trading"]["position"]["stage"] == "NEUTRAL"
    assert session["config"]["trading"]["max_daily_loss"] == 100_000


@pytest.mark.parametrize("path", ["/orders", "/trades"])
async def test_lists_are_cut_by_time(callers: Callers, path: str) -> None:
    await keep(callers.service)
    time = "at" if path == "/orders" else "closed_at"
    since, until = DAY.opens_at + timedelta(minutes=60), DAY.opens_at + timedelta(minutes=120)

    cut = await every_page(callers.asha, path, since=since.isoformat(), until=until.isoformat())

    everything = await every_page(callers.asha, path)
    inside = [one for one in everything if since.isoformat()[:19] <= one[time][:19] < until.isoformat()[:19]]
    assert cut == inside != []


async def test_money_is_rupees_with_two_decimals(local: httpx.AsyncClient, service: Service) -> None:
    await keep(service)

    text = (await local.get("/trades", params={"limit": 1000})).text

    for trade in orjson.loads(text)["items"]:
        for name in ("gross", "charges", "net"):
            written = text.split(f'"id":"{trade["id"]}"')[1].split(f'"{name}":')[1].split(",")[0]
            assert len(written.partition(".")[2]) <= 2, written
