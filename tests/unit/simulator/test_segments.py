"""The phase of each segment over the day."""

from datetime import date, time

import pytest

from algoexec.domain.calendar import ist, regular_session
from algoexec.simulator.segments import Phase, phases

NOW = date(2026, 10, 14)
BEFORE_AUCTIONS = date(2019, 5, 21)


@pytest.mark.parametrize(
    ("clock", "cash", "derivatives"),
    [
        (time(8, 59), Phase.NORMAL_CLOSE, Phase.NORMAL_CLOSE),
        (time(9, 0), Phase.PRE_OPEN_START, Phase.PRE_OPEN_START),
        (time(9, 14, 59), Phase.PRE_OPEN_END, Phase.PRE_OPEN_END),
        (time(9, 15), Phase.NORMAL_OPEN, Phase.NORMAL_OPEN),
        (time(15, 15), Phase.CLOSING_START, Phase.NORMAL_OPEN),
        (time(15, 35), Phase.CLOSING_END, Phase.NORMAL_OPEN),
        (time(15, 40), Phase.CLOSING_END, Phase.NORMAL_CLOSE),
        (time(16, 0), Phase.NORMAL_CLOSE, Phase.NORMAL_CLOSE),
    ],
)
def test_derivatives_trade_on_after_the_cash_market(clock: time, cash: Phase, derivatives: Phase) -> None:
    found = phases(regular_session(NOW), ist(NOW, clock))

    assert (found["NSE_INDEX"], found["NSE_FO"]) == (cash, derivatives)


def test_a_day_without_closing_auction_ends_for_all_at_once() -> None:
    found = phases(regular_session(BEFORE_AUCTIONS), ist(BEFORE_AUCTIONS, time(15, 30)))

    assert (found["NSE_INDEX"], found["NSE_FO"]) == (Phase.NORMAL_CLOSE, Phase.NORMAL_CLOSE)


def test_commodities_trade_into_the_night() -> None:
    assert phases(regular_session(NOW), ist(NOW, time(21)))["MCX_FO"] is Phase.NORMAL_OPEN
