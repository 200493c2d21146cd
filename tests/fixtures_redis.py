"""A real Redis for tests. Import the fixture into a conftest: `from tests.fixtures_redis import redis_server`."""

import shutil
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from algoexec import children
from tests.waiting import until


class RedisServer:
    """A redis-server on a free port of loopback that can be stopped and started; it keeps what it was told."""

    def __init__(self, folder: Path) -> None:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port: int = probe.getsockname()[1]
        self.url = f"redis://127.0.0.1:{self.port}/0"
        self._folder = folder
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it and return once it takes connections."""
        options = [f"--port {self.port}", "--bind 127.0.0.1", f"--dir {self._folder}", "--save ''", "--appendonly yes"]
        # What is acknowledged is on disk: a kill loses nothing.
        options += ["--appendfsync always", "--loglevel warning"]
        program = shutil.which("redis-server")
        assert program is not None
        words = [word.strip("'") for option in options for word in option.split(" ", 1)]
        self._process = children.spawn([program, *words])
        until(self._answers, within=30)

    def stop(self) -> None:
        """End it, at once, as a power cut would."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def _answers(self) -> bool:
        try:
            with socket.create_connection(("127.0.0.1", self.port), timeout=1) as talk:
                talk.sendall(b"PING\r\n")
                return talk.recv(7) == b"+PONG\r\n"
        except OSError:
            return False


@pytest.fixture
def redis_server(tmp_path: Path) -> Iterator[RedisServer]:
    """Run a Redis of the test's own; skip where none is installed."""
    if shutil.which("redis-server") is None:
        pytest.skip("no redis-server on PATH")
    folder = tmp_path / "redis"
    folder.mkdir()
    server = RedisServer(folder)
    server.start()
    yield server
    server.stop()
