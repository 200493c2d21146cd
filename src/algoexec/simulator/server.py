"""Serve the simulator on loopback, inside a running event loop."""

import asyncio
import ipaddress
import socket
from collections.abc import AsyncIterator, Iterable, Iterator
from contextlib import asynccontextmanager, closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

import uvicorn
from starlette.applications import Starlette

from algoexec.ports.clock import WallClock
from algoexec.simulation.day import SimulatedDay
from algoexec.simulator.app import create_app
from algoexec.simulator.broker import SimulatedBroker
from algoexec.simulator.configuration import SimulatorSettings
from algoexec.simulator.faults.script import Script
from algoexec.simulator.state_log import StateLog
from algoexec.simulator.uplink import CountedWebSocket, CuttableHttp

LOOPBACK = "127.0.0.1"


@dataclass(frozen=True, slots=True, kw_only=True)
class RunningSimulator:
    """A simulator that answers. `url` has no trailing slash."""

    url: str
    broker: SimulatedBroker
    task: asyncio.Task[None]

    async def wait(self) -> None:
        """Return when the server has stopped; raise what stopped it."""
        await asyncio.shield(self.task)


@asynccontextmanager
async def serve(
    day: SimulatedDay,
    settings: SimulatorSettings,
    wall: WallClock,
    *,
    host: str = LOOPBACK,
    port: int = 0,
    state: Path | None = None,
    faults: Iterable[Script] = (),
) -> AsyncIterator[RunningSimulator]:
    """Serve `day` until the block is left; port 0 takes a free one.

    With `state`, a file, it goes on as the exchange that left it there; without, it is a new one each time.
    `faults` are active from the start, or go on as they were in the state.

    Raises:
        ValueError: `host` is not a loopback address: a made-up broker belongs on no network.
        BadStateLog: the state is another day's, or in use, or none.
        OSError: the port is taken.
    """
    listener = _listen(host, port)
    app = create_app(day, settings, wall)
    broker: SimulatedBroker = app.state.broker
    with closing(listener), _kept(broker, state):
        broker.faults.ensure(faults)
        async with _serving(app, listener) as task:
            address, bound = listener.getsockname()[:2]
            yield RunningSimulator(url=f"http://{_bracketed(address)}:{bound}", broker=broker, task=task)


@contextmanager
def _kept(broker: SimulatedBroker, state: Path | None) -> Iterator[None]:
    """Let the broker go on from the state, and write to it until the block is left."""
    if state is None:
        yield
        return
    log, entries = StateLog.open(state, broker.exchange.day, broker.instance)
    with closing(log):
        broker.resume(log, entries)
        yield


@asynccontextmanager
async def _serving(app: Starlette, listener: socket.socket) -> AsyncIterator[asyncio.Task[None]]:
    server = _Server(
        uvicorn.Config(
            app,
            http=CuttableHttp,
            ws=CountedWebSocket,
            ws_per_message_deflate=False,
            # Its own keepalive would answer for the pings that count frames.
            ws_ping_interval=None,
            log_config=None,
            access_log=False,
            lifespan="on",
            timeout_graceful_shutdown=1,
        )
    )
    task = asyncio.create_task(server.serve(sockets=[listener]), name="simulator")
    try:
        await _until_started(server, task)
        yield task
    finally:
        server.should_exit = True
        await asyncio.wait([task])


class _Server(uvicorn.Server):
    """uvicorn that leaves signals to whoever runs the loop, and says when it has started."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.has_started = asyncio.Event()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets=sockets)
        self.has_started.set()

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


async def _until_started(server: _Server, task: asyncio.Task[None]) -> None:
    started = asyncio.create_task(server.has_started.wait())
    try:
        await asyncio.wait({started, task}, return_when=asyncio.FIRST_COMPLETED)
    finally:
        started.cancel()
    if task.done():
        task.result()
        raise RuntimeError("the simulator stopped while it started")


def _listen(host: str, port: int) -> socket.socket:
    if not ipaddress.ip_address(host).is_loopback:
        raise ValueError(f"the simulator serves loopback addresses only, not {host}")
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # asyncio turns Nagle's delay off only where the protocol is named.
    listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
    except OSError:
        listener.close()
        raise
    return listener


def _bracketed(address: str) -> str:
    return f"[{address}]" if ":" in address else address
