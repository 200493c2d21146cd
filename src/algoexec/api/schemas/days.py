"""Trading days. Money in rupees."""

import datetime as dt
from typing import Any, Final, Self

from pydantic import BaseModel, ConfigDict, Field

from algoexec.engine.effects import TradeClosed
from algoexec.engine.events import Mode
from algoexec.engine.outcomes import result_of
from algoexec.ports.trading import StoredDay
from algoexec.runtime.wire import in_rupees


class DayTradeOut(BaseModel):
    """The best or the worst trade of a day."""

    trade_id: str
    net: float = Field(description="Rupees, after charges.")
    r: float = Field(description="The net result in units of the risk taken.")

    @classmethod
    def of(cls, trade: TradeClosed | None) -> Self | None:
        """Return a trade's form; None for none."""
        return None if trade is None else cls(trade_id=trade.id, net=in_rupees(trade.net), r=trade.r)


_EXAMPLE: Final[dict[str, Any]] = {
    "venue": "upstox",
    "user_id": "asha",
    "mode": "paper",
    "day": "2026-11-23",
    "sessions": ["s7k2m9q4w1x8z3b5"],
    "signals": 14,
    "rejections": {"TRADE_LOCK": 61, "NO_MANS_LAND": 22, "PCR": 9},
    "refusals": {"ALREADY_IN_TRADE": 5, "SPREAD_TOO_WIDE": 1},
    "trades": 7,
    "wins": 4,
    "losses": 3,
    "gross": 2310.5,
    "charges": 437.92,
    "net": 1872.58,
    "max_drawdown": 1104.31,
    "r": 0.62,
    "best_trade": {"trade_id": "s7k2m9q4w1x8z3b5-2h", "net": 1597.44, "r": 0.8},
    "worst_trade": {"trade_id": "s7k2m9q4w1x8z3b5-5q", "net": -811.2, "r": -0.4},
    "locks": [],
}


class DayOut(BaseModel):
    """What one user's sessions of one mode did on one trading day at one venue."""

    model_config = ConfigDict(json_schema_extra={"examples": [_EXAMPLE]})

    venue: str
    user_id: str
    mode: Mode
    day: dt.date = Field(description="The exchange's trading day.")
    sessions: list[str] = Field(description="Sessions of the day, whether or not they are over.")
    signals: int = Field(description="Emitted.")
    rejections: dict[str, int] = Field(description="Candidates that became no signal, counted by reason.")
    refusals: dict[str, int] = Field(description="Signals that became no order, counted by reason.")
    trades: int = Field(description="Closed.")
    wins: int = Field(description="Trades with a positive net result.")
    losses: int = Field(description="Trades with a negative net result.")
    gross: float
    charges: float = Field(description="Brokerage, exchange charges and taxes.")
    net: float = Field(description="Gross less charges.")
    max_drawdown: float = Field(
        description="The most that the sum of net results ever fell below its highest, which begins at 0."
    )
    r: float = Field(description="Sum of the trades' `r`.")
    best_trade: DayTradeOut | None = Field(description="By net; null when nothing was traded.")
    worst_trade: DayTradeOut | None = Field(description="By net; null when nothing was traded.")
    locks: list[str] = Field(
        description="Limits of the day that were reached, whether or not a person has resumed since.",
        examples=[["MAX_DAILY_LOSS"]],
    )

    @classmethod
    def of(cls, day: StoredDay) -> Self:
        """Return a day's form on the wire."""
        result = result_of(day.trades)
        return cls(
            venue=day.venue,
            user_id=day.user_id,
            mode=day.mode,
            day=day.day,
            sessions=list(day.sessions),
            signals=day.signals,
            rejections=dict(day.rejections),
            refusals=dict(day.refusals),
            trades=result.trades,
            wins=result.wins,
            losses=result.losses,
            gross=in_rupees(result.gross),
            charges=in_rupees(result.charges),
            net=in_rupees(result.net),
            max_drawdown=in_rupees(result.max_drawdown),
            r=result.r,
            best_trade=DayTradeOut.of(result.best),
            worst_trade=DayTradeOut.of(result.worst),
            locks=list(day.locks),
        )
