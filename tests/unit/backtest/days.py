"""Days to trade on: the simulator's generated ones as if they had been recorded, and one where all is known."""

from dataclasses import replace
from datetime import date, time
from functools import cache
from typing import Final

from algoexec.domain.calendar import ist
from algoexec.domain.instruments import OptionType
from algoexec.domain.market import Bar
from algoexec.domain.recording import RecordedChain, RecordedDay, RecordedOption, RecordedSeries
from algoexec.simulation.exchange import ChainRow, Exchange, Quote
from algoexec.simulation.generated import generated_day
from tests.strategies import DAY

EXPIRY: Final = date(2026, 7, 28)
"""The nearest of `DAY`."""
FIRST: Final = int(ist(DAY, time(9, 15)).timestamp()) // 60
MINUTES: Final = 375
UP_AT: Final = 45
"""The minute of the quiet day in which the index rises."""


@cache
def generated_days(seed: int = 7) -> tuple[RecordedDay, ...]:
    """Return the generated day of a seed and the three before it, oldest first, without chains."""
    day = generated_day(seed)
    earlier = [RecordedDay(date=one.date, index=one.index, future=one.future) for one in day.earlier]
    return (*earlier, RecordedDay(date=day.date, index=day.index, future=day.futures[0].bars))


@cache
def with_chains(seed: int = 7) -> RecordedDay:
    """Return the generated day of a seed with its chain, observed every half hour."""
    day = generated_day(seed)
    exchange = Exchange(day)
    (expiry, *_) = day.expiries()
    first = day.index[0].minute
    near = set(range(round(day.index[0].open) // 100 * 100 - 1_000, round(day.index[0].open) + 1_000, 100))
    chains = []
    for elapsed in range(0, MINUTES, 30):
        rows = [row for row in exchange.chain(expiry, (first + elapsed) * 60_000) if row.strike in near]
        at = ist(day.date, time(9 + (15 + elapsed) // 60, (15 + elapsed) % 60))
        chains.append(RecordedChain(at=at, expiry=expiry, rows=tuple(o for row in rows for o in _observed(row))))
    return replace(generated_days(seed)[-1], chains=tuple(chains))


def _observed(row: ChainRow) -> list[RecordedOption]:
    sides = ((row.call, OptionType.CALL), (row.put, OptionType.PUT))
    return [_option(row.strike, quote, kind) for quote, kind in sides if quote is not None]


def _option(strike: float, quote: Quote, kind: OptionType) -> RecordedOption:
    assert quote.book is not None
    best = quote.book.levels[0]
    return RecordedOption(
        strike=strike, type=kind, oi=quote.open_interest, last_price=quote.price, bid=best.bid, ask=best.ask
    )


def quiet_day(premiums: dict[int, float] | None = None) -> RecordedDay:
    """Return a day on which the index stands still, but for one strong rise at 10:00.

    The call at the money has bars of its own: 100 rupees all day, or from a minute on what `premiums` says.
    """
    index, call = [], []
    price, premium = 50_000.0, 100.0
    for n in range(MINUTES):
        before, price = price, 50_040.0 if n >= UP_AT else 50_000.0
        index.append(Bar(FIRST + n, before, max(before, price), min(before, price), price, 0))
        premium = (premiums or {}).get(n, premium)
        call.append(Bar(FIRST + n, premium, premium, premium, premium, 6_000))
    series = RecordedSeries(expiry=EXPIRY, strike=50_000.0, type=OptionType.CALL, bars=tuple(call))
    return RecordedDay(date=DAY, index=tuple(index), options=(series,))
