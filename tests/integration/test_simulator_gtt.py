"""Orders that wait at the simulator for a price, over REST: at a clock that stands until a test lets time pass."""

from collections.abc import AsyncIterator, Callable
from typing import Any, Final

import pytest
import pytest_asyncio

from algoexec.simulator.server import RunningSimulator
from tests.integration.simulating import rest, settings, simulator
from tests.integration.trading import (
    BOOK,
    CALL,
    EXIT_ALL,
    FREEZE,
    LOT,
    POSITIONS,
    STANDING,
    Trader,
    pass_time,
    quote,
    refusal,
    told,
    trading,
)

GTT: Final = "/v3/order/gtt"
PLACE: Final = f"{GTT}/place"
MODIFY: Final = f"{GTT}/modify"
CANCEL: Final = f"{GTT}/cancel"
FAR: Final = 5_000.0
"""A premium that the call does not come to."""

type Body = dict[str, Any]

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def running() -> AsyncIterator[RunningSimulator]:
    async with simulator(settings("10:30:30", speed=STANDING, rate_limits=False)) as running:
        yield running


@pytest_asyncio.fixture(loop_scope="module")
async def alone() -> AsyncIterator[Trader]:
    """Return a trader at a market of his own: what he waits for comes at the same time whatever others wait for."""
    play = settings("10:30:30", speed=STANDING, rate_limits=False)
    async with simulator(play) as running, trading(running) as trader:
        yield trader


@pytest_asyncio.fixture(loop_scope="module")
async def trader(running: RunningSimulator) -> AsyncIterator[Trader]:
    # A new book: the tests before may have taken what this one wants.
    pass_time(running, 5)
    async with trading(running) as trader:
        yield trader


def rule(strategy: str, trigger: str, price: float, **more: Any) -> Body:
    return {"strategy": strategy, "trigger_type": trigger, "trigger_price": price, **more}


def entry(price: float, trigger: str = "BELOW", **more: Any) -> Body:
    return rule("ENTRY", trigger, price, **more)


def exits(stop: float, target: float, **more: Any) -> tuple[Body, Body]:
    """Return a stop, with what `more` says of it, and a target."""
    # At the market: a limit at the price that was just there may wait long.
    return rule("STOPLOSS", "IMMEDIATE", stop, **more), rule("TARGET", "IMMEDIATE", target, market_protection=-1)


def gtt(*rules: Body, **changes: Any) -> Body:
    """Return the body of a GTT buy of a lot, but for the changes."""
    body = {
        "type": "SINGLE" if len(rules) == 1 else "MULTIPLE",
        "quantity": LOT,
        "product": "D",
        "instrument_token": CALL,
        "transaction_type": "BUY",
        "rules": list(rules),
    }
    return {**body, **changes}


async def placed(trader: Trader, body: Body) -> str:
    """Place a GTT order; return its number."""
    answer = await trader.client.post(PLACE, json=body)
    (number,) = told(answer)["gtt_order_ids"]
    assert isinstance(answer.json()["metadata"]["latency"], int)
    return str(number)


async def details(trader: Trader, number: str) -> Body:
    (found,) = await trader.data(GTT, gtt_order_id=number)
    assert isinstance(found, dict)
    return found


async def statuses(trader: Trader, number: str) -> list[str]:
    return [rule["status"] for rule in (await details(trader, number))["rules"]]


async def until(trader: Trader, number: str, holds: Callable[[list[str]], bool], minutes: int = 60) -> list[str]:
    """Let market time pass until the statuses of the rules hold; return them."""
    for _ in range(minutes * 6):
        if holds(found := await statuses(trader, number)):
            return found
        pass_time(trader.running, 10)
    raise AssertionError(f"nothing came of it within {minutes} minutes")


async def cancel(trader: Trader, number: str) -> Any:
    # The number is in the body of a DELETE, as at the broker.
    return await trader.client.request("DELETE", CANCEL, json={"gtt_order_id": number})


def price(trader: Trader) -> float:
    return quote(trader.running).price


def ticks(amount: float) -> float:
    """Return a price on the grid."""
    return round(round(amount / 0.05) * 0.05, 2)


# --- one rule -----------------------------------------------------------------------------------------------------


async def test_a_waiting_order_is_shown_as_it_was_asked_for(trader: Trader) -> None:
    number = await placed(trader, gtt(entry(1.0), quantity=2 * LOT))

    shown = await details(trader, number)
    assert number.startswith("GTT-")
    assert shown == {
        "type": "SINGLE",
        "exchange": "NFO",
        "quantity": 2 * LOT,
        "product": "D",
        "trading_symbol": "BANKNIFTY 57000 CE 27 OCT 26",
        "instrument_token": CALL,
        "gtt_order_id": number,
        "created_at": trader.running.broker.clock.now_ms * 1000,
        "expires_at": (trader.running.broker.clock.now_ms + 365 * 86_400_000) * 1000,
        "rules": [
            {
                "strategy": "ENTRY",
                "status": "SCHEDULED",
                "trigger_type": "BELOW",
                "trigger_price": 1.0,
                "transaction_type": "BUY",
                "message": None,
                "order_id": None,
                "trailing_gap": None,
                "market_protection": None,
            }
        ],
    }
    assert await trader.data(GTT) == [shown]
    assert await trader.data(BOOK) == [], "it is no order yet"


@pytest.mark.parametrize(("trigger", "share"), [("ABOVE", 1.002), ("BELOW", 0.998)])
async def test_an_entry_acts_when_the_price_comes_there(alone: Trader, trigger: str, share: float) -> None:
    wanted = ticks(price(alone) * share)
    number = await placed(alone, gtt(entry(wanted, trigger, market_protection=-1)))

    await until(alone, number, lambda found: found == ["COMPLETED"])
    (order,) = await alone.data(BOOK)
    (filled,) = (await details(alone, number))["rules"]
    assert (order["order_id"], order["status"], order["placed_by"]) == (filled["order_id"], "complete", "GTT")
    assert order["order_type"] == "MARKET"
    assert order["average_price"] == pytest.approx(wanted, rel=0.03)
    assert await alone.data(GTT) == [], "what is over is shown by its number alone"


async def test_an_entry_without_protection_is_a_limit_order_at_its_price(alone: Trader) -> None:
    wanted = ticks(price(alone) * 0.999)
    number = await placed(alone, gtt(entry(wanted)))

    await until(alone, number, lambda found: found != ["SCHEDULED"])
    (order,) = await alone.data(BOOK)
    assert (order["order_type"], order["price"]) == ("LIMIT", wanted)


async def test_an_immediate_entry_goes_out_at_once(trader: Trader) -> None:
    number = await placed(trader, gtt(entry(ticks(price(trader) * 1.02), "IMMEDIATE")))

    assert await statuses(trader, number) == ["TRIGGERED"]
    await until(trader, number, lambda found: found == ["COMPLETED"])
    (held,) = await trader.data(POSITIONS)
    assert held["quantity"] == LOT


async def test_an_order_that_is_rejected_says_so_in_its_rule(trader: Trader) -> None:
    number = await placed(trader, gtt(entry(ticks(price(trader)), "IMMEDIATE"), quantity=LOT + 1))

    (failed,) = (await details(trader, number))["rules"]
    assert failed["status"] == "FAILED"
    assert "lot size" in failed["message"]


async def test_a_number_beyond_the_freeze_quantity_is_rejected_too(trader: Trader) -> None:
    number = await placed(trader, gtt(entry(ticks(price(trader)), "IMMEDIATE"), quantity=FREEZE + LOT))

    assert await statuses(trader, number) == ["FAILED"]


# --- an entry with exits ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("stop", "target", "ends"),
    [(0.1, 1.004, ["COMPLETED", "CANCELLED", "COMPLETED"]), (0.996, FAR, ["COMPLETED", "COMPLETED", "CANCELLED"])],
)
async def test_of_two_exits_the_first_ends_the_other(
    alone: Trader, stop: float, target: float, ends: list[str]
) -> None:
    now = price(alone)
    wanted = entry(ticks(now * 1.05), "IMMEDIATE")
    both = exits(ticks(now * stop), target if target == FAR else ticks(now * target))
    number = await placed(alone, gtt(wanted, *both))
    assert await statuses(alone, number) == ["TRIGGERED", "PENDING", "PENDING"], "exits wait for the entry"

    await until(alone, number, lambda found: found == ends, minutes=240)
    (flat,) = await alone.data(POSITIONS)
    assert flat["quantity"] == 0
    bought, sold = await alone.data(BOOK)
    assert [one["transaction_type"] for one in (bought, sold)] == ["BUY", "SELL"]
    assert {one["quantity"] for one in (bought, sold)} == {LOT}


async def test_a_trailing_stop_follows_the_price_and_never_goes_back(alone: Trader) -> None:
    now, gap = price(alone), ticks(price(alone) * 0.02)
    first = ticks(now * 0.5)
    body = gtt(entry(ticks(now * 1.05), "IMMEDIATE"), *exits(first, FAR, trailing_gap=gap))
    number = await placed(alone, body)
    await until(alone, number, lambda found: found[0] == "COMPLETED")

    stops, best = [first], 0.0
    while (await statuses(alone, number))[1] == "SCHEDULED":
        pass_time(alone.running, 1)
        best = max(best, price(alone))
        stops.append((await details(alone, number))["rules"][1]["trigger_price"])
    assert stops == sorted(stops)
    assert stops[-1] > first
    assert stops[-1] <= best + 0.05
    assert (await until(alone, number, lambda found: found[1] == "COMPLETED"))[2] == "CANCELLED"


async def test_the_exits_end_with_an_entry_that_fails(trader: Trader) -> None:
    now = price(trader)
    body = gtt(entry(ticks(now), "IMMEDIATE"), *exits(ticks(now / 2), FAR), quantity=LOT + 1)
    number = await placed(trader, body)

    assert await statuses(trader, number) == ["FAILED", "CANCELLED", "CANCELLED"]


# --- change and end -----------------------------------------------------------------------------------------------


async def test_what_waits_can_be_changed(trader: Trader) -> None:
    number = await placed(trader, gtt(entry(1.0)))
    change = {"type": "SINGLE", "gtt_order_id": number, "quantity": 2 * LOT, "rules": [entry(2.0, "ABOVE")]}
    assert told(await trader.client.put(MODIFY, json=change))["gtt_order_ids"] == [number]

    await until(trader, number, lambda found: found == ["COMPLETED"] or found == ["OPEN"])
    (order,) = await trader.data(BOOK)
    assert (order["quantity"], order["price"]) == (2 * LOT, 2.0)


async def test_after_the_entry_its_exits_can_be_moved_and_its_quantity_not(alone: Trader) -> None:
    now = price(alone)
    wanted = entry(ticks(now * 1.05), "IMMEDIATE")
    number = await placed(alone, gtt(wanted, *exits(1.0, FAR)))
    await until(alone, number, lambda found: found[0] == "COMPLETED")
    change = {"type": "MULTIPLE", "gtt_order_id": number, "quantity": LOT, "rules": [wanted, *exits(2.0, FAR)]}

    more = await alone.client.put(MODIFY, json={**change, "quantity": 2 * LOT})
    assert refusal(more) == (400, "UDAPI100040")
    told(await alone.client.put(MODIFY, json=change))
    assert [one["trigger_price"] for one in (await details(alone, number))["rules"]] == [ticks(now * 1.05), 2.0, FAR]
    fewer = await alone.client.put(MODIFY, json={**change, "type": "SINGLE", "rules": [wanted]})
    assert refusal(fewer) == (400, "UDAPI100036")


async def test_what_waits_can_be_cancelled_once(trader: Trader) -> None:
    number = await placed(trader, gtt(entry(1.0)))
    assert told(await cancel(trader, number))["gtt_order_ids"] == [number]

    assert await statuses(trader, number) == ["CANCELLED"]
    assert refusal(await cancel(trader, number)) == (400, "UDAPI100040")
    change = {"type": "SINGLE", "gtt_order_id": number, "quantity": LOT, "rules": [entry(2.0)]}
    assert refusal(await trader.client.put(MODIFY, json=change)) == (400, "UDAPI100040")


async def test_a_position_whose_exits_were_cancelled_stays(trader: Trader) -> None:
    now = price(trader)
    number = await placed(trader, gtt(entry(ticks(now * 1.05), "IMMEDIATE"), *exits(1.0, FAR)))
    await until(trader, number, lambda found: found[0] == "COMPLETED")
    told(await cancel(trader, number))

    assert await statuses(trader, number) == ["COMPLETED", "CANCELLED", "CANCELLED"]
    (held,) = await trader.data(POSITIONS)
    assert held["quantity"] == LOT
    told(await trader.client.post(EXIT_ALL))


async def test_anothers_is_nobodys(trader: Trader) -> None:
    number = await placed(trader, gtt(entry(1.0)))
    change = {"type": "SINGLE", "gtt_order_id": number, "quantity": LOT, "rules": [entry(2.0)]}
    async with trading(trader.running) as other:
        assert await other.data(GTT) == []
        answers = [
            await other.client.get(GTT, params={"gtt_order_id": number}),
            await other.client.put(MODIFY, json=change),
            await cancel(other, number),
        ]
    assert {refusal(answer) for answer in answers} == {(400, "UDAPI100010")}
    assert await statuses(trader, number) == ["SCHEDULED"]


# --- the day ------------------------------------------------------------------------------------------------------


async def test_at_the_close_what_is_intraday_expires() -> None:
    async with simulator(settings("15:39:00", speed=STANDING)) as evening, trading(evening) as trader:
        intraday, standing = [await placed(trader, gtt(entry(1.0), product=product)) for product in ("I", "D")]
        closes = evening.broker.exchange.day.session.closes_at.timestamp()
        assert (await details(trader, intraday))["expires_at"] == round(closes * 1_000_000)
        pass_time(evening, 120)

        assert await statuses(trader, intraday) == ["EXPIRED"]
        assert await statuses(trader, standing) == ["SCHEDULED"]
        assert [one["gtt_order_id"] for one in await trader.data(GTT)] == [standing]


async def test_while_the_market_is_closed_an_order_may_wait_but_not_go_out() -> None:
    async with simulator(settings("09:00:00", speed=STANDING)) as morning, trading(morning) as trader:
        answer = await trader.client.post(PLACE, json=gtt(entry(100.0, "IMMEDIATE")))
        assert refusal(answer) == (400, "UDAPI100057")
        assert await statuses(trader, await placed(trader, gtt(entry(1.0)))) == ["SCHEDULED"]


# --- what makes no sense ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"instrument_token": "NSE_FO|1"}, "UDAPI100011"),
        ({"instrument_token": None}, "UDAPI1026"),
        ({"instrument_token": 41090}, "UDAPI100036"),
        ({"type": "DOUBLE"}, "UDAPI100036"),
        ({"type": "MULTIPLE"}, "UDAPI100036"),
        ({"product": "CNC"}, "UDAPI100036"),
        ({"transaction_type": "HOLD"}, "UDAPI100036"),
        ({"quantity": 0}, "UDAPI1052"),
        ({"quantity": -LOT}, "UDAPI100036"),
        ({"quantity": 30.5}, "UDAPI100036"),
        ({"quantity": 2**40}, "UDAPI100036"),
        ({"quantity": True}, "UDAPI100036"),
        ({"rules": []}, "UDAPI100036"),
        ({"rules": "ENTRY"}, "UDAPI100036"),
        ({"rules": [7]}, "UDAPI100036"),
        ({"rules": [entry(1.0)] * 2}, "UDAPI100036"),
        ({"rules": [entry(1.0)] * 4}, "UDAPI100036"),
        ({"rules": [entry(0)]}, "UDAPI100036"),
        ({"rules": [entry(-1.0)]}, "UDAPI100036"),
        ({"rules": [entry(1e12)]}, "UDAPI100036"),
        ({"rules": [entry(1.0, "SOON")]}, "UDAPI100036"),
        ({"rules": [entry(1.0, market_protection=26)]}, "UDAPI1159"),
        ({"rules": [entry(1.0, market_protection=-2)]}, "UDAPI1160"),
        ({"rules": [entry(1.0, trailing_gap=1.0)]}, "UDAPI100036"),
        ({"rules": [exits(1.0, FAR)[0]]}, "UDAPI100036"),
        ({"type": "MULTIPLE", "rules": [entry(1.0), rule("TARGET", "ABOVE", FAR)]}, "UDAPI100036"),
        ({"type": "MULTIPLE", "rules": [entry(1.0), *exits(1.0, FAR, trailing_gap=0)]}, "UDAPI100036"),
    ],
)
async def test_what_makes_no_sense_is_refused_and_changes_nothing(trader: Trader, change: Body, code: str) -> None:
    assert refusal(await trader.client.post(PLACE, json=gtt(entry(1.0), **change))) == (400, code)

    assert await trader.data(GTT) == []


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b"7", b"null"])
@pytest.mark.parametrize(("method", "path"), [("POST", PLACE), ("PUT", MODIFY), ("DELETE", CANCEL)])
async def test_a_body_that_is_no_object_is_refused(trader: Trader, method: str, path: str, body: bytes) -> None:
    assert refusal(await trader.client.request(method, path, content=body)) == (400, "UDAPI100036")


async def test_an_unknown_number_is_refused(trader: Trader) -> None:
    change = {"type": "SINGLE", "gtt_order_id": "GTT-1", "quantity": LOT, "rules": [entry(2.0)]}
    answers = [
        await trader.client.get(GTT, params={"gtt_order_id": "GTT-1"}),
        await trader.client.put(MODIFY, json=change),
        await cancel(trader, "GTT-1"),
    ]
    assert {refusal(answer) for answer in answers} == {(400, "UDAPI100010")}


@pytest.mark.parametrize(("method", "path"), [("POST", PLACE), ("PUT", MODIFY), ("DELETE", CANCEL), ("GET", GTT)])
async def test_without_a_token_there_is_no_answer(running: RunningSimulator, method: str, path: str) -> None:
    for token in (None, "bad-token"):
        async with rest(running, token) as nobody:
            assert refusal(await nobody.request(method, path)) == (401, "UDAPI100050")
