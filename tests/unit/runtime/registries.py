"""Registries over shared stores, each with a way to them that can be cut, on a loop whose time costs nothing."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import date, datetime
from typing import Any, Final

import pytest

from algoexec.adapters.memory import MemoryStores
from algoexec.domain.errors import StoreUnavailable
from algoexec.engine.effects import Status
from algoexec.engine.events import Mode
from algoexec.engine.state import EngineState
from algoexec.ports.credentials import AccessToken
from algoexec.ports.stores import JournalEntry, Query
from algoexec.runtime.hub import StreamHub
from algoexec.runtime.recovery import fold, recover
from algoexec.runtime.registry import Registry
from algoexec.runtime.views import SessionView
from algoexec.storage.codec import canonical
from algoexec.strategy.parameters import Parameters
from tests.unit.runtime.scripted import MADE_UP, Bars, Venue, ticks
from tests.unit.runtime.warped import START, LoopClock, until

ANN: Final = AccessToken("user:ann")
_STORES: Final = (
    "journal", "snapshots", "sessions", "projections", "tokens", "egresses", "api_keys", "idempotency", "kill_switches",
)  # fmt: skip


class Link:
    """The way of one registry to the stores. Cut, nothing passes; `loses_answers`: done, but never heard of."""

    def __init__(self, stores: MemoryStores) -> None:
        self.is_up = True
        self.takes_records = True
        """False: everything is answered but the journal."""
        self.loses_answers = False
        self.held = asyncio.Event()
        """Cleared, what writes to the journal waits before it is written."""
        self.held.set()
        for name in _STORES:
            setattr(self, name, _Wire(self, name, getattr(stores, name)))

    def check(self) -> None:
        if not self.is_up:
            raise StoreUnavailable("the link is cut")

    async def ping(self) -> None:
        self.check()


class _Wire:
    def __init__(self, link: Link, name: str, store: Any) -> None:
        self._link, self._name, self._store = link, name, store

    def __getattr__(self, method: str) -> Callable[..., Awaitable[Any]]:
        async def call(*args: Any, **kwargs: Any) -> Any:
            await asyncio.sleep(0)
            self._link.check()
            if (self._name, method) == ("journal", "append"):
                await self._link.held.wait()
                self._link.check()
                if not self._link.takes_records:
                    raise StoreUnavailable("the journal is read-only")
            answer = await getattr(self._store, method)(*args, **kwargs)
            if self._link.loses_answers:
                raise StoreUnavailable("the answer is lost")
            self._link.check()
            return answer

        return call


class World:
    """A venue, stores, and as many registries as a test wants."""

    def __init__(self, bars: Bars = MADE_UP) -> None:
        self.venue = Venue(bars=bars)
        self._bars = bars
        self.venue.market.days = {date(2026, 11, 20): 60}
        self.stores = MemoryStores()
        self._playing: asyncio.Task[None] | None = None

    def play(self) -> None:
        """Tell every feed the ticks of the day, each when its time has come."""
        self._playing = asyncio.create_task(self._play())

    async def _play(self) -> None:
        for n in range(375):
            for event in ticks(n, self._bars):
                at = datetime.fromtimestamp(event.at / 1000, START.tzinfo)
                if self.venue.clock.now() <= at:
                    await self.venue.clock.wait_until(at)
                    for feed in self.venue.feeds:
                        if feed.is_running:
                            feed.say(event)

    @asynccontextmanager
    async def registry(self, link: Link | None = None) -> AsyncIterator[Registry]:
        """Run a registry; when it is left, what it has journaled is folded again in every way."""
        stores: Any = link or self.stores
        hub = StreamHub(stores.journal.frames, LoopClock())
        registry = Registry(venue=self.venue, stores=stores, hub=hub, clock=LoopClock(), canonical=canonical)
        async with registry.running():
            yield registry
        await self.check()

    async def check(self) -> None:
        """Fold from zero is fold from the snapshot, and today's code does what is recorded."""
        rows = (await self.stores.sessions.list(Query(limit=1000))).items
        for row in rows:
            entries = await self.stores.journal.read(row.id)
            if not entries:
                continue
            assert [entry.record.seq for entry in entries] == list(range(1, len(entries) + 1))
            assert [f.number for entry in entries for f in entry.frames] == list(
                range(1, sum(len(entry.frames) for entry in entries) + 1)
            )
            whole, recovered = fold(None, entries), await recover(self.stores, row.id)
            assert whole is not None
            assert recovered is not None
            assert whole.diverged_at is None
            assert whole.state == recovered.state

    async def entries(self, session_id: str) -> list[JournalEntry]:
        return list(await self.stores.journal.read(session_id))

    async def folded(self, session_id: str) -> EngineState:
        folded = fold(None, await self.entries(session_id))
        assert folded is not None
        return folded.state

    async def row_status(self, session_id: str) -> tuple[Status, str | None]:
        row = await self.stores.sessions.get(session_id)
        assert row is not None
        return row.status, row.reason


async def create(
    registry: Registry,
    user_id: str = "ann",
    token: AccessToken | None = ANN,
    parameters: Parameters | None = None,
    mode: Mode = Mode.SIGNALS,
) -> str:
    """Begin a session; return its id."""
    view = await registry.create(user_id=user_id, token=token, mode=mode, parameters=parameters or Parameters())
    return view.row.id


async def look(registry: Registry, session_id: str) -> SessionView:
    view = await registry.get(session_id, None)
    assert view is not None
    return view


def live(registry: Registry, session_id: str) -> EngineState | None:
    """Return the state of a session as its runner has it; None when it does not run here."""
    runner = registry._running.get(session_id)
    return runner.state if runner is not None else None


def known(registry: Registry, session_id: str) -> EngineState:
    """Return the live state of a session that runs here."""
    state = live(registry, session_id)
    assert state is not None
    return state


async def reaches(registry: Registry, session_id: str, *statuses: Status) -> EngineState:
    """Return the state once the session that runs here has one of `statuses`."""
    await until(lambda: (state := live(registry, session_id)) is not None and state.status in statuses)
    return known(registry, session_id)


async def ends(registry: Registry, session_id: str) -> None:
    """Return once the session does not run here any more."""
    await until(lambda: live(registry, session_id) is None)


def elsewhere(monkeypatch: pytest.MonkeyPatch, host: str) -> None:
    """Let registries that are made from now on be of another host: nobody here knows whether they live."""
    monkeypatch.setattr("socket.gethostname", lambda: host)
