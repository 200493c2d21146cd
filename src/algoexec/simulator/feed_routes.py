"""The market-data feed V3: authorise, connect, subscribe."""

import asyncio
import secrets
from contextlib import suppress
from typing import Final

import orjson
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import BaseRoute, Route, WebSocketRoute
from starlette.websockets import WebSocket, WebSocketDisconnect, WebSocketState

from algoexec.domain.instruments import InstrumentKey
from algoexec.simulator.broker import SimulatedBroker
from algoexec.simulator.errors import Refusal, refusal_response, success, token_refused
from algoexec.simulator.faults.line import FaultyLine
from algoexec.simulator.feed_limits import violation
from algoexec.simulator.lifelines import TokenDied
from algoexec.simulator.subscriber import Subscriber
from algoexec.simulator.uplink import STATE_KEY
from algoexec.simulator.users import Token, User
from algoexec.simulator.wire import Mode

FEED_PATH: Final = "/v3/feed/market-data-feed"
"""Where clients ask for the feed."""
SOCKET_PATH: Final = "/market-data-feeder/v3/upstox-developer-api/feeds"
"""Where an authorised URI leads; a client must not know it, only follow."""

_FAREWELL_S: Final = 5.0


def routes(broker: SimulatedBroker) -> list[BaseRoute]:
    """Return the feed's endpoints."""
    feed = _Feed(broker)
    return [
        Route(f"{FEED_PATH}/authorize", feed.authorize),
        WebSocketRoute(FEED_PATH, feed.redirect),
        WebSocketRoute(SOCKET_PATH, feed.connect),
    ]


class _Feed:
    def __init__(self, broker: SimulatedBroker) -> None:
        self._broker = broker
        self._tickets: dict[str, Token] = {}

    async def authorize(self, request: Request) -> Response:
        """Return an address that opens the feed once."""
        token = self._broker.token(request, "feed/authorize")
        uri = self._address(token, request.url.netloc)
        return success({"authorized_redirect_uri": uri, "authorizedRedirectUri": uri})

    async def redirect(self, socket: WebSocket) -> None:
        """Send a client that comes with its token to an address that opens the feed once."""
        try:
            token = self._broker.token(socket, "feed")
        except Refusal as refusal:
            await socket.send_denial_response(refusal_response(refusal))
            return
        await socket.send_denial_response(RedirectResponse(self._address(token, socket.url.netloc), 302))

    async def connect(self, socket: WebSocket) -> None:
        """Serve one feed socket until its client leaves, or its token dies."""
        broker = self._broker
        token = self._tickets.pop(socket.query_params.get("code", ""), None)
        if token is None or broker.accounts.is_dead(token, broker.clock.now_ms):
            await socket.send_denial_response(refusal_response(token_refused()))
            return
        most = broker.account(token.user).connections(broker.settings.feeds_per_user)
        if broker.hub.connections(token.user) >= most:
            refusal = Refusal(403, "UDAPI100060", "Maximum number of feed connections reached")
            await socket.send_denial_response(refusal_response(refusal))
            return
        try:
            async with broker.lifelines.until_death(token):
                await self._serve(socket, token.user)
        except TokenDied:
            await _dismiss(socket)

    async def _serve(self, socket: WebSocket, user: User) -> None:
        uplink = socket.scope["state"].get(STATE_KEY)
        line = FaultyLine(self._broker.faults, path=FEED_PATH, user=user.id, transport=uplink)
        subscriber = Subscriber(user, socket, uplink, line, self._broker.settings)
        hub = self._broker.hub
        # Before the first await: two handshakes of one user must not both be first.
        hub.add(subscriber)
        writer = None
        try:
            await socket.accept()
            writer = asyncio.create_task(subscriber.write())
            while True:
                self._obey(subscriber, await _received(socket))
        except WebSocketDisconnect:
            pass
        finally:
            hub.remove(subscriber)
            if writer is not None:
                writer.cancel()
                with suppress(asyncio.CancelledError, WebSocketDisconnect):
                    await writer

    def _obey(self, subscriber: Subscriber, request: bytes) -> None:
        """Do what a request says; one that makes no sense is answered in text and changes nothing."""
        try:
            method, keys, mode = _parsed(request)
        except (ValueError, TypeError, KeyError) as error:
            answer = {"status": "failed", "error": f"Invalid request: {error}"}
            subscriber.offer(orjson.dumps(answer).decode())
            return
        if method == "unsub":
            self._broker.hub.unsubscribe(subscriber, keys)
        elif forbidden := violation(subscriber.modes, keys, mode, self._broker.account(subscriber.user).plan):
            answer = {"status": "failed", "method": method, "error": forbidden}
            subscriber.offer(orjson.dumps(answer).decode())
        else:
            self._broker.hub.subscribe(subscriber, keys, mode)

    def _address(self, token: Token, netloc: str) -> str:
        code = secrets.token_urlsafe(24)
        self._tickets[code] = token
        return f"ws://{netloc}{SOCKET_PATH}?requestId={secrets.token_hex(8)}&code={code}"


async def _dismiss(socket: WebSocket) -> None:
    """Close a socket whose token has died; 1000 is a guess. A client that does not read is cut off."""
    if socket.application_state is WebSocketState.DISCONNECTED:
        return  # the client left while the last frame was on its way
    try:
        async with asyncio.timeout(_FAREWELL_S):
            await socket.close(1000, "Token expired")
    except WebSocketDisconnect:
        pass
    except TimeoutError:
        if (uplink := socket.scope["state"].get(STATE_KEY)) is not None:
            uplink.abort()


async def _received(socket: WebSocket) -> bytes:
    message = await socket.receive()
    if message["type"] == "websocket.disconnect":
        raise WebSocketDisconnect(message.get("code", 1005))
    return message.get("bytes") or (message.get("text") or "").encode()


def _parsed(request: bytes) -> tuple[str, list[InstrumentKey], Mode]:
    body = orjson.loads(request)
    method, data = body["method"], body["data"]
    if method not in ("sub", "unsub", "change_mode"):
        raise ValueError(f"method {method!r}")
    keys = [InstrumentKey(str(key)) for key in data["instrumentKeys"]]
    return method, keys, Mode(data.get("mode") or Mode.LTPC)
