"""The figures of a run, under the names that users of quantstats and backtesting.py know.

Each day begins with the same capital, so returns are simple: a day's net result over that capital.
Days without a trade count as 0. The risk-free rate is taken as 0.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from statistics import fmean, stdev
from typing import Final, NamedTuple

import numpy as np

from algoexec.backtest.report.drawdowns import Drawdown, drawdowns_of
from algoexec.backtest.result import BacktestResult, BacktestTrade

DAYS_A_YEAR: Final = 252
"""Trading days, as everywhere in the field; NSE has 245 to 250."""


class Unit(StrEnum):
    """How a figure is shown."""

    COUNT = "count"
    RUPEES = "rupees"
    PERCENT = "percent"
    RATIO = "ratio"
    R = "R"
    SECONDS = "seconds"
    DAYS = "days"


class Figure(NamedTuple):
    """One figure. `value` None: it is not defined for this run. `formula` says how it is made."""

    key: str
    name: str
    value: float | None
    unit: Unit
    formula: str


@dataclass(frozen=True, slots=True)
class _Run:
    """A run with what most figures need."""

    result: BacktestResult
    capital: int
    trades: Sequence[BacktestTrade]
    nets: Sequence[int]
    returns: Sequence[float]
    """Of each day, as a fraction."""
    drawdowns: Sequence[Drawdown]

    @property
    def net(self) -> int:
        return sum(day.net for day in self.result.days)

    @property
    def won(self) -> list[int]:
        return [net for net in self.nets if net > 0]

    @property
    def lost(self) -> list[int]:
        return [net for net in self.nets if net < 0]


def figures_of(result: BacktestResult) -> tuple[Figure, ...]:
    """Return every figure of a run, in the order in which they are shown."""
    capital = result.setup.rules.capital
    run = _Run(
        result=result,
        capital=capital,
        trades=result.trades,
        nets=[trade.net for trade in result.trades],
        returns=[day.net / capital for day in result.days],
        drawdowns=drawdowns_of(result.equity),
    )
    return tuple(Figure(row.key, row.name, row.value(run), row.unit, row.formula) for row in _TABLE)


def _mean(values: Sequence[float]) -> float | None:
    return fmean(values) if values else None


def _ratio(top: float | None, bottom: float | None) -> float | None:
    return None if top is None or not bottom else top / bottom


def _times(value: float | None, factor: float) -> float | None:
    return None if value is None else value * factor


def _spread(values: Sequence[float]) -> float | None:
    """Return the standard deviation of a sample; None of fewer than two values, or of equal ones."""
    return None if len(values) < 2 else stdev(values) or None


def _sharpe(run: _Run) -> float | None:
    return _times(_ratio(_mean(run.returns), _spread(run.returns)), math.sqrt(DAYS_A_YEAR))


def _sortino(run: _Run) -> float | None:
    downside = math.sqrt(fmean(min(one, 0.0) ** 2 for one in run.returns)) if run.returns else None
    return _times(_ratio(_mean(run.returns), downside), math.sqrt(DAYS_A_YEAR))


def _annual(run: _Run) -> float | None:
    return _times(_mean(run.returns), 100 * DAYS_A_YEAR)


def _cagr(run: _Run) -> float | None:
    setup, growth = run.result.setup, 1 + run.net / run.capital
    if setup.begins is None or setup.ends is None or growth <= 0:
        return None
    years = ((setup.ends - setup.begins).days + 1) / 365.25
    # A year of two days says nothing, and its power overflows.
    return 100 * (growth ** (1 / years) - 1) if years >= 1 / 12 else None


def _exposure(run: _Run) -> float | None:
    return _times(
        _ratio(sum(day.held_s for day in run.result.days), sum(day.minutes for day in run.result.days) * 60), 100
    )


def _max_drawdown(run: _Run) -> float:
    return max((one.percent for one in run.drawdowns), default=0.0)


def _win_rate(run: _Run) -> float | None:
    return _times(_ratio(float(len(run.won)), len(run.nets)), 100)


def _payoff(run: _Run) -> float | None:
    return _ratio(_mean(run.won), _times(_mean(run.lost), -1))


def _kelly(run: _Run) -> float | None:
    payoff = _payoff(run)
    if not payoff:
        return None
    rate = len(run.won) / len(run.nets)
    return 100 * (rate - (1 - rate) / payoff)


def _sqn(run: _Run) -> float | None:
    rs = [trade.r for trade in run.trades]
    return _times(_ratio(_mean(rs), _spread(rs)), math.sqrt(len(rs)))


def _longest(nets: Sequence[int], sign: int) -> int:
    longest = row = 0
    for net in nets:
        row = row + 1 if net * sign > 0 else 0
        longest = max(longest, row)
    return longest


def _held(run: _Run) -> list[float]:
    return [(trade.closed_at - trade.opened_at).total_seconds() for trade in run.trades]


def _charges_share(run: _Run) -> float | None:
    gross = sum(trade.gross for trade in run.trades)
    return 100 * sum(trade.charges for trade in run.trades) / gross if gross > 0 else None


def _gain_to_pain(run: _Run) -> float | None:
    return _ratio(sum(run.returns), -sum(one for one in run.returns if one < 0))


def _tail(run: _Run) -> float | None:
    if len(run.returns) < 20:
        return None
    return _ratio(_quantile(run.returns, 0.95), abs(_quantile(run.returns, 0.05)))


def _value_at_risk(run: _Run) -> float | None:
    return 100 * _quantile(run.returns, 0.05) if len(run.returns) >= 20 else None


def _quantile(values: Sequence[float], q: float) -> float:
    return float(np.quantile(values, q))


class _Row(NamedTuple):
    key: str
    name: str
    unit: Unit
    value: Callable[[_Run], float | None]
    formula: str


_TABLE: Final = (
    _Row("net", "Net profit", Unit.RUPEES, lambda run: run.net / 100, "after all charges"),
    _Row("return", "Return [%]", Unit.PERCENT, lambda run: 100 * run.net / run.capital, "net profit / capital"),
    _Row(
        "return_ann", "Return (Ann.) [%]", Unit.PERCENT, _annual, f"mean daily return × {DAYS_A_YEAR}; not compounded"
    ),
    _Row("cagr", "CAGR [%]", Unit.PERCENT, _cagr, "(1 + return)^(1 / calendar years) − 1, as if profits were kept"),
    _Row(
        "volatility_ann",
        "Volatility (Ann.) [%]",
        Unit.PERCENT,
        lambda run: _times(_spread(run.returns), 100 * math.sqrt(DAYS_A_YEAR)),
        f"standard deviation of daily returns × √{DAYS_A_YEAR}",
    ),
    _Row("sharpe", "Sharpe Ratio", Unit.RATIO, _sharpe, f"mean / standard deviation of daily returns × √{DAYS_A_YEAR}"),
    _Row(
        "sortino", "Sortino Ratio", Unit.RATIO, _sortino, f"mean / √mean(min(r, 0)²) of daily returns × √{DAYS_A_YEAR}"
    ),
    _Row(
        "calmar",
        "Calmar Ratio",
        Unit.RATIO,
        lambda run: _ratio(_annual(run), _max_drawdown(run)),
        "return (ann.) / max. drawdown",
    ),
    _Row(
        "max_drawdown",
        "Max. Drawdown [%]",
        Unit.PERCENT,
        _max_drawdown,
        "deepest fall from a peak of the equity, unrealised included",
    ),
    _Row(
        "max_drawdown_rupees",
        "Max. Drawdown",
        Unit.RUPEES,
        lambda run: max((one.depth for one in run.drawdowns), default=0) / 100,
        "the deepest one in money",
    ),
    _Row(
        "avg_drawdown",
        "Avg. Drawdown [%]",
        Unit.PERCENT,
        lambda run: _mean([one.percent for one in run.drawdowns]),
        "mean depth of all drawdowns",
    ),
    _Row(
        "max_drawdown_duration",
        "Max. Drawdown Duration",
        Unit.DAYS,
        lambda run: max((one.lasted.total_seconds() for one in run.drawdowns), default=0.0) / 86_400,
        "calendar days from a peak until it is reached again, or the end",
    ),
    _Row("exposure", "Exposure Time [%]", Unit.PERCENT, _exposure, "time with a position / time of the minutes traded"),
    _Row("trades", "# Trades", Unit.COUNT, lambda run: len(run.trades), "closed trades"),
    _Row("win_rate", "Win Rate [%]", Unit.PERCENT, _win_rate, "trades with a net profit / trades"),
    _Row(
        "profit_factor",
        "Profit Factor",
        Unit.RATIO,
        lambda run: _ratio(sum(run.won), -sum(run.lost)),
        "net of winners / net of losers",
    ),
    _Row("payoff_ratio", "Payoff Ratio", Unit.RATIO, _payoff, "mean winner / mean loser"),
    _Row(
        "expectancy",
        "Expectancy",
        Unit.RUPEES,
        lambda run: _times(_mean(run.nets), 0.01),
        "mean net of a trade, after charges",
    ),
    _Row(
        "expectancy_r",
        "Expectancy (R)",
        Unit.R,
        lambda run: _mean([t.r for t in run.trades]),
        "mean net of a trade / risk taken",
    ),
    _Row("sqn", "SQN", Unit.RATIO, _sqn, "√trades × mean R / standard deviation of R"),
    _Row("kelly", "Kelly Criterion [%]", Unit.PERCENT, _kelly, "win rate − (1 − win rate) / payoff ratio"),
    _Row("best_trade", "Best Trade", Unit.RUPEES, lambda run: _times(max(run.nets, default=None), 0.01), "highest net"),
    _Row(
        "worst_trade", "Worst Trade", Unit.RUPEES, lambda run: _times(min(run.nets, default=None), 0.01), "lowest net"
    ),
    _Row("wins_in_a_row", "Max. Consecutive Wins", Unit.COUNT, lambda run: _longest(run.nets, 1), ""),
    _Row("losses_in_a_row", "Max. Consecutive Losses", Unit.COUNT, lambda run: _longest(run.nets, -1), ""),
    _Row(
        "avg_trade_duration", "Avg. Trade Duration", Unit.SECONDS, lambda run: _mean(_held(run)), "first fill to flat"
    ),
    _Row("max_trade_duration", "Max. Trade Duration", Unit.SECONDS, lambda run: max(_held(run), default=None), ""),
    _Row(
        "gross",
        "Gross profit",
        Unit.RUPEES,
        lambda run: sum(t.gross for t in run.trades) / 100,
        "before charges, slippage included",
    ),
    _Row(
        "charges",
        "Charges",
        Unit.RUPEES,
        lambda run: sum(t.charges for t in run.trades) / 100,
        "of the date: brokerage, STT, exchange, SEBI, stamp duty, GST",
    ),
    _Row("charges_share", "Charges [% of gross]", Unit.PERCENT, _charges_share, "not defined without a gross profit"),
    _Row(
        "slippage",
        "Slippage",
        Unit.RUPEES,
        lambda run: sum(t.slippage for t in run.trades) / 100,
        "fills against the middle of the book; already in gross",
    ),
    _Row(
        "best_day",
        "Best Day [%]",
        Unit.PERCENT,
        lambda run: _times(max(run.returns, default=None), 100),
        "of the capital",
    ),
    _Row(
        "worst_day",
        "Worst Day [%]",
        Unit.PERCENT,
        lambda run: _times(min(run.returns, default=None), 100),
        "of the capital",
    ),
    _Row(
        "win_days",
        "Win Days [%]",
        Unit.PERCENT,
        lambda run: _times(
            _ratio(
                float(sum(day.net > 0 for day in run.result.days)), sum(bool(day.trades) for day in run.result.days)
            ),
            100,
        ),
        "days with a net profit / days with a trade",
    ),
    _Row(
        "var_95", "Daily Value-at-Risk [%]", Unit.PERCENT, _value_at_risk, "5 % quantile of daily returns; from 20 days"
    ),
    _Row(
        "tail_ratio", "Tail Ratio", Unit.RATIO, _tail, "95 % quantile / |5 % quantile| of daily returns; from 20 days"
    ),
    _Row(
        "gain_to_pain",
        "Gain/Pain Ratio",
        Unit.RATIO,
        _gain_to_pain,
        "sum of daily returns / |sum of the negative ones|",
    ),
)
"""Every figure, in the order in which it is shown."""
