"""Matching of one instrument: price, then time, against a book that belongs to others.

What the market shows (a `MarketView`) comes from outside: a simulated exchange, or live quotes.
Orders take what it displays, never more; what one has taken, the next one does not find until
the market moves. A resting order is filled at its own limit when the market crosses it, or when
trades go through it; at exactly its limit only after all that was displayed before it.
"""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

from algoexec.domain.orders import Side
from algoexec.simulation.book import Book, Level


class MarketView(NamedTuple):
    """An instrument as orders meet it.

    `at` (milliseconds since the epoch) names the state: an equal stamp is the same book.
    `last` is the last price in rupees, `traded` the units of the trade that made this state, 0
    if none did. `book` None: nobody offers anything.
    """

    at: int
    last: float
    traded: int
    book: Book | None


class Match(NamedTuple):
    """So many units of an order are filled at this price, in rupees."""

    order_id: str
    quantity: int
    price: float


class Shown(NamedTuple):
    """What a new view did: fills of resting orders, then the stops that it triggered."""

    matches: list[Match]
    triggered: list[str]


@dataclass(slots=True)
class Working:
    """An order that may be filled; `limit` in rupees, `remaining` and `ahead` in units.

    `rank` is its place in time among all orders. `ahead` is what was displayed before it at
    its own price.
    """

    order_id: str
    owner: str
    side: Side
    limit: float
    remaining: int
    rank: int
    ahead: int = 0

    def accepts(self, price: float) -> bool:
        """Whether the price is no worse than the limit."""
        return price <= self.limit if self.side is Side.BUY else price >= self.limit

    @property
    def priority(self) -> tuple[float, int]:
        """Sorts the side's best price first, then the earliest."""
        return (-self.side.sign * self.limit, self.rank)


class Stop(NamedTuple):
    """An order that waits for a price."""

    order_id: str
    side: Side
    trigger: float

    def is_reached(self, last: float) -> bool:
        """Whether the last price has reached the trigger: from below for a buy, from above for a sale."""
        return last >= self.trigger if self.side is Side.BUY else last <= self.trigger


class _Offer(NamedTuple):
    """Units to be had at a price; `maker` None: of the displayed book."""

    price: float
    quantity: int
    maker: Working | None


class Matcher:
    """The orders of one instrument that rest or wait, and what they have taken of the view."""

    def __init__(self) -> None:
        """Begin with no order and no view."""
        self.view: MarketView | None = None
        self._resting: dict[str, Working] = {}
        self._stops: dict[str, Stop] = {}
        self._taken: Counter[tuple[Side, float]] = Counter()

    @property
    def is_idle(self) -> bool:
        """Whether no order rests or waits: then views need not be shown."""
        return not self._resting and not self._stops

    def __contains__(self, order_id: object) -> bool:
        """Whether an order rests here."""
        return order_id in self._resting

    def waits(self, order_id: str) -> bool:
        """Return whether an order waits for its trigger."""
        return order_id in self._stops

    def show(self, view: MarketView) -> Shown:
        """Move on to a newer view; an older one, or the same, changes nothing."""
        if self.view is not None and view.at <= self.view.at:
            return Shown([], [])
        self.view = view
        self._taken.clear()
        return Shown(self._fill_resting(view), self._trigger(view))

    def arrive(self, order: Working, *, rests: bool = True) -> list[Match]:
        """Match an order as it comes in, at the prices it finds; what is left of it rests if it may.

        The fills of those it met are among those returned.
        """
        matches: list[Match] = []
        for offer in self._offers(order):
            quantity = min(order.remaining, offer.quantity)
            if not quantity:
                break
            order.remaining -= quantity
            matches.append(Match(order.order_id, quantity, offer.price))
            if offer.maker is None:
                self._taken[order.side.opposite, offer.price] += quantity
            else:
                matches.append(self._fill(offer.maker, quantity))
        if order.remaining and rests:
            order.ahead = self._before(order.side, order.limit)
            self._resting[order.order_id] = order
        return matches

    def wait(self, stop: Stop) -> bool:
        """Let a stop wait for its price; return whether it is reached already, and then nothing waits."""
        if self.view is not None and stop.is_reached(self.view.last):
            return True
        self._stops[stop.order_id] = stop
        return False

    def withdraw(self, order_id: str) -> None:
        """Take an order out; one that is not in stays out."""
        self._resting.pop(order_id, None)
        self._stops.pop(order_id, None)

    def shrink(self, order_id: str, to: int) -> None:
        """Leave a resting order no more than so many units; it keeps its place in time."""
        order = self._resting[order_id]
        order.remaining = min(order.remaining, to)
        if order.remaining <= 0:
            self.withdraw(order_id)

    def visible(self, book: Book) -> Book:
        """Return the book of the current view less what orders have taken of it."""
        if not self._taken:
            return book
        levels = tuple(
            level._replace(
                bid_quantity=max(0, level.bid_quantity - self._taken[Side.BUY, level.bid]),
                ask_quantity=max(0, level.ask_quantity - self._taken[Side.SELL, level.ask]),
            )
            for level in book.levels
        )
        return book._replace(levels=levels)

    def _fill_resting(self, view: MarketView) -> list[Match]:
        matches: list[Match] = []
        printed = view.traded
        for order in sorted(self._resting.values(), key=lambda order: order.priority):
            crossed = min(order.remaining, sum(offer.quantity for offer in self._displayed_offers(order)))
            self._take(order, crossed)
            through = min(order.remaining - crossed, self._passed(order, view.last, printed))
            printed -= through
            if crossed + through:
                matches.append(self._fill(order, crossed + through))
        return matches

    def _passed(self, order: Working, last: float, printed: int) -> int:
        """Return the units of a trade that went to a resting order's price or through it, as far as its turn comes."""
        if not order.accepts(last) or not printed:
            return 0
        if last != order.limit:
            return printed
        before = min(order.ahead, printed)
        order.ahead -= before
        return printed - before

    def _take(self, order: Working, quantity: int) -> None:
        """Note which of the displayed offers a resting order got."""
        for offer in self._displayed_offers(order):
            part = min(quantity, offer.quantity)
            self._taken[order.side.opposite, offer.price] += part
            quantity -= part

    def _fill(self, order: Working, quantity: int) -> Match:
        order.remaining -= quantity
        if not order.remaining:
            self.withdraw(order.order_id)
        return Match(order.order_id, quantity, order.limit)

    def _trigger(self, view: MarketView) -> list[str]:
        reached = [stop.order_id for stop in self._stops.values() if stop.is_reached(view.last)]
        for order_id in reached:
            self.withdraw(order_id)
        return reached

    def _offers(self, order: Working) -> list[_Offer]:
        """Return what an incoming order may take, best price first; the displayed book stood there earlier.

        Nobody trades with himself.
        """
        makers = sorted(
            (
                other
                for other in self._resting.values()
                if other.side is not order.side and other.owner != order.owner and order.accepts(other.limit)
            ),
            key=lambda other: other.priority,
        )
        offers = [*self._displayed_offers(order), *(_Offer(m.limit, m.remaining, m) for m in makers)]
        return sorted(offers, key=lambda offer: order.side.sign * offer.price)

    def _displayed_offers(self, order: Working) -> Iterator[_Offer]:
        """Yield what the view displays within an order's limit and nobody has taken, best first."""
        other = order.side.opposite
        for level in self._levels():
            price, quantity = _side_of(level, other)
            left = quantity - self._taken[other, price]
            if left > 0 and price > 0 and order.accepts(price):
                yield _Offer(price, left, None)

    def _before(self, side: Side, price: float) -> int:
        """Return the units of the displayed queue at a price that whoever joins it now stands behind."""
        displayed = sum(q for at, q in (_side_of(level, side) for level in self._levels()) if at == price)
        resting = (order.ahead for order in self._resting.values() if (order.side, order.limit) == (side, price))
        return max(displayed - self._taken[side, price], *resting, 0)

    def _levels(self) -> tuple[Level, ...]:
        return self.view.book.levels if self.view is not None and self.view.book is not None else ()


def _side_of(level: Level, side: Side) -> tuple[float, int]:
    return (level.bid, level.bid_quantity) if side is Side.BUY else (level.ask, level.ask_quantity)
