"""Lists: filters that every list has, and a page of one."""

from datetime import UTC, datetime
from typing import Annotated

from fastapi import Depends
from fastapi import Query as Parameter
from pydantic import AfterValidator, AwareDatetime, BaseModel, Field

from algoexec.ports.stores import Query

LARGEST_PAGE = 1000

SessionFilter = Annotated[
    str | None, Parameter(description="Only of this session.", pattern=r"^[a-z0-9]{1,32}$", examples=[None])
]


def _in_utc(at: datetime) -> datetime:
    try:
        return at.astimezone(UTC)
    except OverflowError as error:
        raise ValueError("in UTC this time is out of range") from error


_Time = Annotated[AwareDatetime, AfterValidator(_in_utc)]
_Since = Annotated[_Time | None, Parameter(description="Only at or after this time (ISO 8601 with an offset).")]
_Until = Annotated[_Time | None, Parameter(description="Only before this time (ISO 8601 with an offset).")]
Limit = Annotated[int, Parameter(ge=1, le=LARGEST_PAGE, description="At most so many.")]
Cursor = Annotated[
    str | None, Parameter(max_length=500, description="`cursor` of the page before; opaque.", examples=[None])
]


def _asked(since: _Since = None, until: _Until = None, limit: Limit = 100, cursor: Cursor = None) -> Query:
    return Query(since=since, until=until, limit=limit, cursor=cursor)


Asked = Annotated[Query, Depends(_asked)]
"""Times, limit and cursor of a list as they were asked for; whose rows it may hold is for the endpoint to say."""


class PageOf[T](BaseModel):
    """One page, newest first."""

    items: list[T]
    cursor: str | None = Field(description="Hand it back as `cursor` for the next page; null on the last one.")
