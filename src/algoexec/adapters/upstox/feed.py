"""The market-data feed V3: one connection, kept for ever.

Own client, because the SDK's turns TLS verification off, gives up after five tries and stays
away after a close with code 1000. Times here are wall time: they are about sockets.

Source: docs/upstox.md §3; V3 protocol of SDK 2.30.0 `feeder/market_data_feeder_v3.py`.
"""

import asyncio
import logging
import random
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from typing import Final

import orjson
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidStatus, WebSocketException

from algoexec.adapters.upstox.decode import QuoteBoard
from algoexec.adapters.upstox.hosts import is_private
from algoexec.adapters.upstox.rest import USER_AGENT
from algoexec.domain.errors import BrokerError, BrokerUnavailable, DecodeError, FeedTaken, TokenRefused
from algoexec.domain.instruments import InstrumentKey
from algoexec.ports.credentials import AccessToken
from algoexec.ports.feed import Feed, FeedConnected, FeedEvent, FeedLost, FeedTokenRefused, SegmentsChanged

_MODE: Final = "full"
_LARGEST_FRAME: Final = 4 * 2**20
"""Bytes. 2,000 instruments in mode full, their maximum, are under 1 MB."""
_FRAMES_AHEAD: Final = 8
"""Frames that may wait for the sink; then the socket is not read, and the sender feels it."""

_SEGMENTS: Final = ("NSE_INDEX", "NSE_FO")
_TRADES: Final = "NORMAL_OPEN"

# Its debug lines carry the URI, and the URI carries a code.
_log = logging.getLogger("algoexec.feed.socket")
_log.setLevel(logging.INFO)


@dataclass(frozen=True, slots=True, kw_only=True)
class FeedTiming:
    """Seconds of wall time.

    The delay after the n-th loss in a row is drawn from the upper half of `first_delay * 2**n`,
    at most `longest_delay`; the row ends when a connection has stood for `steady`. A feed that
    another program holds (403) is tried again after each of `taken_delays`, then at the last.
    A peer that does not answer a ping is dead after `ping_every + ping_timeout` at most; one
    that does is let go of after `silence` without a frame while the venue itself says that our
    segments trade. At any other time silence is no sign of anything.
    """

    first_delay: float = 0.5
    longest_delay: float = 30.0
    steady: float = 10.0
    taken_delays: tuple[float, ...] = (5.0, 15.0, 60.0)
    open_timeout: float = 5.0
    close_timeout: float = 1.0
    ping_every: float = 9.0
    ping_timeout: float = 9.0
    silence: float = 30.0

    def delay(self, losses: int, chance: float) -> float:
        """Return the delay after `losses` in a row, at least 1; `chance` is in [0, 1)."""
        ceiling = min(self.longest_delay, self.first_delay * 2.0 ** min(losses - 1, 30))
        return ceiling * (0.5 + chance / 2)

    def taken_delay(self, refusals: int) -> float:
        """Return the delay after `refusals` with 403 in a row, at least 1."""
        return self.taken_delays[min(refusals, len(self.taken_delays)) - 1]


class UpstoxFeed(Feed):
    """The feed of one credential in mode full."""

    def __init__(
        self,
        authorize: Callable[[AccessToken], Awaitable[str]],
        token: AccessToken,
        observe: Callable[[int], None],
        *,
        timing: FeedTiming | None = None,
        proxy: str | None = None,
        chance: Callable[[], float] = random.random,
    ) -> None:
        """Connect nowhere yet.

        `authorize` returns a single-use address for a token; `observe` hears the stamp of each
        frame before the sink sees what is in it.
        """
        self._authorize = authorize
        self._token = token
        self._observe = observe
        self._timing = timing or FeedTiming()
        self._proxy = proxy
        self._chance = chance
        self._wanted: dict[InstrumentKey, None] = {}
        self._socket: ClientConnection | None = None
        self._board = QuoteBoard()
        self._renewed = asyncio.Event()
        self._is_trading = False
        self._losses = self._taken = self._refused_codes = self._requests = 0
        self.undecodable = 0
        """Frames that made no sense and were dropped."""
        self.last_undecodable: str | None = None
        """Why the last of them made none."""

    async def run(self, sink: Callable[[FeedEvent], None]) -> None:
        """Connect and hand every event to `sink`, in order, until cancelled."""
        while True:
            try:
                await self._follow(sink)
            except TokenRefused as error:
                sink(FeedTokenRefused(detail=str(error)))
                await self._renewed.wait()
                self._losses = 0
            except FeedTaken as error:
                self._taken += 1
                sink(FeedLost(detail=str(error), taken=True))
                await asyncio.sleep(self._timing.taken_delay(self._taken))
            except (BrokerError, DecodeError, WebSocketException, OSError) as error:
                self._losses += 1
                sink(FeedLost(detail=_words(error)))
                await asyncio.sleep(self._timing.delay(self._losses, self._chance()))

    async def subscribe(self, instruments: Iterable[InstrumentKey]) -> None:
        """Ask for `instruments`, now and after every reconnect."""
        new = [key for key in dict.fromkeys(instruments) if key not in self._wanted]
        self._wanted.update(dict.fromkeys(new))
        await self._request("sub", new)

    async def unsubscribe(self, instruments: Iterable[InstrumentKey]) -> None:
        """Let `instruments` go."""
        gone = [key for key in dict.fromkeys(instruments) if key in self._wanted]
        for key in gone:
            del self._wanted[key]
        self._board.forget(gone)
        await self._request("unsub", gone)

    def renew(self, token: AccessToken) -> None:
        """Use `token` from the next connection on; wakes a feed that waits for one."""
        self._token = token
        self._renewed.set()

    async def _follow(self, sink: Callable[[FeedEvent], None]) -> None:
        """Read one connection to its end, which is always an exception."""
        self._renewed.clear()
        self._is_trading = False
        async with self._connection() as socket:
            await self._request("sub", list(self._wanted))
            sink(FeedConnected())
            while True:
                self._read(await self._next(socket), sink)

    async def _next(self, socket: ClientConnection) -> bytes | str:
        try:
            async with asyncio.timeout(self._timing.silence if self._is_trading else None):
                return await socket.recv()
        except TimeoutError as error:
            detail = f"no frame for {self._timing.silence:g} s while the market trades"
            raise BrokerUnavailable(detail) from error

    @asynccontextmanager
    async def _connection(self) -> AsyncGenerator[ClientConnection]:
        address = await self._authorize(self._token)
        if not is_private(address, "wss"):
            raise DecodeError("the authorised feed address is neither wss nor loopback")
        timing = self._timing
        connecting = connect(
            address,
            compression=None,
            max_size=_LARGEST_FRAME,
            max_queue=_FRAMES_AHEAD,
            open_timeout=timing.open_timeout,
            close_timeout=timing.close_timeout,
            ping_interval=timing.ping_every,
            ping_timeout=timing.ping_timeout,
            user_agent_header=USER_AGENT,
            proxy=self._proxy,
            logger=_log,
        )
        socket = await self._opened(connecting)
        self._taken = self._refused_codes = 0
        self._board = QuoteBoard()
        self._socket = socket
        steady = asyncio.get_running_loop().call_later(timing.steady, self._count_no_losses)
        try:
            yield socket
        finally:
            steady.cancel()
            self._socket = None
            await socket.close()

    async def _opened(self, connecting: connect) -> ClientConnection:
        try:
            return await connecting
        except InvalidStatus as error:
            status = error.response.status_code
            if status == 403:
                raise FeedTaken("403: another program holds the one feed connection") from error
            # The single-use code was refused, which may be the server's doing (it was restarted since).
            # A dead token shows when the next code is asked for; if not, the second time counts.
            self._refused_codes += status == 401
            if self._refused_codes > 1:
                self._refused_codes = 0
                raise TokenRefused("401 on the feed's handshake, twice in a row") from error
            raise

    def _count_no_losses(self) -> None:
        self._losses = 0

    def _read(self, frame: bytes | str, sink: Callable[[FeedEvent], None]) -> None:
        try:
            event = self._board.apply(_binary(frame))
        except DecodeError as error:
            self.undecodable += 1
            self.last_undecodable = str(error)
            return
        if isinstance(event, SegmentsChanged):
            self._is_trading = any(event.segments.get(segment) == _TRADES for segment in _SEGMENTS)
        self._observe(event.at)
        sink(event)

    async def _request(self, method: str, instruments: list[InstrumentKey]) -> None:
        if self._socket is None or not instruments:
            return
        self._requests += 1
        data = {"instrumentKeys": instruments, "mode": _MODE}
        request = orjson.dumps({"guid": f"algoexec-{self._requests}", "method": method, "data": data})
        # A connection that ends meanwhile is noticed by its reader; the next one asks for all.
        with suppress(ConnectionClosed):
            await self._socket.send(request)


def _binary(frame: bytes | str) -> bytes:
    if isinstance(frame, str):
        raise DecodeError(f"a text frame: {frame[:200]}")
    return frame


def _words(error: Exception) -> str:
    match error:
        case TimeoutError():
            return "timed out while connecting"
        case ConnectionClosed():
            return f"closed: {error}"
        case InvalidStatus():
            return f"handshake refused with {error.response.status_code}"
        case WebSocketException():
            return f"handshake failed: {type(error).__name__}"  # its text would carry the URI's code
        case _:
            return str(error) or type(error).__name__
