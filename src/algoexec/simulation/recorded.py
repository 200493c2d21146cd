"""A day as it was recorded: bars kept to the bit, chains as observed, everything between them modelled."""

from bisect import bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Final

from algoexec.domain.calendar import Calendar, regular_session
from algoexec.domain.instruments import Option, OptionType
from algoexec.domain.market import Bar
from algoexec.simulation.black76 import forward_of, implied_vol
from algoexec.simulation.day import EarlierDay, ListedFuture, SimulatedDay
from algoexec.simulation.listing import list_futures, list_options
from algoexec.simulation.pricing import years_left
from algoexec.simulation.terms import next_expiries, terms_on

DEFAULT_VOLATILITY: Final = 0.16
_MINUTE_MS: Final = 60_000


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordedRow:
    """One option of a recorded chain; None: not recorded. `iv` is a fraction, prices in rupees, `oi` in units."""

    strike: float
    type: OptionType
    oi: int | None
    ltp: float | None = None
    bid: float | None = None
    ask: float | None = None
    volume: int | None = None
    iv: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordedChain:
    """One observation of a chain, without the rows that were stale."""

    at: datetime
    expiry: date
    rows: tuple[RecordedRow, ...]


def recorded_day(
    *,
    name: str,
    on: date,
    index: Sequence[Bar],
    future: Sequence[Bar] = (),
    chains: Iterable[RecordedChain] = (),
    earlier: Sequence[EarlierDay] = (),
    seed: int = 1,
) -> SimulatedDay:
    """Return a recorded day. A chain without rows is no observation and dropped.

    Lot, ticks and the future's expiry are those of the date. `earlier` is oldest first.

    Raises:
        ValueError: `index` is empty.
    """
    if not index:
        raise ValueError(f"the recorded day {name} has no index bar")
    observed = sorted((chain for chain in chains if chain.rows), key=lambda chain: chain.at)
    terms = terms_on(on)
    calendar = Calendar()
    futures = list_futures(next_expiries(on, 1, calendar), terms)
    series = ((chain.expiry, row.strike) for chain in observed for row in chain.rows)
    return SimulatedDay(
        name=name,
        session=calendar.day(on) or regular_session(on),
        calendar=calendar,
        index=tuple(index),
        futures=tuple(ListedFuture(contract=contract, bars=tuple(future)) for contract in futures),
        options=list_options(series, terms),
        model=RecordedModel(observed, index),
        earlier=tuple(earlier),
        seed=seed,
    )


class RecordedModel:
    """Open interest as observed; volatility such that each observed price comes out."""

    def __init__(self, chains: Sequence[RecordedChain], index: Sequence[Bar]) -> None:
        """Keep `chains`, oldest first; `index` prices them."""
        self._chains: dict[date, list[RecordedChain]] = {}
        for chain in chains:
            self._chains.setdefault(chain.expiry, []).append(chain)
        self._times = {e: [_milliseconds(c.at) for c in found] for e, found in self._chains.items()}
        self._rows = {
            id(chain): {(row.strike, row.type): row for row in chain.rows}
            for found in self._chains.values()
            for chain in found
        }
        self._spots = {bar.minute: bar.open for bar in index}
        self._volatilities: dict[tuple[int, float, OptionType], float | None] = {}

    def volatility(self, option: Option, minute: int, forward: float) -> float:
        """Return the newest observed volatility of the option; a common one when it was never priced."""
        newest = self._newest(option.expiry, minute * _MINUTE_MS)
        for chain in reversed(self._chains.get(option.expiry, ())[: newest + 1]):
            if (found := self._observed(chain, option)) is not None:
                return found
        return DEFAULT_VOLATILITY

    def open_interest(self, option: Option, at: int) -> int:
        """Return what the newest observation says; 0 when it says nothing."""
        row = self._row(option, at)
        return row.oi or 0 if row is not None else 0

    def strikes(self, expiry: date, at: int) -> tuple[float, ...]:
        """Return the strikes of the newest observation."""
        newest = self._newest(expiry, at)
        return () if newest < 0 else tuple(sorted({row.strike for row in self._chains[expiry][newest].rows}))

    def _newest(self, expiry: date, at: int) -> int:
        return bisect_right(self._times.get(expiry, ()), at) - 1

    def _row(self, option: Option, at: int) -> RecordedRow | None:
        newest = self._newest(option.expiry, at)
        if newest < 0:
            return None
        return self._rows[id(self._chains[option.expiry][newest])].get((option.strike, option.type))

    def _observed(self, chain: RecordedChain, option: Option) -> float | None:
        key = (id(chain), option.strike, option.type)
        if key not in self._volatilities:
            row = self._rows[id(chain)].get((option.strike, option.type))
            self._volatilities[key] = None if row is None else self._implied(chain, row)
        return self._volatilities[key]

    def _implied(self, chain: RecordedChain, row: RecordedRow) -> float | None:
        minute = _milliseconds(chain.at) // _MINUTE_MS
        price = row.ltp
        if price is None and row.bid is not None and row.ask is not None:
            price = (row.bid + row.ask) / 2
        if price is not None and (spot := self._spots.get(minute)) is not None:
            years = years_left(chain.expiry, minute)
            found = implied_vol(row.type, price, forward_of(spot, years), row.strike, years)
            if found is not None:
                return found
        return row.iv or None


def _milliseconds(at: datetime) -> int:
    return round(at.timestamp() * 1000)
