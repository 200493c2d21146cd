"""A running simulator and clients for tests: real sockets on loopback."""

import json
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from datetime import time
from typing import Any, Final

import httpx
import websockets
from upstox_client.feeder.proto import MarketDataFeedV3_pb2

from algoexec.adapters.system_clock import SystemClock
from algoexec.simulation.day import SimulatedDay
from algoexec.simulation.generated import generated_day
from algoexec.simulator.configuration import SimulatorSettings
from algoexec.simulator.server import RunningSimulator, serve

ANN: Final = "user:ann"
"""Who calls when nobody is named."""
INDEX: Final = "NSE_INDEX|Nifty Bank"
AUTHORIZE: Final = "/v3/feed/market-data-feed/authorize"
PROTO: Final[Any] = MarketDataFeedV3_pb2


def settings(at: str = "10:00", **more: Any) -> SimulatorSettings:
    """Return settings that begin at `at` and play as fast as they are read."""
    return SimulatorSettings(start=time.fromisoformat(at), **{"speed": None, **more})


@asynccontextmanager
async def simulator(
    play: SimulatorSettings | None = None, day: SimulatedDay | None = None
) -> AsyncIterator[RunningSimulator]:
    """Serve the generated day, or `day`."""
    async with serve(day or generated_day(), play or settings(), SystemClock()) as running:
        yield running


def rest(running: RunningSimulator, token: str | None = ANN) -> httpx.AsyncClient:
    """Return a REST client with that token, or without any."""
    headers = {} if token is None else {"Authorization": f"Bearer {token}"}
    return httpx.AsyncClient(base_url=running.url, headers=headers)


async def authorized_uri(running: RunningSimulator, token: str = ANN) -> str:
    """Return an address that opens the feed once."""
    async with rest(running, token) as client:
        answer = await client.get(AUTHORIZE)
    return str(answer.json()["data"]["authorized_redirect_uri"])


class FeedClient:
    """One feed socket, read frame by frame."""

    def __init__(self, socket: websockets.ClientConnection) -> None:
        """Read from `socket`."""
        self.socket = socket

    async def ask(self, method: str, keys: Iterable[str], mode: str | None = None) -> None:
        """Send a request as the broker wants it: JSON in a binary frame."""
        data: dict[str, object] = {"instrumentKeys": list(keys)}
        if mode is not None:
            data["mode"] = mode
        await self.socket.send(json.dumps({"guid": "g", "method": method, "data": data}).encode())

    async def frame(self) -> Any:
        """Return the next frame."""
        message = await self.socket.recv()
        assert isinstance(message, bytes), message
        return PROTO.FeedResponse.FromString(message)

    async def initial(self) -> Any:
        """Return the next snapshot, whatever comes before it."""
        while (frame := await self.frame()).type != PROTO.initial_feed:
            pass
        return frame


@asynccontextmanager
async def feed(running: RunningSimulator, token: str = ANN) -> AsyncIterator[FeedClient]:
    """Open a feed socket."""
    uri = await authorized_uri(running, token)
    # A client that closes with unread frames waits in vain for the answer: it lies behind them.
    async with websockets.connect(uri, compression=None, close_timeout=0.1) as socket:
        yield FeedClient(socket)
