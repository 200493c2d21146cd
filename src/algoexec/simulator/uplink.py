"""uvicorn's WebSocket with more abilities: a small send buffer, pings that the app can count, an abrupt end."""

from asyncio import BaseTransport, WriteTransport
from collections.abc import Callable
from typing import Final, cast

from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol
from websockets.frames import Frame

STATE_KEY: Final = "uplink"
"""Under this name the connection's `Uplink` is found in the scope's state."""

_SEND_BUFFER: Final = 32 * 1024
"""Bytes that may wait in the process; beyond it a sender waits. The kernel holds more: hence the pings."""


class Uplink:
    """What a WebSocket app cannot do by itself. `on_pong` is called with the payload of each pong."""

    __slots__ = ("abort", "on_pong", "ping")

    def __init__(self, ping: Callable[[bytes], None], abort: Callable[[], None]) -> None:
        """Send a ping with `ping`, cut the connection with `abort`; nobody listens yet."""
        self.ping: Final = ping
        self.abort: Final = abort
        self.on_pong: Callable[[bytes], None] = _ignored


def _ignored(payload: bytes) -> None:
    """Nobody listens."""


class CountedWebSocket(WebSocketsSansIOProtocol):
    """The protocol to pass to uvicorn as `ws`; its own keepalive must be off, it would eat the pongs."""

    uplink: Uplink

    def connection_made(self, transport: BaseTransport) -> None:
        """Keep the send buffer small."""
        self.uplink = Uplink(self._ping, self._abort)
        super().connection_made(transport)
        cast(WriteTransport, transport).set_write_buffer_limits(high=_SEND_BUFFER)

    async def run_asgi(self) -> None:
        """Hand the app its uplink."""
        self.scope["state"][STATE_KEY] = self.uplink
        await super().run_asgi()

    def handle_pong(self, event: Frame) -> None:
        """Tell who listens."""
        self.uplink.on_pong(bytes(event.data))

    def _ping(self, payload: bytes) -> None:
        if self.handshake_complete and not self.close_sent and not self.transport.is_closing():
            self.conn.send_ping(payload)
            self.transport.write(b"".join(self.conn.data_to_send()))

    def _abort(self) -> None:
        self.transport.abort()
