"""Newest-first lists with cursors."""

from collections.abc import Iterable
from operator import itemgetter

from algoexec.ports.paging import Position, page_of
from algoexec.ports.stores import Page, Query


def newest_first[T](rows: Iterable[tuple[Position, T]], query: Query) -> Page[T]:
    """Return one page of `rows`, within the query's times and after its cursor."""
    end = None if query.cursor is None else Position.of_cursor(query.cursor)
    wanted = [
        (position, item)
        for position, item in rows
        if (query.since is None or position.at >= query.since)
        and (query.until is None or position.at < query.until)
        and (end is None or position < end)
    ]
    wanted.sort(key=itemgetter(0), reverse=True)
    return page_of(wanted[: query.limit + 1], query.limit)
