"""All sessions of this process: made in the app's lifespan, the one way to command a session."""

import asyncio
import secrets
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, replace
from typing import Final

from algoexec.domain.calendar import Calendar, TradingDay
from algoexec.domain.errors import (
    AlgoexecError,
    BrokerError,
    BrokerUnavailable,
    DecodeError,
    DomainError,
    StoreError,
    StoreUnavailable,
    TokenRefused,
)
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
from algoexec.ports.spill import Spill
from algoexec.ports.stores import JournalEntry, Page, Query, SessionRow, Stores
from algoexec.ports.venue import Venue
from algoexec.runtime.desks import MarketDesks
from algoexec.runtime.hub import StreamHub
from algoexec.runtime.journal_writer import JournalWriter
from algoexec.runtime.projector import Projector
from algoexec.runtime.recovery import recover
from algoexec.runtime.runner import SessionRunner
from algoexec.runtime.running import LEASE, NEVER_BEGAN, RunningSessions
from algoexec.runtime.seat import OpenAccount, no_accounts
from algoexec.runtime.shell import Canonical, Shell
from algoexec.runtime.tokens import expiry_of
from algoexec.strategy.decision import Ledger
from algoexec.strategy.parameters import Parameters
from algoexec.telemetry import logger

_COMMAND_TIMEOUT_S: Final = 10.0
_BEGIN_TIMEOUT_S: Final = 5.0
"""Well within the lease: after it a session that was not begun is taken for abandoned."""
_ALPHABET: Final = "abcdefghijklmnopqrstuvwxyz0123456789"
_ID_LENGTH: Final = 16
"""So that a session's client order ids fit the broker's tag of 40 characters."""


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

    def __init__(
        self,
        *,
        venue: Venue,
        stores: Stores,
        hub: StreamHub,
        clock: WallClock,
        canonical: Canonical,
        open_account: OpenAccount = no_accounts,
        spill: Spill | None = None,
    ) -> None:
        """Nothing runs before `running`; sessions trade at what `open_account` opens.

        Without `spill` even exits wait for the journal.
        """
        self.hub = hub
        self._venue, self._stores, self._clock = venue, stores, clock
        self._venue_name: str | None = None
        self._shell = Shell(
            journal=JournalWriter(stores.journal, clock),
            spill=spill,
            projector=Projector(stores, clock),
            hub=hub,
            desks=MarketDesks(venue),
            tokens=stores.tokens,
            clock=venue.clock,
            wall=clock,
            canonical=canonical,
            open_account=open_account,
        )
        self._running = RunningSessions(self._shell, venue=venue, stores=stores, clock=clock)

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Run sessions while the context lasts; those left active are taken up by the next start."""
        writers = [asyncio.create_task(self._shell.journal.run()), asyncio.create_task(self._shell.projector.run())]
        keeper = asyncio.create_task(self._running.keep())
        try:
            yield
        finally:
            # First: it would take up again what is being left.
            await _cancel(keeper)
            await self._running.leave()
            self.hub.close("restart")
            await _cancel(*writers)

    async def create(
        self, *, user_id: str, token: AccessToken | None, mode: Mode, parameters: Parameters
    ) -> SessionView:
        """Begin a session for the trading day under way, or else for the next one.

        Raises:
            ActiveSessionExists: the user has one at this venue.
            TokenRefused: the broker does not take the token.
            BrokerUnavailable: the simulator, whose name is needed, does not answer.
            StoreUnavailable: nothing was begun, or the session will be seen in the list when it was.
        """
        self._require_journal()
        venue = await self.venue_name()
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
            owner=self._running.owner,
            epoch=1,
            lease_until=now + LEASE,
        )
        await self._stores.sessions.create(row)
        try:
            async with asyncio.timeout(_BEGIN_TIMEOUT_S):
                # Only now: until then an earlier session could still be under way.
                created = _created(row, day, parameters, await self._inherited(row))
                if token is not None:
                    await self._stores.tokens.put(row.id, token, expiry_of(token, now))
                runner = await SessionRunner.begin(self._shell, created, epoch=row.epoch, account=account)
        except TimeoutError as error:
            # Its record may yet become durable: the keeper finds out, and takes it up or buries it.
            raise StoreUnavailable("the journal does not answer; see whether the session was begun") from error
        except AlgoexecError:
            with suppress(StoreError):  # else the next keeper finds a session that never began
                await self._stores.sessions.set_status(row.id, Status.FAILED, NEVER_BEGAN, account)
                await self._stores.tokens.delete(row.id)
            raise
        self._running.start(row, runner)
        return self._view(row)

    async def venue_name(self) -> str:
        """Return the venue's name; while it does not answer, the one it had.

        Raises:
            BrokerUnavailable: the simulator has never answered.
        """
        try:
            self._venue_name = await self._venue.name()
        except BrokerUnavailable:
            if self._venue_name is None:
                raise
        return self._venue_name

    async def get(self, session_id: str, user_id: str | None) -> SessionView | None:
        """Return the session; None when there is none, or it belongs to another than `user_id`."""
        row = await self._stores.sessions.get(session_id, user_id)
        if row is None:
            return None
        if self._running.get(session_id) is not None:
            return self._view(row)
        recovered = await recover(self._stores, session_id)
        return _with_state(row, recovered.state if recovered else None)

    async def list(self, query: Query, *, active: bool | None = None) -> Page[SessionView]:
        """Return sessions, newest first."""
        page = await self._stores.sessions.list(query, active=active)
        views = []
        for row in page.items:
            if self._running.get(row.id) is not None:
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
        runner = await self._runner(session_id)
        self._require_journal()
        account, _ = await self._ask_broker(token)
        await self._stores.tokens.put(session_id, token, expiry_of(token, self._clock.now()))
        view = await self._command(session_id, TokenReplaced())
        self._shell.projector.status(runner.state, account)
        return view

    async def stop(self, session_id: str) -> SessionView:
        """End the session."""
        view = await self._command(session_id, StopRequested(reason=StopReason.REQUESTED))
        with suppress(TimeoutError):  # it has ended all the same; the lists follow
            async with asyncio.timeout(_COMMAND_TIMEOUT_S):
                await self._shell.projector.settled()
        return view

    def option_chain(self, session_id: str) -> OptionChain | None:
        """Return the newest polled chain of a session that runs here; None before the first poll."""
        runner = self._running.get(session_id)
        return runner.desk.chain if runner and runner.desk else None

    async def candles(self, session_id: str) -> Sequence[Candle]:
        """Return today's candles of the session, oldest first."""
        if (runner := self._running.get(session_id)) is not None:
            return runner.state.candles
        recovered = await recover(self._stores, session_id)
        return recovered.state.candles if recovered else ()

    async def journal(self, session_id: str, after: int, limit: int) -> Sequence[JournalEntry]:
        """Return journal entries with `seq > after`."""
        return await self._stores.journal.read(session_id, after=after, limit=limit)

    def health(self) -> Health:
        """Return how what the service depends on is doing, without asking anybody."""
        failing = self._shell.journal.failing_for
        store = f"the journal is unwritable for {failing:.1f} s" if failing > 1 else self._running.store_trouble
        return Health(
            store=Dependency(detail=store),
            venue=Dependency(detail=self._running.venue_trouble),
            sessions=self._running.by_status(),
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
        except (BrokerError, DecodeError) as error:
            _log.warning("token not checked yet", error=str(error))
            return None, Calendar()

    async def _inherited(self, row: SessionRow) -> Ledger | None:
        """Return the ledger of the user's newest earlier session of the same venue, day and mode."""
        page = await self._stores.sessions.list(Query(user_id=row.user_id, limit=20), active=False)
        for earlier in page.items:
            if (earlier.venue, earlier.day, earlier.mode) != (row.venue, row.day, row.mode):
                continue
            try:
                recovered = await recover(self._stores, earlier.id)
            except (DecodeError, DomainError):
                _log.exception("an earlier session cannot be read; nothing is inherited from it", session_id=earlier.id)
                continue
            if recovered is not None:
                return recovered.state.ledger
        return None

    async def _command(self, session_id: str, event: Event) -> SessionView:
        runner = await self._runner(session_id)
        self._require_journal()
        try:
            async with asyncio.timeout(_COMMAND_TIMEOUT_S):
                state = await runner.ask(event)
        except TimeoutError as error:
            raise StoreUnavailable("the journal does not answer; the command takes effect when it does") from error
        row = await self._stores.sessions.get(session_id)
        if row is None:
            raise StoreError(f"session {session_id} has no row")
        return _with_state(row, state)

    def _require_journal(self) -> None:
        if self._shell.journal.failing_for:
            raise StoreUnavailable("the journal cannot be written now; nothing was done")

    async def _runner(self, session_id: str) -> SessionRunner:
        if (runner := self._running.get(session_id)) is not None:
            if runner.state.status.is_over:
                raise SessionIsOver(session_id)
            return runner
        row = await self._stores.sessions.get(session_id)
        if row is not None and row.is_active:
            raise NotOwnedHere(session_id)
        raise SessionIsOver(session_id)

    def _view(self, row: SessionRow) -> SessionView:
        """Return a session as it is here; one that has just ended, as it is stored."""
        runner = self._running.get(row.id)
        if runner is None:
            return SessionView(row=row, state=None)
        view, desk = _with_state(row, runner.state), runner.desk
        return view if desk is None else replace(view, feed_age_ms=desk.feed_age_ms(), late_ticks=desk.late_ticks)


async def _cancel(*tasks: asyncio.Task[None]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


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
    if state is not None and row.is_active:  # a row that is over has the last word: its session may have been buried
        row = replace(row, status=state.status, reason=state.reason, is_active=not state.status.is_over)
    return SessionView(row=row, state=state)
