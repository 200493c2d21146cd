"""What the sessions of a day leave to those after them: counters, limits and halts do not end with a session."""

from dataclasses import dataclass, replace
from typing import Final

from algoexec.domain.errors import DecodeError, DomainError
from algoexec.engine.events import Mode
from algoexec.engine.state import EngineState
from algoexec.engine.trading.rules import TradeRules, tightened
from algoexec.engine.trading.tally import Tally
from algoexec.ports.stores import SessionRow, Stores
from algoexec.runtime.recovery import recover
from algoexec.strategy.decision import Ledger
from algoexec.telemetry import logger

UNREADABLE: Final = "EARLIER_SESSION_UNREADABLE"
"""The lock of a day whose losses cannot be known."""

_log = logger("registry")


@dataclass(frozen=True, slots=True, kw_only=True)
class Inheritance:
    """What earlier sessions of the same venue, day and mode leave to a new one; None: nothing.

    The ledger is the user's; all else belongs to the broker account. `rules` are those that
    held last, `halted` is why entries were forbidden, `heir_of` the session that says so.
    """

    ledger: Ledger | None = None
    tally: Tally | None = None
    rules: TradeRules | None = None
    halted: str | None = None
    heir_of: str | None = None

    def limited(self, wanted: TradeRules) -> TradeRules:
        """Return `wanted`, but with none of the day's limits looser than they were: those count from tomorrow."""
        return wanted if self.rules is None else tightened(self.rules, wanted)


async def inherited(stores: Stores, row: SessionRow) -> Inheritance:
    """Return what is left to the session `row`, which need not be stored.

    An earlier session that cannot be read leaves no ledger, but a lock: what it lost is not known.
    """
    found = Inheritance()
    for earlier in await stores.sessions.earlier(row):
        wants_ledger = found.ledger is None and earlier.user_id == row.user_id
        wants_tally = found.tally is None and row.mode is not Mode.SIGNALS and _same_account(earlier, row)
        if not (wants_ledger or wants_tally):
            continue
        try:
            recovered = await recover(stores, earlier.id)
        except (DecodeError, DomainError):
            _log.exception("an earlier session cannot be read", session_id=earlier.id)
            if wants_tally:
                found = replace(found, tally=Tally(lock=UNREADABLE))
            continue
        if recovered is not None and wants_ledger:
            found = replace(found, ledger=recovered.state.ledger)
        if recovered is not None and wants_tally:
            found = _with_tally(found, recovered.state)
    return found


def _with_tally(found: Inheritance, left: EngineState) -> Inheritance:
    trading = left.trading
    if trading is None:
        return found
    halted = left.halted
    if trading.trade is not None and trading.trade.open_units:
        halted = f"{trading.trade.open_units} units of {trading.trade.option.name} were held when it ended"
    return replace(found, tally=trading.tally, rules=trading.rules, halted=halted, heir_of=left.session_id)


def _same_account(one: SessionRow, other: SessionRow) -> bool:
    """Whether two sessions trade at one account; where one is not known, whether they are one user's."""
    if one.account is None or other.account is None:
        return one.user_id == other.user_id
    return one.account == other.account
