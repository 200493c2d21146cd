"""What the page shows, as JSON: rupees, IST, and no more than a browser reads with ease."""

from collections.abc import Sequence
from dataclasses import asdict
from datetime import datetime
from math import isfinite
from typing import Any, Final

from algoexec.backtest.report.groups import GROUPINGS, groups_of
from algoexec.backtest.report.metrics import figures_of
from algoexec.backtest.result import BacktestResult, BacktestTrade, EquityPoint
from algoexec.domain.calendar import IST

MOST_POINTS: Final = 6_000
"""Of the equity curve; of more, each stretch keeps its first, lowest, highest and last."""
MOST_CHARTS: Final = 1_000
"""Trades that come with their prices: the best, the worst and the last of more."""

type Json = dict[str, Any]


def payload_of(result: BacktestResult) -> Json:
    """Return all that the page needs."""
    return {
        "setup": _setup(result),
        "partial": result.partial,
        "figures": [{**figure._asdict(), "value": _number(figure.value)} for figure in figures_of(result)],
        "equity": [[_ms(point.at), point.equity / 100, point.realised / 100] for point in thinned(result.equity)],
        "days": [[day.date.isoformat(), day.net / 100, day.trades, day.equity / 100, day.lock] for day in result.days],
        "missing_minutes": sum(day.missing for day in result.days),
        "groups": {
            name: [_group(group._asdict()) for group in groups_of(result.trades, label_of)]
            for name, label_of in GROUPINGS.items()
        },
        "signals": len(result.signals),
        "rejected": {pattern: dict(reasons) for pattern, reasons in result.rejected.items()},
        "refused": result.refused,
        "modelled_share": result.modelled_share,
        "repricings": [_group(one._asdict()) for one in (result.repriced(1), *result.repricings)],
        "trades": [_trade(trade) for trade in result.trades],
        "charts": {trade.id: _chart(trade) for trade in charted(result.trades)},
    }


def thinned(points: Sequence[EquityPoint], most: int = MOST_POINTS) -> Sequence[EquityPoint]:
    """Return at most `most` points of a curve, its extremes among them."""
    if len(points) <= most:
        return points
    size = -(-len(points) // (most // 4))
    kept: list[EquityPoint] = []
    for begin in range(0, len(points), size):
        stretch = points[begin : begin + size]
        wanted = (stretch[0], min(stretch, key=_equity), max(stretch, key=_equity), stretch[-1])
        kept += sorted(dict.fromkeys(wanted), key=_at)
    return kept


def charted(trades: Sequence[BacktestTrade], most: int = MOST_CHARTS) -> list[BacktestTrade]:
    """Return the trades that are shown with their prices, in order."""
    if len(trades) <= most:
        return list(trades)
    third = most // 3
    by_net = sorted(trades, key=lambda trade: trade.net)
    wanted = {trade.id for trade in (*by_net[:third], *by_net[-third:], *trades[-third:])}
    return [trade for trade in trades if trade.id in wanted]


def _setup(result: BacktestResult) -> Json:
    setup = result.setup
    rules = asdict(setup.rules)
    return {
        "begins": setup.begins and setup.begins.isoformat(),
        "ends": setup.ends and setup.ends.isoformat(),
        "days": len(result.days),
        "warm_up_days": setup.warm_up_days,
        "capital": setup.rules.capital / 100,
        "version": setup.version,
        "execution": asdict(setup.execution),
        "parameters": {name: _plain(value) for name, value in setup.parameters._asdict().items()},
        "rules": {name: _plain(value) for name, value in rules.items()},
        "data": [{**file._asdict(), "notes": list(file.notes)} for file in setup.data],
    }


def _trade(trade: BacktestTrade) -> Json:
    risk = trade.one_r or None
    return {
        "id": trade.id,
        "signal_at": _ms(trade.signal_at),
        "opened_at": _ms(trade.opened_at),
        "closed_at": _ms(trade.closed_at),
        "pattern": trade.pattern.value,
        "side": trade.side.value,
        "name": trade.name,
        "quantity": trade.quantity,
        "lot": trade.lot,
        "signal_price": trade.signal_price,
        "index_stop": trade.index_stop,
        "index_target": trade.index_target,
        "entry": round(trade.entry_price, 4),
        "exit": round(trade.exit_price, 4),
        "reason": trade.reason.value,
        "gross": trade.gross / 100,
        "charges": trade.charges / 100,
        "net": trade.net / 100,
        "r": round(trade.r, 4),
        "mfe": None if trade.mfe is None or risk is None else round(trade.mfe / risk, 4),
        "mae": None if trade.mae is None or risk is None else round(trade.mae / risk, 4),
        "source": trade.source.value,
        "approximate": trade.approximate,
    }


def _chart(trade: BacktestTrade) -> Json:
    return {
        "index": [
            [bar.minute, *(round(price, 2) for price in (bar.open, bar.high, bar.low, bar.close))]
            for bar in trade.index
        ],
        "path": [
            [bar.minute, *(round(price, 2) for price in (bar.open, bar.high, bar.low, bar.close))] for bar in trade.path
        ],
    }


def _group(fields: Json) -> Json:
    return {name: value / 100 if name in ("gross", "charges", "net") else value for name, value in fields.items()}


def _plain(value: object) -> object:
    return [list(one) if isinstance(one, tuple) else one for one in value] if isinstance(value, tuple) else value


def _number(value: float | None) -> float | None:
    return value if value is None or isfinite(value) else None


def _ms(at: datetime) -> int:
    """Return milliseconds of a clock that shows IST and is taken for UTC: the page shows no other zone."""
    shown = at.astimezone(IST)
    return round((at.timestamp() + shown.utcoffset().total_seconds()) * 1000)  # type: ignore[union-attr]


def _equity(point: EquityPoint) -> int:
    return point.equity


def _at(point: EquityPoint) -> datetime:
    return point.at
