"""Updates in the words of the portfolio stream.

Source: Upstox's webhook documentation for orders, its Get GTT documentation, and for positions,
whose frames are not documented, the fields of its positions endpoint.
"""

from typing import assert_never

from algoexec.simulation.exchange import Exchange
from algoexec.simulation.trading.books import PositionChanged, Update
from algoexec.simulation.trading.gtt_orders import Gtt
from algoexec.simulation.trading.orders import Order
from algoexec.simulator.gtt_wire import gtt_fields
from algoexec.simulator.market_clock import SteppedClock
from algoexec.simulator.order_wire import Row, position_fields, stamp, state_fields


class PortfolioWords:
    """Writes updates. A position is valued at the prices of the moment."""

    def __init__(self, exchange: Exchange, clock: SteppedClock) -> None:
        """Take names and prices from `exchange`, at the times of `clock`."""
        self._exchange = exchange
        self._clock = clock

    def __call__(self, update: Update) -> Row:
        """Return the message of an update."""
        match update:
            case Order():
                return self._order(update)
            case PositionChanged(user, position):
                quote = self._exchange.quote(position.instrument, self._clock.now_ms)
                contract = self._exchange.contracts[position.instrument]
                return {
                    "update_type": "position",
                    **_owner(user),
                    "instrument_key": contract.key,
                    **position_fields(position, quote, contract),
                }
            case Gtt():
                contract = self._exchange.contracts[update.request.instrument]
                return {"update_type": "gtt_order", **_owner(update.user), **gtt_fields(update, contract)}
            case _:
                assert_never(update)

    def _order(self, order: Order) -> Row:
        contract = self._exchange.contracts[order.request.instrument]
        return {
            "update_type": "order",
            **_owner(order.user),
            "instrument_key": contract.key,
            **state_fields(order, contract),
            "order_timestamp": stamp(order.placed_at),
            # Null here, though 0 in the order book.
            "average_price": order.average_price,
        }


def _owner(user: str) -> Row:
    return {"user_id": user, "userId": user}
