"""What a session is shown of prices while it wants, holds or works something."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from algoexec.domain.calendar import IST
from algoexec.domain.instruments import InstrumentKey
from algoexec.domain.market import Quote
from algoexec.engine.events import Marked
from algoexec.engine.state import EngineState
from algoexec.engine.trading.marks import IndexMark, OptionMark

type Quotes = Mapping[InstrumentKey, Quote]


def option_mark(quotes: Quotes, option: InstrumentKey) -> OptionMark:
    """Return an option's newest quote as a mark; an empty one when nothing was told of it."""
    quote = quotes.get(option)
    if quote is None:
        return OptionMark()
    greeks = quote.greeks
    return OptionMark(
        bid=quote.bid,
        ask=quote.ask,
        quoted_at=_moment(quote.received_at),
        last=quote.price,
        traded_at=_moment(quote.traded_at),
        delta=None if greeks is None else greeks.delta,
    )


def marked(quotes: Quotes, underlying: InstrumentKey, option: InstrumentKey) -> Marked:
    """Return the newest prices of the index and an option."""
    index = quotes.get(underlying)
    at = None if index is None else _moment(index.traded_at)
    price = None if index is None else index.price
    return Marked(
        index=None if at is None or price is None else IndexMark(price=price, at=at),
        option=option,
        mark=option_mark(quotes, option),
    )


def day_result(state: EngineState, mark: OptionMark) -> dict[str, Any] | None:
    """Return the day's profit so far, in rupees; None where nothing is traded.

    `unrealised` is what the open trade would bring at its mark, before charges; `charges` are
    those of its orders so far. `realised` is after charges.
    """
    trading = state.trading
    if trading is None:
        return None
    unrealised = charges = 0
    if (trade := trading.trade) is not None:
        unrealised = trade.open_profit(mark.value(state.at, trading.rules.quote_max_age_s))
        charges = trade.charges(state.at.astimezone(IST).date(), trading.rules.brokerage).total
    return {
        "realised": trading.tally.realised / 100,
        "unrealised": unrealised / 100,
        "charges": charges / 100,
        "total": (trading.tally.realised + unrealised - charges) / 100,
        "trades": trading.tally.trades,
        "losses_in_a_row": trading.tally.losses_in_a_row,
        "lock": trading.tally.lock,
    }


def _moment(stamp: int | None) -> datetime | None:
    return None if stamp is None else datetime.fromtimestamp(stamp / 1000, UTC)
