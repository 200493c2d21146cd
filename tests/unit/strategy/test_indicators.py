"""EMA, VWAP and the volume average: equal to pandas-ta where it has them, causal, honest about what is unknown."""

import importlib
import math
import warnings
from collections.abc import Callable, Sequence
from typing import Final

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from algoexec.strategy.indicators import (
    Ema,
    Vwap,
    Window,
    ema_next,
    ema_value,
    mean_of_last,
    slide,
    volume_breakout,
    vwap_next,
    vwap_value,
)
from algoexec.strategy.kernel import UNKNOWN, above, at_least, known

with warnings.catch_warnings():
    # pandas-ta 0.4.71b0 sets an option that pandas 3 has retired; nothing here uses it.
    warnings.simplefilter("ignore")
    pandas_ta = importlib.import_module("pandas_ta")

PRICES: Final = st.floats(10_000, 90_000).map(lambda price: round(price * 20) / 20)
VOLUMES: Final = st.one_of(st.just(UNKNOWN), st.integers(1, 200_000).map(float))
ROWS: Final = st.lists(st.tuples(PRICES, PRICES, PRICES, VOLUMES), min_size=1, max_size=60)


def emas(closes: Sequence[float], length: int) -> list[float]:
    ema, values = Ema(), []
    for close in closes:
        ema = ema_next(ema, close, length)
        values.append(ema_value(ema, length))
    return values


def vwaps(rows: Sequence[tuple[float, float, float, float]]) -> list[float]:
    vwap, values = Vwap(), []
    for high, low, close, volume in rows:
        vwap = vwap_next(vwap, high, low, close, volume)
        values.append(vwap_value(vwap))
    return values


def windowed(values: Sequence[float], length: int) -> Window:
    window: Window = (UNKNOWN,) * length
    for value in values:
        window = slide(window, value)
    return window


def near(values: Sequence[float]) -> object:
    return pytest.approx(list(values), rel=1e-9, abs=1e-9, nan_ok=True)


@given(st.lists(PRICES, min_size=21, max_size=200), st.sampled_from([1, 2, 9, 21]))
def test_ema_is_that_of_pandas_ta(closes: list[float], length: int) -> None:
    theirs = pandas_ta.ema(pd.Series(closes), length=length, talib=False)
    assert emas(closes, length) == near(theirs)


@given(st.lists(PRICES, max_size=20), st.integers(1, 21))
def test_ema_is_unknown_before_its_length(closes: list[float], length: int) -> None:
    assert [known(value) for value in emas(closes, length)] == [n >= length for n in range(1, len(closes) + 1)]


@given(st.lists(PRICES, min_size=1, max_size=60), st.integers(1, 21), st.data())
def test_no_ema_depends_on_a_later_close(closes: list[float], length: int, data: st.DataObject) -> None:
    cut = data.draw(st.integers(0, len(closes)))
    np.testing.assert_array_equal(emas(closes, length)[:cut], emas(closes[:cut], length))


@given(PRICES, st.integers(1, 60), st.integers(1, 21))
def test_ema_of_a_still_market_is_its_price(price: float, count: int, length: int) -> None:
    assert all(value == pytest.approx(price, rel=1e-12) for value in emas([price] * count, length) if known(value))


def test_ema_of_three_is_worked_out_by_hand() -> None:
    assert emas([10.0, 11.0, 15.0, 16.0, 8.0], 3) == near([UNKNOWN, UNKNOWN, 12.0, 14.0, 11.0])


@given(st.lists(st.tuples(PRICES, PRICES, PRICES, st.integers(1, 200_000).map(float)), min_size=2, max_size=80))
def test_vwap_is_that_of_pandas_ta(rows: list[tuple[float, float, float, float]]) -> None:
    index = pd.date_range("2026-07-14 09:15", periods=len(rows), freq="min")
    frame = pd.DataFrame(rows, columns=["high", "low", "close", "volume"], index=index)
    theirs = pandas_ta.vwap(frame.high, frame.low, frame.close, frame.volume, anchor="D")
    assert vwaps(rows) == near(theirs)


@given(ROWS)
def test_vwap_is_the_weighted_mean_of_what_is_known_or_else_the_plain_mean(
    rows: list[tuple[float, float, float, float]],
) -> None:
    typical = [(high + low + close) / 3 for high, low, close, _ in rows]
    weights = [0.0 if math.isnan(volume) else volume for *_, volume in rows]
    if sum(weights) > 0:
        expected = math.fsum(map(math.prod, zip(typical, weights, strict=True))) / sum(weights)
    else:
        expected = math.fsum(typical) / len(typical)
    assert vwaps(rows)[-1] == pytest.approx(expected, rel=1e-9)


@given(ROWS)
def test_vwap_stays_within_the_days_typical_prices(rows: list[tuple[float, float, float, float]]) -> None:
    typical = [(high + low + close) / 3 for high, low, close, _ in rows]
    assert min(typical) - 1e-6 <= vwaps(rows)[-1] <= max(typical) + 1e-6


@given(ROWS, st.data())
def test_no_vwap_depends_on_a_later_candle(rows: list[tuple[float, float, float, float]], data: st.DataObject) -> None:
    cut = data.draw(st.integers(0, len(rows)))
    assert vwaps(rows)[:cut] == vwaps(rows[:cut])


def test_vwap_before_the_first_candle_is_unknown() -> None:
    assert not known(vwap_value(Vwap()))


def test_an_unknown_volume_weighs_nothing_once_another_is_known() -> None:
    assert vwaps([(12, 12, 12, UNKNOWN), (30, 30, 30, UNKNOWN), (60, 60, 60, 5.0), (90, 90, 90, UNKNOWN)]) == near(
        [12.0, 21.0, 60.0, 60.0]
    )


@given(st.lists(PRICES, max_size=40), st.integers(1, 20), st.integers(1, 20))
def test_a_window_holds_the_newest_values(values: list[float], size: int, length: int) -> None:
    mean = mean_of_last(windowed(values, size), length)
    if length > size or length > len(values):
        assert not known(mean)
    else:
        assert mean == pytest.approx(sum(values[-length:]) / length, rel=1e-9)


@given(st.lists(PRICES, min_size=20, max_size=40), st.integers(0, 40))
def test_one_unknown_value_makes_the_mean_unknown_until_it_has_left(values: list[float], since: int) -> None:
    window = windowed([*values, UNKNOWN, *(values * 2)[:since]], 20)
    assert known(mean_of_last(window, 20)) is (since >= 20)


@pytest.mark.parametrize(
    ("volume", "average", "expected"),
    [(150.0, 100.0, 1.0), (149.0, 100.0, 0.0), (500.0, UNKNOWN, None), (UNKNOWN, 100.0, None), (15.0, 10.0, 1.0)],
)
def test_a_volume_breakout_holds_at_equality_and_may_be_unknown(
    volume: float, average: float, expected: float | None
) -> None:
    found = volume_breakout(volume, average, 1.5)
    assert (found if known(found) else None) == expected


TOLERANT: Final = (
    (0.0, True, False),
    (9e-7, True, False),
    (1.1e-6, True, True),
    (-9e-7, True, False),
    (-1.1e-6, False, False),
)


@pytest.mark.parametrize(("difference", "at_least_holds", "above_holds"), TOLERANT)
def test_comparisons_hold_to_a_millionth_of_a_point(difference: float, at_least_holds: bool, above_holds: bool) -> None:
    assert at_least(50_000.0 + difference, 50_000.0) is at_least_holds
    assert above(50_000.0 + difference, 50_000.0) is above_holds


@pytest.mark.parametrize("compare", [at_least, above])
def test_no_comparison_with_the_unknown_holds(compare: Callable[[float, float], bool]) -> None:
    assert not compare(UNKNOWN, 1.0)
    assert not compare(1.0, UNKNOWN)
