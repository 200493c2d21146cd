"""One account on paper: the matching of the simulator, at quotes that somebody tells.

It reads no clock: whoever has the quotes also says what time it is. The paper broker and the
backtest trade at the same one.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, time, timedelta
from typing import Final

from algoexec.domain.calendar import TradingDay, ist
from algoexec.domain.errors import BrokerRefused, BrokerUnavailable, DomainError
from algoexec.domain.instruments import Contracts, InstrumentKey
from algoexec.domain.market import Quote
from algoexec.domain.orders import OrderReport, OrderStatus, OrderTerms, OrderTicket, OrderType, Product, Validity
from algoexec.simulation.book import Book
from algoexec.simulation.trading.account import Account, Legs, Position, bound_by
from algoexec.simulation.trading.books import Update
from algoexec.simulation.trading.checks import OrderRefused
from algoexec.simulation.trading.commands import CancelOrder, Command, ModifyOrder, OpenAccount, PlaceOrder
from algoexec.simulation.trading.floor import FloorRules, TradingFloor
from algoexec.simulation.trading.orders import (
    AUTOMATIC_PROTECTION,
    NO_PROTECTION,
    Order,
    OrderChange,
    OrderRequest,
    Status,
    to_paise,
)
from algoexec.simulation.trading.quoted import QuotedMarket

LOST: Final = "paper orders do not outlive the service"
"""The message of an order that was working when the service stopped."""

_USER: Final = "paper"
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND: Final = timedelta(milliseconds=1)

_STATUSES: Final[Mapping[Status, OrderStatus]] = {
    Status.OPEN: OrderStatus.OPEN,
    Status.TRIGGER_PENDING: OrderStatus.TRIGGER_PENDING,
    Status.COMPLETE: OrderStatus.COMPLETE,
    Status.CANCELLED: OrderStatus.CANCELLED,
    Status.AMO_CANCELLED: OrderStatus.CANCELLED,
    Status.REJECTED: OrderStatus.REJECTED,
}
"""All others are on their way."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PaperRules:
    """How paper works.

    `latency_ms` is market time between the broker and the exchange, `squares_off_at` when product
    I is closed by the broker, IST: both as in the simulator.
    """

    latency_ms: int = 40
    squares_off_at: time = time(15, 25)


class PaperAccount:
    """One account of one day on paper. Moments are milliseconds since the epoch; time never goes back."""

    def __init__(
        self,
        day: TradingDay,
        contracts: Contracts,
        *,
        at: int,
        capital: int,
        held: Mapping[InstrumentKey, int] | None = None,
        lost: Iterable[OrderReport] = (),
        rules: PaperRules | None = None,
    ) -> None:
        """Open an account at `at` that can spend `capital`, in paise.

        After a restart, `held` are the net units it had, paid for already, and `lost` the orders
        that were working: they are reported as cancelled with what was filled of them.

        Raises:
            DomainError: something is held that is not among `contracts`.
        """
        self.listeners: Final[list[Callable[[OrderReport], None]]] = []
        """Told what becomes of orders, when it does."""
        self.market: Final = QuotedMarket(contracts)
        self._now = at
        # Numbers begin anew after a restart, and must not be those of other orders then.
        self._prefix: Final = f"P{self._now:x}-"
        self._lost: Final = [replace(r, status=OrderStatus.CANCELLED, message=LOST) for r in lost]
        self._floor = TradingFloor(self.market, _floor_rules(day, rules or PaperRules()))
        self._floor.apply(OpenAccount(at=self._now, user=_USER, funds=capital))
        self._take_over(held or {})
        self._floor.books.listeners.append(self._hear)
        self._told: dict[str, OrderReport] = {}

    def advance(self, at: int) -> None:
        """Let what is due until `at` happen."""
        self._floor.advance(self._pass(at))

    def due(self) -> int | None:
        """Return when something happens next by itself; None: nothing any more."""
        return self._floor.due()

    def quoted(self, quote: Quote, at: int, book: Book | None = None) -> None:
        """Let orders meet a quote that was told at `at`; one of the index moves the margins.

        `book` are all rows, where more than the quote's best one is known.
        """
        now = self._pass(at)
        # What was due before this quote has met the market as it was then.
        self._floor.advance(now - 1)
        view = self.market.take(quote, now, book)
        self._now = now if view is None else max(now, view.at)
        self._floor.advance(self._now)

    def place(self, ticket: OrderTicket, at: int) -> str:
        """Take an order in; return its number.

        Raises:
            BrokerRefused: it is none that could be placed.
            BrokerUnavailable: the instrument has no price yet.
        """
        if not self.market.has_price(ticket.instrument):
            raise BrokerUnavailable(f"{ticket.instrument} has not been quoted yet")
        request = OrderRequest(
            instrument=ticket.instrument,
            side=ticket.side,
            quantity=ticket.quantity,
            type=ticket.type,
            price=_price(ticket.type, ticket.price),
            trigger_price=_trigger(ticket.type, ticket.trigger_price),
            product=ticket.product,
            validity=ticket.validity,
            tag=ticket.id,
            market_protection=_protection(ticket.type),
            placed_by=_USER,
        )
        (number,) = self._do(PlaceOrder(at=self._pass(at), user=_USER, request=request))
        return self._prefix + number

    def modify(self, order_id: str, terms: OrderTerms, at: int) -> None:
        """Take a change of a working order in.

        Raises:
            BrokerRefused: it cannot be changed.
        """
        change = OrderChange(
            order_id=order_id.removeprefix(self._prefix),
            type=terms.type,
            validity=Validity.DAY,
            price=_price(terms.type, terms.price),
            trigger_price=_trigger(terms.type, terms.trigger_price),
            market_protection=_protection(terms.type),
        )
        self._do(ModifyOrder(at=self._pass(at), user=_USER, change=change))

    def cancel(self, order_id: str, at: int) -> None:
        """Take the withdrawal of a working order in.

        Raises:
            BrokerRefused: it cannot be withdrawn.
        """
        number = order_id.removeprefix(self._prefix)
        self._do(CancelOrder(at=self._pass(at), user=_USER, order_id=number))

    def orders(self, at: int) -> Sequence[OrderReport]:
        """Return all orders, those lost at a restart first. Those of the evening's square-off are nobody's."""
        self.advance(at)
        return [*self._lost, *(self._report(order) for order in self._floor.books.orders(_USER))]

    def positions(self, at: int) -> Mapping[InstrumentKey, int]:
        """Return net units of product I."""
        self.advance(at)
        held = self._account.positions.values()
        return {p.instrument: p.net for p in held if p.product is Product.INTRADAY and p.net}

    def funds(self, at: int) -> int:
        """Return the cash that no waiting buy and no short binds, in paise."""
        self.advance(at)
        working = self._floor.books.working(_USER)
        bound = bound_by(self._account, working, self.market.contracts, to_paise(self.market.spot(self._now)))
        # Only futures need a last price, and none is traded here.
        return self._account.cash(self.market.contracts, lambda _: 0) - bound.total

    def _pass(self, at: int) -> int:
        """Go on to a moment, never back: quotes and clock may be told in either order."""
        self._now = max(self._now, at)
        return self._now

    @property
    def _account(self) -> Account:
        return self._floor.books.account(_USER)

    def _do(self, command: Command) -> tuple[str, ...]:
        try:
            return self._floor.apply(command)
        except OrderRefused as refused:
            raise BrokerRefused(str(refused), code=refused.why.name) from refused

    def _hear(self, update: Update) -> None:
        if not isinstance(update, Order):
            return
        report = self._report(update)
        # Some states of theirs are one of ours.
        if self._told.get(update.id) == report:
            return
        self._told[update.id] = report
        for tell in tuple(self.listeners):
            tell(report)

    def _report(self, order: Order) -> OrderReport:
        return OrderReport(
            order_id=self._prefix + order.id,
            id=order.request.tag,
            instrument=order.request.instrument,
            side=order.request.side,
            status=_STATUSES.get(order.status, OrderStatus.PENDING),
            quantity=order.request.quantity,
            filled=order.filled,
            average_price=order.average_price,
            price=order.request.price,
            message=order.message,
            at=moment(order.updated_at),
            trigger_price=order.request.trigger_price or None,
        )

    def _take_over(self, held: Mapping[InstrumentKey, int]) -> None:
        for key, units in held.items():
            if key not in self.market.contracts:
                raise DomainError(f"{units} units of {key} are held, and it is not among the contracts of the day")
            legs = Legs(abs(units), 0)  # paid for: the capital is what is left after it
            position = Position(instrument=key, product=Product.INTRADAY)
            position = replace(position, bought=legs) if units > 0 else replace(position, sold=legs)
            self._account.positions[key, Product.INTRADAY] = position


def _price(kind: OrderType, price: float) -> float:
    return price if kind.has_limit else 0.0


def _trigger(kind: OrderType, trigger: float | None) -> float:
    return (trigger or 0.0) if kind.has_trigger else 0.0


def _protection(kind: OrderType) -> float:
    """As at Upstox: a market order without any protection is rejected."""
    return NO_PROTECTION if kind.has_limit else AUTOMATIC_PROTECTION


def _floor_rules(day: TradingDay, rules: PaperRules) -> FloorRules:
    return FloorRules(
        on=day.date,
        opens_at=milliseconds(day.opens_at),
        squares_off_at=milliseconds(ist(day.date, rules.squares_off_at)),
        closes_at=milliseconds(day.closes_at),
        latency_ms=rules.latency_ms,
    )


def milliseconds(at: datetime) -> int:
    """Return a moment in milliseconds since the epoch."""
    return (at - _EPOCH) // _MILLISECOND


def moment(stamp: int) -> datetime:
    """Return the moment of milliseconds since the epoch, UTC."""
    return _EPOCH + stamp * _MILLISECOND
