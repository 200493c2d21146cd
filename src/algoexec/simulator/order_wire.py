"""Orders, trades and positions as the broker writes them. Moments become IST, prices are rupees.

Source: Upstox's Get Order Book, Get Trades and Get Positions documentation and SDK 2.30.0.
Both spellings of `trading_symbol` are sent.
"""

from datetime import datetime
from typing import Final

from algoexec.domain.calendar import IST
from algoexec.domain.instruments import Future, InstrumentKey, Option, OptionType
from algoexec.simulation.exchange import Quote
from algoexec.simulation.trading.account import Position
from algoexec.simulation.trading.orders import Order, Trade, to_paise

type Contract = Future | Option
type Row = dict[str, object]

EXCHANGE: Final = "NFO"
STAMP: Final = "%Y-%m-%d %H:%M:%S"
OPTION_TYPES: Final = {OptionType.CALL: "CE", OptionType.PUT: "PE"}


def stamp(at: int) -> str:
    """Return a moment (milliseconds since the epoch) as the broker writes it, IST."""
    return datetime.fromtimestamp(at / 1000, IST).strftime(STAMP)


def segment_of(key: InstrumentKey) -> str:
    """Return the segment in which an instrument is traded."""
    return key.partition("|")[0]


def order_fields(order: Order, contract: Contract) -> Row:
    """Return an order as it stands.

    A finished order has nothing pending, and the average price before the first fill is 0.
    `exchange_timestamp` is when the exchange last did something with it, null while it does not
    have it. What the broker puts into `order_ref_id` of a plain order is not documented: here
    its own number.
    """
    request = order.request
    at_exchange = order.exchange_id is not None
    return {
        **_instrument(contract),
        "product": request.product,
        "price": request.price,
        "quantity": request.quantity,
        "status": order.status,
        "guid": None,
        "tag": request.tag,
        "placed_by": request.placed_by,
        "order_type": request.type,
        "validity": request.validity,
        "trigger_price": request.trigger_price,
        "disclosed_quantity": request.disclosed_quantity,
        "transaction_type": request.side,
        "average_price": round(order.average_price or 0.0, 4),
        "filled_quantity": order.filled,
        "pending_quantity": order.remaining if order.is_working else 0,
        "status_message": order.message,
        "status_message_raw": order.message,
        "exchange_order_id": order.exchange_id or "",
        "parent_order_id": None,
        "order_id": order.id,
        "variety": "SIMPLE",
        "order_timestamp": stamp(order.placed_at),
        "exchange_timestamp": stamp(order.updated_at) if at_exchange else None,
        "is_amo": request.is_amo,
        "order_request_id": "1",
        "order_ref_id": order.id,
    }


def state_fields(state: Order, contract: Contract) -> Row:
    """Return one of the states that an order has been in; its `order_timestamp` is when that was."""
    return {**order_fields(state, contract), "order_timestamp": stamp(state.updated_at)}


def trade_fields(trade: Trade, order: Order, contract: Contract) -> Row:
    """Return one fill of an order."""
    return {
        **_instrument(contract),
        "product": trade.product,
        "order_type": order.request.type,
        "transaction_type": trade.side,
        "quantity": trade.quantity,
        "exchange_order_id": order.exchange_id or "",
        "order_id": order.id,
        "exchange_timestamp": stamp(trade.at),
        "average_price": trade.price,
        "trade_id": trade.id,
        "order_ref_id": order.id,
        "order_timestamp": stamp(order.placed_at),
    }


def past_trade_fields(trade: Trade, contract: Contract) -> Row:
    """Return one fill as the back office lists it. `strike_price` is a text there."""
    option = contract if isinstance(contract, Option) else None
    return {
        "exchange": EXCHANGE,
        "segment": "FO",
        "option_type": "" if option is None else OPTION_TYPES[option.type],
        "quantity": trade.quantity,
        "amount": trade.value / 100,
        "trade_id": trade.id,
        "trade_date": stamp(trade.at)[:10],
        "transaction_type": trade.side,
        "scrip_name": contract.name,
        "strike_price": "0.0" if option is None else f"{option.strike:.1f}",
        "expiry": contract.expiry.isoformat(),
        "price": trade.price,
        "isin": "",
        "symbol": contract.name.partition(" ")[0],
        "instrument_token": contract.key,
    }


def position_fields(position: Position, quote: Quote, contract: Contract) -> Row:
    """Return a position at the last price. Nothing is carried over night here, so all of it is of the day.

    `average_price` is null when flat, as it may be at the broker. What `value` is of is not
    documented: here what is open, at its average.
    """
    bought, sold = position.bought, position.sold
    profit, realised = position.profit(to_paise(quote.price)), position.realised
    return {
        **_instrument(contract),
        "multiplier": 1.0,
        "product": position.product,
        "quantity": position.net,
        "average_price": round(position.open_average, 4) if position.net else None,
        "last_price": quote.price,
        "close_price": quote.previous_close,
        "value": round(position.net * position.open_average, 2),
        "pnl": profit / 100,
        "realised": realised / 100,
        "unrealised": (profit - realised) / 100,
        "buy_value": bought.value / 100,
        "sell_value": sold.value / 100,
        "buy_price": round(bought.average, 4),
        "sell_price": round(sold.average, 4),
        "day_buy_quantity": bought.quantity,
        "day_buy_value": bought.value / 100,
        "day_buy_price": round(bought.average, 4),
        "day_sell_quantity": sold.quantity,
        "day_sell_value": sold.value / 100,
        "day_sell_price": round(sold.average, 4),
        "overnight_quantity": 0,
        "overnight_buy_quantity": 0,
        "overnight_buy_amount": 0.0,
        "overnight_sell_quantity": 0,
        "overnight_sell_amount": 0.0,
    }


def _instrument(contract: Contract) -> Row:
    return {
        "exchange": EXCHANGE,
        "instrument_token": contract.key,
        "trading_symbol": contract.name,
        "tradingsymbol": contract.name,
    }
