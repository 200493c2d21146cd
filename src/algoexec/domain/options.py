"""The option chain and what is read from it."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime
from typing import NamedTuple

from algoexec.domain.instruments import InstrumentKey, OptionType


@dataclass(frozen=True, slots=True, kw_only=True)
class OptionQuote:
    """One option of a polled chain.

    Prices in rupees, quantities in units, `iv` a fraction. None: the venue did not say.
    """

    instrument: InstrumentKey
    type: OptionType
    strike: float
    last_price: float | None = None
    bid: float | None = None
    ask: float | None = None
    open_interest: int | None = None
    volume: int | None = None
    iv: float | None = None
    delta: float | None = None


class Premium(NamedTuple):
    """What one option costs at the moment, in rupees a unit: what is asked for it, else what was last paid."""

    instrument: InstrumentKey
    price: float


@dataclass(frozen=True, slots=True, kw_only=True)
class OptionChain:
    """Every strike of one expiry, as polled.

    `at` is the market time when the answer arrived (the payload carries none), `spot` the
    underlying in index points, None when the chain is empty.
    """

    underlying: InstrumentKey
    expiry: date
    at: datetime
    spot: float | None
    quotes: tuple[OptionQuote, ...]


def put_call_ratio(quotes: Iterable[OptionQuote]) -> float | None:
    """Return put open interest over call open interest, over all `quotes`.

    A pure number, 0 or more. None when no call has open interest: a ratio of nothing is
    not zero, and a rule that reads it must say what it does then. Upstox's own `pcr`
    field is per strike; this one is over whatever is passed.
    """
    puts = calls = 0
    for quote in quotes:
        if quote.type is OptionType.PUT:
            puts += quote.open_interest or 0
        else:
            calls += quote.open_interest or 0
    return puts / calls if calls else None


def strikes_counted(quotes: Iterable[OptionQuote]) -> int:
    """Return how many strikes have an open interest on at least one side."""
    return len({quote.strike for quote in quotes if quote.open_interest})


@dataclass(frozen=True, slots=True, kw_only=True)
class PcrReading:
    """The put-call ratio of one poll. `pcr` is None when no call had open interest."""

    at: datetime
    underlying: InstrumentKey
    expiry: date
    pcr: float | None
    strikes: int
    spot: float | None


def read_pcr(chain: OptionChain) -> PcrReading:
    """Return the put-call ratio of `chain` with what is needed to judge it."""
    return PcrReading(
        at=chain.at,
        underlying=chain.underlying,
        expiry=chain.expiry,
        pcr=put_call_ratio(chain.quotes),
        strikes=strikes_counted(chain.quotes),
        spot=chain.spot,
    )
