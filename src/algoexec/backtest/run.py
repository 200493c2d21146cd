"""The fold over many days: each one a session of its own, warmed by the days before it."""

import math
from collections import Counter, defaultdict, deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import date
from importlib.metadata import version
from typing import Final

from algoexec.backtest.day import candles_of, polls_of, session_of
from algoexec.backtest.prices import DayPrices
from algoexec.backtest.recorder import DayRecorder
from algoexec.backtest.result import (
    BacktestResult,
    BacktestTrade,
    DataFile,
    DayRow,
    EquityPoint,
    Execution,
    RefusedEntry,
    RunSetup,
)
from algoexec.backtest.session import DaySession
from algoexec.domain.calendar import Calendar, TradingDay, next_poll
from algoexec.domain.instruments import BANK_NIFTY, Contracts
from algoexec.domain.market import MINUTE, Candle
from algoexec.domain.options import PcrReading
from algoexec.domain.recording import RecordedDay
from algoexec.domain.signals import Signal
from algoexec.domain.terms import STRIKE_STEP
from algoexec.engine.candles import HISTORY_DAYS
from algoexec.engine.events import CandleClosed, ChainPolled, Event, Mode, SessionCreated
from algoexec.engine.trading.rules import TradeRules
from algoexec.simulation.recorded import recorded_day
from algoexec.simulation.trading.paper import milliseconds
from algoexec.strategy.parameters import Parameters

_STRIKES_WITHIN: Final = 0.08
"""Strikes are listed this far around the open, as a fraction of it, and as far as the index goes that day."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What is to be run: the strategy, what may be risked, how orders meet the market, on which days.

    `begins` and `ends` bound the days that are traded, both included; None: all there are. Earlier days only warm.
    """

    parameters: Parameters = field(default_factory=Parameters)
    rules: TradeRules = field(default_factory=TradeRules)
    execution: Execution = field(default_factory=Execution)
    begins: date | None = None
    ends: date | None = None

    def trades_on(self, day: date) -> bool:
        """Whether a day is traded; all others only warm."""
        return (self.begins is None or day >= self.begins) and (self.ends is None or day <= self.ends)


def _ignore(_: object) -> None:
    pass


class Backtest:
    """A run under way. Days come in order, one at a time; what was found so far can be had at any time."""

    def __init__(
        self,
        plan: Plan,
        *,
        calendar: Calendar,
        data: Sequence[DataFile] = (),
        hear: Callable[[Signal], None] = _ignore,
    ) -> None:
        """Begin without a day. `calendar` says when options expire, `hear` is told every signal and rejection."""
        self.plan: Final = plan
        self._calendar = calendar
        self._data = tuple(data)
        self._hear = hear
        self._history: deque[list[Candle]] = deque(maxlen=HISTORY_DAYS)
        self._warm_up_days = 0
        self._signals: list[Signal] = []
        self._rejected: dict[str, Counter[str]] = defaultdict(Counter)
        self._refusals: list[RefusedEntry] = []
        self._trades: list[BacktestTrade] = []
        self._equity: list[EquityPoint] = []
        self._days: list[DayRow] = []
        self._net = 0

    def add(self, day: RecordedDay, prices: DayPrices | None = None) -> DayRow | None:
        """Go through one more day; return what came of it, None of one that only warms.

        `prices` are the day's if another run with the same execution has them already (`prices_of`).

        Raises:
            DomainError: the day contradicts itself, or the engine does.
        """
        candles = candles_of(day)
        if not self.plan.trades_on(day.date):
            if not self._days:
                self._warm_up_days += 1
            self._history.append(candles)
            return None
        row = self._trade(day, candles, prices or prices_of(day, self.plan.execution, self._calendar))
        self._history.append(candles)
        return row

    def result(self, partial: str | None = None) -> BacktestResult:
        """Return what was found; `partial` says why there is not more."""
        traded = [row.date for row in self._days]
        return BacktestResult(
            setup=RunSetup(
                begins=traded[0] if traded else None,
                ends=traded[-1] if traded else None,
                parameters=self.plan.parameters,
                rules=self.plan.rules,
                execution=self.plan.execution,
                data=self._data,
                warm_up_days=self._warm_up_days,
                version=version("algoexec"),
            ),
            signals=tuple(self._signals),
            rejected={pattern: dict(reasons) for pattern, reasons in self._rejected.items()},
            refusals=tuple(self._refusals),
            trades=tuple(self._trades),
            equity=tuple(self._equity),
            days=tuple(self._days),
            partial=partial,
        )

    def _trade(self, day: RecordedDay, candles: Sequence[Candle], prices: DayPrices) -> DayRow:
        plan, session_day = self.plan, session_of(day)
        recorder = DayRecorder(prices, day.index, plan.rules.capital, self._net, self._hear)
        session = DaySession(
            SessionCreated(
                session_id=f"backtest{day.date:%Y%m%d}",
                user_id="backtest",
                mode=Mode.PAPER,
                venue="backtest",
                underlying=BANK_NIFTY,
                day=session_day,
                parameters=plan.parameters,
                inherited=None,
                rules=plan.rules,
            ),
            prices,
            recorder,
            latency_ms=plan.execution.latency_ms,
        )
        session.begin([candle for earlier in self._history for candle in earlier])
        for at, event in self._scheduled(day, session_day, candles, prices.contracts):
            session.play(at, event)
            if session.is_holding and isinstance(event, CandleClosed):
                recorder.value(session.state, session.bid)
        session.end()
        recorder.value(session.state, None)
        return self._write_down(day, session_day, candles, session, recorder)

    def _scheduled(
        self, day: RecordedDay, session_day: TradingDay, candles: Iterable[Candle], contracts: Contracts
    ) -> list[tuple[int, Event]]:
        after = self.plan.execution.decided_after_ms
        timed: list[tuple[int, Event]] = [
            (milliseconds(candle.closed_at) + after, CandleClosed(candle=candle)) for candle in candles
        ]
        timed += [
            (milliseconds(reading.at), ChainPolled(reading=reading))
            for reading in readings_of(day, session_day, contracts)
        ]
        return sorted(timed, key=lambda pair: pair[0])

    def _write_down(
        self,
        day: RecordedDay,
        session_day: TradingDay,
        candles: Sequence[Candle],
        session: DaySession,
        recorder: DayRecorder,
    ) -> DayRow:
        trades = recorder.trades
        self._net += recorder.net
        self._signals += recorder.signals
        for (pattern, reason), count in recorder.rejected.items():
            self._rejected[pattern][reason] += count
        self._refusals += recorder.refusals
        self._trades += trades
        self._equity += recorder.equity
        trading = session.state.trading
        row = DayRow(
            date=day.date,
            minutes=len(candles),
            missing=(session_day.continuous_until - session_day.opens_at) // MINUTE - len(candles),
            signals=len(recorder.signals),
            rejections=sum(recorder.rejected.values()),
            refusals=len(recorder.refusals),
            trades=len(trades),
            wins=sum(trade.net > 0 for trade in trades),
            gross=sum(trade.gross for trade in trades),
            charges=sum(trade.charges for trade in trades),
            net=recorder.net,
            equity=self.plan.rules.capital + self._net,
            held_s=sum((trade.closed_at - trade.opened_at).total_seconds() for trade in trades),
            chains=sum(1 for chain in day.chains if chain.rows),
            lock=None if trading is None else trading.tally.lock,
        )
        self._days.append(row)
        return row


def backtest(
    days: Iterable[RecordedDay],
    plan: Plan,
    *,
    calendar: Calendar,
    data: Sequence[DataFile] = (),
    hear: Callable[[Signal], None] = _ignore,
) -> BacktestResult:
    """Return what `plan` would have come to on `days`, which are oldest first."""
    run = Backtest(plan, calendar=calendar, data=data, hear=hear)
    for day in days:
        run.add(day)
    return run.result()


def prices_of(day: RecordedDay, execution: Execution, calendar: Calendar) -> DayPrices:
    """Return what everything costs on a day. It is made as it is asked for, and kept: several runs may share it."""
    simulated = recorded_day(
        day, seed=execution.seed, calendar=calendar, strikes=strikes_of(day), volatility=execution.volatility
    )
    return DayPrices(simulated, execution)


def days_needed(dates: Sequence[date], plan: Plan) -> list[date]:
    """Return those of `dates`, ascending, that a run of `plan` goes through: to warm or to trade."""
    traded = [place for place, on in enumerate(dates) if plan.trades_on(on)]
    return list(dates[max(0, traded[0] - HISTORY_DAYS) : traded[-1] + 1]) if traded else []


def readings_of(day: RecordedDay, session_day: TradingDay, contracts: Contracts) -> Iterator[PcrReading]:
    """Yield what each poll of the day would have read; without a chain, that there is no ratio.

    A session trades only where the chain is read. Where none was recorded it was: its PCR is missing.
    """
    if any(chain.rows for chain in day.chains):
        yield from polls_of(day, session_day)
        return
    at = session_day.opens_at
    while at < session_day.continuous_until:
        yield PcrReading(at=at, underlying=BANK_NIFTY, expiry=contracts.expiry, pcr=None, strikes=0, spot=None)
        at = next_poll(at)


def strikes_of(day: RecordedDay) -> list[float]:
    """Return the strikes that are taken to be listed: none where chain or options say which are."""
    if any(chain.rows for chain in day.chains) or day.options:
        return []
    opened = day.index[0].open
    low = min(opened * (1 - _STRIKES_WITHIN), *(bar.low - 2 * STRIKE_STEP for bar in day.index))
    high = max(opened * (1 + _STRIKES_WITHIN), *(bar.high + 2 * STRIKE_STEP for bar in day.index))
    return [STRIKE_STEP * n for n in range(math.floor(low / STRIKE_STEP), math.ceil(high / STRIKE_STEP) + 1)]
