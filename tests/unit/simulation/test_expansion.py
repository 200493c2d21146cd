"""Ticks rebuild their bar exactly, whatever the bar."""

from itertools import pairwise
from random import Random

from hypothesis import assume, given
from hypothesis import strategies as st

from algoexec.domain.market import Bar
from algoexec.simulation.expansion import (
    INDEX_GAP_MS,
    MINUTE_MS,
    Tick,
    index_ticks,
    path,
    rebuild,
    split,
    trade_ticks,
)

MINUTE = 29_865_825
LOT = 30

seeds = st.integers(0, 2**32)


@st.composite
def bars(draw: st.DrawFn, *, step: float | None = None) -> Bar:
    """A bar on the grid of `step`, or at prices of no grid at all; flat and one-sided ones are common."""
    on_grid = st.integers(1, 1_200_000).map(lambda n: round(n * (step or 1), 2))
    price = st.floats(10.0, 90_000.0) if step is None else on_grid
    prices = draw(st.lists(price, min_size=1, max_size=4))
    opened, closed = draw(st.sampled_from(prices)), draw(st.sampled_from(prices))
    return Bar(MINUTE, opened, max(prices), min(prices), closed, draw(st.integers(0, 5000)) * LOT)


any_bar = st.one_of(bars(), bars(step=0.05), bars(step=0.2))


def assert_within_the_minute(ticks: tuple[Tick, ...]) -> None:
    stamps = [tick.at for tick in ticks]
    assert stamps == sorted(set(stamps)), "stamps grow: a repeated one would be no tick"
    assert stamps[0] >= MINUTE * MINUTE_MS
    assert stamps[-1] < (MINUTE + 1) * MINUTE_MS


@given(any_bar, seeds)
def test_index_ticks_rebuild_the_bar_to_the_bit(bar: Bar, seed: int) -> None:
    ticks = index_ticks(bar, Random(seed))

    assert rebuild(MINUTE, ticks) == bar._replace(volume=0)
    assert_within_the_minute(ticks)


@given(any_bar, seeds)
def test_an_index_is_told_every_250_to_1000_ms(bar: Bar, seed: int) -> None:
    stamps = [tick.at for tick in index_ticks(bar, Random(seed))]

    quickest, slowest = INDEX_GAP_MS
    assert all(quickest <= after - before <= slowest for before, after in pairwise(stamps))
    assert stamps[0] - MINUTE * MINUTE_MS < slowest
    assert (MINUTE + 1) * MINUTE_MS - stamps[-1] <= slowest


@given(any_bar, seeds, st.integers(0, 10**9))
def test_trades_rebuild_prices_and_volume(bar: Bar, seed: int, before: int) -> None:
    assume(bar.volume > 0)
    ticks = trade_ticks(bar, Random(seed), lot=LOT, tick_size=0.2, before=before)

    assert rebuild(MINUTE, ticks) == bar
    assert ticks[-1].volume - before == bar.volume
    assert all(tick.volume - earlier == tick.quantity for earlier, tick in _with_volume_before(ticks, before))
    assert_within_the_minute(ticks)


def _with_volume_before(ticks: tuple[Tick, ...], before: int) -> list[tuple[int, Tick]]:
    return list(zip([before, *(tick.volume for tick in ticks)], ticks, strict=False))


@given(bars(step=0.2), seeds)
def test_a_minute_without_volume_has_no_trade(bar: Bar, seed: int) -> None:
    assert trade_ticks(bar._replace(volume=0), Random(seed), lot=LOT, tick_size=0.2, before=900) == ()


@given(bars(step=0.2), seeds)
def test_trades_of_a_bar_on_the_grid_stay_on_it_and_in_whole_lots(bar: Bar, seed: int) -> None:
    for tick in trade_ticks(bar, Random(seed), lot=LOT, tick_size=0.2, before=0):
        assert abs(tick.price / 0.2 - round(tick.price / 0.2)) < 1e-6
        assert tick.quantity % LOT == 0


@given(st.integers(1, 30), seeds)
def test_an_odd_volume_below_a_lot_is_still_told(volume: int, seed: int) -> None:
    bar = Bar(MINUTE, 100.0, 101.0, 99.0, 100.5, volume)
    ticks = trade_ticks(bar, Random(seed), lot=LOT, tick_size=0.05, before=0)

    assert rebuild(MINUTE, ticks) == bar


@given(any_bar, seeds)
def test_the_same_seed_gives_the_same_ticks(bar: Bar, seed: int) -> None:
    assert index_ticks(bar, Random(seed)) == index_ticks(bar, Random(seed))


@given(any_bar, st.integers(4, 200), seeds)
def test_no_price_leaves_the_range(bar: Bar, count: int, seed: int) -> None:
    prices = path(bar, count, Random(seed))

    assert len(prices) == count
    assert all(bar.low <= price <= bar.high for price in prices)


@given(st.integers(0, 10_000), st.integers(1, 90), seeds)
def test_quantities_add_up(volume: int, count: int, seed: int) -> None:
    quantities = split(volume, count, LOT, Random(seed))

    assert len(quantities) == count
    assert sum(quantities) == volume
    assert min(quantities) >= 0
