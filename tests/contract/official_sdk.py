"""The official SDK, aimed at a simulator. It is synchronous and runs in threads of its own."""

import asyncio
import queue
import threading
from collections.abc import Callable
from typing import Any, Final

import pytest
import upstox_client
import websocket

from algoexec.simulator.server import RunningSimulator
from tests.waiting import until

PATIENCE_S: Final = 20
API_VERSION: Final = "2.0"
LIVE_SOCKET: Final = "wss://api.upstox.com"

type Read = Callable[..., Any]
"""Calls an SDK function in a thread and returns its answer."""


def api_client(running: RunningSimulator, token: str = "user:sdk") -> Any:  # noqa: S107 - made up
    """Return the SDK's client for a token."""
    configuration = upstox_client.Configuration()
    # On each copy: the constructor hands out shallow copies of the first one made in the process.
    configuration.host = configuration.order_host = running.url
    configuration.sandbox = False
    configuration.access_token = token
    return upstox_client.ApiClient(configuration)


async def answer(function: Read, *arguments: object, **options: object) -> Any:
    """Return the whole answer of an SDK call, which is made in a thread."""
    async with asyncio.timeout(PATIENCE_S):
        return await asyncio.to_thread(function, *arguments, **options)


async def read(function: Read, *arguments: object, **options: object) -> Any:
    """Return the data of an SDK call that goes well."""
    told = await answer(function, *arguments, **options)
    assert told.status == "success"
    return told.data


class Heard:
    """What a streamer emitted, in order, handed over from the SDK's thread."""

    def __init__(self, streamer: Any) -> None:
        """Listen to `streamer` from now on."""
        self._events: queue.Queue[tuple[str, Any]] = queue.Queue()
        for name in ("open", "message", "error", "close", "reconnecting", "autoReconnectStopped"):
            streamer.on(name, lambda *values, name=name: self._events.put((name, values)))

    async def until(self, name: str, wanted: Callable[[Any], bool] = lambda _: True) -> Any:
        """Return the next event of that name that is wanted; an error nobody waits for fails the test."""
        while True:
            heard, values = await asyncio.to_thread(self._events.get, timeout=PATIENCE_S)
            assert heard != "error" or name == "error", values
            if heard == name and wanted(values):
                return values

    async def message(self, wanted: Callable[[Any], bool] = lambda _: True) -> Any:
        """Return the next message that is wanted."""
        (message,) = await self.until("message", lambda values: wanted(values[0]))
        return message


async def threads_ended() -> None:
    """Return once the SDK's socket threads are gone: each ends within 10 s of its socket, so long it sleeps."""

    def are_gone() -> bool:
        return not any("(run_forever)" in thread.name for thread in threading.enumerate())

    await asyncio.to_thread(until, are_gone, within=PATIENCE_S)


@pytest.fixture
def aimed_at(monkeypatch: pytest.MonkeyPatch) -> Callable[[RunningSimulator], None]:
    """Point the streamers, whose addresses are fixed in the SDK, at a simulator."""
    original = websocket.WebSocketApp

    def aim(running: RunningSimulator) -> None:
        def redirected(url: str, **options: Any) -> Any:
            assert url.startswith(LIVE_SOCKET)
            return original(url.replace(LIVE_SOCKET, running.url.replace("http", "ws")), **options)

        # Both feeders look it up there.
        monkeypatch.setattr("websocket.WebSocketApp", redirected)

    return aim
