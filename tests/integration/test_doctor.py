"""`algoexec doctor` finds nothing wrong with what is right, and says what to do about what is not."""

import asyncio
import json
import os
import socket
import struct
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

import pytest
import pytest_asyncio
from pydantic import SecretStr

from algoexec.adapters.ntp import NoTime, clock_offset
from algoexec.adapters.system_clock import SystemClock
from algoexec.cli.checks import CHECKS, Found, Patient, examine
from algoexec.ports.credentials import AccessToken
from algoexec.settings import Broker, Settings
from algoexec.simulation.generated import generated_day
from algoexec.simulator.configuration import SimulatorSettings
from algoexec.simulator.server import serve
from algoexec.simulator.users_file import Users
from algoexec.storage.embedded import EmbeddedMongod
from algoexec.storage.migrate import migrate
from tests.e2e.stack import free_port
from tests.fixtures_mongo import database, mongod
from tests.fixtures_redis import RedisServer, redis_server

__all__ = ["database", "mongod", "redis_server"]

DAY: Final = generated_day()
EPOCH: Final = datetime(1900, 1, 1, tzinfo=UTC)


class TimeServer(asyncio.DatagramProtocol):
    """Answers with the time of this machine and something on top; `leap` 3 is a server that does not know."""

    def __init__(self, ahead: timedelta, leap: int) -> None:
        self._ahead, self._leap = ahead, leap

    def connection_made(self, transport: Any) -> None:
        self._transport = transport

    def datagram_received(self, data: bytes, addr: Any) -> None:
        assert len(data) == 48
        assert data[0] & 7 == 3, "a client asks"
        since = SystemClock().now() + self._ahead - EPOCH
        seconds, rest = divmod(since, timedelta(seconds=1))
        stamp = [seconds % 2**32, int(rest / timedelta(seconds=1) * 2**32)]
        self._transport.sendto(struct.pack("!BBbb11I", self._leap << 6 | 0x24, 2, 0, 0, *[0] * 7, *stamp, *stamp), addr)


@asynccontextmanager
async def time_server(ahead: timedelta = timedelta(0), leap: int = 0) -> AsyncIterator[int]:
    loop = asyncio.get_running_loop()
    transport, _ = await loop.create_datagram_endpoint(lambda: TimeServer(ahead, leap), local_addr=("127.0.0.1", 0))
    yield transport.get_extra_info("sockname")[1]
    transport.close()


@pytest.mark.parametrize("ahead", [timedelta(0), timedelta(seconds=7.25), timedelta(days=-3000), timedelta(days=5000)])
async def test_a_clock_is_compared_with_a_time_server(ahead: timedelta) -> None:
    async with time_server(ahead) as port:
        offset = await clock_offset("127.0.0.1", SystemClock(), port=port, within=30)
    assert abs(offset - ahead) < timedelta(seconds=1)


async def test_a_time_server_that_does_not_know_is_not_believed() -> None:
    async with time_server(leap=3) as port:
        with pytest.raises(NoTime, match="does not know"):
            await clock_offset("127.0.0.1", SystemClock(), port=port, within=30)
    with pytest.raises(NoTime):
        await clock_offset("127.0.0.1", SystemClock(), port=port, within=0.2)


# --- set-ups -----------------------------------------------------------------------------------------------------


class SetUp:
    """A healthy set-up, of which a test breaks a part."""

    def __init__(self, simulator: str, mongod: EmbeddedMongod, database: str, data: Path) -> None:
        self.settings: dict[str, Any] = {
            "broker": Broker.SIMULATOR,
            "simulator_url": simulator,
            "mongodb_uri": SecretStr(mongod.uri),
            "mongodb_database": database,
            "data_dir": data,
        }
        self.patient: dict[str, Any] = {"token": AccessToken("user:alice"), "ntp": None, "egress": None}

    async def examined(self, **broken: Any) -> dict[str, Found]:
        settings = Settings(**{**self.settings, **broken})
        return await examine(Patient(settings=settings, **self.patient))


@pytest_asyncio.fixture
async def setup(mongod: EmbeddedMongod, database: str, tmp_path: Path) -> AsyncIterator[SetUp]:
    await migrate(mongod.uri, database)
    async with serve(DAY, SimulatorSettings(), SystemClock()) as simulator:
        yield SetUp(simulator.url, mongod, database, tmp_path)


def wrong(found: dict[str, Found]) -> dict[str, Found]:
    assert list(found) == list(CHECKS)
    return {name: one for name, one in found.items() if one.ok is False}


async def test_nothing_is_wrong_with_what_is_right(setup: SetUp, redis_server: RedisServer) -> None:
    found = await setup.examined(redis_url=SecretStr(redis_server.url))
    assert wrong(found) == {}
    assert {name for name, one in found.items() if one.ok} == set(CHECKS) - {"address"}


async def test_a_database_that_is_gone(setup: SetUp) -> None:
    found = wrong(await setup.examined(mongodb_uri=SecretStr(f"mongodb://user:hunter2@127.0.0.1:{free_port()}/")))
    assert set(found) == {"database", "sessions"}
    assert "MongoDB" in found["database"].detail
    assert found["database"].advice
    assert "hunter2" not in str(found)


async def test_a_database_that_was_not_migrated(setup: SetUp) -> None:
    found = wrong(await setup.examined(mongodb_database="test_never_migrated"))
    assert found["database"].advice == "algoexec migrate"


async def test_a_simulator_that_is_gone(setup: SetUp) -> None:
    found = wrong(await setup.examined(simulator_url=f"http://127.0.0.1:{free_port()}"))
    assert set(found) == {"broker", "calendar", "token"}
    assert "ALGOEXEC_SIMULATOR_URL" in found["broker"].advice


async def test_a_token_that_is_dead(setup: SetUp) -> None:
    setup.patient["token"] = AccessToken("expired-token")
    found = wrong(await setup.examined())
    assert "token" in found
    assert "log in" in found["token"].advice


async def test_a_redis_that_is_gone(setup: SetUp) -> None:
    found = wrong(await setup.examined(redis_url=SecretStr(f"redis://:hunter2@127.0.0.1:{free_port()}")))
    assert set(found) == {"redis"}
    assert "hunter2" not in str(found)


async def test_a_data_folder_that_is_none(setup: SetUp, tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_text("")
    found = wrong(await setup.examined(data_dir=file / "data"))
    assert set(found) == {"disk", "sessions"}, "the key of the tokens lies there too"
    assert "ALGOEXEC_DATA_DIR" in found["disk"].advice


@pytest.mark.parametrize(("seen", "ok"), [("203.0.113.7", True), ("198.51.100.9", False)])
async def test_an_address_that_is_registered_or_not(
    mongod: EmbeddedMongod, database: str, tmp_path: Path, seen: str, ok: bool
) -> None:
    await migrate(mongod.uri, database)
    users = {"users": {"alice": {"static_ips": ["203.0.113.7"]}}}

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(f"HTTP/1.1 200 OK\r\nContent-Length: {len(seen)}\r\nConnection: close\r\n\r\n{seen}".encode())
        writer.close()

    simulator_settings = SimulatorSettings(users=Users.model_validate(users))
    async with (
        serve(DAY, simulator_settings, SystemClock()) as simulator,
        await asyncio.start_server(answer, "127.0.0.1", 0) as echo,
    ):
        healthy = SetUp(simulator.url, mongod, database, tmp_path)
        healthy.patient["egress"] = f"http://127.0.0.1:{echo.sockets[0].getsockname()[1]}"
        found = await healthy.examined()
    assert found["address"].ok is ok
    assert seen in found["address"].detail


def test_the_command_ends_with_a_status_and_says_what_to_do(tmp_path: Path) -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        environment = {
            **os.environ,
            "ALGOEXEC_BROKER": "simulator",
            "ALGOEXEC_SIMULATOR_URL": f"http://127.0.0.1:{probe.getsockname()[1]}",
            "ALGOEXEC_DATA_DIR": str(tmp_path),
        }
        command = [sys.executable, "-m", "algoexec", "doctor", "--ntp", ""]
        told = subprocess.run(command, env=environment, capture_output=True, text=True)
        machine = subprocess.run([*command, "--json"], env=environment, capture_output=True, text=True)
    assert (told.returncode, machine.returncode) == (1, 1)
    assert "WRONG  broker" in told.stdout
    assert "-> look at the way out" in told.stdout
    assert told.stdout.rstrip().endswith("Wrong: broker, calendar")
    assert json.loads(machine.stdout)["disk"]["ok"] is True
