"""The broker's books: every account, every order with all it has been through, every trade."""

from collections.abc import Callable
from dataclasses import replace
from datetime import date
from typing import Any, Final, NamedTuple

from algoexec.simulation.trading.account import Account, Position
from algoexec.simulation.trading.checks import OrderRefused, Why
from algoexec.simulation.trading.gtt_orders import Gtt
from algoexec.simulation.trading.matching import Match
from algoexec.simulation.trading.orders import Order, OrderRequest, Status, Trade, to_paise


class PositionChanged(NamedTuple):
    """A user's position is another one now."""

    user: str
    position: Position


type Update = Order | PositionChanged | Gtt
type Tell = Callable[[Update], None]


class Books:
    """What the broker knows. Numbers are given in the order of events, so they repeat when those do."""

    def __init__(self, on: date) -> None:
        """Open empty books for a trading date."""
        self.accounts: Final[dict[str, Account]] = {}
        self.listeners: Final[list[Tell]] = []
        self._orders: dict[str, Order] = {}
        self._histories: dict[str, list[Order]] = {}
        self._numbers = f"{on:%y%m%d}"
        self._trades = 0

    def account(self, user: str) -> Account:
        """Return an account.

        Raises:
            KeyError: nobody opened it.
        """
        return self.accounts[user]

    def orders(self, user: str) -> list[Order]:
        """Return a user's orders of today as they stand, oldest first."""
        return [order for order in self._orders.values() if order.user == user]

    def working(self, user: str) -> list[Order]:
        """Return a user's orders that are not finished, oldest first."""
        return [order for order in self.orders(user) if order.is_working]

    def everyones(self) -> list[Order]:
        """Return all orders that are not finished, oldest first."""
        return [order for order in self._orders.values() if order.is_working]

    def order(self, order_id: str) -> Order:
        """Return an order as it stands.

        Raises:
            KeyError: there is none.
        """
        return self._orders[order_id]

    def own_order(self, user: str, order_id: str) -> Order:
        """Return a user's own order.

        Raises:
            OrderRefused: there is none, or it is somebody else's.
        """
        order = self._orders.get(order_id)
        if order is None or order.user != user:
            raise OrderRefused(Why.NO_SUCH_ORDER, f"Unknown order id: {order_id}")
        return order

    def history(self, order_id: str) -> list[Order]:
        """Return an order in every state it has been in, oldest first."""
        return self._histories[order_id]

    def open_order(self, user: str, request: OrderRequest, at: int) -> Order:
        """Take an order in: it has a number from now on."""
        number = f"{self._numbers}{len(self._orders) + 1:09d}"
        order = Order(id=number, user=user, request=request, status=Status.RECEIVED, placed_at=at, updated_at=at)
        self._histories[number] = []
        return self._keep(order)

    def turn(self, order: Order, status: Status, at: int, **changes: Any) -> Order:
        """Give an order another status, and say so."""
        return self._keep(replace(order, status=status, updated_at=at, **changes))

    def fill(self, match: Match, at: int) -> Order:
        """Enter a fill: the order, the trade, the position."""
        order = self._orders[match.order_id]
        self._trades += 1
        request = order.request
        trade = Trade(
            id=f"{self._trades:09d}",
            order_id=order.id,
            instrument=request.instrument,
            side=request.side,
            product=request.product,
            quantity=match.quantity,
            price=match.price,
            at=at,
        )
        filled = order.filled + match.quantity
        order = self.turn(
            order,
            Status.COMPLETE if filled == request.quantity else Status.OPEN,
            at,
            filled=filled,
            turnover=order.turnover + to_paise(match.price) * match.quantity,
        )
        self.say(PositionChanged(order.user, self.account(order.user).book(trade)))
        return order

    def say(self, update: Update) -> None:
        """Tell whoever listens."""
        for tell in self.listeners:
            tell(update)

    def _keep(self, order: Order) -> Order:
        self._orders[order.id] = order
        self._histories[order.id].append(order)
        self.say(order)
        return order
