"""The market-data feed V3: one connection, kept for ever.

Source: docs/upstox.md §3; V3 protocol of SDK 2.30.0 `feeder/market_data_feeder_v3.py`.
"""

import asyncio
import random
from collections.abc import Callable, Iterable
from contextlib import suppress
from typing import Final

import orjson
from websockets.asyncio.client import ClientConnection
from websockets.exceptions import ConnectionClosed

from algoexec.adapters.upstox.decode import QuoteBoard
from algoexec.adapters.upstox.stream import LOSSES, Authorize, FeedTiming, Stream, words_of
from algoexec.domain.errors import BrokerUnavailable, DecodeError, FeedTaken, TokenRefused
from algoexec.domain.instruments import InstrumentKey
from algoexec.ports.credentials import AccessToken
from algoexec.ports.feed import Feed, FeedConnected, FeedEvent, FeedLost, FeedTokenRefused, SegmentsChanged

__all__ = ["FeedTiming", "UpstoxFeed"]

_MODE: Final = "full"

_SEGMENTS: Final = ("NSE_INDEX", "NSE_FO")
_TRADES: Final = "NORMAL_OPEN"


class UpstoxFeed(Feed):
    """The feed of one credential in mode full."""

    def __init__(
        self,
        authorize: Authorize,
        token: AccessToken,
        observe: Callable[[int], None],
        *,
        timing: FeedTiming | None = None,
        chance: Callable[[], float] = random.random,
    ) -> None:
        """Connect nowhere yet.

        `authorize` returns a single-use address for a token; `observe` hears the stamp of each
        frame before the sink sees what is in it.
        """
        self._stream = Stream(authorize, timing=timing, chance=chance)
        self._token = token
        self._observe = observe
        self._wanted: dict[InstrumentKey, None] = {}
        self._socket: ClientConnection | None = None
        self._board = QuoteBoard()
        self._renewed = asyncio.Event()
        self._is_trading = False
        self._requests = 0
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
                self._stream.count_no_losses()
            except LOSSES as error:
                sink(FeedLost(detail=words_of(error), taken=isinstance(error, FeedTaken)))
                await self._stream.recover(error)

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
        async with self._stream.opened(self._token) as socket:
            self._board = QuoteBoard()
            self._socket = socket
            try:
                await self._request("sub", list(self._wanted))
                sink(FeedConnected())
                while True:
                    self._read(await self._next(socket), sink)
            finally:
                self._socket = None

    async def _next(self, socket: ClientConnection) -> bytes | str:
        silence = self._stream.timing.silence
        try:
            async with asyncio.timeout(silence if self._is_trading else None):
                return await socket.recv()
        except TimeoutError as error:
            detail = f"no frame for {silence:g} s while the market trades"
            raise BrokerUnavailable(detail) from error

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
