"""How a session begins, and what stands in its way."""

import asyncio
import secrets
from contextlib import suppress
from dataclasses import dataclass
from typing import Final

from algoexec.domain.calendar import Calendar, TradingDay
from algoexec.domain.errors import (
    AlgoexecError,
    BrokerError,
    BrokerUnavailable,
    DecodeError,
    StoreError,
    StoreUnavailable,
    TokenRefused,
)
from algoexec.domain.instruments import BANK_NIFTY
from algoexec.engine.effects import Status
from algoexec.engine.events import Halted, Mode, SessionCreated
from algoexec.engine.state import EngineState
from algoexec.engine.trading.rules import TradeRules
from algoexec.ports.credentials import AccessToken
from algoexec.ports.egress import DIRECT, Egress
from algoexec.ports.stores import SessionRow, Stores
from algoexec.ports.venue import Venue
from algoexec.runtime.inheritance import Inheritance, inherited
from algoexec.runtime.kill_switch import KillSwitchKeeper
from algoexec.runtime.preflight import Check, Subject, preflight
from algoexec.runtime.runner import SessionRunner
from algoexec.runtime.running import LEASE, NEVER_BEGAN
from algoexec.runtime.shell import Shell
from algoexec.runtime.tokens import forget_secrets, keep_secrets
from algoexec.strategy.parameters import Parameters
from algoexec.telemetry import logger

_BEGIN_TIMEOUT_S: Final = 5.0
"""Well within the lease: after it a session that was not begun is taken for abandoned."""
_ALPHABET: Final = "abcdefghijklmnopqrstuvwxyz0123456789"
ID_LENGTH: Final = 16
"""So that a session's client order ids fit the broker's tag of 40 characters."""

_log = logger("registry")


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """A session to begin.

    `token` None: it will ask for one. `rules` None: the defaults where something is traded.
    `session_id` None: a new one; whoever gives one has seen to it that there is no such session.
    `egress` is how its orders leave.
    """

    user_id: str
    token: AccessToken | None
    mode: Mode
    parameters: Parameters
    rules: TradeRules | None = None
    session_id: str | None = None
    egress: Egress = DIRECT


class Beginnings:
    """Begins sessions for one owner of leases."""

    def __init__(
        self,
        shell: Shell,
        *,
        venue: Venue,
        stores: Stores,
        switches: KillSwitchKeeper,
        owner: str,
    ) -> None:
        """Begin none yet."""
        self._shell, self._venue, self._stores = shell, venue, stores
        self._switches, self._owner = switches, owner
        self._venue_name: str | None = None

    async def begin(self, wanted: Wanted) -> tuple[SessionRow, SessionRunner]:
        """Begin a session for the trading day under way, or else for the next one.

        Limits, counters and halts of an earlier session of the day go on: none of the day's
        limits becomes looser.

        Raises:
            ActiveSessionExists: the user has one at this venue.
            AccountInUse: another user trades live at this account.
            KillSwitchOn: nothing that trades may begin.
            ProxyNotAllowed: its orders would leave by a proxy that is none of the operator's.
            TokenRefused: the broker does not take the token.
            BrokerUnavailable: the simulator, whose name is needed, does not answer; or, live, nobody says
                whose account it is.
            StoreUnavailable: nothing was begun, or the session will be seen in the list when it was.
        """
        self._shell.egress.require(wanted.egress)
        require_journal(self._shell)
        if wanted.mode is not Mode.SIGNALS:
            await self._switches.require_off(wanted.user_id)
        row, day = await self._new_row(wanted.user_id, wanted.mode, wanted.token, wanted.session_id)
        if wanted.mode is Mode.LIVE and row.account is None:
            # Whose losses count, and whether another session trades there, could not be said.
            raise BrokerUnavailable("the broker does not say whose account it is")
        await self._stores.sessions.create(row)
        return row, await self._journaled(row, day, wanted)

    async def preflight(self, user_id: str, token: AccessToken | None, mode: Mode, egress: Egress) -> tuple[Check, ...]:
        """Return what a session that this user began now would meet.

        Raises:
            ProxyNotAllowed: its orders would leave by a proxy that is none of the operator's.
            BrokerUnavailable: the simulator, whose name is needed, has never answered.
        """
        self._shell.egress.require(egress)
        try:
            row, _ = await self._new_row(user_id, mode, token)
        except TokenRefused:
            row, _ = await self._new_row(user_id, mode, None)
        return await self._look(row, None, token, egress)

    async def preflight_of(self, row: SessionRow, state: EngineState | None) -> tuple[Check, ...]:
        """Return what a session meets now.

        Raises:
            StoreUnavailable: its token cannot be read.
        """
        token = await self._stores.tokens.get(row.id, self._shell.wall.now())
        try:
            egress = await self._stores.egresses.get(row.id)
        except DecodeError:
            return await self._look(row, state, token, None)
        return await self._look(row, state, token, egress)

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

    async def ask_broker(self, token: AccessToken | None) -> tuple[str | None, Calendar]:
        """Return whose token it is and the venue's calendar; None and our own when the broker does not answer.

        Raises:
            TokenRefused: it is nobody's.
        """
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

    async def _new_row(
        self, user_id: str, mode: Mode, token: AccessToken | None, session_id: str | None = None
    ) -> tuple[SessionRow, TradingDay]:
        """Return the row that a session would have, and its day."""
        venue = await self.venue_name()
        account, calendar = await self.ask_broker(token)
        day = calendar.next_day(self._shell.clock.now())
        now = self._shell.wall.now()
        row = SessionRow(
            id=session_id or "".join(secrets.choice(_ALPHABET) for _ in range(ID_LENGTH)),
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
        return row, day

    async def _journaled(self, row: SessionRow, day: TradingDay, wanted: Wanted) -> SessionRunner:
        """Journal the beginning of a session that has its row, or bury it."""
        try:
            async with asyncio.timeout(_BEGIN_TIMEOUT_S):
                # Only now: until then an earlier session could still be under way.
                left = await inherited(self._stores, row)
                now = self._shell.wall.now()
                await keep_secrets(self._stores, row.id, token=wanted.token, egress=wanted.egress, now=now)
                created = _created(row, day, wanted, left)
                runner = await SessionRunner.begin(self._shell, created, epoch=row.epoch, account=row.account)
        except TimeoutError as error:
            # Its record may yet become durable: the keeper finds out, and takes it up or buries it.
            raise StoreUnavailable("the journal does not answer; see whether the session was begun") from error
        except AlgoexecError:
            with suppress(StoreError):  # else the next keeper finds a session that never began
                await self._stores.sessions.set_status(row.id, Status.FAILED, NEVER_BEGAN, row.account)
                await forget_secrets(self._stores, row.id)
            raise
        if left.halted is not None:
            runner.tell(Halted(by=f"session {left.heir_of}", reason=left.halted))
        return runner

    async def _look(
        self, row: SessionRow, state: EngineState | None, token: AccessToken | None, egress: Egress | None
    ) -> tuple[Check, ...]:
        return await preflight(
            Subject(
                row=row,
                state=state,
                token=token,
                egress=egress,
                policy=self._shell.egress,
                venue=self._venue,
                stores=self._stores,
            )
        )


def require_journal(shell: Shell) -> None:
    """Return if the journal can be written, as far as is known.

    Raises:
        StoreUnavailable: it cannot.
    """
    if shell.journal.failing_for:
        raise StoreUnavailable("the journal cannot be written now; nothing was done")


def _created(row: SessionRow, day: TradingDay, wanted: Wanted, left: Inheritance) -> SessionCreated:
    return SessionCreated(
        session_id=row.id,
        user_id=row.user_id,
        mode=row.mode,
        venue=row.venue,
        underlying=BANK_NIFTY,
        day=day,
        parameters=wanted.parameters,
        inherited=left.ledger,
        rules=None if row.mode is Mode.SIGNALS else left.limited(wanted.rules or TradeRules()),
        tally=left.tally,
    )
