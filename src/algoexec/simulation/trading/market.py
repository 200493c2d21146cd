"""What the trading floor sees of a market."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Protocol

from algoexec.domain.instruments import Future, InstrumentKey, Option
from algoexec.simulation.exchange import Exchange, Quote
from algoexec.simulation.trading.checks import Band, Contract
from algoexec.simulation.trading.matching import MarketView


class Market(Protocol):
    """A market to trade in. Moments are milliseconds since the epoch, prices rupees."""

    @property
    def contracts(self) -> Mapping[InstrumentKey, Contract]:
        """Everything that can be traded."""

    def view(self, key: InstrumentKey, at: int) -> MarketView:
        """Return an instrument as it stands at `at`."""

    def views(self, key: InstrumentKey, after: int, until: int) -> Iterator[MarketView]:
        """Yield what trades made of an instrument with `after < at <= until`, in order."""

    def band(self, key: InstrumentKey) -> Band:
        """Return the prices that the exchange accepts today."""

    def spot(self, at: int) -> float:
        """Return the index."""


@dataclass(frozen=True, slots=True)
class SimulatedMarket:
    """The market of a simulated day."""

    exchange: Exchange

    @property
    def contracts(self) -> Mapping[InstrumentKey, Future | Option]:
        """Everything that is listed today."""
        return self.exchange.contracts

    def view(self, key: InstrumentKey, at: int) -> MarketView:
        """Return the view that the newest trade made; before the first, the opening book at `at`."""
        return self._seen(self.exchange.quote(key, at), at)

    def views(self, key: InstrumentKey, after: int, until: int) -> Iterator[MarketView]:
        """Yield a view for each trade."""
        for tick in self.exchange.between(key, after, until):
            yield self._seen(self.exchange.quote(key, tick.at), tick.at)

    def band(self, key: InstrumentKey) -> Band:
        """Return the day's price limits."""
        return Band(*self.exchange.price_limits(key))

    def spot(self, at: int) -> float:
        """Return what options are priced by."""
        return self.exchange.spot(at)

    def _seen(self, quote: Quote, at: int) -> MarketView:
        trade = quote.trade
        if trade is None:
            return MarketView(at, quote.price, 0, quote.book)
        return MarketView(trade.at, trade.price, trade.quantity, quote.book)
