"""What is kept of trading: orders with their history, trades, and the kill switches that are on."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from algoexec.engine.effects import EntryRefused, OrderChanged, TradeClosed


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderStep:
    """An order, or a refusal, as one frame told it: `number` is the frame's, `at` market time."""

    number: int
    at: datetime
    told: OrderChanged | EntryRefused

    @property
    def id(self) -> str:
        """The order's own id; of a refused signal, which has no order, one of its own."""
        return self.told.id if isinstance(self.told, OrderChanged) else refusal_id(self.told.signal_id)


def refusal_id(signal_id: str) -> str:
    """Return the name under which a refused signal stands among the orders; no order has such a one."""
    return f"{signal_id}-refused"


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredOrder:
    """An order with all that became of it, oldest first, at least one step. A refused signal has one step."""

    session_id: str
    user_id: str
    history: tuple[OrderStep, ...]

    @property
    def at(self) -> datetime:
        """When it was first told of: its place in lists, which no later step moves."""
        return self.history[0].at


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredTrade:
    """A closed trade with the session and user it belongs to."""

    session_id: str
    user_id: str
    trade: TradeClosed


@dataclass(frozen=True, slots=True, kw_only=True)
class KillSwitch:
    """A kill switch that is on: of one user, or with `user_id` None of everybody. `at` is wall time."""

    user_id: str | None
    by: str
    reason: str
    at: datetime


class KillSwitches(Protocol):
    """The kill switches that are on; they outlast sessions and restarts."""

    async def put(self, switch: KillSwitch) -> None:
        """Turn a switch on; one that is on already stays as it was."""

    async def delete(self, user_id: str | None) -> None:
        """Turn the switch of that user off, or with None that of everybody."""

    async def list(self) -> Sequence[KillSwitch]:
        """Return those that are on, oldest first."""
