"""From ticks to closed candles (strategy.md §1).

`CandleAssembler` is plain arithmetic over exchange stamps: it reads no clock and does no
IO. Its owner hands it everything that arrives and is handed back the candles to decide
on, each minute once and in order.

Stamps are exchange milliseconds since the epoch, minutes are whole minutes since the epoch.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from algoexec.domain.calendar import TradingDay
from algoexec.domain.instruments import InstrumentKey
from algoexec.domain.market import Bar, Candle, Provenance, Quote

PATIENCE_MS: Final = 2_000
"""How long after its end a minute waits for the other instrument (strategy.md §1)."""

FETCH_ATTEMPTS: Final = 3
"""After so many fetches without an answer a minute stays unknown."""

HISTORY_DAYS: Final = 5
"""Earlier trading days that warm the averages: by then EMA(21) has forgotten its seed."""

_MINUTE_MS: Final = 60_000
_DAY_MS: Final = 24 * 60 * _MINUTE_MS


def candle_of(index: Bar, volume: int, provenance: Provenance) -> Candle:
    """Return the candle of an index minute with the future's volume; 0 means it did not trade."""
    return Candle(
        start=datetime.fromtimestamp(index.minute * 60, UTC),
        open=index.open,
        high=index.high,
        low=index.low,
        close=index.close,
        volume=volume or None,
        provenance=provenance,
    )


def join(index: Iterable[Bar], future: Iterable[Bar], provenance: Provenance = Provenance.BACKFILLED) -> list[Candle]:
    """Return the candles of fetched minutes: an index bar with the future's volume of the same minute."""
    volumes = {bar.minute: bar.volume for bar in future}
    return [candle_of(bar, volumes.get(bar.minute, 0), provenance) for bar in index]


@dataclass(slots=True)
class _Minute:
    """What the ticks of one minute have made so far."""

    minute: int
    open: float
    high: float
    low: float
    close: float
    volume: int = 0

    def add(self, price: float) -> None:
        self.high = max(self.high, price)
        self.low = min(self.low, price)
        self.close = price

    def bar(self) -> Bar:
        return Bar(self.minute, self.open, self.high, self.low, self.close, self.volume)


class InstrumentMinutes:
    """One instrument's minutes: built from ticks, replaced by the feed's own when that is here."""

    def __init__(self) -> None:
        """Start without a price or a base line."""
        self.built: dict[int, _Minute] = {}
        self.received: dict[int, Bar] = {}
        self.closed_before = 0
        """Minutes before this one are closed: a tick or the feed's `I1` has passed them."""
        self.late = 0
        self._price: float | None = None
        self._stamp = 0
        self._volume: int | None = None

    def lost(self) -> None:
        """Forget the base line: the next volume begins a new one."""
        self._volume = None

    def before_open(self) -> None:
        """Count from zero unless a volume is told before the open: nothing has traded yet."""
        self._volume = 0

    def add(self, quote: Quote, at: int) -> None:
        """Take in a merged quote. A repeated or older stamp with the same price is no tick."""
        if quote.minute is not None:
            self.received[quote.minute.minute] = quote.minute
            self.closed_before = max(self.closed_before, quote.minute.minute + 1)
        stamp = quote.traded_at or at
        traded = self._traded(quote, stamp)
        if quote.price is None:
            return
        is_tick = stamp > self._stamp or quote.price != self._price
        if not is_tick and not traded:
            return
        minute = max(stamp, self._stamp) // _MINUTE_MS if not is_tick else stamp // _MINUTE_MS
        if minute < self.closed_before:
            self.late += 1
            return
        self._price, self._stamp = quote.price, max(stamp, self._stamp)
        self.closed_before = minute
        if (building := self.built.get(minute)) is None:
            building = self.built[minute] = _Minute(minute, quote.price, quote.price, quote.price, quote.price)
        building.add(quote.price)
        building.volume += traded

    def _traded(self, quote: Quote, stamp: int) -> int:
        """Return the quantity since the last quote; the first volume after a connect is a base line."""
        if quote.volume is None:
            return 0
        if self._volume is not None and quote.volume < self._volume and stamp // _DAY_MS > self._stamp // _DAY_MS:
            self._volume = 0  # the base line was yesterday's total; the venue counts anew
        base, self._volume = self._volume, max(quote.volume, self._volume or 0)
        return 0 if base is None else max(0, quote.volume - base)

    def drop_before(self, minute: int) -> None:
        """Let go of what is settled."""
        for kept in (self.built, self.received):
            for old in [m for m in kept if m < minute]:
                del kept[old]
        self.closed_before = max(self.closed_before, minute)


@dataclass(frozen=True, slots=True)
class Settled:
    """What a call has settled: candles to decide now, in order, and better ones of the past."""

    candles: tuple[Candle, ...] = ()
    repairs: tuple[Candle, ...] = ()


class CandleAssembler:
    """Settles every minute of one day once and in order: a candle, or none.

    `on_quotes`, `advance`, `fetched` and `fetch_failed` return what became settled. A
    minute that the connection did not cover from beginning to end is `missing` until it was
    fetched; later ones wait for it.
    """

    def __init__(self, day: TradingDay, index: InstrumentKey, future: InstrumentKey) -> None:
        """Begin with nothing known of `day`."""
        self._first = int(day.opens_at.timestamp()) // 60
        self._end = int(day.continuous_until.timestamp()) // 60
        self._index_key, self._future_key = index, future
        self._index, self._future = InstrumentMinutes(), InstrumentMinutes()
        self._cursor = self._first
        self._covered_from: int | None = None
        self._covered_until = 0
        self._whole: set[int] = set()
        self._attempts: Counter[int] = Counter()
        self._fetched: dict[int, Candle] = {}
        self._absent: set[int] = set()
        self.candles: dict[int, Candle] = {}
        """Every candle that was settled or repaired, by its minute."""

    @property
    def late_ticks(self) -> int:
        """How many ticks came after their minute was closed and were dropped."""
        return self._index.late + self._future.late

    def settled_until(self) -> int:
        """Return the first minute that is not settled yet."""
        return self._cursor

    def running(self) -> Bar | None:
        """Return the index's minute under way as far as it is known; None before its first tick."""
        newest = max(self._index.built, default=None)
        if newest is None or newest < self._cursor:
            return None
        bar = self._index.built[newest].bar()
        traded = self._future.built.get(newest)
        return bar._replace(volume=traded.volume if traded else 0)

    def connected(self) -> None:
        """A connection stands: coverage begins with its first frame."""
        self._covered_from = None
        self._index.lost()
        self._future.lost()

    def lost(self) -> None:
        """The connection is gone: what came after the last frame is not covered.

        Nor is a minute that an instrument has not closed: its last tick may have been under way.
        """
        self._mark_whole()
        self._covered_from = None
        closed = max(self._cursor, min(self._index.closed_before, self._future.closed_before))
        self._whole = {minute for minute in self._whole if minute < closed}

    def on_quotes(self, at: int, quotes: Sequence[Quote]) -> Settled:
        """Take in one frame of stamp `at`."""
        if self._covered_from is None:
            self._covered_from = at
            if at < self._first * _MINUTE_MS:
                self._future.before_open()
        self._covered_until = max(self._covered_until, at)
        for quote in quotes:
            if quote.instrument == self._index_key:
                self._index.add(quote, at)
            elif quote.instrument == self._future_key:
                self._future.add(quote, at)
        return self.advance(at)

    def advance(self, now: int) -> Settled:
        """Settle what can be settled at market time `now`."""
        self._mark_whole()
        settled: list[Candle] = []
        begun_at = self._cursor
        while self._cursor < self._end and self._is_settled(self._cursor, now):
            if (candle := self._candle(self._cursor)) is not None:
                self.candles[self._cursor] = candle
                settled.append(candle)
            self._cursor += 1
        if self._cursor != begun_at:
            self._index.drop_before(self._cursor)
            self._future.drop_before(self._cursor)
        return Settled(tuple(settled))

    def next_deadline(self) -> int | None:
        """Return the stamp at which the minute under way is settled at the latest; None after the last."""
        return (self._cursor + 1) * _MINUTE_MS + PATIENCE_MS if self._cursor < self._end else None

    def missing(self, now: int) -> tuple[int, ...]:
        """Return the minutes that must be fetched before anything later can be decided."""
        return tuple(
            minute
            for minute in range(self._cursor, min(self._end, (now - PATIENCE_MS) // _MINUTE_MS))
            if not self._is_settled(minute, now)
        )

    def fetched(self, now: int, index: Iterable[Bar], future: Iterable[Bar]) -> Settled:
        """Take in today's bars, asked for at `now`: missing minutes become candles, decided ones may be repaired.

        A minute that was given up is decided late, unless a later one was settled with a candle:
        then it is a repair. A bar of a minute that was not over at `now` may be half a bar: it is
        passed over.
        """
        candles = {candle_minute(candle): candle for candle in join(index, future)}
        newest = max(candles, default=0)
        for minute in self.missing(now):
            if minute in candles:
                self._fetched[minute] = candles[minute]
            elif minute < newest:
                self._absent.add(minute)  # the venue knows a later minute: this one had no trade
            else:
                self._attempts[minute] += 1
        late: list[Candle] = []
        repairs: list[Candle] = []
        newest_candle = max(self.candles, default=0)
        over = min(self._cursor, (now - PATIENCE_MS) // _MINUTE_MS)
        for minute in sorted(minute for minute in candles if self._first <= minute < over):
            candle = candles[minute]
            if minute > newest_candle:
                self.candles[minute] = candle
                late.append(candle)
            elif self._differs(minute, candle):
                self.candles[minute] = repaired_candle(candle, self.candles.get(minute))
                repairs.append(self.candles[minute])
        return Settled((*late, *self.advance(now).candles), tuple(repairs))

    def fetch_failed(self, now: int) -> Settled:
        """Count a fetch, asked for at `now`, that got no answer."""
        self._attempts.update(self.missing(now))
        return self.advance(now)

    def _mark_whole(self) -> None:
        """Remember the minutes that the connection has covered from beginning to end."""
        if self._covered_from is None:
            return
        first = max(self._cursor, -(-self._covered_from // _MINUTE_MS))
        self._whole.update(range(first, self._covered_until // _MINUTE_MS))

    def _is_settled(self, minute: int, now: int) -> bool:
        if minute in self._fetched or minute in self._absent or self._attempts[minute] >= FETCH_ATTEMPTS:
            return True
        if minute in self._index.received and minute in self._future.received:
            return True
        if minute not in self._whole:
            return False
        both_closed = minute < self._index.closed_before and minute < self._future.closed_before
        return both_closed or now >= (minute + 1) * _MINUTE_MS + PATIENCE_MS

    def _candle(self, minute: int) -> Candle | None:
        if (fetched := self._fetched.get(minute)) is not None:
            return fetched
        if (received := self._index.received.get(minute)) is not None:
            return candle_of(received, self._volume(minute), Provenance.RECEIVED)
        if minute not in self._whole:
            return None
        built = self._index.built.get(minute)
        return candle_of(built.bar(), self._volume(minute), Provenance.LIVE) if built else None

    def _volume(self, minute: int) -> int:
        if (received := self._future.received.get(minute)) is not None:
            return received.volume
        built = self._future.built.get(minute)
        return built.volume if built and minute in self._whole else 0

    def _differs(self, minute: int, fetched: Candle) -> bool:
        """Whether a decided minute is now known otherwise; a fetch without volume takes none away."""
        decided = self.candles.get(minute)
        if decided is None:
            return True
        same_prices = prices(decided) == prices(fetched)
        return not same_prices or (fetched.volume is not None and fetched.volume != decided.volume)


def candle_minute(candle: Candle) -> int:
    """Return the start of `candle` in whole minutes since the epoch."""
    return int(candle.start.timestamp()) // 60


def prices(candle: Candle) -> tuple[float, float, float, float]:
    """Return open, high, low and close."""
    return candle.open, candle.high, candle.low, candle.close


def repaired_candle(candle: Candle, decided: Candle | None) -> Candle:
    """Return the candle, said to be a repair; it keeps the volume that was decided on when it has none."""
    volume = candle.volume
    if volume is None and decided is not None:
        volume = decided.volume
    return Candle(
        start=candle.start,
        open=candle.open,
        high=candle.high,
        low=candle.low,
        close=candle.close,
        volume=volume,
        provenance=Provenance.REPAIRED,
    )
