"""The exchange as faults show it: to the feed, to quotes on request and to matching alike."""

from datetime import date
from typing import Final, Literal, override

from algoexec.domain.instruments import InstrumentKey
from algoexec.simulation.book import Book, Level
from algoexec.simulation.day import SimulatedDay
from algoexec.simulation.exchange import ChainRow, Contract, Exchange, Quote
from algoexec.simulator.faults.injector import FaultInjector

type Shape = Literal["zero", "crossed", "no_bids", "no_asks"]


def contracts_of(day: SimulatedDay) -> dict[str, Contract]:
    """Return what is listed on a day, by key."""
    contracts: list[Contract] = [*(listed.contract for listed in day.futures), *day.options]
    return {contract.key: contract for contract in contracts}


class FaultyExchange(Exchange):
    """An exchange whose books may be wrong for a while. Its trades are always true."""

    def __init__(self, day: SimulatedDay, injector: FaultInjector) -> None:
        """Play `day` with the faults of `injector`."""
        super().__init__(day)
        self._injector: Final = injector

    @override
    def quote(self, key: InstrumentKey, at: int, *, depth: int = 5) -> Quote:
        """Return the instrument as it is shown at `at`."""
        return self._shown(super().quote(key, at, depth=depth), at)

    @override
    def chain(self, expiry: date, at: int) -> list[ChainRow]:
        """Return the chain as it is shown at `at`."""
        return [
            row._replace(
                call=None if row.call is None else self._shown(row.call, at),
                put=None if row.put is None else self._shown(row.put, at),
            )
            for row in super().chain(expiry, at)
        ]

    def _shown(self, quote: Quote, at: int) -> Quote:
        fault = self._injector.book(quote.key, at)
        return quote if fault is None else with_book(quote, fault.shape)


def with_book(quote: Quote, shape: Shape) -> Quote:
    """Return the quote with a book of that shape; one without a book stays as it is."""
    if quote.book is None:
        return quote
    levels = tuple(_shaped(level, shape) for level in quote.book.levels)
    bids = 0 if shape in ("zero", "no_bids") else quote.book.bids
    asks = 0 if shape in ("zero", "no_asks") else quote.book.asks
    return quote._replace(book=Book(levels, bids, asks))


def _shaped(level: Level, shape: Shape) -> Level:
    match shape:
        case "zero":
            return Level(0, 0.0, 0, 0.0)
        case "crossed":
            return level._replace(bid=level.ask, ask=level.bid)
        case "no_bids":
            return level._replace(bid=0.0, bid_quantity=0)
        case "no_asks":
            return level._replace(ask=0.0, ask_quantity=0)


def with_skew(quote: Quote, ms: int) -> Quote:
    """Return the quote with the stamp of its last trade off by `ms`."""
    if quote.trade is None or not ms:
        return quote
    return quote._replace(trade=quote.trade._replace(at=quote.trade.at + ms))
