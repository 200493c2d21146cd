"""A day as it was recorded: bars kept to the bit, chains as observed, everything between them modelled."""

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import replace
from datetime import date, datetime
from typing import Final

from algoexec.domain.calendar import Calendar, regular_session
from algoexec.domain.instruments import Future, Option, OptionType
from algoexec.domain.market import Bar
from algoexec.domain.recording import RecordedChain, RecordedDay, RecordedOption
from algoexec.simulation.black76 import forward_of, implied_vol
from algoexec.simulation.day import EarlierDay, ListedFuture, SimulatedDay
from algoexec.simulation.listing import list_futures, list_options
from algoexec.simulation.pricing import to_tick, years_left
from algoexec.simulation.terms import next_expiries, terms_on

DEFAULT_VOLATILITY: Final = 0.16
_MINUTE_MS: Final = 60_000


def recorded_day(day: RecordedDay, *, earlier: Sequence[RecordedDay] = (), seed: int = 1) -> SimulatedDay:
    """Return a recorded day as the exchange plays it; `earlier` is oldest first.

    Lot, ticks and the future's expiry are those of the date; so is the options' expiry where
    none was recorded. A chain without rows is no observation and dropped. A future whose
    volume alone was recorded gets its prices from the index.
    """
    terms = terms_on(day.date)
    calendar = Calendar()
    expiries = next_expiries(day.date, 1, calendar)
    (future,) = list_futures(expiries, terms)
    observed = sorted((_dated(c, expiries[0]) for c in day.chains if c.rows), key=lambda chain: chain.at)
    series = ((expiry, row.strike) for chain in observed if (expiry := chain.expiry) for row in chain.rows)
    return SimulatedDay(
        name=f"recorded-{day.date}",
        session=calendar.day(day.date) or regular_session(day.date),
        calendar=calendar,
        index=day.index,
        futures=(ListedFuture(contract=future, bars=_priced(day, future)),),
        options=list_options(series, terms),
        model=RecordedModel(observed, day.index),
        earlier=tuple(EarlierDay(date=d.date, index=d.index, future=_priced(d, future)) for d in earlier),
        seed=seed,
    )


def _dated(chain: RecordedChain, expiry: date) -> RecordedChain:
    return chain if chain.expiry is not None else replace(chain, expiry=expiry)


def _priced(day: RecordedDay, future: Future) -> tuple[Bar, ...]:
    """Return the future's minutes; one without prices gets the index's, grown to the future's expiry."""
    index = {bar.minute: bar for bar in day.index}
    return tuple(
        bar if bar.open > 0 else _grown(index[bar.minute], future, bar.volume)
        for bar in day.future
        if bar.open > 0 or bar.minute in index
    )


def _grown(bar: Bar, future: Future, volume: int) -> Bar:
    growth = forward_of(1.0, years_left(future.expiry, bar.minute))
    opened, high, low, closed = (to_tick(price * growth, future.tick_size) for price in bar[1:5])
    return Bar(bar.minute, opened, high, low, closed, volume)


class RecordedModel:
    """Open interest as observed; volatility such that each observed price comes out."""

    def __init__(self, chains: Sequence[RecordedChain], index: Sequence[Bar]) -> None:
        """Keep `chains`, oldest first and each with its expiry; `index` prices them."""
        self._chains: dict[date, list[RecordedChain]] = {}
        for chain in chains:
            if chain.expiry is not None:
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

    def _row(self, option: Option, at: int) -> RecordedOption | None:
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

    def _implied(self, chain: RecordedChain, row: RecordedOption) -> float | None:
        if chain.expiry is None:
            return row.iv
        minute = _milliseconds(chain.at) // _MINUTE_MS
        # The last trade of a quiet strike may be an hour old; its book is not.
        price = row.last_price if row.bid is None or row.ask is None else (row.bid + row.ask) / 2
        if price is not None and (spot := self._spots.get(minute)) is not None:
            years = years_left(chain.expiry, minute)
            found = implied_vol(row.type, price, forward_of(spot, years), row.strike, years)
            if found is not None:
                return found
        return row.iv or None


def _milliseconds(at: datetime) -> int:
    return round(at.timestamp() * 1000)
