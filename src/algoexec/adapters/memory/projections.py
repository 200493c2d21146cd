"""Signals, rejections, PCR, candles, orders, trades and days in memory."""

from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import date, datetime, time
from typing import Final

from algoexec.adapters.memory.lists import newest_first
from algoexec.adapters.memory.reach import Reach
from algoexec.domain.calendar import ist
from algoexec.domain.instruments import InstrumentKey
from algoexec.domain.market import Candle, Provenance
from algoexec.domain.options import PcrReading
from algoexec.domain.signals import Signal
from algoexec.engine.effects import (
    Alert,
    EntryOffered,
    EntryRefused,
    OrderChanged,
    OrderNews,
    PositionChanged,
    SessionChanged,
    TradeClosed,
)
from algoexec.engine.events import Mode, SessionCreated
from algoexec.ports.paging import Position
from algoexec.ports.stores import JournalEntry, Page, Query, StoredSignal
from algoexec.ports.trading import Consequences, OrderStep, StoredDay, StoredOrder, StoredTrade

RANK: Final = (Provenance.LIVE, Provenance.RECEIVED, Provenance.BACKFILLED, Provenance.REPAIRED)
"""Provenance of a candle, worst first."""


type _KeptOrder = tuple[str, str, dict[int, OrderStep]]
"""Its session, its user, and its steps by the numbers of their frames."""


class MemoryProjections:
    """Projections in dicts by key."""

    def __init__(self, reach: Reach) -> None:
        """Begin empty."""
        self._reach = reach
        self._candidates: dict[str, StoredSignal] = {}
        self._readings: dict[tuple[str, InstrumentKey, date, datetime], PcrReading] = {}
        self._candles: dict[tuple[str, InstrumentKey, datetime], Candle] = {}
        self._progress: dict[str, int] = {}
        self._orders: dict[str, _KeptOrder] = {}
        self._trades: dict[str, tuple[int, StoredTrade]] = {}
        self._created: dict[str, SessionCreated] = {}
        self._locks: dict[str, set[str]] = defaultdict(set)

    async def project(
        self, venue: str, underlying: InstrumentKey, user_id: str, entries: Sequence[JournalEntry]
    ) -> frozenset[str]:
        """Keep what the frames of `entries` hold and the last seq of each session; return those with a gap before."""
        self._reach.check()
        behind: set[str] = set()
        for entry in entries:
            self._keep(venue, underlying, user_id, entry)
            done = self._progress.get(entry.session_id, 0)
            if entry.record.seq > done + 1:
                behind.add(entry.session_id)
            elif entry.session_id not in behind:
                self._progress[entry.session_id] = max(done, entry.record.seq)
        return frozenset(behind)

    async def projected(self, session_id: str) -> int:
        """Return the last seq that was projected, 0 for none."""
        self._reach.check()
        return self._progress.get(session_id, 0)

    async def signals(self, query: Query) -> Page[StoredSignal]:
        """Return emitted signals, newest first."""
        return self._list(query, rejected=False)

    async def rejections(self, query: Query) -> Page[StoredSignal]:
        """Return rejections, newest first."""
        return self._list(query, rejected=True)

    async def pcr(self, venue: str, underlying: InstrumentKey, query: Query) -> Page[PcrReading]:
        """Return the PCR series, newest first (user and session filters do not apply)."""
        self._reach.check()
        rows = (
            (Position(reading.at, key[2].isoformat()), reading)
            for key, reading in self._readings.items()
            if key[:2] == (venue, underlying)
        )
        return newest_first(rows, query)

    async def candles(
        self, venue: str, underlying: InstrumentKey, since: datetime, until: datetime
    ) -> Sequence[Candle]:
        """Return candles with `since <= start < until`, oldest first."""
        self._reach.check()
        wanted = [key for key in self._candles if key[:2] == (venue, underlying) and since <= key[2] < until]
        return [self._candles[key] for key in sorted(wanted)]

    async def orders(self, query: Query, *, refused: bool | None = None) -> Page[StoredOrder]:
        """Return orders and refused signals, newest first by when they were first told of."""
        self._reach.check()
        rows = (
            row
            for row in map(_stored_order, self._orders.values())
            if query.session_id in (None, row.session_id) and query.user_id in (None, row.user_id)
        )
        wanted = (row for row in rows if refused in (None, row.is_refused))
        return newest_first(((Position(row.at, row.history[0].id), row) for row in wanted), query)

    async def order(self, order_id: str, user_id: str | None) -> StoredOrder | None:
        """Return what stands there under that id; None when nothing does or it belongs to another than `user_id`."""
        self._reach.check()
        kept = self._orders.get(order_id)
        return None if kept is None or user_id not in (None, kept[1]) else _stored_order(kept)

    async def trades(self, query: Query) -> Page[StoredTrade]:
        """Return closed trades, newest first by when they were closed."""
        self._reach.check()
        rows = (
            (Position(stored.trade.closed_at, stored.trade.id), stored)
            for _, stored in self._trades.values()
            if query.session_id in (None, stored.session_id) and query.user_id in (None, stored.user_id)
        )
        return newest_first(rows, query)

    async def consequences(self, signal_ids: Collection[str]) -> Mapping[str, Consequences]:
        """Return what came of each of the signals; one of which nothing came is absent."""
        self._reach.check()
        told = defaultdict[str, list[OrderNews]](list)
        for _, _, steps in self._orders.values():
            newest = steps[max(steps)].told
            if newest.signal_id is not None:
                told[newest.signal_id].append(newest)
        closed = {stored.trade.signal_id: stored.trade for _, stored in self._trades.values()}
        return {
            id_: Consequences(told=tuple(told[id_]), trade=closed.get(id_))
            for id_ in signal_ids
            if id_ in told or id_ in closed
        }

    async def days(self, query: Query, mode: Mode | None = None) -> Page[StoredDay]:
        """Return what was done day by day, newest first."""
        self._reach.check()
        days = defaultdict[tuple[str, str, Mode, date], list[str]](list)
        for created in self._created.values():
            days[created.venue, created.user_id, created.mode, created.day.date].append(created.session_id)
        rows = (
            (
                Position(ist(day, time()), f"{day}/{venue}/{of}/{user_id}"),
                self._day((venue, user_id, of, day), sessions),
            )
            for (venue, user_id, of, day), sessions in days.items()
            if mode in (None, of)
            and query.user_id in (None, user_id)
            and (query.session_id is None or query.session_id in sessions)
        )
        return newest_first(rows, query)

    def _day(self, key: tuple[str, str, Mode, date], sessions: Collection[str]) -> StoredDay:
        venue, user_id, mode, day = key
        candidates = [one for one in self._candidates.values() if one.session_id in sessions]
        told = (one.told for one in self._told_in(sessions))
        trades = [one.trade for _, one in self._trades.values() if one.session_id in sessions]
        return StoredDay(
            venue=venue,
            user_id=user_id,
            mode=mode,
            day=day,
            sessions=tuple(sorted(sessions)),
            locks=tuple(sorted(set[str]().union(*(self._locks.get(id_, ()) for id_ in sessions)))),
            signals=sum(not one.signal.is_rejection for one in candidates),
            rejections=Counter(one.signal.reason.value for one in candidates if one.signal.reason is not None),
            refusals=Counter(one.reason for one in told if isinstance(one, EntryRefused)),
            trades=tuple(sorted(trades, key=lambda trade: (trade.closed_at, trade.id))),
        )

    def _told_in(self, sessions: Collection[str]) -> Iterable[OrderStep]:
        return (steps[max(steps)] for session_id, _, steps in self._orders.values() if session_id in sessions)

    def _list(self, query: Query, *, rejected: bool) -> Page[StoredSignal]:
        self._reach.check()
        rows = (
            (Position(stored.signal.at, stored.signal.id), stored)
            for stored in self._candidates.values()
            if stored.signal.is_rejection is rejected
            and query.session_id in (None, stored.session_id)
            and query.user_id in (None, stored.user_id)
        )
        return newest_first(rows, query)

    def _keep(self, venue: str, underlying: InstrumentKey, user_id: str, entry: JournalEntry) -> None:
        if isinstance(entry.record.event, SessionCreated):
            self._created[entry.session_id] = entry.record.event
        n = 0
        for frame in entry.frames:
            match frame.body:
                case Signal() as signal:
                    self._candidates[signal.id] = StoredSignal(
                        session_id=entry.session_id, user_id=user_id, seq=entry.record.seq, n=n, signal=signal
                    )
                    n += 1
                case PcrReading() as reading:
                    self._readings[venue, reading.underlying, reading.expiry, reading.at] = reading
                case Candle() as candle:
                    self._keep_better((venue, underlying, candle.start), candle)
                case OrderChanged() | EntryOffered() | EntryRefused() as told:
                    step = OrderStep(number=frame.number, at=frame.at, told=told)
                    kept = self._orders.setdefault(step.id, (entry.session_id, user_id, {}))
                    kept[2][step.number] = step
                case TradeClosed() as trade:
                    stored = StoredTrade(session_id=entry.session_id, user_id=user_id, trade=trade)
                    self._keep_later(frame.number, stored)
                case SessionChanged(lock=str(lock)):
                    self._locks[entry.session_id].add(lock)
                case SessionChanged() | Alert() | PositionChanged():
                    pass

    def _keep_later(self, number: int, stored: StoredTrade) -> None:
        if self._trades.get(stored.trade.id, (0, stored))[0] <= number:
            self._trades[stored.trade.id] = (number, stored)

    def _keep_better(self, key: tuple[str, InstrumentKey, datetime], candle: Candle) -> None:
        kept = self._candles.get(key, candle)
        if RANK.index(candle.provenance) >= RANK.index(kept.provenance):
            self._candles[key] = candle


def _stored_order(kept: _KeptOrder) -> StoredOrder:
    session_id, user_id, steps = kept
    return StoredOrder(session_id=session_id, user_id=user_id, history=tuple(steps[n] for n in sorted(steps)))
