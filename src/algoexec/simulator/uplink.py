"""uvicorn's protocols with more abilities.

HTTP can be cut. A WebSocket has a small send buffer, pings that the app can count, and two bad
ends: an abrupt one, and silence.
"""

from asyncio import BaseTransport, Transport, WriteTransport
from collections.abc import Callable
from typing import Final, cast

from uvicorn._types import ASGISendEvent
from uvicorn.protocols.http.h11_impl import H11Protocol
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol
from websockets.frames import Frame

STATE_KEY: Final = "uplink"
"""Under this name the connection's `Uplink` is found in the scope's state."""

CUT_KEY: Final = "cut"
"""Under this name a function that ends the request's connection at once is found in the scope's state."""

_SEND_BUFFER: Final = 32 * 1024
"""Bytes that may wait in the process; beyond it a sender waits. The kernel holds more: hence the pings."""


class CuttableHttp(H11Protocol):
    """The protocol to pass to uvicorn as `http`."""

    def connection_made(self, transport: Transport) -> None:  # type: ignore[override] # as in uvicorn's own
        """Hand the app the end of its connection."""
        self.app_state = {**self.app_state, CUT_KEY: transport.abort}
        super().connection_made(transport)


class Uplink:
    """What a WebSocket app cannot do by itself. `on_pong` is called with the payload of each pong."""

    __slots__ = ("abort", "fall_silent", "on_pong", "ping")

    def __init__(
        self, ping: Callable[[bytes], None], abort: Callable[[], None], fall_silent: Callable[[], None]
    ) -> None:
        """Send a ping with `ping`, cut the connection with `abort`; nobody listens yet.

        After `fall_silent` nothing is sent or answered and what comes is ignored, while the TCP
        connection stays.
        """
        self.ping: Final = ping
        self.abort: Final = abort
        self.fall_silent: Final = fall_silent
        self.on_pong: Callable[[bytes], None] = _ignored


def _ignored(payload: bytes) -> None:
    """Nobody listens."""


class CountedWebSocket(WebSocketsSansIOProtocol):
    """The protocol to pass to uvicorn as `ws`; its own keepalive must be off, it would eat the pongs."""

    uplink: Uplink
    _is_silent = False

    def connection_made(self, transport: BaseTransport) -> None:
        """Keep the send buffer small."""
        self.uplink = Uplink(self._ping, self._abort, self._fall_silent)
        super().connection_made(transport)
        cast(WriteTransport, transport).set_write_buffer_limits(high=_SEND_BUFFER)

    def data_received(self, data: bytes) -> None:
        """Read, unless silent: the end of the connection is noticed even then."""
        if not self._is_silent:
            super().data_received(data)

    async def run_asgi(self) -> None:
        """Hand the app its uplink."""
        self.scope["state"][STATE_KEY] = self.uplink
        await super().run_asgi()

    async def send(self, message: ASGISendEvent) -> None:
        """Send, and count a handshake that was answered in full as complete: uvicorn calls a refusal an error."""
        await super().send(message)
        if self.initial_response is not None and self.close_sent:
            self.handshake_complete = True

    def handle_pong(self, event: Frame) -> None:
        """Tell who listens."""
        self.uplink.on_pong(bytes(event.data))

    def _ping(self, payload: bytes) -> None:
        is_open = self.handshake_complete and not self.close_sent and not self.transport.is_closing()
        if is_open and not self._is_silent:
            self.conn.send_ping(payload)
            self.transport.write(b"".join(self.conn.data_to_send()))

    def _abort(self) -> None:
        self.transport.abort()

    def _fall_silent(self) -> None:
        self._is_silent = True
