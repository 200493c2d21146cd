"""The real thing as processes: simulator, service, and a client of its public interfaces."""

import asyncio
import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import AsyncGenerator, AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import httpx
from websockets.asyncio.client import connect

ALGOEXEC = (sys.executable, "-m", "algoexec")

type Frame = dict[str, Any]


@dataclass
class Simulator:
    """A running simulator process."""

    url: str
    process: "subprocess.Popen[bytes]"


@contextmanager
def simulator(*options: str) -> Iterator[Simulator]:
    """Run `algoexec simulator` on a free port."""
    process = subprocess.Popen([*ALGOEXEC, "simulator", "--port=0", *options], stdout=subprocess.PIPE)
    assert process.stdout is not None
    try:
        first_line = process.stdout.readline()
        assert first_line, "the simulator did not start"
        yield Simulator(json.loads(first_line)["simulator"], process)
    finally:
        end(process)
        process.stdout.close()


class Exchange:
    """The simulator as the test knows it: its clock, its books, and a pause."""

    def __init__(self, url: str) -> None:
        """Talk to the simulator at `url`."""
        self._client = httpx.AsyncClient(base_url=url, trust_env=False)

    async def __aenter__(self) -> "Exchange":
        """Hand out itself."""
        return self

    async def __aexit__(self, *_: object) -> None:
        """Let the connection go."""
        await self._client.aclose()

    async def now(self) -> datetime:
        """Return the market time."""
        return datetime.fromisoformat((await self._client.get("/sim/clock")).json()["now"])

    async def until(self, moment: datetime) -> None:
        """Return once it is `moment` at the exchange."""
        while await self.now() < moment:  # noqa: ASYNC110 - one can only ask again
            await asyncio.sleep(0.02)

    async def pause(self) -> None:
        """Let the market stand still."""
        await self._client.post("/sim/pause")

    async def resume(self) -> None:
        """Let the market go on."""
        await self._client.post("/sim/resume")

    async def book(self, user: str = "trader") -> Frame:
        """Return the truth about an account."""
        users = (await self._client.get("/sim/book", params={"user": user})).json()["users"]
        book: Frame = users[user]
        return book


class Service:
    """`algoexec serve` as a process that can be killed and started again on the same data."""

    def __init__(self, data: Path, simulator_url: str, environment: Mapping[str, str] | None = None) -> None:
        """Nothing runs before `start`."""
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.log = data / "service.log"
        self.environment = {
            **os.environ,
            "ALGOEXEC_BROKER": "simulator",
            "ALGOEXEC_SIMULATOR_URL": simulator_url,
            "ALGOEXEC_DATA_DIR": str(data),
            "ALGOEXEC_PORT": str(self.port),
            **(environment or {}),
        }
        self.process: subprocess.Popen[bytes] | None = None

    async def start(self) -> None:
        """Start it and return once it is ready."""
        process = self.spawn()
        async with asyncio.timeout(60), httpx.AsyncClient(base_url=self.url) as client:
            while not await is_ready(client):
                assert process.poll() is None, self.log.read_text()[-3000:]
                await asyncio.sleep(0.05)

    def spawn(self) -> "subprocess.Popen[bytes]":
        """Start it and wait for nothing."""
        with self.log.open("ab") as log:
            self.process = subprocess.Popen([*ALGOEXEC, "serve"], env=self.environment, stdout=log, stderr=log)
        return self.process

    def kill(self) -> None:
        """End it as a crash would."""
        assert self.process is not None
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()

    def stop(self) -> int:
        """End it in order; return its exit status."""
        return end(self.process) if self.process is not None else 0

    def client(self) -> httpx.AsyncClient:
        """Return a client of its HTTP interface."""
        return httpx.AsyncClient(base_url=self.url, timeout=30)


@asynccontextmanager
async def service(
    data: Path, simulator_url: str, environment: Mapping[str, str] | None = None
) -> AsyncIterator[Service]:
    """Run the service while the block lasts."""
    running = Service(data, simulator_url, environment)
    try:
        await running.start()
        yield running
    finally:
        running.stop()


@asynccontextmanager
async def standing_market(
    data: Path, *options: str, environment: Mapping[str, str] | None = None
) -> AsyncIterator[tuple[Service, Exchange]]:
    """Run a paced simulator and the service. The market stands still until `resume`: a slow start misses nothing."""
    with simulator("--paced", *options) as broker:
        async with Exchange(broker.url) as exchange:
            await exchange.pause()
            async with service(data, broker.url, environment) as running:
                yield running, exchange


async def is_ready(client: httpx.AsyncClient) -> bool:
    """Return whether the service says that it is ready."""
    try:
        return (await client.get("/readyz")).status_code == httpx.codes.OK
    except httpx.TransportError:
        return False


async def begin(service: Service, user: str = "trader", **body: object) -> Frame:
    """Begin a session; return what the service says of it."""
    async with service.client() as client:
        answer = await client.post("/sessions", json={"user_id": user, "access_token": f"user:{user}", **body})
        assert answer.status_code == httpx.codes.CREATED, answer.text
        session: Frame = answer.json()
        return session


async def frames(service: Service, query: str = "") -> AsyncGenerator[Frame]:
    """Yield frames of one WebSocket connection until it ends."""
    url = service.url.replace("http", "ws", 1)
    async with connect(f"{url}/ws/signals{query}", compression=None) as websocket:
        async for message in websocket:
            yield json.loads(message)


async def all_pages(service: Service, path: str, **params: str) -> list[Frame]:
    """Return every item of a list, oldest first."""
    items: list[Frame] = []
    cursor: str | None = None
    async with service.client() as client:
        while True:
            query = {**params, "limit": "100", **({"cursor": cursor} if cursor else {})}
            answer = await client.get(path, params=query)
            assert answer.status_code == httpx.codes.OK, answer.text
            page = answer.json()
            items += page["items"]
            cursor = page["cursor"]
            if cursor is None:
                return items[::-1]


def free_port() -> int:
    """Return a port that was free a moment ago."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def end(process: "subprocess.Popen[bytes]") -> int:
    """End a process in order, or else by force; return its status."""
    process.terminate()
    try:
        return process.wait(20)
    except subprocess.TimeoutExpired:
        process.kill()
        return process.wait()
