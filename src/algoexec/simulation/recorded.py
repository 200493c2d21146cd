"""A day as it was recorded: bars kept to the bit, chains as observed, everything between them modelled."""

from bisect import bisect_right
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import date, datetime
from typing import Final, NamedTuple

from algoexec.domain.calendar import Calendar, regular_session
from algoexec.domain.instruments import Future, Option, OptionType
from algoexec.domain.market import Bar
from algoexec.domain.recording import PremiumSource, RecordedChain, RecordedDay, RecordedOption
from algoexec.domain.terms import next_expiries, option_expiry, terms_on
from algoexec.simulation.black76 import forward_of, implied_vol
from algoexec.simulation.day import EarlierDay, ListedFuture, SimulatedDay
from algoexec.simulation.listing import list_futures, list_options
from algoexec.simulation.pricing import to_tick, years_left

DEFAULT_VOLATILITY: Final = 0.16
_MINUTE_MS: Final = 60_000

OBSERVED_WITHIN_MS: Final = 60 * _MINUTE_MS
"""A volatility rests on an observation that is no further away than this; else on belief."""

type _Series = tuple[date, float, OptionType]


def recorded_day(
    day: RecordedDay,
    *,
    earlier: Sequence[RecordedDay] = (),
    seed: int = 1,
    calendar: Calendar | None = None,
    strikes: Iterable[float] = (),
    volatility: float = DEFAULT_VOLATILITY,
) -> SimulatedDay:
    """Return a recorded day as the exchange plays it; `earlier` is oldest first.

    Lot, ticks and the future's expiry are those of the date; so is the options' expiry where
    none was recorded. A chain without rows is no observation and dropped. A future whose
    volume alone was recorded gets its prices from the index. `strikes` are listed in the nearest
    expiry besides those that were recorded; `volatility` prices an option that was never observed.
    """
    calendar = calendar or Calendar()
    (monthly,) = next_expiries(day.date, 1, calendar)
    (future,) = list_futures((monthly,), terms_on(day.date, monthly))
    nearest = option_expiry(day.date, calendar)
    observed = sorted((_dated(c, nearest) for c in day.chains if c.rows), key=lambda chain: chain.at)
    series = {(expiry, row.strike) for chain in observed if (expiry := chain.expiry) for row in chain.rows}
    series |= {(one.expiry, one.strike) for one in day.options}
    recorded = [expiry for expiry, _ in series if expiry >= day.date]
    series |= {(min(recorded, default=nearest), strike) for strike in strikes}
    options = list_options(series, lambda expiry: terms_on(day.date, expiry))
    bars = {(one.expiry, one.strike, one.type): one.bars for one in day.options}
    return SimulatedDay(
        name=f"recorded-{day.date}",
        session=calendar.day(day.date) or regular_session(day.date),
        calendar=calendar,
        index=day.index,
        futures=(ListedFuture(contract=future, bars=_priced(day, future)),),
        options=options,
        model=RecordedModel(observed, day.index, bars, volatility),
        earlier=tuple(EarlierDay(date=d.date, index=d.index, future=_priced(d, future)) for d in earlier),
        seed=seed,
        option_bars={option.key: bars[option_key(option)] for option in options if option_key(option) in bars},
    )


def option_key(option: Option) -> _Series:
    """Return what an option is, whatever the venue calls it."""
    return option.expiry, option.strike, option.type


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


class _Observation(NamedTuple):
    """A volatility that an option was traded at, at a moment in milliseconds since the epoch."""

    at: int
    volatility: float


class RecordedModel:
    """Open interest as observed; volatility such that each observed price comes out.

    Between two observations of an option the volatility is interpolated in time, not the price: that
    follows the index. Before the first and after the last one it stays: a premium never leaps because
    somebody looked. An option that was never priced has the volatility of the nearest strike that was,
    and where none was, the one believed in.
    """

    def __init__(
        self,
        chains: Sequence[RecordedChain],
        index: Sequence[Bar],
        bars: Mapping[_Series, Sequence[Bar]] | None = None,
        volatility: float = DEFAULT_VOLATILITY,
    ) -> None:
        """Keep `chains`, oldest first and each with its expiry, and `bars` of options; `index` prices them."""
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
        self._bars = bars or {}
        self._believed = volatility
        self._observations: dict[_Series, list[_Observation]] = {}

    def volatility(self, option: Option, minute: int, forward: float) -> float:
        """Return the volatility as it follows from the observations around the minute."""
        return self.known(option, minute)[0]

    def known(self, option: Option, minute: int) -> tuple[float, PremiumSource]:
        """Return an option's volatility in a minute, and what that and its price rest on."""
        at = minute * _MINUTE_MS
        around = _around(at, self._observed(option_key(option)))
        volatility = _between(at, around) if around else self._nearby(option, at)
        if option_key(option) in self._bars:
            return volatility, PremiumSource.REAL
        is_near = any(abs(one.at - at) <= OBSERVED_WITHIN_MS for one in around)
        return volatility, PremiumSource.CHAIN if is_near else PremiumSource.MODELLED

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

    def _observed(self, series: _Series) -> list[_Observation]:
        """Return what is known of an option's volatility, oldest first: by its bars, else by the chains."""
        if series not in self._observations:
            by = self._by_bars if series in self._bars else self._by_chains
            self._observations[series] = list(by(series))
        return self._observations[series]

    def _nearby(self, option: Option, at: int) -> float:
        """Return the volatility of the nearest strike that was ever priced; the one believed in where none was."""
        rows = {key for chain in self._chains.get(option.expiry, ()) for key in self._rows[id(chain)]}
        for strike, kind in sorted(rows, key=lambda row: (abs(row[0] - option.strike), row[1] is not option.type)):
            if found := self._observed((option.expiry, strike, kind)):
                return _between(at, _around(at, found))
        return self._believed

    def _by_bars(self, series: _Series) -> Iterator[_Observation]:
        expiry, strike, kind = series
        for bar in self._bars[series]:
            if (volatility := self._implied(kind, bar.open, strike, expiry, bar.minute)) is not None:
                yield _Observation(bar.minute * _MINUTE_MS, volatility)

    def _by_chains(self, series: _Series) -> Iterator[_Observation]:
        expiry, strike, kind = series
        for chain, at in zip(self._chains.get(expiry, ()), self._times.get(expiry, ()), strict=True):
            row = self._rows[id(chain)].get((strike, kind))
            if row is None:
                continue
            # The last trade of a quiet strike may be an hour old; its book is not.
            price = row.last_price if row.bid is None or row.ask is None else (row.bid + row.ask) / 2
            found = None if price is None else self._implied(kind, price, strike, expiry, at // _MINUTE_MS)
            # Before the open and after the close there are prices of yesterday and of nobody.
            if found is None and self._is_trading(at // _MINUTE_MS):
                found = row.iv
            if found:
                yield _Observation(at, found)

    def _is_trading(self, minute: int) -> bool:
        return bool(self._spots) and next(iter(self._spots)) <= minute <= next(reversed(self._spots))

    def _implied(self, kind: OptionType, price: float, strike: float, expiry: date, minute: int) -> float | None:
        spot = self._spots.get(minute)
        if spot is None:
            return None
        years = years_left(expiry, minute)
        return implied_vol(kind, price, forward_of(spot, years), strike, years)


def _around(at: int, found: Sequence[_Observation]) -> Sequence[_Observation]:
    """Return the observations just before and just after a moment, or the one that there is."""
    place = bisect_right(found, at, key=lambda one: one.at)
    return found[max(0, place - 1) : place + 1]


def _between(at: int, around: Sequence[_Observation]) -> float:
    """Return the volatility at a moment, by the observations before and after it, or the one that there is."""
    before, after = around[0], around[-1]
    share = (at - before.at) / (after.at - before.at) if after.at > before.at else 0.0
    return before.volatility + share * (after.volatility - before.volatility)


def _milliseconds(at: datetime) -> int:
    return round(at.timestamp() * 1000)
