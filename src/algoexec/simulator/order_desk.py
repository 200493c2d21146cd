"""Takes what a caller asks of the trading floor there, and tells what it says no to as the broker does."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Final, NamedTuple

from starlette.requests import Request

from algoexec.domain.orders import Side
from algoexec.simulation.trading.account import Position
from algoexec.simulation.trading.checks import OrderRefused, Why
from algoexec.simulation.trading.commands import CancelAll, CancelOrder, Command, ExitAll, ModifyOrder, PlaceOrder
from algoexec.simulation.trading.intervention import NOTHING, Intervention
from algoexec.simulation.trading.orders import Order, OrderChange, OrderRequest
from algoexec.simulator.broker import SimulatedBroker
from algoexec.simulator.errors import Refusal
from algoexec.simulator.order_wire import segment_of
from algoexec.simulator.users import User

LATENCY_MS: Final = 5
"""What every answer says that the broker took: a figure of its own, so that equal days give equal answers."""


class Cancelled(NamedTuple):
    """What became of the cancellation of many orders: the numbers of those that end, and those that were filled."""

    ended: tuple[str, ...]
    filled: tuple[Order, ...]


class _Told(NamedTuple):
    status: int
    code: str


_TOLD: Final[Mapping[Why, _Told]] = {
    Why.UNKNOWN_INSTRUMENT: _Told(400, "UDAPI100011"),
    Why.INVALID: _Told(400, "UDAPI100036"),
    Why.MARKET_CLOSED: _Told(400, "UDAPI100057"),
    Why.MARKET_OPEN: _Told(400, "UDAPI100039"),
    Why.NO_SUCH_ORDER: _Told(400, "UDAPI100010"),
    Why.ORDER_FINISHED: _Told(400, "UDAPI100040"),
    Why.NOTHING_OPEN: _Told(400, "UDAPI1108"),
    Why.SEGMENT_DISABLED: _Told(400, "UDAPI100036"),
}
"""How each reason is told. Source: the codes of Upstox's order endpoints, 2026."""

_CHANGE_OF_FINISHED: Final = _Told(400, "UDAPI100041")


def refusal_of(refused: OrderRefused, *, is_change: bool = False) -> Refusal:
    """Return what the broker says; a change of a finished order has another code than its cancellation."""
    told = _TOLD[refused.why]
    if is_change and refused.why is Why.ORDER_FINISHED:
        told = _CHANGE_OF_FINISHED
    return Refusal(told.status, told.code, str(refused))


def algo_of(request: Request) -> str | None:
    """Return the algo that a caller says to be. That it is a registered one is not checked."""
    return request.headers.get("x-algo-name") or None


class OrderDesk:
    """Does what users ask, now. Who they are and whether they may is settled before."""

    def __init__(self, broker: SimulatedBroker) -> None:
        """Deal at `broker`."""
        self._broker: Final = broker

    def place(self, user: User, request: OrderRequest) -> tuple[str, ...]:
        """Return the numbers of the orders that a request became.

        Raises:
            Refusal: it became none.
        """
        self._broker.brake(user).require(segment_of(request.instrument))
        command = PlaceOrder(at=self._now, user=user.id, request=request)
        return self._do(replace(command, intervention=self._on_placing(user, request)))

    def modify(self, user: User, change: OrderChange) -> None:
        """Change an order.

        Raises:
            Refusal: that cannot be.
        """
        try:
            order = self._broker.dealing.books.own_order(user.id, change.order_id)
            intervention = self._on_changing(order)
            self._broker.dealing.do(ModifyOrder(at=self._now, user=user.id, change=change, intervention=intervention))
        except OrderRefused as refused:
            raise refusal_of(refused, is_change=True) from refused

    def cancel(self, user: User, order_id: str) -> None:
        """Withdraw an order.

        Raises:
            Refusal: that cannot be.
        """
        intervention = self._on_cancelling(self.own_order(user, order_id))
        self._do(CancelOrder(at=self._now, user=user.id, order_id=order_id, intervention=intervention))

    def cancel_all(self, user: User, tag: str | None) -> Cancelled:
        """Withdraw all orders, or those with a tag.

        Raises:
            Refusal: there are none.
        """
        chosen = [one for one in self._broker.dealing.books.working(user.id) if tag in (None, one.request.tag)]
        interventions = {order.id: self._on_cancelling(order) for order in chosen}
        ended = self._do(CancelAll(at=self._now, user=user.id, tag=tag, interventions=interventions))
        return Cancelled(ended, tuple(order for order in chosen if order.id not in ended))

    def exit_all(self, user: User, tag: str | None) -> tuple[str, ...]:
        """Close all positions, or those of a tag; return the numbers of the orders that do it.

        Raises:
            Refusal: there are none, or the market is closed.
        """
        interventions = {held.instrument: self._on_exiting(user, held, tag) for held in self._exited(user, tag)}
        return self._do(ExitAll(at=self._now, user=user.id, tag=tag, interventions=interventions))

    def own_order(self, user: User, order_id: str) -> Order:
        """Return a user's own order as it stands.

        Raises:
            Refusal: the user has no such order.
        """
        try:
            return self._broker.dealing.books.own_order(user.id, order_id)
        except OrderRefused as refused:
            raise refusal_of(refused) from refused

    @property
    def _now(self) -> int:
        return self._broker.clock.now_ms

    def _do(self, command: Command) -> tuple[str, ...]:
        try:
            return self._broker.dealing.do(command)
        except OrderRefused as refused:
            raise refusal_of(refused) from refused

    def _on_placing(self, user: User, request: OrderRequest) -> Intervention:
        fault = self._broker.faults.order(
            user=user.id,
            instrument=request.instrument,
            side=request.side,
            tag=request.tag,
            quantity=request.quantity,
        )
        return fault or NOTHING

    def _exited(self, user: User, tag: str | None) -> list[Position]:
        return self._broker.dealing.exited(user.id, tag)

    def _on_exiting(self, user: User, held: Position, tag: str | None) -> Intervention:
        fault = self._broker.faults.order(
            user=user.id,
            instrument=held.instrument,
            side=Side.SELL if held.net > 0 else Side.BUY,
            tag=tag,
            quantity=abs(held.net),
        )
        return fault or NOTHING

    def _on_changing(self, order: Order) -> Intervention:
        # As with cancellations: one that is refused anyway, or never gets to the exchange, is no occasion.
        if not order.is_working or order.status.is_after_market:
            return NOTHING
        request = order.request
        fault = self._broker.faults.change(
            user=order.user, instrument=request.instrument, side=request.side, tag=request.tag
        )
        return fault or NOTHING

    def _on_cancelling(self, order: Order) -> Intervention:
        # A cancellation that is refused anyway is no occasion: it would use the fault up.
        if not order.is_working:
            return NOTHING
        request = order.request
        fault = self._broker.faults.cancel(
            user=order.user, instrument=request.instrument, side=request.side, tag=request.tag
        )
        return fault or NOTHING
