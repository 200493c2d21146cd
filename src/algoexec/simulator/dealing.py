"""The simulated broker's trading: the floor, and the log that lets it outlive its process."""

from collections.abc import Callable
from datetime import time
from typing import Final, Protocol

from algoexec.domain.calendar import TradingDay, ist
from algoexec.domain.charges import Charges, Derivative, charges_of_exercise, charges_of_order, charges_of_square_off
from algoexec.domain.instruments import Future
from algoexec.simulation.exchange import Exchange
from algoexec.simulation.trading.account import Account
from algoexec.simulation.trading.books import Books
from algoexec.simulation.trading.checks import OrderRefused
from algoexec.simulation.trading.commands import Command, OpenAccount
from algoexec.simulation.trading.floor import FloorRules, TradingFloor
from algoexec.simulation.trading.market import SimulatedMarket

SQUARES_OFF_AT: Final = time(15, 25)
"""IST. The broker's own time is later than 15:20 since September 2026; which it is, is not published."""


class Keeps(Protocol):
    """Who writes commands down before they are done."""

    def append(self, entry: Command) -> None:
        """Write a command down."""


class Dealing:
    """The trading of one day; `funds_of` gives what a user begins with, in paise."""

    def __init__(self, exchange: Exchange, funds_of: Callable[[str], int]) -> None:
        """Open the floor."""
        day = exchange.day.session
        self._on = day.date
        self._contracts = exchange.contracts
        self._floor = TradingFloor(SimulatedMarket(exchange), _rules(day))
        self._funds_of = funds_of
        self.log: Keeps | None = None

    @property
    def books(self) -> Books:
        """All accounts and orders."""
        return self._floor.books

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
