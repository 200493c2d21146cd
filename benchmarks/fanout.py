"""One event to many WebSocket clients: until the last one has it, and how long the session is held up."""

import asyncio
import contextlib
import os
import socket
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median, quantiles
from time import perf_counter, process_time
from typing import Any, Final, cast

import uvicorn
import uvloop
from fastapi import FastAPI, WebSocket, WebSocketDisconnect

from algoexec.engine.effects import Alert, Frame, Severity
from algoexec.runtime.watcher import HubOptions
from benchmarks.table import Table
from tests.api.support import running_service

EVENTS: Final = 60
WARM_UP: Final = 10
PAUSE_S: Final = 0.02
CLIENTS: Final = (100, 1_000)
SIDES: Final = {
    "algoexec: encoded once, a queue a client": "algoexec",
    "FastAPI: send_json to each in turn": "naive",
    "algoexec, one more client reads nothing": "algoexec",
}
REQUIRED_LAST_MS: Final = 30.0
REQUIRED_CALL_MS: Final = 2.5
REQUIRED_KB: Final = 36.0

_MESSAGE: Final = "x" * 205
"""Makes the frame about 418 bytes, as in the figures this is compared with."""


def run() -> Table:
    """Measure both sides at each size, interleaved, and ours beside a client that reads nothing."""
    return uvloop.run(_run())


async def _run() -> Table:
    rows = []
    for clients in CLIENTS:
        rows += [_row(one, clients) for one in await _measure(clients)]
    return Table(
        title="Fan-out of one event over loopback WebSockets, until the last client has it",
        columns=("server", "clients", "last p50 ms", "p99 ms", "publish call p50 ms", "CPU p50 ms", "KB a client"),
        rows=rows,
        note=f"{EVENTS} events to each in turn; servers and clients are processes of this machine and share its "
        f"{os.cpu_count()} cores. Goals at 1,000 clients: last {REQUIRED_LAST_MS:g} ms, call {REQUIRED_CALL_MS:g} ms, "
        f"{REQUIRED_KB:g} KB.",
    )


@dataclass
class Measured:
    """One server: milliseconds by event, and kilobytes a client."""

    name: str
    kilobytes: float
    last: list[float] = field(default_factory=list)
    call: list[float] = field(default_factory=list)
    cpu: list[float] = field(default_factory=list)


def _row(measured: Measured, clients: int) -> tuple[str, ...]:
    return (
        measured.name,
        f"{clients:,}",
        f"{median(measured.last):.1f}",
        f"{quantiles(measured.last, n=100)[98]:.1f}",
        f"{median(measured.call):.2f}",
        f"{median(measured.cpu):.1f}",
        f"{measured.kilobytes:.1f}",
    )


async def _measure(clients: int) -> list[Measured]:
    async with contextlib.AsyncExitStack() as stack:
        sides = [await stack.enter_async_context(_side(name, side, clients)) for name, side in SIDES.items()]
        for n in range(WARM_UP + EVENTS):
            for server, crowd, measured in sides:
                await asyncio.sleep(PAUSE_S)
                began, call, cpu = await server.publish()
                last = await crowd.all_have()
                if n >= WARM_UP:
                    measured.last.append((last - began) * 1e3)
                    measured.call.append(call * 1e3)
                    measured.cpu.append(cpu * 1e3)
        return [measured for _, _, measured in sides]


# --- clients -----------------------------------------------------------------------------------------------------


@dataclass
class Crowd:
    """Counts what all clients have received."""

    size: int
    received: int = 0
    told: asyncio.Event = field(default_factory=asyncio.Event)
    last_at: float = 0.0

    def take(self, messages: int) -> None:
        self.received += messages
        if self.received >= self.size:
            self.last_at = perf_counter()
            self.told.set()

    async def all_have(self) -> float:
        """Return when the last client had one more message."""
        async with asyncio.timeout(30):
            await self.told.wait()
        self.told.clear()
        self.received -= self.size
        return self.last_at


class Client(asyncio.Protocol):
    """As little of a WebSocket client as will count messages: it must not be what is measured."""

    def __init__(self, address: str, crowd: Crowd) -> None:
        self._address, self._crowd = address, crowd
        self._rest = b""
        self._is_open = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        cast(asyncio.Transport, transport).write(_upgrade(self._address))

    def data_received(self, data: bytes) -> None:
        data = self._rest + data
        if not self._is_open:
            head, mark, data = data.partition(b"\r\n\r\n")
            self._is_open = bool(mark)
            if not mark:
                self._rest = head
                return
            assert b" 101 " in head.split(b"\r\n")[0], head
        messages = 0
        while len(data) >= 2:
            short = data[1] & 0x7F
            begins = 4 if short == 126 else 2
            length = int.from_bytes(data[2:4]) if short == 126 else short
            if len(data) < begins + length:
                break
            messages += 1
            data = data[begins + length :]
        self._rest = data
        if messages:
            self._crowd.take(messages)


def _upgrade(address: str) -> bytes:
    lines = (
        "GET /ws/signals HTTP/1.1",
        f"Host: {address}",
        "Upgrade: websocket",
        "Connection: Upgrade",
        "Sec-WebSocket-Version: 13",
        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
    )
    return ("\r\n".join(lines) + "\r\n\r\n").encode()


@asynccontextmanager
async def _side(name: str, side: str, clients: int) -> AsyncIterator[tuple["Server", Crowd, Measured]]:
    """Start a server and its clients; each connection begins with one message."""
    stuck = 1 if name.endswith("reads nothing") else 0
    async with _server(side) as server:
        crowd, loop = Crowd(clients), asyncio.get_running_loop()
        host, port = server.address.split(":")
        with _stuck(host, int(port), stuck):
            empty = server.resident()
            opened = [
                await loop.create_connection(lambda: Client(server.address, crowd), host, int(port))
                for _ in range(clients)
            ]
            await crowd.all_have()
            yield server, crowd, Measured(name, (server.resident() - empty) / 1024 / clients)
            for transport, _ in opened:
                transport.abort()


@contextlib.contextmanager
def _stuck(host: str, port: int, count: int) -> Iterator[None]:
    """Hold connections that ask and then never read."""
    with contextlib.ExitStack() as stack:
        for _ in range(count):
            one = stack.enter_context(socket.create_connection((host, port)))
            one.sendall(_upgrade(f"{host}:{port}"))
        yield


@dataclass
class Server:
    """A server in a process of its own, commanded by lines."""

    process: asyncio.subprocess.Process
    address: str

    async def publish(self) -> tuple[float, float, float]:
        """Have one event published.

        Return when that began (by this machine's monotonic clock), the seconds that the call
        took, and the seconds of CPU that the event before this one took in all.
        """
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write(b"publish\n")
        began, call, cpu = (await self.process.stdout.readline()).split()
        return float(began), float(call), float(cpu)

    def resident(self) -> int:
        """Return the bytes that it holds in memory."""
        pages = int(Path(f"/proc/{self.process.pid}/statm").read_text(encoding="ascii").split()[1])
        return pages * os.sysconf("SC_PAGE_SIZE")


@asynccontextmanager
async def _server(side: str) -> AsyncIterator[Server]:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "benchmarks.fanout", side, stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE
    )
    assert process.stdout is not None
    try:
        yield Server(process, (await process.stdout.readline()).decode().strip())
    finally:
        process.kill()
        await process.wait()


# --- servers -----------------------------------------------------------------------------------------------------


def _frame(number: int, at: Any) -> Frame:
    return Frame(number=number, at=at, body=Alert(severity=Severity.INFO, code="BENCH", message=_MESSAGE))


async def _serve_ours() -> None:
    async with running_service(hub=HubOptions(heartbeat=3600)) as service:
        hub, numbers = service.registry.hub, iter(range(1, 10**9))

        def publish() -> None:
            hub.publish("benchsession0000", "asha", [_frame(next(numbers), service.clock.now())])

        await _serve(service.app, publish)


async def _serve_naive() -> None:
    """Serve as it is usually written: a list of connections, and `send_json` to each."""
    app, connections = FastAPI(), list[WebSocket]()

    @app.websocket("/ws/signals")
    async def signals(websocket: WebSocket) -> None:
        await websocket.accept()
        await websocket.send_json({"type": "snapshot"})
        connections.append(websocket)
        with contextlib.suppress(WebSocketDisconnect):
            while True:
                await websocket.receive_text()
        connections.remove(websocket)

    async def broadcast() -> None:
        event = {"type": "alert", "seq": 1, "session_id": "benchsession0000", "at": "2026-11-23T04:00:05Z"}
        data = {"severity": "info", "code": "BENCH", "message": _MESSAGE}
        for connection in connections:
            await connection.send_json({**event, "data": data, "prev": 0, "cursor": "c1.mib1x2k8.benchsession0000-1"})

    await _serve(app, broadcast)


async def _serve(app: FastAPI, publish: Callable[[], Any]) -> None:
    config = uvicorn.Config(
        app, lifespan="off", ws="websockets-sansio", ws_per_message_deflate=False, ws_ping_interval=None,
        log_config=None, log_level="critical", access_log=False,
    )  # fmt: skip
    listener = socket.create_server(("127.0.0.1", 0), backlog=2048)
    serving = asyncio.create_task(uvicorn.Server(config).serve([listener]))
    print(f"127.0.0.1:{listener.getsockname()[1]}", flush=True)
    lines = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(lines), sys.stdin)
    used = process_time()
    while await lines.readline():
        before, used = used, process_time()
        began = perf_counter()
        sent = publish()
        if sent is not None:
            await sent
        print(began, perf_counter() - began, used - before, flush=True)
    serving.cancel()


if __name__ == "__main__":
    uvloop.run({"algoexec": _serve_ours, "naive": _serve_naive}[sys.argv[1]]())
