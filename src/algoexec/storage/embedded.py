"""A private MongoDB for whoever has configured none: one node, a replica set, on loopback.

One data folder has one server. Whoever starts it owns it and ends it; another process that
opens the same folder meanwhile borrows it, and whoever comes after a killed owner inherits it.
"""

import asyncio
import contextlib
import fcntl
import os
import signal
import socket
import subprocess
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Final

from algoexec import children
from algoexec.domain.errors import StoreError
from algoexec.storage.mongod_binary import find_mongod
from algoexec.storage.mongod_pidfile import PidFile, Running, started_at
from algoexec.storage.replica_set import answers_for, become_primary
from algoexec.telemetry import logger

START_TIMEOUT: Final = 30.0
STOP_TIMEOUT: Final = 10.0
PORT_TIMEOUT: Final = 2.0
POLL: Final = 0.01
LOOK_EVERY: Final = 1.0
"""Seconds between looks at whether the server is still there."""
HOST: Final = "127.0.0.1"


_log = logger("mongod")


class MongodFailed(StoreError):
    """The private MongoDB did not start; the message says where to look."""


class EmbeddedMongod:
    """The MongoDB server of one data folder.

    On Linux the kernel ends it (SIGKILL; the journal is made for that) with the *thread* that
    called `start`, so call it where the thread lives as long as the process.
    """

    def __init__(self, folder: Path) -> None:
        """Prepare for `folder`; nothing is touched before `start`."""
        self._folder = folder.resolve()
        self._data = self._folder / "mongodb"
        self._pid_file = PidFile(self._folder / "mongod.pid")
        self._process: subprocess.Popen[bytes] | None = None
        self._running: Running | None = None
        self._is_ours = False

    @property
    def log(self) -> Path:
        """The server's own log file."""
        return self._folder / "mongod.log"

    @property
    def pid(self) -> int | None:
        """The server's process id while it is started."""
        return self._running.pid if self._running else None

    @property
    def uri(self) -> str:
        """Where to connect.

        Raises:
            MongodFailed: it is not started.
        """
        if self._running is None:
            raise MongodFailed("the private MongoDB is not started")
        return f"mongodb://{HOST}:{self._running.port}/?directConnection=true"

    async def start(self) -> str:
        """Start the server, or take the one that already serves the folder; return its URI.

        Raises:
            MongodNotFound: this machine has no mongod; the message says what to do.
            MongodFailed: it ended, or was not ready in time.
        """
        self._data.mkdir(parents=True, exist_ok=True)
        if self._process is not None and self._process.poll() is not None:
            self._process = None
        async with _lock(self._folder / "mongod.lock"):
            left = self._pid_file.read()
            if left is None or not await self._adopt(left):
                await self._launch(left.port if left else 0)
        return self.uri

    async def stop(self) -> None:
        """End the server and return once it is gone. A borrowed one is left to its owner."""
        running, self._running = self._running, None
        if running is None or not self._is_ours:
            return
        await _end(running, self._process)
        self._process, self._is_ours = None, False
        self._pid_file.close(running)

    async def keep(self) -> None:
        """Start the server again whenever it has died, until cancelled: its clients wait at the same address."""
        uri = self.uri
        while True:
            await asyncio.sleep(LOOK_EVERY)
            if self._running is not None and self._running.is_alive():
                continue
            _log.error("the private MongoDB has died", folder=str(self._folder))
            try:
                if await self.start() != uri:
                    _log.critical("the private MongoDB has moved; restart the service", uri=self.uri)
                    return
            except StoreError as error:
                _log.error("the private MongoDB does not start", error=str(error))

    async def _adopt(self, left: Running) -> bool:
        """Use a server that still runs for this folder; end one that does not answer."""
        if not left.is_alive():
            return False
        if not await answers_for(HOST, left.port, self._data):
            if _is_ours(left.pid, self._data):
                await _end(left, None)
            return False
        if not left.owner_lives():
            left, self._is_ours = left.inherited_by(os.getpid()), True
            self._pid_file.write(left)
        self._running = left
        # Whoever started it may have been killed before it was a replica set.
        await self._ready(left.port)
        return True

    async def _launch(self, last_port: int) -> None:
        port = await _free_port(last_port)
        self._process, self._is_ours = self._spawn(port), True
        self._running = Running(
            pid=self._process.pid,
            started=started_at(self._process.pid),
            port=port,
            owner=os.getpid(),
            owner_started=started_at(os.getpid()),
        )
        self._pid_file.write(self._running)
        async with contextlib.AsyncExitStack() as undo:
            undo.push_async_callback(self.stop)
            await self._ready(port)
            undo.pop_all()

    def _spawn(self, port: int) -> "subprocess.Popen[bytes]":
        return children.spawn([str(find_mongod()), *_options(self._data, self.log, port)], stderr=subprocess.DEVNULL)

    async def _ready(self, port: int) -> None:
        try:
            async with asyncio.timeout(START_TIMEOUT):
                await self._listening(port)
                if not await answers_for(HOST, port, self._data):
                    raise MongodFailed(f"something else answers on port {port}; see {self.log}")
                await become_primary(HOST, port)
        except TimeoutError as error:
            raise MongodFailed(f"mongod was not ready within {START_TIMEOUT:.0f} s; see {self.log}") from error

    async def _listening(self, port: int) -> None:
        while True:
            with contextlib.suppress(OSError):
                _, writer = await asyncio.open_connection(HOST, port)
                writer.close()
                await writer.wait_closed()
                return
            if self._process is not None and self._process.poll() is not None:
                raise MongodFailed(f"mongod ended with status {self._process.returncode}; see {self.log}")
            await asyncio.sleep(POLL)


@contextlib.asynccontextmanager
async def embedded_mongod(folder: Path) -> AsyncIterator[str]:
    """Serve `folder` while the block runs, and hand out the URI. A server that dies is started again."""
    server = EmbeddedMongod(folder)
    try:
        uri = await server.start()
        keeping = asyncio.create_task(server.keep())
        try:
            yield uri
        finally:
            keeping.cancel()
            await asyncio.wait((keeping,))
    finally:
        await server.stop()


def _options(data: Path, log: Path, port: int) -> Iterator[str]:
    yield from ("--dbpath", str(data), "--port", str(port), "--bind_ip", HOST, "--nounixsocket")
    yield from ("--replSet", "algoexec", "--oplogSize", "256")
    yield from ("--logpath", str(log), "--logappend", "--quiet")
    yield from ("--wiredTigerCacheSizeGB", "0.25")
    # No grace for clients at SIGTERM (15 s by default, they are ours), no diagnostics beside the data.
    yield from ("--setParameter", "shutdownTimeoutMillisForSignaledShutdown=0")
    yield from ("--setParameter", "diagnosticDataCollectionEnabled=false")


async def _free_port(wanted: int) -> int:
    """Return `wanted` once nobody listens there, so that waiting clients find the server again; else any.

    A server that was killed a moment ago may still hold its port.
    """
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(PORT_TIMEOUT):
            while wanted:
                if _can_bind(wanted):
                    return wanted
                await asyncio.sleep(POLL)
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        port: int = probe.getsockname()[1]
        return port


def _can_bind(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError:
            return False
        return True


def _is_ours(pid: int, data: Path) -> bool:
    """Return whether the process is a mongod of that folder, as far as the system tells."""
    try:
        return os.fsencode(data) in Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
    except OSError:
        return False


async def _end(running: Running, child: "subprocess.Popen[bytes] | None") -> None:
    """Ask the process to end, then make it; return once it is gone."""
    for demand in (signal.SIGTERM, signal.SIGKILL):
        with contextlib.suppress(ProcessLookupError):
            os.kill(running.pid, demand)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(STOP_TIMEOUT):
                await _gone(running, child)
                return


async def _gone(running: Running, child: "subprocess.Popen[bytes] | None") -> None:
    while True:
        if not (child.poll() is None if child else running.is_alive()):
            return
        await asyncio.sleep(POLL)


@contextlib.asynccontextmanager
async def _lock(path: Path) -> AsyncIterator[None]:
    """Let one starter at a time at a folder. The lock goes with the process."""
    with path.open("w") as file:
        while True:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                await asyncio.sleep(POLL)
        yield
