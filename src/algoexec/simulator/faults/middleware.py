"""The middleware in which requests to the simulated broker are delayed, refused, garbled and cut."""

import asyncio
from collections.abc import Iterator, Mapping
from typing import Any, Final
from urllib.parse import parse_qs

import orjson
from starlette.requests import HTTPConnection
from starlette.responses import HTMLResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from algoexec.simulator.errors import (
    Refusal,
    address_refused,
    out_of_service,
    rate_limited,
    refusal_response,
    token_refused,
)
from algoexec.simulator.faults.effects import Answer
from algoexec.simulator.faults.injector import FaultInjector
from algoexec.simulator.faults.matching import Occasion
from algoexec.simulator.faults.outcomes import RequestFault
from algoexec.simulator.uplink import CUT_KEY
from algoexec.simulator.users import token_if_any

OWN_PATHS: Final = "/sim/"
"""The simulator's own endpoints, which are not the broker's and never fail on purpose."""

_REFUSALS: Final = {
    refusal.status: refusal
    for refusal in (token_refused(), address_refused("on purpose"), out_of_service(), rate_limited())
}
_BROKEN: Final = ("UDAPI100500", "Something went wrong, please try again")
"""The code of an internal error, as collected for 2026; the words are made up."""

_BLOCKED: Final = """<!DOCTYPE html><html lang="en-US"><head><title>Access denied</title></head>
<body><h1>Error 1010</h1><p>The owner of this website has banned your access.</p></body></html>"""
_GARBAGE: Final = b'{"status":"success","data":{"order_id'


class FaultyRequests:
    """ASGI middleware round the broker's endpoints, also the handshakes of its sockets.

    To cut a connection the app must be served with `uplink.CuttableHttp`, as `server.serve` does.
    """

    def __init__(self, app: ASGIApp, injector: FaultInjector) -> None:
        """Stand before `app`."""
        self._app: Final = app
        self._injector: Final = injector

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let a request through, or do to it what its fault says."""
        is_broker = scope["type"] in ("http", "websocket") and not scope["path"].startswith(OWN_PATHS)
        if not is_broker or not self._injector.meets_requests:
            await self._app(scope, receive, send)
            return
        body = b""
        if scope["type"] == "http":
            body = await _body(receive)
            receive = _again(body, receive)
        fault = self._injector.request(_occasion(scope, body))
        if fault is None:
            await self._app(scope, receive, send)
        elif scope["type"] == "http":
            await self._answer(fault, scope, receive, send)
        else:
            await self._shake_hands(fault, scope, receive, send)

    async def _answer(self, fault: RequestFault, scope: Scope, receive: Receive, send: Send) -> None:
        await asyncio.sleep(fault.before_s)
        if fault.cut == "before":
            await _cut(scope, receive)
            return
        replied: list[Message] = []
        if fault.answer is None or fault.answer.accepted:
            await self._app(scope, receive, _kept(replied))
        await asyncio.sleep(fault.after_s)
        if fault.answer is not None:
            await _response(fault.answer)(scope, receive, send)
        elif fault.cut is None:
            await _send_all(replied, send)
        else:
            if fault.cut == "midway":
                await _send_half(replied, send)
            await _cut(scope, receive)

    async def _shake_hands(self, fault: RequestFault, scope: Scope, receive: Receive, send: Send) -> None:
        """Refuse, cut or delay the handshake of a socket; what comes after it are frames, not requests."""
        await asyncio.sleep(fault.before_s + fault.after_s)
        if fault.cut is not None:
            await _cut(scope, receive)
        elif fault.answer is not None:
            await _response(fault.answer)(scope, receive, send)
        else:
            await self._app(scope, receive, send)


# --- what is told of a request -------------------------------------------------------------------------------------


def _occasion(scope: Scope, body: bytes) -> Occasion:
    query = parse_qs(scope["query_string"].decode("latin-1"))
    orders = list(_orders(body))
    keys = [key for name in ("instrument_key", "symbol") for text in query.get(name, ()) for key in text.split(",")]
    keys += [part for part in scope["path"].split("/") if "|" in part]
    keys += [str(order[name]) for order in orders for name in ("instrument_token", "instrument_key") if name in order]
    tags = [*query.get("tag", ()), *(str(order["tag"]) for order in orders if order.get("tag") is not None)]
    return Occasion(
        path=scope["path"],
        method=scope.get("method", "GET"),
        user=_user(scope),
        instruments=tuple(keys),
        tags=tuple(tags),
        sides=tuple(str(order["transaction_type"]) for order in orders if "transaction_type" in order),
    )


def _orders(body: bytes) -> Iterator[Mapping[str, Any]]:
    """Yield the mappings of a JSON body, which is one or a list of them; nothing of any other body."""
    try:
        given = orjson.loads(body)
    except orjson.JSONDecodeError:
        return
    for one in given if isinstance(given, list) else [given]:
        if isinstance(one, Mapping):
            yield one


def _user(scope: Scope) -> str | None:
    try:
        token = token_if_any(HTTPConnection(scope))
    except Refusal:
        return None
    return None if token is None else token.user.id


# --- ASGI ----------------------------------------------------------------------------------------------------------


async def _body(receive: Receive) -> bytes:
    parts = []
    while (message := await receive())["type"] == "http.request":
        parts.append(message.get("body", b""))
        if not message.get("more_body", False):
            break
    return b"".join(parts)


def _again(body: bytes, receive: Receive) -> Receive:
    """Return a `receive` that tells a body which has been read already."""
    waiting: list[Message] = [{"type": "http.request", "body": body, "more_body": False}]

    async def told() -> Message:
        return waiting.pop() if waiting else await receive()

    return told


def _kept(messages: list[Message]) -> Send:
    async def keep(message: Message) -> None:
        messages.append(message)

    return keep


async def _send_all(messages: list[Message], send: Send) -> None:
    for message in messages:
        await send(message)


async def _send_half(messages: list[Message], send: Send) -> None:
    """Send the head, which promises the whole body, and half of the body."""
    for message in messages:
        if message["type"] == "http.response.start":
            await send(message)
    body = b"".join(message.get("body", b"") for message in messages)
    await send({"type": "http.response.body", "body": body[: len(body) // 2], "more_body": True})


async def _cut(scope: Scope, receive: Receive) -> None:
    scope["state"][CUT_KEY]()
    # The server answers 500 for an app that returns without a word, unless it knows that nobody listens.
    while not (await receive())["type"].endswith(".disconnect"):
        pass


def _response(answer: Answer) -> Response:
    match answer.body:
        case "error":
            usual = _REFUSALS.get(answer.status) or Refusal(answer.status, *_BROKEN)
            code, message = answer.code or usual.code, answer.message or usual.message
            return refusal_response(Refusal(answer.status, code, message))
        case "html":
            return HTMLResponse(_BLOCKED, answer.status)
        case "garbage":
            return Response(_GARBAGE, answer.status, media_type="application/json")
        case "empty":
            return Response(status_code=answer.status)
