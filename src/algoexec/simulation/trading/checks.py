"""What the broker and the exchange say no to, and how: at once, or as an order that is rejected.

Source: Upstox's published errors; lot, freeze, price and margin violations come as the status
`rejected` with a text of the broker's risk management (RMS) or of the exchange. Their exact
wording is not published.
"""

import math
from collections.abc import Iterator
from dataclasses import replace
from enum import Enum, auto
from typing import Final, NamedTuple

from algoexec.domain.instruments import Future, Option
from algoexec.domain.orders import OrderType, Side
from algoexec.simulation.trading.orders import AUTOMATIC_PROTECTION, NO_PROTECTION, OrderRequest

type Contract = Future | Option

MOST_SLICES: Final = 25
MOST_PROTECTION: Final = 25.0


class Why(Enum):
    """Why a request is refused before it becomes an order."""

    UNKNOWN_INSTRUMENT = auto()
    INVALID = auto()
    MARKET_CLOSED = auto()
    MARKET_OPEN = auto()
    """It is an order for the next open, and the market is open."""
    NO_SUCH_ORDER = auto()
    ORDER_FINISHED = auto()
    NOTHING_OPEN = auto()
    SEGMENT_DISABLED = auto()


class OrderRefused(Exception):
    """The request makes no order: nothing has changed."""

    def __init__(self, why: Why, message: str) -> None:
        """Keep the reason beside the words."""
        super().__init__(message)
        self.why = why


class Band(NamedTuple):
    """Prices between which the exchange takes orders, in rupees, both included."""

    low: float
    high: float


def require_sense(request: OrderRequest) -> None:
    """Refuse a request that contradicts itself.

    Raises:
        OrderRefused: see its message.
    """
    for complaint in _complaints(request):
        raise OrderRefused(Why.INVALID, complaint)


def _complaints(request: OrderRequest) -> Iterator[str]:
    if not (math.isfinite(request.price) and math.isfinite(request.trigger_price)):
        yield "price and trigger_price must be numbers"
    if request.quantity <= 0:
        yield "quantity must be positive"
    if not 0 <= request.disclosed_quantity <= request.quantity:
        yield "disclosed_quantity must be between 0 and quantity"
    if request.type.has_limit and request.price <= 0:
        yield f"price is required for {request.type} orders"
    if not request.type.has_limit and request.price:
        yield f"price must be 0 for {request.type} orders"
    if request.type.has_trigger and request.trigger_price <= 0:
        yield f"trigger_price is required for {request.type} orders"
    if not request.type.has_trigger and request.trigger_price:
        yield f"trigger_price must be 0 for {request.type} orders"
    if request.market_protection != AUTOMATIC_PROTECTION and not 0 <= request.market_protection <= MOST_PROTECTION:
        yield f"market_protection must be -1 or between 0 and {MOST_PROTECTION:g}"


def slices(request: OrderRequest, freeze: int) -> list[OrderRequest]:
    """Return the orders that a request becomes: one, or parts of the freeze quantity if it asks for that.

    Raises:
        OrderRefused: too many parts.
    """
    parts = parts_of(request, freeze) if request.slice else [request]
    if len(parts) > MOST_SLICES:
        raise OrderRefused(Why.INVALID, f"an order is sliced into at most {MOST_SLICES} orders")
    return parts


def parts_of(request: OrderRequest, freeze: int) -> list[OrderRequest]:
    """Return the request in parts of at most the freeze quantity."""
    whole, rest = divmod(request.quantity, freeze)
    return [replace(request, quantity=quantity) for quantity in [freeze] * whole + [rest] * bool(rest)]


def rejection_of(request: OrderRequest, contract: Contract, band: Band) -> str | None:
    """Return why broker or exchange reject an order, money apart; None if they do not."""
    return next(_rejections(request, contract, band), None)


def _rejections(request: OrderRequest, contract: Contract, band: Band) -> Iterator[str]:
    if request.type is OrderType.SL_M and isinstance(contract, Option):
        yield "RMS:Rule: SL-M orders are not allowed in options, use SL with a price"
    if request.type is OrderType.MARKET and request.market_protection == NO_PROTECTION:
        # Source: NSE FAOP69296: market orders of algorithms are rejected before they match.
        yield "EXCHANGE: 17179 : Market orders from API are not allowed, use LIMIT or market_protection"
    if request.quantity % contract.lot:
        yield f"RMS:Rule: Quantity {request.quantity} is not a multiple of the lot size {contract.lot}"
    if request.quantity > contract.freeze_quantity:
        yield f"EXCHANGE: 16713 : Quantity exceeds the freeze quantity {contract.freeze_quantity}"
    for name, price in (("price", request.price), ("trigger price", request.trigger_price)):
        if price and not on_grid(price, contract.tick_size):
            yield f"EXCHANGE: 16247 : The {name} {price:g} is not a multiple of the tick size {contract.tick_size:g}"
        if price and not band.low <= price <= band.high:
            yield f"EXCHANGE: 17070 : The {name} is out of the current execution range {band.low:g} - {band.high:g}"
    if request.type is OrderType.SL and (request.price - request.trigger_price) * request.side.sign < 0:
        yield "RMS:Rule: The price of a stop order must not be better than its trigger price"


def on_grid(price: float, tick_size: float) -> bool:
    """Return whether a price is a whole number of ticks."""
    ticks = price / tick_size
    return abs(ticks - round(ticks)) < 1e-6


_PROTECTION_OF_OPTIONS: Final = ((10.0, 5.0), (5.0, 10.0), (0.0, 15.0))
"""Premium from, percent. Source: Upstox's market price protection; its row from 10 rupees on is not known."""
_PROTECTION_OF_FUTURES: Final = 0.5


def protected_limit(request: OrderRequest, contract: Contract, reference: float, band: Band) -> float:
    """Return the limit of an order without one: its market protection round the `reference` price, on the grid."""
    percent = request.market_protection
    if percent == AUTOMATIC_PROTECTION:
        percent = _PROTECTION_OF_FUTURES
        if isinstance(contract, Option):
            percent = next(share for least, share in _PROTECTION_OF_OPTIONS if reference >= least)
    edge = reference * (1 + request.side.sign * percent / 100)
    # Rounded inwards: never beyond the percentage.
    inwards = math.floor if request.side is Side.BUY else math.ceil
    ticks = inwards(round(edge / contract.tick_size, 6))
    return min(max(round(ticks * contract.tick_size, 2), band.low), band.high)
