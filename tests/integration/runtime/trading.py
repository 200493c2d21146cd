"""A simulator, and registries that trade at it: all real, in one process."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any, Final
from urllib.parse import urlsplit

from algoexec.adapters.system_clock import SystemClock
from algoexec.adapters.upstox.feed import FeedTiming
from algoexec.adapters.upstox.venue import SimulatorVenue
from algoexec.domain.signals import Signal
from algoexec.engine.effects import Status
from algoexec.engine.events import Mode
from algoexec.engine.state import EngineState
from algoexec.ports.credentials import AccessToken
from algoexec.ports.stores import Query, Stores
from algoexec.runtime.hub import StreamHub
from algoexec.runtime.recovery import fold, recover
from algoexec.runtime.registry import Registry
from algoexec.simulation.day import SimulatedDay
from algoexec.simulation.generated import generated_day
from algoexec.simulator.server import RunningSimulator, serve
from algoexec.storage.codec import canonical
from algoexec.strategy.parameters import Parameters
from tests.integration.simulating import settings

ANN: Final = AccessToken("user:ann")
QUICK: Final = FeedTiming(first_delay=0.05, longest_delay=0.2, taken_delays=(0.1,), close_timeout=0.2)
"""So that a lost feed is back before many market minutes have passed."""


@asynccontextmanager
async def simulator(
    at: str = "09:50", day: SimulatedDay | None = None, *, like: RunningSimulator | None = None, **more: Any
) -> AsyncIterator[RunningSimulator]:
    """Run a simulator as fast as it is read; one `like` another takes its place."""
    port = urlsplit(like.url).port or 0 if like is not None else 0
    async with serve(day or generated_day(), settings(at, **more), SystemClock(), port=port) as running:
        yield running


@asynccontextmanager
async def trading(stores: Stores, url: str) -> AsyncIterator[Registry]:
    """Run a registry at the simulator of that address, as the service does."""
    venue = SimulatorVenue(url, timing=QUICK)
    clock = SystemClock()
    hub = StreamHub(stores.journal.frames, clock)
    registry = Registry(venue=venue, stores=stores, hub=hub, clock=clock, canonical=canonical)
    try:
        async with registry.running():
            yield registry
    finally:
        await venue.aclose()


async def until(holds: Callable[[], bool], within: float = 60.0) -> None:
    """Return once `holds()`."""
    async with asyncio.timeout(within):
        while not holds():  # noqa: ASYNC110 - any condition, of any object
            await asyncio.sleep(0.005)


async def create(registry: Registry, user_id: str = "ann", token: AccessToken | None = ANN) -> str:
    """Begin a session; return its id."""
    view = await registry.create(user_id=user_id, token=token, mode=Mode.SIGNALS, parameters=Parameters())
    return view.row.id


def live(registry: Registry, session_id: str) -> EngineState | None:
    """Return the state as the session's runner has it; None when it does not run here."""
    runner = registry._running.get(session_id)
    return runner.state if runner is not None else None


async def reaches(registry: Registry, session_id: str, status: Status) -> EngineState:
    """Return the state once the session has that status."""
    await until(lambda: (state := live(registry, session_id)) is not None and state.status is status)
    state = live(registry, session_id)
    assert state is not None
    return state


async def has_candles(registry: Registry, session_id: str, count: int) -> EngineState:
    """Return the state once the session knows at least so many of today's candles."""
    await until(lambda: (state := live(registry, session_id)) is not None and len(state.candles) >= count)
    state = live(registry, session_id)
    assert state is not None
    return state


async def ends(registry: Registry, session_id: str) -> None:
    """Return once the session does not run here any more."""
    await until(lambda: live(registry, session_id) is None)


async def folds(stores: Stores) -> None:
    """Every journal is dense and folds to one state: from zero, and from the snapshot."""
    for row in (await stores.sessions.list(Query())).items:
        entries = await stores.journal.read(row.id)
        numbers = [frame.number for entry in entries for frame in entry.frames]
        assert [entry.record.seq for entry in entries] == list(range(1, len(entries) + 1))
        assert numbers == list(range(1, len(numbers) + 1))
        whole, recovered = fold(None, entries), await recover(stores, row.id)
        assert whole is not None
        assert recovered is not None
        assert whole.diverged_at is None
        assert whole.state == recovered.state


async def said(stores: Stores, session_id: str) -> list[Signal]:
    """Return the session's signals and rejections, in order."""
    entries = await stores.journal.read(session_id)
    return [frame.body for entry in entries for frame in entry.frames if isinstance(frame.body, Signal)]


def line(signal: Signal) -> tuple[object, ...]:
    """Return what must not depend on how the session came to say it."""
    return (
        signal.at,
        signal.side,
        signal.pattern,
        signal.priority,
        signal.price,
        signal.stop_loss,
        signal.target,
        signal.pcr,
        signal.volume_confirmed,
        signal.reason,
    )
