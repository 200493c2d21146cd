"""What a run leaves behind: signals and rejections as they come, trades, equity and a summary at its end."""

import csv
import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, fields
from datetime import datetime
from io import TextIOWrapper
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

from algoexec.backtest.report.metrics import figures_of
from algoexec.backtest.report.page import report_page
from algoexec.backtest.result import BacktestResult, BacktestTrade, EquityPoint
from algoexec.domain.calendar import IST
from algoexec.domain.signals import Signal

SIGNALS: Final = "signals.jsonl"
REJECTIONS: Final = "rejections.jsonl"
TRADES: Final = "trades.csv"
EQUITY: Final = "equity.csv"
SUMMARY: Final = "summary.json"
REPORT: Final = "report.html"

_PAISE: Final = ("gross", "charges", "net")
_MONEY_RULES: Final = ("capital", "max_daily_loss", "max_daily_profit", "brokerage")


def signal_line(signal: Signal) -> dict[str, object]:
    """Return a signal or rejection as one line of JSON: floats unrounded, times IST."""
    return {
        "kind": "rejection" if signal.is_rejection else "signal",
        "at": _ist(signal.at),
        "side": signal.side,
        "pattern": signal.pattern,
        "priority": signal.priority,
        "price": signal.price,
        "stop_loss": signal.stop_loss,
        "target": signal.target,
        "pcr": signal.pcr,
        "volume_confirmed": signal.volume_confirmed,
        "reason": signal.reason,
    }


class RunFolder:
    """A folder that a run is written to. Files of an earlier run in it are replaced; others are left alone."""

    def __init__(self, folder: Path) -> None:
        """Write to `folder`; nothing is made before it is entered."""
        self.folder: Final = folder
        self._signals: TextIOWrapper | None = None
        self._rejections: TextIOWrapper | None = None

    def __enter__(self) -> Self:
        """Make the folder, and let go of what an earlier run has said there.

        Raises:
            OSError: it cannot be written.
        """
        self.folder.mkdir(parents=True, exist_ok=True)
        for name in (TRADES, EQUITY, SUMMARY, REPORT):
            (self.folder / name).unlink(missing_ok=True)
        self._signals = (self.folder / SIGNALS).open("w", encoding="utf-8")
        self._rejections = (self.folder / REJECTIONS).open("w", encoding="utf-8")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close what is open."""
        for file in (self._signals, self._rejections):
            if file is not None:
                file.close()

    def hear(self, signal: Signal) -> None:
        """Write a signal or rejection down."""
        file = self._rejections if signal.is_rejection else self._signals
        if file is not None:
            line = {"id": signal.id, **signal_line(signal)}
            file.write(json.dumps(line) + "\n")

    def finish(self, result: BacktestResult) -> None:
        """Write everything else."""
        _write_csv(self.folder / TRADES, map(_trade_row, result.trades), _trade_columns())
        _write_csv(self.folder / EQUITY, map(_equity_row, result.equity), ("at", "equity", "realised", "unrealised"))
        summary = json.dumps(summary_of(result), indent=2, default=str)
        (self.folder / SUMMARY).write_text(summary + "\n", encoding="utf-8")
        (self.folder / REPORT).write_text(report_page(result), encoding="utf-8")


def summary_of(result: BacktestResult) -> dict[str, Any]:
    """Return a run in a few dozen figures, money in rupees; shares and win rate are fractions."""
    setup, trades = result.setup, result.trades
    rules = {field.name: getattr(setup.rules, field.name) for field in fields(setup.rules)}
    return {
        "version": setup.version,
        "partial": result.partial,
        "begins": setup.begins,
        "ends": setup.ends,
        "warm_up_days": setup.warm_up_days,
        "capital_rule": "each day begins with the same capital; profits are not invested again",
        "parameters": setup.parameters._asdict(),
        "rules": {name: _rupees(value) if name in _MONEY_RULES else value for name, value in rules.items()},
        "execution": asdict(setup.execution),
        "data": [file._asdict() for file in setup.data],
        "days": len(result.days),
        "minutes": sum(day.minutes for day in result.days),
        "missing_minutes": sum(day.missing for day in result.days),
        "days_without_chain": sum(not day.chains for day in result.days),
        "locked_days": _counted(day.lock for day in result.days),
        "signals": len(result.signals),
        "rejections": result.rejected,
        "refusals": result.refused,
        "trades": len(trades),
        "wins": sum(trade.net > 0 for trade in trades),
        "exits": _counted(trade.reason for trade in trades),
        **{name: _rupees(sum(getattr(trade, name) for trade in trades)) for name in _PAISE},
        "slippage": _rupees(sum(trade.slippage for trade in trades)),
        "charges_approximate": any(trade.approximate for trade in trades),
        "modelled_share": result.modelled_share,
        "by_source": {
            source: {"trades": share.trades, "gross": _rupees(share.gross), "net": _rupees(share.net)}
            for source, share in result.by_source.items()
        },
        "repriced": [
            {"slippage_times": one.multiple, **{name: _rupees(getattr(one, name)) for name in _PAISE}}
            for one in result.repricings
        ],
        "figures": {figure.key: figure.value for figure in figures_of(result)},
    }


def _counted(values: Iterable[str | None]) -> dict[str, int]:
    counts: dict[str, int] = {}
    for value in values:
        if value is not None:
            counts[value] = counts.get(value, 0) + 1
    return dict(sorted(counts.items()))


def _trade_columns() -> tuple[str, ...]:
    return (
        "id", "signal_id", "day", "pattern", "side", "name", "strike", "option_type", "expiry", "lot", "quantity",
        "signal_at", "opened_at", "closed_at", "signal_price", "index_stop", "index_target", "entry_price",
        "exit_price", "entry_middle", "exit_middle", "reason", "one_r", "r", "gross", "entry_charges", "exit_charges",
        "charges", "net", "slippage", "mfe", "mae", "source", "approximate",
    )  # fmt: skip


def _trade_row(trade: BacktestTrade) -> dict[str, object]:
    row: dict[str, object] = {name: getattr(trade, name) for name in _trade_columns()}
    money = {name: _rupees(getattr(trade, name)) for name in (*_PAISE, "slippage")}
    charges = {name: round(float(getattr(trade, name)) / 100, 4) for name in ("entry_charges", "exit_charges")}
    times = {name: _ist(getattr(trade, name)) for name in ("signal_at", "opened_at", "closed_at")}
    return {**row, **money, **charges, **times}


def _equity_row(point: EquityPoint) -> dict[str, object]:
    return {
        "at": _ist(point.at),
        "equity": _rupees(point.equity),
        "realised": _rupees(point.realised),
        "unrealised": _rupees(point.unrealised),
    }


def _write_csv(path: Path, rows: Iterable[Mapping[str, object]], columns: Iterable[str]) -> None:
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, list(columns))
        writer.writeheader()
        writer.writerows(rows)


def _rupees(paise: int | None) -> float | None:
    return None if paise is None else paise / 100


def _ist(at: datetime) -> str:
    return at.astimezone(IST).isoformat()
