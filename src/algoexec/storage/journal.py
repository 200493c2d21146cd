"""The journal: one document per session and append, so that a session's records stand or fall together."""

from collections.abc import Iterable, Sequence
from itertools import groupby
from operator import attrgetter
from typing import Final, NamedTuple

import bson
from bson.errors import BSONError, InvalidDocument
from bson.raw_bson import RawBSONDocument
from pymongo.errors import BulkWriteError

from algoexec.domain.errors import DomainError, FenceLost, StoreError
from algoexec.engine.effects import Frame
from algoexec.ports.stores import JournalEntry
from algoexec.storage.codec import BSON, Document
from algoexec.storage.connection import answered
from algoexec.storage.documents import Collections, JournalDocument

APPEND_TIMEOUT_S: Final = 2.0
DUPLICATE_KEY: Final = 11000

MOST_BYTES: Final = 16 * 1024 * 1024 - 1024
"""MongoDB's limit, less the `_id` that the server adds."""

_BYTES_LEAVE_OUT: Final = frozenset({"recorded_at"})
"""A retry is written later than the first try and is the same record."""


class _Batch(NamedTuple):
    """One session's consecutive entries, encoded."""

    session_id: str
    entries: list[Document]
    raw: RawBSONDocument

    @classmethod
    def of(cls, entries: list[Document]) -> "_Batch":
        first, last = entries[0], entries[-1]
        numbers = [frame["number"] for entry in entries for frame in entry["frames"]]
        document = {
            "session_id": first["session_id"],
            "seq": first["record"]["seq"],
            "last_seq": last["record"]["seq"],
            "entries": entries,
        }
        if numbers:
            document |= {"first_frame": numbers[0], "last_frame": numbers[-1]}
        raw = bson.encode(document)
        if len(raw) > MOST_BYTES:
            raise InvalidDocument(f"{len(raw)} bytes are more than MongoDB takes")
        return cls(first["session_id"], entries, RawBSONDocument(raw))

    def contents(self) -> Iterable[tuple[Document, bytes]]:
        return ((entry, _content(entry)) for entry in self.entries)


class MongoJournal:
    """The journal in MongoDB.

    The index `fence` holds each (session, seq) once over all documents. Owners of a session
    have read it to its end, so two of them collide in the first record they write.
    """

    def __init__(self, collections: Collections) -> None:
        """Use the journal's collection."""
        self._collection = collections[JournalDocument]

    async def append(self, entries: Sequence[JournalEntry]) -> dict[str, Exception]:
        """Write entries of any sessions in one durable insert; return what failed, by session id."""
        failed: dict[str, Exception] = {}
        batches: list[_Batch] = []
        for own in _by_session(entries):
            try:
                batches.append(_Batch.of([BSON.encode(entry) for entry in own]))
            except (DomainError, BSONError, OverflowError, UnicodeError) as error:
                # One session's nonsense must not keep the others from being written.
                failed[own[0].session_id] = error
        for index, failure in (await self._insert(batches)).items():
            batch = batches[index]
            if failure["code"] != DUPLICATE_KEY:
                failed[batch.session_id] = StoreError(f"journal: {failure['errmsg']}")
            elif (lost := await self._settle(batch)) is not None:
                failed[batch.session_id] = lost
        return failed

    async def read(self, session_id: str, after: int = 0, limit: int | None = None) -> Sequence[JournalEntry]:
        """Return entries with `seq > after`, in order."""
        found: list[JournalEntry] = []
        wanted = {"session_id": session_id, "last_seq": {"$gt": after}}
        with answered():
            # At least one entry a document, so `limit` documents are always enough.
            async for document in self._collection.find(wanted).sort("last_seq").limit(limit or 0):
                entries = (BSON.decode(JournalEntry, raw) for raw in document["entries"])
                found.extend(entry for entry in entries if entry.record.seq > after)
        return found[:limit]

    async def frames(self, session_id: str, after: int, limit: int) -> Sequence[Frame]:
        """Return up to `limit` numbered frames with `number > after`, in order."""
        found: list[Frame] = []
        wanted = {"session_id": session_id, "last_frame": {"$gt": after}}
        with answered():
            async for document in self._collection.find(wanted, {"entries.frames": 1}).sort("last_frame").limit(limit):
                raws = (raw for entry in document["entries"] for raw in entry["frames"] if raw["number"] > after)
                found.extend(BSON.decode(Frame, raw) for raw in raws)
        return found[:limit]

    async def _insert(self, batches: Sequence[_Batch]) -> dict[int, Document]:
        """Insert all; return the write errors by position."""
        if not batches:
            return {}
        try:
            with answered(within=APPEND_TIMEOUT_S):
                await self._collection.insert_many([batch.raw for batch in batches], ordered=False)
        except BulkWriteError as error:
            return {failure["index"]: failure for failure in error.details["writeErrors"]}
        return {}

    async def _settle(self, batch: _Batch) -> FenceLost | None:
        """Find out what is in the way: our own earlier try, or another owner."""
        seqs = [entry["record"]["seq"] for entry in batch.entries]
        in_the_way = {"session_id": batch.session_id, "entries.record.seq": {"$in": seqs}}
        with answered(within=APPEND_TIMEOUT_S):
            stored = [raw async for other in self._collection.find(in_the_way) for raw in other["entries"]]
        kept = {raw["record"]["seq"]: _content(raw) for raw in stored}
        missing = [entry for entry in batch.entries if entry["record"]["seq"] not in kept]
        if any(kept.get(entry["record"]["seq"], content) != content for entry, content in batch.contents()):
            return FenceLost(f"another owner has written records {seqs} of session {batch.session_id}")
        # The first try was shorter than this one: what came since goes in now.
        if missing and await self._insert([_Batch.of(missing)]):
            return FenceLost(f"another owner is writing records {seqs} of session {batch.session_id}")
        return None


def _by_session(entries: Iterable[JournalEntry]) -> list[list[JournalEntry]]:
    by_id = attrgetter("session_id")
    return [list(own) for _, own in groupby(sorted(entries, key=by_id), key=by_id)]


def _content(entry: Document) -> bytes:
    """Return what must be equal for two entries to be the same one, `epoch` included."""
    return bson.encode({name: value for name, value in entry.items() if name not in _BYTES_LEAVE_OUT})
