"""Writes a day down: what was seen, what was traded, what it was worth meanwhile."""

from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import date
from fractions import Fraction
from typing import Final

from algoexec.backtest.prices import DayPrices
from algoexec.backtest.result import BacktestTrade, EquityPoint, PremiumBar, PremiumSource, RefusedEntry
from algoexec.domain.calendar import IST
from algoexec.domain.errors import DomainError
from algoexec.domain.market import Bar
from algoexec.domain.orders import OrderReport, Side
from algoexec.domain.signals import Signal
from algoexec.engine.effects import EntryRefused, Frame, TradeClosed
from algoexec.engine.state import EngineState
from algoexec.engine.trading.orders import Purpose
from algoexec.engine.trading.trade import ExitReason, Trade
from algoexec.simulation.expansion import MINUTE_MS

MINUTES_BEFORE: Final = 15
MINUTES_AFTER: Final = 5
"""How much of the index a trade's chart shows before its signal and after its end."""

_WORST_LAST: Final = tuple(PremiumSource)


@dataclass(slots=True)
class _Fills:
    """Units filled on one side, and the middles of the book that they met, in rupees × units."""

    units: int = 0
    middles: float = 0.0

    @property
    def middle(self) -> float:
        return self.middles / self.units if self.units else 0.0


@dataclass(slots=True)
class DayRecorder:
    """Takes in what a day's session tells. `won_before` is what all days before brought, in paise.

    `hear` is told every signal and rejection, when it comes.
    """

    prices: DayPrices
    index: Sequence[Bar]
    capital: int
    won_before: int
    hear: Callable[[Signal], None]
    signals: list[Signal] = field(default_factory=list)
    rejected: Counter[tuple[str, str]] = field(default_factory=Counter)
    refusals: list[RefusedEntry] = field(default_factory=list)
    trades: list[BacktestTrade] = field(default_factory=list)
    equity: list[EquityPoint] = field(default_factory=list)
    _filled: dict[str, int] = field(default_factory=dict)
    _fills: dict[Side, _Fills] = field(default_factory=lambda: defaultdict(_Fills))
    _path: list[PremiumBar] = field(default_factory=list)
    _trade: Trade | None = None
    """What is held."""

    @property
    def net(self) -> int:
        """What the day has brought so far, in paise."""
        return sum(trade.net for trade in self.trades)

    def told(self, frame: Frame, state: EngineState) -> None:
        """Take in a frame, and the state that its step led to."""
        match frame.body:
            case Signal() as signal:
                self._saw(signal)
            case EntryRefused() as refused:
                self.refusals.append(RefusedEntry(frame.at, refused.signal_id, refused.reason, refused.detail))
            case TradeClosed() as closed:
                self._closed(closed, state)
            case _:
                pass
        trade = None if state.trading is None else state.trading.trade
        self._trade = trade if trade is not None and trade.bought.quantity else None

    def reported(self, report: OrderReport, middle: float) -> None:
        """Take in the broker's word on an order, and the middle of the book as it stands."""
        units = report.filled - self._filled.get(report.order_id, 0)
        if units > 0:
            self._filled[report.order_id] = report.filled
            fills = self._fills[report.side]
            fills.units += units
            fills.middles += units * middle

    def marked(self, at: int, bid: float) -> None:
        """Take in what the watched option could be sold for; before it is held that is nobody's profit."""
        if self._trade is None:
            return
        minute = at // MINUTE_MS
        if self._path and self._path[-1].minute == minute:
            last = self._path[-1]
            if last.low <= bid <= last.high:
                self._path[-1] = PremiumBar(minute, last.open, last.high, last.low, bid, last.source)
            else:
                self._path[-1] = PremiumBar(
                    minute, last.open, max(last.high, bid), min(last.low, bid), bid, last.source
                )
            return
        source = self.prices.source(self._trade.option, minute)
        self._path.append(PremiumBar(minute, bid, bid, bid, bid, source))

    def value(self, state: EngineState, bid: float | None) -> None:
        """Write down what the account is worth now."""
        trading = state.trading
        if trading is None:
            return
        realised, unrealised = self.won_before + self.net, 0
        if (trade := trading.trade) is not None and trade.bought.quantity:
            charges = trade.charges(_date(state), trading.rules.brokerage).total
            unrealised = trade.open_profit(bid) - charges
        self.equity.append(EquityPoint(state.at, self.capital + realised + unrealised, realised, unrealised))

    def _saw(self, signal: Signal) -> None:
        self.hear(signal)
        if signal.reason is None:
            self.signals.append(signal)
        else:
            self.rejected[signal.pattern.value, signal.reason.value] += 1

    def _closed(self, closed: TradeClosed, state: EngineState) -> None:
        if state.trading is None or not state.trading.ended:
            raise DomainError(f"trade {closed.id} is closed and has not ended")
        trade = state.trading.ended[-1]
        self.trades.append(self._written(closed, trade, state.trading.rules.brokerage))
        self._fills.clear()
        self._path.clear()
        self.value(state, None)

    def _written(self, closed: TradeClosed, trade: Trade, brokerage: int) -> BacktestTrade:
        on = _date_of(closed)
        entry_orders = tuple(o for o in trade.orders if o.purpose is Purpose.ENTRY and o.filled)
        exit_orders = tuple(o for o in trade.orders if o.purpose is Purpose.EXIT and o.filled)
        bought = replace(trade, orders=entry_orders).charges(on, brokerage)
        sold = replace(trade, orders=exit_orders).charges(on, brokerage)
        signal, option = trade.signal, trade.option
        return BacktestTrade(
            id=closed.id,
            signal_id=closed.signal_id,
            day=on,
            pattern=signal.pattern,
            side=signal.side,
            instrument=option.key,
            name=option.name,
            strike=option.strike,
            option_type=option.type,
            expiry=option.expiry,
            lot=option.lot,
            quantity=closed.quantity,
            signal_at=signal.at,
            opened_at=closed.opened_at,
            closed_at=closed.closed_at,
            signal_price=signal.price,
            index_stop=signal.stop_loss,
            index_target=signal.target,
            entry_price=closed.entry_price,
            exit_price=closed.exit_price,
            entry_middle=self._fills[Side.BUY].middle,
            exit_middle=self._fills[Side.SELL].middle,
            entry_orders=len(entry_orders),
            exit_orders=len(exit_orders),
            brokerage=brokerage,
            reason=ExitReason(closed.reason),
            one_r=trade.one_r,
            r=closed.r,
            gross=closed.gross,
            entry_charges=Fraction(bought.exact),
            exit_charges=Fraction(sold.exact),
            charges=closed.charges,
            net=closed.net,
            best=trade.best,
            worst=trade.worst,
            source=self._source(trade, closed),
            approximate=(bought + sold).approximate,
            index=self._chart(closed, signal),
            path=tuple(self._path),
        )

    def _source(self, trade: Trade, closed: TradeClosed) -> PremiumSource:
        """Return the worst of what the trade's prices rest on, from its first fill to its last."""
        ends = (_minute(closed.opened_at.timestamp()), _minute(closed.closed_at.timestamp()))
        sources = [bar.source for bar in self._path] + [self.prices.source(trade.option, end) for end in ends]
        return max(sources, key=_WORST_LAST.index)

    def _chart(self, closed: TradeClosed, signal: Signal) -> tuple[Bar, ...]:
        first = _minute(signal.at.timestamp()) - MINUTES_BEFORE
        last = _minute(closed.closed_at.timestamp()) + MINUTES_AFTER
        return tuple(bar for bar in self.index if first <= bar.minute <= last)


def _minute(seconds: float) -> int:
    return int(seconds) // 60


def _date(state: EngineState) -> date:
    return state.day.date


def _date_of(closed: TradeClosed) -> date:
    return closed.closed_at.astimezone(IST).date()
