"""Whether a session could trade now: one small check for each thing that it needs."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Final, NamedTuple, Protocol, runtime_checkable

from algoexec.domain.calendar import IST
from algoexec.domain.errors import BrokerError, BrokerRefused, DecodeError, StoreError, TokenRefused
from algoexec.domain.instruments import BANK_NIFTY
from algoexec.engine.events import Mode
from algoexec.engine.state import EngineState
from algoexec.ports.credentials import AccessToken
from algoexec.ports.egress import DIRECT, Egress, EgressPolicy, ProxyNotAllowed
from algoexec.ports.stores import SessionRow, Stores
from algoexec.ports.venue import Venue
from algoexec.runtime.inheritance import inherited
from algoexec.runtime.kill_switch import reason_for

WITHIN_S: Final = 10.0
"""Wall seconds that a check may take."""

LARGEST_OFFSET: Final = timedelta(seconds=2)
"""So far may this machine's clock be from the exchange's: a mark counts as fresh for 5 s."""


class Finding(NamedTuple):
    """What a check found. `ok` None: it is not known, or does not matter here."""

    detail: str
    ok: bool | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """One thing that trading needs. `ok` None: it is not known, or does not matter; `detail` is for a person."""

    name: str
    ok: bool | None
    detail: str


def is_green(checks: tuple[Check, ...]) -> bool:
    """Whether nothing is known to be in the way."""
    return all(check.ok is not False for check in checks)


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """Who would trade, and with what.

    `row` is the session, which need not be stored; `state` None: it does not run yet. `egress` is
    how its orders would leave, None: that cannot be read any more. `policy` is what the operator says of it.
    """

    row: SessionRow
    state: EngineState | None
    token: AccessToken | None
    egress: Egress | None
    policy: EgressPolicy
    venue: Venue
    stores: Stores


async def preflight(subject: Subject) -> tuple[Check, ...]:
    """Look at everything; nothing is raised, for what cannot be asked is a finding too."""
    return tuple(await asyncio.gather(*(_look(name, check, subject) for name, check in _CHECKS.items())))


async def _look(name: str, check: Callable[[Subject], Awaitable[Finding]], subject: Subject) -> Check:
    try:
        async with asyncio.timeout(WITHIN_S):
            found = await check(subject)
    except (BrokerError, DecodeError, StoreError, ProxyNotAllowed) as error:
        found = Finding(str(error) or type(error).__name__, ok=False)
    except TimeoutError:
        found = Finding(f"no answer within {WITHIN_S:g} s", ok=False)
    return Check(name=name, ok=found.ok, detail=found.detail)


async def _token(subject: Subject) -> Finding:
    if subject.token is None:
        return Finding("there is no living access token", ok=False)
    account = (await subject.venue.market_data(subject.token).profile()).account
    if subject.row.account not in (None, account):
        return Finding(f"the token is of account {account}, the session trades at {subject.row.account}", ok=False)
    return Finding(account, ok=True)


async def _funds(subject: Subject) -> Finding:
    if subject.row.mode is not Mode.LIVE:
        return Finding(f"mode {subject.row.mode} spends no money")
    if subject.token is None:
        return _NOT_ASKED
    funds = await subject.venue.broker(subject.token).funds()
    return Finding(f"{funds / 100:.2f} rupees can be spent", ok=funds > 0)


async def _calendar(subject: Subject) -> Finding:
    if subject.token is None:
        return _NOT_ASKED
    now = subject.venue.clock.now()
    try:
        day = (await subject.venue.market_data(subject.token).calendar(now.year)).next_day(now)
    except ValueError as error:
        return Finding(str(error), ok=False)
    hours = f"{day.opens_at.astimezone(IST):%H:%M} to {day.closes_at.astimezone(IST):%H:%M} IST"
    word = "the market is open" if day.opens_at <= now else "the session would wait for the open"
    return Finding(f"{word}: {day.date.isoformat()}, {hours}", ok=True)


async def _instruments(subject: Subject) -> Finding:
    if subject.token is None:
        return _NOT_ASKED
    contracts = await subject.venue.market_data(subject.token).contracts(BANK_NIFTY, subject.venue.clock.now())
    detail = f"{len(contracts.options)} options expire on {contracts.expiry.isoformat()}"
    return Finding(detail, ok=bool(contracts.options))


async def _breaker(subject: Subject) -> Finding:
    if subject.state is not None:
        tally = None if subject.state.trading is None else subject.state.trading.tally
    else:
        tally = (await inherited(subject.stores, subject.row)).tally
    lock = None if tally is None else tally.lock
    return Finding("not locked" if lock is None else f"locked for the day: {lock}", ok=lock is None)


async def _kill_switch(subject: Subject) -> Finding:
    reason = reason_for(await subject.stores.kill_switches.list(), subject.row.user_id)
    return Finding("off" if reason is None else f"on: {reason}", ok=reason is None)


async def _algo_name(subject: Subject) -> Finding:
    name = subject.policy.algo_of(subject.egress or DIRECT)
    return Finding("none is set; orders carry none" if name is None else f"orders carry {name}")


async def _static_ip(subject: Subject) -> Finding:
    """Ask the broker, by the way by which orders leave: so a proxy that does not work is found too."""
    if subject.row.mode is not Mode.LIVE:
        return Finding(f"mode {subject.row.mode} sends no order")
    if subject.token is None:
        return _NOT_ASKED
    if (egress := subject.egress) is None:
        return Finding("the session's egress proxy cannot be read any more: hand in token and proxy anew", ok=False)
    subject.policy.require(egress)
    try:
        told = await subject.venue.addresses(subject.token, egress)
    except TokenRefused:
        raise
    except BrokerRefused as error:
        return Finding(f"the broker does not say which addresses are registered: {error}")
    if not told.registered:
        word = "the broker refuses orders until one is" if told.are_required else "this venue does not ask for one"
        return Finding(f"no address is registered; {word}", ok=False if told.are_required else None)
    by = "directly" if egress.proxy is None else f"by {egress.proxy.place}"
    registered = f"{' and '.join(told.registered)} registered with the broker"
    if (ours := subject.policy.address_of(egress)) is None:
        return Finding(f"{registered}; from where orders that leave {by} come is not set up, so not compared")
    return Finding(f"{registered}; orders leave {by}, from {ours}", ok=ours in told.registered)


async def _clock(subject: Subject) -> Finding:
    clock = subject.venue.clock
    if not isinstance(clock, Measured):
        return Finding("market time is the venue's own")
    if clock.offset is None:
        return Finding("no stamp of the exchange was seen yet")
    told = f"{clock.offset.total_seconds():+.3f} s from the exchange's"
    return Finding(f"this machine's clock is {told}", ok=abs(clock.offset) <= LARGEST_OFFSET)


@runtime_checkable
class Measured(Protocol):
    """A clock of this machine whose distance to the exchange's is measured; None: not yet."""

    @property
    def offset(self) -> timedelta | None: ...


_NOT_ASKED: Final = Finding("not asked without an access token")

_CHECKS: Final[Mapping[str, Callable[[Subject], Awaitable[Finding]]]] = {
    "token": _token,
    "funds": _funds,
    "calendar": _calendar,
    "instruments": _instruments,
    "breaker": _breaker,
    "kill_switch": _kill_switch,
    "algo_name": _algo_name,
    "static_ip": _static_ip,
    "clock": _clock,
}
"""In the order in which they are told."""
