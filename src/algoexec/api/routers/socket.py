"""The stream as a WebSocket."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import aclosing, suppress
from functools import partial
from typing import Final, Never

import orjson
from starlette.routing import WebSocketRoute
from starlette.types import Receive, Send
from starlette.types import Scope as ASGIScope
from starlette.websockets import WebSocket, WebSocketDisconnect

from algoexec.api.auth import Caller
from algoexec.api.dependencies import caller_of, options_of, require, services_of, tickets_of
from algoexec.api.errors import ApiProblem
from algoexec.api.origin import is_own_or_listed
from algoexec.api.stream_request import CREDENTIAL_OVER, credential_over, open_watch
from algoexec.domain.errors import StoreError
from algoexec.ports.stores import Scope
from algoexec.runtime.watcher import EndReason, WatchEnded, Watcher
from algoexec.telemetry import logger

SUBPROTOCOL: Final = "algoexec.v1"
_TICKET_MARK: Final = "ticket."
_FIRST_MESSAGE_S: Final = 5.0
_FAREWELL_S: Final = 2.0
_LONGEST_REASON: Final = 120
"""A close frame's reason is at most 123 bytes (RFC 6455 §5.5)."""

UNAUTHENTICATED: Final = 4401
FORBIDDEN: Final = 4403
NOT_FOUND: Final = 4404
BAD_TICKET: Final = 4408
TOO_SLOW: Final = 4429
RESTART: Final = 1012
POLICY: Final = 1008
BROKEN: Final = 1011

_CLOSE_CODES: Final = {
    "unauthenticated": UNAUTHENTICATED,
    "forbidden": FORBIDDEN,
    "origin-not-allowed": FORBIDDEN,
    "host-not-allowed": FORBIDDEN,
    "session-not-found": NOT_FOUND,
    "invalid-request": POLICY,
    "session-unreadable": BROKEN,
}

_log = logger("socket")


class _Closing(Exception):
    """The connection is to be closed with this code."""

    def __init__(self, code: int, reason: str) -> None:
        super().__init__(reason)
        self.code = code


class SignalsSocket:
    """The endpoint, as plain ASGI: what a framework puts around each message costs every client."""

    async def __call__(self, scope: ASGIScope, receive: Receive, send: Send) -> None:
        """Send frames as asyncapi.yaml describes them. What the client sends after its ticket is ignored."""
        socket = WebSocket(scope, receive, send)
        await socket.accept(subprotocol=SUBPROTOCOL if SUBPROTOCOL in scope["subprotocols"] else None)
        try:
            caller = await _caller(socket)
            async with await _watcher(socket, caller) as watcher:
                await _serve(receive, send, watcher, partial(credential_over, socket, caller))
        except WebSocketDisconnect:
            return
        except _Closing as closing:
            await _close(socket, closing.code, str(closing))
        except ApiProblem as problem:
            await _close(socket, _CLOSE_CODES.get(problem.code, RESTART), problem.detail or problem.code)
        except StoreError:
            await _close(socket, RESTART, "the database does not answer; connect again later")
        except Exception:  # noqa: BLE001 - a connection's root: its client is told, the log has the rest
            _log.exception("stream failed")
            await _close(socket, BROKEN, "something broke here")


ROUTE: Final = WebSocketRoute("/ws/signals", SignalsSocket(), name="signals")


async def _watcher(socket: WebSocket, caller: Caller) -> Watcher:
    asked = socket.query_params
    registry = services_of(socket).registry
    return await open_watch(registry, caller, asked.get("session_id"), asked.get("topics"), asked.get("since"))


async def _caller(socket: WebSocket) -> Caller:
    """Return who connects: by header, by ticket, or on a machine of one's own nobody in particular."""
    if not is_own_or_listed(socket.headers, options_of(socket).cors_origins):
        raise _Closing(FORBIDDEN, "this origin is not on the list")
    offered = [one for one in socket.scope["subprotocols"] if one.startswith(_TICKET_MARK)]
    if offered:
        return _redeem(socket, offered[0].removeprefix(_TICKET_MARK))
    if "authorization" in socket.headers or await services_of(socket).authenticator.is_open():
        return require(await caller_of(socket), Scope.READ)
    try:
        async with asyncio.timeout(_FIRST_MESSAGE_S):
            first = await socket.receive()
    except TimeoutError as error:
        raise _Closing(BAD_TICKET, "no ticket came within 5 s") from error
    if first["type"] == "websocket.disconnect":
        raise WebSocketDisconnect(first["code"])
    return _redeem(socket, _ticket_in(first.get("text") or ""))


def _ticket_in(text: str) -> str:
    try:
        ticket = orjson.loads(text)["ticket"]
    except (ValueError, TypeError, KeyError) as error:
        raise _Closing(BAD_TICKET, 'the first message must be {"ticket": "…"}') from error
    return str(ticket)


def _redeem(socket: WebSocket, ticket: str) -> Caller:
    caller = tickets_of(socket).redeem(ticket, socket.headers.get("origin"))
    if caller is None:
        raise _Closing(BAD_TICKET, "the ticket is unknown, used, expired, or of another origin")
    return require(caller, Scope.READ)


async def _serve(receive: Receive, send: Send, watcher: Watcher, over: Callable[[], Awaitable[None]]) -> None:
    """Send until the client goes, the hub ends the watch, or the credential is `over`."""
    try:
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(_send(send, watcher))
            tasks.create_task(_close_when(over))
            await _read_away(receive)
    except BaseExceptionGroup as group:
        raise group.exceptions[0] from None


async def _close_when(over: Callable[[], Awaitable[None]]) -> None:
    await over()
    raise _Closing(UNAUTHENTICATED, CREDENTIAL_OVER)


async def _read_away(receive: Receive) -> Never:
    """Read until the client goes: that is also what lets its pings and its close through."""
    while True:
        message = await receive()
        if message["type"] == "websocket.disconnect":
            raise WebSocketDisconnect(message["code"])


async def _send(send: Send, watcher: Watcher) -> None:
    task = asyncio.current_task()
    assert task is not None  # noqa: S101 - a coroutine runs in a task
    watcher.call_at_end(task.cancel)
    try:
        async with aclosing(watcher.beginning()) as beginning:
            async for message in beginning:
                await send({"type": "websocket.send", "text": message.text})
        while True:
            for message in await watcher.take():
                await send({"type": "websocket.send", "text": message.text})
    except WatchEnded as ended:
        raise _ended(watcher) from ended
    except asyncio.CancelledError:
        if watcher.ended is None:
            raise
        raise _ended(watcher) from None
    except OSError as gone:
        # The server's word for a client that went while something was sent to it.
        raise WebSocketDisconnect(1006) from gone


def _ended(watcher: Watcher) -> _Closing:
    return _Closing(TOO_SLOW if watcher.ended is EndReason.TOO_SLOW else RESTART, watcher.why)


async def _close(socket: WebSocket, code: int, reason: str) -> None:
    """Say why and close; a client that reads nothing any more is not waited for."""
    short = reason.encode()[:_LONGEST_REASON].decode(errors="ignore")
    with suppress(TimeoutError, RuntimeError, WebSocketDisconnect):
        async with asyncio.timeout(_FAREWELL_S):
            await socket.close(code, short)
