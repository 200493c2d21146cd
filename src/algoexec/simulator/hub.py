"""All feed sockets, and what each of them gets of a step."""

from collections import Counter
from collections.abc import Iterable, Iterator
from datetime import timedelta

from algoexec.domain.instruments import InstrumentKey
from algoexec.simulation.exchange import Exchange, Quote
from algoexec.simulation.expansion import Tick
from algoexec.simulator.faults.injector import FaultInjector
from algoexec.simulator.faults.market import with_skew
from algoexec.simulator.market_clock import SteppedClock
from algoexec.simulator.segments import Phase, phases
from algoexec.simulator.subscriber import Subscriber
from algoexec.simulator.users import User
from algoexec.simulator.wire import BOOK_ALONE, EVERYTHING, Mode, Parts, depth_of, entry, frame, market_info


class FeedHub:
    """Fans ticks out to subscribers. An instrument is encoded once for each mode, not for each subscriber."""

    def __init__(self, exchange: Exchange, clock: SteppedClock, faults: FaultInjector) -> None:
        """Tell what `exchange` shows at the times of `clock`, as far as `faults` let it."""
        self._exchange = exchange
        self._clock = clock
        self._faults = faults
        self._subscribers: list[Subscriber] = []
        self._later: list[InstrumentKey] = []
        self._phases: dict[str, Phase] = self._phases_now()
        self._last_close_ms = _last_close_ms(exchange)

    def connections(self, user: User) -> int:
        """Return how many feed sockets the user holds."""
        return sum(subscriber.user == user for subscriber in self._subscribers)

    def add(self, subscriber: Subscriber) -> None:
        """Welcome a subscriber with the state of the segments."""
        self._subscribers.append(subscriber)
        subscriber.offer(market_info(self._stamp(), self._phases))

    def remove(self, subscriber: Subscriber) -> None:
        """Forget a subscriber."""
        self._subscribers.remove(subscriber)
        subscriber.release()

    def subscribe(self, subscriber: Subscriber, keys: Iterable[InstrumentKey], mode: Mode) -> None:
        """Show `keys` from now on, beginning with a snapshot. What is not listed is silently left out."""
        known = [key for key in keys if self._exchange.knows(key)]
        subscriber.modes.update(dict.fromkeys(known, mode))
        now, depth = self._clock.now_ms, depth_of(mode)
        quotes = (self._stamped(self._exchange.quote(key, now, depth=depth)) for key in known)
        entries = [e for q in quotes if (e := entry(q, mode, EVERYTHING, self._last_close_ms)) is not None]
        if entries:
            subscriber.offer(frame(entries, self._stamp(), initial=True))

    def unsubscribe(self, subscriber: Subscriber, keys: Iterable[InstrumentKey]) -> None:
        """Show `keys` no more."""
        for key in keys:
            subscriber.modes.pop(key, None)

    async def settle(self) -> None:
        """Return once every socket has taken what it was sent."""
        while busy := next((s for s in self._subscribers if not s.is_settled), None):
            await busy.settled()

    @property
    def is_watched(self) -> bool:
        """Whether anybody has subscribed to anything and can be told of it."""
        return any(subscriber.is_watching for subscriber in self._subscribers)

    def tell(self, after: int, until: int) -> None:
        """Tell every subscriber what has happened in `after < at <= until`; `until` is now."""
        self._tell_phases()
        watched = Counter((key, mode) for s in self._subscribers for key, mode in s.modes.items())
        keys = dict.fromkeys(key for key, _ in watched)
        ticks = sorted(
            (
                (tick, key)
                for key in keys
                for tick in self._exchange.between(key, after, until)
                if not self._faults.is_silent(key, tick.at)
            ),
            key=lambda pair: pair[0].at,
        )
        for together in _rounds(ticks):
            shown = {key: (tick.at, _parts(tick)) for key, tick in together.items()}
            self._send(shown, watched)
        self._tell_books(keys, {key for _, key in ticks}, watched, until)
        self._later = [key for tick, key in ticks if tick.at % 4 == 0 and key != self._exchange.underlying]

    def _tell_books(
        self,
        keys: Iterable[InstrumentKey],
        traded: set[InstrumentKey],
        watched: Iterable[tuple[InstrumentKey, Mode]],
        now: int,
    ) -> None:
        """Tell a changed book without a trade, as the real feed now and then does."""
        told = (key for key in self._later if key in keys and key not in traded)
        books = {key: (now, BOOK_ALONE) for key in told if not self._faults.is_silent(key, now)}
        if books:
            self._send(books, watched)

    def _send(
        self,
        shown: dict[InstrumentKey, tuple[int, Parts]],
        watched: Iterable[tuple[InstrumentKey, Mode]],
    ) -> None:
        entries: dict[tuple[InstrumentKey, Mode], bytes] = {}
        for key, mode in watched:
            if key in shown:
                at, parts = shown[key]
                quote = self._stamped(self._exchange.quote(key, at, depth=depth_of(mode)))
                if (encoded := entry(quote, mode, parts, self._last_close_ms)) is not None:
                    entries[key, mode] = encoded
        for subscriber in self._subscribers:
            mine = [e for item in subscriber.modes.items() if (e := entries.get(item)) is not None]
            if mine:
                subscriber.offer(frame(mine, self._stamp()))

    def _tell_phases(self) -> None:
        current = self._phases_now()
        if current != self._phases:
            self._phases = current
            for subscriber in self._subscribers:
                subscriber.offer(market_info(self._stamp(), current))

    def _stamp(self) -> int:
        """Return what a frame that is sent now says of its time."""
        return self._clock.now_ms + self._faults.skew_ms(of="server")

    def _stamped(self, quote: Quote) -> Quote:
        return with_skew(quote, self._faults.skew_ms(of="exchange"))

    def _phases_now(self) -> dict[str, Phase]:
        return phases(self._exchange.day.session, self._clock.now())


def _rounds(ticks: Iterable[tuple[Tick, InstrumentKey]]) -> Iterator[dict[InstrumentKey, Tick]]:
    """Group ticks, in order, so that no instrument comes twice in a group: a frame holds each key once."""
    together: dict[InstrumentKey, Tick] = {}
    for tick, key in ticks:
        if key in together:
            yield together
            together = {}
        together[key] = tick
    if together:
        yield together


def _parts(tick: Tick) -> Parts:
    """Return which parts go with a trade: the real feed leaves out book and greeks more often than not."""
    return Parts(trade=True, book=tick.at % 5 < 2, greeks=tick.at % 3 == 0)


def _last_close_ms(exchange: Exchange) -> int:
    """Return the stamp of a price that is yesterday's."""
    day = exchange.day
    before = day.calendar.days_before(day.session.date, 1)
    closed = before[-1].continuous_until if before else day.session.opens_at - timedelta(days=1)
    return int(closed.timestamp() * 1000) - 1
