"""What was done day by day: which sessions a day had is projected, what they did is counted when it is asked for."""

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import date, time
from typing import Final

from pymongo import UpdateOne
from pymongo.asynchronous.collection import AsyncCollection

from algoexec.domain.calendar import ist
from algoexec.engine.effects import EntryRefused, TradeClosed
from algoexec.engine.events import Mode
from algoexec.ports.stores import Page, Query
from algoexec.ports.trading import StoredDay
from algoexec.storage.codec import BSON, Document
from algoexec.storage.connection import answered
from algoexec.storage.forms import TAG
from algoexec.storage.lists import newest_first

type _Collection = AsyncCollection[Document]
type _Counts = Mapping[str, Counter[str]]
"""By session, then by reason."""

_SIGNALS: Final = "signals"
"""Where signals are counted by reason: they have none."""


def with_session(session_id: str, *, venue: str, user_id: str, mode: Mode, day: date) -> UpdateOne:
    """Add a session to its day."""
    key = {"venue": venue, "mode": mode.value, "user_id": user_id}
    kept = {**key, "day": day.isoformat(), "at": ist(day, time())}
    return UpdateOne(
        {"_id": "/".join((day.isoformat(), *key.values()))},
        {"$set": kept, "$addToSet": {"sessions": session_id}},
        upsert=True,
    )


def with_lock(session_id: str, lock: str) -> UpdateOne:
    """Note a limit that was reached on the day of a session, which is there."""
    return UpdateOne({"sessions": session_id}, {"$addToSet": {"locks": lock}})


class Days:
    """The days, and the collections in which is what their sessions did."""

    def __init__(
        self, days: _Collection, signals: _Collection, rejections: _Collection, orders: _Collection, trades: _Collection
    ) -> None:
        """Read from these."""
        self.collection: Final = days
        self._signals, self._rejections, self._orders, self._trades = signals, rejections, orders, trades

    async def page(self, query: Query, mode: Mode | None) -> Page[StoredDay]:
        """Return days, newest first."""
        wanted: Document = {} if mode is None else {"mode": mode.value}
        if query.user_id is not None:
            wanted["user_id"] = query.user_id
        if query.session_id is not None:
            wanted["sessions"] = query.session_id
        page = await newest_first(self.collection, wanted, query, _empty)
        sessions = [id_ for day in page.items for id_ in day.sessions]
        with answered():
            signals = await _counted(self._signals, sessions, {"$literal": _SIGNALS})
            rejections = await _counted(self._rejections, sessions, "$signal.reason")
            refusals = await _counted(self._orders, sessions, "$told.v.told.reason", *_REFUSALS)
            trades = await self._closed_in(sessions)
        items = tuple(
            replace(
                day,
                signals=_of(signals, day)[_SIGNALS],
                rejections=_of(rejections, day),
                refusals=_of(refusals, day),
                trades=tuple(sorted(_of_day(trades, day), key=lambda trade: (trade.closed_at, trade.id))),
            )
            for day in page.items
        )
        return Page(items=items, cursor=page.cursor)

    async def _closed_in(self, sessions: Sequence[str]) -> Mapping[str, list[TradeClosed]]:
        found = defaultdict[str, list[TradeClosed]](list)
        async for document in self._trades.find({"session_id": {"$in": sessions}}):
            found[document["session_id"]].append(BSON.decode(TradeClosed, document["trade"]))
        return found


_IS_REFUSAL: Final[Document] = {"$eq": [f"$$this.v.told.{TAG}", EntryRefused.__name__]}
_REFUSALS: Final[tuple[Document, ...]] = (
    {"$match": {"is_refused": True}},
    # Steps stand under the numbers of their frames; before it was refused a person may have been asked.
    {"$set": {"told": {"$first": {"$filter": {"input": {"$objectToArray": "$history"}, "cond": _IS_REFUSAL}}}}},
)


async def _counted(collection: _Collection, sessions: Sequence[str], reason: object, *stages: Document) -> _Counts:
    """Return how many documents there are by session and reason."""
    group = {"_id": {"session": "$session_id", "reason": reason}, "count": {"$sum": 1}}
    pipeline = [{"$match": {"session_id": {"$in": sessions}}}, *stages, {"$group": group}]
    found = defaultdict[str, Counter[str]](Counter)
    async for row in await collection.aggregate(pipeline):
        found[row["_id"]["session"]][row["_id"]["reason"]] = row["count"]
    return found


def _of(counts: _Counts, day: StoredDay) -> Counter[str]:
    return sum((counts[id_] for id_ in day.sessions if id_ in counts), Counter[str]())


def _of_day(trades: Mapping[str, list[TradeClosed]], day: StoredDay) -> Iterator[TradeClosed]:
    return (trade for id_ in day.sessions for trade in trades.get(id_, ()))


def _empty(document: Document) -> StoredDay:
    """Return a day of which nothing is counted yet."""
    return StoredDay(
        venue=document["venue"],
        user_id=document["user_id"],
        mode=Mode(document["mode"]),
        day=date.fromisoformat(document["day"]),
        sessions=tuple(sorted(document["sessions"])),
        locks=tuple(sorted(document.get("locks", ()))),
        signals=0,
        rejections={},
        refusals={},
        trades=(),
    )
