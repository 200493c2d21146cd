"""Sessions and their leases. Every change of an owner is one atomic update."""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Any, Final

from pymongo import DESCENDING, ReturnDocument
from pymongo.errors import DuplicateKeyError

from algoexec.domain.errors import StoreError
from algoexec.engine.effects import Status
from algoexec.engine.events import Mode
from algoexec.ports.stores import AccountInUse, ActiveSessionExists, Page, Query, SessionRow
from algoexec.storage.codec import BSON, Document
from algoexec.storage.connection import answered
from algoexec.storage.documents import Collections, SessionDocument
from algoexec.storage.lists import newest_first

MOST_EARLIER: Final = 20


class MongoSessions:
    """Sessions in MongoDB."""

    def __init__(self, collections: Collections) -> None:
        """Use the sessions' collection."""
        self._collection = collections[SessionDocument]

    async def create(self, row: SessionRow) -> None:
        """Add a session; `ActiveSessionExists` or `AccountInUse` when one is in the way."""
        document = BSON.encode(row)
        document["_id"] = document.pop("id")
        for _ in range(2):
            with answered():
                try:
                    await self._collection.insert_one(document)
                except DuplicateKeyError:
                    other = await self._active({"venue": row.venue, "user_id": row.user_id})
                    is_live = row.mode is Mode.LIVE and row.account is not None
                    account = {"venue": row.venue, "mode": row.mode.value, "account": row.account}
                    is_taken = is_live and await self._active(account) is not None
                else:
                    return
            if other is not None:
                raise ActiveSessionExists(other)
            if is_taken:
                raise AccountInUse
            # The one in the way has ended meanwhile: once more.
        raise StoreError(f"session {row.id} exists")

    async def get(self, session_id: str, user_id: str | None = None) -> SessionRow | None:
        """Return the session; None when there is none or it belongs to another than `user_id`."""
        wanted = {"_id": session_id} if user_id is None else {"_id": session_id, "user_id": user_id}
        with answered():
            found = await self._collection.find_one(wanted)
        return _row(found) if found else None

    async def named(self, session_ids: Collection[str]) -> Mapping[str, SessionRow]:
        """Return those of the sessions that there are, by their ids."""
        with answered():
            found = await self._collection.find({"_id": {"$in": list(session_ids)}}).to_list()
        return {row.id: row for row in map(_row, found)}

    async def list(self, query: Query, *, active: bool | None = None) -> Page[SessionRow]:
        """Return sessions, newest first."""
        wanted: Document = {} if active is None else {"is_active": active}
        if query.session_id is not None:
            wanted["_id"] = query.session_id
        if query.user_id is not None:
            wanted["user_id"] = query.user_id
        return await newest_first(self._collection, wanted, query, _row, time="created_at")

    async def earlier(self, row: SessionRow) -> Sequence[SessionRow]:
        """Return the newest sessions that are over, of the venue, day and mode of `row`, newest first."""
        theirs: list[Document] = [{"user_id": row.user_id}]
        if row.account is not None:
            theirs.append({"account": row.account})
        alike = {"venue": row.venue, "day": row.day, "mode": row.mode.value, "is_active": False, "$or": theirs}
        with answered():
            cursor = self._collection.find(alike).sort([("created_at", DESCENDING), ("_id", DESCENDING)])
            return [_row(found) async for found in cursor.limit(MOST_EARLIER)]

    async def set_status(self, session_id: str, status: Status, reason: str | None, account: str | None) -> None:
        """Project the state's status; a status that is over makes the session inactive, for good."""
        changed: Document = {"status": status.value, "reason": reason}
        if account is not None:
            changed["account"] = account
        if status.is_over:
            changed["is_active"] = False
        with answered():
            await self._collection.update_one({"_id": session_id}, {"$set": changed})

    async def claim(self, session_id: str, owner: str, now: datetime, until: datetime) -> SessionRow | None:
        """Take the lease if it is free, expired or already ours; None when another holds it."""
        free = {"$or": [{"owner": None}, {"owner": owner}, {"lease_until": None}, {"lease_until": {"$lte": now}}]}
        next_epoch = {"$cond": [{"$eq": ["$owner", {"$literal": owner}]}, "$epoch", {"$add": ["$epoch", 1]}]}
        taken = {"$set": {"epoch": next_epoch, "owner": {"$literal": owner}, "lease_until": until}}
        with answered():
            found = await self._collection.find_one_and_update(
                {"_id": session_id, **free}, [taken], return_document=ReturnDocument.AFTER
            )
        return _row(found) if found else None

    async def renew(self, session_ids: Sequence[str], owner: str, until: datetime) -> frozenset[str]:
        """Prolong our leases; return the ids of those that are still ours."""
        ours = {"_id": {"$in": list(session_ids)}, "owner": owner}
        with answered():
            await self._collection.update_many(ours, {"$set": {"lease_until": until}})
            return frozenset([found["_id"] async for found in self._collection.find(ours, {"_id": 1})])

    async def release(self, session_id: str, owner: str) -> None:
        """Give the lease back."""
        with answered():
            await self._collection.update_one(
                {"_id": session_id, "owner": owner}, {"$set": {"owner": None, "lease_until": None}}
            )

    async def abandoned(self, now: datetime) -> Sequence[SessionRow]:
        """Return active sessions without a living lease."""
        wanted = {"is_active": True, "$or": [{"lease_until": None}, {"lease_until": {"$lte": now}}]}
        with answered():
            return [_row(found) async for found in self._collection.find(wanted).sort("created_at")]

    async def _active(self, wanted: Document) -> str | None:
        found = await self._collection.find_one({**wanted, "is_active": True}, {"_id": 1})
        return None if found is None else str(found["_id"])


def _row(document: dict[str, Any]) -> SessionRow:
    return BSON.decode(SessionRow, {"id" if name == "_id" else name: value for name, value in document.items()})
