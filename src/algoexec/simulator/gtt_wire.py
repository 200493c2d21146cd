"""GTT orders as the broker writes them. Source: Upstox's Get GTT Order Details documentation, 2026."""

from algoexec.simulation.exchange import Contract
from algoexec.simulation.trading.gtt_orders import Gtt, Rule
from algoexec.simulator.order_wire import EXCHANGE, Row


def gtt_fields(gtt: Gtt, contract: Contract) -> Row:
    """Return a GTT order in the broker's words; moments are microseconds since the epoch."""
    return {
        "type": gtt.request.type,
        "exchange": EXCHANGE,
        "quantity": gtt.request.quantity,
        "product": gtt.request.product,
        "rules": [_rule_fields(gtt, rule) for rule in gtt.rules],
        "trading_symbol": contract.name,
        "instrument_token": gtt.request.instrument,
        "gtt_order_id": gtt.id,
        "expires_at": gtt.expires_at * 1000,
        "created_at": gtt.created_at * 1000,
    }


def _rule_fields(gtt: Gtt, rule: Rule) -> Row:
    return {
        "strategy": rule.strategy,
        "status": rule.status,
        "trigger_type": rule.trigger,
        "trigger_price": rule.price,
        "transaction_type": gtt.side_of(rule),
        "message": rule.message,
        "order_id": rule.order_id,
        "trailing_gap": rule.trailing_gap,
        "market_protection": rule.market_protection,
    }
