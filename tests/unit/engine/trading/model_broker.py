"""A broker that is truthful and otherwise as bad as they come."""

from dataclasses import dataclass, field, replace
from typing import Any

from algoexec.domain.instruments import InstrumentKey
from algoexec.domain.orders import OrderReport, OrderStatus, OrderTerms, OrderTicket, OrderType, Side
from algoexec.engine.effects import CancelOrder, Effect, ModifyOrder, ReadFunds, ReadPosition, SubmitOrder
from algoexec.engine.events import (
    ChangeNotMade,
    Event,
    FundsRead,
    OrderNotPlaced,
    OrderReported,
    OutcomeNotKnown,
    PositionRead,
)
from algoexec.engine.trading.marks import OptionMark


@dataclass(slots=True)
class BrokerOrder:
    """An order as the broker has it."""

    ticket: OrderTicket
    limit: float
    status: OrderStatus = OrderStatus.OPEN
    trigger: float | None = None
    filled: int = 0
    value: float = 0.0

    @property
    def number(self) -> str:
        return f"B{self.ticket.id}"

    @property
    def remaining(self) -> int:
        return self.ticket.quantity - self.filled

    @property
    def waits(self) -> bool:
        return self.status is OrderStatus.TRIGGER_PENDING

    def take(self, terms: OrderTerms) -> None:
        """Take terms; a trigger that was reached does not come back."""
        self.limit = terms.price
        if self.waits and not terms.type.has_trigger:
            self.status = OrderStatus.OPEN
        self.trigger = terms.trigger_price if self.waits else None

    def reach(self) -> None:
        """Let the market reach its trigger."""
        if self.waits:
            self.status, self.trigger = OrderStatus.OPEN, None

    def report(self) -> OrderReport:
        return OrderReport(
            order_id=self.number,
            id=self.ticket.id,
            instrument=self.ticket.instrument,
            side=self.ticket.side,
            status=self.status,
            quantity=self.ticket.quantity,
            filled=self.filled,
            average_price=self.value / self.filled if self.filled else None,
            price=self.limit,
            trigger_price=self.trigger,
        )


@dataclass(slots=True)
class ModelBroker:
    """Takes effects when told to, and keeps what it has to say until it is delivered, in any order.

    `hands` are the units that a person has bought, less those sold, by hand.
    """

    orders: dict[str, BrokerOrder] = field(default_factory=dict)
    asked: list[Effect] = field(default_factory=list)
    said: list[Event] = field(default_factory=list)
    hands: dict[InstrumentKey, int] = field(default_factory=dict)

    def take(self, effect: Effect) -> None:
        """Put what the engine asks for on the wire; quotes are the market's."""
        if isinstance(effect, SubmitOrder | ModifyOrder | CancelOrder | ReadPosition | ReadFunds):
            self.asked.append(effect)

    def perform(self, place: int, how: str, mark: OptionMark) -> None:
        """Carry out one thing that was asked for, well or badly."""
        effect = self.asked.pop(place % len(self.asked))
        match effect:
            case SubmitOrder(ticket=ticket):
                self._place(ticket, how)
            case ModifyOrder() | CancelOrder():
                self._change(effect, how)
            case ReadPosition(instrument=instrument):
                self.say(PositionRead(instrument=instrument, net=self.net(instrument), mark=mark))
            case _:
                self.say(FundsRead(available=300_000_00))

    def _place(self, ticket: OrderTicket, how: str) -> None:
        assert ticket.id not in self.orders, "an order is handed in once"
        if how in ("unsent", "refused"):
            self.say(OrderNotPlaced(id=ticket.id, was_sent=how == "refused", detail=how))
            return
        if "lost" in how:
            self.say(OutcomeNotKnown(id=ticket.id, detail=how))
        if how == "lost on the way":
            self.say(OrderNotPlaced(id=ticket.id, was_sent=False, detail="absent"))
            return
        order = self.orders[ticket.id] = BrokerOrder(ticket, ticket.price, trigger=ticket.trigger_price)
        if ticket.type.has_trigger:
            order.status = OrderStatus.TRIGGER_PENDING
        if how == "taken":
            self.say(OrderReported(report=replace(order.report(), status=OrderStatus.PENDING)))
        if how == "rejected":
            order.status = OrderStatus.REJECTED
        self._tell(order)

    def _change(self, effect: ModifyOrder | CancelOrder, how: str) -> None:
        order = self.orders[effect.id]
        assert effect.broker_id == order.number
        is_done = how in ("taken", "lost answer", "rejected") and not order.status.is_final
        if is_done and isinstance(effect, ModifyOrder):
            order.take(effect.terms)
        elif is_done:
            order.status = OrderStatus.CANCELLED
        if is_done:
            self._tell(order)
        if not is_done or how == "lost answer":
            self.say(ChangeNotMade(id=effect.id, is_unknown="lost" in how, detail=how))
            self._tell(order)

    def fill(self, order: BrokerOrder, units: int) -> None:
        """Trade some units of a working order at its limit; one that waits is triggered by that."""
        order.reach()
        units = min(units, order.remaining)
        order.filled += units
        order.value += units * order.limit
        if not order.remaining:
            order.status = OrderStatus.COMPLETE
        self._tell(order)

    def trigger(self, order: BrokerOrder) -> None:
        """Let the market reach the trigger of an order that waits."""
        order.reach()
        self._tell(order)

    def cancel_by_hand(self, order: BrokerOrder) -> None:
        """Have a person cancel an order in the broker's app."""
        order.status = OrderStatus.CANCELLED
        self._tell(order)

    def say(self, event: Event) -> None:
        self.said.append(event)

    def _tell(self, order: BrokerOrder) -> None:
        self.say(OrderReported(report=order.report()))

    def working(self) -> list[BrokerOrder]:
        return [order for order in self.orders.values() if not order.status.is_final]

    def ours(self, instrument: InstrumentKey, of: "set[str] | None" = None) -> int:
        """Return what our orders (or some of them) have bought, less what they have sold."""
        return sum(
            order.filled * order.ticket.side.sign
            for number, order in self.orders.items()
            if order.ticket.instrument == instrument and (of is None or number in of)
        )

    def net(self, instrument: InstrumentKey) -> int:
        return self.ours(instrument) + self.hands.get(instrument, 0)

    def may_be_sold_by_hand(self, instrument: InstrumentKey) -> int:
        """Return what a person can sell now without racing an exit of ours that has read the position already."""
        is_selling = any(map(self._would_sell, self.asked)) or any(
            order.ticket.side is Side.SELL and not order.waits for order in self.working()
        )
        has_read = any(isinstance(event, PositionRead) for event in self.said)
        return 0 if is_selling or has_read else max(0, self.net(instrument))

    def _would_sell(self, effect: Effect) -> bool:
        match effect:
            case SubmitOrder(ticket=ticket):
                return ticket.side is Side.SELL and ticket.type is OrderType.LIMIT
            case ModifyOrder(id=number, terms=terms):
                return self.orders[number].ticket.side is Side.SELL and terms.type is OrderType.LIMIT
            case _:
                return False

    def may_trigger(self, order: BrokerOrder) -> bool:
        """Whether all that would then be sold is there: that stops are withdrawn in time is for others to check."""
        instrument = order.ticket.instrument
        selling = sum(
            other.remaining
            for other in self.working()
            if other.ticket.instrument == instrument and other.ticket.side is Side.SELL and not other.waits
        )
        return not order.waits or selling + order.remaining <= self.net(instrument)

    def sell_by_hand(self, instrument: InstrumentKey, units: int) -> None:
        self.hands[instrument] = self.hands.get(instrument, 0) - units

    def pop(self, place: int, *, again: bool) -> Any:
        """Return something that it has to say; it may say it again."""
        place %= len(self.said)
        # What is read is read once; what is told of orders may be told again at any time.
        if again and isinstance(self.said[place], OrderReported | OutcomeNotKnown | ChangeNotMade):
            return self.said[place]
        return self.said.pop(place)
