"""Who asks, and whether what they ask for is theirs: decided once, here."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated, NamedTuple

from fastapi import Depends, Path, Request
from fastapi.requests import HTTPConnection

from algoexec.api.auth import LOCAL, Caller
from algoexec.api.errors import ApiProblem
from algoexec.api.origin import is_loopback_host
from algoexec.api.services import ApiOptions, Services
from algoexec.api.tickets import Tickets
from algoexec.domain.errors import DecodeError, DomainError
from algoexec.engine.events import Mode
from algoexec.engine.trading.drafting import offer_of
from algoexec.ports.stores import Scope, Stores
from algoexec.runtime.registry import Registry
from algoexec.runtime.views import SessionView
from algoexec.runtime.wire import order_form
from algoexec.telemetry import logger

_log = logger("api")

SESSION_ID = r"^[a-z0-9]{1,32}$"


def services_of(connection: HTTPConnection) -> Services:
    """Return what the lifespan made."""
    services: Services = connection.app.state.services
    return services


def options_of(connection: HTTPConnection) -> ApiOptions:
    """Return the options of the app."""
    options: ApiOptions = connection.app.state.options
    return options


def registry_of(connection: HTTPConnection) -> Registry:
    """Return the running sessions."""
    return services_of(connection).registry


def stores_of(connection: HTTPConnection) -> Stores:
    """Return the stores."""
    return services_of(connection).stores


def tickets_of(connection: HTTPConnection) -> Tickets:
    """Return the living WebSocket tickets."""
    tickets: Tickets = connection.app.state.tickets
    return tickets


async def caller_of(connection: HTTPConnection) -> Caller:
    """Return who asks; asked once a request.

    Raises:
        ApiProblem: nobody that is known, or nobody in particular by another machine's name.
    """
    known: Caller | None = getattr(connection.state, "caller", None)
    if known is None:
        known = await services_of(connection).authenticator.caller(connection.headers.get("authorization"))
        if known is LOCAL and not is_loopback_host(connection.headers):
            raise ApiProblem("host-not-allowed")
        connection.state.caller = known
    return known


async def reader(request: Request) -> Caller:
    """Return a caller who may read."""
    return require(await caller_of(request), Scope.READ)


async def trader(request: Request) -> Caller:
    """Return a caller who may command; whether in live mode too is asked of the session."""
    return require(await caller_of(request), Scope.TRADE)


def require(caller: Caller, scope: Scope) -> Caller:
    """Return `caller` if the scope suffices.

    Raises:
        ApiProblem: `forbidden`.
    """
    if not caller.scope.includes(scope):
        raise ApiProblem("forbidden", f"This needs the scope `{scope}`; the credential has `{caller.scope}`.")
    return caller


Reader = Annotated[Caller, Depends(reader)]
Trader = Annotated[Caller, Depends(trader)]
Sessions = Annotated[Registry, Depends(registry_of)]
Store = Annotated[Stores, Depends(stores_of)]
Given = Annotated[Services, Depends(services_of)]
Options = Annotated[ApiOptions, Depends(options_of)]
SessionId = Annotated[str, Path(description="The session.", pattern=SESSION_ID, examples=["s7k2m9q4w1x8z3b5"])]

OrderId = Annotated[
    str, Path(description="The order.", pattern=r"^[a-z0-9-]{1,64}$", examples=["s7k2m9q4w1x8z3b5-2h-0"])
]


class OfferedOrder(NamedTuple):
    """An order about which a person is asked."""

    id: str
    session_id: str


@contextmanager
def readable(what: str) -> Iterator[None]:
    """Name what is read from the stores, should it make no sense to this version.

    Raises:
        ApiProblem: `session-unreadable`.
    """
    try:
        yield
    except (DecodeError, DomainError) as error:
        _log.error("what is stored cannot be read", what=what, error=str(error))
        raise ApiProblem("session-unreadable", f"{what}: {error}") from error


async def session_of(registry: Registry, caller: Caller, session_id: str) -> SessionView:
    """Return a session of the caller's; another user's is as unknown as none.

    Raises:
        ApiProblem: `session-not-found`, or `session-unreadable`.
    """
    with readable(f"session {session_id}"):
        found = await registry.get(session_id, caller.user_id)
    if found is None:
        raise ApiProblem("session-not-found", f"There is no session {session_id}.")
    return found


async def own_session(session_id: SessionId, caller: Reader, registry: Sessions) -> SessionView:
    """Return the session of the path for reading."""
    return await session_of(registry, caller, session_id)


async def commanded_session(session_id: SessionId, caller: Trader, registry: Sessions) -> SessionView:
    """Return the session of the path for a command."""
    return await commanded(registry, caller, session_id)


async def commanded(registry: Registry, caller: Caller, session_id: str) -> SessionView:
    """Return a session of the caller's for a command; a live one needs the scope `live`.

    Raises:
        ApiProblem: `forbidden`, or as `session_of`.
    """
    found = await session_of(registry, caller, session_id)
    require(caller, scope_for(found.row.mode))
    return found


async def offered_order(order_id: OrderId, caller: Trader, registry: Sessions) -> OfferedOrder:
    """Return the order of the path if a person is asked about it; that of a live session needs the scope `live`.

    Raises:
        ApiProblem: `order-not-found`, `order-not-waiting`, or `session-unreadable`.
    """
    session_id = order_id.partition("-")[0]
    with readable(f"order {order_id}"):
        session = await registry.get(session_id, caller.user_id)
        if session is None:
            raise unknown_order(order_id)
        require(caller, scope_for(session.row.mode))
        trading = None if session.state is None else session.state.trading
        offered = None if trading is None else offer_of(trading.intent)
        if offered is None or (offered.id, offered.approved_by) != (order_id, None):
            stored = await registry.order(order_id, caller.user_id)
            if stored is None:
                raise unknown_order(order_id)
            told = order_form(stored.told)
            raise ApiProblem("order-not-waiting", " ".join(filter(None, (told["phase"], told["reason"]))))
    return OfferedOrder(order_id, session_id)


def unknown_order(order_id: str) -> ApiProblem:
    """Return the problem that there is no such order, or that it is another user's."""
    return ApiProblem("order-not-found", f"There is no order {order_id}.")


def scope_for(mode: Mode) -> Scope:
    """Return the scope that commands to a session of that mode need."""
    return Scope.LIVE if mode is Mode.LIVE else Scope.TRADE


OwnSession = Annotated[SessionView, Depends(own_session)]
CommandedSession = Annotated[SessionView, Depends(commanded_session)]
Offered = Annotated[OfferedOrder, Depends(offered_order)]
