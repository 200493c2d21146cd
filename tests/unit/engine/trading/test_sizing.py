"""How much is bought, and at which limit."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from algoexec.domain.instruments import Option
from algoexec.engine.trading.risk import Refusal
from algoexec.engine.trading.rules import TradeRules
from algoexec.engine.trading.sizing import dearest, entry_limit, exit_limit, parts, to_tick_down, to_tick_up
from tests.strategies import contracts
from tests.unit.engine.trading.driver import begin, refused, wanting

OPTION: Option = contracts().options[0]
RULES = TradeRules()


@pytest.mark.parametrize(
    ("bid", "delta", "funds", "lots"),
    [
        # 1 % of ₹300,000 is ₹3,000; 1R is 20 % of a limit of bid + 0.20, and a lot is 30 units.
        (99.8, None, 300_000_00, 5),  # exactly ₹20 × 30 × 5
        (99.85, None, 300_000_00, 4),  # a tick more is one lot less, never rounded up
        (499.8, None, 300_000_00, 1),
        # The index stop is 100.08 points away: a delta of 0.1 makes 1R ₹10.008.
        (99.8, 0.1, 300_000_00, 9),
        (99.8, -0.1, 300_000_00, 9),  # a put has a negative one
        (99.8, 0.5, 300_000_00, 5),  # ₹50 is more than ₹20
        (99.8, 0.0, 300_000_00, 5),  # no delta is none
        # Cash: a lot costs ₹3,000.
        (99.8, None, 14_999_99, 4),
        (99.8, None, 15_000_00, 5),
        (99.8, None, 3_000_00, 1),
        (99.8, 0.001, 900_000_00, 100),  # capital bounds it, whatever the account has
    ],
)
def test_a_size_stays_within_risk_and_cash(bid: float, delta: float | None, funds: int, lots: int) -> None:
    session = wanting(funds=funds)
    session.mark(bid, delta=delta)
    assert session.order.ticket.price == pytest.approx(bid + 0.2)
    assert sum(order.ticket.quantity for order in session.trade.orders) == lots * 30


@pytest.mark.parametrize(
    ("bid", "funds", "why"),
    [
        (499.85, 300_000_00, Refusal.RISK_TOO_SMALL),
        (499.8, 14_999_99, Refusal.NO_CASH),
        (499.85, 0, Refusal.RISK_TOO_SMALL),  # the first that refuses
        (99.8, 2_999_99, Refusal.NO_CASH),
        (99.8, 0, Refusal.NO_CASH),
        (99.8, -1, Refusal.NO_CASH),
    ],
)
def test_no_lot_is_a_refusal(bid: float, funds: int, why: Refusal) -> None:
    session = wanting(funds=funds)
    session.mark(bid)
    assert refused(session) is why
    assert not session.submitted


def test_a_capital_that_pays_for_no_lot_is_lack_of_cash() -> None:
    session = wanting(TradeRules(capital=2_999_00, risk_pct=50.0))
    session.mark(99.8)
    assert refused(session) is Refusal.NO_CASH


def test_an_order_above_the_freeze_quantity_is_split() -> None:
    session = wanting(freeze_quantity=70)
    session.mark(99.8)
    assert [effect.ticket.quantity for effect in session.submitted] == [60, 60, 30]
    assert len({effect.ticket.id for effect in session.submitted}) == 3


@given(st.integers(1, 200), st.integers(1, 40), st.integers(1, 3_000))
def test_parts_are_whole_lots_that_add_up_below_the_freeze(lots: int, lot: int, freeze: int) -> None:
    split = parts(lots * lot, freeze, lot)
    assert sum(split) == lots * lot
    assert all(part % lot == 0 and 0 < part <= max(freeze, lot) for part in split)
    assert parts(0, freeze, lot) == []


@pytest.mark.parametrize(
    ("ask", "limit"),
    [(100.0, 100.1), (100.03, 100.15), (1.0, 1.05), (0.5, 0.5), (2.0, 2.1), (0.05, 0.05), (1_234.55, 1_234.65)],
)
def test_an_entry_is_two_ticks_above_the_ask_inside_the_band(ask: float, limit: float) -> None:
    assert entry_limit(ask, OPTION, RULES) == limit


@pytest.mark.parametrize(
    ("bid", "below", "limit"),
    [
        (100.0, 0.0, 99.9),
        (100.0, 1.0, 99.0),
        (100.0, 3.0, 97.0),
        (100.0, 5.0, 95.0),
        (100.03, 5.0, 95.05),  # 95.0285 is the edge: not beyond it
        (1.0, 0.0, 0.95),
        (0.05, 0.0, 0.05),
        (0.05, 5.0, 0.05),
    ],
)
def test_an_exit_is_below_the_bid_inside_the_band(bid: float, below: float, limit: float) -> None:
    assert exit_limit(bid, OPTION, RULES, below) == limit


def test_the_upper_edge_of_the_band_is_met_exactly() -> None:
    assert dearest(100.0, OPTION, RULES) == 105.0


@given(st.integers(1, 200_000))
def test_a_price_on_the_grid_stays_where_it_is(ticks: int) -> None:
    price = round(ticks * 0.05, 2)
    assert to_tick_up(price, 0.05) == to_tick_down(price, 0.05) == price


@given(st.floats(0.05, 5_000.0), st.sampled_from([0.05, 0.1, 0.25, 1.0]))
def test_ticks_bound_a_price(price: float, tick: float) -> None:
    below, above = to_tick_down(price, tick), to_tick_up(price, tick)
    assert below <= max(price, tick) + 1e-6
    assert price - 1e-6 <= above
    assert above - min(below, price) < 2 * tick


def test_a_dear_lot_is_never_rounded_up() -> None:
    session = begin(replace(RULES, risk_pct=0.19))
    session.close()
    session.mark(99.8)  # ₹570 allowed, ₹600 needed
    assert refused(session) is Refusal.RISK_TOO_SMALL
