"""What is kept of trading: orders with their history, trades, days, and the kill switches that are on."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Protocol

from algoexec.engine.effects import EntryRefused, OrderChanged, OrderNews, TradeClosed
from algoexec.engine.events import Mode


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderStep:
    """An order, an offer or a refusal, as one frame told it: `number` is the frame's, `at` market time."""

    number: int
    at: datetime
    told: OrderNews

    @property
    def id(self) -> str:
        """The name under which it stands among the orders."""
        return order_id(self.told)

    @property
    def is_refusal(self) -> bool:
        """Whether there is no order, and will be none."""
        return isinstance(self.told, EntryRefused)


def order_id(told: OrderNews) -> str:
    """Return the name under which it stands among the orders.

    An offer has the number that its order will have, and keeps it when it is refused. A signal that
    was refused before had no number: it has a name of its own, such as no order has.
    """
    if isinstance(told, EntryRefused):
        return told.order_id or f"{told.signal_id}-refused"
    return told.id


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredOrder:
    """An order with all that became of it, oldest first, at least one step; a refused signal ends with that."""

    session_id: str
    user_id: str
    history: tuple[OrderStep, ...]

    @property
    def at(self) -> datetime:
        """When it was first told of: its place in lists, which no later step moves."""
        return self.history[0].at

    @property
    def told(self) -> OrderNews:
        """The order as it stands, what may become one, or the refusal."""
        return self.history[-1].told

    @property
    def is_refused(self) -> bool:
        """Whether it is a signal that became no order."""
        return any(step.is_refusal for step in self.history)

    @property
    def fills(self) -> "tuple[Fill, ...]":
        """What was filled, oldest first, as far as the broker told it apart: it tells the sum and the average."""
        found: list[Fill] = []
        units = value = 0
        for step in self.history:
            order = step.told
            if isinstance(order, OrderChanged) and order.filled > units and order.average_price is not None:
                worth = round(order.average_price * order.filled * 100)
                more = order.filled - units
                found.append(Fill(at=step.at, quantity=more, price=(worth - value) / more / 100))
                units, value = order.filled, worth
        return tuple(found)


@dataclass(frozen=True, slots=True, kw_only=True)
class Fill:
    """Units of an order that were filled together, at rupees a unit; `at` is when that was told, market time."""

    at: datetime
    quantity: int
    price: float


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredTrade:
    """A closed trade with the session and user it belongs to."""

    session_id: str
    user_id: str
    trade: TradeClosed


@dataclass(frozen=True, slots=True, kw_only=True)
class Consequences:
    """What came of one signal: offers, orders and refusals as they stand, and its trade once that is closed."""

    told: tuple[OrderNews, ...] = ()
    trade: TradeClosed | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredDay:
    """What one user's sessions of one mode did on one trading day at one venue.

    `rejections` and `refusals` are counted by reason. `locks` are the limits of the day that were
    ever reached, sorted; `trades` are in the order in which they were closed.
    """

    venue: str
    user_id: str
    mode: Mode
    day: date
    sessions: tuple[str, ...]
    locks: tuple[str, ...]
    signals: int
    rejections: Mapping[str, int]
    refusals: Mapping[str, int]
    trades: tuple[TradeClosed, ...]


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
