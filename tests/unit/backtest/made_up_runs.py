"""Made-up results of runs: what the report is tested with."""

import random
from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from fractions import Fraction

from algoexec.backtest.result import (
    BacktestResult,
    BacktestTrade,
    DataFile,
    DayRow,
    EquityPoint,
    Execution,
    PremiumBar,
    PremiumSource,
    RefusedEntry,
    RunSetup,
)
from algoexec.domain.instruments import InstrumentKey, OptionType
from algoexec.domain.market import Bar
from algoexec.domain.signals import Pattern, Side
from algoexec.engine.trading.rules import TradeRules
from algoexec.engine.trading.trade import ExitReason
from algoexec.strategy.parameters import Parameters

FIRST = date(2024, 1, 1)
CAPITAL = TradeRules().capital


def trade(
    number: int, net: int, *, day: date = FIRST, minute: int = 20, held: int = 5, r: float | None = None
) -> BacktestTrade:
    """Return a trade that brought `net` paise: entered `minute` after 09:15, flat `held` minutes later."""
    opened = datetime(day.year, day.month, day.day, 3, 45, 10, tzinfo=UTC) + timedelta(minutes=minute)
    closed = opened + timedelta(minutes=held)
    charges, quantity, entry = 60_00, 30, 400.0
    gross = net + charges
    leaves = entry + gross / quantity / 100
    first = int(opened.timestamp()) // 60
    steps = [entry + (leaves - entry) * n / max(held, 1) for n in range(held + 1)]
    return BacktestTrade(
        id=f"t{number}",
        signal_id=f"s{number}",
        day=day,
        pattern=list(Pattern)[number % len(Pattern)],
        side=list(Side)[number % 2],
        instrument=InstrumentKey(f"NSE_FO|{number}"),
        name="BANKNIFTY 48000 CE",
        strike=48_000.0,
        option_type=OptionType.CALL,
        expiry=day + timedelta(days=2),
        lot=15,
        quantity=quantity,
        signal_at=opened - timedelta(seconds=10),
        opened_at=opened,
        closed_at=closed,
        signal_price=48_000.0,
        index_stop=47_950.0,
        index_target=48_100.0,
        entry_price=entry,
        exit_price=leaves,
        entry_middle=entry - 0.5,
        exit_middle=leaves + 0.5,
        entry_orders=1,
        exit_orders=1,
        brokerage=20_00,
        reason=ExitReason.INDEX_TARGET if net > 0 else ExitReason.INDEX_STOP,
        one_r=50.0,
        r=net / (50.0 * quantity * 100) if r is None else r,
        gross=gross,
        entry_charges=Fraction(30_00),
        exit_charges=Fraction(30_00),
        charges=charges,
        net=net,
        best=max(steps),
        worst=min(steps),
        source=PremiumSource.MODELLED if number % 3 else PremiumSource.CHAIN,
        approximate=False,
        index=tuple(
            Bar(first + n, 48_000.0 + n, 48_010.0 + n, 47_990.0 + n, 48_005.0 + n, 0) for n in range(-20, held + 10)
        ),
        path=tuple(
            PremiumBar(first + n, price, price + 2, price - 2, price + 1, PremiumSource.CHAIN)
            for n, price in enumerate(steps)
        ),
    )


def result(days: Sequence[Sequence[int]], *, partial: str | None = None) -> BacktestResult:
    """Return a run with so many trades on each day, of which each brought so many paise."""
    trades: list[BacktestTrade] = []
    rows: list[DayRow] = []
    equity: list[EquityPoint] = []
    realised, at = 0, FIRST
    for nets in days:
        while at.weekday() > 4:
            at += timedelta(days=1)
        todays = [trade(len(trades) + n, net, day=at, minute=5 + 11 * n) for n, net in enumerate(nets)]
        for one in todays:
            realised += one.net
            equity.append(EquityPoint(one.closed_at, CAPITAL + realised, realised, 0))
        trades += todays
        closes = datetime(at.year, at.month, at.day, 10, 0, tzinfo=UTC)
        equity.append(EquityPoint(closes, CAPITAL + realised, realised, 0))
        rows.append(
            DayRow(
                date=at,
                minutes=375,
                missing=0,
                signals=len(nets),
                rejections=3,
                refusals=1,
                trades=len(nets),
                wins=sum(net > 0 for net in nets),
                gross=sum(one.gross for one in todays),
                charges=sum(one.charges for one in todays),
                net=sum(nets),
                equity=CAPITAL + realised,
                held_s=sum((one.closed_at - one.opened_at).total_seconds() for one in todays),
                chains=0,
                lock=None,
            )
        )
        at += timedelta(days=1)
    refusals = [RefusedEntry(datetime(2024, 1, 1, 4, tzinfo=UTC), "s0", "SPREAD_TOO_WIDE", "bid 1, ask 9")]
    return BacktestResult(
        setup=RunSetup(
            begins=rows[0].date if rows else None,
            ends=rows[-1].date if rows else None,
            parameters=Parameters(),
            rules=TradeRules(),
            execution=Execution(),
            data=(DataFile("index", "index_1m.csv", 375 * len(rows), ("stamps were taken as IST",)),),
            warm_up_days=1,
            version="2",
        ),
        signals=(),
        rejected={"MOMENTUM": {"TRADE_LOCK": 12, "PCR": 3}},
        refusals=tuple(refusals if rows else ()),
        trades=tuple(trades),
        equity=tuple(equity),
        days=tuple(rows),
        partial=partial,
    )


def two_years(seed: int = 7) -> BacktestResult:
    """Return a run that looks like one."""
    chance = random.Random(seed)
    nets = [[round(chance.gauss(150_00, 1_400_00)) for _ in range(chance.randint(0, 4))] for _ in range(500)]
    return result(nets)
