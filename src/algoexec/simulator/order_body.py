"""What clients write into the bodies of orders, read strictly: nothing is guessed, each fault has its own code.

Source of the codes: Upstox's Place, Modify and Multi Order documentation, 2026. A field without
a code of its own is refused as invalid input.
"""

import math
import re
from collections.abc import Mapping
from enum import StrEnum
from typing import Final

import orjson
from starlette.requests import Request

from algoexec.domain.instruments import Future, InstrumentKey, Option
from algoexec.domain.orders import OrderType, Product, Side, Validity
from algoexec.simulation.trading.checks import MOST_PROTECTION, MOST_SLICES
from algoexec.simulation.trading.orders import AUTOMATIC_PROTECTION, NO_PROTECTION, OrderChange, OrderRequest
from algoexec.simulator.errors import Refusal, invalid_input

type Contracts = Mapping[InstrumentKey, Future | Option]

MOST_UNITS: Final = 2**31 - 1
"""Quantities are documented as int32."""
HIGHEST_PRICE: Final = 1e9
"""Rupees; the broker's own bound is not known. Beyond it would be numbers that no arithmetic holds."""
LONGEST_TAG: Final = 40
LONGEST_CORRELATION: Final = 20
_ORDER_ID: Final = re.compile(r"[-a-zA-Z0-9]+")


async def body_of(request: Request) -> object:
    """Return the JSON of a request; None where there is none, or something else: nothing useful is null."""
    try:
        return orjson.loads(await request.body())
    except orjson.JSONDecodeError:
        return None


class Fields:
    """The fields of a JSON object.

    All of its methods raise a `Refusal` for a field that is missing or of another kind.
    """

    def __init__(self, content: object) -> None:
        """Read `content`."""
        if not isinstance(content, dict):
            raise invalid_input("The body is no JSON object")
        self._content: Final[dict[str, object]] = content

    def has(self, name: str) -> bool:
        """Return whether a field is given; null is not."""
        return self._content.get(name) is not None

    def text(self, name: str, missing: str | None = None) -> str:
        """Return a text that is not empty; `missing` is the code where it is."""
        value = self._content.get(name)
        if value is None or value == "":
            raise _missing(name, missing)
        if not isinstance(value, str):
            raise invalid_input(f"{name} must be a text")
        return value

    def whole(self, name: str) -> int:
        """Return a whole number."""
        value = self._content.get(name)
        if value is None:
            raise _missing(name)
        if isinstance(value, bool) or not isinstance(value, int) or abs(value) > MOST_UNITS:
            raise invalid_input(f"{name} must be a whole number")
        return value

    def number(self, name: str) -> float:
        """Return a number."""
        value = self._content.get(name)
        if value is None:
            raise _missing(name)
        if isinstance(value, bool) or not isinstance(value, int | float) or abs(value) > HIGHEST_PRICE:
            raise invalid_input(f"{name} must be a number")
        return float(value)

    def flag(self, name: str, default: bool | None = None) -> bool:
        """Return true or false; `default` where it may be left out."""
        value = self._content.get(name)
        if value is None and default is not None:
            return default
        if value is None:
            raise _missing(name)
        if not isinstance(value, bool):
            raise invalid_input(f"{name} must be true or false")
        return value

    def choice[E: StrEnum](
        self, name: str, kind: type[E], missing: str | None = None, unknown: str = "UDAPI100036"
    ) -> E:
        """Return one of a few words, spelled as the broker spells it."""
        word = self.text(name, missing)
        try:
            return kind(word)
        except ValueError as error:
            raise Refusal(400, unknown, f"The '{name}' is invalid") from error

    def rows(self, name: str, *, most: int) -> list[object]:
        """Return a list that is not empty and has at most so many items."""
        value = self._content.get(name)
        if not isinstance(value, list) or not 0 < len(value) <= most:
            raise invalid_input(f"{name} must be a list of 1 to {most} items")
        return value

    def quantity(self) -> int:
        """Return the units of an order."""
        quantity = self.whole("quantity")
        if not quantity:
            raise Refusal(400, "UDAPI1052", "The quantity cannot be zero")
        return quantity

    def protection(self) -> float | None:
        """Return the market protection, in percent; None where it is left out."""
        if not self.has("market_protection"):
            return None
        share = self.number("market_protection")
        if share > MOST_PROTECTION:
            raise Refusal(400, "UDAPI1159", f"Market protection cannot be greater than {MOST_PROTECTION:g}%")
        if share < 0 and share != AUTOMATIC_PROTECTION:
            raise Refusal(400, "UDAPI1160", "Invalid market protection")
        return share

    def tag(self) -> str | None:
        """Return the tag; None where it is left out or empty."""
        if not self.has("tag") or self._content["tag"] == "":
            return None
        tag = self.text("tag")
        if len(tag) > LONGEST_TAG:
            raise Refusal(400, "UDAPI1119", f"The tag cannot be longer than {LONGEST_TAG} characters")
        return tag


def order_request(content: object, *, placed_by: str, algo: str | None = None, slices: bool = True) -> OrderRequest:
    """Return the order that a body asks for; `slices` False: of a version that knows no slices.

    Raises:
        Refusal: it makes no sense.
    """
    fields = Fields(content)
    return OrderRequest(
        instrument=InstrumentKey(fields.text("instrument_token", "UDAPI1026")),
        side=fields.choice("transaction_type", Side),
        quantity=fields.quantity(),
        type=fields.choice("order_type", OrderType, "UDAPI1004", "UDAPI1056"),
        price=fields.number("price"),
        trigger_price=fields.number("trigger_price"),
        product=fields.choice("product", Product),
        validity=fields.choice("validity", Validity, "UDAPI1007", "UDAPI1055"),
        disclosed_quantity=fields.whole("disclosed_quantity"),
        tag=fields.tag(),
        is_amo=fields.flag("is_amo"),
        slice=slices and fields.flag("slice", default=False),
        market_protection=_default(fields.protection(), NO_PROTECTION),
        placed_by=placed_by,
        algo=algo,
    )


def order_change(content: object) -> OrderChange:
    """Return the change that a body asks for; what it leaves out stays, as does a disclosed quantity of 0.

    Raises:
        Refusal: it makes no sense.
    """
    fields = Fields(content)
    disclosed = fields.whole("disclosed_quantity") if fields.has("disclosed_quantity") else 0
    return OrderChange(
        order_id=checked_order_id(fields.text("order_id", "UDAPI1023")),
        type=fields.choice("order_type", OrderType, "UDAPI1004", "UDAPI1056"),
        validity=fields.choice("validity", Validity, "UDAPI1007", "UDAPI1055"),
        price=fields.number("price"),
        trigger_price=fields.number("trigger_price"),
        quantity=fields.quantity() if fields.has("quantity") else None,
        disclosed_quantity=disclosed or None,
        market_protection=fields.protection(),
    )


def correlation_of(content: object) -> str:
    """Return the name that a client gives to a line of a multi order.

    The code of a name that is too long is a guess, between those of its neighbours.

    Raises:
        Refusal: it has none, or too long a one.
    """
    name = Fields(content).text("correlation_id", "UDAPI1115")
    if len(name) > LONGEST_CORRELATION:
        raise Refusal(400, "UDAPI1116", f"The correlation_id cannot be longer than {LONGEST_CORRELATION} characters")
    return name


def order_id_of(request: Request) -> str:
    """Return the order that a query names.

    Raises:
        Refusal: it names none, or one that cannot be.
    """
    order_id = request.query_params.get("order_id")
    if not order_id:
        raise _missing("order_id", "UDAPI1023")
    return checked_order_id(order_id)


def checked_order_id(order_id: str) -> str:
    """Return an order id that can be one.

    Raises:
        Refusal: it cannot.
    """
    if not _ORDER_ID.fullmatch(order_id):
        raise Refusal(400, "UDAPI1010", "Order id accepts only alphanumeric characters and '-'.")
    return order_id


def orders_in(content: object, contracts: Contracts) -> int:
    """Return how many orders a body asks for, each part of a slice counted; 1 for what makes no sense.

    It is asked before the body is checked: a gateway counts what comes, and refuses bad tokens first.
    """
    if isinstance(content, list):
        return max(1, sum(_parts(line, contracts) for line in content))
    return _parts(content, contracts)


def _parts(line: object, contracts: Contracts) -> int:
    if not isinstance(line, dict) or line.get("slice") is not True:
        return 1
    key, quantity = line.get("instrument_token"), line.get("quantity")
    contract = contracts.get(InstrumentKey(key)) if isinstance(key, str) else None
    if contract is None or not isinstance(quantity, int) or quantity <= 0:
        return 1
    parts = math.ceil(quantity / contract.freeze_quantity)
    # More are refused for their own reason.
    return parts if parts <= MOST_SLICES else 1


def _default(value: float | None, default: float) -> float:
    return default if value is None else value


def _missing(name: str, code: str | None = None) -> Refusal:
    return Refusal(400, code or "UDAPI100036", f"{name} is required")
