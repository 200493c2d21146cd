"""The figures of a run: examples worked by hand, laws, and an independent reading by numpy."""

import math
from datetime import timedelta

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from algoexec.backtest.report.drawdowns import drawdowns_of
from algoexec.backtest.report.groups import GROUPINGS, groups_of
from algoexec.backtest.report.metrics import figures_of
from algoexec.backtest.result import BacktestResult, EquityPoint
from tests.unit.backtest.made_up_runs import CAPITAL, FIRST, result, trade, two_years

DAYS = st.lists(st.lists(st.integers(-5_000_00, 5_000_00), max_size=4), max_size=40)


def values(of: BacktestResult) -> dict[str, float | None]:
    return {figure.key: figure.value for figure in figures_of(of)}


def test_an_example_worked_by_hand() -> None:
    # Rs 3,000, −1,000 and 4,000 on a capital of Rs 300,000: 1 %, nothing, 1 %.
    run = values(result([[3_000_00], [], [-1_000_00, 4_000_00]]))
    assert run["net"] == 6_000
    assert run["return"] == pytest.approx(2.0)
    assert run["return_ann"] == pytest.approx(2 / 3 * 252)
    # Mean 2/3 %, deviations 1/3, −2/3, 1/3: standard deviation √((1/9 + 4/9 + 1/9) / 2) = √(1/3).
    assert run["sharpe"] == pytest.approx((2 / 3) / math.sqrt(1 / 3) * math.sqrt(252))
    assert run["sortino"] is None, "no day lost anything"
    assert run["trades"] == 3
    assert run["win_rate"] == pytest.approx(200 / 3)
    assert run["profit_factor"] == pytest.approx(7.0)
    assert run["payoff_ratio"] == pytest.approx(3.5)
    assert run["expectancy"] == pytest.approx(2_000)
    assert run["kelly"] == pytest.approx(100 * (2 / 3 - (1 / 3) / 3.5))
    assert run["max_drawdown_rupees"] == pytest.approx(1_000)
    assert run["max_drawdown"] == pytest.approx(100 * 1_000 / 303_000)
    assert run["charges"] == pytest.approx(180)
    assert run["gross"] == pytest.approx(6_180)
    assert run["charges_share"] == pytest.approx(100 * 180 / 6_180)
    assert run["wins_in_a_row"] == 1
    assert run["win_days"] == pytest.approx(100.0)
    assert run["exposure"] == pytest.approx(100 * 15 / (3 * 375))


def test_a_run_without_a_trade_has_no_ratio_and_does_not_fail() -> None:
    for nothing in (result([]), result([[], []])):
        run = values(nothing)
        assert run["trades"] == 0
        assert all(run[key] is None for key in ("sharpe", "sortino", "profit_factor", "expectancy", "kelly", "sqn"))
        assert run["max_drawdown"] == 0


def test_a_few_days_have_no_compound_rate() -> None:
    assert values(result([[1_000_00]]))["cagr"] is None
    assert values(two_years())["cagr"] is not None


def test_numpy_reads_the_same_ratios() -> None:
    run = two_years()
    returns = np.array([day.net for day in run.days]) / CAPITAL
    told = values(run)
    assert told["sharpe"] == pytest.approx(returns.mean() / returns.std(ddof=1) * np.sqrt(252))
    downside = np.sqrt((np.minimum(returns, 0) ** 2).mean())
    assert told["sortino"] == pytest.approx(returns.mean() / downside * np.sqrt(252))
    assert told["volatility_ann"] == pytest.approx(100 * returns.std(ddof=1) * np.sqrt(252))
    equity = np.array([point.equity for point in run.equity], dtype=float)
    peaks = np.maximum.accumulate(equity)
    assert told["max_drawdown"] == pytest.approx(100 * ((peaks - equity) / peaks).max())
    assert told["var_95"] == pytest.approx(100 * np.quantile(returns, 0.05))


@given(DAYS)
def test_figures_are_finite_and_agree_with_each_other(days: list[list[int]]) -> None:
    run = result(days)
    told = values(run)
    assert all(value is None or math.isfinite(value) for value in told.values())
    assert told["net"] == pytest.approx(sum(map(sum, days)) / 100)
    gross, charges, net = told["gross"], told["charges"], told["net"]
    assert gross is not None
    assert charges is not None
    assert gross - charges == pytest.approx(net)
    if told["profit_factor"] is not None:
        assert (told["profit_factor"] >= 1) == (sum(map(sum, days)) >= 0)


@given(DAYS)
def test_every_grouping_adds_up_to_the_whole(days: list[list[int]]) -> None:
    run = result(days)
    for label_of in GROUPINGS.values():
        groups = groups_of(run.trades, label_of)
        assert sum(group.trades for group in groups) == len(run.trades)
        assert sum(group.net for group in groups) == sum(one.net for one in run.trades)
        assert sum(group.wins for group in groups) == sum(one.net > 0 for one in run.trades)


def test_weekdays_and_hours_are_of_the_exchange() -> None:
    # 10:20 IST on Monday is 04:50 UTC.
    only = [trade(0, 100, minute=65)]
    assert groups_of(only, GROUPINGS["Hour of entry"])[0].name == "10:00"
    assert groups_of(only, GROUPINGS["Weekday"])[0].name == "Mon"


# --- drawdowns ---------------------------------------------------------------------------------------------------


def curve(*equities: int) -> list[EquityPoint]:
    begins = result([[]]).equity[0].at
    return [EquityPoint(begins + timedelta(days=n), equity, 0, 0) for n, equity in enumerate(equities)]


def test_a_drawdown_lasts_until_its_peak_is_reached_again() -> None:
    first, second = drawdowns_of(curve(100, 120, 90, 95, 120, 130, 128))
    assert (first.depth, first.percent, first.lasted) == (30, 25.0, timedelta(days=3))
    assert (second.depth, second.lasted) == (2, timedelta(days=1)), "the last one is not over"


@given(st.lists(st.integers(1, 1_000), min_size=1, max_size=60))
def test_the_deepest_drawdown_is_the_deepest_fall(equities: list[int]) -> None:
    deepest = max((one.depth for one in drawdowns_of(curve(*equities))), default=0)
    assert deepest == max(max(equities[: n + 1]) - equity for n, equity in enumerate(equities))


def test_the_first_day_is_a_monday() -> None:
    assert FIRST.weekday() == 0
