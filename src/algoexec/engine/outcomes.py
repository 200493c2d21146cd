"""What became of signals, and what a day brought: derived from what was told, decides nothing.

`docs/trading.md` states the formulas.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, time, timedelta
from enum import StrEnum
from typing import Final

from algoexec.domain.calendar import IST, ist
from algoexec.domain.market import Candle
from algoexec.domain.signals import Side, Signal
from algoexec.engine.effects import EntryRefused, OrderChanged, OrderNews, TradeClosed
from algoexec.engine.events import Mode
from algoexec.engine.trading.rules import TradeRules

WATCHED: Final = timedelta(minutes=TradeRules().max_minutes_in_trade)
"""For so long after a signal the index is looked at, whatever the session's own rules: signals are to be compared."""

SQUARE_OFF: Final = time(*divmod(TradeRules().square_off_minute, 60))


class Fate(StrEnum):
    """What became of an emitted signal."""

    TRADED = "TRADED"
    NOT_FILLED = "NOT_FILLED"
    """Orders were sent, and none was filled."""
    REFUSED = "REFUSED"
    NOT_TRADED = "NOT_TRADED"
    """The session trades nothing, or ended before it could."""


class Reached(StrEnum):
    """What the index came to first."""

    TARGET = "TARGET"
    STOP = "STOP"
    NEITHER = "NEITHER"


@dataclass(frozen=True, slots=True, kw_only=True)
class IndexResult:
    """What the index did after a signal, in its direction: `points` are positive where it was right.

    `at` is the close of the candle that decided it, UTC.
    """

    reached: Reached
    points: float
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What became of an emitted signal.

    `reason` is why it was refused, or why its trade was ended. `trade` is None unless it was
    traded. `index` is None while that is open, and where no later candle is known.
    """

    fate: Fate
    reason: str | None = None
    trade: TradeClosed | None = None
    index: IndexResult | None = None


def watched_until(signal: Signal) -> datetime:
    """Return until when the index is looked at, UTC: for 20 minutes, not beyond the square-off."""
    until = signal.at + WATCHED
    square_off = ist(signal.at.astimezone(IST).date(), SQUARE_OFF)
    return min(until, square_off) if signal.at < square_off else until


def index_after(signal: Signal, candles: Sequence[Candle], *, is_over: bool) -> IndexResult | None:
    """Return what the index did after a signal; None while that is open, or no candle tells.

    `candles` are the known ones of the day, oldest first; one that is missing is passed over.
    `is_over` says that no more will come. Stop and target in one candle: stop.
    """
    until = watched_until(signal)
    rises = 1 if signal.side is Side.BUY_CALL else -1
    seen = [candle for candle in candles if signal.at <= candle.start and candle.closed_at <= until]
    for candle in seen:
        worst, best = (candle.low, candle.high) if rises > 0 else (candle.high, candle.low)
        if (worst - signal.stop_loss) * rises <= 0:
            return _result(Reached.STOP, (signal.stop_loss - signal.price) * rises, candle)
        if (best - signal.target) * rises >= 0:
            return _result(Reached.TARGET, (signal.target - signal.price) * rises, candle)
    is_known = is_over or (bool(candles) and candles[-1].closed_at >= until)
    if not seen or not is_known:
        return None
    return _result(Reached.NEITHER, (seen[-1].close - signal.price) * rises, seen[-1])


def outcome_of(
    mode: Mode,
    told: Iterable[OrderNews],
    trade: TradeClosed | None,
    index: IndexResult | None,
    *,
    is_over: bool,
) -> Outcome | None:
    """Return what became of an emitted signal; None while that is open.

    `told` are its orders, or its refusal, as they stand; one that waits for a person is open.
    `is_over`: its session has ended.
    """
    if trade is not None:
        return Outcome(fate=Fate.TRADED, reason=trade.reason, trade=trade, index=index)
    orders: list[OrderChanged] = []
    for one in told:
        if isinstance(one, EntryRefused):
            return Outcome(fate=Fate.REFUSED, reason=one.reason, index=index)
        if isinstance(one, OrderChanged):
            orders.append(one)
    if orders:
        is_unfilled = all(order.phase.is_final and not order.filled for order in orders)
        return Outcome(fate=Fate.NOT_FILLED, index=index) if is_unfilled else None
    is_known = index is not None and mode is Mode.SIGNALS
    return Outcome(fate=Fate.NOT_TRADED, index=index) if is_over or is_known else None


@dataclass(frozen=True, slots=True, kw_only=True)
class DayResult:
    """What trades brought together. Money in paise.

    A trade whose net result is exactly 0 is neither won nor lost. `max_drawdown` is the most that
    the sum of net results ever fell below its highest, which begins at 0; never negative. `r` is
    the sum of the trades' R. `best` and `worst` are by net; None: nothing was traded.
    """

    trades: int
    wins: int
    losses: int
    gross: int
    charges: int
    net: int
    max_drawdown: int
    r: float
    best: TradeClosed | None
    worst: TradeClosed | None


def result_of(trades: Sequence[TradeClosed]) -> DayResult:
    """Return what `trades`, in the order in which they were closed, brought together."""
    net = highest = drawdown = 0
    for trade in trades:
        net += trade.net
        highest = max(highest, net)
        drawdown = max(drawdown, highest - net)
    return DayResult(
        trades=len(trades),
        wins=sum(trade.net > 0 for trade in trades),
        losses=sum(trade.net < 0 for trade in trades),
        gross=sum(trade.gross for trade in trades),
        charges=sum(trade.charges for trade in trades),
        net=net,
        max_drawdown=drawdown,
        r=sum(trade.r for trade in trades),
        best=max(trades, key=_net, default=None),
        worst=min(trades, key=_net, default=None),
    )


def _result(reached: Reached, points: float, candle: Candle) -> IndexResult:
    # The index has two decimals; what the levels have beyond them is arithmetic.
    return IndexResult(reached=reached, points=round(points, 2), at=candle.closed_at)


def _net(trade: TradeClosed) -> int:
    return trade.net
