"""The words in which an order is spoken of, whoever carries it out."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from algoexec.domain.instruments import InstrumentKey


class Side(StrEnum):
    """Which way an order trades."""

    BUY = "BUY"
    SELL = "SELL"

    @property
    def opposite(self) -> "Side":
        """The side that undoes this one."""
        return Side.SELL if self is Side.BUY else Side.BUY

    @property
    def sign(self) -> int:
        """+1 for a buy, −1 for a sell: what a traded unit does to the position."""
        return 1 if self is Side.BUY else -1


class OrderType(StrEnum):
    """How an order is priced. `SL` rests until its trigger and is a limit order then; `SL_M` a market order."""

    MARKET = "MARKET"
    LIMIT = "LIMIT"
    SL = "SL"
    SL_M = "SL-M"

    @property
    def has_trigger(self) -> bool:
        """Whether it waits for a trigger price."""
        return self in (OrderType.SL, OrderType.SL_M)

    @property
    def has_limit(self) -> bool:
        """Whether it names the worst price it takes."""
        return self in (OrderType.LIMIT, OrderType.SL)


class Validity(StrEnum):
    """How long an order may rest: until the close, or not at all."""

    DAY = "DAY"
    IOC = "IOC"


class Product(StrEnum):
    """What becomes of a position at the end of the day: squared off by the broker, or carried over."""

    INTRADAY = "I"
    DELIVERY = "D"


class OrderStatus(StrEnum):
    """Where a broker says that an order stands, whatever it calls it."""

    PENDING = "PENDING"
    """The broker has it; the exchange has not yet, or not yet its change."""
    OPEN = "OPEN"
    """It rests at the exchange, perhaps partly filled."""
    TRIGGER_PENDING = "TRIGGER_PENDING"
    COMPLETE = "COMPLETE"
    CANCELLED = "CANCELLED"
    REJECTED = "REJECTED"

    @property
    def is_final(self) -> bool:
        """Whether nothing can become of the order any more."""
        return self in (OrderStatus.COMPLETE, OrderStatus.CANCELLED, OrderStatus.REJECTED)


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderTicket:
    """An order to be placed.

    `id` is ours, unique for ever, and travels with it. `quantity` in units, at most the
    contract's freeze quantity; prices in rupees on the contract's grid, `trigger_price` None
    without a trigger.
    """

    id: str
    instrument: InstrumentKey
    side: Side
    quantity: int
    type: OrderType
    price: float
    trigger_price: float | None = None
    product: Product = Product.INTRADAY
    validity: Validity = Validity.DAY


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderTerms:
    """What a working order is changed to; it keeps its side, quantity and instrument."""

    type: OrderType
    price: float
    trigger_price: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderReport:
    """What the broker says of one order.

    `order_id` is the broker's own, `id` ours as it came back; None: somebody else placed it.
    `filled` counts units over all fills, `average_price` is rupees over them, None before the
    first. `price` is the limit that holds now, 0 for a market order, `trigger_price` the trigger,
    None without one. `message` is why it was rejected or cancelled, in the broker's words. `at` is
    when the broker last did something with it, UTC; None when it does not say.
    """

    order_id: str
    id: str | None
    instrument: InstrumentKey
    side: Side
    status: OrderStatus
    quantity: int
    filled: int
    average_price: float | None
    price: float
    message: str | None = None
    at: datetime | None = None
    trigger_price: float | None = None

    @property
    def filled_value(self) -> int:
        """What the fills are worth, in paise."""
        return 0 if self.average_price is None else round(self.average_price * self.filled * 100)
