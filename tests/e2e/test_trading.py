"""Sessions that trade live at a simulator which misbehaves, and on paper at one that does not."""

import logging
from dataclasses import replace

import pytest

from algoexec.engine.effects import Status
from algoexec.engine.events import Mode
from tests.e2e.trading import RULES, Traded, simulated, trade_at

SPEED = 30.0

FAULTS = {
    "response-lost": ("09:25", "10:10"),
    "exit-rejected": ("09:25", "10:10"),
    "stuck-partial": ("09:25", "10:10"),
    "hand-in-the-app": ("09:25", "10:10"),
    "updates-out-of-order": ("09:25", "10:15"),
    "locked-out": ("09:25", "10:10"),
    "opening-rush": ("09:14", "10:00"),
    "dirty-data": ("09:25", "10:30"),
    "feed-restart": ("10:00", "11:10"),
    "silent-feed": ("10:15", "11:20"),
}
"""Each shipped fault script, and the part of the day in which it strikes."""


OVER = {"complete", "cancelled", "rejected"}

logger = logging.getLogger(__name__)


def must_be_sound(traded: Traded) -> None:
    """Check what must be true whatever the broker did."""
    assert traded.state.status is Status.STOPPED
    assert traded.is_flat()
    assert traded.lowest_net() >= 0, "the account was short"
    assert len(traded.placed) == len(set(traded.placed)), "an intent became two orders"
    assert set(traded.placed) <= set(traded.submitted), "the exchange has an order that nobody wanted"
    assert {order["status"] for order in traded.book["orders"]} <= OVER, "an order was left behind"


@pytest.mark.prove
@pytest.mark.timeout(300)
@pytest.mark.parametrize("protected", [False, True], ids=["plain", "protected"])
@pytest.mark.parametrize("script", FAULTS)
async def test_a_live_session_gets_through_every_fault(script: str, protected: bool) -> None:
    start, until = FAULTS[script]
    async with simulated(start, SPEED, [script]) as running:
        traded = await trade_at(running, until=until, rules=replace(RULES, protective_order=protected))
    reasons = [trade.reason for trade in traded.closed]
    logger.info("%s %s %s %s %s", script, protected, reasons, traded.longest_exit_s(), dict(traded.alerts))
    must_be_sound(traded)
    # Locked out at its first order, a session needs another token: it begins nothing more.
    assert traded.closed or script == "locked-out", "nothing was traded: nothing was tried"
    # What others sold is read from the order book as an average: it may be off by the rounding of one.
    assert sum(trade.gross for trade in traded.closed) == pytest.approx(traded.exchange_gross(), abs=len(traded.closed))


@pytest.mark.timeout(300)
@pytest.mark.parametrize("mode", [Mode.LIVE, Mode.PAPER])
async def test_a_session_trades_and_its_trades_add_up(mode: Mode) -> None:
    async with simulated("09:30", 60.0) as running:
        traded = await trade_at(running, until="10:00", mode=mode)
    assert traded.state.status is Status.STOPPED
    assert traded.closed
    trading = traded.state.trading
    assert trading is not None
    assert trading.trade is None
    assert trading.tally.realised == sum(trade.net for trade in traded.closed)
    assert all(trade.net == trade.gross - trade.charges for trade in traded.closed)
    if mode is Mode.LIVE:
        must_be_sound(traded)
        assert sum(trade.gross for trade in traded.closed) == traded.exchange_gross()
    else:
        assert traded.book["orders"] == [], "paper reached the exchange"
