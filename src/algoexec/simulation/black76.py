"""Black's 1976 model of European options on a forward.

Source: F. Black, "The pricing of commodity contracts", Journal of Financial Economics 3 (1976).
Prices in index points, time in years of 365 days, volatility and rate as fractions a year.
"""

import math
from typing import Final

from algoexec.domain.instruments import OptionType
from algoexec.domain.market import Greeks

RATE: Final = 0.065
"""Roughly India's overnight rate; it sets the future's premium over the index, too."""

MINUTES_PER_YEAR: Final = 365 * 24 * 60
_SHORTEST: Final = 1.0 / MINUTES_PER_YEAR
_ROOT_TWO_PI: Final = math.sqrt(2 * math.pi)
_VOL_MIN: Final = 0.01
_VOL_MAX: Final = 4.0


def premium(kind: OptionType, forward: float, strike: float, years: float, vol: float) -> float:
    """Return the price of an option; `years` below one minute count as one minute."""
    d1, d2, _ = _distances(forward, strike, years, vol)
    discount = math.exp(-RATE * years)
    if kind is OptionType.CALL:
        return discount * (forward * _normal(d1) - strike * _normal(d2))
    return discount * (strike * _normal(-d2) - forward * _normal(-d1))


def sensitivities(kind: OptionType, forward: float, strike: float, years: float, vol: float) -> Greeks:
    """Return delta per point, theta per day, gamma, vega and rho per percentage point."""
    d1, d2, deviation = _distances(forward, strike, years, vol)
    discount = math.exp(-RATE * years)
    density = math.exp(-0.5 * d1 * d1) / _ROOT_TWO_PI
    sign = 1.0 if kind is OptionType.CALL else -1.0
    value = discount * sign * (forward * _normal(sign * d1) - strike * _normal(sign * d2))
    root = deviation / vol
    decay = -discount * forward * density * vol / (2 * root) + RATE * value
    return Greeks(
        delta=discount * sign * _normal(sign * d1),
        theta=decay / 365,
        gamma=discount * density / (forward * deviation),
        vega=discount * forward * density * root / 100,
        rho=-years * value / 100,
    )


def implied_vol(kind: OptionType, price: float, forward: float, strike: float, years: float) -> float | None:
    """Return the volatility at which the model gives `price`; None when none in 1 % … 400 % does."""
    low, high = _VOL_MIN, _VOL_MAX
    if not premium(kind, forward, strike, years, low) < price < premium(kind, forward, strike, years, high):
        return None
    for _ in range(50):
        middle = (low + high) / 2
        if premium(kind, forward, strike, years, middle) < price:
            low = middle
        else:
            high = middle
    return (low + high) / 2


def forward_of(spot: float, years: float) -> float:
    """Return the forward that no arbitrage allows: the index grown at the rate."""
    return spot * math.exp(RATE * years)


def _distances(forward: float, strike: float, years: float, vol: float) -> tuple[float, float, float]:
    deviation = vol * math.sqrt(max(years, _SHORTEST))
    d1 = math.log(forward / strike) / deviation + deviation / 2
    return d1, d1 - deviation, deviation


def _normal(x: float) -> float:
    return 0.5 * math.erfc(-x / math.sqrt(2))
