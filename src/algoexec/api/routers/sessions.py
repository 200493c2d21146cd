"""Sessions: begin, look, change, end."""

from dataclasses import replace
from typing import Annotated, Any, Final

from fastapi import APIRouter, Query, Response, status

from algoexec.api.commanding import NOT_TRADED, begin_session, egress_of, named
from algoexec.api.config import ConfigChanges, SessionConfig
from algoexec.api.dependencies import (
    CommandedSession,
    Options,
    OwnSession,
    Reader,
    Sessions,
    Trader,
    readable,
)
from algoexec.api.errors import missing, problems
from algoexec.api.idempotency import IDEMPOTENT, IdempotentRoute
from algoexec.api.schemas.lists import Asked, Limit, PageOf
from algoexec.api.schemas.sessions import (
    HaltRequest,
    JournalEntryOut,
    JournalOut,
    LogVolume,
    NewSession,
    NewToken,
    SessionChanges,
    SessionOut,
)
from algoexec.api.schemas.trading import PreflightOut
from algoexec.api.trading_config import TradingConfig
from algoexec.engine.trading.flow import is_flat
from algoexec.engine.trading.rules import TradeRules
from algoexec.ports.credentials import AccessToken
from algoexec.runtime.conflicts import SessionIsOver
from algoexec.runtime.views import SessionView
from algoexec.strategy.parameters import Parameters
from algoexec.telemetry import LOUDNESS

router = APIRouter(prefix="/sessions", tags=["sessions"], route_class=IdempotentRoute)

_READ: Final = ("unauthenticated", "forbidden", "database-unavailable")
_ONE: Final = (*_READ, "session-not-found", "session-unreadable")
_COMMAND: Final = (*_ONE, "session-over", "session-elsewhere", "invalid-request")
_KEYED: Final = ("request-in-progress", "idempotency-key-reused")
_STILL: Final[dict[int | str, dict[str, Any]]] = {
    202: {"model": SessionOut, "description": "It is under way: something is still held or working."}
}


@router.post(
    "",
    status_code=status.HTTP_201_CREATED,
    operation_id="createSession",
    summary="Begin a session",
    dependencies=IDEMPOTENT,
    responses=problems(
        *_READ, *_KEYED, "session-exists", "account-in-use", "kill-switch-on", "preflight-failed", "invalid-request",
        "mode-not-available", "broker-token-rejected", "egress-proxy-not-allowed",
        "broker-refused", "broker-answer-unreadable", "broker-unavailable",
    ),
)  # fmt: skip
async def create_session(
    body: NewSession, caller: Trader, registry: Sessions, options: Options, response: Response
) -> SessionOut:
    """Begin a session for the trading day under way, or for the next one when the market is closed.

    A user has one active session, a broker account one that is `live`. The access token is
    checked with the broker; should the broker not answer, the session is STARTING and goes on
    trying. In modes `paper` and `live` counters, limits and halts of the day's earlier sessions
    go on: `config.trading` of the answer is what holds.
    """
    view = await begin_session(registry, options, caller, body)
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
    """Use other numbers from the next candle on, and trade by other rules at once. The change is journaled.

    None of the day's limits becomes looser today: `config.trading` of the answer is what holds.
    """
    before = session.state.parameters if session.state else Parameters()
    parameters, rules = _changed(before, body.config), _changed_rules(session, body.config)
    view = session
    # Both were checked before either is done.
    if rules is None or body.config.model_fields_set != {"trading"}:
        view = await registry.change_parameters(session.row.id, parameters)
    if rules is not None:
        view = await registry.change_rules(session.row.id, rules)
    return SessionOut.of(view)


@router.delete(
    "/{session_id}",
    operation_id="stopSession",
    summary="End a session",
    responses={**_STILL, **problems(*_COMMAND, "position-open")},
)
async def stop_session(
    session: CommandedSession,
    registry: Sessions,
    response: Response,
    *,
    flatten: Annotated[bool, Query(description="Sell what is held first; the session ends when it is flat.")] = False,
    hand_over: Annotated[
        bool, Query(description="Leave what is held to you: it is not sold, and not watched any more.")
    ] = False,
) -> SessionOut:
    """End the session for good; its token is deleted. What it saw, did and traded stays.

    With a position or a working order it goes on, unless `flatten` says that everything may be
    sold: then the answer is `202`, and the session is STOPPING until fills say that it is flat. With
    `hand_over` instead, working entries and exits are withdrawn, and it ends once that is sure; a stop
    that rests at the exchange stays there, an alert `HANDED_OVER` says which.
    """
    if flatten and hand_over:
        raise missing("query.flatten", "query.hand_over", why="one of them: sell what is held, or leave it to you")
    return _under_way(await registry.stop(session.row.id, flatten=flatten, hand_over=hand_over), response)


@router.post(
    "/{session_id}/flatten",
    operation_id="flattenSession",
    summary="Get out of everything",
    dependencies=IDEMPOTENT,
    responses={**_STILL, **problems(*_COMMAND, *_KEYED)},
)
async def flatten_session(
    session: CommandedSession, caller: Trader, registry: Sessions, response: Response
) -> SessionOut:
    """Cancel entries and sell what is held; the session goes on, and may begin new trades."""
    return _under_way(await registry.flatten(session.row.id, by=caller.id), response)


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
    """Undo `halt`, and unlock the day after the breaker has locked it. The kill switch stays as it is.

    Of a day that was locked the limits of profit, loss and losing trades in a row count anew from here: as much again
    may be lost. The journal keeps who said so.
    """
    return SessionOut.of(await registry.resume(session.row.id, by=caller.id))


@router.post(
    "/{session_id}/token",
    operation_id="replaceToken",
    summary="Hand in a new access token",
    dependencies=IDEMPOTENT,
    responses=problems(*_COMMAND, *_KEYED, "broker-token-rejected", "egress-proxy-not-allowed", "other-account"),
)
async def replace_token(session: CommandedSession, body: NewToken, registry: Sessions) -> SessionOut:
    """Broker tokens die each night at 03:30 IST; a session in NEEDS_TOKEN goes on with the new one."""
    token = AccessToken(body.access_token.get_secret_value())
    egress = egress_of(body.egress_proxy, body.algo_name, session.row.mode)
    return SessionOut.of(await registry.replace_token(session.row.id, token, egress))


@router.put(
    "/{session_id}/log-level",
    operation_id="setLogLevel",
    summary="Log more, or less, of a session",
    responses=problems(*_ONE, "session-over", "invalid-request"),
)
async def set_log_level(session: OwnSession, _: Trader, body: LogVolume) -> LogVolume:
    """Log from another level on, at once and until the session ends or this process does.

    At `debug` every record is logged with what came of it.
    """
    if session.row.status.is_over:
        raise SessionIsOver(session.row.id)
    LOUDNESS.set_session(session.row.id, body.level)
    return body


@router.get(
    "/{session_id}/preflight",
    operation_id="getPreflight",
    summary="Could the session trade now?",
    responses=problems(*_ONE),
)
async def get_preflight(session: OwnSession, registry: Sessions) -> PreflightOut:
    """Look at everything that trading needs, with the session's own token."""
    return PreflightOut.of(await registry.preflight_of(session))


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


def _under_way(view: SessionView, response: Response) -> SessionOut:
    """Return the session; 202 while it has something to get out of."""
    if view.state is not None and not is_flat(view.state):
        response.status_code = status.HTTP_202_ACCEPTED
    return SessionOut.of(view)


def _changed(before: Parameters, changes: ConfigChanges) -> Parameters:
    with named("body", "config"):
        return SessionConfig.of(before, None).changed_by(changes).parameters()


def _changed_rules(session: SessionView, changes: ConfigChanges) -> TradeRules | None:
    """Return the rules with the changes; None where there are none."""
    if changes.trading is None:
        return None
    if session.state is None or session.state.trading is None:
        raise missing("body.config.trading", why=NOT_TRADED)
    with named("body", "config", "trading"):
        return TradingConfig.of(session.state.trading.rules).changed_by(changes.trading).rules()
