"""What money there is, what an order would cost, and what it would bind."""

import re
from typing import Final

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from algoexec.domain.charges import Charges, Derivative, charges_of_order
from algoexec.domain.instruments import Future, InstrumentKey
from algoexec.domain.orders import OrderType, Product, Side
from algoexec.simulation.trading.account import Account, Bound, bound_by
from algoexec.simulation.trading.orders import Order, OrderRequest, Status, to_paise
from algoexec.simulator.broker import SimulatedBroker, required
from algoexec.simulator.errors import Refusal, invalid_input, success, unknown_instrument
from algoexec.simulator.money_wire import Funds, brokerage_fields, funds_v2, funds_v3, margin_fields
from algoexec.simulator.order_body import HIGHEST_PRICE, Fields, body_of
from algoexec.simulator.users import User

MOST_INSTRUMENTS: Final = 20
_SEGMENTS: Final = ("", "SEC", "COM")
_WHOLE: Final = re.compile(r"[1-9][0-9]{0,8}")
_NOBODY: Final = "-"


def routes(broker: SimulatedBroker) -> list[BaseRoute]:
    """Return the endpoints about money."""
    money = _Money(broker)
    return [
        Route("/v2/user/get-funds-and-margin", money.funds),
        Route("/v3/user/get-funds-and-margin", money.funds_v3),
        Route("/v2/charges/brokerage", money.brokerage),
        Route("/v2/charges/margin", money.margin, methods=["POST"]),
    ]


class _Money:
    def __init__(self, broker: SimulatedBroker) -> None:
        self._broker = broker

    async def funds(self, request: Request) -> Response:
        """Return the user's funds by segment."""
        user = self._broker.caller(request, "user/get-funds-and-margin")
        self._broker.require_service()
        segment = request.query_params.get("segment", "")
        if segment not in _SEGMENTS:
            raise invalid_input("segment must be SEC or COM")
        return success(funds_v2(self._funds(user), segment))

    async def funds_v3(self, request: Request) -> Response:
        """Return the user's funds in full."""
        user = self._broker.caller(request, "v3/user/get-funds-and-margin")
        self._broker.require_service()
        return success(funds_v3(self._funds(user)))

    async def brokerage(self, request: Request) -> Response:
        """Return what an order would cost if it was filled at its price."""
        self._broker.caller(request, "charges/brokerage")
        instrument = self._listed(required(request, "instrument_token"))
        product = required(request, "product")
        side, quantity, price = required(request, "transaction_type"), _whole(request), _price(request)
        if product not in Product or side not in Side:
            raise invalid_input("product or transaction_type is invalid")
        charges = self._charges(instrument, Side(side), to_paise(price) * quantity)
        return success({"charges": brokerage_fields(charges)})

    async def margin(self, request: Request) -> Response:
        """Return what orders would bind, each for itself, and all of them together."""
        body = await body_of(request)
        user = self._broker.caller(request, "charges/margin")
        orders = [self._hypothetical(line, user) for line in _instruments_of(body)]
        rows = [margin_fields(self._bound([order])) for order in orders]
        alone = sum(self._bound([order]).total for order in orders)
        together = self._bound(orders).total
        return success({"required_margin": alone / 100, "final_margin": together / 100, "margins": rows})

    def _funds(self, user: User) -> Funds:
        dealing, contracts = self._broker.dealing, self._broker.exchange.contracts
        account = dealing.account(user.id)
        bound = bound_by(account, dealing.books.working(user.id), contracts, self._spot())
        premium = realised = unrealised = 0
        for held in account.positions.values():
            realised += held.realised
            if isinstance(contracts[held.instrument], Future):
                unrealised += held.profit(self._last(held.instrument)) - held.realised
            else:
                premium += held.bought.value - held.sold.value + held.realised
        return Funds(
            opening=account.opening,
            charges=dealing.charges(user.id).total,
            premium=premium + bound.premium,
            margin=bound.margin,
            realised=realised,
            unrealised=unrealised,
        )

    def _charges(self, instrument: InstrumentKey, side: Side, turnover: int) -> Charges:
        exchange = self._broker.exchange
        kind = Derivative.FUTURE if isinstance(exchange.contracts[instrument], Future) else Derivative.OPTION
        return charges_of_order(on=exchange.day.session.date, kind=kind, side=side, turnover=turnover)

    def _hypothetical(self, line: object, user: User) -> Order:
        """Return an order that nobody places; without a price it is one at the last price."""
        fields = Fields(line)
        instrument = self._listed(fields.text("instrument_key", "UDAPI1009"))
        asked = OrderRequest(
            instrument=instrument,
            side=fields.choice("transaction_type", Side),
            quantity=fields.quantity(),
            type=OrderType.LIMIT,
            product=fields.choice("product", Product),
        )
        if asked.quantity < 0:
            raise invalid_input("quantity must be positive")
        price = fields.number("price") if fields.has("price") else 0.0
        now = self._broker.clock.now_ms
        return Order(
            id=_NOBODY,
            user=user.id,
            request=asked,
            status=Status.OPEN,
            placed_at=now,
            updated_at=now,
            limit=price if price > 0 else self._last(instrument) / 100,
        )

    def _bound(self, orders: list[Order]) -> Bound:
        empty = Account(user=_NOBODY, opening=0)
        return bound_by(empty, orders, self._broker.exchange.contracts, self._spot())

    def _listed(self, key: str) -> InstrumentKey:
        if key not in self._broker.exchange.contracts:
            raise unknown_instrument(key)
        return InstrumentKey(key)

    def _last(self, instrument: InstrumentKey) -> int:
        return to_paise(self._broker.exchange.quote(instrument, self._broker.clock.now_ms).price)

    def _spot(self) -> int:
        return to_paise(self._broker.exchange.spot(self._broker.clock.now_ms))


def _instruments_of(body: object) -> list[object]:
    instruments = body.get("instruments") if isinstance(body, dict) else None
    if not isinstance(instruments, list) or not instruments:
        raise invalid_input("instruments is required")
    if len(instruments) > MOST_INSTRUMENTS:
        raise Refusal(400, "UDAPI100036", f"At most {MOST_INSTRUMENTS} instruments at a time")
    return instruments


def _whole(request: Request) -> int:
    text = required(request, "quantity")
    if not _WHOLE.fullmatch(text):
        raise invalid_input("quantity must be a positive number")
    return int(text)


def _price(request: Request) -> float:
    text = required(request, "price")
    try:
        price = float(text)
    except ValueError as error:
        raise invalid_input("price must be a number") from error
    if not 0 <= price <= HIGHEST_PRICE:
        raise invalid_input("price must be a number")
    return price
