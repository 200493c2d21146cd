"""Orders as they are on the wire: what is asked for, and what is told of them.

Source: Upstox's documentation of Place and Modify Order V3, of Get Order Book, and of the update
that webhook and portfolio stream share; SDK 2.30.0. Statuses as collected for 2026.
"""

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Annotated, Any, Final, NamedTuple, Self

from pydantic import BeforeValidator, Field, StringConstraints, ValidationError, model_validator

from algoexec.adapters.upstox.payloads import Number, Payload, Whole
from algoexec.domain.calendar import IST
from algoexec.domain.errors import DecodeError, DomainError
from algoexec.domain.instruments import InstrumentKey
from algoexec.domain.orders import OrderReport, OrderStatus, OrderTerms, OrderTicket, OrderType, Side, Validity

type Row = Mapping[str, Any]

STATUSES: Final[Mapping[str, OrderStatus]] = {
    "put order req received": OrderStatus.PENDING,
    "validation pending": OrderStatus.PENDING,
    "open pending": OrderStatus.PENDING,
    "open": OrderStatus.OPEN,
    "trigger pending": OrderStatus.TRIGGER_PENDING,
    "modify validation pending": OrderStatus.PENDING,
    "modify pending": OrderStatus.PENDING,
    # These three last for a moment: how the order stands, the next status says.
    "modified": OrderStatus.PENDING,
    "not modified": OrderStatus.PENDING,
    "not cancelled": OrderStatus.PENDING,
    "cancel pending": OrderStatus.PENDING,
    "cancelled": OrderStatus.CANCELLED,
    "complete": OrderStatus.COMPLETE,
    "rejected": OrderStatus.REJECTED,
    "after market order req received": OrderStatus.PENDING,
    "modify after market order req received": OrderStatus.PENDING,
    "cancelled after market order": OrderStatus.CANCELLED,
}
"""What each of their statuses means. A partly filled order is `open`.

Their list is not complete in public: one that is not here is counted, and the order may still be filled.
"""

_LONGEST_TAG: Final = 40
_OUR_TAG: Final = re.compile(r"[a-z0-9]{16}-[a-z0-9]+-[a-z0-9]+")
"""A session, the record that caused the order, and its place among the orders of that record."""

_OLD_STAMP: Final = "%d-%b-%Y %H:%M:%S"
"""As their V2 samples write it, `03-Aug-2017 15:03:42`."""

AUTOMATIC_PROTECTION: Final = -1
"""A market order within the broker's own price band; NSE rejects one without any from an algo."""


def is_ours(tag: object) -> bool:
    """Return whether a tag is the id of a ticket."""
    return isinstance(tag, str) and len(tag) <= _LONGEST_TAG and _OUR_TAG.fullmatch(tag) is not None


# --- what is asked for ------------------------------------------------------------------------------------------------


def place_body(ticket: OrderTicket) -> dict[str, Any]:
    """Return the body of POST /v3/order/place.

    Raises:
        DomainError: the ticket's id would not come back as one of ours.
    """
    if not is_ours(ticket.id):
        raise DomainError(f"{ticket.id!r} cannot travel as a tag: the order would come back as somebody else's")
    return {
        "instrument_token": ticket.instrument,
        "transaction_type": ticket.side,
        "quantity": ticket.quantity,
        "product": ticket.product,
        "validity": ticket.validity,
        **_prices(ticket.type, ticket.price, ticket.trigger_price),
        "disclosed_quantity": 0,
        "is_amo": False,
        "slice": False,
        "tag": ticket.id,
    }


def modify_body(order_id: str, terms: OrderTerms) -> dict[str, Any]:
    """Return the body of PUT /v3/order/modify; what it leaves out stays. Only a day order rests to be modified."""
    prices = _prices(terms.type, terms.price, terms.trigger_price)
    return {"order_id": order_id, "validity": Validity.DAY, **prices}


def _prices(kind: OrderType, price: float, trigger: float | None) -> dict[str, Any]:
    fields: dict[str, Any] = {
        "order_type": kind,
        "price": price if kind.has_limit else 0,
        "trigger_price": (trigger or 0) if kind.has_trigger else 0,
    }
    return fields if kind.has_limit else {**fields, "market_protection": AUTOMATIC_PROTECTION}


# --- what is told -----------------------------------------------------------------------------------------------------


def _stamp(value: object) -> object:
    """Take a moment as they write it: IST without saying so."""
    if not isinstance(value, str):
        return value
    if not value:
        return None
    try:
        moment = datetime.fromisoformat(value)
    except ValueError:
        moment = datetime.strptime(value, _OLD_STAMP)  # noqa: DTZ007 - its zone is added below
    try:
        return (moment if moment.tzinfo else moment.replace(tzinfo=IST)).astimezone(UTC)
    except OverflowError as error:
        raise ValueError("a moment before the first year") from error


def _nothing(value: object) -> object:
    """Take null for 0: what an order does not have they write either way."""
    return 0 if value is None else value


type Moment = Annotated[datetime | None, BeforeValidator(_stamp)]
type Price = Annotated[Number, Field(ge=0), BeforeValidator(_nothing)]
type Units = Annotated[Whole, Field(ge=0), BeforeValidator(_nothing)]
type Text = Annotated[str, StringConstraints(min_length=1)]


class OrderRow(Payload):
    """One order of the order book, or of an update. Prices in rupees, quantities in units."""

    order_id: Text
    tag: str | None = None
    # The same by two names: the second is deprecated in updates, and the book has it alone.
    instrument_key: Text | None = None
    instrument_token: Text | None = None
    transaction_type: Annotated[Side, Field(strict=False)]
    status: Text
    quantity: Annotated[Whole, Field(gt=0)]
    filled_quantity: Units = 0
    average_price: Price = 0.0
    price: Price = 0.0
    trigger_price: Price = 0.0
    status_message: str | None = None
    status_message_raw: str | None = None
    order_timestamp: Moment = None
    exchange_timestamp: Moment = None

    @model_validator(mode="after")
    def _adds_up(self) -> Self:
        if not (self.instrument_key or self.instrument_token):
            raise ValueError("it names no instrument")
        if self.filled_quantity > self.quantity:
            raise ValueError("more is filled than was ordered")
        if self.filled_quantity and not self.average_price:
            raise ValueError("something is filled at no price")
        return self

    def report(self, status: OrderStatus) -> OrderReport:
        """Return it with what its status means.

        Raises:
            ValueError: it is complete, and not filled.
        """
        if status is OrderStatus.COMPLETE and self.filled_quantity != self.quantity:
            raise ValueError(f"complete, with {self.filled_quantity} of {self.quantity} units filled")
        moments = [moment for moment in (self.order_timestamp, self.exchange_timestamp) if moment is not None]
        return OrderReport(
            order_id=self.order_id,
            id=self.tag if is_ours(self.tag) else None,
            instrument=InstrumentKey(self.instrument_key or self.instrument_token or ""),
            side=self.transaction_type,
            status=status,
            quantity=self.quantity,
            filled=self.filled_quantity,
            average_price=self.average_price if self.filled_quantity else None,
            price=self.price,
            message=self.status_message or self.status_message_raw or None,
            at=max(moments, default=None),
            trigger_price=self.trigger_price or None,
        )


class Read(NamedTuple):
    """An order as read. `unknown` is a status of theirs that has no meaning here yet; None: it has."""

    report: OrderReport
    unknown: str | None


def read_order(row: object) -> Read:
    """Return what a row tells.

    Raises:
        DecodeError: it makes no sense. `is_ours` of its tag says whether that matters.
    """
    try:
        order = OrderRow.model_validate(row)
        status = STATUSES.get(order.status.strip().lower())
        unknown = order.status if status is None else None
        return Read(order.report(status or OrderStatus.PENDING), unknown)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        where = ".".join(map(str, first["loc"]))
        raise DecodeError(f"an order: {error.error_count()} errors, first at {where}: {first['msg']}") from error
    except ValueError as error:
        raise DecodeError(f"an order: {error}") from error


def tag_of(row: object) -> object:
    """Return the tag of a row, however little else of it makes sense."""
    return row.get("tag") if isinstance(row, Mapping) else None
