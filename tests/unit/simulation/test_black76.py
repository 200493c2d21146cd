"""Laws of the option model."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from algoexec.domain.instruments import OptionType
from algoexec.simulation.black76 import RATE, implied_vol, premium, sensitivities

forwards = st.floats(40_000, 70_000)
strikes = st.floats(45_000, 65_000)
years = st.floats(1 / 365, 0.25)
vols = st.floats(0.08, 0.6)
kinds = st.sampled_from(OptionType)


@given(forwards, strikes, years, vols)
def test_puts_and_calls_are_worth_each_other_and_the_forward(f: float, k: float, t: float, vol: float) -> None:
    call, put = (premium(kind, f, k, t, vol) for kind in (OptionType.CALL, OptionType.PUT))

    assert call - put == pytest.approx(math.exp(-RATE * t) * (f - k), abs=1e-6)


@given(kinds, forwards, strikes, years, vols)
def test_a_premium_is_no_less_than_what_exercise_would_give(
    kind: OptionType, f: float, k: float, t: float, vol: float
) -> None:
    inside = f - k if kind is OptionType.CALL else k - f

    assert premium(kind, f, k, t, vol) >= math.exp(-RATE * t) * max(inside, 0.0) - 1e-6


@given(kinds, forwards, years, vols, st.floats(-0.05, 0.05))
def test_the_volatility_of_a_premium_is_found_again(
    kind: OptionType, f: float, t: float, vol: float, distance: float
) -> None:
    k = f * (1 + distance * math.sqrt(t))
    found = implied_vol(kind, premium(kind, f, k, t, vol), f, k, t)

    assert found == pytest.approx(vol, rel=1e-4)


def test_no_volatility_explains_a_price_below_exercise() -> None:
    assert implied_vol(OptionType.CALL, 900.0, 51_000.0, 50_000.0, 0.02) is None


@given(kinds, forwards, strikes, years, vols)
def test_greeks_are_the_slopes_of_the_premium(kind: OptionType, f: float, k: float, t: float, vol: float) -> None:
    greeks = sensitivities(kind, f, k, t, vol)

    h = f * 1e-5
    up, here, down = (premium(kind, f + step, k, t, vol) for step in (h, 0.0, -h))
    assert greeks.delta == pytest.approx((up - down) / (2 * h), abs=1e-5)
    assert greeks.gamma == pytest.approx((up - 2 * here + down) / (h * h), abs=1e-5)
    more = premium(kind, f, k, t, vol + 1e-5) - premium(kind, f, k, t, vol - 1e-5)
    assert greeks.vega == pytest.approx(more / 2e-5 / 100, rel=1e-3, abs=1e-3)
    day = 1e-3 / 365
    decay = premium(kind, f, k, t - day, vol) - premium(kind, f, k, t + day, vol)
    assert greeks.theta == pytest.approx(decay / 2e-3, rel=1e-2, abs=1e-2)
