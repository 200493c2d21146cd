"""docs/simulator.md says what is so: its tables are held against the code, its examples are run."""

import json
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final, get_args

import httpx
import pytest
import typer
from starlette.routing import Route

from algoexec import children
from algoexec.adapters.system_clock import SystemClock
from algoexec.cli.simulator import simulator
from algoexec.simulation.generated import generated_day
from algoexec.simulator.app import create_app
from algoexec.simulator.bulk_routes import MOST_LINES
from algoexec.simulator.configuration import SimulatorSettings
from algoexec.simulator.faults.loading import read, shipped, shipped_names
from algoexec.simulator.faults.script import Do, When
from algoexec.simulator.feed_limits import LIMITS
from algoexec.simulator.rates import ORDERS, REGISTERED_ALGO, STANDARD, Windows
from algoexec.simulator.users_file import Account, read_users
from tests.conftest import ROOT
from tests.contract.sdk_calls import ANSWERED
from tests.waiting import until

PAGE: Final = (ROOT / "docs" / "simulator.md").read_text(encoding="utf-8")
GUESSES: Final = (ROOT / "docs" / "upstox.md").read_text(encoding="utf-8").partition("## 4. Guesses")[2]
PORT: Final = "8765"
STATE: Final = "exchange.jsonl"


def rows(heading: str, page: str = PAGE) -> list[list[str]]:
    """Return the rows of the first table after a heading, cell by cell, without its head."""
    section = page.split(f"\n## {heading}\n", 1)[1].split("\n## ", 1)[0]
    return table(section)


def table(text: str) -> list[list[str]]:
    """Return the rows of the first table of a text, without its head."""
    found = re.search(r"^\|.*\n\| ---.*\n((?:\|.*\n)+)", text, re.MULTILINE)
    assert found, "no table"
    return [[cell.strip() for cell in line.strip("|").split(" | ")] for line in found[1].splitlines()]


def blocks(language: str) -> list[str]:
    """Return the examples in a language."""
    return re.findall(rf"^```{language}\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)


def words(text: str) -> list[str]:
    """Return what is set as code."""
    return re.findall(r"`([^`]+)`", text)


# --- tables -------------------------------------------------------------------------------------------------------


def test_the_options_are_those_of_the_command() -> None:
    app = typer.Typer()
    app.command()(simulator)
    command: Any = typer.main.get_command(app)
    options = {option for one in command.params for option in one.opts if option.startswith("--")}

    told = {words(name)[0] for name, _ in rows("Quick start")}
    assert told == options - {"--help", "--install-completion", "--show-completion"}


def test_each_shipped_script_stands_there_with_its_sentence() -> None:
    told = {words(name)[0]: sentence for name, sentence in rows("Faults on purpose")}

    assert told == {name: shipped(name).imitates for name in shipped_names()}


def test_each_kind_of_fault_stands_there() -> None:
    after = PAGE.split("| `do` |")[1]
    assert [words(name)[0] for name, _ in table("| `do` |" + after)] == list(Do.model_fields)
    conditions = PAGE.split("`when` may ask for")[1].split("\n\n")[0]
    assert {field.alias or name for name, field in When.model_fields.items()} <= set(words(conditions))


def test_each_endpoint_of_its_own_stands_there() -> None:
    app = create_app(generated_day(), SimulatorSettings(), SystemClock())
    routes = {
        f"{method} {route.path}"
        for route in app.routes
        if isinstance(route, Route) and (route.path == "/" or route.path.startswith("/sim/"))
        for method in (route.methods or set()) - {"HEAD"}
    }

    assert {words(name)[0] for name, _ in rows("Its own endpoints")} == routes


def test_each_call_of_the_sdk_stands_there() -> None:
    told = {words(name)[0]: tuple(words(calls)) for name, calls in table(PAGE.split("Of the official SDK")[1])}

    assert {name: sorted(calls) for name, calls in told.items()} == {
        name: sorted(calls) for name, calls in ANSWERED.items()
    }


def numbers(text: str) -> list[int]:
    """Return the numbers of a text, but for those that belong to a name."""
    return [int(number.replace(",", "")) for number in re.findall(r"(?<![\w])\d[\d,]*", text)]


def test_the_limits_are_those_that_hold() -> None:
    told = {what: numbers(limit) for what, limit, _ in rows("Limits")}
    orders, registered, others, *_ = told.values()

    assert (orders, others) == ([*counts(ORDERS)], [*counts(STANDARD)])
    assert registered == [REGISTERED_ALGO[0][1]]
    assert told["instruments of a connection, one mode alone"] == [limit.alone for limit in LIMITS.values()]
    assert told["instruments, several modes"] == [limit.combined for limit in LIMITS.values()]
    assert told["lines of a multi order, slices of an order"] == [MOST_LINES]


def counts(windows: Windows) -> Iterator[int]:
    """Yield the numbers of a sentence about limits: a second and a minute go without one, 30 minutes do not."""
    for span_ms, most in windows:
        yield from [most] if span_ms <= 60_000 else [most, span_ms // 60_000]


def test_each_guess_names_a_file_that_there_is() -> None:
    known = {path.name for path in (ROOT / "src" / "algoexec").rglob("*.py")}

    for question, _, files in table(GUESSES):
        assert set(words(files)) <= known, question


# --- examples -----------------------------------------------------------------------------------------------------


def test_the_users_file_can_be_read_and_has_every_field(tmp_path: Path) -> None:
    (example,) = (block for block in blocks("yaml") if block.startswith("# users.yaml"))
    file = tmp_path / "users.yaml"
    file.write_text(example, encoding="utf-8")
    users = read_users(file)

    given = {name for account in users.users.values() for name in account.model_fields_set}
    assert given == set(Account.model_fields)
    assert users.others in get_args(type(users).model_fields["others"].annotation)


def test_the_fault_script_can_be_read() -> None:
    (example,) = (block for block in blocks("yaml") if block.startswith("# mine.yaml"))

    assert read(example, source="the page").name == "mine"


@contextmanager
def started(command: str, folder: Path) -> Iterator[str]:
    """Run a command of the page that starts a simulator, on a free port; yield the address."""
    typed = command.replace(f"--port {PORT}", "--port 0").replace(STATE, str(folder / STATE)).split()
    assert typed[0] == "algoexec"
    child = children.spawn([sys.executable, "-m", *typed], stdout=subprocess.PIPE)
    assert child.stdout is not None
    try:
        yield json.loads(child.stdout.readline())["simulator"]
    finally:
        child.send_signal(signal.SIGINT)
        child.wait()
        child.stdout.close()


@pytest.mark.skipif(shutil.which("curl") is None or shutil.which("bash") is None, reason="needs bash and curl")
def test_what_the_page_types_works(tmp_path: Path) -> None:
    first, *others, last = blocks("console")
    with started(first, tmp_path) as url:
        # So that a refusal is an error.
        script = "".join(others).replace(f"http://127.0.0.1:{PORT}", url).replace("curl -s ", "curl -sf ")
        until(lambda: httpx.get(f"{url}/sim/clock").json()["now"][10:] >= "T09:15", within=20)
        typed = subprocess.run(
            ["bash", "-euo", "pipefail", "-c", script], capture_output=True, text=True, timeout=90, check=False
        )
        book = httpx.get(f"{url}/sim/book", params={"user": "ann"}).json()["users"]["ann"]
    assert typed.returncode == 0, typed.stdout[-500:] + typed.stderr
    assert [order["status"] for order in book["orders"]][:1] == ["complete"]
    assert len(book["orders"]) == 2, "a purchase and an exit"
    with started(last, tmp_path) as url:
        assert httpx.get(f"{url}/sim/clock").json()["speed"] == 30.0
    assert (tmp_path / STATE).exists()


def test_the_python_example_works() -> None:
    (example,) = blocks("python")
    first, *_ = blocks("console")
    with started(first, Path()) as url:
        code = example.replace(f"127.0.0.1:{PORT}", url.removeprefix("http://"))
        child = children.spawn([sys.executable, "-uc", code], stdout=subprocess.PIPE)
        assert child.stdout is not None
        lines = [child.stdout.readline().decode() for _ in range(2)]
        # It is not waited for: now and then the SDK's thread pool hangs at the end of its process.
        child.kill()
        child.wait()
        child.stdout.close()

    assert lines[0] == "ann\n"
    assert "market_info" in lines[1]
