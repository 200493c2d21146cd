"""What trading costs: the worked example, the dates of the rates, and the laws that hold at all of them."""

from dataclasses import fields
from datetime import date, timedelta
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from algoexec.domain.charges import (
    AUTO_SQUARE_OFF_FEE,
    BROKERAGE,
    Charges,
    Derivative,
    breakeven_points,
    charges_of_exercise,
    charges_of_order,
    charges_of_square_off,
)
from algoexec.domain.orders import Side

NOVEMBER = date(2026, 11, 20)
CRORE = 10**9
"""Paise of ₹1 crore: what is levied on it in rupees is 100 times the paise."""
GST = Fraction(18, 100)

OPTION, FUTURE = Derivative.OPTION, Derivative.FUTURE
ITEMS = tuple(f.name for f in fields(Charges) if f.name != "approximate")

DAYS = st.dates(date(2013, 1, 1), date(2030, 12, 31))
KINDS = st.sampled_from(Derivative)
SIDES = st.sampled_from(Side)
MONEY = st.integers(0, 10**12)
TURNOVERS = st.integers(1, 10**12)


def items(charges: Charges) -> dict[str, Fraction]:
    return {name: getattr(charges, name) for name in ITEMS}


def half_up(exact: Fraction) -> int:
    return (2 * exact.numerator + exact.denominator) // (2 * exact.denominator)


def round_trip() -> Charges:
    """Thirty units of an option, bought at ₹500 and sold at ₹520."""
    bought = charges_of_order(on=NOVEMBER, kind=OPTION, side=Side.BUY, turnover=30 * 500_00)
    sold = charges_of_order(on=NOVEMBER, kind=OPTION, side=Side.SELL, turnover=30 * 520_00)
    return bought + sold


def test_the_worked_example_costs_83_rupees_92() -> None:
    charges = round_trip()
    assert items(charges) == {
        "brokerage": Fraction("4000"),
        "stt": Fraction("2340"),
        "stamp": Fraction("45"),
        "gst": Fraction("916.25004"),
        "transaction": Fraction("1086.912"),
        "ipft": Fraction("0.306"),
        "sebi": Fraction("3.06"),
    }
    assert charges.total == 83_92
    assert not charges.approximate


def test_rounding_each_item_would_lose_a_paisa() -> None:
    assert sum(half_up(item) for item in items(round_trip()).values()) == 83_91


@pytest.mark.parametrize(
    ("kind", "side", "item", "since", "before", "after"),
    [
        (OPTION, Side.SELL, "stt", date(2023, 4, 1), "0.05", "0.0625"),
        (OPTION, Side.SELL, "stt", date(2024, 10, 1), "0.0625", "0.1"),
        (OPTION, Side.SELL, "stt", date(2026, 4, 1), "0.1", "0.15"),
        (FUTURE, Side.SELL, "stt", date(2023, 4, 1), "0.01", "0.0125"),
        (FUTURE, Side.SELL, "stt", date(2024, 10, 1), "0.0125", "0.02"),
        (FUTURE, Side.SELL, "stt", date(2026, 4, 1), "0.02", "0.05"),
        (OPTION, Side.BUY, "transaction", date(2023, 4, 1), "0.053", "0.05"),
        (OPTION, Side.BUY, "transaction", date(2024, 4, 1), "0.05", "0.0495"),
        (OPTION, Side.BUY, "transaction", date(2024, 10, 1), "0.0495", "0.03503"),
        (OPTION, Side.SELL, "transaction", date(2026, 3, 1), "0.03503", "0.03552"),
        (FUTURE, Side.BUY, "transaction", date(2024, 10, 1), "0.00173", "0.00173"),
        (FUTURE, Side.SELL, "transaction", date(2026, 3, 1), "0.00173", "0.0018299"),
        (OPTION, Side.BUY, "ipft", date(2023, 4, 1), "0.0005", "0.0005"),
        (OPTION, Side.SELL, "ipft", date(2026, 3, 1), "0.0005", "0.00001"),
        (FUTURE, Side.BUY, "ipft", date(2026, 3, 1), "0.0000001", "0.0000001"),
        (OPTION, Side.BUY, "stamp", date(2020, 7, 1), "0.003", "0.003"),
        (FUTURE, Side.BUY, "stamp", date(2020, 7, 1), "0.002", "0.002"),
    ],
)
def test_a_rate_holds_from_its_first_day(
    kind: Derivative, side: Side, item: str, since: date, before: str, after: str
) -> None:
    def percent(on: date) -> Fraction:
        charges = charges_of_order(on=on, kind=kind, side=side, turnover=CRORE)
        return items(charges)[item] * 100 / CRORE

    assert percent(since - timedelta(days=1)) == Fraction(before)
    assert percent(since) == Fraction(after)


def test_exercise_is_taxed_on_its_intrinsic_value_and_on_nothing_else() -> None:
    assert charges_of_exercise(on=date(2026, 3, 31), value=CRORE) == Charges(stt=Fraction(1_250_000))
    assert charges_of_exercise(on=date(2026, 4, 1), value=CRORE) == Charges(stt=Fraction(1_500_000))


@pytest.mark.parametrize(("kind", "since"), [(OPTION, date(2023, 4, 1)), (FUTURE, date(2026, 3, 1))])
@pytest.mark.parametrize("side", Side)
def test_an_order_is_approximate_before_all_its_tables_have_begun(kind: Derivative, since: date, side: Side) -> None:
    day_before = since - timedelta(days=1)
    assert charges_of_order(on=day_before, kind=kind, side=side, turnover=CRORE).approximate
    assert not charges_of_order(on=since, kind=kind, side=side, turnover=CRORE).approximate


def test_an_exercise_is_approximate_while_the_tax_was_on_the_settlement_price() -> None:
    assert charges_of_exercise(on=date(2019, 8, 31), value=CRORE) == Charges(stt=Fraction(1_250_000), approximate=True)
    assert not charges_of_exercise(on=date(2019, 9, 1), value=CRORE).approximate


def test_the_broker_takes_fifty_rupees_and_gst_to_square_off() -> None:
    fee = charges_of_square_off(on=NOVEMBER)
    assert fee == Charges(brokerage=Fraction(AUTO_SQUARE_OFF_FEE), gst=Fraction(9_00))
    assert fee.total == 59_00
    assert not charges_of_square_off(on=date(2017, 7, 1)).approximate
    assert charges_of_square_off(on=date(2017, 6, 30)).approximate


@given(DAYS, KINDS, SIDES)
def test_what_did_not_happen_costs_nothing(on: date, kind: Derivative, side: Side) -> None:
    assert charges_of_order(on=on, kind=kind, side=side, turnover=0) == Charges()
    assert charges_of_exercise(on=on, value=0) == Charges()
    assert Charges().total == 0


@pytest.mark.parametrize(("turnover", "brokerage"), [(-1, BROKERAGE), (0, -1), (CRORE, -1)])
def test_an_order_of_negative_money_is_refused(turnover: int, brokerage: int) -> None:
    with pytest.raises(ValueError, match="negative"):
        charges_of_order(on=NOVEMBER, kind=OPTION, side=Side.BUY, turnover=turnover, brokerage=brokerage)


def test_an_exercise_of_negative_value_is_refused() -> None:
    with pytest.raises(ValueError, match="negative"):
        charges_of_exercise(on=NOVEMBER, value=-1)


@pytest.mark.parametrize(("exact", "total"), [("0.49", 0), ("0.5", 1), ("1.5", 2), ("2.5", 3), ("2.51", 3)])
def test_a_half_paisa_is_rounded_up(exact: str, total: int) -> None:
    assert Charges(brokerage=Fraction(exact)).total == total


@given(DAYS, KINDS, SIDES, TURNOVERS, MONEY)
def test_no_item_is_negative_and_the_total_is_their_nearest_paisa(
    on: date, kind: Derivative, side: Side, turnover: int, brokerage: int
) -> None:
    charges = charges_of_order(on=on, kind=kind, side=side, turnover=turnover, brokerage=brokerage)
    assert min(items(charges).values()) >= 0
    assert type(charges.total) is int
    assert charges.total == half_up(sum(items(charges).values(), Fraction(0)))


@given(DAYS, KINDS, TURNOVERS)
def test_stt_is_paid_by_the_seller_and_stamp_duty_by_the_buyer(on: date, kind: Derivative, turnover: int) -> None:
    bought = charges_of_order(on=on, kind=kind, side=Side.BUY, turnover=turnover)
    sold = charges_of_order(on=on, kind=kind, side=Side.SELL, turnover=turnover)
    assert bought.stt == sold.stamp == 0
    assert sold.stt > bought.stamp > 0
    assert sold.total >= bought.total
    differing = {name for name in ITEMS if items(bought)[name] != items(sold)[name]}
    assert differing == {"stt", "stamp"}


@given(DAYS, KINDS, SIDES, TURNOVERS, MONEY)
def test_gst_is_on_services_and_not_on_taxes(
    on: date, kind: Derivative, side: Side, turnover: int, brokerage: int
) -> None:
    charges = charges_of_order(on=on, kind=kind, side=side, turnover=turnover, brokerage=brokerage)
    assert charges.gst == GST * (brokerage + charges.transaction + charges.sebi + charges.ipft)


@given(DAYS, KINDS, SIDES, TURNOVERS, TURNOVERS, MONEY)
def test_splitting_an_order_costs_one_more_brokerage_with_its_gst(
    on: date, kind: Derivative, side: Side, one: int, other: int, brokerage: int
) -> None:
    def charges(turnover: int) -> Charges:
        return charges_of_order(on=on, kind=kind, side=side, turnover=turnover, brokerage=brokerage)

    again = Charges(brokerage=Fraction(brokerage), gst=GST * brokerage)
    assert charges(one) + charges(other) == charges(one + other) + again


@given(DAYS, KINDS, SIDES, TURNOVERS, MONEY)
def test_a_greater_turnover_never_costs_less(on: date, kind: Derivative, side: Side, turnover: int, more: int) -> None:
    smaller = charges_of_order(on=on, kind=kind, side=side, turnover=turnover)
    greater = charges_of_order(on=on, kind=kind, side=side, turnover=turnover + more)
    assert greater.total >= smaller.total
    assert all(items(greater)[name] >= items(smaller)[name] for name in ITEMS)


CHARGES = st.builds(charges_of_order, on=DAYS, kind=KINDS, side=SIDES, turnover=MONEY, brokerage=MONEY)


@given(CHARGES, CHARGES, CHARGES)
def test_charges_add_up_in_any_order(a: Charges, b: Charges, c: Charges) -> None:
    assert a + b == b + a
    assert (a + b) + c == a + (b + c) == sum((a, b, c), Charges())
    assert a + Charges() == a
    assert (a + b).approximate == (a.approximate or b.approximate)
    assert all(items(a + b)[name] == items(a)[name] + items(b)[name] for name in ITEMS)


# --- breaking even ------------------------------------------------------------------------------------------------


def test_a_lot_of_35_at_212_rupees_30_must_gain_1_rupee_86() -> None:
    # Brokerage 40, exchange 5.30, IPFT and SEBI 0.02, GST 8.16, STT 11.24, stamp 0.22: Rs 64.94 on 35 units.
    assert breakeven_points(on=NOVEMBER, premium=212.3, units=35) == 1.86
    assert breakeven_points(on=NOVEMBER, premium=212.3, units=350) == 0.64
    assert breakeven_points(on=NOVEMBER, premium=212.3, units=35, brokerage=0) == 0.51


def net(on: date, paid: int, move: int, units: int, brokerage: int) -> int:
    """Return what is left, in paise, of buying at `paid` paise and selling after a move."""
    bought, sold = (
        charges_of_order(on=on, kind=OPTION, side=side, turnover=price * units, brokerage=brokerage)
        for side, price in ((Side.BUY, paid), (Side.SELL, paid + move))
    )
    return move * units - (bought + sold).total


@given(DAYS, st.integers(1, 500_000), st.integers(1, 3_000), st.integers(0, 100_00))
def test_it_is_the_least_move_that_loses_nothing(on: date, paid: int, units: int, brokerage: int) -> None:
    points = breakeven_points(on=on, premium=paid / 100, units=units, brokerage=brokerage)
    move = round(points * 100)
    assert points == move / 100 >= 0
    assert net(on, paid, move, units, brokerage) >= 0
    assert move == 0 or net(on, paid, move - 1, units, brokerage) < 0


@pytest.mark.parametrize(("premium", "units"), [(0.0, 35), (0.004, 35), (-1.0, 35), (212.3, 0), (212.3, -35)])
def test_what_is_not_bought_breaks_even_nowhere(premium: float, units: int) -> None:
    with pytest.raises(ValueError, match="cost nothing"):
        breakeven_points(on=NOVEMBER, premium=premium, units=units)
