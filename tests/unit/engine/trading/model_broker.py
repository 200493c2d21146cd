"""A broker that is truthful and otherwise as bad as they come."""

from dataclasses import dataclass, field, replace
from typing import Any

from algoexec.domain.instruments import InstrumentKey
from algoexec.domain.orders import OrderReport, OrderStatus, OrderTicket, Side
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
    filled: int = 0
    value: float = 0.0

    @property
    def number(self) -> str:
        return f"B{self.ticket.id}"

    @property
    def remaining(self) -> int:
        return self.ticket.quantity - self.filled

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
        order = self.orders[ticket.id] = BrokerOrder(ticket, ticket.price)
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
            order.limit = effect.terms.price
        elif is_done:
            order.status = OrderStatus.CANCELLED
        if is_done:
            self._tell(order)
        if not is_done or how == "lost answer":
            self.say(ChangeNotMade(id=effect.id, is_unknown="lost" in how, detail=how))
            self._tell(order)

    def fill(self, order: BrokerOrder, units: int) -> None:
        """Trade some units of a working order at its limit."""
        units = min(units, order.remaining)
        order.filled += units
        order.value += units * order.limit
        if not order.remaining:
            order.status = OrderStatus.COMPLETE
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
        is_selling = any(isinstance(one, SubmitOrder) and one.ticket.side is Side.SELL for one in self.asked) or any(
            order.ticket.side is Side.SELL for order in self.working()
        )
        has_read = any(isinstance(event, PositionRead) for event in self.said)
        return 0 if is_selling or has_read else max(0, self.net(instrument))

    def sell_by_hand(self, instrument: InstrumentKey, units: int) -> None:
        self.hands[instrument] = self.hands.get(instrument, 0) - units

    def pop(self, place: int, *, again: bool) -> Any:
        """Return something that it has to say; it may say it again."""
        place %= len(self.said)
        # What is read is read once; what is told of orders may be told again at any time.
        if again and isinstance(self.said[place], OrderReported | OutcomeNotKnown | ChangeNotMade):
            return self.said[place]
        return self.said.pop(place)
