"""Every error as RFC 9457 problem+json. HTTP statuses of failures are here and nowhere else."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from pydantic import BaseModel, ConfigDict, Field
from starlette.exceptions import HTTPException
from starlette.routing import Match, Route

from algoexec.domain.errors import (
    BrokerError,
    BrokerRefused,
    DecodeError,
    FenceLost,
    RateLimited,
    StoreUnavailable,
    TokenRefused,
)
from algoexec.ports.egress import ProxyNotAllowed
from algoexec.ports.stores import AccountInUse, ActiveSessionExists, InvalidCursor
from algoexec.runtime.conflicts import NotOwnedHere, NotWaiting, OtherAccount, PositionOpen, SessionIsOver
from algoexec.runtime.kill_switch import KillSwitchOn
from algoexec.telemetry import logger

_log = logger("api")

MEDIA_TYPE: Final = "application/problem+json"
TYPE_PREFIX: Final = "urn:algoexec:problem:"


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind of problem: its HTTP status, its title, and when it happens."""

    status: int
    title: str
    when: str


KINDS: Final[Mapping[str, Kind]] = {
    "unauthenticated": Kind(401, "Who are you?", "No credential, or one that is unknown, revoked or expired."),
    "forbidden": Kind(403, "Not allowed", "The caller's scope or user does not allow this."),
    "origin-not-allowed": Kind(403, "Origin not allowed", "A web page of an origin that is not on the list."),
    "host-not-allowed": Kind(403, "Host not allowed", "Without authentication only this machine's own names answer."),
    "not-found": Kind(404, "Not found", "There is nothing at this path."),
    "session-not-found": Kind(404, "No such session", "Unknown, or it belongs to another user."),
    "order-not-found": Kind(404, "No such order", "Unknown, or it belongs to another user."),
    "chain-not-polled": Kind(404, "No option chain yet", "The session has not polled one, or does not run."),
    "method-not-allowed": Kind(405, "Method not allowed", "The path exists, not with this method; see `Allow`."),
    "session-exists": Kind(
        409, "The user already has an active session", "One per user and venue; `session_id` names it."
    ),
    "account-in-use": Kind(409, "The account is traded already", "Another live session trades this broker account."),
    "position-open": Kind(
        409, "Something is held", "The session holds a position or an order of it works; see `flatten`."
    ),
    "order-not-waiting": Kind(
        409, "Nobody is asked about it", "It was decided, it expired, or it never waited for approval; see `detail`."
    ),
    "kill-switch-on": Kind(409, "The kill switch is on", "Nothing that trades begins until `DELETE /kill-switch`."),
    "preflight-failed": Kind(
        409, "Not ready to trade", "Something that mode `live` needs is missing; `checks` lists it."
    ),
    "other-account": Kind(409, "Another account's token", "A session that trades stays at its broker account."),
    "session-over": Kind(409, "The session is over", "It has stopped or failed and takes no more commands."),
    "session-elsewhere": Kind(409, "Another process runs the session", "Its lease is held elsewhere; try again."),
    "request-in-progress": Kind(409, "The first request is still running", "The same Idempotency-Key, too early."),
    "body-too-large": Kind(413, "Body too large", "No request of this API needs so much."),
    "unsupported-media-type": Kind(415, "Send JSON", "A body that is not `application/json`."),
    "invalid-request": Kind(422, "The request is not valid", "`errors` says what, field by field."),
    "invalid-cursor": Kind(422, "No such cursor", "The list's `cursor` does not come from an earlier page."),
    "mode-not-available": Kind(422, "This mode is not available", "The service does not offer it (yet)."),
    "broker-token-rejected": Kind(
        422, "The broker refuses the access token", "Get a new one; `broker_code` is its own error code."
    ),
    "egress-proxy-not-allowed": Kind(
        422, "Not one of the operator's proxies", "Orders may leave by those of `ALGOEXEC_EGRESS_PROXIES` alone."
    ),
    "idempotency-key-reused": Kind(
        422, "The key was used for another request", "The same Idempotency-Key with another body."
    ),
    "internal-error": Kind(500, "Something broke here", "Our mistake; it is in the log."),
    "session-unreadable": Kind(
        500, "What is stored cannot be read", "Another version wrote it, or it is damaged; `detail` says where."
    ),
    "broker-refused": Kind(502, "The broker refuses", "It understood and said no; `broker_code` is its own code."),
    "broker-answer-unreadable": Kind(502, "The broker's answer makes no sense", "It is in no form known here."),
    "broker-unavailable": Kind(503, "The broker does not answer", "Try again later; see `Retry-After`."),
    "broker-rate-limited": Kind(503, "The broker's rate limit is reached", "Try again later; see `Retry-After`."),
    "database-unavailable": Kind(503, "The database does not answer", "Try again later; see `Retry-After`."),
    "identity-unavailable": Kind(503, "The identity provider does not answer", "Its keys cannot be fetched now."),
}
"""Every problem this API can answer with, by its code."""


_CONFLICTS: Final[Mapping[type[Exception], str]] = {
    AccountInUse: "account-in-use",
    KillSwitchOn: "kill-switch-on",
    PositionOpen: "position-open",
    NotWaiting: "order-not-waiting",
    OtherAccount: "other-account",
    ProxyNotAllowed: "egress-proxy-not-allowed",
}
"""Failures that say in their own words what is in the way."""


class FieldError(BaseModel):
    """One field that is not as it must be."""

    field: str = Field(description="Where: `body.config.ema_fast_length`, `query.limit`.")
    message: str = Field(description="What is wrong, for a person.")
    code: str = Field(description="What is wrong, for a program.")


class Problem(BaseModel):
    """RFC 9457 problem details. Switch on `code`; show `detail`."""

    model_config = ConfigDict(
        extra="allow",
        json_schema_extra={
            "examples": [
                {
                    "type": f"{TYPE_PREFIX}session-exists",
                    "code": "session-exists",
                    "title": KINDS["session-exists"].title,
                    "status": 409,
                    "detail": "Session s7k2m9q4w1x8z3b5 is active.",
                    "session_id": "s7k2m9q4w1x8z3b5",
                }
            ]
        },
    )

    type: str = Field(description=f"`{TYPE_PREFIX}` and the code.")
    code: str = Field(description="The kind of problem; stable.")
    title: str = Field(description="The kind of problem, for a person; stable.")
    status: int
    detail: str | None = Field(default=None, description="This occurrence, for a person.")
    errors: list[FieldError] | None = Field(default=None, description="With `invalid-request`: what, field by field.")


class ApiProblem(Exception):
    """A request that cannot be answered as asked; `code` is a key of `KINDS`."""

    def __init__(
        self, code: str, detail: str | None = None, *, headers: Mapping[str, str] | None = None, **members: Any
    ) -> None:
        """Say what is wrong; `members` are added to the problem as they are."""
        super().__init__(detail or code)
        self.code = code
        self.detail = detail
        self.headers: Final = dict(headers or {})
        self.members: Final = members

    @property
    def status(self) -> int:
        """The HTTP status of its kind."""
        return KINDS[self.code].status

    def body(self) -> dict[str, Any]:
        """Return it as `Problem` has it."""
        kind = KINDS[self.code]
        return {
            "type": TYPE_PREFIX + self.code,
            "code": self.code,
            "title": kind.title,
            "status": kind.status,
            "detail": self.detail or kind.when,
            **self.members,
        }

    def response(self) -> JSONResponse:
        """Return it as an HTTP answer."""
        return JSONResponse(self.body(), self.status, self.headers, MEDIA_TYPE)


def problem_of(error: Exception) -> ApiProblem | None:
    """Return what a known failure is called here; None for one that nobody foresaw."""
    match error:
        case ApiProblem():
            return error
        case ActiveSessionExists(session_id=session_id):
            return ApiProblem("session-exists", f"Session {session_id} is active.", session_id=session_id)
        case InvalidCursor():
            return ApiProblem("invalid-cursor")
        case SessionIsOver():
            return ApiProblem("session-over")
        case AccountInUse() | KillSwitchOn() | PositionOpen() | NotWaiting() | OtherAccount() | ProxyNotAllowed():
            return ApiProblem(_CONFLICTS[type(error)], str(error) or None)
        case NotOwnedHere() | FenceLost():
            return ApiProblem("session-elsewhere", headers={"Retry-After": "10"})
        case StoreUnavailable():
            return ApiProblem("database-unavailable", headers={"Retry-After": "2"})
        case BrokerError():
            return _from_broker(error)
        case DecodeError():
            return ApiProblem("broker-answer-unreadable", str(error))
        case RequestValidationError():
            return _invalid(error.errors())
        case HTTPException():
            return _from_framework(error)
        case _:
            return None


def missing(*fields: str, why: str) -> ApiProblem:
    """Return the problem of a request that lacks `fields`, or that has what it must not have."""
    return ApiProblem(
        "invalid-request",
        f"{', '.join(fields)}: {why}",
        errors=[{"field": field, "message": why, "code": "missing"} for field in fields],
    )


def install(app: FastAPI) -> None:
    """Answer every failure of `app` with a problem."""
    for kind in (
        ApiProblem,
        ActiveSessionExists,
        InvalidCursor,
        SessionIsOver,
        *_CONFLICTS,
        NotOwnedHere,
        FenceLost,
        StoreUnavailable,
        BrokerError,
        DecodeError,
        RequestValidationError,
        HTTPException,
    ):
        app.add_exception_handler(kind, _known)
    app.add_exception_handler(Exception, _unforeseen)


def problems(*codes: str) -> dict[int | str, dict[str, Any]]:
    """Return `responses=` for the problems that a route can answer with."""
    found: dict[int | str, dict[str, Any]] = {}
    for status in sorted({KINDS[code].status for code in codes}):
        told = [f"`{code}`: {KINDS[code].when}" for code in codes if KINDS[code].status == status]
        found[status] = {"description": " ".join(told), "content": {MEDIA_TYPE: {"schema": _PROBLEM}}}
    return found


_PROBLEM: Final = {"$ref": "#/components/schemas/Problem"}


async def _known(request: Request, error: Exception) -> JSONResponse:
    problem = problem_of(error)
    assert problem is not None  # noqa: S101 - it is registered because problem_of knows it
    if problem.code == "method-not-allowed":
        problem.headers["Allow"] = ", ".join(sorted(_methods(request)))
    return problem.response()


def _methods(request: Request) -> set[str]:
    """Return the methods of a path: its routes are one a method, and the framework names only the first."""
    routes: list[Route] = request.app.state.routes
    fitting = [route for route in routes if route.matches(request.scope)[0] is Match.PARTIAL]
    return {method for route in fitting for method in route.methods or ()}


async def _unforeseen(request: Request, error: Exception) -> JSONResponse:
    _log.error("request failed", method=request.method, path=request.url.path, exc_info=error)
    return ApiProblem("internal-error").response()


def _invalid(errors: Sequence[Any]) -> ApiProblem:
    """Say what is wrong without repeating the input: it may hold a token."""
    found = [
        {"field": ".".join(str(part) for part in one["loc"]), "message": one["msg"], "code": one["type"]}
        for one in errors
    ]
    told = "; ".join(f"{one['field']}: {one['message']}" for one in found)
    return ApiProblem("invalid-request", told, errors=found)


def _from_broker(error: BrokerError) -> ApiProblem:
    match error:
        case TokenRefused():
            return ApiProblem("broker-token-rejected", str(error), broker_code=error.code)
        case BrokerRefused():
            return ApiProblem("broker-refused", str(error), broker_code=error.code)
        case RateLimited():
            return ApiProblem("broker-rate-limited", headers={"Retry-After": "30"})
        case _:
            return ApiProblem("broker-unavailable", headers={"Retry-After": "5"})


def _from_framework(error: HTTPException) -> ApiProblem:
    """Name what the framework itself raises: unknown path or method, unreadable or oversized body."""
    codes = {404: "not-found", 405: "method-not-allowed", 413: "body-too-large", 415: "unsupported-media-type"}
    code = codes.get(error.status_code, "invalid-request" if error.status_code < 500 else "internal-error")
    return ApiProblem(code, None if code in codes.values() else error.detail, headers=error.headers)
