"""The trading floor: all accounts and orders of one day, moved by commands and by the market.

Its state is a function of the day, the rules, and the commands that were applied: whoever
applies the same commands again has the same books.
"""

from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from datetime import date
from typing import Final

from algoexec.domain.instruments import Future, InstrumentKey, OptionType
from algoexec.domain.orders import OrderType, Product, Side
from algoexec.simulation.trading.account import Account, Position
from algoexec.simulation.trading.agenda import Agenda
from algoexec.simulation.trading.books import Books, PositionChanged
from algoexec.simulation.trading.checks import Contract, OrderRefused, Why, parts_of, require_sense, slices
from algoexec.simulation.trading.commands import (
    CancelAll,
    CancelGtt,
    CancelOrder,
    Command,
    ConvertPosition,
    ExitAll,
    ModifyGtt,
    ModifyOrder,
    OpenAccount,
    PlaceGtt,
    PlaceOrder,
)
from algoexec.simulation.trading.dealer import Dealer
from algoexec.simulation.trading.gtt import GttBook
from algoexec.simulation.trading.gtt_orders import Strategy, Trigger
from algoexec.simulation.trading.intervention import NOTHING, Intervention
from algoexec.simulation.trading.market import Market
from algoexec.simulation.trading.matching import MarketView
from algoexec.simulation.trading.orders import AUTOMATIC_PROTECTION, Order, OrderRequest, to_paise

BROKER: Final = "BROKER"
"""Who places the orders that nobody asked for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FloorRules:
    """The day's hours, in milliseconds since the epoch, and how long an order takes.

    `squares_off_at` is when the broker closes product I. `latency_ms` is market time between
    the broker's acceptance and the exchange.
    """

    on: date
    opens_at: int
    squares_off_at: int
    closes_at: int
    latency_ms: int = 40


class TradingFloor:
    """Applies commands, and lets time pass. Both only go forward."""

    def __init__(self, market: Market, rules: FloorRules) -> None:
        """Open the floor on a day without accounts or orders."""
        self.books: Final = Books(rules.on)
        self._market = market
        self._rules = rules
        self._agenda = Agenda()
        self._dealer = Dealer(market, self.books, self._agenda, rules.latency_ms)
        self.gtts: Final = GttBook(rules.on, rules.closes_at, self.books, self._dealer.accept)
        self._agenda.add(rules.opens_at, self._release)
        self._agenda.add(rules.squares_off_at, self._square_off)
        self._agenda.add(rules.closes_at, self._close)

    def apply(self, command: Command) -> tuple[str, ...]:
        """Do what is asked at its moment; return the numbers of the orders concerned.

        Raises:
            OrderRefused: it cannot be done, and nothing has changed.
        """
        self.advance(command.at)
        match command:
            case OpenAccount():
                self.books.accounts.setdefault(command.user, Account(user=command.user, opening=command.funds))
                return ()
            case PlaceOrder():
                return self._place(command)
            case ModifyOrder(user=user, change=change):
                order = self.books.own_order(user, change.order_id)
                return (self._dealer.change(order, change, command.at, command.intervention).id,)
            case CancelOrder(user=user, order_id=order_id):
                order = self.books.own_order(user, order_id)
                return (self._dealer.withdraw(order, command.at, command.intervention).id,)
            case CancelAll():
                return self._cancel_all(command)
            case ExitAll():
                return self._exit_all(command)
            case ConvertPosition():
                return self._convert(command)
            case PlaceGtt():
                return self._place_gtt(command)
            case ModifyGtt(user=user, gtt_id=gtt_id, request=request):
                return (self.gtts.change(self.gtts.own(user, gtt_id), request).id,)
            case CancelGtt(user=user, gtt_id=gtt_id):
                return (self.gtts.withdraw(self.gtts.own(user, gtt_id)).id,)
            case _:
                raise TypeError(f"{type(command).__name__} is no command of the floor")

    def exited(self, user: str, tag: str | None) -> list[Position]:
        """Return what an exit closes, in its order: all positions of a user, or those of a tag."""
        return [position for position in self._open_positions(user) if self._carries(user, position, tag)]

    def advance(self, until: int) -> None:
        """Let the market and the agenda go on to `until`, in milliseconds since the epoch; never back."""
        while True:
            due = self._agenda.due()
            # What a view makes due is done before the next view, so views are taken one at a time.
            if (nearest := self._next_view(until if due is None else min(due, until))) is not None:
                self._dealer.show(*nearest)
                self.gtts.see(*nearest)
            elif due is None or due > until:
                return
            else:
                self._agenda.do_next()

    def due(self) -> int | None:
        """Return when something is to happen by itself, in milliseconds since the epoch; None: nothing any more."""
        return self._agenda.due()

    def _next_view(self, until: int) -> tuple[InstrumentKey, MarketView] | None:
        """Return the earliest news of an instrument that an order waits for; None when there is none up to `until`."""
        news: list[tuple[InstrumentKey, MarketView]] = []
        watched = self.gtts.watched()
        for key, matcher in self._dealer.matchers.items():
            if matcher.view is not None and (key in watched or not matcher.is_idle):
                following = next(self._market.views(key, matcher.view.at, until), None)
                if following is not None:
                    news.append((key, following))
        return min(news, key=lambda pair: pair[1].at, default=None)

    # --- commands -------------------------------------------------------------------------------------------------

    def _place(self, command: PlaceOrder) -> tuple[str, ...]:
        request = command.request
        contract = self._require_listed(request.instrument)
        require_sense(request)
        if request.is_amo and self._is_open(command.at):
            raise OrderRefused(Why.MARKET_OPEN, "After-market orders are not taken while the market is open")
        if not request.is_amo and not self._is_open(command.at):
            raise OrderRefused(Why.MARKET_CLOSED, "The market is closed: use is_amo")
        parts = slices(request, contract.freeze_quantity)
        return tuple(order.id for order in self._accept(command.user, parts, command.at, command.intervention))

    def _place_gtt(self, command: PlaceGtt) -> tuple[str, ...]:
        self._require_listed(command.request.instrument)
        goes_out = any((r.strategy, r.trigger) == (Strategy.ENTRY, Trigger.IMMEDIATE) for r in command.request.rules)
        if goes_out and not self._is_open(command.at):
            raise OrderRefused(Why.MARKET_CLOSED, "The market is closed: an immediate entry cannot go out")
        gtt = self.gtts.open(command.user, command.request, command.at)
        # Prices are seen from now on.
        self._dealer.refresh(command.request.instrument, command.at)
        return (gtt.id,)

    def _cancel_all(self, command: CancelAll) -> tuple[str, ...]:
        chosen = [order for order in self.books.working(command.user) if command.tag in (None, order.request.tag)]
        if not chosen:
            raise OrderRefused(Why.NOTHING_OPEN, "There are no open orders")
        ended = []
        for order in chosen:
            with suppress(OrderRefused):  # filled while its cancellation was under way
                hand = command.interventions.get(order.id, NOTHING)
                ended.append(self._dealer.withdraw(order, command.at, hand).id)
        return tuple(ended)

    def _exit_all(self, command: ExitAll) -> tuple[str, ...]:
        if not self._is_open(command.at):
            raise OrderRefused(Why.MARKET_CLOSED, "Positions are exited while the market is open")
        chosen = self.exited(command.user, command.tag)
        if not chosen:
            raise OrderRefused(Why.NOTHING_OPEN, "There are no open positions")
        exits: list[Order] = []
        for position in chosen:
            hand = command.interventions.get(position.instrument, command.intervention)
            exits += self._exit(command.user, position, command.at, command.user, hand)
        return tuple(order.id for order in exits)

    def _convert(self, command: ConvertPosition) -> tuple[str, ...]:
        account = self.books.account(command.user)
        held = account.position(command.instrument, command.old)
        if command.old is command.new or not 0 < command.quantity <= abs(held.net):
            raise OrderRefused(Why.INVALID, f"There are {abs(held.net)} units of {command.old} to convert")
        if command.quantity % self._market.contracts[command.instrument].lot:
            raise OrderRefused(Why.INVALID, "quantity must be a multiple of the lot size")
        account.convert(command.instrument, command.old, command.new, command.quantity)
        for product in (command.old, command.new):
            self.books.say(PositionChanged(command.user, account.position(command.instrument, product)))
        return ()

    def _open_positions(self, user: str) -> list[Position]:
        """Return what is held, shorts first: they must be bought back before their cover is sold."""
        account = self.books.accounts.get(user)
        positions = () if account is None else account.positions.values()
        return sorted((position for position in positions if position.net), key=lambda position: position.net > 0)

    def _carries(self, user: str, position: Position, tag: str | None) -> bool:
        """Whether a position came from orders with that tag; tags are kept for intraday positions only."""
        if tag is None:
            return True
        return position.product is Product.INTRADAY and any(
            order.request.tag == tag
            and (order.request.instrument, order.request.product) == (position.instrument, position.product)
            and order.filled
            for order in self.books.orders(user)
        )

    def _exit(
        self, user: str, position: Position, at: int, placed_by: str, intervention: Intervention = NOTHING
    ) -> list[Order]:
        """Close a position at the market, within its automatic protection."""
        request = OrderRequest(
            instrument=position.instrument,
            side=Side.SELL if position.net > 0 else Side.BUY,
            quantity=abs(position.net),
            type=OrderType.MARKET,
            product=position.product,
            market_protection=AUTOMATIC_PROTECTION,
            placed_by=placed_by,
        )
        parts = parts_of(request, self._market.contracts[position.instrument].freeze_quantity)
        return self._accept(user, parts, at, intervention)

    def _accept(self, user: str, parts: Iterable[OrderRequest], at: int, intervention: Intervention) -> list[Order]:
        """Take the slices of one order in; they share what is filled at most."""
        accepted: list[Order] = []
        before = 0
        for part in parts:
            accepted.append(self._dealer.accept(user, part, at, intervention.after(before)))
            before += part.quantity
        return accepted

    def _require_listed(self, key: InstrumentKey) -> Contract:
        contract = self._market.contracts.get(key)
        if contract is None:
            raise OrderRefused(Why.UNKNOWN_INSTRUMENT, f"Invalid Instrument key: {key}")
        return contract

    # --- the day --------------------------------------------------------------------------------------------------

    def _is_open(self, at: int) -> bool:
        return self._rules.opens_at <= at < self._rules.closes_at

    def _release(self, at: int) -> None:
        """Send the after-market orders to the exchange: it has opened."""
        for order in self.books.everyones():
            if order.status.is_after_market:
                self._dealer.release(order, at)

    def _square_off(self, at: int) -> None:
        """Close what is intraday, as the broker does for a fee."""
        for order in self.books.everyones():
            if order.request.product is Product.INTRADAY:
                self._dealer.end(order, at, "RMS:Auto square off: intraday orders are cancelled")
        for user, account in self.books.accounts.items():
            for position in self._open_positions(user):
                if position.product is Product.INTRADAY:
                    account.squared_off += len(self._exit(user, position, at, BROKER))

    def _close(self, at: int) -> None:
        """End the day's orders, and settle what expires."""
        for order in self.books.everyones():
            self._dealer.end(order, at, "EXCHANGE: the market has closed")
        self.gtts.close(at)
        spot = self._market.spot(at)
        for contract in self._market.contracts.values():
            if contract.expiry == self._rules.on:
                self._settle(contract, to_paise(settlement_price(contract, spot)))

    def _settle(self, contract: Contract, price: int) -> None:
        for user, account in self.books.accounts.items():
            for position in account.settle(contract, price):
                self.books.say(PositionChanged(user, account.position(contract.key, position.product)))


def settlement_price(contract: Contract, spot: float) -> float:
    """Return what an expired contract is worth in cash, in rupees a unit; `spot` is the index at the close."""
    if isinstance(contract, Future):
        return round(spot, 2)
    sign = 1 if contract.type is OptionType.CALL else -1
    return round(max(0.0, sign * (spot - contract.strike)), 2)
