"""Signals and rejections of the past."""

from dataclasses import replace
from typing import Final

from fastapi import APIRouter

from algoexec.api.dependencies import Reader, Store, readable
from algoexec.api.errors import problems
from algoexec.api.schemas.lists import Asked, PageOf, SessionFilter
from algoexec.api.schemas.signals import CandidateOut, SignalOut
from algoexec.runtime.outcomes import outcomes_of

router = APIRouter(tags=["signals"])

_PROBLEMS: Final = problems(
    "unauthenticated", "forbidden", "invalid-request", "invalid-cursor", "session-unreadable", "database-unavailable"
)


@router.get("/signals", operation_id="listSignals", summary="List signals", responses=_PROBLEMS)
async def list_signals(
    caller: Reader, stores: Store, asked: Asked, session_id: SessionFilter = None
) -> PageOf[SignalOut]:
    """Return emitted signals, newest first, by `at`, each with what became of it."""
    with readable("signals"):
        page = await stores.projections.signals(replace(asked, user_id=caller.user_id, session_id=session_id))
        outcomes = await outcomes_of(stores, page.items)
    items = [SignalOut.with_outcome(one, outcomes.get(one.signal.id)) for one in page.items]
    return PageOf(items=items, cursor=page.cursor)


@router.get("/rejections", operation_id="listRejections", summary="List rejections", responses=_PROBLEMS)
async def list_rejections(
    caller: Reader, stores: Store, asked: Asked, session_id: SessionFilter = None
) -> PageOf[CandidateOut]:
    """Return candidates that did not become signals, newest first; `reason` says why."""
    with readable("rejections"):
        page = await stores.projections.rejections(replace(asked, user_id=caller.user_id, session_id=session_id))
    return PageOf(items=[CandidateOut.of(one) for one in page.items], cursor=page.cursor)
