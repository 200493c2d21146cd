"""Many orders with one call: place several, cancel all, exit all positions.

Source: Upstox's Place Multi Order, Cancel Multi Order and Exit All Positions documentation, SDK 2.30.0.
"""

import math
from collections.abc import Iterable, Sequence
from typing import Final, NamedTuple

import orjson
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from algoexec.domain.orders import Side
from algoexec.simulation.trading.orders import Order, OrderRequest
from algoexec.simulator.broker import SimulatedBroker
from algoexec.simulator.errors import Refusal, error_fields, invalid_input
from algoexec.simulator.kill_switch import SEGMENTS
from algoexec.simulator.order_body import body_of, correlation_of, order_request, orders_in
from algoexec.simulator.order_desk import OrderDesk, algo_of
from algoexec.simulator.order_wire import Row
from algoexec.simulator.users import User, token_of

TRADED: Final = "NSE_FO"
"""The one segment that is listed here."""
MOST_LINES: Final = 25
MOST_COUNTED: Final = 10
"""Of a call that ends orders or positions no more than these count against the rate limit. How the broker
counts them is not documented; counted in full, a large book could never be closed with one call."""


def routes(broker: SimulatedBroker) -> list[BaseRoute]:
    """Return the endpoints for many orders."""
    bulk = _Bulk(broker)
    return [
        Route("/v2/order/multi/place", bulk.place, methods=["POST"]),
        Route("/v2/order/multi/cancel", bulk.cancel, methods=["DELETE"]),
        Route("/v2/order/positions/exit", bulk.exit, methods=["POST"]),
    ]


class _Line(NamedTuple):
    """A line of a multi order under its client's name for it."""

    correlation: str
    request: OrderRequest


class _Fault(NamedTuple):
    """What is wrong with a line; `correlation` None: it has no name."""

    correlation: str | None
    refusal: Refusal

    def told(self) -> Row:
        return {**error_fields(self.refusal), "correlation_id": self.correlation}


class _Bulk:
    def __init__(self, broker: SimulatedBroker) -> None:
        self._broker = broker
        self._desk = OrderDesk(broker)

    async def place(self, request: Request) -> Response:
        """Place several orders, buys first. If any line makes no sense, none is placed."""
        body = await body_of(request)
        user = self._broker.trader(request, orders=orders_in(body, self._broker.exchange.contracts))
        lines, faults = _parsed(_lines_of(body), user, algo_of(request))
        if faults:
            return _told_multi([], faults, total=len(lines) + len(faults), payload_errors=len(faults))
        placed: list[Row] = []
        for line in sorted(lines, key=lambda line: line.request.side is Side.SELL):
            try:
                placed += _told_line(line.correlation, self._desk.place(user, line.request))
            except Refusal as refusal:
                faults.append(_Fault(line.correlation, refusal))
        return _told_multi(placed, faults, total=len(lines))

    async def cancel(self, request: Request) -> Response:
        """Withdraw all orders, or those of a segment or a tag."""
        working = len(self._broker.dealing.books.working(token_of(request).user.id))
        user = self._trader(request, working)
        tag = _filtered(request, "No open or pending order available")
        cancelled = self._desk.cancel_all(user, tag)
        return _told_bulk(cancelled.ended, [_too_late(order) for order in cancelled.filled])

    async def exit(self, request: Request) -> Response:
        """Close all positions, or those of a segment or a tag, at the market within its automatic protection."""
        user = self._trader(request, self._exits(token_of(request).user))
        tag = _filtered(request, "No open position available to exit.")
        return _told_bulk(self._desk.exit_all(user, tag))

    def _trader(self, request: Request, orders: int) -> User:
        return self._broker.trader(request, orders=min(max(1, orders), MOST_COUNTED))

    def _exits(self, user: User) -> int:
        """Return how many orders close what a user holds."""
        contracts = self._broker.exchange.contracts
        positions = self._broker.dealing.account(user.id).positions.values()
        return sum(math.ceil(abs(held.net) / contracts[held.instrument].freeze_quantity) for held in positions)


def _lines_of(body: object) -> list[object]:
    if not isinstance(body, list):
        raise invalid_input("The body is no list of orders")
    if not body:
        raise Refusal(400, "UDAPI1114", "The request has no orders")
    if len(body) > MOST_LINES:
        raise Refusal(400, "UDAPI1118", f"A request has at most {MOST_LINES} orders")
    return body


def _parsed(bodies: Iterable[object], user: User, algo: str | None) -> tuple[list[_Line], list[_Fault]]:
    """Return the lines that make sense, and what is wrong with the others."""
    lines: list[_Line] = []
    faults: list[_Fault] = []
    names: set[str] = set()
    for body in bodies:
        name = None
        try:
            name = correlation_of(body)
            if name in names:
                raise Refusal(400, "UDAPI1117", "The correlation_id is not unique")
            names.add(name)
            lines.append(_Line(name, order_request(body, placed_by=user.id, algo=algo)))
        except Refusal as refusal:
            faults.append(_Fault(name, refusal))
    return lines, faults


def _filtered(request: Request, nothing: str) -> str | None:
    """Return the tag that a query asks for.

    Raises:
        Refusal: it asks for a segment that is none, or in which nothing is listed here.
    """
    segment = request.query_params.get("segment")
    if segment and segment not in SEGMENTS:
        raise Refusal(400, "UDAPI1105", "Invalid segment")
    if segment and segment != TRADED:
        raise Refusal(400, "UDAPI1108", nothing)
    return request.query_params.get("tag") or None


def _told_line(correlation: str, order_ids: tuple[str, ...]) -> list[Row]:
    """Return the orders of a line; the parts of a sliced one are numbered."""
    if len(order_ids) == 1:
        return [{"correlation_id": correlation, "order_id": order_ids[0]}]
    return [
        {"correlation_id": f"{correlation}_{number}", "order_id": order_id}
        for number, order_id in enumerate(order_ids, start=1)
    ]


def _told_multi(placed: list[Row], faults: list[_Fault], *, total: int, payload_errors: int = 0) -> Response:
    """Return what became of the lines: 200 if all were placed, 207 if some were, 400 if none."""
    refused = len(faults) - payload_errors
    summary = {
        "total": total,
        "payload_error": payload_errors,
        "success": total - len(faults) if not payload_errors else 0,
        "error": refused,
    }
    if not faults:
        return _answer(200, "success", placed, None, summary)
    told = [fault.told() for fault in faults]
    if not placed:
        return _answer(400, "error", [], told, summary)
    return _answer(207, "partial_success", placed, told, summary)


def _told_bulk(order_ids: tuple[str, ...], errors: Sequence[Row] = ()) -> Response:
    """Return what became of orders: 200 if all went well, 207 if some did, 400 if none."""
    summary = {"total": len(order_ids) + len(errors), "success": len(order_ids), "error": len(errors)}
    data = {"order_ids": list(order_ids)}
    if not errors:
        return _answer(200, "success", data, None, summary)
    code, status = (207, "partial_success") if order_ids else (400, "error")
    return _answer(code, status, data, errors, summary)


def _too_late(order: Order) -> Row:
    """Return the error of an order that was filled before its cancellation."""
    refusal = Refusal(400, "UDAPI100040", "The order is already complete")
    return {**error_fields(refusal), "order_id": order.id, "instrument_key": order.request.instrument}


def _answer(code: int, status: str, data: object, errors: Sequence[Row] | None, summary: dict[str, int]) -> Response:
    body = orjson.dumps({"status": status, "data": data, "errors": errors, "summary": summary})
    return Response(body, code, media_type="application/json")
