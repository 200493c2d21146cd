"""Results that were made by hand."""

from datetime import date, datetime, time, timedelta
from fractions import Fraction
from typing import Any

from algoexec.backtest.result import BacktestTrade, PremiumSource
from algoexec.domain.calendar import ist
from algoexec.domain.charges import Derivative, charges_of_order
from algoexec.domain.instruments import InstrumentKey, OptionType
from algoexec.domain.orders import Side as OrderSide
from algoexec.domain.signals import Pattern, Side
from algoexec.engine.trading.trade import ExitReason


def trade(
    number: int = 1,
    *,
    on: date = date(2026, 11, 20),
    at: time = time(10, 0),
    entry: float = 500.0,
    exit: float = 520.0,
    spread: float = 1.0,
    quantity: int = 30,
    **changes: Any,
) -> BacktestTrade:
    """Return a trade of calls that was held for ten minutes; `spread` is that of the book at both ends."""
    bought, sold = round(entry * quantity * 100), round(exit * quantity * 100)
    brokerage = 2_000
    paid = charges_of_order(on=on, kind=Derivative.OPTION, side=OrderSide.BUY, turnover=bought, brokerage=brokerage)
    got = charges_of_order(on=on, kind=Derivative.OPTION, side=OrderSide.SELL, turnover=sold, brokerage=brokerage)
    charges = (paid + got).total
    signal_at: datetime = ist(on, at)
    values: dict[str, Any] = {
        "id": f"t{number}",
        "signal_id": f"s{number}",
        "day": on,
        "pattern": Pattern.MOMENTUM,
        "side": Side.BUY_CALL,
        "instrument": InstrumentKey("NSE_FO|41090"),
        "name": "BANKNIFTY 57000 CE 24 NOV 26",
        "strike": 57_000.0,
        "option_type": OptionType.CALL,
        "expiry": date(2026, 11, 23),
        "lot": 30,
        "quantity": quantity,
        "signal_at": signal_at,
        "opened_at": signal_at + timedelta(seconds=1),
        "closed_at": signal_at + timedelta(minutes=10),
        "signal_price": 57_010.0,
        "index_stop": 56_895.98,
        "index_target": 57_238.04,
        "entry_price": entry,
        "exit_price": exit,
        "entry_middle": entry - spread / 2,
        "exit_middle": exit + spread / 2,
        "entry_orders": 1,
        "exit_orders": 1,
        "brokerage": brokerage,
        "reason": ExitReason.TIME,
        "one_r": 50.0,
        "r": (sold - bought - charges) / (50.0 * quantity * 100),
        "gross": sold - bought,
        "entry_charges": _exact(paid),
        "exit_charges": _exact(got),
        "charges": charges,
        "net": sold - bought - charges,
        "best": max(entry, exit),
        "worst": min(entry, exit),
        "source": PremiumSource.MODELLED,
        "approximate": False,
        "index": (),
        "path": (),
    }
    return BacktestTrade(**{**values, **changes})


def _exact(charges: Any) -> Fraction:
    names = ("brokerage", "stt", "stamp", "gst", "transaction", "ipft", "sebi")
    return sum((getattr(charges, name) for name in names), Fraction(0))
