"""Orders as the broker keeps them: what was asked, what became of it."""

from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Final, NamedTuple

from algoexec.domain.instruments import InstrumentKey
from algoexec.domain.orders import OrderType, Product, Side, Validity


class Status(StrEnum):
    """What the broker says of an order. Source: Upstox's appendix of order statuses, as collected for 2026.

    A partly filled order is `OPEN`.
    """

    RECEIVED = "put order req received"
    VALIDATING = "validation pending"
    OPEN_PENDING = "open pending"
    OPEN = "open"
    TRIGGER_PENDING = "trigger pending"
    MODIFY_VALIDATING = "modify validation pending"
    MODIFY_PENDING = "modify pending"
    MODIFIED = "modified"
    NOT_MODIFIED = "not modified"
    CANCEL_PENDING = "cancel pending"
    NOT_CANCELLED = "not cancelled"
    CANCELLED = "cancelled"
    COMPLETE = "complete"
    REJECTED = "rejected"
    AMO_RECEIVED = "after market order req received"
    AMO_MODIFIED = "modify after market order req received"
    AMO_CANCELLED = "cancelled after market order"

    @property
    def is_terminal(self) -> bool:
        """Whether nothing can become of the order any more."""
        return self in _TERMINAL

    @property
    def is_after_market(self) -> bool:
        """Whether the order waits for the market to open."""
        return self in (Status.AMO_RECEIVED, Status.AMO_MODIFIED)


_TERMINAL: Final = frozenset({Status.COMPLETE, Status.REJECTED, Status.CANCELLED, Status.AMO_CANCELLED})

AUTOMATIC_PROTECTION: Final = -1.0
NO_PROTECTION: Final = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderRequest:
    """An order as a client asks for it.

    Quantities in units, prices in rupees; `price` 0 where the type has no limit, `trigger_price`
    0 where it has no trigger. `market_protection` is a percentage round the last price for
    orders without a limit: 0 none, −1 the broker's own table. `placed_by` is who asked: the
    client, the person, or the broker itself. `algo` is the registered name of the program that
    asked, None if it gave none.
    """

    instrument: InstrumentKey
    side: Side
    quantity: int
    type: OrderType
    price: float = 0.0
    trigger_price: float = 0.0
    product: Product = Product.INTRADAY
    validity: Validity = Validity.DAY
    disclosed_quantity: int = 0
    tag: str | None = None
    is_amo: bool = False
    slice: bool = False
    market_protection: float = NO_PROTECTION
    placed_by: str = ""
    algo: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderChange:
    """What a client wants changed; None keeps the value."""

    order_id: str
    type: OrderType
    validity: Validity
    price: float
    trigger_price: float
    quantity: int | None = None
    disclosed_quantity: int | None = None
    market_protection: float | None = None

    def of(self, request: OrderRequest) -> OrderRequest:
        """Return the request with the change made."""
        kept = {
            "quantity": self.quantity,
            "disclosed_quantity": self.disclosed_quantity,
            "market_protection": self.market_protection,
        }
        return replace(
            request,
            type=self.type,
            validity=self.validity,
            price=self.price,
            trigger_price=self.trigger_price,
            **{name: value for name, value in kept.items() if value is not None},  # type: ignore[arg-type]
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """An order as it stands. Moments are milliseconds since the epoch.

    `limit` is the price that the exchange works with: the request's own, or the edge of its
    market protection. `turnover` is the sum of fill price × units, in paise. `exchange_id` and
    `exchange_at` are None until the exchange has it.
    """

    id: str
    user: str
    request: OrderRequest
    status: Status
    placed_at: int
    updated_at: int
    limit: float = 0.0
    filled: int = 0
    turnover: int = 0
    message: str | None = None
    exchange_id: str | None = None
    exchange_at: int | None = None

    @property
    def remaining(self) -> int:
        """Units that are not filled."""
        return self.request.quantity - self.filled

    @property
    def is_working(self) -> bool:
        """Whether it may still be filled."""
        return not self.status.is_terminal

    @property
    def average_price(self) -> float | None:
        """Rupees a unit over all fills; None before the first."""
        return self.turnover / self.filled / 100 if self.filled else None


class Trade(NamedTuple):
    """One fill. `price` in rupees, `quantity` in units, `at` in milliseconds since the epoch."""

    id: str
    order_id: str
    instrument: InstrumentKey
    side: Side
    product: Product
    quantity: int
    price: float
    at: int

    @property
    def value(self) -> int:
        """Price × quantity, in paise."""
        return to_paise(self.price) * self.quantity


def to_paise(rupees: float) -> int:
    """Return whole paise; exchange prices have no more digits."""
    return round(rupees * 100)
