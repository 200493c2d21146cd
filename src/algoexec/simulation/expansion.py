"""From one-minute bars to the ticks that rebuild exactly those bars.

Times are milliseconds since the epoch. Every choice comes from the generator that is passed
in, so that the same seed gives the same ticks.
"""

from collections.abc import Iterable, Sequence
from itertools import pairwise
from random import Random
from typing import Final, NamedTuple

from algoexec.domain.market import Bar

MINUTE_MS: Final = 60_000

INDEX_GAP_MS: Final = (250, 1000)
"""How often the exchange tells the index. Source: NSE MSD74455, 250 ms at the quickest."""


class Tick(NamedTuple):
    """One trade, or one value of an index (then `quantity` and `volume` are 0).

    `at` is the exchange's stamp (`ltt`), `volume` the day's traded quantity up to and with
    this trade (`vtt`), both as on the wire; price in index points or rupees.
    """

    at: int
    price: float
    quantity: int
    volume: int


def index_ticks(bar: Bar, rng: Random) -> tuple[Tick, ...]:
    """Return the values of one minute of an index; none before the bar's own minute, none after."""
    start = bar.minute * MINUTE_MS
    offsets = [rng.randrange(0, 700)]
    while (following := offsets[-1] + rng.randint(*INDEX_GAP_MS)) < MINUTE_MS:
        offsets.append(following)
    return tuple(Tick(start + o, p, 0, 0) for o, p in zip(offsets, path(bar, len(offsets), rng), strict=True))


def trade_ticks(bar: Bar, rng: Random, *, lot: int, tick_size: float, before: int) -> tuple[Tick, ...]:
    """Return the trades of one minute of a contract; none when it has no volume.

    `before` is the day's volume up to this bar. The trades' quantities add up to the bar's
    volume, in whole lots as far as the volume is.
    """
    if bar.volume <= 0:
        return ()
    lots = bar.volume // lot
    count = max(_fewest(bar), min(lots, rng.randint(25, 90)))
    quantities = split(bar.volume, count, lot, rng)
    offsets = sorted(rng.sample(range(MINUTE_MS), count))
    return accumulate(bar.minute, offsets, path(bar, count, rng, tick_size), quantities, before)


def accumulate(
    minute: int, offsets: Iterable[int], prices: Iterable[float], quantities: Iterable[int], before: int
) -> tuple[Tick, ...]:
    """Return ticks with the running volume, from `before` on."""
    ticks: list[Tick] = []
    volume = before
    for offset, price, quantity in zip(offsets, prices, quantities, strict=True):
        volume += quantity
        ticks.append(Tick(minute * MINUTE_MS + offset, price, quantity, volume))
    return tuple(ticks)


def split(volume: int, count: int, lot: int, rng: Random) -> list[int]:
    """Return `count` quantities that add up to `volume`, whole lots but for the last one's odd rest."""
    lots = volume // lot
    if lots < count:
        shares = [1] * lots + [0] * (count - lots)
    else:
        cuts = sorted(rng.randrange(lots - count + 1) for _ in range(count - 1))
        edges = [0, *cuts, lots - count]
        shares = [1 + after - before for before, after in pairwise(edges)]
    quantities = [share * lot for share in shares]
    quantities[-1] += volume % lot
    return quantities


def path(bar: Bar, count: int, rng: Random, tick_size: float = 0.05) -> list[float]:
    """Return `count` prices: first the open, last the close, never outside the range, both extremes touched.

    Prices lie on the tick grid if the bar itself does; the bar's own four are kept to the bit.

    Raises:
        ValueError: `count` is too small to touch all four.
    """
    if count < _fewest(bar):
        raise ValueError(f"{count} prices cannot rebuild {bar}")
    anchors = _anchors(bar, count, rng)
    step = tick_size if _on_grid(bar, tick_size) else 0.01
    wobble = (bar.high - bar.low) / 8
    prices = [bar.open]
    places = sorted(anchors)
    for left, right in pairwise(places):
        start, end = anchors[left], anchors[right]
        for place in range(left + 1, right):
            along = start + (end - start) * (place - left) / (right - left)
            prices.append(_clip(round(round((along + rng.gauss(0, wobble)) / step) * step, 2), bar))
        prices.append(end)
    return prices


def rebuild(minute: int, ticks: Sequence[Tick]) -> Bar | None:
    """Return the bar that `ticks` of one minute make; None of none."""
    if not ticks:
        return None
    prices = [tick.price for tick in ticks]
    volume = sum(tick.quantity for tick in ticks)
    return Bar(minute, prices[0], max(prices), min(prices), prices[-1], volume)


def _anchors(bar: Bar, count: int, rng: Random) -> dict[int, float]:
    anchors = {0: bar.open, count - 1: bar.close}
    missing = [price for price in (bar.high, bar.low) if price not in (bar.open, bar.close)]
    rng.shuffle(missing)
    places = sorted(rng.sample(range(1, count - 1), len(missing))) if missing else []
    anchors.update(zip(places, missing, strict=True))
    return anchors


def _fewest(bar: Bar) -> int:
    return len({bar.open, bar.high, bar.low, bar.close}) if bar.open != bar.close else _fewest_of_a_return(bar)


def _fewest_of_a_return(bar: Bar) -> int:
    extremes = {bar.high, bar.low} - {bar.open}
    return 2 + len(extremes) if extremes else 1


def _on_grid(bar: Bar, step: float) -> bool:
    return all(abs(price / step - round(price / step)) < 1e-6 for price in bar[1:5])


def _clip(price: float, bar: Bar) -> float:
    return min(max(price, bar.low), bar.high)
