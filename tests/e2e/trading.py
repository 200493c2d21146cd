"""A session that trades at a simulator in this process, and what must be true of it afterwards."""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime, time, timedelta
from typing import Any, Final

import httpx

from algoexec.adapters.memory.stores import MemoryStores
from algoexec.adapters.system_clock import SystemClock
from algoexec.adapters.upstox.venue import SimulatorVenue
from algoexec.bootstrap import open_accounts
from algoexec.domain.calendar import ist
from algoexec.domain.errors import BrokerUnavailable
from algoexec.engine.effects import Frame, PositionChanged, SubmitOrder, TradeClosed
from algoexec.engine.events import Mode
from algoexec.engine.state import EngineState
from algoexec.engine.trading.rules import TradeRules
from algoexec.engine.trading.trade import Stage
from algoexec.ports.credentials import AccessToken
from algoexec.ports.egress import DIRECT, Egress, EgressPolicy
from algoexec.ports.stores import JournalEntry
from algoexec.runtime.hub import StreamHub
from algoexec.runtime.recovery import fold
from algoexec.runtime.registry import Registry
from algoexec.simulation.generated import generated_day
from algoexec.simulator.configuration import SimulatorSettings
from algoexec.simulator.faults.loading import shipped
from algoexec.simulator.server import RunningSimulator, serve
from algoexec.simulator.users_file import Users
from algoexec.storage.codec import canonical
from algoexec.strategy.parameters import Parameters

USER: Final = "ann"
_MINUTE: Final = timedelta(minutes=1)
RULES: Final = TradeRules(risk_pct=3.0, max_daily_loss=60_000_00, max_consecutive_losses=20)
"""Lots of several units, and a day that is not cut short by its limits."""


@dataclass(kw_only=True)
class Traded:
    """What a session left behind, and what the exchange has of it. Money in paise."""

    state: EngineState
    journal: Sequence[JournalEntry]
    frames: list[Frame] = field(default_factory=list)
    book: dict[str, Any]

    @property
    def closed(self) -> list[TradeClosed]:
        """The trades that were reported closed."""
        return [frame.body for frame in self.frames if isinstance(frame.body, TradeClosed)]

    @property
    def alerts(self) -> Counter[str]:
        """How often a person was told what."""
        return Counter(frame.body.code for frame in self.frames if frame.type == "alert")  # type: ignore[union-attr]

    @property
    def submitted(self) -> list[str]:
        """Our numbers of the orders that were to be placed."""
        effects = (effect for entry in self.journal for effect in entry.effects)
        return [effect.ticket.id for effect in effects if isinstance(effect, SubmitOrder)]

    @property
    def placed(self) -> list[str]:
        """Our numbers as the exchange has them, once for each order."""
        return [order["tag"] for order in self.book["orders"] if order["tag"] is not None]

    def longest_exit_s(self) -> float:
        """Market seconds that the slowest exit took, from the decision to flat."""
        longest, begun = 0.0, None
        for frame in self.frames:
            if isinstance(frame.body, PositionChanged) and frame.body.stage == Stage.EXITING:
                begun = begun or frame.at
            elif isinstance(frame.body, TradeClosed) and begun is not None:
                longest, begun = max(longest, (frame.at - begun).total_seconds()), None
        return longest

    def is_flat(self) -> bool:
        """Whether nothing is held, here and there."""
        trading = self.state.trading
        is_neutral = trading is not None and trading.trade is None
        return is_neutral and all(position["net"] == 0 for position in self.book["positions"])

    def lowest_net(self) -> int:
        """The least that the account ever held of anything, in units; negative if it was ever short."""
        lowest = 0
        nets: Counter[str] = Counter()
        for trade in self.book["trades"]:
            nets[trade["instrument"]] += trade["quantity"] if trade["side"] == "BUY" else -trade["quantity"]
            lowest = min(lowest, nets[trade["instrument"]])
        return lowest

    def exchange_gross(self) -> int:
        """What the exchange says that all trades brought, before charges."""
        return round((float(self.book["cash"]) - float(self.book["opening"])) * 100)


async def trade_at(
    running: RunningSimulator,
    *,
    mode: Mode = Mode.LIVE,
    until: str,
    rules: TradeRules = RULES,
    stores: MemoryStores | None = None,
    egress: Egress = DIRECT,
    meanwhile: Callable[[Registry, str], Awaitable[None]] | None = None,
) -> Traded:
    """Trade from where the simulator stands until the market time `until`, then get flat and stop.

    `meanwhile` is given the registry and the session once that has begun, and waited for.
    """
    venue = SimulatorVenue(running.url)
    await venue.name()
    venue.clock.start()
    stores, clock = stores or MemoryStores(), SystemClock()
    hub = StreamHub(stores.journal.frames, clock)
    registry = Registry(
        venue=venue,
        stores=stores,
        hub=hub,
        clock=clock,
        canonical=canonical,
        open_account=open_accounts(venue),
        egress=EgressPolicy(proxies={} if egress.proxy is None else {egress.proxy.place: None}),
    )
    try:
        async with registry.running():
            session_id = await _begun(registry, mode, rules, egress)
            if meanwhile is not None:
                await meanwhile(registry, session_id)
            end = ist(running.broker.exchange.day.date, time.fromisoformat(until))
            await venue.clock.wait_until(end)
            await registry.stop(session_id, flatten=True)
            await _until_over(registry, session_id, venue, end)
            entries = await stores.journal.read(session_id)
    finally:
        await venue.aclose()
    async with httpx.AsyncClient(base_url=running.url, trust_env=False) as client:
        users = (await client.get("/sim/book", params={"user": USER})).json()["users"]
    recovered = fold(None, entries)
    assert recovered is not None
    assert recovered.diverged_at is None
    frames = [frame for entry in entries for frame in entry.frames]
    return Traded(state=recovered.state, journal=entries, frames=frames, book=users[USER])


async def _begun(registry: Registry, mode: Mode, rules: TradeRules, egress: Egress) -> str:
    """Begin a session; a broker that does not answer is asked again, as a person would."""
    token = AccessToken(f"user:{USER}")
    for attempt in range(5):
        with suppress(BrokerUnavailable):
            begun = await registry.create(
                user_id=USER, token=token, mode=mode, parameters=Parameters(), rules=rules, egress=egress
            )
            return begun.row.id
        await asyncio.sleep(0.2 * attempt)
    raise AssertionError("no session could be begun")


async def _until_over(registry: Registry, session_id: str, venue: SimulatorVenue, since: datetime) -> None:
    """Return when the session has stopped; it may take market minutes if orders must be looked up."""
    for minute in range(1, 40):
        view = await registry.get(session_id, None)
        if view is not None and view.state is not None and view.state.status.is_over:
            return
        await venue.clock.wait_until(since.replace(second=0) + minute * _MINUTE)


def simulated(start: str, speed: float, faults: Iterable[str] = (), users: Users | None = None) -> Any:
    """Return a simulator of the generated day in this process, with shipped fault scripts active."""
    settings = SimulatorSettings(start=time.fromisoformat(start), speed=speed, paced=True, users=users)
    return serve(generated_day(), settings, SystemClock(), faults=[shipped(name) for name in faults])
