"""What can be traded or watched: the index, its future, its options."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from typing import NewType

InstrumentKey = NewType("InstrumentKey", str)
"""The venue's own name of an instrument, for example `NSE_INDEX|Nifty Bank`."""

BANK_NIFTY = InstrumentKey("NSE_INDEX|Nifty Bank")


class OptionType(StrEnum):
    """The right an option gives."""

    CALL = "CALL"
    PUT = "PUT"


@dataclass(frozen=True, slots=True, kw_only=True)
class Future:
    """A futures contract. `lot` and `freeze_quantity` are in units, `tick_size` in rupees."""

    key: InstrumentKey
    name: str
    expiry: date
    lot: int
    tick_size: float
    freeze_quantity: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Option:
    """An option contract. `strike` in index points, `lot` in units, `tick_size` in rupees."""

    key: InstrumentKey
    name: str
    type: OptionType
    strike: float
    expiry: date
    lot: int
    tick_size: float
    freeze_quantity: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Contracts:
    """What a trading day is traded with: one underlying, its nearest future, one option expiry.

    `options` are those of the nearest expiry that has not passed, in no particular order.
    """

    underlying: InstrumentKey
    future: Future
    expiry: date
    options: tuple[Option, ...]

    def strikes(self) -> tuple[float, ...]:
        """Return the listed strikes, ascending."""
        return tuple(sorted({option.strike for option in self.options}))

    def option(self, strike: float, kind: OptionType) -> Option | None:
        """Return the option of that strike and type; None when it is not listed."""
        return next((o for o in self.options if o.strike == strike and o.type is kind), None)

    def around_the_money(self, spot: float, *, width: int = 1) -> tuple[Option, ...]:
        """Return calls and puts of the ATM strike and `width` strikes to each side, ascending."""
        strikes = self.strikes()
        if not strikes:
            return ()
        centre = strikes.index(nearest_strike(strikes, spot))
        near = set(strikes[max(0, centre - width) : centre + width + 1])
        return tuple(sorted((o for o in self.options if o.strike in near), key=lambda o: (o.strike, o.type)))


def nearest_strike(strikes: Iterable[float], spot: float) -> float:
    """Return the listed strike nearest to `spot`, the lower one on a tie (strategy.md §7).

    Raises:
        ValueError: `strikes` is empty.
    """
    return min(strikes, key=lambda strike: (abs(strike - spot), strike))
