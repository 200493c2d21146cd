"""All sessions of this process: made in the app's lifespan, the one way to command a session."""

import asyncio
import secrets
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Final

from algoexec.domain.calendar import Calendar, TradingDay
from algoexec.domain.errors import AlgoexecError, BrokerError, FenceLost, StoreError, StoreUnavailable, TokenRefused
from algoexec.domain.instruments import BANK_NIFTY
from algoexec.domain.market import Candle
from algoexec.domain.options import OptionChain
from algoexec.engine.effects import Status
from algoexec.engine.events import (
    Event,
    Halted,
    Mode,
    ParametersChanged,
    Resumed,
    SessionCreated,
    StopReason,
    StopRequested,
    TokenReplaced,
)
from algoexec.engine.state import EngineState
from algoexec.ports.clock import WallClock
from algoexec.ports.credentials import AccessToken
from algoexec.ports.stores import JournalEntry, Page, Query, SessionRow, Stores
from algoexec.ports.venue import Venue
from algoexec.runtime.desks import MarketDesks
from algoexec.runtime.hub import StreamHub
from algoexec.runtime.journal_writer import JournalWriter
from algoexec.runtime.owner import is_surely_dead, new_owner
from algoexec.runtime.projector import Projector
from algoexec.runtime.recovery import recover
from algoexec.runtime.runner import SessionRunner, Shell
from algoexec.runtime.tokens import expiry_of
from algoexec.strategy.decision import Ledger
from algoexec.strategy.parameters import Parameters
from algoexec.telemetry import logger

LEASE: Final = timedelta(seconds=10)
_RENEW_EVERY_S: Final = 3.0
_COMMAND_TIMEOUT_S: Final = 10.0
_ALPHABET: Final = "abcdefghijklmnopqrstuvwxyz0123456789"
_ID_LENGTH: Final = 16
"""So that a session's client order ids fit the broker's tag of 40 characters."""

_NEVER_BEGAN: Final = "the session was never begun: the service or its database failed just then"

_log = logger("registry")


class SessionIsOver(AlgoexecError):
    """The session has ended; it takes no command any more."""


class NotOwnedHere(AlgoexecError):
    """Another process runs the session."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionView:
    """What is known of a session now.

    `state` is None when it has no record yet. `feed_age_ms` is market milliseconds since
    the newest frame, None when the session is not connected here.
    """

    row: SessionRow
    state: EngineState | None
    feed_age_ms: int | None = None
    late_ticks: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Dependency:
    """Something the service needs. `detail` is for a person, None when all is well."""

    detail: str | None = None

    @property
    def ok(self) -> bool:
        """Whether it answers."""
        return self.detail is None


@dataclass(frozen=True, slots=True, kw_only=True)
class Health:
    """Whether the service can do its work, as it was found a moment ago."""

    store: Dependency
    venue: Dependency
    sessions: dict[Status, int]


class Registry:
    """Starts, finds, commands and recovers sessions."""

    def __init__(self, *, venue: Venue, stores: Stores, hub: StreamHub, clock: WallClock) -> None:
        """Nothing runs before `running`."""
        self.hub = hub
        self._venue, self._stores, self._clock = venue, stores, clock
        self._owner = new_owner()
        self._runners: dict[str, SessionRunner] = {}
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._store_trouble: str | None = None
        self._venue_trouble: str | None = None
        self._shell = Shell(
            journal=JournalWriter(stores.journal, clock),
            projector=Projector(stores, clock),
            hub=hub,
            desks=MarketDesks(venue),
            tokens=stores.tokens,
            clock=venue.clock,
            wall=clock,
        )

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Run sessions while the context lasts; those left active are taken up by the next start."""
        tasks = [
            asyncio.create_task(self._shell.journal.run()),
            asyncio.create_task(self._shell.projector.run()),
            asyncio.create_task(self._keep()),
        ]
        try:
            yield
        finally:
            await self._leave()
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def create(
        self, *, user_id: str, token: AccessToken | None, mode: Mode, parameters: Parameters
    ) -> SessionView:
        """Begin a session for the trading day under way, or else for the next one.

        Raises:
            ActiveSessionExists: the user has one at this venue.
            TokenRefused: the broker does not take the token.
            BrokerUnavailable: the simulator, whose name is needed, does not answer.
            StoreUnavailable: nothing was begun.
        """
        venue = await self._venue.name()
        account, calendar = await self._ask_broker(token)
        now = self._clock.now()
        day = calendar.next_day(self._venue.clock.now())
        row = SessionRow(
            id="".join(secrets.choice(_ALPHABET) for _ in range(_ID_LENGTH)),
            user_id=user_id,
            venue=venue,
            mode=mode,
            status=Status.STARTING,
            is_active=True,
            created_at=now,
            day=day.date.isoformat(),
            account=account,
            owner=self._owner,
            epoch=1,
            lease_until=now + LEASE,
        )
        inherited = await self._inherited(row)
        await self._stores.sessions.create(row)
        try:
            if token is not None:
                await self._stores.tokens.put(row.id, token, expiry_of(token, now))
            created = _created(row, day, parameters, inherited)
            runner = await SessionRunner.begin(self._shell, created, epoch=row.epoch, account=account)
        except StoreError:
            with suppress(StoreError):  # else the next keeper finds a session that never began
                await self._stores.sessions.set_status(row.id, Status.FAILED, _NEVER_BEGAN, account)
            raise
        self._start(row, runner)
        return self._view(row)

    async def get(self, session_id: str, user_id: str | None) -> SessionView | None:
        """Return the session; None when there is none, or it belongs to another than `user_id`."""
        row = await self._stores.sessions.get(session_id, user_id)
        if row is None:
            return None
        if session_id in self._runners:
            return self._view(row)
        recovered = await recover(self._stores, session_id)
        return _with_state(row, recovered.state if recovered else None)

    async def list(self, query: Query, *, active: bool | None = None) -> Page[SessionView]:
        """Return sessions, newest first."""
        page = await self._stores.sessions.list(query, active=active)
        views = []
        for row in page.items:
            if row.id in self._runners:
                views.append(self._view(row))
            else:
                views.append(_with_state(row, await self._stores.snapshots.newest(row.id)))
        return Page(items=tuple(views), cursor=page.cursor)

    async def halt(self, session_id: str, *, by: str, reason: str) -> SessionView:
        """Forbid new entries."""
        return await self._command(session_id, Halted(by=by, reason=reason))

    async def resume(self, session_id: str, *, by: str) -> SessionView:
        """Allow entries again."""
        return await self._command(session_id, Resumed(by=by))

    async def change_parameters(self, session_id: str, parameters: Parameters) -> SessionView:
        """Rule the session by other parameters from the next candle on."""
        return await self._command(session_id, ParametersChanged(parameters=parameters))

    async def replace_token(self, session_id: str, token: AccessToken) -> SessionView:
        """Hand in a new access token.

        Raises:
            TokenRefused: the broker does not take it either.
        """
        await self._runner(session_id)
        await self._ask_broker(token)
        await self._stores.tokens.put(session_id, token, expiry_of(token, self._clock.now()))
        return await self._command(session_id, TokenReplaced())

    async def stop(self, session_id: str) -> SessionView:
        """End the session."""
        view = await self._command(session_id, StopRequested(reason=StopReason.REQUESTED))
        await self._shell.projector.settled()
        return view

    def option_chain(self, session_id: str) -> OptionChain | None:
        """Return the newest polled chain of a session that runs here; None before the first poll."""
        runner = self._runners.get(session_id)
        return runner.desk.chain if runner and runner.desk else None

    async def candles(self, session_id: str) -> Sequence[Candle]:
        """Return today's candles of the session, oldest first."""
        if (runner := self._runners.get(session_id)) is not None:
            return runner.state.candles
        recovered = await recover(self._stores, session_id)
        return recovered.state.candles if recovered else ()

    async def journal(self, session_id: str, after: int, limit: int) -> Sequence[JournalEntry]:
        """Return journal entries with `seq > after`."""
        return await self._stores.journal.read(session_id, after=after, limit=limit)

    def health(self) -> Health:
        """Return how what the service depends on is doing, without asking anybody."""
        failing = self._shell.journal.failing_for
        store = f"the journal is unwritable for {failing:.1f} s" if failing > 1 else self._store_trouble
        return Health(
            store=Dependency(detail=store),
            venue=Dependency(detail=self._venue_trouble),
            sessions=dict(Counter(runner.state.status for runner in self._runners.values())),
        )

    async def _ask_broker(self, token: AccessToken | None) -> tuple[str | None, Calendar]:
        """Return whose token it is and the venue's calendar; ours when the broker does not answer."""
        if token is None:
            return None, Calendar()
        market = self._venue.market_data(token)
        try:
            profile = await market.profile()
            return profile.account, await market.calendar(self._venue.clock.now().year)
        except TokenRefused:
            raise
        except BrokerError as error:
            _log.warning("token not checked yet", error=str(error))
            return None, Calendar()

    async def _inherited(self, row: SessionRow) -> Ledger | None:
        """Return the ledger of the user's newest earlier session of the same venue, day and mode."""
        page = await self._stores.sessions.list(Query(user_id=row.user_id, limit=20), active=False)
        for earlier in page.items:
            if (earlier.venue, earlier.day, earlier.mode) == (row.venue, row.day, row.mode):
                recovered = await recover(self._stores, earlier.id)
                return recovered.state.ledger if recovered else None
        return None

    async def _command(self, session_id: str, event: Event) -> SessionView:
        runner = await self._runner(session_id)
        if self._shell.journal.failing_for:
            raise StoreUnavailable("the journal cannot be written now; nothing was done")
        try:
            async with asyncio.timeout(_COMMAND_TIMEOUT_S):
                state = await runner.ask(event)
        except TimeoutError as error:
            raise StoreUnavailable("the journal does not answer; the command takes effect when it does") from error
        row = await self._stores.sessions.get(session_id)
        if row is None:
            raise StoreError(f"session {session_id} has no row")
        return _with_state(row, state)

    async def _runner(self, session_id: str) -> SessionRunner:
        if (runner := self._runners.get(session_id)) is not None:
            return runner
        row = await self._stores.sessions.get(session_id)
        if row is not None and row.is_active:
            raise NotOwnedHere(session_id)
        raise SessionIsOver(session_id)

    def _view(self, row: SessionRow) -> SessionView:
        runner = self._runners[row.id]
        desk = runner.desk
        view = _with_state(row, runner.state)
        return view if desk is None else replace(view, feed_age_ms=desk.feed_age_ms(), late_ticks=desk.late_ticks)

    def _start(self, row: SessionRow, runner: SessionRunner) -> None:
        self._runners[row.id] = runner
        self._tasks[row.id] = asyncio.create_task(self._run(row, runner), name=f"session {row.id}")

    async def _run(self, row: SessionRow, runner: SessionRunner) -> None:
        try:
            await runner.run()
            await self._shell.projector.settled()
            await self._stores.tokens.delete(row.id)
            await self._stores.sessions.release(row.id, self._owner)
        except FenceLost as lost:
            _log.error("another owner runs this session", session_id=row.id, error=str(lost))
        except StoreError as error:
            _log.warning("session ended, its lease was not given back", session_id=row.id, error=str(error))
        except Exception:  # noqa: BLE001 - a task's root: nobody above it would hear of it
            _log.exception("session failed", session_id=row.id)
        finally:
            self._runners.pop(row.id, None)
            self._tasks.pop(row.id, None)

    async def _keep(self) -> None:
        """Keep our leases, take up sessions that nobody runs, and watch that the venue is the same."""
        while True:
            try:
                await self._free_the_dead()
                await self._renew()
                await self._adopt_abandoned()
                await self._watch_venue()
                self._store_trouble = None
            except StoreError as error:
                self._store_trouble = str(error)
                _log.warning("leases wait for the database", error=str(error))
            await asyncio.sleep(_RENEW_EVERY_S)

    async def _free_the_dead(self) -> None:
        """Free leases of processes of this host that have ended: they cannot come back."""
        page = await self._stores.sessions.list(Query(limit=1000), active=True)
        for row in page.items:
            if row.owner is not None and is_surely_dead(row.owner, self._owner):
                await self._stores.sessions.release(row.id, row.owner)

    async def _renew(self) -> None:
        ours = tuple(self._runners)
        if not ours:
            return
        kept = await self._stores.sessions.renew(ours, self._owner, self._clock.now() + LEASE)
        for lost in set(ours) - kept - {i for i in ours if i not in self._runners}:
            if not self._runners[lost].state.status.is_over:
                _log.error("lease lost", session_id=lost)
                self._tasks[lost].cancel()

    async def _adopt_abandoned(self) -> None:
        for row in await self._stores.sessions.abandoned(self._clock.now()):
            if row.id not in self._runners:
                await self._adopt(row)

    async def _adopt(self, row: SessionRow) -> None:
        now = self._clock.now()
        claimed = await self._stores.sessions.claim(row.id, self._owner, now, now + LEASE)
        if claimed is None:
            return
        recovered = await recover(self._stores, row.id)
        if recovered is None:
            await self._stores.sessions.set_status(row.id, Status.FAILED, _NEVER_BEGAN, row.account)
            return
        state = recovered.state
        runner = SessionRunner(self._shell, state, epoch=claimed.epoch, account=claimed.account)
        behind = await self._stores.journal.read(row.id, after=await self._stores.projections.projected(row.id))
        self._shell.projector.project(state, list(behind))
        self._shell.projector.status(state, claimed.account)
        if recovered.diverged_at is not None:
            runner.tell(Halted(by="service", reason=f"record {recovered.diverged_at} reads otherwise in this version"))
        _log.info("session taken up", session_id=row.id, seq=state.seq, epoch=claimed.epoch)
        self._start(claimed, runner)

    async def _watch_venue(self) -> None:
        try:
            name = await self._venue.name()
        except BrokerError as error:
            self._venue_trouble = str(error)
            return
        self._venue_trouble = None
        for runner in self._runners.values():
            if runner.state.venue != name:
                runner.tell(StopRequested(reason=StopReason.VENUE_GONE))

    async def _leave(self) -> None:
        """Stop running sessions without ending them, and give their leases back."""
        ours = dict(self._tasks)
        for task in ours.values():
            task.cancel()
        await asyncio.gather(*ours.values(), return_exceptions=True)
        try:
            async with asyncio.timeout(5):
                await self._shell.projector.settled()
                for session_id in ours:
                    await self._stores.sessions.release(session_id, self._owner)
        except (StoreError, TimeoutError) as error:
            _log.warning("left without giving all leases back", error=str(error))
        self.hub.close("restart")


def _created(row: SessionRow, day: TradingDay, parameters: Parameters, inherited: Ledger | None) -> SessionCreated:
    return SessionCreated(
        session_id=row.id,
        user_id=row.user_id,
        mode=row.mode,
        venue=row.venue,
        underlying=BANK_NIFTY,
        day=day,
        parameters=parameters,
        inherited=inherited,
    )


def _with_state(row: SessionRow, state: EngineState | None) -> SessionView:
    """Return the view; the row's status may lag behind the state's."""
    if state is not None:
        row = replace(row, status=state.status, reason=state.reason, is_active=not state.status.is_over)
    return SessionView(row=row, state=state)
