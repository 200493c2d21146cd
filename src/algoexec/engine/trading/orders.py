"""Our own orders, from the intent to the last fill. They move along one table."""

from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from typing import Final

from algoexec.domain.errors import DomainError
from algoexec.domain.orders import OrderReport, OrderStatus, OrderTerms, OrderTicket


class Purpose(StrEnum):
    """What an order is for."""

    ENTRY = "ENTRY"
    EXIT = "EXIT"


class Phase(StrEnum):
    """Where an order of ours stands."""

    SENDING = "SENDING"
    """Journaled, and on its way to the broker."""
    UNKNOWN = "UNKNOWN"
    """Sent, and whether it arrived is being looked up."""
    WORKING = "WORKING"
    """The broker has it."""
    FILLED = "FILLED"
    CANCELLED = "CANCELLED"
    REJECTED = "REJECTED"
    """The broker had it and threw it out, or did not take it."""
    NOT_SENT = "NOT_SENT"
    """It never reached the broker."""
    HANDED_OVER = "HANDED_OVER"
    """It goes on resting at the broker, and is the person's now."""

    @property
    def is_final(self) -> bool:
        """Whether nothing can become of it any more."""
        return self not in (Phase.SENDING, Phase.UNKNOWN, Phase.WORKING)


_MOVES: Final = frozenset(
    {
        (Phase.SENDING, Phase.UNKNOWN),
        (Phase.SENDING, Phase.WORKING),
        (Phase.SENDING, Phase.FILLED),
        (Phase.SENDING, Phase.CANCELLED),
        (Phase.SENDING, Phase.REJECTED),
        (Phase.SENDING, Phase.NOT_SENT),
        (Phase.UNKNOWN, Phase.WORKING),
        (Phase.UNKNOWN, Phase.FILLED),
        (Phase.UNKNOWN, Phase.CANCELLED),
        (Phase.UNKNOWN, Phase.REJECTED),
        (Phase.UNKNOWN, Phase.NOT_SENT),
        (Phase.WORKING, Phase.FILLED),
        (Phase.WORKING, Phase.CANCELLED),
        (Phase.WORKING, Phase.REJECTED),
        (Phase.WORKING, Phase.HANDED_OVER),
        # The broker may tell of an order that was not found when it was looked for.
        (Phase.NOT_SENT, Phase.WORKING),
        (Phase.NOT_SENT, Phase.FILLED),
        (Phase.NOT_SENT, Phase.CANCELLED),
        (Phase.NOT_SENT, Phase.REJECTED),
    }
)

_PHASES: Final = {
    OrderStatus.PENDING: Phase.WORKING,
    OrderStatus.OPEN: Phase.WORKING,
    OrderStatus.TRIGGER_PENDING: Phase.WORKING,
    OrderStatus.COMPLETE: Phase.FILLED,
    OrderStatus.CANCELLED: Phase.CANCELLED,
    OrderStatus.REJECTED: Phase.REJECTED,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class OwnOrder:
    """One order of ours.

    `limit` is the price last asked for, in rupees; `asked_at` when that was, UTC. `trigger` is the
    price at which it begins to work; None: it works, or shall, by itself. `filled` in
    units and `value` in paise are over all fills. `cancel_wanted`: it is to be cancelled as soon
    as it can be; `cancel_sent`: that was asked for. `message` is the broker's newest word on what
    it did not do, or why the order ended.
    """

    ticket: OrderTicket
    purpose: Purpose
    phase: Phase
    limit: float
    asked_at: datetime
    trigger: float | None = None
    broker_id: str | None = None
    filled: int = 0
    value: int = 0
    cancel_wanted: bool = False
    cancel_sent: bool = False
    message: str | None = None

    @property
    def id(self) -> str:
        """Our number of it, which travels with it."""
        return self.ticket.id

    @property
    def remaining(self) -> int:
        """Units that are not filled."""
        return self.ticket.quantity - self.filled

    @property
    def is_open(self) -> bool:
        """Whether something may still become of it."""
        return not self.phase.is_final

    @property
    def waits(self) -> bool:
        """Whether it rests at the broker until the market reaches its trigger."""
        return self.phase is Phase.WORKING and self.trigger is not None

    def as_report(self) -> OrderReport:
        """Return the broker's word on it as far as we know it; it must have been told once."""
        return OrderReport(
            order_id=self.broker_id or "",
            id=self.id,
            instrument=self.ticket.instrument,
            side=self.ticket.side,
            status=OrderStatus.OPEN if self.trigger is None else OrderStatus.TRIGGER_PENDING,
            quantity=self.ticket.quantity,
            filled=self.filled,
            average_price=self.value / self.filled / 100 if self.filled else None,
            price=self.limit,
            trigger_price=self.trigger,
        )

    def moved(self, phase: Phase, message: str | None = None) -> "OwnOrder":
        """Return the order in another phase.

        Raises:
            DomainError: it cannot get there from where it is.
        """
        if phase is self.phase:
            return self
        if (self.phase, phase) not in _MOVES:
            raise DomainError(f"order {self.id} cannot go from {self.phase} to {phase}")
        return replace(self, phase=phase, message=message or self.message)

    def asked(self, terms: OrderTerms, at: datetime) -> "OwnOrder":
        """Return the order with a change on its way."""
        return replace(self, limit=terms.price, trigger=terms.trigger_price, asked_at=at)

    def contradiction(self, report: OrderReport) -> str | None:
        """Return what a report says of this order that cannot be; None: nothing."""
        if not self._is_told_of_by(report):
            return f"{report.order_id} bears the number of order {self.id} and is another one"
        if report.filled > self.ticket.quantity:
            return f"order {self.id} of {self.ticket.quantity} is reported with {report.filled} filled"
        return None

    def _is_told_of_by(self, report: OrderReport) -> bool:
        is_same = (report.instrument, report.side) == (self.ticket.instrument, self.ticket.side)
        return is_same and self.broker_id in (None, report.order_id)

    def reported(self, report: OrderReport, at: datetime) -> "OwnOrder":
        """Return the order after the broker's word on it, which came at `at`.

        Reports come late, twice and in the wrong order, so only what is news counts: more
        fills, or a later phase. A final order stays final, and still takes fills that it did
        not know of. Of another order that bears its number it takes nothing; of more fills than
        were asked for, those that were: the rest somebody else has ordered.
        """
        if not self._is_told_of_by(report):
            return self
        known = replace(self, broker_id=report.order_id)._at_its_trigger(report, at)
        filled = min(report.filled, self.ticket.quantity)
        if filled > self.filled:
            price = self.limit if report.average_price is None else report.average_price
            known = replace(known, filled=filled, value=round(price * filled * 100))
        if known.phase.is_final and known.phase is not Phase.NOT_SENT:
            return known
        phase = Phase.FILLED if known.remaining == 0 else _PHASES[report.status]
        return known.moved(phase, report.message)

    def _at_its_trigger(self, report: OrderReport, at: datetime) -> "OwnOrder":
        """Return the order as it stands to its trigger: once reached, that does not come back.

        While it waits, the broker's word says which trigger holds: a change may not have been taken.
        """
        if self.trigger is None:
            return self
        if report.filled or report.status in (OrderStatus.OPEN, OrderStatus.COMPLETE):
            return replace(self, trigger=None, asked_at=at)
        if report.status is OrderStatus.TRIGGER_PENDING and report.trigger_price is not None:
            return replace(self, trigger=report.trigger_price)
        return self
