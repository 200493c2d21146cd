"""One feed socket: what it subscribed to, what it still has to get, what it has confirmed."""

import asyncio
import struct
from collections import deque
from typing import Final

from starlette.websockets import WebSocket

from algoexec.domain.instruments import InstrumentKey
from algoexec.simulator.configuration import SimulatorSettings
from algoexec.simulator.faults.line import Closing, FaultyLine, Frame
from algoexec.simulator.uplink import Uplink
from algoexec.simulator.users import User
from algoexec.simulator.wire import Mode

_COUNT: Final = struct.Struct("!Q")


class Subscriber:
    """A connected feed client. `offer` never waits; `write` sends in order until it is cancelled."""

    def __init__(
        self, user: User, socket: WebSocket, uplink: Uplink | None, line: FaultyLine, settings: SimulatorSettings
    ) -> None:
        """Serve `user` on `socket` over `line`; without `uplink` what was sent counts as confirmed."""
        self.user: Final = user
        self.modes: Final[dict[InstrumentKey, Mode]] = {}
        self._socket = socket
        self._uplink = uplink
        self._line = line
        self._settings = settings
        self._unsent: deque[Frame | Closing] = deque()
        self._sent = 0
        self._confirmed = 0
        self._has_more = asyncio.Event()
        self._is_settled = asyncio.Event()
        self._is_settled.set()
        if uplink is not None:
            uplink.on_pong = self._confirm

    @property
    def is_settled(self) -> bool:
        """Whether all is sent and no more than the window unconfirmed."""
        return self._is_settled.is_set()

    @property
    def is_watching(self) -> bool:
        """Whether it has subscribed to anything and can be told of it."""
        return bool(self.modes) and self._line.is_open

    def offer(self, message: Frame) -> None:
        """Queue a frame; cut the connection of a client that would never catch up."""
        carried = self._line.carry(message)
        if carried is not None:
            self._queue(carried)
        elif self._line.is_dead:
            # Its clients will confirm nothing any more: a paced clock must not wait for them.
            self._is_settled.set()

    def _queue(self, message: Frame | Closing) -> None:
        if self._uplink is not None and len(self._unsent) >= self._settings.most_unsent_frames:
            self._uplink.abort()
            return
        self._unsent.append(message)
        self._is_settled.clear()
        self._has_more.set()

    async def settled(self) -> None:
        """Return once the socket is settled, or gone."""
        await self._is_settled.wait()

    async def write(self) -> None:
        """Send what is offered, and a ping where nothing is; ends by cancellation or when the socket does."""
        try:
            while True:
                await self._wait_for_more()
                while self._unsent:
                    await self._send(self._unsent[0])
                    self._unsent.popleft()
                    self._judge()
        finally:
            self.release()

    def release(self) -> None:
        """Let go of whoever waits for this socket: it will not take anything any more."""
        self._unsent.clear()
        self._confirmed = self._sent
        self._is_settled.set()

    async def _wait_for_more(self) -> None:
        while not self._unsent:
            self._has_more.clear()
            try:
                async with asyncio.timeout(self._settings.idle_ping_s):
                    await self._has_more.wait()
            except TimeoutError:
                self._ping()

    async def _send(self, message: Frame | Closing) -> None:
        if isinstance(message, Closing):
            await self._end(message)
        elif isinstance(message, bytes):
            await self._socket.send_bytes(message)
        else:
            await self._socket.send_text(message)
        self._sent += 1
        if self._uplink is None:
            self._confirmed = self._sent
        elif self._sent % self._settings.frames_per_ping == 0:
            self._ping()

    async def _end(self, closing: Closing) -> None:
        if not closing.is_cut:
            await self._socket.close(closing.code)
        elif self._uplink is not None:
            self._uplink.abort()

    def _ping(self) -> None:
        if self._uplink is not None:
            self._uplink.ping(_COUNT.pack(self._sent))

    def _confirm(self, payload: bytes) -> None:
        if len(payload) == _COUNT.size:
            (count,) = _COUNT.unpack(payload)
            if self._confirmed < count <= self._sent:
                self._confirmed = count
                self._judge()

    def _judge(self) -> None:
        if not self._unsent and self._sent - self._confirmed <= self._settings.window:
            self._is_settled.set()
