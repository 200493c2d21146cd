"""Place, modify and cancel an order: V3, and V2, which says the same in fewer words.

Source: Upstox's Place, Modify and Cancel Order V3 documentation, SDK 2.30.0.
"""

from typing import Final

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from algoexec.simulator.broker import SimulatedBroker
from algoexec.simulator.errors import success
from algoexec.simulator.order_body import body_of, order_change, order_id_of, order_request, orders_in
from algoexec.simulator.order_desk import LATENCY_MS, OrderDesk, algo_of

_METADATA: Final = {"latency": LATENCY_MS}


def routes(broker: SimulatedBroker) -> list[BaseRoute]:
    """Return the endpoints of single orders."""
    orders = _Orders(broker)
    return [
        Route("/v3/order/place", orders.place, methods=["POST"]),
        Route("/v3/order/modify", orders.modify, methods=["PUT"]),
        Route("/v3/order/cancel", orders.cancel, methods=["DELETE"]),
        Route("/v2/order/place", orders.place_v2, methods=["POST"]),
        Route("/v2/order/modify", orders.modify_v2, methods=["PUT"]),
        Route("/v2/order/cancel", orders.cancel_v2, methods=["DELETE"]),
    ]


class _Orders:
    def __init__(self, broker: SimulatedBroker) -> None:
        self._broker = broker
        self._desk = OrderDesk(broker)

    async def place(self, request: Request) -> Response:
        """Take an order in, or its slices: that says nothing of what becomes of it."""
        return success({"order_ids": list(await self._placed(request, slices=True))}, metadata=_METADATA)

    async def place_v2(self, request: Request) -> Response:
        """Take an order in; this version knows no slices."""
        (order_id,) = await self._placed(request, slices=False)
        return success({"order_id": order_id})

    async def modify(self, request: Request) -> Response:
        """Change an order."""
        return success({"order_id": await self._modified(request)}, metadata=_METADATA)

    async def modify_v2(self, request: Request) -> Response:
        """Change an order."""
        return success({"order_id": await self._modified(request)})

    async def cancel(self, request: Request) -> Response:
        """Withdraw an order."""
        return success({"order_id": self._cancelled(request)}, metadata=_METADATA)

    async def cancel_v2(self, request: Request) -> Response:
        """Withdraw an order."""
        return success({"order_id": self._cancelled(request)})

    async def _placed(self, request: Request, *, slices: bool) -> tuple[str, ...]:
        body = await body_of(request)
        orders = orders_in(body, self._broker.exchange.contracts) if slices else 1
        user = self._broker.trader(request, orders=orders)
        order = order_request(body, placed_by=user.id, algo=algo_of(request), slices=slices)
        return self._desk.place(user, order)

    async def _modified(self, request: Request) -> str:
        body = await body_of(request)
        user = self._broker.trader(request)
        change = order_change(body)
        self._desk.modify(user, change)
        return change.order_id

    def _cancelled(self, request: Request) -> str:
        user = self._broker.trader(request)
        order_id = order_id_of(request)
        self._desk.cancel(user, order_id)
        return order_id
