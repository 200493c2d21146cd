"""Contracts with names and keys as the broker gives them, made up but always the same."""

from collections.abc import Callable, Iterable
from datetime import date
from typing import Final

from algoexec.domain.instruments import Future, InstrumentKey, Option, OptionType
from algoexec.domain.terms import ContractTerms

_FIRST_FUTURE: Final = 40_001
_FIRST_OPTION: Final = 41_000
_NAMES: Final = {OptionType.CALL: "CE", OptionType.PUT: "PE"}


def list_futures(expiries: Iterable[date], terms: ContractTerms) -> tuple[Future, ...]:
    """Return one future for each expiry."""
    return tuple(
        Future(
            key=InstrumentKey(f"NSE_FO|{number}"),
            name=f"BANKNIFTY FUT {_day(expiry)}",
            expiry=expiry,
            lot=terms.lot,
            tick_size=terms.future_tick,
            freeze_quantity=terms.freeze_quantity,
        )
        for number, expiry in enumerate(sorted(expiries), start=_FIRST_FUTURE)
    )


def list_options(series: Iterable[tuple[date, float]], terms_of: Callable[[date], ContractTerms]) -> tuple[Option, ...]:
    """Return a call and a put for each (expiry, strike), in that order; `terms_of` gives those of an expiry."""
    ordered = sorted(set(series))
    terms = {expiry: terms_of(expiry) for expiry in {expiry for expiry, _ in ordered}}
    sides = ((expiry, strike, kind) for expiry, strike in ordered for kind in _NAMES)
    return tuple(
        Option(
            key=InstrumentKey(f"NSE_FO|{number}"),
            name=f"BANKNIFTY {strike:g} {_NAMES[kind]} {_day(expiry)}",
            type=kind,
            strike=strike,
            expiry=expiry,
            lot=terms[expiry].lot,
            tick_size=terms[expiry].option_tick,
            freeze_quantity=terms[expiry].freeze_quantity,
        )
        for number, (expiry, strike, kind) in enumerate(sides, start=_FIRST_OPTION)
    )


def _day(expiry: date) -> str:
    return expiry.strftime("%d %b %y").upper()
