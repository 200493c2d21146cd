"""One trade: from the intent over its orders to flat. Premiums in rupees, money in paise, quantities in units."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import date, datetime
from enum import StrEnum
from typing import Final, NamedTuple

from algoexec.domain.charges import Charges, Derivative, charges_of_order
from algoexec.domain.instruments import Option
from algoexec.domain.signals import Signal
from algoexec.engine.trading.orders import OwnOrder, Purpose
from algoexec.engine.trading.rules import TradeRules
from algoexec.engine.trading.tally import Tally


class Stage(StrEnum):
    """Where a trade stands; without one the session is NEUTRAL (strategy.md §8)."""

    ENTERING = "ENTERING"
    IN_TRADE = "IN_TRADE"
    EXITING = "EXITING"
    HANDING_OVER = "HANDING_OVER"
    """What works is being withdrawn; what is held is the person's then."""


class ExitReason(StrEnum):
    """Why a trade was ended."""

    INDEX_STOP = "INDEX_STOP"
    PREMIUM_STOP = "PREMIUM_STOP"
    TRAILING_STOP = "TRAILING_STOP"
    INDEX_TARGET = "INDEX_TARGET"
    PREMIUM_TARGET = "PREMIUM_TARGET"
    TIME = "TIME"
    SQUARE_OFF = "SQUARE_OFF"
    OPPOSITE_SIGNAL = "OPPOSITE_SIGNAL"
    FLATTEN = "FLATTEN"
    BREAKER = "BREAKER"
    EXTERNALLY_CLOSED = "EXTERNALLY_CLOSED"
    """Somebody else closed it, in the broker's app."""
    HANDED_OVER = "HANDED_OVER"
    """It was left to the person, who holds it on."""


class Fills(NamedTuple):
    """Units and what they are worth together, in paise."""

    quantity: int
    value: int

    @property
    def average(self) -> float | None:
        """Rupees a unit; None for none."""
        return self.value / self.quantity / 100 if self.quantity else None


NO_FILLS: Final = Fills(0, 0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Offer:
    """What a person was asked to approve; what is bought in the end is reckoned anew.

    `trade_id` and `order_id` are those of the trade and of the first order that it becomes.
    `quantity` in units, `limit` in rupees a unit and `risk`, what the stop would lose of all of it,
    in paise are as of the quote at which they were asked. `approved_by` None: nobody has said yes yet.
    """

    trade_id: str
    quantity: int
    limit: float
    risk: int
    approved_by: str | None = None

    @property
    def order_id(self) -> str:
        """The number under which it is approved."""
        return f"{self.trade_id}-0"


@dataclass(frozen=True, slots=True, kw_only=True)
class Intent:
    """A signal that shall become a trade as soon as its option's quote allows it.

    `offer` None: no person was asked, or not yet.
    """

    signal: Signal
    option: Option
    offer: Offer | None = None

    @property
    def waits_for_person(self) -> bool:
        """Whether nothing is bought, whatever the quotes are, before somebody approves."""
        return self.offer is not None and self.offer.approved_by is None


@dataclass(frozen=True, slots=True, kw_only=True)
class Trade:
    """A trade that is not closed yet.

    `one_r` is the risk of one unit (1R). `stop` and `target` are premiums, None before the
    first fill; `trailed` says that the stop has moved. `best` and `worst` are the highest and
    lowest mark while something was held. `rung` counts how often the exit was offered cheaper.
    `external` are units that somebody else sold, or was left with, at an estimated value. `exit_begun_at` and
    `called_at` are UTC; `called_at` is when a person was last called. `waits_for_position`: the
    exit waits for the broker's word on what is held; `ask_at` is from when on it is asked for next,
    and `short_at` is when that word first was of less than is ours; None: the last was not.
    `lapses` counts how often a stop at the exchange, or a change of it, came to nothing. `guarded`: it
    is to have one whatever the rules say, for the service was stopped while it was held.
    """

    id: str
    signal: Signal
    option: Option
    one_r: float
    stage: Stage
    orders: tuple[OwnOrder, ...]
    repriced: bool = False
    opened_at: datetime | None = None
    stop: float | None = None
    target: float | None = None
    trailed: bool = False
    best: float | None = None
    worst: float | None = None
    exit_reason: ExitReason | None = None
    exit_begun_at: datetime | None = None
    rung: int = 0
    external: Fills = NO_FILLS
    waits_for_position: bool = False
    ask_at: datetime | None = None
    short_at: datetime | None = None
    called_at: datetime | None = None
    lapses: int = 0
    guarded: bool = False

    @property
    def bought(self) -> Fills:
        """What the entries have filled."""
        return _fills(order for order in self.orders if order.purpose is Purpose.ENTRY)

    @property
    def sold(self) -> Fills:
        """What the exits have filled."""
        return _fills(order for order in self.orders if order.purpose is Purpose.EXIT)

    @property
    def open_units(self) -> int:
        """Units that are held and nobody has sold; negative if more was sold than held."""
        return self.bought.quantity - self.sold.quantity - self.external.quantity

    @property
    def is_ending(self) -> bool:
        """Whether it is being got out of, one way or the other."""
        return self.stage in (Stage.EXITING, Stage.HANDING_OVER)

    def sold_by_others(self, units: int, price: float) -> "Trade":
        """Return the trade with units that are somebody else's now, at an estimated price in rupees."""
        before = self.external
        return replace(self, external=Fills(before.quantity + units, before.value + round(price * 100) * units))

    @property
    def resting(self) -> list[OwnOrder]:
        """The exits that wait for their trigger."""
        return [order for order in self.open_orders(Purpose.EXIT) if order.waits]

    @property
    def is_settled(self) -> bool:
        """Whether nothing of it moves: what is open rests, and shall."""
        return all(order.waits and not order.cancel_wanted for order in self.orders if order.is_open)

    @property
    def uncovered(self) -> int:
        """Units that are held and that nothing which rests would sell; negative if it would sell more than that."""
        return self.open_units - sum(order.remaining for order in self.resting)

    @property
    def is_being_sold(self) -> bool:
        """Whether an exit works, or has sold."""
        return any(
            order.filled or (order.is_open and order.trigger is None)
            for order in self.orders
            if order.purpose is Purpose.EXIT
        )

    def open_orders(self, purpose: Purpose) -> list[OwnOrder]:
        """Return the orders of which something may still become."""
        return [order for order in self.orders if order.purpose is purpose and order.is_open]

    def order(self, order_id: str) -> OwnOrder | None:
        """Return the order with our number; None if it is not of this trade."""
        return next((order for order in self.orders if order.id == order_id), None)

    def with_order(self, changed: OwnOrder) -> "Trade":
        """Return the trade with an order replaced, or added."""
        if self.order(changed.id) is None:
            return replace(self, orders=(*self.orders, changed))
        return replace(self, orders=tuple(changed if order.id == changed.id else order for order in self.orders))

    @property
    def has_been_offered(self) -> bool:
        """Whether an exit was ever sent."""
        return any(order.purpose is Purpose.EXIT for order in self.orders)

    @property
    def has_open_orders(self) -> bool:
        """Whether something may still become of any of its orders."""
        return any(order.is_open for order in self.orders)

    def charges(self, on: date, brokerage: int) -> Charges:
        """Return what its executed orders cost."""
        return sum(
            (
                charges_of_order(
                    on=on,
                    kind=Derivative.OPTION,
                    side=order.ticket.side,
                    turnover=order.value,
                    brokerage=brokerage,
                )
                for order in self.orders
                if order.filled
            ),
            Charges(),
        )

    def gross(self) -> int:
        """Return what its closed units brought, before charges; open ones count as nothing."""
        return self.sold.value + self.external.value - self.bought.value

    def open_profit(self, mark: float | None) -> int:
        """Return the profit with what is open valued at `mark`, before charges; at its average where None."""
        price = self.bought.average if mark is None else mark
        return self.gross() + round((price or 0.0) * 100) * self.open_units


@dataclass(frozen=True, slots=True, kw_only=True)
class TradingState:
    """All that a session knows of its trading.

    `funds` is what the broker says can be spent, in paise; None: not told yet. `trades` counts
    those begun in this session. `ended` are its trades that are over: the broker may yet say
    something of their orders that it should not.
    """

    rules: TradeRules
    tally: Tally
    funds: int | None = None
    trades: int = 0
    intent: Intent | None = None
    trade: Trade | None = None
    ended: tuple[Trade, ...] = ()
    killed: str | None = None
    """Why the kill switch is on; None: it is off."""
    unattended: bool = False
    """Whether the service that ran it was stopped, and none has taken it up since."""


def _fills(orders: Iterable[OwnOrder]) -> Fills:
    quantity = value = 0
    for order in orders:
        quantity += order.filled
        value += order.value
    return Fills(quantity, value)
