"""What a user holds: positions of the day, and holdings, of which derivatives have none.

Source: Upstox's Get Positions, Get Holdings and Convert Positions documentation, SDK 2.30.0.
"""

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from algoexec.domain.instruments import InstrumentKey
from algoexec.domain.orders import Product, Side
from algoexec.simulation.trading.account import Position
from algoexec.simulation.trading.checks import OrderRefused
from algoexec.simulation.trading.commands import ConvertPosition
from algoexec.simulator.broker import SimulatedBroker
from algoexec.simulator.errors import invalid_input, success, unknown_instrument
from algoexec.simulator.order_body import Fields, body_of
from algoexec.simulator.order_desk import refusal_of
from algoexec.simulator.order_wire import Row, position_fields
from algoexec.simulator.users import User


def routes(broker: SimulatedBroker) -> list[BaseRoute]:
    """Return the endpoints of a portfolio."""
    portfolio = _Portfolio(broker)
    return [
        Route("/v2/portfolio/short-term-positions", portfolio.positions),
        Route("/v2/portfolio/convert-position", portfolio.convert, methods=["PUT"]),
        Route("/v2/portfolio/long-term-holdings", portfolio.holdings),
        Route("/v3/portfolio/mtf-positions", portfolio.margin_funded),
    ]


class _Portfolio:
    def __init__(self, broker: SimulatedBroker) -> None:
        self._broker = broker

    async def positions(self, request: Request) -> Response:
        """Return what was traded today, also what is flat again."""
        user = self._broker.caller(request, "portfolio/short-term-positions")
        positions = self._broker.dealing.account(user.id).positions.values()
        return success([self._told(held) for held in positions if held.bought.quantity or held.sold.quantity])

    async def convert(self, request: Request) -> Response:
        """Move open units of a position to another product. The words of the answer are a guess."""
        body = await body_of(request)
        user = self._broker.caller(request, "portfolio/convert-position")
        self._broker.require_full_token(user)
        command = self._conversion(user, Fields(body))
        try:
            self._broker.dealing.do(command)
        except OrderRefused as refused:
            raise refusal_of(refused) from refused
        return success({"status": "complete"})

    async def holdings(self, request: Request) -> Response:
        """Return what is held in the depository: nothing."""
        self._broker.caller(request, "portfolio/long-term-holdings")
        return success([])

    async def margin_funded(self, request: Request) -> Response:
        """Return what was bought with the broker's money: nothing."""
        self._broker.caller(request, "portfolio/mtf-positions")
        return success([])

    def _conversion(self, user: User, fields: Fields) -> ConvertPosition:
        instrument = InstrumentKey(fields.text("instrument_token", "UDAPI1026"))
        if instrument not in self._broker.exchange.contracts:
            raise unknown_instrument(instrument)
        command = ConvertPosition(
            at=self._broker.clock.now_ms,
            user=user.id,
            instrument=instrument,
            old=fields.choice("old_product", Product),
            new=fields.choice("new_product", Product),
            quantity=fields.quantity(),
        )
        side = fields.choice("transaction_type", Side)
        if self._broker.dealing.account(user.id).position(instrument, command.old).net * side.sign < 0:
            raise invalid_input("transaction_type is not the side of the position")
        return command

    def _told(self, held: Position) -> Row:
        exchange = self._broker.exchange
        quote = exchange.quote(held.instrument, self._broker.clock.now_ms)
        return position_fields(held, quote, exchange.contracts[held.instrument])
