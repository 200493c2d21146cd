"""The put-call ratio and the strikes around the money."""

from datetime import date, time
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from algoexec.domain.calendar import ist
from algoexec.domain.instruments import BANK_NIFTY, InstrumentKey, OptionType, nearest_strike
from algoexec.domain.options import OptionChain, OptionQuote, put_call_ratio, read_pcr, strikes_counted
from algoexec.domain.signals import Side
from tests.strategies import DAY, contracts


def quote(kind: OptionType, oi: int | None, strike: float = 50_000.0) -> OptionQuote:
    return OptionQuote(instrument=InstrumentKey("x"), type=kind, strike=strike, open_interest=oi)


QUOTES = st.lists(
    st.builds(
        quote, st.sampled_from(OptionType), st.none() | st.integers(0, 10**7), st.sampled_from([49_900.0, 50_000.0])
    ),
    max_size=12,
)


@given(QUOTES)
def test_the_ratio_is_all_puts_over_all_calls(quotes: list[OptionQuote]) -> None:
    puts = sum(q.open_interest or 0 for q in quotes if q.type is OptionType.PUT)
    calls = sum(q.open_interest or 0 for q in quotes if q.type is OptionType.CALL)
    assert put_call_ratio(quotes) == (float(Fraction(puts, calls)) if calls else None)


@pytest.mark.parametrize("calls", [None, 0])
def test_without_call_interest_there_is_no_ratio(calls: int | None) -> None:
    assert put_call_ratio([quote(OptionType.CALL, calls), quote(OptionType.PUT, 5)]) is None
    assert put_call_ratio([]) is None


def test_without_put_interest_the_ratio_is_zero() -> None:
    assert put_call_ratio([quote(OptionType.CALL, 5), quote(OptionType.PUT, None)]) == 0.0


@given(QUOTES)
def test_a_strike_is_counted_once_and_only_with_interest(quotes: list[OptionQuote]) -> None:
    assert strikes_counted(quotes) == len({q.strike for q in quotes if (q.open_interest or 0) > 0})


def test_a_reading_carries_what_is_needed_to_judge_it() -> None:
    at = ist(DAY, time(10))
    chain = OptionChain(
        underlying=BANK_NIFTY,
        expiry=date(2026, 7, 28),
        at=at,
        spot=50_010.0,
        quotes=(quote(OptionType.CALL, 10), quote(OptionType.PUT, 13)),
    )
    read = read_pcr(chain)
    assert (read.at, read.pcr, read.strikes, read.spot) == (at, 1.3, 1, 50_010.0)


@pytest.mark.parametrize(
    ("spot", "strike"), [(50_049.0, 50_000), (50_050.0, 50_000), (50_051.0, 50_100), (1.0, 49_900)]
)
def test_the_money_is_at_the_nearest_strike_the_lower_one_on_a_tie(spot: float, strike: float) -> None:
    assert nearest_strike([50_100, 49_900, 50_000], spot) == strike


def test_of_no_strike_none_is_nearest() -> None:
    with pytest.raises(ValueError, match="empty"):
        nearest_strike([], 1.0)


@pytest.mark.parametrize(
    ("spot", "strikes"),
    [(50_000.0, [49_900, 50_000, 50_100]), (49_000.0, [49_900, 50_000]), (60_000.0, [50_100, 50_200])],
)
def test_three_strikes_are_around_the_money_and_two_at_the_rim(spot: float, strikes: list[float]) -> None:
    around = contracts(count=4).around_the_money(spot)
    assert [(option.strike, option.type) for option in around] == [(s, kind) for s in strikes for kind in OptionType]


def test_without_options_nothing_is_around_the_money() -> None:
    assert contracts(count=0).around_the_money(50_000.0) == ()
    assert contracts(count=0).option(50_000.0, OptionType.CALL) is None


def test_each_side_buys_its_own_type() -> None:
    assert Side.BUY_CALL.option_type is OptionType.CALL
    assert Side.BUY_PUT.option_type is OptionType.PUT
