"""The files of the containers say what is so, and their commands start the service, also where no engine runs."""

import asyncio
import json
import os
import re
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any, Final

import httpx
import pytest
import yaml

from algoexec.settings import Settings
from algoexec.storage.embedded import EmbeddedMongod
from tests.arch.test_repository import RUNTIME_LOCK, pins
from tests.conftest import ROOT
from tests.e2e.stack import end, free_port
from tests.fixtures_mongo import database, mongod
from tests.unit.test_settings import variables

__all__ = ["database", "mongod"]

DOCKERFILE: Final = (ROOT / "Dockerfile").read_text()
COMPOSE: Final[dict[str, Any]] = yaml.safe_load((ROOT / "compose.yaml").read_text())
EXAMPLE: Final = (ROOT / ".env.example").read_text()
IMAGE_LOCK: Final = ROOT / "requirements-image.lock"


def services(*, ours: bool) -> dict[str, dict[str, Any]]:
    every: dict[str, dict[str, Any]] = COMPOSE["services"]
    return {name: one for name, one in every.items() if ("build" in one) is ours}


# --- .env.example -----------------------------------------------------------------------------------------------------


def test_the_example_has_every_setting_once_with_its_default_and_a_sentence() -> None:
    lines = EXAMPLE.splitlines()
    given = {n: line for n, line in enumerate(lines) if re.match(r"#?[A-Z_]+=", line)}
    assert sorted(line.lstrip("#").partition("=")[0] for line in given.values()) == sorted(variables())
    assert all(line.startswith("#") for line in given.values()), "nothing is set unless somebody sets it"
    assert all(lines[n - 1].startswith("# ") for n in given), "each is explained"


def test_the_example_with_nothing_changed_is_the_default(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in variables():
        monkeypatch.delenv(name, raising=False)
    default = Settings()
    for line in EXAMPLE.splitlines():
        if re.match(r"#[A-Z_]+=", line):
            name, _, value = line.lstrip("#").partition("=")
            monkeypatch.setenv(name, value)
    assert Settings() == default


# --- Dockerfile and compose.yaml ------------------------------------------------------------------------------------


def test_the_dockerfile_is_clean() -> None:
    hadolint = Path(sys.executable).with_name("hadolint")
    told = subprocess.run([hadolint, ROOT / "Dockerfile"], capture_output=True, text=True)
    assert told.returncode == 0, told.stdout + told.stderr


def test_the_image_holds_what_the_service_needs_and_no_more() -> None:
    image, whole = pins(IMAGE_LOCK), pins(RUNTIME_LOCK)
    assert {name: versions for name, versions in image.items() if whole.get(name) != versions} == {}
    assert {"redis", "opentelemetry-sdk", "uvicorn"} <= set(image)
    assert not [name for name in image if name.startswith(("fiftyone", "pyarrow", "optuna", "pytest"))]
    assert "USER 10001" in DOCKERFILE
    ignored = (ROOT / ".dockerignore").read_text()
    for source in re.findall(r"^COPY (?!--from)(.+) \S+$", DOCKERFILE, re.MULTILINE):
        for name in source.split():
            assert f"!{name}\n" in ignored, f"{name} is copied and not sent to the builder"


def test_every_variable_is_a_setting() -> None:
    names = set(re.findall(r"\bALGOEXEC_[A-Z_]+", DOCKERFILE))
    for service in services(ours=True).values():
        names |= {name for name in service.get("environment", {}) if name.startswith("ALGOEXEC_")}
    assert names <= set(variables())


def test_our_containers_can_write_nothing_but_their_data() -> None:
    for name, service in services(ours=True).items():
        assert service["read_only"] is True, name
        assert service["cap_drop"] == ["ALL"], name
        assert service["security_opt"] == ["no-new-privileges:true"], name
        assert "user" not in service, f"{name}: the image's own user"
        assert {volume.partition(":")[2] for volume in service.get("volumes", ())} <= {"/var/lib/algoexec"}
    for name, service in services(ours=False).items():
        assert re.fullmatch(r"[a-z]+:\d+\.\d+[\w.-]*", service["image"]), f"{name}: a version, not the latest"
        assert "healthcheck" in service, name
        assert "ports" not in service, f"{name} is nobody's but ours"


def test_what_is_published_is_for_this_machine() -> None:
    ports = [port for service in COMPOSE["services"].values() for port in service.get("ports", ())]
    assert ports
    assert all(port.startswith("127.0.0.1:") for port in ports)


def test_everything_that_is_waited_for_is_there() -> None:
    every = COMPOSE["services"]
    for name, service in every.items():
        for other, how in service.get("depends_on", {}).items():
            assert other in every, name
            if how["condition"] == "service_healthy":
                assert "healthcheck" in every[other] or "build" in every[other], f"{name} waits for {other} for ever"
        named = {volume.partition(":")[0] for volume in service.get("volumes", ())}
        assert named <= set(COMPOSE["volumes"]), name


# --- the same commands, without containers --------------------------------------------------------------------------


def environment(service: str, mongod: EmbeddedMongod, database: str, data: Path, port: int) -> dict[str, str]:
    """Return what the container would get, but for where things are on this machine."""
    given = {name: str(value) for name, value in COMPOSE["services"][service]["environment"].items()}
    return {
        **{name: value for name, value in os.environ.items() if not name.startswith("ALGOEXEC_")},
        **given,
        # Loopback still, and not the address that the service trusts as this machine's own.
        "ALGOEXEC_HOST": "127.0.0.2",
        "ALGOEXEC_PORT": str(port),
        "ALGOEXEC_MONGODB_URI": mongod.uri,
        "ALGOEXEC_MONGODB_DATABASE": database,
        "ALGOEXEC_SECRET_KEY": "a long random text for a test",
        "ALGOEXEC_DATA_DIR": str(data),
        "ALGOEXEC_BROKER": "simulator",
        "ALGOEXEC_SIMULATOR_URL": f"http://127.0.0.1:{free_port()}",
        "ALGOEXEC_REDIS_URL": "",
    }


def default_command() -> list[str]:
    """Return what the image runs unless it is told otherwise."""
    found = re.search(r"^CMD (\[.*\])$", DOCKERFILE, re.MULTILINE)
    assert found
    told: list[str] = json.loads(found[1])
    return told


def command(*words: str) -> list[str]:
    """Return a command of the image as it is on this machine."""
    assert re.search(r'^ENTRYPOINT \["algoexec"\]$', DOCKERFILE, re.MULTILINE)
    return [sys.executable, "-m", "algoexec", *words]


async def run(words: list[str], given: dict[str, str]) -> "subprocess.CompletedProcess[str]":
    """Run a command to its end."""
    return await asyncio.to_thread(subprocess.run, words, env=given, capture_output=True, text=True)


def start(words: list[str], given: dict[str, str], log: Path) -> "subprocess.Popen[bytes]":
    """Start a command whose words go to a file."""
    with log.open("wb") as said:
        return subprocess.Popen(words, env=given, stderr=said, stdout=said)


async def test_it_is_migrated_locked_started_asked_and_stopped(
    mongod: EmbeddedMongod, database: str, tmp_path: Path
) -> None:
    port = free_port()
    migrate = environment("migrate", mongod, database, tmp_path, port)
    serve = environment("algoexec", mongod, database, tmp_path, port)
    told = await run(command(*COMPOSE["services"]["migrate"]["command"]), migrate)
    assert told.returncode == 0, told.stderr

    # Nobody on a network is let in before there is a key.
    refused = await run(command(*default_command()), serve)
    assert refused.returncode != 0
    assert "create a key first" in refused.stderr

    key = await run(command("keys", "create", "--scope", "live"), serve)
    assert key.returncode == 0, key.stderr
    headers = {"Authorization": f"Bearer {key.stdout.strip()}"}
    process = start(command(*default_command()), serve, tmp_path / "log")
    try:
        async with asyncio.timeout(100), httpx.AsyncClient(base_url=f"http://127.0.0.2:{port}") as client:
            while not await _answers(client):
                assert process.poll() is None, (tmp_path / "log").read_text()[-2000:]
                await asyncio.sleep(0.05)
            health = [word.replace("127.0.0.1", "127.0.0.2") for word in _healthcheck()]
            assert (await run([sys.executable, *health[1:]], serve)).returncode == 0
            assert (await client.get("/sessions")).status_code == 401
            assert (await client.get("/sessions", headers=headers)).status_code == 200

            process.send_signal(signal.SIGTERM)
            ready = await client.get("/readyz")
            while ready.json()["status"] != "leaving":
                ready = await client.get("/readyz")
            assert ready.status_code == 503, "who sends callers here sees it fail while it still answers"
            assert (await client.get("/healthz")).status_code == 200
        grace = float(COMPOSE["services"]["algoexec"]["stop_grace_period"].removesuffix("s"))
        assert await asyncio.to_thread(process.wait, grace) in (0, -signal.SIGTERM)
    finally:
        end(process)
    assert (await run([sys.executable, *health[1:]], serve)).returncode != 0


def _healthcheck() -> list[str]:
    found = re.search(r"^HEALTHCHECK .*\\\n\s+CMD (\[.*\])$", DOCKERFILE, re.MULTILINE)
    assert found
    told: list[str] = json.loads(found[1])
    return told


async def _answers(client: httpx.AsyncClient) -> bool:
    try:
        return (await client.get("/readyz")).status_code == 200
    except httpx.TransportError:
        return False
