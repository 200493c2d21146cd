"""What must be true of what was traded: among orders, trades and P&L, and between service and exchange."""

import asyncio
from collections import Counter
from collections.abc import Sequence
from datetime import date
from itertools import accumulate
from pathlib import Path
from typing import Final

from pydantic import SecretStr

from algoexec.bootstrap import open_stores
from algoexec.domain.charges import Charges, Derivative, charges_of_order
from algoexec.domain.orders import Side
from algoexec.ports.stores import Query
from algoexec.runtime.recovery import fold, recover
from algoexec.settings import Settings
from tests.e2e.stack import Frame, Service, all_pages
from tests.e2e.watching import Client

FINAL: Final = {"FILLED", "CANCELLED", "REJECTED", "NOT_SENT", "REFUSED"}


def paise(rupees: float) -> int:
    """Return an amount that came as rupees with two decimals."""
    return round(rupees * 100)


async def flat_and_over(running: Service, session_id: str) -> None:
    """Sell what is held and end the session; return when it is over."""
    async with running.client() as client:
        while (await client.delete(f"/sessions/{session_id}", params={"flatten": "true"})).status_code >= 500:  # noqa: ASYNC110 - one can only ask again
            await asyncio.sleep(0.2)
        while (await client.get(f"/sessions/{session_id}")).json()["status"] != "STOPPED":  # noqa: ASYNC110 - one can only ask again
            await asyncio.sleep(0.2)


async def books_agree(running: Service, book: Frame) -> None:
    """What the service says of its orders and trades is what the exchange has, and nothing is held any more."""
    orders, trades = await all_pages(running, "/orders"), await all_pages(running, "/trades")
    sent = {order["id"]: order for order in orders if order["phase"] != "REFUSED"}
    placed = Counter(order["tag"] for order in book["orders"])
    assert trades, "nothing was traded: nothing was tried"
    assert all(position["net"] == 0 for position in book["positions"]), "something is still held"
    assert set(placed.values()) == {1}, "an intent became two orders"
    assert set(placed) <= set(sent), "the exchange has an order that the service has forgotten"
    for order in book["orders"]:
        assert sent[order["tag"]]["filled"] == order["filled"], order
    missing = [order for tag, order in sent.items() if tag not in placed]
    assert all(order["phase"] in ("NOT_SENT", "REJECTED") and not order["filled"] for order in missing)
    assert sum(paise(trade["gross"]) for trade in trades) == paise(book["cash"]) - paise(book["opening"])


async def trades_add_up(running: Service, session: Frame, client: Client) -> list[Frame]:
    """Lists, stream, session and day tell one story to the paisa; return the trades, oldest first.

    The session must be over, and `client` must have followed it from its beginning.
    """
    orders, trades = await all_pages(running, "/orders"), await all_pages(running, "/trades")
    async with running.client() as http:
        now = (await http.get(f"/sessions/{session['id']}")).json()
        (summary,) = (await http.get("/days")).json()["items"]
    follow_from_orders(trades, orders, date.fromisoformat(session["day"]))
    owner = {"session_id": session["id"], "user_id": session["user_id"]}
    assert [{**frame["data"], **owner} for frame in client.of("trade")] == trades, "the stream tells other trades"
    told = [{**frame["data"], "seq": frame["seq"], "at": frame["at"]} for frame in client.of("order")]
    assert sorted((step for order in orders for step in order["history"]), key=lambda step: step["seq"]) == told

    tally, position = now["trading"]["tally"], now["trading"]["position"]
    assert paise(tally["realised"]) == sum(paise(trade["net"]) for trade in trades), "the day is another sum"
    assert position["stage"] == "NEUTRAL"
    assert summary["trades"] == len(trades)
    for item in ("gross", "charges", "net"):
        assert paise(summary[item]) == sum(paise(trade[item]) for trade in trades), f"the day's {item} is another sum"
    return trades


def profit_follows(pnl: Sequence[Frame], trades: Sequence[Frame]) -> None:
    """The `pnl` frames go through the sums of the trades, in order, and end with the last one.

    They are not kept: whoever was away when they came has missed them.
    """
    nets = [paise(trade["net"]) for trade in trades]
    told = [frame["data"] for frame in pnl]
    assert told
    for one in told:
        assert paise(one["total"]) == paise(one["realised"]) + paise(one["unrealised"]) - paise(one["charges"])
    realised = [paise(one["realised"]) for one in told]
    steps = [now for before, now in zip([0, *realised], realised, strict=False) if now != before]
    # At high speed one that holds for a moment only may be skipped; none may come that is no sum, or out of order.
    sums = iter(accumulate(nets))
    assert all(step in sums for step in steps), "a profit was told that no trades make"
    last = told[-1]
    assert (paise(last["total"]), last["unrealised"], last["charges"]) == (sum(nets), 0, 0)


def follow_from_orders(trades: Sequence[Frame], orders: Sequence[Frame], day: date) -> None:
    """Every fill belongs to one trade, and every trade is what its fills and the charges of the day make."""
    for order in orders:
        assert order["phase"] in FINAL, f"left open: {order}"
        filled = [step["filled"] for step in order["history"]]
        assert filled == sorted(filled), "a fill was taken back"
        assert order["filled"] == filled[-1] <= (order["quantity"] or 0)
        assert (order["phase"] == "FILLED") == (order["filled"] == order["quantity"])
    executed = [order for order in orders if order["filled"]]
    assert {order["trade_id"] for order in executed} == {trade["id"] for trade in trades}
    assert len({order["broker_id"] for order in executed}) == len(executed)
    for trade in trades:
        own = [order for order in executed if order["trade_id"] == trade["id"]]
        assert {order["instrument"] for order in own} == {trade["instrument"]}
        bought = [order for order in own if order["side"] == "BUY"]
        sold = [order for order in own if order["side"] == "SELL"]
        assert {order["purpose"] for order in bought} == {"ENTRY"}
        assert {order["purpose"] for order in sold} == {"EXIT"}
        assert sum(order["filled"] for order in bought) == trade["quantity"]
        assert sum(order["filled"] for order in sold) == trade["quantity"] - trade["external_units"]
        if trade["external_units"]:
            continue  # what others sold is in no order of ours
        assert paise(trade["gross"]) == sum(map(turnover, sold)) - sum(map(turnover, bought))
        assert paise(trade["charges"]) == charges(own, day)
        assert paise(trade["net"]) == paise(trade["gross"]) - paise(trade["charges"])


def turnover(order: Frame) -> int:
    """Return what an order executed for, in paise."""
    value: float = order["average_price"] * 100 * order["filled"]
    return round(value)


def charges(orders: Sequence[Frame], day: date) -> int:
    """Return what executed orders cost on that day, in paise."""
    items = (
        charges_of_order(on=day, kind=Derivative.OPTION, side=Side(order["side"]), turnover=turnover(order))
        for order in orders
    )
    return sum(items, Charges()).total


async def journal_rebuilds(data: Path, mongodb_uri: SecretStr | None = None) -> None:
    """Fold from zero and fold from a snapshot give one state, and today's code what is recorded."""
    async with open_stores(Settings(data_dir=data, mongodb_uri=mongodb_uri)) as stores:
        sessions = await stores.sessions.list(Query())
        assert sessions.items
        for row in sessions.items:
            from_zero = fold(None, await stores.journal.read(row.id))
            from_snapshot = await recover(stores, row.id)
            assert from_zero is not None
            assert from_snapshot is not None
            assert from_zero.diverged_at is None
            assert from_zero.state == from_snapshot.state
            assert await stores.snapshots.newest(row.id) is not None
