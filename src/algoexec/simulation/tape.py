"""The trades of one instrument over a day, made minute by minute and only when asked for."""

from bisect import bisect_right
from collections.abc import Callable, Iterator, Sequence
from random import Random
from typing import Final, NamedTuple

from algoexec.domain.instruments import Future, InstrumentKey, Option
from algoexec.domain.market import Bar
from algoexec.simulation.day import OptionModel
from algoexec.simulation.expansion import (
    MINUTE_MS,
    Tick,
    accumulate,
    index_ticks,
    rebuild,
    split,
    trade_ticks,
)
from algoexec.simulation.pricing import Pricer

type Draw = Callable[[int], tuple[Tick, ...]]
"""Gives the trades of a minute; the same ones each time it is asked."""


class DaySoFar(NamedTuple):
    """The running day of one instrument. `turnover` is price × units, for the average price."""

    open: float
    high: float
    low: float
    close: float
    volume: int
    turnover: float


class Tape:
    """All trades of one instrument, by minute since the epoch. The same seed gives the same tape."""

    def __init__(self, first: int, last: int, draw: Draw) -> None:
        """Begin at minute `first`, end with minute `last`; `draw` makes a minute."""
        self.first: Final = first
        self.last: Final = last
        self._draw = draw
        self._ticks: dict[int, tuple[Tick, ...]] = {}
        self._days: list[DaySoFar | None] = []
        self._bars: list[Bar | None] = []

    def ticks(self, minute: int) -> tuple[Tick, ...]:
        """Return the trades of a minute, in order."""
        if not self.first <= minute <= self.last:
            return ()
        if minute not in self._ticks:
            self._ticks[minute] = self._draw(minute)
        return self._ticks[minute]

    def between(self, after: int, until: int) -> Iterator[Tick]:
        """Yield the trades with `after < at <= until`, in order."""
        for minute in range(max(after // MINUTE_MS, self.first), min(until // MINUTE_MS, self.last) + 1):
            ticks = self.ticks(minute)
            begin = bisect_right(ticks, after, key=_stamp)
            yield from ticks[begin : bisect_right(ticks, until, key=_stamp)]

    def last_trade(self, at: int) -> Tick | None:
        """Return the newest trade not later than `at`; None before the first."""
        for minute in range(min(at // MINUTE_MS, self.last), self.first - 1, -1):
            ticks = self.ticks(minute)
            if found := bisect_right(ticks, at, key=_stamp):
                return ticks[found - 1]
        return None

    def bar(self, minute: int) -> Bar | None:
        """Return a whole minute's bar; None without a trade."""
        self._know(minute)
        place = minute - self.first
        return self._bars[place] if 0 <= place < len(self._bars) else None

    def bars(self, until: int) -> list[Bar]:
        """Return the minutes with a trade up to `until`, oldest first; the last one may be unfinished."""
        running = min(until // MINUTE_MS, self.last + 1)
        found = [bar for minute in range(self.first, running) if (bar := self.bar(minute)) is not None]
        begun = [tick for tick in self.ticks(running) if tick.at <= until]
        if (bar := rebuild(running, begun)) is not None:
            found.append(bar)
        return found

    def newest_bar(self, at: int) -> Bar | None:
        """Return the newest finished minute with a trade; None when there is none."""
        for minute in range(min(at // MINUTE_MS - 1, self.last), self.first - 1, -1):
            if (bar := self.bar(minute)) is not None:
                return bar
        return None

    def day(self, at: int) -> DaySoFar | None:
        """Return the day up to and with `at`; None before the first trade."""
        minute = min(at // MINUTE_MS, self.last + 1)
        self._know(minute - 1)
        place = minute - 1 - self.first
        so_far = self._days[place] if 0 <= place < len(self._days) else None
        ticks = self.ticks(minute)
        return _extended(so_far, ticks[: bisect_right(ticks, at, key=_stamp)])

    def _know(self, minute: int) -> None:
        """Fold the day up to `minute`; nothing is forgotten, so each minute is folded once."""
        while (folded := self.first + len(self._days)) <= min(minute, self.last):
            ticks = self.ticks(folded)
            self._bars.append(rebuild(folded, ticks))
            self._days.append(_extended(self._days[-1] if self._days else None, ticks))


def _stamp(tick: Tick) -> int:
    return tick.at


def _extended(day: DaySoFar | None, ticks: Sequence[Tick]) -> DaySoFar | None:
    if not ticks:
        return day
    prices = [tick.price for tick in ticks]
    turnover = sum(tick.price * tick.quantity for tick in ticks)
    if day is None:
        return DaySoFar(prices[0], max(prices), min(prices), prices[-1], ticks[-1].volume, turnover)
    return DaySoFar(
        day.open, max(day.high, *prices), min(day.low, *prices), prices[-1], ticks[-1].volume, day.turnover + turnover
    )


def index_tape(bars: Sequence[Bar], seed: int) -> Tape:
    """Return the tape of an index; a minute without a bar has no tick."""
    known = {bar.minute: bar for bar in bars}

    def draw(minute: int) -> tuple[Tick, ...]:
        bar = known.get(minute)
        return () if bar is None else index_ticks(bar, Random(f"{seed}|index|{minute}"))

    return Tape(bars[0].minute, bars[-1].minute, draw)


def recorded_tape(contract: Future | Option, bars: Sequence[Bar], seed: int) -> Tape:
    """Return the tape of a contract whose bars are known; a minute without volume has no tick."""
    known = {bar.minute: bar for bar in bars}
    before: dict[int, int] = {}
    total = 0
    for bar in bars:
        before[bar.minute] = total
        total += bar.volume

    def draw(minute: int) -> tuple[Tick, ...]:
        if (bar := known.get(minute)) is None:
            return ()
        rng = Random(f"{seed}|{contract.key}|{minute}")
        return trade_ticks(bar, rng, lot=contract.lot, tick_size=contract.tick_size, before=before[minute])

    return Tape(bars[0].minute, bars[-1].minute, draw) if bars else Tape(0, -1, lambda _: ())


_MOST_TRADES: Final = 40
"""Trades a minute of the liveliest option; a real one has more, and no client needs them."""
_LATENCY_MS: Final = (5, 120)
"""An option's trade follows the index value that moved it."""


def option_tape(option: Option, driver: Tape, lots: Callable[[int], int], model: OptionModel, seed: int) -> Tape:
    """Return the tape of an option whose premium follows `driver`, the index or what stands for it.

    `lots` gives the day's traded lots before a minute.
    """

    def draw(minute: int) -> tuple[Tick, ...]:
        before, traded = lots(minute), lots(minute + 1) - lots(minute)
        moves = driver.ticks(minute)
        if traded <= 0 or not moves:
            return ()
        rng = Random(f"{seed}|{option.key}|{minute}")
        chosen = _chosen(moves, min(traded, rng.randint(_MOST_TRADES // 2, _MOST_TRADES), len(moves)), rng)
        pricer = Pricer(option, minute, moves[0].price, model)
        offsets = _follow([tick.at % MINUTE_MS for tick in chosen], rng)
        prices = [pricer.price(tick.price) for tick in chosen]
        quantities = split(traded * option.lot, len(chosen), option.lot, rng)
        return accumulate(minute, offsets, prices, quantities, before * option.lot)

    return Tape(driver.first, driver.last, draw)


def _chosen(moves: Sequence[Tick], count: int, rng: Random) -> list[Tick]:
    return [moves[place] for place in sorted(rng.sample(range(len(moves)), count))]


def _follow(offsets: Sequence[int], rng: Random) -> list[int]:
    """Return offsets a little later than those given, still in order and within the minute."""
    later: list[int] = []
    for place, offset in enumerate(offsets):
        limit = offsets[place + 1] if place + 1 < len(offsets) else MINUTE_MS
        later.append(min(offset + rng.randint(*_LATENCY_MS), limit - 1))
    return later


def key_number(key: InstrumentKey) -> int:
    """Return a number that depends on the key alone (Python's own hash changes with each start)."""
    number = 0
    for letter in key:
        number = (number * 131 + ord(letter)) % 2_147_483_647
    return number
