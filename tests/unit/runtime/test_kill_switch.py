"""The kill switch is told to who trades, once, and whatever happens in between."""

import asyncio
from contextlib import suppress
from dataclasses import replace
from typing import Any

from algoexec.adapters.memory import MemoryStores
from algoexec.engine.effects import Status
from algoexec.engine.events import Event, KillSwitched
from algoexec.engine.state import EngineState
from algoexec.engine.trading.rules import TradeRules
from algoexec.engine.trading.tally import Tally
from algoexec.engine.trading.trade import TradingState
from algoexec.ports.trading import KillSwitch
from algoexec.runtime.kill_switch import KillSwitchKeeper
from tests.contract.given import AT, state
from tests.unit.runtime.warped import warped

TRADES = replace(state(), trading=TradingState(rules=TradeRules(), tally=Tally()))
ON = KillSwitch(user_id=None, by="key:k", reason="news", at=AT)
KILLED = KillSwitched(reason="news (by key:k)")


class Runner:
    """What is told to a session; nothing comes of it before the test says so."""

    def __init__(self, now: EngineState) -> None:
        self.state = now
        self.told: list[Event] = []

    def tell(self, event: Event) -> None:
        self.told.append(event)


def keeper(stores: MemoryStores, *runners: Any) -> KillSwitchKeeper:
    return KillSwitchKeeper(stores.kill_switches, runners)


async def test_who_trades_is_told_once_however_long_it_takes() -> None:
    stores, runner = MemoryStores(), Runner(TRADES)
    keeps = keeper(stores, runner)
    await keeps.tell()
    await stores.kill_switches.put(ON)
    for _ in range(3):
        await keeps.tell()
    await stores.kill_switches.delete(None)
    for _ in range(3):
        await keeps.tell()

    assert runner.told == [KILLED, KillSwitched(reason=None)]


async def test_who_knows_trades_nothing_or_is_over_is_told_nothing() -> None:
    stores = MemoryStores()
    await stores.kill_switches.put(ON)
    assert TRADES.trading is not None
    runners = (
        Runner(replace(TRADES, trading=replace(TRADES.trading, killed="news (by key:k)"))),
        Runner(replace(TRADES, status=Status.STOPPED)),
        Runner(state()),
    )

    await keeper(stores, *runners).tell()

    assert [runner.told for runner in runners] == [[], [], []]


async def test_who_was_killed_before_a_restart_and_is_not_any_more_is_told() -> None:
    assert TRADES.trading is not None
    runner = Runner(replace(TRADES, trading=replace(TRADES.trading, killed="news (by key:k)")))

    await keeper(MemoryStores(), runner).tell()

    assert runner.told == [KillSwitched(reason=None)]


@warped
async def test_a_database_that_is_away_delays_it() -> None:
    stores, runner = MemoryStores(), Runner(TRADES)
    await stores.kill_switches.put(ON)
    stores.is_available = False
    keeping = asyncio.create_task(keeper(stores, runner).keep())
    await asyncio.sleep(30)
    assert runner.told == []

    stores.is_available = True
    await asyncio.sleep(3)

    assert runner.told == [KILLED]
    keeping.cancel()
    with suppress(asyncio.CancelledError):
        await keeping
