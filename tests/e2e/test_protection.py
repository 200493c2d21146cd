"""A stop that rests at the exchange: it sells while nobody is there, and else it is the one exit."""

import asyncio
from dataclasses import replace
from datetime import time
from pathlib import Path

import pytest

from algoexec.domain.orders import Side
from algoexec.engine.effects import ModifyOrder
from algoexec.engine.events import Mode
from tests.e2e.books import books_agree, flat_and_over
from tests.e2e.days import write_swinging_day
from tests.e2e.stack import Exchange, all_pages, begin, service, simulator
from tests.e2e.test_kills import TRADING
from tests.e2e.test_trading import must_be_sound
from tests.e2e.trading import RULES, Traded, simulated, trade_at

PROTECTED = replace(RULES, protective_order=True)
CLOSE_BY = {**TRADING, "protective_order": True, "premium_stop_pct": 1.0}
"""A stop that the premium reaches soon, once the market turns."""


async def stop_rests(exchange: Exchange) -> None:
    """Return once a stop of ours rests at the exchange."""
    async with asyncio.timeout(200):
        while True:
            book = await exchange.book("trader")
            if any(order["status"] == "trigger pending" for order in book["orders"]):
                return
            await asyncio.sleep(0.02)


async def nothing_is_held(exchange: Exchange) -> None:
    """Return once the exchange has sold what was held."""
    async with asyncio.timeout(200):
        while any(position["net"] for position in (await exchange.book("trader"))["positions"]):  # noqa: ASYNC110 - one can only ask again
            await asyncio.sleep(0.1)


@pytest.mark.prove
@pytest.mark.timeout(400)
async def test_a_stop_is_hit_while_the_service_is_dead_and_the_exchange_sells(tmp_path: Path) -> None:
    day = write_swinging_day(tmp_path / "day", time(9, 45))
    with simulator(f"--day={day}", "--at=09:31", "--speed=20", "--paced") as broker:
        async with Exchange(broker.url) as exchange, service(tmp_path, broker.url) as running:
            session = await begin(running, mode="live", config={"trading": CLOSE_BY})
            await stop_rests(exchange)
            running.kill()
            await nothing_is_held(exchange)
            await exchange.pause()
            (sold,) = [one for one in (await exchange.book("trader"))["orders"] if one["side"] == "SELL"]
            await running.start()
            await exchange.resume()
            async with asyncio.timeout(60):
                while not (trades := await all_pages(running, "/trades")):  # noqa: ASYNC110 - one can only ask again
                    await asyncio.sleep(0.1)
            assert trades[0]["reason"] in ("PREMIUM_STOP", "TRAILING_STOP")
            assert trades[0]["external_units"] == 0
            assert trades[0]["exit_price"] == pytest.approx(sold["average_price"])
            await flat_and_over(running, session["id"])
            await books_agree(running, await exchange.book("trader"))


def one_sell_a_trade(traded: Traded) -> None:
    """Check that each trade was got out of by the order that rested, and by no other."""
    sells = [order for order in traded.book["orders"] if order["side"] == Side.SELL]
    assert len(sells) == len(traded.closed)
    changes = [e for entry in traded.journal for e in entry.effects if isinstance(e, ModifyOrder)]
    assert changes, "no exit was made by changing the stop"


@pytest.mark.timeout(300)
@pytest.mark.parametrize("mode", [Mode.LIVE, pytest.param(Mode.PAPER, marks=pytest.mark.prove)])
async def test_an_exit_is_the_resting_stop_changed_and_each_trade_has_one_sell(mode: Mode) -> None:
    async with simulated("09:30", 60.0) as running:
        traded = await trade_at(running, until="10:00", mode=mode, rules=PROTECTED)
    assert traded.closed
    assert not traded.alerts
    if mode is Mode.LIVE:
        must_be_sound(traded)
        one_sell_a_trade(traded)
        assert sum(trade.gross for trade in traded.closed) == traded.exchange_gross()
