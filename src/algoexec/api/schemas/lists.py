"""Lists: filters that every list has, and a page of one."""

from datetime import datetime
from typing import Annotated

from fastapi import Query as Parameter
from pydantic import AwareDatetime, BaseModel, Field

from algoexec.ports.stores import Query

LARGEST_PAGE = 1000

SessionFilter = Annotated[
    str | None, Parameter(description="Only of this session.", pattern=r"^[a-z0-9]{1,32}$", examples=[None])
]
Since = Annotated[AwareDatetime | None, Parameter(description="Only at or after this time (ISO 8601 with an offset).")]
Until = Annotated[AwareDatetime | None, Parameter(description="Only before this time (ISO 8601 with an offset).")]
Limit = Annotated[int, Parameter(ge=1, le=LARGEST_PAGE, description="At most so many.")]
PageCursor = Annotated[
    str | None, Parameter(max_length=500, description="`cursor` of the page before; opaque.", examples=[None])
]


def query_of(
    user_id: str | None,
    session_id: str | None,
    since: datetime | None,
    until: datetime | None,
    limit: int,
    cursor: str | None,
) -> Query:
    """Return the store's query for a list as a caller asked for it."""
    return Query(user_id=user_id, session_id=session_id, since=since, until=until, limit=limit, cursor=cursor)


class PageOf[T](BaseModel):
    """One page, newest first."""

    items: list[T]
    cursor: str | None = Field(description="Hand it back as `cursor` for the next page; null on the last one.")
