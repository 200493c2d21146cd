"""Money as the broker writes it, in rupees, from sums in paise.

Source: Upstox's Get Fund And Margin (V2, V3), Brokerage Details and Margin Details documentation, SDK 2.30.0.
"""

from fractions import Fraction
from math import floor
from typing import Final, NamedTuple

from algoexec.domain.charges import Charges
from algoexec.simulation.trading.account import Bound
from algoexec.simulator.order_wire import Row

SPAN_SHARE: Final = Fraction(10, 12)
"""Which part of a margin is told as span; the rest is exposure, 2 % of the contract's value for an index."""


class Funds(NamedTuple):
    """A user's money, in paise.

    `premium` is what was paid for open options (less what was received for sold ones) and what
    waiting buys may cost. `realised` and `unrealised` are profits; of options only what is
    realised, the rest is not money yet.
    """

    opening: int
    charges: int
    premium: int
    margin: int
    realised: int
    unrealised: int

    @property
    def used(self) -> int:
        """What is not available of the day's cash; negative when profits exceed it."""
        return self.premium + self.margin - self.realised - self.unrealised

    @property
    def available(self) -> int:
        """What can be traded with."""
        return self.opening - self.charges - self.used


def funds_v2(funds: Funds, segment: str) -> Row:
    """Return funds by segment: `SEC`, `COM`, or empty for both. All is under `equity` since July 2025."""
    span, exposure = _split(funds.margin)
    equity = {
        "used_margin": funds.used / 100,
        "payin_amount": 0.0,
        "span_margin": span,
        "adhoc_margin": 0.0,
        "notional_cash": 0.0,
        "available_margin": funds.available / 100,
        "exposure_margin": exposure,
    }
    told: dict[str, Row] = {"SEC": {"equity": equity}, "COM": {"commodity": dict.fromkeys(equity, 0.0)}}
    return told[segment] if segment else {**told["SEC"], **told["COM"]}


def funds_v3(funds: Funds) -> Row:
    """Return funds in full.

    Each total is the sum of its parts: cash parts carry their sign, so charges are negative;
    margin used is positive and is subtracted, so a profit is a negative loss. The signs of
    charges and losses are a guess by those that the documentation's sample shows.
    """
    cash = {
        "opening_balance": funds.opening / 100,
        "added_today": 0.0,
        "withdrawn_today": 0.0,
        "amount_from_stock_sale": 0.0,
        "unpaid_charges": -funds.charges / 100,
    }
    loss = {
        "total": -(funds.realised + funds.unrealised) / 100,
        "realised": -funds.realised / 100,
        "unrealised": -funds.unrealised / 100,
    }
    available = funds.available / 100
    return {
        "available_to_trade": {
            "total": available,
            "cash_available_to_trade": {
                "total": available,
                "cash": cash,
                "margin_used": {
                    **_margin_used(funds.used, funds.margin, funds.premium),
                    "loss": loss,
                },
            },
            "pledge_available_to_trade": {
                "total": 0.0,
                "margin_from_pledge": {"total": 0.0, "equity": 0.0, "mutual_funds": 0.0},
                "margin_used": _margin_used(0, 0, 0),
            },
        },
        "unavailable_to_trade": {
            "cash_unavailable_to_trade": {"unsettled_profit": {"todays_profit": 0.0, "previous_days": 0.0}},
            "pledge_unavailable_to_trade": {"equity": 0.0, "mutual_funds": 0.0},
        },
    }


def brokerage_fields(charges: Charges) -> Row:
    """Return what an order costs, under the documented names and the older ones that the SDK knows.

    Each item is rounded for itself, the total once. Derivatives are in no depository.
    """
    others = {
        "transaction": rupees(charges.transaction),
        "clearing": 0.0,
        "ipft": rupees(charges.ipft),
        "sebi_turnover": rupees(charges.sebi),
    }
    plan = {"name": "", "min_expense": 0.0}
    return {
        "total": charges.total / 100,
        "brokerage": rupees(charges.brokerage),
        "taxes": {
            "gst": rupees(charges.gst),
            "stt": rupees(charges.stt),
            "stamp_duty": rupees(charges.stamp),
        },
        "other_charges": others,
        "otherTaxes": others,
        "dp_plan": plan,
        "dpPlan": plan,
    }


def margin_fields(bound: Bound) -> Row:
    """Return what one order binds."""
    span, exposure = _split(bound.margin)
    return {
        "span_margin": span,
        "exposure_margin": exposure,
        "equity_margin": 0.0,
        "net_buy_premium": bound.premium / 100,
        "additional_margin": 0.0,
        "tender_margin": 0.0,
        "total_margin": bound.total / 100,
    }


def rupees(paise: Fraction) -> float:
    """Return rupees, rounded half-up to the paisa."""
    return floor(paise + Fraction(1, 2)) / 100


def _split(margin: int) -> tuple[float, float]:
    """Return span and exposure; together they are the margin."""
    span = floor(margin * SPAN_SHARE)
    return span / 100, (margin - span) / 100


def _margin_used(total: int, margin: int, premium: int) -> Row:
    return {
        "total": total / 100,
        "mtf": 0.0,
        "span_exposure": margin / 100,
        "cash_margin_var_elm": 0.0,
        "premium_present": premium / 100,
        "delivery_margin": {"total": 0.0, "equity": 0.0, "fo_settlement": 0.0},
    }
