"""What has become of orders: the book, one order, its states, trades.

Source: Upstox's Get Order Book, Order Details, Order History, Trades and Historical Trades
documentation, SDK 2.30.0.
"""

import math
import re
from collections.abc import Iterable
from datetime import date
from typing import Final

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from algoexec.simulation.trading.orders import Order, Trade
from algoexec.simulator.broker import SimulatedBroker, required
from algoexec.simulator.chain_routes import parsed_date
from algoexec.simulator.errors import Refusal, invalid_input, success
from algoexec.simulator.order_body import checked_order_id, order_id_of
from algoexec.simulator.order_desk import OrderDesk
from algoexec.simulator.order_wire import (
    Contract,
    Row,
    order_fields,
    past_trade_fields,
    state_fields,
    trade_fields,
)
from algoexec.simulator.users import User

_SEGMENTS: Final = ("EQ", "FO", "COM", "CD", "MF")
_LARGEST_PAGE: Final = 5_000
_COUNT: Final = re.compile(r"[1-9][0-9]{0,8}")


def routes(broker: SimulatedBroker) -> list[BaseRoute]:
    """Return the endpoints that read orders and trades."""
    book = _Book(broker)
    return [
        Route("/v2/order/retrieve-all", book.everything),
        Route("/v2/order/details", book.details),
        Route("/v2/order/history", book.history),
        Route("/v2/order/trades", book.trades_of_order),
        Route("/v2/order/trades/get-trades-for-day", book.trades),
        Route("/v2/charges/historical-trades", book.past_trades),
    ]


class _Book:
    def __init__(self, broker: SimulatedBroker) -> None:
        self._broker = broker
        self._desk = OrderDesk(broker)

    async def everything(self, request: Request) -> Response:
        """Return all orders of the day as they stand, oldest first."""
        user = self._broker.caller(request, "order/retrieve-all")
        orders = self._broker.dealing.books.orders(user.id)
        return success([order_fields(order, self._contract(order)) for order in orders])

    async def details(self, request: Request) -> Response:
        """Return one order as it stands."""
        user = self._broker.caller(request, "order/details")
        order = self._desk.own_order(user, order_id_of(request))
        return success(order_fields(order, self._contract(order)))

    async def history(self, request: Request) -> Response:
        """Return every state that an order has been in, oldest first; of a tag, those of all its orders."""
        user = self._broker.caller(request, "order/history")
        history = self._broker.dealing.books.history
        states = [state for order in self._asked(request, user) for state in history(order.id)]
        return success([state_fields(state, self._contract(state)) for state in states])

    async def trades_of_order(self, request: Request) -> Response:
        """Return the fills of one order."""
        user = self._broker.caller(request, "order/trades")
        order = self._desk.own_order(user, order_id_of(request))
        return success(self._told(trade for trade in self._trades(user) if trade.order_id == order.id))

    async def trades(self, request: Request) -> Response:
        """Return the fills of the day, oldest first."""
        user = self._broker.caller(request, "order/trades-for-day")
        return success(self._told(self._trades(user)))

    async def past_trades(self, request: Request) -> Response:
        """Return a page of the fills between two days, oldest first.

        When the broker's back office has today's is not documented: here at once.
        """
        user = self._broker.caller(request, "charges/historical-trades")
        first, last = (parsed_date(required(request, name)) for name in ("start_date", "end_date"))
        if last < first:
            raise Refusal(400, "UDAPI1015", "end_date is before start_date")
        rows = self._past(user, first, last) if _wants_derivatives(request) else []
        number, size = _count(request, "page_number"), min(_count(request, "page_size"), _LARGEST_PAGE)
        page = {
            "page_number": number,
            "page_size": size,
            "total_records": len(rows),
            "total_pages": math.ceil(len(rows) / size),
        }
        shown = rows[(number - 1) * size : number * size]
        # The SDK knows the first spelling, the documentation the second.
        return success(shown, metaData={"page": page}, meta_data={"page": page})

    def _asked(self, request: Request, user: User) -> list[Order]:
        """Return the orders that a query for the history means: by number, by tag, or by both."""
        number, tag = request.query_params.get("order_id"), request.query_params.get("tag")
        if not number and not tag:
            raise Refusal(400, "UDAPI1023", "Order id is required")
        orders = self._broker.dealing.books.orders(user.id)
        if number:
            orders = [self._desk.own_order(user, checked_order_id(number))]
        chosen = [order for order in orders if not tag or order.request.tag == tag]
        if not chosen:
            raise Refusal(400, "UDAPI100010", "Unknown order id")
        return chosen

    def _trades(self, user: User) -> list[Trade]:
        return self._broker.dealing.account(user.id).trades

    def _told(self, trades: Iterable[Trade]) -> list[Row]:
        orders = ((trade, self._broker.dealing.books.order(trade.order_id)) for trade in trades)
        return [trade_fields(trade, order, self._contract(order)) for trade, order in orders]

    def _past(self, user: User, first: date, last: date) -> list[Row]:
        if not first <= self._broker.exchange.day.session.date <= last:
            return []
        contracts = self._broker.exchange.contracts
        return [past_trade_fields(trade, contracts[trade.instrument]) for trade in self._trades(user)]

    def _contract(self, order: Order) -> Contract:
        return self._broker.exchange.contracts[order.request.instrument]


def _wants_derivatives(request: Request) -> bool:
    segment = request.query_params.get("segment")
    if segment and segment not in _SEGMENTS:
        raise Refusal(400, "UDAPI1105", "Invalid segment")
    return segment in (None, "", "FO")


def _count(request: Request, name: str) -> int:
    text = required(request, name)
    if not _COUNT.fullmatch(text):
        raise invalid_input(f"{name} must be a positive number")
    return int(text)
