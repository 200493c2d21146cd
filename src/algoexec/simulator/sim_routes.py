"""What only a simulator can tell, or be told: what it is, its clock, its books.

No token is needed: the simulator serves loopback only.
"""

from dataclasses import asdict
from typing import Final

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route

from algoexec.domain.calendar import IST
from algoexec.simulation.trading.account import Position
from algoexec.simulation.trading.orders import Order, Trade, to_paise
from algoexec.simulator.broker import SimulatedBroker
from algoexec.simulator.gtt_wire import gtt_fields
from algoexec.simulator.order_wire import Row

_WHAT: Final = (
    "A simulated exchange and broker that speaks Upstox's protocols: REST, the market-data feed V3 and the portfolio "
    "stream. It plays one Bank Nifty day at its own clock. Money, orders and fills are made up; nothing here reaches "
    "a market."
)
_DOCS: Final = "docs/simulator.md"


def routes(broker: SimulatedBroker) -> list[BaseRoute]:
    """Return the endpoints."""
    sim = _Sim(broker)
    return [
        Route("/", sim.itself),
        Route("/sim/clock", sim.clock),
        Route("/sim/pause", sim.pause, methods=["POST"]),
        Route("/sim/resume", sim.resume, methods=["POST"]),
        Route("/sim/book", sim.book),
    ]


class _Sim:
    def __init__(self, broker: SimulatedBroker) -> None:
        self._broker = broker

    async def itself(self, _: Request) -> Response:
        """Return what this is, for somebody who has found the port."""
        return JSONResponse({"name": "algoexec simulator", "what": _WHAT, "docs": _DOCS, "day": self._day()})

    async def clock(self, _: Request) -> Response:
        """Return the market time; `speed` None is as fast as the subscribers acknowledge."""
        broker = self._broker
        now = broker.clock.now().astimezone(IST)
        return JSONResponse(
            {
                "now": now.isoformat(timespec="milliseconds"),
                "now_ms": broker.clock.now_ms,
                "speed": broker.clock.speed,
                "paused": broker.player.is_paused,
                "instance": broker.instance,
            }
        )

    async def pause(self, request: Request) -> Response:
        """Let the market stand still. Orders are taken all the same, and reach it when it goes on."""
        self._broker.player.pause()
        return await self.clock(request)

    async def resume(self, request: Request) -> Response:
        """Let the market go on from where it stands."""
        self._broker.player.resume()
        return await self.clock(request)

    async def book(self, request: Request) -> Response:
        """Return the truth about all users, or about `user`: what tests compare with. Money in rupees, stamps in ms."""
        books = self._broker.dealing.books
        wanted = request.query_params.get("user")
        users = [wanted] if wanted is not None else list(books.accounts)
        return JSONResponse({"at": self._broker.clock.now_ms, "users": {user: self._books_of(user) for user in users}})

    def _day(self) -> str:
        return self._broker.exchange.day.session.date.isoformat()

    def _books_of(self, user: str) -> Row:
        broker = self._broker
        dealing, contracts = broker.dealing, broker.exchange.contracts
        account = dealing.account(user)
        charges = dealing.charges(user)
        return {
            "opening": account.opening / 100,
            "cash": account.cash(contracts, lambda key: to_paise(broker.exchange.quote(key, broker.clock.now_ms).price))
            / 100,
            "charges": {"total": charges.total / 100, "approximate": charges.approximate},
            "positions": [_position(position) for position in account.positions.values()],
            "orders": [_order(order) for order in dealing.books.orders(user)],
            "trades": [_trade(trade) for trade in account.trades],
            "gtt_orders": [gtt_fields(gtt, contracts[gtt.request.instrument]) for gtt in dealing.gtts.of(user)],
        }


def _order(order: Order) -> Row:
    return {
        "id": order.id,
        **asdict(order.request),
        "status": order.status,
        "message": order.message,
        "filled": order.filled,
        "average_price": order.average_price,
        "placed_at": order.placed_at,
        "updated_at": order.updated_at,
        "exchange_at": order.exchange_at,
    }


def _trade(trade: Trade) -> Row:
    return trade._asdict()


def _position(position: Position) -> Row:
    return {
        "instrument": position.instrument,
        "product": position.product,
        "net": position.net,
        "bought": position.bought._asdict(),
        "sold": position.sold._asdict(),
        "realised": position.realised / 100,
    }
