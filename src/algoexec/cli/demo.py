"""A trading day through the real service, with nothing configured."""

import asyncio
import fcntl
import json
import shutil
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Final

import httpx
import typer

from algoexec import children
from algoexec.cli.follow import follow
from algoexec.cli.server import Server, build_server, run
from algoexec.settings import Broker, Settings

_PREFIX: Final = "algoexec-demo-"
_USER: Final = "demo"
_SESSION: Final = {
    "user_id": _USER,
    "access_token": f"user:{_USER}",
    "mode": "paper",
    # One lot of today's contracts risks more than the usual hundredth of the usual capital.
    "config": {"trading": {"risk_pct": 2.0}},
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Demo:
    """A private MongoDB, the simulator as broker, the service, and one session.

    `data` None: a fresh folder that is removed at the end.
    """

    data: Path | None
    port: int
    simulator_options: Sequence[str]

    def run(self) -> None:
        """Play until the user stops it."""
        if not _is_free(self.port):
            typer.echo(f"algoexec demo: port {self.port} is taken; choose another (make run PORT=8080)", err=True)
            raise typer.Exit(1)
        with _data_folder(self.data) as folder, _simulator(self.simulator_options) as simulator_url:
            settings = Settings(
                broker=Broker.SIMULATOR,
                simulator_url=simulator_url,
                data_dir=folder,
                host="127.0.0.1",
                port=self.port,
                log_level="warning",
                log_format="console",
            )
            try:
                run(partial(_play, settings))
            except KeyboardInterrupt:
                typer.echo("Stopped.")


async def _play(settings: Settings) -> None:
    server = build_server(settings)
    serving = asyncio.create_task(server.serve())
    showing = asyncio.create_task(_show(server, settings))
    try:
        await asyncio.wait((serving, showing), return_when=asyncio.FIRST_COMPLETED)
        if showing.done() and (error := showing.exception()) is not None:
            typer.echo(f"algoexec demo: {error}", err=True)
        await serving
    finally:
        showing.cancel()
        server.should_exit = True
        await asyncio.wait((serving,))


async def _show(server: Server, settings: Settings) -> None:
    """Start a session through the public API and print what it streams."""
    await server.has_started.wait()
    url = f"http://{settings.host}:{settings.port}"
    async with httpx.AsyncClient(base_url=url, timeout=30, trust_env=False) as client:
        answer = await client.post("/sessions", json=_SESSION)
        answer.raise_for_status()
    typer.echo(f"algoexec plays a trading day on {url} (docs: {url}/docs). Ctrl-C stops it.")
    await follow(url.replace("http", "ws", 1), typer.echo)


@contextmanager
def _simulator(options: Sequence[str]) -> Iterator[str]:
    """Run the simulator as a process of its own; yield its address."""
    command = [sys.executable, "-m", "algoexec", "simulator", "--port=0", "--paced", *options]
    process = children.spawn(command, stdout=subprocess.PIPE)
    try:
        first_line = process.stdout.readline() if process.stdout else b""
        if not first_line:
            raise typer.Exit(process.wait() or 1)  # it has said why on standard error
        yield json.loads(first_line)["simulator"]
    finally:
        process.terminate()
        process.wait()


@contextmanager
def _data_folder(wanted: Path | None) -> Iterator[Path]:
    """Yield `wanted`, which stays, or a fresh folder that is removed; also what killed runs have left."""
    if wanted is not None:
        wanted.mkdir(parents=True, exist_ok=True)
        yield wanted
        return
    for left in Path(tempfile.gettempdir()).glob(f"{_PREFIX}*"):
        if not _is_in_use(left):
            shutil.rmtree(left, ignore_errors=True)
    folder = Path(tempfile.mkdtemp(prefix=_PREFIX))
    try:
        with (folder / "in-use").open("w") as mark:
            # The lock goes with the process, however that ends.
            fcntl.flock(mark, fcntl.LOCK_EX)
            yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _is_in_use(folder: Path) -> bool:
    try:
        with (folder / "in-use").open("a") as mark:
            fcntl.flock(mark, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:
        return False
    return False


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
        return True
