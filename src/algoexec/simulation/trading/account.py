"""One client's money and positions. All money is whole paise."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Final, NamedTuple

from algoexec.domain.instruments import Future, InstrumentKey, Option
from algoexec.domain.orders import Product, Side
from algoexec.simulation.trading.orders import Order, Trade, to_paise

type Holding = tuple[InstrumentKey, Product]
type Contracts = Mapping[InstrumentKey, Future | Option]
type PriceOf = Callable[[InstrumentKey], int]
"""Gives an instrument's last price, in paise."""

MARGIN_RATE: Final = (12, 100)
"""What a short option or a future binds of its contract value. The broker's own span file moves with the
market; this stands for it."""


class Legs(NamedTuple):
    """Units and their value on either side."""

    quantity: int = 0
    value: int = 0

    @property
    def average(self) -> float:
        """Rupees a unit; 0 for none."""
        return self.value / self.quantity / 100 if self.quantity else 0.0

    def plus(self, quantity: int, value: int) -> "Legs":
        """Return this with more of it."""
        return Legs(self.quantity + quantity, self.value + value)


_NONE: Final = Legs()


@dataclass(frozen=True, slots=True, kw_only=True)
class Position:
    """What was bought and sold of one instrument under one product today; nothing is carried over."""

    instrument: InstrumentKey
    product: Product
    bought: Legs = _NONE
    sold: Legs = _NONE

    @property
    def net(self) -> int:
        """Units held: positive long, negative short."""
        return self.bought.quantity - self.sold.quantity

    @property
    def open_average(self) -> float:
        """Rupees a unit of what is open; 0 when flat."""
        return (self.bought if self.net > 0 else self.sold).average if self.net else 0.0

    @property
    def realised(self) -> int:
        """Profit of the units that were both bought and sold, at the averages of the day, as brokers show it."""
        closed = min(self.bought.quantity, self.sold.quantity)
        if not closed:
            return 0
        return round(
            closed * (self.sold.value / self.sold.quantity) - closed * (self.bought.value / self.bought.quantity)
        )

    def profit(self, last: int) -> int:
        """Return the profit with what is open valued at `last` paise."""
        return self.sold.value - self.bought.value + self.net * last

    def plus(self, side: Side, quantity: int, value: int) -> "Position":
        """Return the position with more bought or sold; `value` in paise."""
        if side is Side.BUY:
            return replace(self, bought=self.bought.plus(quantity, value))
        return replace(self, sold=self.sold.plus(quantity, value))


@dataclass(slots=True, kw_only=True)
class Account:
    """A client's books: what it began with, its trades, and what follows from them."""

    user: str
    opening: int
    positions: dict[Holding, Position] = field(default_factory=dict)
    trades: list[Trade] = field(default_factory=list)
    squared_off: int = 0
    """Orders that the broker had to place to close intraday positions; each costs a fee."""
    exercised: int = 0
    """Intrinsic value of the long options that were settled at their expiry."""

    def book(self, trade: Trade) -> Position:
        """Enter a trade; return its position."""
        self.trades.append(trade)
        position = self.position(trade.instrument, trade.product)
        return self._put(position.plus(trade.side, trade.quantity, trade.value))

    def position(self, instrument: InstrumentKey, product: Product) -> Position:
        """Return a position, an empty one where nothing was traded."""
        empty = Position(instrument=instrument, product=product)
        return self.positions.get((instrument, product), empty)

    def convert(self, instrument: InstrumentKey, old: Product, new: Product, quantity: int) -> None:
        """Move open units from one product to another, at their average."""
        source = self.position(instrument, old)
        side, legs = (Side.BUY, source.bought) if source.net > 0 else (Side.SELL, source.sold)
        value = legs.value * quantity // legs.quantity
        self._put(source.plus(side, -quantity, -value))
        self._put(self.position(instrument, new).plus(side, quantity, value))

    def settle(self, contract: Future | Option, price: int) -> list[Position]:
        """Close an expired contract at its settlement price, in paise a unit; return what was closed."""
        closed = [p for p in self.positions.values() if p.instrument == contract.key and p.net]
        for position in closed:
            if isinstance(contract, Option):
                self.exercised += max(position.net, 0) * price
            side = Side.SELL if position.net > 0 else Side.BUY
            self._put(position.plus(side, abs(position.net), abs(position.net) * price))
        return closed

    def cash(self, contracts: Contracts, last: PriceOf) -> int:
        """Return the money there is: premiums are paid and received at once, futures are marked to the market."""
        total = self.opening
        for position in self.positions.values():
            if isinstance(contracts[position.instrument], Option):
                total += position.sold.value - position.bought.value
            else:
                total += position.profit(last(position.instrument))
        return total

    def _put(self, position: Position) -> Position:
        self.positions[position.instrument, position.product] = position
        return position


class Bound(NamedTuple):
    """Money that cannot be spent: premium of buys that wait, and margin of what is or may become short."""

    premium: int
    margin: int

    @property
    def total(self) -> int:
        """Both, in paise."""
        return self.premium + self.margin


def bound_by(account: Account, working: Iterable[Order], contracts: Contracts, spot: int) -> Bound:
    """Return what positions and working orders bind, if the worst of them is filled.

    A sale binds nothing as long as it closes what is held; each unit beyond that, all waiting
    sales taken together, is a short. Nor does a buy that closes a short: the short's margin pays
    for it. `spot` is the index in paise.
    """
    buying: dict[Holding, int] = {}
    selling: dict[Holding, int] = {}
    premium = 0
    for order in working:
        request = order.request
        holding = (request.instrument, request.product)
        waiting = buying if request.side is Side.BUY else selling
        waiting[holding] = waiting.get(holding, 0) + order.remaining
        if request.side is Side.BUY and isinstance(contracts[request.instrument], Option):
            opening = buying[holding] + min(0, account.position(*holding).net)
            premium += to_paise(order.limit) * min(max(0, opening), order.remaining)
    margin = 0
    for holding in {*account.positions, *buying, *selling}:
        net = account.position(*holding).net
        short = max(0, selling.get(holding, 0) - net)
        long = max(0, net + buying.get(holding, 0)) if isinstance(contracts[holding[0]], Future) else 0
        margin += max(short, long) * spot * MARGIN_RATE[0] // MARGIN_RATE[1]
    return Bound(premium, margin)
