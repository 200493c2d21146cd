"""A made-up Bank Nifty day: the same seed gives the same day, to the last tick.

Nothing in it is recorded. It is made to be believed: an opening burst, trend and chop, a
future that trades most at both ends of the day, open interest that leans now to the calls,
now to the puts.
"""

import math
from collections.abc import Sequence
from datetime import date
from random import Random
from typing import Final

from algoexec.domain.calendar import Calendar, TradingDay
from algoexec.domain.instruments import Future, Option, OptionType, nearest_strike
from algoexec.domain.market import Bar
from algoexec.domain.terms import STRIKE_STEP, ContractTerms, next_expiries, terms_on
from algoexec.simulation.black76 import forward_of
from algoexec.simulation.day import EarlierDay, ListedFuture, SimulatedDay
from algoexec.simulation.listing import list_futures, list_options
from algoexec.simulation.pricing import years_left
from algoexec.simulation.script import Minute, play

GENERATED_ON: Final = date(2026, 10, 14)
"""A Wednesday under the rules of August 2026: the index trades to 15:15, its derivatives to 15:40;
13 days before a regular monthly expiry, with four trading days in a row before it."""

DEFAULT_SEED: Final = 7
EARLIER_DAYS: Final = 3

_LEVEL: Final = 57_840.0
_GRID: Final = 0.05
_STRIKES_EACH_SIDE: Final = 40
_FAR_SHARE: Final = 12
"""The next month's future trades a twelfth of the nearest one's volume."""

_INDEX_MINUTES: Final = 375
"""The index is told to 15:29; where continuous trading ends earlier it stands still."""


def generated_day(seed: int = DEFAULT_SEED, on: date = GENERATED_ON) -> SimulatedDay:
    """Return the day that `seed` makes of the date `on`, with three earlier days.

    Raises:
        ValueError: nothing trades on that date.
    """
    calendar = Calendar()
    session = calendar.day(on)
    if session is None:
        raise ValueError(f"{on} is no trading day")
    terms = terms_on(on)
    expiries = next_expiries(on, 2, calendar)
    near, far = list_futures(expiries, terms)
    earlier: list[EarlierDay] = []
    level = _LEVEL
    for day in calendar.days_before(on, EARLIER_DAYS):
        index, future = _bars(seed, day, level, near)
        earlier.append(EarlierDay(date=day.date, index=index, future=future))
        level = index[-1].close
    index, future = _bars(seed, session, level, near)
    strikes = _strikes(index[0].open)
    return SimulatedDay(
        name=f"generated-{seed}",
        session=session,
        calendar=calendar,
        index=index,
        futures=(
            ListedFuture(contract=near, bars=future),
            ListedFuture(contract=far, bars=_far_bars(future, near, far)),
        ),
        options=list_options(
            ((expiry, strike) for expiry in expiries for strike in strikes), lambda expiry: terms_on(on, expiry)
        ),
        model=GeneratedModel(seed, index, strikes, terms),
        earlier=tuple(earlier),
        seed=seed,
    )


class GeneratedModel:
    """A smile that leans to the puts, and open interest whose put-call ratio wanders over the day."""

    def __init__(self, seed: int, index: Sequence[Bar], strikes: Sequence[float], terms: ContractTerms) -> None:
        """Fix what does not move: the shape of the open interest over the strikes."""
        self._first = index[0]
        self._strikes = tuple(strikes)
        self._lot = terms.lot
        centre = nearest_strike(strikes, self._first.open)
        self._calls = _interest(Random(f"{seed}|calls"), strikes, centre + 6 * STRIKE_STEP)
        self._puts = _interest(Random(f"{seed}|puts"), strikes, centre - 6 * STRIKE_STEP)
        # Whether the ratio falls or rises first is the seed's choice.
        self._lean = Random(f"{seed}|lean").choice((-1.0, 1.0))

    def volatility(self, option: Option, minute: int, forward: float) -> float:
        """Return a smile in units of the standard move, over a level that rises when the market falls."""
        years = years_left(option.expiry, minute)
        moved = forward / forward_of(self._first.open, years) - 1
        level = min(max(0.135 - 1.5 * moved + 0.004 * math.sin(minute / 23), 0.08), 0.4)
        distance = math.log(option.strike / forward) / (level * math.sqrt(years))
        return min(max(level * (1 - 0.06 * distance + 0.04 * distance * distance), 0.05), 1.5)

    def open_interest(self, option: Option, at: int) -> int:
        """Return whole lots, told anew each minute."""
        elapsed = at // 60_000 - self._first.minute
        shares = self._calls if option.type is OptionType.CALL else self._puts
        total = 260_000 * (1 + 0.12 * min(max(elapsed, 0), _INDEX_MINUTES) / _INDEX_MINUTES)
        if option.type is OptionType.PUT:
            total *= self.ratio(elapsed)
        return round(total * shares.get(option.strike, 0.0)) * self._lot

    def strikes(self, expiry: date, at: int) -> tuple[float, ...]:
        """Return every listed strike: yesterday's open interest is known before the open."""
        return self._strikes

    def ratio(self, elapsed: int) -> float:
        """Return the put-call ratio that is aimed at, `elapsed` minutes after the open: 0.6 … 1.4."""
        phase = 2 * math.pi * min(max(elapsed, 0), _INDEX_MINUTES) / _INDEX_MINUTES
        return 1.0 + self._lean * (0.33 * math.sin(1.25 * phase) + 0.06 * math.sin(6.5 * phase))


def _bars(seed: int, day: TradingDay, close_before: float, contract: Future) -> tuple[tuple[Bar, ...], tuple[Bar, ...]]:
    """Return the minutes of the index and of its nearest future."""
    rng = Random(f"{seed}|{day.date}")
    opens = int(day.opens_at.timestamp()) // 60
    trading = (int(day.closes_at.timestamp()) // 60) - opens
    counted = (int(day.continuous_until.timestamp()) // 60) - opens
    moves = play(rng, close_before + rng.gauss(0, 90), trading)
    index = [_index_bar(opens + i, move) for i, move in enumerate(moves[:counted])]
    still = index[-1].close
    index += [Bar(opens + i, still, still, still, still, 0) for i in range(counted, _INDEX_MINUTES)]
    return tuple(index), _future_bars(rng, opens, moves, contract)


def _index_bar(minute: int, move: Minute) -> Bar:
    opened, high, low, closed = (_on_grid(price, _GRID) for price in move[:4])
    return Bar(minute, opened, high, low, closed, 0)


def _future_bars(rng: Random, opens: int, moves: Sequence[Minute], contract: Future) -> tuple[Bar, ...]:
    growth = forward_of(1.0, years_left(contract.expiry, opens))
    ranges = [move.high - move.low for move in moves]
    usual = sum(ranges) / len(ranges)
    lots: list[int] = []
    for i, move in enumerate(moves):
        drawn = _usual_lots(i, len(moves)) * move.activity * (0.55 + 0.45 * ranges[i] / usual)
        drawn *= rng.lognormvariate(0, 0.22)
        # A breakout is one because everybody sees it: the volume rule of strategy.md §2 shall hold on it.
        least = 1.9 * sum(lots[-20:]) / 20 if move.activity > 4 else 1
        lots.append(max(1, round(drawn), math.ceil(least)))
    return tuple(
        _future_bar(rng, opens + i, move, growth, lots[i] * contract.lot, contract.tick_size)
        for i, move in enumerate(moves)
    )


def _usual_lots(elapsed: int, length: int) -> float:
    """Return a U over the day: most at the open, least at noon, more again at the close."""
    opening, closing = math.exp(-elapsed / 22), math.exp(-(length - elapsed) / 30)
    return 95 + 520 * opening + 240 * closing


def _future_bar(rng: Random, minute: int, move: Minute, growth: float, volume: int, tick: float) -> Bar:
    premium = rng.gauss(0, 1.5)
    opened, high, low, closed = (_on_grid(price * growth + premium, tick) for price in move[:4])
    return Bar(minute, opened, max(high, opened, closed), min(low, opened, closed), closed, volume)


def _far_bars(bars: Sequence[Bar], near: Future, far: Future) -> tuple[Bar, ...]:
    growth = forward_of(1.0, years_left(far.expiry, bars[0].minute) - years_left(near.expiry, bars[0].minute))
    return tuple(
        Bar(
            bar.minute,
            _on_grid(bar.open * growth, far.tick_size),
            _on_grid(bar.high * growth, far.tick_size),
            _on_grid(bar.low * growth, far.tick_size),
            _on_grid(bar.close * growth, far.tick_size),
            bar.volume // near.lot // _FAR_SHARE * far.lot,
        )
        for bar in bars
    )


def _on_grid(price: float, tick: float) -> float:
    return round(round(price / tick) * tick, 2)


def _strikes(spot: float) -> tuple[float, ...]:
    centre = round(spot / STRIKE_STEP)
    return tuple(STRIKE_STEP * (centre + i) for i in range(-_STRIKES_EACH_SIDE, _STRIKES_EACH_SIDE + 1))


def _interest(rng: Random, strikes: Sequence[float], centre: float) -> dict[float, float]:
    """Return each strike's share of all open interest: round strikes hold the most."""
    weights = {}
    for strike in strikes:
        roundness = 2.6 if strike % 1000 == 0 else 1.6 if strike % 500 == 0 else 1.0
        weights[strike] = roundness * math.exp(-(((strike - centre) / 1500) ** 2)) * rng.uniform(0.6, 1.4)
    total = sum(weights.values())
    return {strike: weight / total for strike, weight in weights.items()}
