"""What both of the broker's streams share: authorise, connect once, one writer, an end with the token."""

import asyncio
import secrets
from contextlib import suppress
from typing import Final, NamedTuple, Protocol

from starlette.requests import HTTPConnection, Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import BaseRoute, Route, WebSocketRoute
from starlette.websockets import WebSocket, WebSocketDisconnect, WebSocketState

from algoexec.simulator.broker import SimulatedBroker
from algoexec.simulator.errors import Refusal, refusal_response, success, token_refused
from algoexec.simulator.faults.line import FaultyLine
from algoexec.simulator.lifelines import TokenDied
from algoexec.simulator.subscriber import Subscriber
from algoexec.simulator.uplink import STATE_KEY
from algoexec.simulator.users import Token, User

_FAREWELL_S: Final = 5.0


class Room[W](Protocol):
    """What one kind of stream does with its sockets; `W` is what a client says it wants when it asks."""

    path: str
    """Where clients ask for the stream."""
    socket_path: str
    """Where an authorised URI leads; a client must not know it, only follow."""

    def wanted(self, connection: HTTPConnection) -> W:
        """Return what a client asks for.

        Raises:
            Refusal: it makes no sense.
        """

    def admit(self, user: User) -> None:
        """Let one more socket of a user in.

        Raises:
            Refusal: it is one too many.
        """

    def enter(self, subscriber: Subscriber, wants: W) -> None:
        """Begin to tell a socket."""

    def leave(self, subscriber: Subscriber) -> None:
        """Stop telling a socket."""

    def obey(self, subscriber: Subscriber, request: bytes) -> None:
        """Do what a socket asks."""


class _Ticket[W](NamedTuple):
    token: Token
    wants: W


class Stream[W]:
    """The endpoints of one stream."""

    def __init__(self, broker: SimulatedBroker, room: Room[W]) -> None:
        """Serve `room`."""
        self._broker = broker
        self._room = room
        self._tickets: dict[str, _Ticket[W]] = {}

    def routes(self) -> list[BaseRoute]:
        """Return the endpoints."""
        return [
            Route(f"{self._room.path}/authorize", self.authorize),
            WebSocketRoute(self._room.path, self.redirect),
            WebSocketRoute(self._room.socket_path, self.connect),
        ]

    async def authorize(self, request: Request) -> Response:
        """Return an address that opens the stream once."""
        uri = self._address(request, "authorize")
        return success({"authorized_redirect_uri": uri, "authorizedRedirectUri": uri})

    async def redirect(self, socket: WebSocket) -> None:
        """Send a client that comes with its token to an address that opens the stream once."""
        try:
            uri = self._address(socket, "connect")
        except Refusal as refusal:
            await socket.send_denial_response(refusal_response(refusal))
            return
        await socket.send_denial_response(RedirectResponse(uri, 302))

    async def connect(self, socket: WebSocket) -> None:
        """Serve one socket until its client leaves, or its token dies."""
        try:
            ticket = self._ticket(socket)
            self._room.admit(ticket.token.user)
        except Refusal as refusal:
            await socket.send_denial_response(refusal_response(refusal))
            return
        try:
            async with self._broker.lifelines.until_death(ticket.token):
                await self._serve(socket, ticket)
        except TokenDied:
            await _dismiss(socket)

    def _ticket(self, socket: WebSocket) -> _Ticket[W]:
        ticket = self._tickets.pop(socket.query_params.get("code", ""), None)
        if ticket is None or self._broker.accounts.is_dead(ticket.token, self._broker.clock.now_ms):
            raise token_refused()
        return ticket

    async def _serve(self, socket: WebSocket, ticket: _Ticket[W]) -> None:
        user = ticket.token.user
        uplink = socket.scope["state"].get(STATE_KEY)
        line = FaultyLine(self._broker.faults, path=self._room.path, user=user.id, transport=uplink)
        subscriber = Subscriber(user, socket, uplink, line, self._broker.settings)
        # Before the first await: two handshakes of one user must not both be first.
        self._room.enter(subscriber, ticket.wants)
        writer = None
        try:
            await socket.accept()
            writer = asyncio.create_task(subscriber.write())
            while True:
                self._room.obey(subscriber, await _received(socket))
        except WebSocketDisconnect:
            pass
        finally:
            self._room.leave(subscriber)
            subscriber.release()
            if writer is not None:
                writer.cancel()
                with suppress(asyncio.CancelledError, WebSocketDisconnect):
                    await writer

    def _address(self, connection: HTTPConnection, step: str) -> str:
        token = self._broker.token(connection, f"{self._room.path}/{step}")
        code = secrets.token_urlsafe(24)
        self._tickets[code] = _Ticket(token, self._room.wanted(connection))
        netloc = connection.url.netloc
        return f"ws://{netloc}{self._room.socket_path}?requestId={secrets.token_hex(8)}&code={code}"


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
