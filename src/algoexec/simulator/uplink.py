"""uvicorn's WebSocket with two more abilities: a small send buffer, and pings that the app can count."""

from asyncio import BaseTransport, WriteTransport
from collections.abc import Callable
from typing import Final, cast

from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol
from websockets.frames import Frame

STATE_KEY: Final = "pings"
"""Under this name the connection's `Pings` are found in the scope's state."""

_SEND_BUFFER: Final = 32 * 1024
"""Bytes that may wait in the process; beyond it a sender waits. The kernel holds more: hence the pings."""


class Pings:
    """Pings of one connection. `on_pong` is called with the payload of each pong."""

    __slots__ = ("on_pong", "send")

    def __init__(self, send: Callable[[bytes], None]) -> None:
        """Send with `send`; nobody listens yet."""
        self.send: Final = send
        self.on_pong: Callable[[bytes], None] = _ignored


def _ignored(payload: bytes) -> None:
    """Nobody listens."""


class CountedWebSocket(WebSocketsSansIOProtocol):
    """The protocol to pass to uvicorn as `ws`; its own keepalive must be off, it would eat the pongs."""

    pings: Pings

    def connection_made(self, transport: BaseTransport) -> None:
        """Keep the send buffer small."""
        self.pings = Pings(self._ping)
        super().connection_made(transport)
        cast(WriteTransport, transport).set_write_buffer_limits(high=_SEND_BUFFER)

    async def run_asgi(self) -> None:
        """Hand the app this connection's pings."""
        self.scope["state"][STATE_KEY] = self.pings
        await super().run_asgi()

    def handle_pong(self, event: Frame) -> None:
        """Tell who listens."""
        self.pings.on_pong(bytes(event.data))

    def _ping(self, payload: bytes) -> None:
        if self.handshake_complete and not self.close_sent and not self.transport.is_closing():
            self.conn.send_ping(payload)
            self.transport.write(b"".join(self.conn.data_to_send()))
