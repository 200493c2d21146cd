"""What trading NSE index options and index futures costs: the broker's fee, the exchange's charges, the taxes, by date.

Money is in paise and rates are exact ratios. The charge of a trade is the sum of the unrounded items of its orders,
rounded half-up once, to the paisa; contract notes round STT and stamp duty to the rupee instead.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from fractions import Fraction
from math import floor
from typing import Final

from algoexec.domain.orders import Side

type _Rates = tuple[tuple[date, Fraction], ...]
"""Rows of (first day, rate), ascending: a row holds until the next one begins."""

BROKERAGE: Final = 2_000
"""Paise for each executed order, whatever its size. Source: Upstox plans, flat ₹20 for F&O."""

AUTO_SQUARE_OFF_FEE: Final = 5_000
"""Paise, before GST, for each order by which the broker squares off a position itself. Source: Upstox, ₹50 + GST."""


class Derivative(StrEnum):
    """What kind of contract is traded, as the charges distinguish it."""

    OPTION = "OPTION"
    FUTURE = "FUTURE"


@dataclass(frozen=True, slots=True, kw_only=True)
class Charges:
    """The unrounded items of some orders, in paise; without arguments, zero.

    The broker's estimate groups them as brokerage, taxes (`stt`, `stamp`, `gst`) and others (the rest).
    `approximate` means that a day lay before the first row of a table, whose rate was used all the same.
    """

    brokerage: Fraction = Fraction(0)
    stt: Fraction = Fraction(0)
    stamp: Fraction = Fraction(0)
    gst: Fraction = Fraction(0)
    transaction: Fraction = Fraction(0)
    ipft: Fraction = Fraction(0)
    sebi: Fraction = Fraction(0)
    approximate: bool = False

    def __add__(self, other: "Charges") -> "Charges":
        """Return the items of both; approximate when either is."""
        return Charges(
            brokerage=self.brokerage + other.brokerage,
            stt=self.stt + other.stt,
            stamp=self.stamp + other.stamp,
            gst=self.gst + other.gst,
            transaction=self.transaction + other.transaction,
            ipft=self.ipft + other.ipft,
            sebi=self.sebi + other.sebi,
            approximate=self.approximate or other.approximate,
        )

    @property
    def total(self) -> int:
        """All items together, rounded half-up to whole paise. Add up a trade's orders first."""
        return floor(self.exact + Fraction(1, 2))

    @property
    def exact(self) -> Fraction:
        """All items together, not rounded."""
        return self.brokerage + self.stt + self.stamp + self.gst + self.transaction + self.ipft + self.sebi


def charges_of_order(*, on: date, kind: Derivative, side: Side, turnover: int, brokerage: int = BROKERAGE) -> Charges:
    """Return what one order costs that executed for `turnover` paise on the day `on`.

    `turnover` is price × quantity over all fills: of the premium for an option, of the contract for a future.
    An order that did not execute has none and costs nothing. Each slice of a sliced order is an order.

    Raises:
        ValueError: `turnover` or `brokerage` is negative.
    """
    _require_not_negative(turnover, brokerage)
    if turnover == 0:
        return Charges()
    transaction = turnover * _rate(_TRANSACTION[kind], on)
    ipft = turnover * _rate(_IPFT[kind], on)
    sebi = turnover * _rate(_SEBI, on)
    bought = side is Side.BUY
    return Charges(
        brokerage=Fraction(brokerage),
        stt=Fraction(0) if bought else turnover * _rate(_STT[kind], on),
        stamp=turnover * _rate(_STAMP[kind], on) if bought else Fraction(0),
        gst=(brokerage + transaction + ipft + sebi) * _rate(_GST, on),
        transaction=transaction,
        ipft=ipft,
        sebi=sebi,
        approximate=_predates(on, (_STAMP if bought else _STT)[kind], _TRANSACTION[kind], _IPFT[kind], _SEBI, _GST),
    )


def breakeven_points(*, on: date, premium: float, units: int, brokerage: int = BROKERAGE) -> float:
    """Return by how many rupees a premium must rise until buying `units` at it and selling them loses nothing.

    To the paisa, after all charges of one order each way on the day `on`; the flat fees weigh less on more units.

    Raises:
        ValueError: the premium is not positive, or nothing is bought.
    """
    paid = round(premium * 100)
    if paid <= 0 or units <= 0:
        raise ValueError(f"{units} units at {premium} cost nothing")

    def charges(side: Side, price: int) -> Charges:
        return charges_of_order(on=on, kind=Derivative.OPTION, side=side, turnover=price * units, brokerage=brokerage)

    bought = charges(Side.BUY, paid)
    move = (bought + charges(Side.SELL, paid)).total // units
    while move * units < (bought + charges(Side.SELL, paid + move)).total:
        move += 1  # a few times: the dearer it is sold, the more that costs, but little of what it brings
    return move / 100


def charges_of_exercise(*, on: date, value: int) -> Charges:
    """Return what the holder pays when a long option is settled in the money at its expiry: STT, nothing else.

    `value` is the intrinsic value of the whole position in paise; 0 for an option that expires worthless.

    Raises:
        ValueError: `value` is negative.
    """
    _require_not_negative(value)
    if value == 0:
        return Charges()
    return Charges(stt=value * _rate(_STT_ON_EXERCISE, on), approximate=_predates(on, _STT_ON_EXERCISE))


def charges_of_square_off(*, on: date) -> Charges:
    """Return the broker's fee for an order by which it squares off a position itself, beside that order's charges."""
    return Charges(
        brokerage=Fraction(AUTO_SQUARE_OFF_FEE),
        gst=AUTO_SQUARE_OFF_FEE * _rate(_GST, on),
        approximate=_predates(on, _GST),
    )


def _require_not_negative(*amounts: int) -> None:
    if min(amounts) < 0:
        raise ValueError(f"an amount of money is negative: {amounts}")


def _rate(rates: _Rates, on: date) -> Fraction:
    return next((rate for since, rate in reversed(rates) if since <= on), rates[0][1])


def _predates(on: date, *tables: _Rates) -> bool:
    return any(on < rates[0][0] for rates in tables)


def _percent(figure: str) -> Fraction:
    return Fraction(figure) / 100


_UNDATED: Final = date.min
"""A first row whose first day is not known: nothing before it is known either."""

_STT: Final[Mapping[Derivative, _Rates]] = {
    Derivative.OPTION: (
        (date(2016, 6, 1), _percent("0.05")),
        (date(2023, 4, 1), _percent("0.0625")),
        (date(2024, 10, 1), _percent("0.1")),
        (date(2026, 4, 1), _percent("0.15")),
    ),
    Derivative.FUTURE: (
        (_UNDATED, _percent("0.01")),
        (date(2023, 4, 1), _percent("0.0125")),
        (date(2024, 10, 1), _percent("0.02")),
        (date(2026, 4, 1), _percent("0.05")),
    ),
}
"""Securities transaction tax, on sales. Source: NSE FATAX73524."""

_STT_ON_EXERCISE: Final[_Rates] = (
    (date(2019, 9, 1), _percent("0.125")),  # Before, the same rate was levied on the settlement price.
    (date(2026, 4, 1), _percent("0.15")),
)
"""The same tax on the intrinsic value of an exercised option. Source: Finance (No. 2) Act 2019; NSE FATAX73524."""

_TRANSACTION: Final[Mapping[Derivative, _Rates]] = {
    Derivative.OPTION: (
        (_UNDATED, _percent("0.053")),
        (date(2023, 4, 1), _percent("0.05")),
        (date(2024, 4, 1), _percent("0.0495")),
        (date(2024, 10, 1), _percent("0.03503")),
        (date(2026, 3, 1), _percent("0.03552")),
    ),
    Derivative.FUTURE: (
        (date(2024, 10, 1), _percent("0.00173")),
        (date(2026, 3, 1), _percent("0.0018299")),
    ),
}
"""The exchange's transaction charge, on both sides. Source: NSE FA73061 and brokers' pricing tables."""

_IPFT: Final[Mapping[Derivative, _Rates]] = {
    Derivative.OPTION: (
        (date(2023, 4, 1), _percent("0.0005")),
        (date(2026, 3, 1), _percent("0.00001")),
    ),
    Derivative.FUTURE: ((date(2026, 3, 1), _percent("0.0000001")),),
}
"""The exchange's investor protection fund, on both sides. Source: NSE FA73061."""

_SEBI: Final[_Rates] = ((_UNDATED, _percent("0.0001")),)
"""The regulator's turnover fee of ₹10 a crore, on both sides."""

_STAMP: Final[Mapping[Derivative, _Rates]] = {
    Derivative.OPTION: ((date(2020, 7, 1), _percent("0.003")),),
    Derivative.FUTURE: ((date(2020, 7, 1), _percent("0.002")),),
}
"""Stamp duty, on purchases; until July 2020 each state had its own."""

_GST: Final[_Rates] = ((date(2017, 7, 1), _percent("18")),)
"""Goods and services tax on brokerage, transaction charge, IPFT and SEBI fee; service tax before."""
