"""Days of the past: what each brought, and why it brought no more."""

from dataclasses import replace
from datetime import date, time
from typing import Annotated, Final

from fastapi import APIRouter
from fastapi import Query as Parameter
from pydantic import AfterValidator

from algoexec.api.commanding import named_user
from algoexec.api.dependencies import Reader, Store, readable
from algoexec.api.errors import problems
from algoexec.api.schemas.days import DayOut
from algoexec.api.schemas.lists import Cursor, Limit, PageOf, SessionFilter
from algoexec.api.schemas.sessions import UserId
from algoexec.domain.calendar import ist
from algoexec.engine.events import Mode
from algoexec.ports.stores import Query

router = APIRouter(tags=["trading"])

_PROBLEMS: Final = problems(
    "unauthenticated", "forbidden", "invalid-request", "invalid-cursor", "session-unreadable", "database-unavailable"
)


def _in_range(day: date) -> date:
    try:
        ist(day, time())
    except OverflowError as error:
        raise ValueError("in UTC this day is out of range") from error
    return day


_Day = Annotated[date, AfterValidator(_in_range)]
_Since = Annotated[_Day | None, Parameter(description="Only this trading day and later ones (YYYY-MM-DD).")]
_Until = Annotated[_Day | None, Parameter(description="Only trading days before this one (YYYY-MM-DD).")]


@router.get("/days", operation_id="listDays", summary="List trading days", responses=_PROBLEMS)
async def list_days(
    caller: Reader,
    stores: Store,
    since: _Since = None,
    until: _Until = None,
    limit: Limit = 100,
    cursor: Cursor = None,
    session_id: SessionFilter = None,
    user_id: Annotated[UserId | None, Parameter(description="Only of this user.")] = None,
    mode: Annotated[Mode | None, Parameter(description="Only of sessions in this mode.")] = None,
) -> PageOf[DayOut]:
    """Return what was seen, refused and traded, a trading day an item, newest first.

    An item is of one user, mode and venue: a simulated day that was played twice is two. The day
    under way is there too, as it stands.
    """
    whose = caller.user_id if user_id is None else named_user(caller, user_id, "query.user_id")
    wanted = Query(user_id=whose, session_id=session_id, limit=limit, cursor=cursor)
    if since is not None:
        wanted = replace(wanted, since=ist(since, time()))
    if until is not None:
        wanted = replace(wanted, until=ist(until, time()))
    with readable("days"):
        page = await stores.projections.days(wanted, mode)
    return PageOf(items=[DayOut.of(day) for day in page.items], cursor=page.cursor)
