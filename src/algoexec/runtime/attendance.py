"""Keeps a session where its market is: at a desk, and if it trades, in a seat at its account."""

import asyncio
from collections.abc import Awaitable
from datetime import datetime
from typing import Any, Final, Protocol

from algoexec.domain.errors import DecodeError, StoreUnavailable
from algoexec.engine.effects import Status
from algoexec.engine.events import DayPrepared, DeadlinePassed, Event, FeedChanged, FeedStatus, TokenRejected, WarmedUp
from algoexec.engine.state import EngineState
from algoexec.engine.trading.flow import held_options
from algoexec.engine.transition import Transition
from algoexec.ports.credentials import AccessToken
from algoexec.ports.egress import Egress, ProxyNotAllowed
from algoexec.runtime.desk import Listener, MarketDesk
from algoexec.runtime.seat import LONGEST_REQUEST_S, TradingSeat
from algoexec.runtime.shell import Shell
from algoexec.runtime.waiting import Pulse, backoff
from algoexec.telemetry import logger

_MARKET: Final = frozenset({Status.STARTING, Status.WARMING_UP, Status.RUNNING, Status.STOPPING})
"""The statuses in which a session follows the market."""

_OPEN_AGAIN_AFTER_S: Final = 10.0
"""Wall seconds before a desk that has failed is opened anew: what broke it may do so again."""

_log = logger("attendance")


class Session(Listener, Protocol):
    """A session as its attendance sees it."""

    state: EngineState
    changed: Pulse
    lease_until: float

    def ask(self, event: Event) -> Awaitable[Transition]:
        """Put an event into the inbox; return what came of it once that is durable."""

    def want_mark(self) -> None:
        """Have the newest prices stepped."""

    def market_time(self) -> datetime:
        """Return the market time."""


class Attendance:
    """One session's way to the market and back."""

    def __init__(self, shell: Shell, session: Session) -> None:
        """Attend for `session`; call `follow`."""
        self._shell, self._session = shell, session
        self.desk: MarketDesk | None = None
        """The desk the session is attached to now."""
        self.seat: TradingSeat | None = None
        """Where it trades now."""

    async def follow(self) -> None:
        """Stay attached to a desk whenever the session's status asks for the market."""
        while True:
            await self._session.changed.until(lambda: self._session.state.status in _MARKET)
            token = await self._token()
            if token is None:
                await self._session.ask(TokenRejected(detail="no living access token; hand one in"))
                continue
            async with self._shell.desks.use(token, self._session.state.underlying, self._session.state.day) as desk:
                await self._stay_at(desk, token)
                has_failed = desk.closed.is_set() and desk.refusal is None
            if has_failed:
                await asyncio.sleep(_OPEN_AGAIN_AFTER_S)
            await self._take_refusal(desk, token)
            if self._is_watching():
                await self._session.ask(FeedChanged(status=FeedStatus.LOST, detail="its token is refused"))

    async def _take_refusal(self, desk: MarketDesk, token: AccessToken) -> None:
        """Say that a new token is needed, if this one was refused: a new one may have been handed in before."""
        if desk.refusal is not None and await self._token() in (token, None):
            await self._session.ask(TokenRejected(detail=desk.refusal))

    def _is_watching(self) -> bool:
        """Whether all that keeps the session at its desk is what it holds: its token is dead."""
        state = self._session.state
        return state.status is Status.NEEDS_TOKEN and bool(held_options(state))

    async def _token(self) -> AccessToken | None:
        for pause in backoff(0.5, 5.0):
            try:
                return await self._shell.tokens.get(self._session.state.session_id, self._shell.wall.now())
            except StoreUnavailable as error:
                _log.warning("token not read yet", error=str(error))
                await asyncio.sleep(pause)
        raise AssertionError("backoff never ends")

    async def _egress(self) -> Egress:
        """Return how the session's orders leave.

        Raises:
            DecodeError: it cannot be read any more.
            ProxyNotAllowed: the operator allows it no longer.
        """
        for pause in backoff(0.5, 5.0):
            try:
                egress = await self._shell.egresses.get(self._session.state.session_id)
            except StoreUnavailable as error:
                _log.warning("egress not read yet", error=str(error))
                await asyncio.sleep(pause)
            else:
                self._shell.egress.require(egress)
                return egress
        raise AssertionError("backoff never ends")

    async def _stay_at(self, desk: MarketDesk, token: AccessToken) -> None:
        """Work at a desk until it closes or the session leaves the market.

        A dead token alone is no reason to go while something is held and its price still comes.
        """
        changed = self._session.changed
        left = asyncio.ensure_future(changed.until(lambda: self._session.state.status not in _MARKET))
        work = asyncio.ensure_future(self._work_at(desk, token))
        refused = asyncio.ensure_future(desk.refused.wait())
        closed = asyncio.ensure_future(desk.closed.wait())
        waiting: list[asyncio.Future[Any]] = [left, work, refused, closed]
        try:
            await asyncio.wait((left, refused, closed, work), return_when=asyncio.FIRST_COMPLETED)
            if work.done() and not work.result():
                await asyncio.wait((left, refused, closed), return_when=asyncio.FIRST_COMPLETED)
            await self._take_refusal(desk, token)
            freed = asyncio.ensure_future(changed.until(lambda: not self._is_watching()))
            waiting.append(freed)
            await asyncio.wait((freed, closed), return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in waiting:
                task.cancel()
            await asyncio.wait(waiting)
            self.desk = None
            await desk.detach(self._session)

    async def _work_at(self, desk: MarketDesk, token: AccessToken) -> bool:
        """Bring the session up to what the desk knows, let it listen, and trade; return whether it had to stop that."""
        opened = await desk.opened()
        if opened is None:
            return False
        if self._session.state.contracts is None:
            await self._session.ask(DayPrepared(contracts=opened.contracts))
        if not self._session.state.warm:
            today = await opened.minutes.past(self._session.state.started_at)
            await self._session.ask(WarmedUp(history=opened.history, today=today))
        self.desk = desk
        await desk.subscribe(self._session, self._session.state.tracked)
        desk.attach(self._session, opened)
        if self._session.state.trading is None:
            return False
        await self._trade(desk, token)
        await self._session.ask(DeadlinePassed())  # what it told at last has been taken in then
        return True

    async def _trade(self, desk: MarketDesk, token: AccessToken) -> None:
        """Sit at the session's account until cancelled, or until the broker refuses the token."""
        try:
            egress = await self._egress()
        except (DecodeError, ProxyNotAllowed) as error:
            # By another way its orders would come from an address that is not the user's.
            await self._session.ask(TokenRejected(detail=f"{error}; hand in token and proxy anew"))
            return
        seat = TradingSeat(
            self._shell.open_account(self._session.state, token, egress),
            state=lambda: self._session.state,
            tell=self._session.tell,
            quotes=desk.quotes,
            may_send=self._may_send,
            is_leaving=self._shell.leaving.is_set,
            now=lambda: self._session.market_time(),
        )
        self.seat = seat
        try:
            self._session.want_mark()
            await seat.run()
        finally:
            self.seat = None

    def _may_send(self) -> bool:
        """Whether the session is surely ours for as long as a request may take.

        While the journal is down a lease cannot be renewed, by nobody: what may go out then, exits, does.
        """
        return bool(self._shell.journal.failing_for) or (
            self._shell.wall.monotonic() + LONGEST_REQUEST_S < self._session.lease_until
        )
