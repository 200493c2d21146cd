"""The simulated broker's trading: the floor, and the log that lets it outlive its process."""

from collections.abc import Callable
from contextlib import suppress
from datetime import time
from typing import Final, NamedTuple, Protocol

from algoexec.domain.calendar import TradingDay, ist
from algoexec.domain.charges import Charges, Derivative, charges_of_exercise, charges_of_order, charges_of_square_off
from algoexec.domain.instruments import Future, InstrumentKey
from algoexec.domain.orders import OrderType, Product, Side
from algoexec.simulation.exchange import Exchange
from algoexec.simulation.trading.account import Account, Position
from algoexec.simulation.trading.books import Books, PositionChanged, Update
from algoexec.simulation.trading.checks import OrderRefused
from algoexec.simulation.trading.commands import CancelAll, Command, OpenAccount, PlaceOrder
from algoexec.simulation.trading.floor import FloorRules, TradingFloor
from algoexec.simulation.trading.gtt import GttBook
from algoexec.simulation.trading.market import SimulatedMarket
from algoexec.simulation.trading.orders import AUTOMATIC_PROTECTION, OrderRequest
from algoexec.simulator.market_clock import SteppedClock
from algoexec.simulator.users import User

SQUARES_OFF_AT: Final = time(15, 25)
"""IST. The broker's own time is later than 15:20 since September 2026; which it is, is not published."""


class Keeps(Protocol):
    """Who writes commands down before they are done."""

    def append(self, entry: Command) -> None:
        """Write a command down."""


class Held(NamedTuple):
    """An open position, and since when: milliseconds since the epoch."""

    user: str
    position: Position
    since: int


class Dealing:
    """The trading of one day; `funds_of` gives what a user begins with, in paise."""

    def __init__(self, exchange: Exchange, clock: SteppedClock, funds_of: Callable[[str], int]) -> None:
        """Open the floor."""
        self._clock = clock
        day = exchange.day.session
        self._on = day.date
        self._contracts = exchange.contracts
        self._floor = TradingFloor(SimulatedMarket(exchange), _rules(day))
        self._funds_of = funds_of
        self._since: dict[tuple[str, InstrumentKey, Product], int] = {}
        self.books.listeners.append(self._note)
        self.log: Keeps | None = None

    @property
    def books(self) -> Books:
        """All accounts and orders."""
        return self._floor.books

    @property
    def gtts(self) -> GttBook:
        """All orders that wait for a price."""
        return self._floor.gtts

    def do(self, command: Command) -> tuple[str, ...]:
        """Write a command down and do it; return the numbers of the orders concerned.

        Raises:
            OrderRefused: it cannot be done, and nothing has changed.
        """
        self._open(command.user, command.at)
        return self._apply(command)

    def replay(self, command: Command) -> None:
        """Do a command of an earlier process of the same run again; what was refused then is refused now."""
        try:
            self._floor.apply(command)
        except OrderRefused:
            return

    def advance(self, until: int) -> None:
        """Let the market go on to `until`, in milliseconds since the epoch."""
        self._floor.advance(until)

    def account(self, user: str) -> Account:
        """Return a user's account; one who never traded has just the money."""
        return self.books.accounts.get(user) or Account(user=user, opening=self._funds_of(user))

    def charges(self, user: str) -> Charges:
        """Return what the day's trading costs so far, for each order that executed."""
        account = self.account(user)
        total = charges_of_exercise(on=self._on, value=account.exercised)
        for order in self.books.orders(user):
            future = isinstance(self._contracts[order.request.instrument], Future)
            kind = Derivative.FUTURE if future else Derivative.OPTION
            total += charges_of_order(on=self._on, kind=kind, side=order.request.side, turnover=order.turnover)
        return sum((charges_of_square_off(on=self._on) for _ in range(account.squared_off)), total)

    def exited(self, user: str, tag: str | None) -> list[Position]:
        """Return what an exit closes: all positions of a user, or those of a tag."""
        return self._floor.exited(user, tag)

    def holds(self, user: str) -> list[Held]:
        """Return what a user holds."""
        return [held for held in self.held() if held.user == user]

    def held(self) -> list[Held]:
        """Return what everybody holds, and since when."""
        positions = ((key, self.account(key[0]).position(*key[1:])) for key in self._since)
        return [Held(key[0], position, self._since[key]) for key, position in positions]

    def has_open_position(self, user: User, segment: str) -> bool:
        """Whether the user holds anything in the segment."""
        return any(held.position.instrument.startswith(f"{segment}|") for held in self.holds(user.id))

    def cancel_pending(self, user: User, segment: str) -> None:
        """Cancel the user's orders that wait in the segment: here all orders are in one."""
        orders = self.books.working(user.id)
        if any(order.request.instrument.startswith(f"{segment}|") for order in orders):
            self.do(CancelAll(at=self._clock.now_ms, user=user.id))

    def act_by_hand(self, user: str, position: Position, quantity: int) -> None:
        """Do what the person does in the app: close so many units at the market, without a tag."""
        request = OrderRequest(
            instrument=position.instrument,
            side=Side.SELL if position.net > 0 else Side.BUY,
            quantity=quantity,
            type=OrderType.MARKET,
            product=position.product,
            market_protection=AUTOMATIC_PROTECTION,
            placed_by=user,
        )
        with suppress(OrderRefused):  # the market may have closed meanwhile
            self.do(PlaceOrder(at=self._clock.now_ms, user=user, request=request))

    def _note(self, update: Update) -> None:
        """Remember since when a position is open; the moment is that of its newest order."""
        if not isinstance(update, PositionChanged):
            return
        position = update.position
        key = (update.user, position.instrument, position.product)
        if not position.net:
            self._since.pop(key, None)
        elif key not in self._since:
            self._since[key] = self.account(update.user).trades[-1].at

    def _open(self, user: str, at: int) -> None:
        if user not in self.books.accounts:
            self._apply(OpenAccount(at=at, user=user, funds=self._funds_of(user)))

    def _apply(self, command: Command) -> tuple[str, ...]:
        if self.log is not None:
            self.log.append(command)
        return self._floor.apply(command)


def _rules(day: TradingDay) -> FloorRules:
    return FloorRules(
        on=day.date,
        opens_at=_milliseconds(day.opens_at.timestamp()),
        squares_off_at=_milliseconds(ist(day.date, SQUARES_OFF_AT).timestamp()),
        closes_at=_milliseconds(day.closes_at.timestamp()),
    )


def _milliseconds(seconds: float) -> int:
    return round(seconds * 1000)
