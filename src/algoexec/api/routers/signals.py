"""Signals and rejections of the past."""

from typing import Final

from fastapi import APIRouter

from algoexec.api.dependencies import Reader, Store
from algoexec.api.errors import problems
from algoexec.api.schemas.lists import Limit, PageCursor, PageOf, SessionFilter, Since, Until, query_of
from algoexec.api.schemas.signals import SignalOut

router = APIRouter(tags=["signals"])

_PROBLEMS: Final = problems("unauthenticated", "forbidden", "invalid-request", "invalid-cursor", "database-unavailable")


@router.get("/signals", operation_id="listSignals", summary="List signals", responses=_PROBLEMS)
async def list_signals(
    caller: Reader,
    stores: Store,
    session_id: SessionFilter = None,
    since: Since = None,
    until: Until = None,
    limit: Limit = 100,
    cursor: PageCursor = None,
) -> PageOf[SignalOut]:
    """Return emitted signals, newest first, by `at`."""
    page = await stores.projections.signals(query_of(caller.user_id, session_id, since, until, limit, cursor))
    return PageOf(items=[SignalOut.of(one) for one in page.items], cursor=page.cursor)


@router.get("/rejections", operation_id="listRejections", summary="List rejections", responses=_PROBLEMS)
async def list_rejections(
    caller: Reader,
    stores: Store,
    session_id: SessionFilter = None,
    since: Since = None,
    until: Until = None,
    limit: Limit = 100,
    cursor: PageCursor = None,
) -> PageOf[SignalOut]:
    """Return candidates that did not become signals, newest first; `reason` says why."""
    page = await stores.projections.rejections(query_of(caller.user_id, session_id, since, until, limit, cursor))
    return PageOf(items=[SignalOut.of(one) for one in page.items], cursor=page.cursor)
