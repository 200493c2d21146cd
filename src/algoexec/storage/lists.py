"""Newest-first lists with cursors."""

from collections.abc import Callable
from datetime import datetime
from typing import Any

from pymongo import DESCENDING
from pymongo.asynchronous.collection import AsyncCollection

from algoexec.ports.paging import Position, page_of
from algoexec.ports.stores import Page, Query
from algoexec.storage.codec import Document
from algoexec.storage.connection import answered


async def newest_first[T](
    collection: AsyncCollection[Document],
    wanted: Document,
    query: Query,
    read: Callable[[Document], T],
    *,
    time: str = "at",
) -> Page[T]:
    """Return one page of what is `wanted`, within the query's times and after its cursor.

    Order is (`time`, `_id`), descending, as the collections' indexes have it.
    """
    conditions = [wanted, *_bounds(query, time)]
    with answered():
        cursor = collection.find({"$and": conditions}).sort([(time, DESCENDING), ("_id", DESCENDING)])
        found = await cursor.limit(query.limit + 1).to_list()
    rows = [(Position(_time(document, time), str(document["_id"])), read(document)) for document in found]
    return page_of(rows, query.limit)


def _bounds(query: Query, time: str) -> list[dict[str, Any]]:
    bounds: list[dict[str, Any]] = []
    if query.since is not None:
        bounds.append({time: {"$gte": query.since}})
    if query.until is not None:
        bounds.append({time: {"$lt": query.until}})
    if query.cursor is not None:
        at, row = Position.of_cursor(query.cursor)
        # The first condition alone lets the index begin at the right place.
        bounds.append({time: {"$lte": at}})
        bounds.append({"$or": [{time: {"$lt": at}}, {"_id": {"$lt": row}}]})
    return bounds


def _time(document: Document, name: str) -> datetime:
    at: datetime = document[name]
    return at
