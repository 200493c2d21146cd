"""The market of paper orders: the newest quote of each option, pushed in as the feed tells it."""

from collections.abc import Iterator, Mapping
from math import inf
from typing import Final

from algoexec.domain.instruments import Contracts, InstrumentKey, Option
from algoexec.domain.market import Quote
from algoexec.simulation.book import Book, Level
from algoexec.simulation.trading.checks import Band
from algoexec.simulation.trading.market import Market
from algoexec.simulation.trading.matching import MarketView


class QuotedMarket(Market):
    """Knows the present alone: one view of each option. Moments are milliseconds since the epoch."""

    def __init__(self, contracts: Contracts) -> None:
        """Trade in the options of `contracts`; none has a price yet."""
        self._underlying: Final = contracts.underlying
        self._options: Final = {option.key: option for option in contracts.options}
        self._quotes: dict[InstrumentKey, Quote] = {}
        self._views: dict[InstrumentKey, MarketView] = {}
        # Before the index is quoted: what is sold short then binds too much rather than too little.
        self._spot = max(contracts.strikes(), default=0.0)

    @property
    def contracts(self) -> Mapping[InstrumentKey, Option]:
        """The options that can be traded."""
        return self._options

    def take(self, quote: Quote, at: int, book: Book | None = None) -> MarketView | None:
        """Move on to a quote that was told at `at`; return what is new in it, None where nothing is.

        A quote of the index moves the spot. Of an option, an equal book without a trade is no news:
        what paper orders have taken of it would be there again. Two views are never of the same
        millisecond, so the second may be stamped later than it was told. `book` are all rows, where
        more than the quote's best one is known.
        """
        if quote.instrument == self._underlying:
            self._spot = quote.price or self._spot
        if quote.instrument not in self._options or quote.price is None:
            return None
        before = self._views.get(quote.instrument)
        traded = _traded(self._quotes.get(quote.instrument), quote)
        self._quotes[quote.instrument] = quote
        book = book or _book(quote)
        if before is not None and not traded and (before.last, before.book) == (quote.price, book):
            return None
        stamp = at if before is None else max(at, before.at + 1)
        self._views[quote.instrument] = view = MarketView(stamp, quote.price, traded, book)
        return view

    def has_price(self, key: InstrumentKey) -> bool:
        """Whether the instrument has been quoted, or cannot be."""
        return key in self._views or key not in self._options

    def view(self, key: InstrumentKey, at: int) -> MarketView:
        """Return the newest view; before the first one nobody offers anything, at no price."""
        return self._views.get(key) or MarketView(0, 0.0, 0, None)

    def views(self, key: InstrumentKey, after: int, until: int) -> Iterator[MarketView]:
        """Yield the newest view, if it is within those moments."""
        view = self._views.get(key)
        if view is not None and after < view.at <= until:
            yield view

    def band(self, key: InstrumentKey) -> Band:
        """Return a tick and more: quotes do not tell the day's price limits."""
        return Band(self._options[key].tick_size, inf)

    def spot(self, at: int) -> float:
        """Return the newest index."""
        return self._spot


def _traded(before: Quote | None, quote: Quote) -> int:
    """Return the units of the trade that the quote tells of; 0 if there was none since `before`.

    Of several trades between two quotes only the last one's price is known, so only it counts.
    """
    if before is None or quote.traded_quantity is None:
        return 0
    if before.volume is None or quote.volume is None:
        return quote.traded_quantity if quote.traded_at != before.traded_at else 0
    return max(0, min(quote.volume - before.volume, quote.traded_quantity))


def _book(quote: Quote) -> Book | None:
    row = quote.book
    if row is None:
        return None
    bids, asks = row.bid_quantity or 0, row.ask_quantity or 0
    return Book((Level(bids, row.bid or 0.0, asks, row.ask or 0.0),), bids, asks)
