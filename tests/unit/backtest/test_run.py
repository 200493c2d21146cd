"""Days that are traded: what is known by hand, what must hold on any day."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, time, timedelta
from fractions import Fraction

import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from algoexec.backtest.bounds import Bounds
from algoexec.backtest.result import BacktestResult, Execution, PremiumSource
from algoexec.backtest.run import Backtest, Plan, backtest, days_needed
from algoexec.domain.calendar import calendar_of, ist
from algoexec.domain.charges import Derivative, charges_of_order
from algoexec.domain.orders import Side
from algoexec.domain.recording import RecordedDay
from algoexec.domain.signals import PcrQuality, Signal
from algoexec.engine.trading.rules import TradeRules
from algoexec.engine.trading.trade import ExitReason
from algoexec.strategy.parameters import Parameters
from tests.strategies import DAY
from tests.unit.backtest.days import UP_AT, generated_days, quiet_day, with_chains

PLAN = Plan(rules=TradeRules(risk_pct=2.0))
ONE_LOT = Plan(rules=TradeRules(risk_pct=0.3))


def run(days: Sequence[RecordedDay], plan: Plan = PLAN, **more: object) -> BacktestResult:
    return backtest(days, plan, calendar=calendar_of([day.date for day in days]), **more)  # type: ignore[arg-type]


def minutes(count: float) -> timedelta:
    return timedelta(minutes=count)


# --- a day on which everything is known ---------------------------------------------------------------------------


def test_a_trade_that_is_reckoned_by_hand() -> None:
    """Bought at the ask of 100.10, sold 20 minutes later at the bid of 99.90: half a spread of two ticks each.

    Risk is 20 % of the limit, 20.04 a unit, or less by delta; 0.3 % of Rs 300,000 are Rs 900.
    """
    (trade,) = run([quiet_day()], ONE_LOT).trades
    begun = ist(DAY, time(10, 1))

    assert (trade.name, trade.lot, trade.quantity) == ("BANKNIFTY 50000 CE 28 JUL 26", 30, 30)
    assert (trade.signal_at, trade.opened_at) == (begun, begun + timedelta(seconds=1, milliseconds=40))
    assert trade.closed_at == trade.opened_at + minutes(20) + timedelta(milliseconds=40)
    assert (trade.entry_price, trade.exit_price) == (100.1, 99.9)
    assert (trade.entry_middle, trade.exit_middle) == (100.0, 100.0)
    assert (trade.reason, trade.source) == (ExitReason.TIME, PremiumSource.REAL)
    bought = charges_of_order(on=DAY, kind=Derivative.OPTION, side=Side.BUY, turnover=3_003_00, brokerage=2_000)
    sold = charges_of_order(on=DAY, kind=Derivative.OPTION, side=Side.SELL, turnover=2_997_00, brokerage=2_000)
    assert (trade.gross, trade.charges) == (-6_00, (bought + sold).total)
    assert trade.net == trade.gross - trade.charges
    assert (trade.best, trade.worst) == (99.9, 99.9)


def test_what_stands_in_the_result_of_that_day() -> None:
    found = run([quiet_day()], ONE_LOT)
    (day,) = found.days
    (trade,) = found.trades

    assert (day.trades, day.wins, day.net, day.missing, day.chains) == (1, 0, trade.net, 0, 0)
    assert day.equity == found.equity[-1].equity == 300_000_00 + trade.net
    assert found.modelled_share == 0.0
    assert found.setup.begins == found.setup.ends == DAY
    assert [signal.pcr_quality for signal in found.signals] == [PcrQuality.MISSING] * len(found.signals)
    held = [point for point in found.equity if point.unrealised]
    assert len(held) == 20, "at each minute's end"
    assert {point.unrealised for point in held} == {round(-0.2 * 30 * 100) - _paid(trade.entry_charges)}


def _paid(charges: Fraction) -> int:
    return round(charges)


def test_a_premium_that_leaps_to_the_target_is_sold_there_and_not_before() -> None:
    (trade,) = run([quiet_day({UP_AT + 5: 150.0})], ONE_LOT).trades

    assert trade.reason is ExitReason.PREMIUM_TARGET
    assert trade.exit_price == pytest.approx(149.9, abs=0.11)
    leapt_at = ist(DAY, time(10, 5))
    assert leapt_at <= trade.closed_at < leapt_at + timedelta(seconds=30)
    assert [bar.source for bar in trade.path] == [PremiumSource.REAL] * len(trade.path)


def test_a_premium_that_falls_is_sold_at_the_stop() -> None:
    (trade,) = run([quiet_day({UP_AT + 5: 75.0})], ONE_LOT).trades

    assert trade.reason is ExitReason.PREMIUM_STOP
    assert trade.r < -0.5


def test_the_latency_is_the_settings() -> None:
    plan = replace(ONE_LOT, execution=Execution(latency_ms=700, decided_after_ms=0))
    (trade,) = run([quiet_day()], plan).trades

    assert trade.opened_at == trade.signal_at + timedelta(milliseconds=700)


def test_a_wider_spread_costs_more_and_a_very_wide_one_is_not_traded() -> None:
    (narrow,) = run([quiet_day()], ONE_LOT).trades
    (wide,) = run([quiet_day()], replace(ONE_LOT, execution=Execution(spread_pct=0.8))).trades
    too_wide = run([quiet_day()], replace(ONE_LOT, execution=Execution(spread_pct=5)))

    assert wide.slippage == 4 * narrow.slippage
    assert too_wide.trades == ()
    assert set(too_wide.refused) == {"SPREAD_TOO_WIDE"}


def test_what_is_held_when_the_data_ends_is_sold_at_the_last_price() -> None:
    day = quiet_day()
    until = day.index[UP_AT].minute + 8
    (series,) = day.options
    cut = replace(
        day,
        index=tuple(bar for bar in day.index if bar.minute < until),
        options=(replace(series, bars=tuple(bar for bar in series.bars if bar.minute < until)),),
    )
    (trade,) = run([cut], Plan(rules=TradeRules(risk_pct=3.0), execution=Execution(depth=1))).trades

    assert trade.quantity > 300, "more than a row of the book holds"
    assert trade.reason is ExitReason.TIME
    assert trade.exit_price == pytest.approx(99.9, abs=4)


# --- many days ----------------------------------------------------------------------------------------------------


def test_days_before_the_first_only_warm() -> None:
    days = generated_days()
    plan = replace(PLAN, begins=days[-1].date)
    found = run(days, plan)

    assert [row.date for row in found.days] == [days[-1].date]
    assert found.setup.warm_up_days == 3
    assert found.signals[0].volume_confirmed is not None
    assert run(days[-1:], plan).signals[0].volume_confirmed is None


def test_each_day_begins_anew() -> None:
    rules = TradeRules(risk_pct=2.0, max_trades_per_day=1)
    found = run(generated_days(), Plan(rules=rules))

    assert [row.trades for row in found.days] == [1, 1, 1, 1]
    assert found.refused["MAX_TRADES"] > 10


def test_days_that_are_needed_are_those_traded_and_five_before() -> None:
    dates = [DAY + timedelta(days=n) for n in range(20)]
    assert days_needed(dates, Plan(begins=dates[10], ends=dates[12])) == dates[5:13]
    assert days_needed(dates, Plan(ends=dates[1])) == dates[:2]
    assert days_needed(dates, Plan(begins=dates[-1] + timedelta(days=1))) == []


def test_a_run_can_be_asked_at_any_time() -> None:
    days = generated_days()
    under_way = Backtest(PLAN, calendar=calendar_of([day.date for day in days]))
    under_way.add(days[0])
    found = under_way.result("interrupted")

    assert found.partial == "interrupted"
    assert found.trades == run(days[:1]).trades


def test_signals_and_rejections_are_those_of_a_session_that_only_tells() -> None:
    """Trading changes nothing of what is seen."""
    heard: list[Signal] = []
    traded = run(generated_days(), hear=heard.append)
    silent: list[Signal] = []
    run(generated_days(), Plan(rules=TradeRules(max_trades_per_day=1, risk_pct=0.001)), hear=silent.append)

    def seen(signals: Sequence[Signal]) -> list[object]:
        return [(s.at, s.side, s.pattern, s.price, s.pcr, s.reason) for s in signals]

    assert seen(heard) == seen(silent)
    assert traded.signals == tuple(signal for signal in heard if not signal.is_rejection)
    counted = {pattern: sum(s.pattern == pattern and s.is_rejection for s in heard) for pattern in traded.rejected}
    assert {pattern: sum(reasons.values()) for pattern, reasons in traded.rejected.items()} == counted


# --- laws ---------------------------------------------------------------------------------------------------------


A_FEW = settings(max_examples=6, phases=[Phase.explicit, Phase.reuse, Phase.generate])
"""A day takes a moment, and a plan of a dozen numbers needs no shrinking to be read."""

rules = st.builds(
    TradeRules,
    risk_pct=st.sampled_from([0.5, 2.0, 5.0]),
    trailing=st.booleans(),
    exit_on_opposite=st.booleans(),
    premium_stop_pct=st.sampled_from([2.0, 20.0]),
    premium_target_pct=st.sampled_from([3.0, 40.0]),
    max_minutes_in_trade=st.sampled_from([3, 20]),
    give_back_pct=st.sampled_from([None, 50.0]),
    max_daily_profit=st.sampled_from([None, 2_000_00]),
    max_daily_loss=st.sampled_from([3_000_00, 9_000_00]),
)
executions = st.builds(
    Execution,
    latency_ms=st.sampled_from([0, 40, 2_500]),
    decided_after_ms=st.sampled_from([0, 1_000]),
    depth=st.sampled_from([1, 5]),
    seed=st.integers(1, 5),
)
plans = st.builds(
    Plan,
    parameters=st.just(Parameters(last_entry_minute=660)),
    rules=rules,
    execution=executions,
)
some_days = st.sampled_from([1, 2, 3, 4, "with chains"])


def day_of(name: int | str) -> RecordedDay:
    return generated_days(name)[-1] if isinstance(name, int) else with_chains(7)


@A_FEW
@given(name=some_days, plan=plans)
def test_money_is_neither_made_nor_lost_on_the_way(name: int | str, plan: Plan) -> None:
    day = day_of(name)
    found = run([day], plan)
    (row,) = found.days

    assert sum(trade.net for trade in found.trades) == row.net == found.equity[-1].equity - plan.rules.capital
    for trade in found.trades:
        assert trade.gross == round((trade.exit_price - trade.entry_price) * trade.quantity * 100)
        assert trade.repriced(1) == (trade.gross, trade.charges, trade.net), "charges, reckoned again"
        assert trade.quantity % trade.lot == 0
        assert trade.entry_middle < trade.entry_price
        assert trade.signal_at <= trade.opened_at <= trade.closed_at
        assert trade.best is None or trade.worst is None or trade.worst <= trade.best
    closes = [trade.closed_at for trade in found.trades]
    opens = [trade.opened_at for trade in found.trades]
    assert all(closed <= opened for closed, opened in zip(closes, opens[1:], strict=False)), "one at a time"
    assert [point.at for point in found.equity] == sorted(point.at for point in found.equity)


@A_FEW
@given(name=some_days, plan=plans)
def test_prices_that_are_passed_over_would_have_changed_nothing(name: int | str, plan: Plan) -> None:
    day = day_of(name)
    quick = run([day], plan)
    cover, Bounds.cover = Bounds.cover, lambda *_: False  # type: ignore[method-assign]
    try:
        plain = run([day], plan)
    finally:
        Bounds.cover = cover  # type: ignore[method-assign]

    assert quick.trades == plain.trades
    assert quick.days == plain.days
    # Said apart: a difference of two whole results cannot be read.
    assert quick.refusals == plain.refusals
    is_equal = quick == plain
    assert is_equal


@A_FEW
@given(seed=st.integers(1, 6), plan=plans, cut=st.integers(30, 374))
def test_what_has_happened_does_not_depend_on_what_comes(seed: int, plan: Plan, cut: int) -> None:
    day = generated_days(seed)[-1]
    until = day.index[cut].minute
    prefix = replace(
        day,
        index=tuple(bar for bar in day.index if bar.minute < until),
        future=tuple(bar for bar in day.future if bar.minute < until),
    )
    whole, part = run([day], plan), run([prefix], plan)
    known_until = datetime.fromtimestamp(until * 60, UTC)

    def ended(result: BacktestResult) -> list[tuple[object, ...]]:
        return [
            (t.id, t.opened_at, t.closed_at, t.entry_price, t.exit_price, t.net, t.best, t.worst)
            for t in result.trades
            if t.closed_at < known_until
        ]

    assert ended(part) == ended(whole)
    assert part.signals == tuple(signal for signal in whole.signals if signal.at <= known_until)


@pytest.mark.parametrize("seed", [1, 2])
def test_the_same_run_gives_the_same_result_and_another_seed_another_path(seed: int) -> None:
    days = generated_days(seed)[-1:]
    assert run(days) == run(days)
    assert run(days).trades != run(days, replace(PLAN, execution=Execution(seed=2))).trades


# --- real days ----------------------------------------------------------------------------------------------------


def test_premiums_of_a_day_with_chains_rest_on_them() -> None:
    found = run([with_chains(7)])

    assert {trade.source for trade in found.trades} == {PremiumSource.CHAIN}
    assert found.signals[0].pcr is not None
    assert found.days[0].chains == 13
    assert run([generated_days(7)[-1]]).by_source[PremiumSource.CHAIN].trades == 0
