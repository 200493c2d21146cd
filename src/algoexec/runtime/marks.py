"""What a session is shown of prices while it wants, holds or works something."""

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any, Final

from algoexec.domain.calendar import IST
from algoexec.domain.instruments import InstrumentKey
from algoexec.domain.market import Quote
from algoexec.domain.options import Premium
from algoexec.engine.events import Marked
from algoexec.engine.state import EngineState
from algoexec.engine.trading.marks import OptionMark, index_mark, option_mark

_PREMIUM_MAX_AGE_S: Final = 60.0
"""Told in the minute that is decided on; what is bought in the end is bought by a quote of seconds."""

type Quotes = Mapping[InstrumentKey, Quote]


def premiums(quotes: Quotes, options: Iterable[InstrumentKey], at: datetime) -> tuple[Premium, ...]:
    """Return what options cost at the market time `at`; one of which nothing was told for a minute is left out."""
    marks = ((option, option_mark(quotes.get(option))) for option in options)
    prices = ((option, mark.cost(at, _PREMIUM_MAX_AGE_S)) for option, mark in marks)
    return tuple(Premium(option, price) for option, price in prices if price is not None)


def marked(quotes: Quotes, underlying: InstrumentKey, option: InstrumentKey) -> Marked:
    """Return the newest prices of the index and an option."""
    index = index_mark(quotes.get(underlying))
    return Marked(index=index, option=option, mark=option_mark(quotes.get(option)))


def day_result(state: EngineState, mark: OptionMark) -> dict[str, Any] | None:
    """Return the day's profit so far, in rupees; None where nothing is traded.

    `unrealised` is what the open trade would bring at its mark, before charges; `charges` are
    those of its orders so far. `realised` is after charges. `r` is the open trade's result after
    those charges in units of the risk taken, None where nothing was bought.
    """
    trading = state.trading
    if trading is None:
        return None
    unrealised = charges = 0
    r: float | None = None
    if (trade := trading.trade) is not None:
        unrealised = trade.open_profit(mark.value(state.at, trading.rules.quote_max_age_s))
        charges = trade.charges(state.at.astimezone(IST).date(), trading.rules.brokerage).total
        risk = trade.one_r * 100 * trade.bought.quantity
        r = (unrealised - charges) / risk if risk else None
    return {
        "realised": trading.tally.realised / 100,
        "unrealised": unrealised / 100,
        "charges": charges / 100,
        "r": r,
        "total": (trading.tally.realised + unrealised - charges) / 100,
        "trades": trading.tally.trades,
        "losses_in_a_row": trading.tally.losses_in_a_row,
        "lock": trading.tally.lock,
    }
