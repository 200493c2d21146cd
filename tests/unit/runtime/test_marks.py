"""The day's result as it is told while something is held."""

import pytest

from algoexec.runtime.marks import day_result
from tests.unit.engine.trading.driver import book, entering, holding, ready


def test_the_open_result_is_told_in_units_of_the_risk_after_charges() -> None:
    session = holding(price=100.0)
    trade = session.trade
    told = day_result(session.state, book(110.0, session.state.at))

    assert told is not None
    assert told["r"] == pytest.approx((told["unrealised"] - told["charges"]) / (trade.one_r * trade.bought.quantity))
    assert told["charges"] > 0
    assert told["r"] < 10.0 / trade.one_r


def test_nothing_bought_is_no_result_in_units_of_risk() -> None:
    for session in (ready(), entering()):
        told = day_result(session.state, book(110.0, session.state.at))
        assert told is not None
        assert told["r"] is None
