"""All sessions of this process: made in the app's lifespan, the one way to command a session."""

import asyncio
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import replace
from typing import Final

from algoexec.domain.errors import StoreError, StoreUnavailable
from algoexec.domain.market import Candle, Quote
from algoexec.domain.options import OptionChain
from algoexec.engine.effects import EntryRefused, OrderNews
from algoexec.engine.events import (
    EntryApproved,
    EntryDeclined,
    Event,
    FlattenRequested,
    Halted,
    Mode,
    OnShutdown,
    ParametersChanged,
    Resumed,
    StopReason,
    StopRequested,
    TokenReplaced,
    TradeRulesChanged,
)
from algoexec.engine.trading.risk import Refusal
from algoexec.engine.trading.rules import TradeRules
from algoexec.engine.transition import Transition
from algoexec.ports.clock import WallClock
from algoexec.ports.credentials import AccessToken
from algoexec.ports.egress import DIRECT, Egress, EgressPolicy
from algoexec.ports.observer import Observer
from algoexec.ports.spill import Spill
from algoexec.ports.stores import JournalEntry, Page, Query, SessionRow, Stores
from algoexec.ports.trading import KillSwitch, StoredOrder, order_id
from algoexec.ports.venue import Venue
from algoexec.runtime.beginnings import Beginnings, Wanted, require_journal
from algoexec.runtime.conflicts import NotOwnedHere, NotWaiting, OtherAccount, PositionOpen, SessionIsOver
from algoexec.runtime.desks import MarketDesks
from algoexec.runtime.hub import StreamHub
from algoexec.runtime.journal_writer import JournalWriter
from algoexec.runtime.kill_switch import KillSwitchKeeper, holding_for
from algoexec.runtime.observing import Observers
from algoexec.runtime.preflight import Check
from algoexec.runtime.projector import Projector
from algoexec.runtime.recovery import recover
from algoexec.runtime.runner import SessionRunner
from algoexec.runtime.running import RunningSessions
from algoexec.runtime.seat import OpenAccount, no_accounts
from algoexec.runtime.shell import Canonical, Shell
from algoexec.runtime.tokens import keep_secrets
from algoexec.runtime.views import Dependency, Health, SessionView, Vitals
from algoexec.strategy.parameters import Parameters
from algoexec.telemetry import logger

_COMMAND_TIMEOUT_S: Final = 10.0
_log = logger("registry")


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
        on_shutdown: OnShutdown | None = None,
        egress: EgressPolicy | None = None,
        observers: Iterable[Observer] = (),
    ) -> None:
        """Nothing runs before `running`; sessions trade at what `open_account` opens.

        Without `spill` even exits wait for the journal. Without `egress` orders leave directly, and
        carry no name of an algo. `on_shutdown` is what becomes of positions by `retire`; None: nothing.
        `observers` hear what sessions decide.
        """
        self.hub, self._on_shutdown = hub, on_shutdown
        self._stores, self._clock, self._venue = stores, clock, venue
        watching = Observers(observers)
        self._shell = Shell(
            journal=JournalWriter(stores.journal, clock, watching),
            spill=spill,
            projector=Projector(stores, clock),
            hub=hub,
            desks=MarketDesks(venue),
            tokens=stores.tokens,
            egresses=stores.egresses,
            egress=egress or EgressPolicy(),
            clock=venue.clock,
            wall=clock,
            canonical=canonical,
            open_account=open_account,
            observers=watching,
        )
        self._running = RunningSessions(self._shell, venue=venue, stores=stores, clock=clock)
        self._switches = KillSwitchKeeper(stores.kill_switches, self._running)
        self._beginnings = Beginnings(
            self._shell, venue=venue, stores=stores, switches=self._switches, owner=self._running.owner
        )

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Run sessions while the context lasts; those left active are taken up by the next start."""
        writers = [asyncio.create_task(self._shell.journal.run()), asyncio.create_task(self._shell.projector.run())]
        keepers = [asyncio.create_task(self._running.keep()), asyncio.create_task(self._switches.keep())]
        try:
            yield
        finally:
            await self.retire()
            # First: it would take up again what is being left.
            await _cancel(*keepers)
            await self._running.leave()
            self.hub.close("restart")
            await _cancel(*writers)

    async def retire(self) -> None:
        """Begin nothing any more and make safe what is held: the service is about to stop. Takes seconds at most."""
        if self._on_shutdown is not None:
            await self._running.retire(self._on_shutdown)

    async def create(
        self,
        *,
        user_id: str,
        token: AccessToken | None,
        mode: Mode,
        parameters: Parameters,
        rules: TradeRules | None = None,
        session_id: str | None = None,
        egress: Egress = DIRECT,
    ) -> SessionView:
        """Begin a session for the trading day under way, or else for the next one; raises as `Beginnings.begin`."""
        wanted = Wanted(
            user_id=user_id,
            token=token,
            mode=mode,
            parameters=parameters,
            rules=rules,
            session_id=session_id,
            egress=egress,
        )
        row, runner = await self._beginnings.begin(wanted)
        self._running.start(row, runner)
        return self._view(row)

    async def preflight(
        self, *, user_id: str, token: AccessToken | None, mode: Mode, egress: Egress = DIRECT
    ) -> tuple[Check, ...]:
        """Return what a session that this user began now would meet.

        Raises:
            ProxyNotAllowed: its orders would leave by a proxy that is none of the operator's.
            BrokerUnavailable: the simulator, whose name is needed, has never answered.
        """
        return await self._beginnings.preflight(user_id, token, mode, egress)

    async def preflight_of(self, view: SessionView) -> tuple[Check, ...]:
        """Return what the session meets now.

        Raises:
            StoreUnavailable: its token cannot be read.
        """
        return await self._beginnings.preflight_of(view.row, view.state)

    async def venue_name(self) -> str:
        """Return the venue's name; while it does not answer, the one it had.

        Raises:
            BrokerUnavailable: the simulator has never answered.
        """
        return await self._beginnings.venue_name()

    async def get(self, session_id: str, user_id: str | None) -> SessionView | None:
        """Return the session; None when there is none, or it belongs to another than `user_id`."""
        row = await self._stores.sessions.get(session_id, user_id)
        if row is None:
            return None
        if self._running.get(session_id) is not None:
            return self._view(row)
        recovered = await recover(self._stores, session_id)
        return SessionView.of(row, recovered.state if recovered else None)

    async def list(self, query: Query, *, active: bool | None = None) -> Page[SessionView]:
        """Return sessions, newest first."""
        page = await self._stores.sessions.list(query, active=active)
        views = []
        for row in page.items:
            if self._running.get(row.id) is not None:
                views.append(self._view(row))
            else:
                views.append(SessionView.of(row, await self._stores.snapshots.newest(row.id)))
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

    async def change_rules(self, session_id: str, rules: TradeRules) -> SessionView:
        """Trade by other rules; none of the day's limits becomes looser, the state says what holds."""
        return await self._command(session_id, TradeRulesChanged(rules=rules))

    async def flatten(self, session_id: str, *, by: str) -> SessionView:
        """Get out of everything; the session goes on. It is flat only when fills say so."""
        return await self._command(session_id, FlattenRequested(by=by))

    async def decide(self, session_id: str, decision: EntryApproved | EntryDeclined) -> OrderNews:
        """Hand a person's word on an offered entry over; return what is told of it then.

        An approved entry is sent at the next quote that allows it.

        Raises:
            NotWaiting: somebody, or something, was faster.
        """
        moved = await self._ask(session_id, decision)
        bodies = [frame.body for frame in moved.frames if isinstance(frame.body, OrderNews)]
        told = next((body for body in bodies if order_id(body) == decision.order_id), None)
        if told is None:
            raise NotWaiting("it was decided a moment ago")
        if isinstance(told, EntryRefused) and told.reason != Refusal.DECLINED:
            raise NotWaiting(f"{told.reason}: {told.detail}")
        return told

    async def order(self, name: str, user_id: str | None) -> StoredOrder | None:
        """Return what stands among the orders under that id as of now; None: nothing, or it is another's."""
        await self._lists_follow()
        return await self._stores.projections.order(name, user_id)

    async def replace_token(self, session_id: str, token: AccessToken, egress: Egress = DIRECT) -> SessionView:
        """Hand in a new access token; what `egress` does not say about how orders leave stays as it is.

        Raises:
            ProxyNotAllowed: they would leave by a proxy that is none of the operator's.
            TokenRefused: the broker does not take it either.
            OtherAccount: a session that trades stays at its account.
        """
        runner = await self._runner(session_id)
        self._shell.egress.require(egress)
        require_journal(self._shell)
        account, _ = await self._beginnings.ask_broker(token)
        row = await self._stores.sessions.get(session_id)
        known = None if row is None or runner.state.trading is None else row.account
        if None not in (account, known) and account != known:
            raise OtherAccount(f"the session trades at {known}, the token is of {account}")
        await keep_secrets(self._stores, session_id, token=token, egress=egress, now=self._clock.now())
        view = await self._command(session_id, TokenReplaced())
        self._shell.projector.status(runner.state, account)
        return view

    async def stop(self, session_id: str, *, flatten: bool = False, hand_over: bool = False) -> SessionView:
        """End the session as soon as it is flat; `flatten` sells what it holds, `hand_over` leaves it to the person.

        Raises:
            PositionOpen: it holds something, or an order of it is working.
        """
        state = (await self._runner(session_id)).state
        trade = None if state.trading is None else state.trading.trade
        if trade is not None and state.stopping is None and not (flatten or hand_over):
            raise PositionOpen(f"{trade.stage}: {trade.open_units} units of {trade.option.name} are held")
        reason = StopReason.HANDED_OVER if hand_over and trade is not None else StopReason.REQUESTED
        view = await self._command(session_id, StopRequested(reason=reason))
        await self._lists_follow()
        return view

    async def kill(self, switch: KillSwitch) -> None:
        """Throw a kill switch: whatever trades under it gets out and begins nothing, until it is taken back."""
        await self._stores.kill_switches.put(switch)
        await self._switches.tell()

    async def take_back(self, user_id: str | None) -> None:
        """Take back the kill switch of a user, or with None that of everybody."""
        await self._stores.kill_switches.delete(user_id)
        await self._switches.tell()

    async def killed(self, user_id: str | None) -> Sequence[KillSwitch]:
        """Return the switches that are on for a user; with None all that are on."""
        on = await self._stores.kill_switches.list()
        return on if user_id is None else holding_for(on, user_id)

    def option_chain(self, session_id: str) -> OptionChain | None:
        """Return the newest polled chain of a session that runs here; None before the first poll."""
        runner = self._running.get(session_id)
        return runner.desk.chain if runner and runner.desk else None

    def quotes(self, session_id: str) -> Sequence[Quote]:
        """Return the newest quote of everything that a session here follows; none where it follows nothing."""
        runner = self._running.get(session_id)
        return tuple(runner.desk.quotes.values()) if runner and runner.desk else ()

    async def candles(self, session_id: str) -> Sequence[Candle]:
        """Return today's candles of the session, oldest first."""
        if (runner := self._running.get(session_id)) is not None:
            return runner.state.candles
        recovered = await recover(self._stores, session_id)
        return recovered.state.candles if recovered else ()

    async def journal(self, session_id: str, after: int, limit: int) -> Sequence[JournalEntry]:
        """Return journal entries with `seq > after`."""
        return await self._stores.journal.read(session_id, after=after, limit=limit)

    def leave_soon(self) -> None:
        """The process is about to stop: from now on no entry is sent, and nobody should call any more."""
        self._shell.leaving.set()

    def health(self) -> Health:
        """Return how what the service depends on is doing, without asking anybody."""
        failing = self._shell.journal.failing_for
        store = f"the journal is unwritable for {failing:.1f} s" if failing > 1 else self._running.store_trouble
        return Health(
            store=Dependency(detail=store),
            venue=Dependency(detail=self._running.venue_trouble),
            sessions=self._running.by_status(),
            is_leaving=self._shell.leaving.is_set(),
        )

    def vitals(self) -> Vitals:
        """Return how old what the sessions of this process go by is, without asking anybody."""
        return Vitals.of(self._shell.desks.in_use(), self._venue, self.hub)

    async def _command(self, session_id: str, event: Event) -> SessionView:
        moved = await self._ask(session_id, event)
        row = await self._stores.sessions.get(session_id)
        if row is None:
            raise StoreError(f"session {session_id} has no row")
        return SessionView.of(row, moved.state)

    async def _ask(self, session_id: str, event: Event) -> Transition:
        runner = await self._runner(session_id)
        require_journal(self._shell)
        try:
            async with asyncio.timeout(_COMMAND_TIMEOUT_S):
                return await runner.ask(event)
        except TimeoutError as error:
            raise StoreUnavailable("the journal does not answer; the command takes effect when it does") from error

    async def _lists_follow(self) -> None:
        """Return once the lists hold what has happened; where they cannot be written, they follow later."""
        with suppress(TimeoutError):
            async with asyncio.timeout(_COMMAND_TIMEOUT_S):
                await self._shell.projector.settled()

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
        view, desk = SessionView.of(row, runner.state), runner.desk
        return view if desk is None else replace(view, feed_age_ms=desk.feed_age_ms(), late_ticks=desk.late_ticks)


async def _cancel(*tasks: asyncio.Task[None]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
