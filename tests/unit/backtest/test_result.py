"""What a result says of itself: slippage, prices told again, what they rest on."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from algoexec.backtest.result import BacktestResult, Execution, PremiumSource, RefusedEntry, RunSetup
from algoexec.engine.trading.rules import TradeRules
from algoexec.strategy.parameters import Parameters
from tests.strategies import DAY
from tests.unit.backtest.results import trade

SETUP = RunSetup(
    begins=DAY,
    ends=DAY,
    parameters=Parameters(),
    rules=TradeRules(),
    execution=Execution(),
    data=(),
    warm_up_days=0,
    version="test",
)


def result(**parts: object) -> BacktestResult:
    empty: dict[str, object] = {
        "setup": SETUP,
        "signals": (),
        "rejected": {},
        "refusals": (),
        "trades": (),
        "equity": (),
        "days": (),
    }
    return BacktestResult(**{**empty, **parts})  # type: ignore[arg-type]


def test_the_worked_example_of_a_contract_note() -> None:
    """Lot 30, bought at 500, sold at 520, in November 2026: Rs 83.92, 2.80 points a unit."""
    found = trade(entry=500.0, exit=520.0)
    assert (found.gross, found.charges, found.net) == (600_00, 83_92, 516_08)


def test_slippage_is_half_the_spread_at_each_end() -> None:
    found = trade(entry=500.0, exit=520.0, spread=2.0, quantity=30)
    assert found.slippage == 60_00


@pytest.mark.parametrize(("multiple", "gross"), [(1, 600_00), (2, 540_00), (4, 420_00)])
def test_prices_told_again_are_further_from_the_middle(multiple: int, gross: int) -> None:
    assert trade(entry=500.0, exit=520.0, spread=2.0).repriced(multiple).gross == gross


paise = st.integers(100, 100_000).map(lambda price: price / 100)


@given(entry=paise, exit=paise, spread=st.integers(0, 500).map(lambda s: s / 100), lots=st.integers(1, 20))
def test_told_again_once_a_trade_is_as_it_was_and_more_slippage_never_helps(
    entry: float, exit: float, spread: float, lots: int
) -> None:
    found = trade(entry=entry, exit=exit, spread=spread, quantity=30 * lots)
    assert found.repriced(1) == (found.gross, found.charges, found.net)
    nets = [found.repriced(multiple).net for multiple in (1, 2, 4)]
    assert nets == sorted(nets, reverse=True)


def test_a_resting_order_that_was_taken_has_no_slippage_to_multiply() -> None:
    found = trade(entry=500.0, exit=520.0, entry_middle=500.5, exit_middle=519.5)
    assert found.slippage == 0
    assert found.repriced(4).gross == found.gross


def test_an_option_is_not_sold_below_zero() -> None:
    found = trade(entry=500.0, exit=0.5, spread=4.0)
    assert found.repriced(4).gross == round((0 - 506.0) * 30 * 100)


def test_the_share_that_rests_on_modelled_prices_counts_profits_and_losses_alike() -> None:
    won = trade(1, entry=500.0, exit=520.0, source=PremiumSource.REAL)
    lost = trade(2, entry=520.0, exit=500.0)
    found = result(trades=(won, lost))
    assert found.modelled_share == abs(lost.net) / (won.net + abs(lost.net))
    assert found.by_source[PremiumSource.REAL] == (1, won.gross, won.net)
    assert found.by_source[PremiumSource.CHAIN] == (0, 0, 0)
    assert result().modelled_share is None


def test_a_run_told_again_is_the_sum_of_its_trades() -> None:
    those = (trade(1), trade(2, entry=510.0, exit=480.0))
    twice, four_times = result(trades=those).repricings
    assert twice.net == sum(one.repriced(2).net for one in those)
    assert (twice.multiple, four_times.multiple) == (2, 4)


def test_refusals_are_counted_by_reason_the_most_frequent_first() -> None:
    refusals = tuple(
        RefusedEntry(trade().signal_at, f"s{n}", reason, "")
        for n, reason in enumerate(["NO_CASH", "RISK_TOO_SMALL", "RISK_TOO_SMALL"])
    )
    assert list(result(refusals=refusals).refused.items()) == [("RISK_TOO_SMALL", 2), ("NO_CASH", 1)]
