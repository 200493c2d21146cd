"""Premiums of a day: one volatility a minute, one price a forward."""

import math
from datetime import date
from functools import lru_cache
from typing import Final

from algoexec.domain.calendar import regular_session
from algoexec.domain.instruments import Option
from algoexec.domain.market import Greeks
from algoexec.simulation.black76 import MINUTES_PER_YEAR, forward_of, premium, sensitivities
from algoexec.simulation.day import OptionModel

_SPREAD: Final = 0.002
"""Bid-ask spread of a liquid option, as a fraction of its premium."""


@lru_cache(maxsize=64)
def _closing_minute(expiry: date) -> int:
    return int(regular_session(expiry).closes_at.timestamp()) // 60


def years_left(expiry: date, minute: int) -> float:
    """Return the time from `minute` to the close of the expiry day, in years; at least one minute."""
    return max(_closing_minute(expiry) - minute, 1) / MINUTES_PER_YEAR


def to_tick(price: float, tick_size: float) -> float:
    """Return `price` on the tick grid, at least one tick."""
    return round(max(1, round(price / tick_size)) * tick_size, 2)


class Pricer:
    """Premiums of one option in one minute: volatility and time stand still within it."""

    __slots__ = ("_option", "_years", "volatility")

    def __init__(self, option: Option, minute: int, spot: float, model: OptionModel) -> None:
        """Fix volatility and time; `spot` is the index at the minute's beginning."""
        self._option = option
        self._years = years_left(option.expiry, minute)
        self.volatility = model.volatility(option, minute, forward_of(spot, self._years))

    def price(self, spot: float) -> float:
        """Return the premium on the tick grid."""
        option = self._option
        forward = forward_of(spot, self._years)
        return to_tick(premium(option.type, forward, option.strike, self._years, self.volatility), option.tick_size)

    def greeks(self, spot: float) -> Greeks:
        """Return the sensitivities at `spot`."""
        option = self._option
        forward = forward_of(spot, self._years)
        return sensitivities(option.type, forward, option.strike, self._years, self.volatility)


def half_spread(price: float, tick_size: float) -> float:
    """Return half the bid-ask spread of an option around `price`, in whole ticks."""
    return max(1, math.ceil(price * _SPREAD / 2 / tick_size)) * tick_size
