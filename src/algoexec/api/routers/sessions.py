"""Sessions: begin, look, change, end."""

from dataclasses import replace
from typing import Annotated, Final

from fastapi import APIRouter, Query, Response, status
from fastapi.exceptions import RequestValidationError
from pydantic import ValidationError

from algoexec.api.config import ConfigChanges, SessionConfig
from algoexec.api.dependencies import (
    CommandedSession,
    Options,
    OwnSession,
    Reader,
    Sessions,
    Trader,
    readable,
    require,
    scope_for,
)
from algoexec.api.errors import ApiProblem, problems
from algoexec.api.idempotency import IDEMPOTENT, IdempotentRoute
from algoexec.api.schemas.lists import Asked, Limit, PageOf
from algoexec.api.schemas.sessions import (
    HaltRequest,
    JournalEntryOut,
    JournalOut,
    NewSession,
    NewToken,
    SessionChanges,
    SessionOut,
)
from algoexec.ports.credentials import AccessToken
from algoexec.strategy.parameters import Parameters

router = APIRouter(prefix="/sessions", tags=["sessions"], route_class=IdempotentRoute)

_READ: Final = ("unauthenticated", "forbidden", "database-unavailable")
_ONE: Final = (*_READ, "session-not-found", "session-unreadable")
_COMMAND: Final = (*_ONE, "session-over", "session-elsewhere", "invalid-request")
_KEYED: Final = ("request-in-progress", "idempotency-key-reused")


@router.post(
    "",
    status_code=status.HTTP_201_CREATED,
    operation_id="createSession",
    summary="Begin a session",
    dependencies=IDEMPOTENT,
    responses=problems(
        *_READ, *_KEYED, "session-exists", "invalid-request", "mode-not-available", "broker-token-rejected",
        "broker-refused", "broker-answer-unreadable", "broker-unavailable",
    ),
)  # fmt: skip
async def create_session(
    body: NewSession, caller: Trader, registry: Sessions, options: Options, response: Response
) -> SessionOut:
    """Begin a session for the trading day under way, or for the next one when the market is closed.

    A user has one active session. The access token is checked with the broker; should the
    broker not answer, the session is STARTING and goes on trying.
    """
    if body.mode not in options.modes:
        raise ApiProblem("mode-not-available", f"Mode `{body.mode}` is not available here.")
    require(caller, scope_for(body.mode))
    user_id = body.user_id or caller.user_id
    if user_id is None:
        raise _invalid("body.user_id", "a service credential must say whose session it is")
    if not caller.may_act_for(user_id):
        raise ApiProblem("forbidden", "This credential may only begin sessions of its own user.")
    token = AccessToken(body.access_token.get_secret_value()) if body.access_token else None
    view = await registry.create(user_id=user_id, token=token, mode=body.mode, parameters=body.config.parameters())
    response.headers["Location"] = f"/sessions/{view.row.id}"
    return SessionOut.of(view)


@router.get(
    "",
    operation_id="listSessions",
    summary="List sessions",
    responses=problems(*_READ, "invalid-request", "invalid-cursor", "session-unreadable"),
)
async def list_sessions(
    caller: Reader,
    registry: Sessions,
    asked: Asked,
    active: Annotated[bool | None, Query(description="Only those under way, or only those that are over.")] = None,
) -> PageOf[SessionOut]:
    """Return your sessions (a service: everybody's), newest first, by the time they were created."""
    with readable("sessions"):
        page = await registry.list(replace(asked, user_id=caller.user_id), active=active)
    return PageOf(items=[SessionOut.of(view) for view in page.items], cursor=page.cursor)


@router.get("/{session_id}", operation_id="getSession", summary="Look at a session", responses=problems(*_ONE))
async def get_session(session: OwnSession) -> SessionOut:
    """Return how a session stands now, or how it ended."""
    return SessionOut.of(session)


@router.patch(
    "/{session_id}", operation_id="changeSession", summary="Change the configuration", responses=problems(*_COMMAND)
)
async def change_session(session: CommandedSession, body: SessionChanges, registry: Sessions) -> SessionOut:
    """Use other numbers from the next candle on. The change is journaled."""
    before = session.state.parameters if session.state else Parameters()
    parameters = _changed(before, body.config)
    return SessionOut.of(await registry.change_parameters(session.row.id, parameters))


@router.delete(
    "/{session_id}",
    operation_id="stopSession",
    summary="End a session",
    responses=problems(*_COMMAND),
)
async def stop_session(session: CommandedSession, registry: Sessions) -> SessionOut:
    """End the session for good; its token is deleted. Its signals and its journal stay."""
    return SessionOut.of(await registry.stop(session.row.id))


@router.post(
    "/{session_id}/halt",
    operation_id="haltSession",
    summary="Forbid new entries",
    dependencies=IDEMPOTENT,
    responses=problems(*_COMMAND, *_KEYED),
)
async def halt_session(
    session: CommandedSession, caller: Trader, registry: Sessions, body: HaltRequest | None = None
) -> SessionOut:
    """Forbid new entries until `resume`. Signals go on."""
    reason = (body or HaltRequest()).reason
    return SessionOut.of(await registry.halt(session.row.id, by=caller.id, reason=reason))


@router.post(
    "/{session_id}/resume",
    operation_id="resumeSession",
    summary="Allow entries again",
    dependencies=IDEMPOTENT,
    responses=problems(*_COMMAND, *_KEYED),
)
async def resume_session(session: CommandedSession, caller: Trader, registry: Sessions) -> SessionOut:
    """Undo `halt`."""
    return SessionOut.of(await registry.resume(session.row.id, by=caller.id))


@router.post(
    "/{session_id}/token",
    operation_id="replaceToken",
    summary="Hand in a new access token",
    dependencies=IDEMPOTENT,
    responses=problems(*_COMMAND, *_KEYED, "broker-token-rejected"),
)
async def replace_token(session: CommandedSession, body: NewToken, registry: Sessions) -> SessionOut:
    """Broker tokens die each night at 03:30 IST; a session in NEEDS_TOKEN goes on with the new one."""
    token = AccessToken(body.access_token.get_secret_value())
    return SessionOut.of(await registry.replace_token(session.row.id, token))


@router.get(
    "/{session_id}/journal",
    operation_id="getJournal",
    summary="Read what happened",
    responses=problems(*_ONE, "invalid-request"),
)
async def get_journal(
    session: OwnSession,
    registry: Sessions,
    after: Annotated[int, Query(ge=0, le=2**53, description="Only entries with a higher `seq`.")] = 0,
    limit: Limit = 100,
) -> JournalOut:
    """Return the session's records in order: everything it ever took into account."""
    with readable(f"session {session.row.id}"):
        entries = await registry.journal(session.row.id, after, limit)
    return JournalOut(items=[JournalEntryOut.of(entry) for entry in entries])


def _changed(before: Parameters, changes: ConfigChanges) -> Parameters:
    try:
        return SessionConfig.of(before).changed_by(changes).parameters()
    except ValidationError as error:
        places = [{**one, "loc": ("body", "config", *one["loc"])} for one in error.errors(include_url=False)]
        raise RequestValidationError(places) from error


def _invalid(field: str, message: str) -> ApiProblem:
    return ApiProblem(
        "invalid-request", f"{field}: {message}", errors=[{"field": field, "message": message, "code": "missing"}]
    )
