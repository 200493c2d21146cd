"""What a day's index and options cost at each moment: ticks, books, marks.

Prices come from the same simulated day, tick for tick, that the simulator plays. Moments are
milliseconds since the epoch.
"""

import heapq
import math
from collections.abc import Iterator
from typing import Final, NamedTuple

from algoexec.backtest.result import Execution
from algoexec.domain.instruments import BANK_NIFTY, Contracts, Option
from algoexec.domain.market import Book, Quote
from algoexec.domain.recording import PremiumSource
from algoexec.simulation.black76 import forward_of, sensitivities
from algoexec.simulation.book import Book as Rows
from algoexec.simulation.book import book_around
from algoexec.simulation.day import SimulatedDay
from algoexec.simulation.exchange import Exchange
from algoexec.simulation.expansion import MINUTE_MS, Tick
from algoexec.simulation.pricing import years_left
from algoexec.simulation.recorded import RecordedModel
from algoexec.simulation.tape import key_number


class Moved(NamedTuple):
    """The index or the watched option has a new price."""

    tick: Tick
    is_option: bool


class DayPrices:
    """The prices of one day."""

    def __init__(self, day: SimulatedDay, execution: Execution) -> None:
        """Play `day`; books are as wide as `execution` says."""
        self.contracts: Final = _contracts(day)
        self._model = day.model
        self._exchange = Exchange(day)
        self._spread = execution.spread_pct / 200
        self._ticks = execution.spread_ticks
        self._depth = execution.depth
        self._index = self._exchange.tape(BANK_NIFTY)

    def between(self, option: Option, after: int, until: int) -> Iterator[Moved]:
        """Yield what moves in `after < at <= until`, in order; the index first."""
        index = (Moved(tick, is_option=False) for tick in self._index.between(after, until))
        own = (Moved(tick, is_option=True) for tick in self._exchange.tape(option.key).between(after, until))
        yield from heapq.merge(index, own, key=_stamp)

    def index_at(self, at: int) -> Tick | None:
        """Return the newest value of the index; None before the first."""
        return self._index.last_trade(at)

    def option_at(self, option: Option, at: int) -> Tick | None:
        """Return the newest trade of an option; None before the first."""
        return self._exchange.tape(option.key).last_trade(at)

    def bid(self, option: Option, price: float) -> float:
        """Return the best bid round a last price, in rupees; 0 if nobody buys."""
        return max(0.0, round(price - self._half_spread(option, price), 2))

    def index_quote(self, tick: Tick) -> Quote:
        """Return the index as it is told with a value."""
        return Quote(instrument=BANK_NIFTY, received_at=tick.at, price=tick.price, traded_at=tick.at)

    def book(self, option: Option, tick: Tick) -> Rows:
        """Return the rows of an option's book as orders meet them after a trade."""
        return book_around(
            tick.price,
            half_spread=self._half_spread(option, tick.price),
            tick_size=option.tick_size,
            lot=option.lot,
            salt=tick.at * 1_000_003 + key_number(option.key),
            depth=self._depth,
        )

    def option_quote(self, option: Option, tick: Tick) -> Quote:
        """Return an option as it is told with a trade: what was traded, and the best row of its book."""
        row = self.book(option, tick).levels[0]
        return Quote(
            instrument=option.key,
            received_at=tick.at,
            price=tick.price,
            traded_at=tick.at,
            traded_quantity=tick.quantity,
            volume=tick.volume,
            told_book=Book(row.bid or None, row.bid_quantity, row.ask, row.ask_quantity),
        )

    def delta(self, option: Option, at: int) -> float | None:
        """Return how much the option moves with the index; None before the index has a value."""
        spot = self._index.last_trade(at)
        if spot is None:
            return None
        minute = at // MINUTE_MS
        years = years_left(option.expiry, minute)
        forward = forward_of(spot.price, years)
        volatility = self._model.volatility(option, minute, forward)
        return sensitivities(option.type, forward, option.strike, years, volatility).delta

    def source(self, option: Option, minute: int) -> PremiumSource:
        """Return what the option's price in a minute rests on."""
        if isinstance(self._model, RecordedModel):
            return self._model.known(option, minute)[1]
        return PremiumSource.MODELLED

    def _half_spread(self, option: Option, price: float) -> float:
        """Return half the spread: so many per cent, in whole ticks."""
        least = math.ceil(self._ticks / 2)
        return max(least, math.ceil(price * self._spread / option.tick_size)) * option.tick_size


def _stamp(moved: Moved) -> int:
    return moved.tick.at


def _contracts(day: SimulatedDay) -> Contracts:
    """Return what is traded on the day: its nearest future, and the options that expire next."""
    expiries = [expiry for expiry in day.expiries() if expiry >= day.date]
    expiry = min(expiries, default=day.futures[0].contract.expiry)
    return Contracts(
        underlying=BANK_NIFTY,
        future=day.futures[0].contract,
        expiry=expiry,
        options=tuple(option for option in day.options if option.expiry == expiry),
    )
