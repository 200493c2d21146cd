"""Candle geometry: worked examples, equality and tolerance, and the laws of symmetry."""

from collections.abc import Callable, Mapping
from typing import Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from algoexec.strategy.kernel import UNKNOWN, known
from algoexec.strategy.parameters import Parameters
from algoexec.strategy.patterns import (
    NO_BAR,
    Bar,
    body,
    is_bearish,
    is_bearish_engulfing,
    is_bullish,
    is_bullish_engulfing,
    is_compressed,
    is_hammer,
    is_inside_bar,
    is_near_level,
    is_shooting_star,
    is_strong_bearish,
    is_strong_bullish,
    lower_shadow,
    span,
    upper_shadow,
)
from tests.strategies import GRID, bars

P: Final = Parameters()

Pattern = Callable[[Bar, Bar], bool]

CALL_SIDE: Final[Mapping[str, Pattern]] = {
    "bullish": lambda _, bar: is_bullish(bar),
    "bullish engulfing": is_bullish_engulfing,
    "hammer": lambda _, bar: is_hammer(bar, P),
    "strong bullish": lambda _, bar: is_strong_bullish(bar, P),
    "inside bar": is_inside_bar,
}
PUT_SIDE: Final[Mapping[str, Pattern]] = {
    "bullish": lambda _, bar: is_bearish(bar),
    "bullish engulfing": is_bearish_engulfing,
    "hammer": lambda _, bar: is_shooting_star(bar, P),
    "strong bullish": lambda _, bar: is_strong_bearish(bar, P),
    "inside bar": is_inside_bar,
}


def bar(opened: float, high: float, low: float, close: float) -> Bar:
    return Bar(0, opened, high, low, close, UNKNOWN)


def mirrored(original: Bar, around: float = 100_000.0) -> Bar:
    """Turn the market upside down."""
    prices = (around - original.open, around - original.low, around - original.high, around - original.close)
    return Bar(original.minute, *prices, original.volume)


def moved(original: Bar, by: float, times: float = 1.0) -> Bar:
    opened, high, low, close = (price * times + by for price in original[1:5])
    return Bar(original.minute, opened, high, low, close, original.volume)


@given(bars(), bars())
def test_the_mirror_swaps_calls_and_puts(prev: Bar, this: Bar) -> None:
    for name in CALL_SIDE:
        assert CALL_SIDE[name](prev, this) is PUT_SIDE[name](mirrored(prev), mirrored(this)), name


@given(bars(), bars(), st.integers(-40_000, 40_000), st.sampled_from([0.5, 1.0, 2.0, 8.0]))
def test_no_pattern_depends_on_the_level_or_the_scale_of_prices(prev: Bar, this: Bar, steps: int, times: float) -> None:
    for patterns in (CALL_SIDE, PUT_SIDE):
        for name, holds in patterns.items():
            there = holds(moved(prev, steps * GRID, times), moved(this, steps * GRID, times))
            assert holds(prev, this) is there, name


@given(bars())
def test_hammer_and_shooting_star_exclude_each_other(this: Bar) -> None:
    assert not (is_hammer(this, P) and is_shooting_star(this, P))


@given(bars())
def test_strong_candles_exclude_each_other_and_pins(this: Bar) -> None:
    strong = is_strong_bullish(this, P) or is_strong_bearish(this, P)
    assert not (is_strong_bullish(this, P) and is_strong_bearish(this, P))
    assert not (strong and (is_hammer(this, P) or is_shooting_star(this, P)))


@given(bars(), bars())
def test_engulfings_exclude_each_other(prev: Bar, this: Bar) -> None:
    # An inside bar may be one too: engulfing is said of bodies, inside of whole ranges.
    assert not (is_bullish_engulfing(prev, this) and is_bearish_engulfing(prev, this))


@given(bars(), bars())
def test_body_and_shadows_add_up_to_the_range(prev: Bar, this: Bar) -> None:
    assert upper_shadow(this) + body(this) + lower_shadow(this) == pytest.approx(span(this))
    assert min(upper_shadow(this), body(this), lower_shadow(this)) >= 0


@given(bars(), st.integers(1, 1000))
def test_a_candle_that_stood_still_has_no_pattern(prev: Bar, steps: int) -> None:
    still = bar(*[50_000 + GRID * steps] * 4)
    for patterns in (CALL_SIDE, PUT_SIDE):
        for name, holds in patterns.items():
            assert not holds(prev, still), name


@given(bars())
def test_without_a_candle_before_it_nothing_engulfs_or_is_inside(this: Bar) -> None:
    assert not is_bullish_engulfing(NO_BAR, this)
    assert not is_bearish_engulfing(NO_BAR, this)
    assert not is_inside_bar(NO_BAR, this)


@pytest.mark.parametrize(
    ("prices", "holds"),
    [
        ((109.0, 110.0, 100.0, 110.0), True),
        ((110.0, 110.0, 100.0, 109.0), True),  # the colour does not matter
        ((107.0, 110.0, 100.0, 110.0), True),  # shadow 7 of a body of 3
        ((106.0, 109.0, 100.0, 109.0), True),  # 6 = 2 × 3 and 6 ≥ 5.4
        ((105.9, 109.0, 100.0, 109.0), False),  # the shadow is less than two bodies
        ((108.0, 110.0, 100.0, 109.0), True),  # the far shadow is exactly a tenth
        ((108.0, 110.1, 100.0, 109.0), False),  # … and a little more
        ((110.0, 110.0, 100.0, 110.0), False),  # no body
        ((109.0 + 5e-7, 109.0 + 5e-7, 100.0, 109.0), False),  # none beyond rounding noise
    ],
)
def test_a_hammer(prices: tuple[float, float, float, float], holds: bool) -> None:
    assert is_hammer(bar(*prices), P) is holds
    assert is_shooting_star(mirrored(bar(*prices), 200.0), P) is holds


def test_a_hammers_shadow_is_three_fifths_of_its_range() -> None:
    wide = Parameters(hammer_far_shadow_to_range=0.4)
    assert is_hammer(bar(106.0, 110.0, 100.0, 107.0), wide)
    assert not is_hammer(bar(105.9, 110.0, 100.0, 107.0), wide)


@pytest.mark.parametrize(
    ("prices", "holds"),
    [
        ((98.0, 103.0, 97.0, 102.0), False),  # equal bodies: not larger
        ((98.0, 103.0, 97.0, 102.5), True),  # opens at the close before, closes above the open before
        ((98.0, 103.0, 97.0, 101.9), False),  # does not reach the open before
        ((97.9, 103.0, 97.0, 102.0), True),
        ((98.1, 103.0, 97.0, 103.0), False),  # opens above the close before
        ((98.0 + 5e-7, 103.0, 97.0, 102.5), True),  # as good as equal
        ((103.0, 103.0, 97.0, 97.5), False),  # the same colour
    ],
)
def test_an_engulfing(prices: tuple[float, float, float, float], holds: bool) -> None:
    prev = bar(102.0, 102.5, 97.5, 98.0)
    assert is_bullish_engulfing(prev, bar(*prices)) is holds
    assert is_bearish_engulfing(mirrored(prev, 200.0), mirrored(bar(*prices), 200.0)) is holds


def test_a_still_candle_cannot_be_engulfed() -> None:
    assert not is_bullish_engulfing(bar(100.0, 101.0, 99.0, 100.0), bar(99.0, 102.0, 99.0, 102.0))


@pytest.mark.parametrize(
    ("high", "low", "holds"),
    [
        (109.0, 101.0, True),
        (110.0, 101.0, True),
        (110.0, 100.0, False),  # the same range is not a smaller one
        (110.0, 100.0 + 5e-7, False),
        (110.1, 101.0, False),
        (109.0, 99.9, False),
        (110.0 + 5e-7, 101.0, True),
    ],
)
def test_an_inside_bar(high: float, low: float, holds: bool) -> None:
    assert is_inside_bar(bar(105.0, 110.0, 100.0, 106.0), bar(104.0, high, low, 104.0)) is holds


@pytest.mark.parametrize(
    ("prices", "holds"),
    [
        ((100.0, 110.0, 100.0, 110.0), True),
        ((102.0, 110.0, 100.0, 108.0), True),  # body 6 of 10, shadow 2 of 10
        ((102.1, 110.0, 100.0, 108.0), False),
        ((101.0, 110.0, 100.0, 107.9), False),
        ((108.0, 110.0, 100.0, 102.0), False),
    ],
)
def test_a_strong_candle(prices: tuple[float, float, float, float], holds: bool) -> None:
    assert is_strong_bullish(bar(*prices), P) is holds
    assert is_strong_bearish(mirrored(bar(*prices), 200.0), P) is holds


@pytest.mark.parametrize(
    ("level", "holds"), [(98.0, True), (97.9, False), (105.0, True), (112.0, True), (112.1, False), (UNKNOWN, False)]
)
def test_a_level_is_near_when_it_lies_within_the_widened_candle(level: float, holds: bool) -> None:
    assert is_near_level(bar(104.0, 110.0, 100.0, 106.0), level, 2.0) is holds


@pytest.mark.parametrize(
    ("short", "long", "expected"),
    [(5.0, 10.0, 1.0), (5.1, 10.0, 0.0), (UNKNOWN, 10.0, None), (5.0, UNKNOWN, None), (0.0, 0.0, 1.0)],
)
def test_compression_holds_at_equality_and_may_be_unknown(short: float, long: float, expected: float | None) -> None:
    found = is_compressed(short, long, 0.5)
    assert (found if known(found) else None) == expected
