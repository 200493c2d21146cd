"""Signals, rejections, PCR, candles, orders, trades and days, as lists want them.

All of it can be made again from the journal.
"""

from collections.abc import Collection, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Final

from pymongo import ReplaceOne, UpdateOne, WriteConcern
from pymongo.asynchronous.collection import AsyncCollection

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
from algoexec.ports.stores import JournalEntry, Page, Query, StoredSignal
from algoexec.ports.trading import Consequences, OrderStep, StoredDay, StoredOrder, StoredTrade
from algoexec.storage.codec import BSON, Document
from algoexec.storage.connection import answered
from algoexec.storage.days import Days, with_lock, with_session
from algoexec.storage.documents import (
    CandleDocument,
    Collections,
    DayDocument,
    OrderDocument,
    PcrDocument,
    ProgressDocument,
    RejectionDocument,
    SignalDocument,
    TradeDocument,
)
from algoexec.storage.lists import newest_first

type Write = ReplaceOne[Document] | UpdateOne

RANK: Final = (Provenance.LIVE, Provenance.RECEIVED, Provenance.BACKFILLED, Provenance.REPAIRED)
"""Provenance of a candle, worst first."""


class MongoProjections:
    """Projections in MongoDB.

    Written without waiting for a majority or the disk: progress, which is written last, cannot
    outlive what it vouches for, so a lost tail is noticed by what it lacks, and projected again.
    """

    def __init__(self, collections: Collections) -> None:
        """Use these collections."""
        self._signals = _lax(collections[SignalDocument])
        self._rejections = _lax(collections[RejectionDocument])
        self._pcr = _lax(collections[PcrDocument])
        self._candles = _lax(collections[CandleDocument])
        self._orders = _lax(collections[OrderDocument])
        self._trades = _lax(collections[TradeDocument])
        self._progress = _lax(collections[ProgressDocument])
        self._days = Days(_lax(collections[DayDocument]), self._signals, self._rejections, self._orders, self._trades)

    async def project(
        self, venue: str, underlying: InstrumentKey, user_id: str, entries: Sequence[JournalEntry]
    ) -> frozenset[str]:
        """Store what the frames of `entries` hold and remember the last seq of each session.

        Returns the sessions of which entries before these are missing.
        """
        writes: dict[str, tuple[AsyncCollection[Document], list[Write]]] = {}
        seqs: dict[str, list[int]] = {}
        for entry in entries:
            seqs.setdefault(entry.session_id, []).append(entry.record.seq)
            for collection, write in self._writes(venue, underlying, user_id, entry):
                writes.setdefault(collection.name, (collection, []))[1].append(write)
        with answered():
            for collection, batch in writes.values():
                # In order: a candle that is repaired twice ends as it was repaired last, a day begins before it locks.
                is_ordered = collection in (self._candles, self._days.collection)
                await collection.bulk_write(batch, ordered=is_ordered)
            return await self._advance(seqs)

    async def _advance(self, seqs: Mapping[str, Sequence[int]]) -> frozenset[str]:
        """Remember how far sessions are projected; return those that were not projected up to here before."""
        if not seqs:
            return frozenset()
        marks = [_mark(session_id, min(own), max(own)) for session_id, own in seqs.items()]
        made = await self._progress.bulk_write(marks, ordered=False)
        if made.matched_count + made.upserted_count == len(marks):
            return frozenset()
        wanted = {"_id": {"$in": list(seqs)}}
        done = {found["_id"]: found["seq"] async for found in self._progress.find(wanted)}
        return frozenset(id_ for id_, own in seqs.items() if done.get(id_, 0) < max(own))

    async def projected(self, session_id: str) -> int:
        """Return the last seq that was projected, 0 for none."""
        with answered():
            found = await self._progress.find_one({"_id": session_id})
        return found["seq"] if found else 0

    async def signals(self, query: Query) -> Page[StoredSignal]:
        """Return emitted signals, newest first."""
        return await newest_first(self._signals, _owned(query), query, _stored_signal)

    async def rejections(self, query: Query) -> Page[StoredSignal]:
        """Return rejections, newest first."""
        return await newest_first(self._rejections, _owned(query), query, _stored_signal)

    async def pcr(self, venue: str, underlying: InstrumentKey, query: Query) -> Page[PcrReading]:
        """Return the PCR series, newest first (user and session filters do not apply)."""
        wanted: Document = {"venue": venue, "underlying": underlying}
        return await newest_first(
            self._pcr, wanted, query, lambda document: BSON.decode(PcrReading, document["reading"])
        )

    async def candles(
        self, venue: str, underlying: InstrumentKey, since: datetime, until: datetime
    ) -> Sequence[Candle]:
        """Return candles with `since <= start < until`, oldest first."""
        wanted = {"venue": venue, "underlying": underlying, "start": {"$gte": since, "$lt": until}}
        with answered():
            found = await self._candles.find(wanted).sort("start").to_list()
        return [BSON.decode(Candle, document["candle"]) for document in found]

    async def orders(self, query: Query, *, refused: bool | None = None) -> Page[StoredOrder]:
        """Return orders and refused signals, newest first by when they were first told of."""
        wanted = _owned(query) if refused is None else {**_owned(query), "is_refused": refused}
        return await newest_first(self._orders, wanted, query, _stored_order)

    async def trades(self, query: Query) -> Page[StoredTrade]:
        """Return closed trades, newest first by when they were closed."""
        return await newest_first(self._trades, _owned(query), query, _stored_trade)

    async def order(self, order_id: str, user_id: str | None) -> StoredOrder | None:
        """Return what stands there under that id; None when nothing does or it belongs to another than `user_id`."""
        wanted = {"_id": order_id} if user_id is None else {"_id": order_id, "user_id": user_id}
        with answered():
            found = await self._orders.find_one(wanted)
        return None if found is None else _stored_order(found)

    async def consequences(self, signal_ids: Collection[str]) -> Mapping[str, Consequences]:
        """Return what came of each of the signals; one of which nothing came is absent."""
        wanted = {"$in": list(signal_ids)}
        with answered():
            orders = await self._orders.find({"signal_id": wanted}).to_list()
            trades = await self._trades.find({"trade.signal_id": wanted}).to_list()
        told: dict[str, list[OrderNews]] = {}
        for document in orders:
            told.setdefault(document["signal_id"], []).append(_stored_order(document).told)
        closed = {one["trade"]["signal_id"]: _stored_trade(one).trade for one in trades}
        return {
            id_: Consequences(told=tuple(told.get(id_, ())), trade=closed.get(id_))
            for id_ in told.keys() | closed.keys()
        }

    async def days(self, query: Query, mode: Mode | None = None) -> Page[StoredDay]:
        """Return what was done day by day, newest first."""
        return await self._days.page(query, mode)

    def _writes(
        self, venue: str, underlying: InstrumentKey, user_id: str, entry: JournalEntry
    ) -> Iterator[tuple[AsyncCollection[Document], Write]]:
        if isinstance(created := entry.record.event, SessionCreated):
            day = created.day.date
            yield (
                self._days.collection,
                with_session(entry.session_id, venue=venue, user_id=user_id, mode=created.mode, day=day),
            )
        n = 0
        for frame in entry.frames:
            match frame.body:
                case Signal() as signal:
                    collection = self._rejections if signal.is_rejection else self._signals
                    yield collection, _upsert(_candidate(StoredSignal(
                        session_id=entry.session_id, user_id=user_id, seq=entry.record.seq, n=n, signal=signal
                    )))  # fmt: skip
                    n += 1
                case PcrReading() as reading:
                    yield self._pcr, _upsert(_reading(venue, reading))
                case Candle() as candle:
                    yield self._candles, _upsert_better(_candle(venue, underlying, candle), "rank")
                case OrderChanged() | EntryOffered() | EntryRefused() as told:
                    step = OrderStep(number=frame.number, at=frame.at, told=told)
                    yield self._orders, _add_step(entry.session_id, user_id, step)
                case TradeClosed() as trade:
                    owned = {"session_id": entry.session_id, "user_id": user_id, "number": frame.number}
                    yield self._trades, _upsert_better({**_trade(trade), **owned}, "number")
                case SessionChanged(lock=str(lock)):
                    yield self._days.collection, with_lock(entry.session_id, lock)
                case SessionChanged() | Alert() | PositionChanged():
                    pass


def _lax(collection: AsyncCollection[Document]) -> AsyncCollection[Document]:
    return collection.with_options(write_concern=WriteConcern(w=1))


def _mark(session_id: str, first: int, last: int) -> UpdateOne:
    """Move a session's progress on, if it has come up to `first`."""
    if first == 1:
        return UpdateOne({"_id": session_id}, {"$max": {"seq": last}}, upsert=True)
    return UpdateOne({"_id": session_id, "seq": {"$gte": first - 1}}, {"$max": {"seq": last}})


def _upsert(document: Document) -> ReplaceOne[Document]:
    return ReplaceOne({"_id": document["_id"]}, document, upsert=True)


def _upsert_better(document: Document, rank: str) -> UpdateOne:
    """Replace a document unless the stored one has a higher `rank`."""
    is_better = {"$gt": [f"${rank}", document[rank]]}
    chosen = {"$replaceWith": {"$cond": [is_better, "$$ROOT", {"$literal": document}]}}
    return UpdateOne({"_id": document["_id"]}, [chosen], upsert=True)


def _add_step(session_id: str, user_id: str, step: OrderStep) -> UpdateOne:
    """Add a step to an order's history: in whatever order steps come, and however often."""
    encoded = BSON.encode(step)
    kept = {
        "session_id": session_id,
        "user_id": user_id,
        "signal_id": step.told.signal_id,
        f"history.{step.number}": encoded,
    }
    grown = {"$min": {"at": encoded["at"]}, "$max": {"is_refused": step.is_refusal}}  # true is more than false
    return UpdateOne({"_id": step.id}, {"$set": kept, **grown}, upsert=True)


def _stored_order(document: Document) -> StoredOrder:
    steps = [BSON.decode(OrderStep, step) for step in document["history"].values()]
    return StoredOrder(
        session_id=document["session_id"],
        user_id=document["user_id"],
        history=tuple(sorted(steps, key=lambda step: step.number)),
    )


def _trade(trade: TradeClosed) -> Document:
    encoded = BSON.encode(trade)
    return {"_id": trade.id, "at": encoded["closed_at"], "trade": encoded}


def _stored_trade(document: Document) -> StoredTrade:
    return StoredTrade(
        session_id=document["session_id"],
        user_id=document["user_id"],
        trade=BSON.decode(TradeClosed, document["trade"]),
    )


def _owned(query: Query) -> Document:
    owned = {"session_id": query.session_id, "user_id": query.user_id}
    return {name: value for name, value in owned.items() if value is not None}


def _candidate(stored: StoredSignal) -> Document:
    return {
        "_id": stored.signal.id,
        "session_id": stored.session_id,
        "user_id": stored.user_id,
        "seq": stored.seq,
        "n": stored.n,
        "at": stored.signal.at,
        "signal": BSON.encode(stored.signal),
    }


def _stored_signal(document: Document) -> StoredSignal:
    return StoredSignal(
        session_id=document["session_id"],
        user_id=document["user_id"],
        seq=document["seq"],
        n=document["n"],
        signal=BSON.decode(Signal, document["signal"]),
    )


def _reading(venue: str, reading: PcrReading) -> Document:
    encoded = BSON.encode(reading)
    key = {"venue": venue, "underlying": reading.underlying, "expiry": encoded["expiry"], "at": encoded["at"]}
    return {"_id": _id(*key.values()), **key, "reading": encoded}


def _candle(venue: str, underlying: InstrumentKey, candle: Candle) -> Document:
    encoded = BSON.encode(candle)
    key = {"venue": venue, "underlying": underlying, "start": encoded["start"]}
    return {"_id": _id(*key.values()), **key, "rank": RANK.index(candle.provenance), "candle": encoded}


def _id(*key: str | datetime) -> str:
    """Return the key as one text: an upsert by `_id` needs no second look at an index."""
    return "/".join(one if isinstance(one, str) else one.isoformat(timespec="milliseconds") for one in key)
