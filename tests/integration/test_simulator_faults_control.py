"""Starting, watching and ending fault scripts on a running simulator."""

import json
import subprocess
import sys
from pathlib import Path

import httpx

from algoexec.adapters.system_clock import SystemClock
from algoexec.simulation.generated import generated_day
from algoexec.simulator.faults.loading import parse, shipped, shipped_names
from algoexec.simulator.server import serve
from tests.integration.faulting import hits, script, start
from tests.integration.simulating import rest, settings, simulator

STANDING = settings(speed=0.001)
PROFILE = "/v2/user/profile"
SLOW = {"do": {"answer": 503}}


async def names(client: httpx.AsyncClient) -> list[str]:
    return [one["name"] for one in (await client.get("/sim/faults")).json()["active"]]


async def test_without_a_script_nothing_is_wrong_and_what_ships_is_told() -> None:
    async with simulator(STANDING) as running, rest(running) as client:
        told = (await client.get("/sim/faults")).json()
        assert (await client.get(PROFILE)).status_code == 200

    assert told["active"] == []
    assert told["shipped"] == {name: shipped(name).imitates for name in shipped_names()}


async def test_a_script_begins_strikes_is_counted_and_ends() -> None:
    async with simulator(STANDING) as running, rest(running) as client:
        await start(running, {"when": {"path": "/v2/user/*", "skip": 1, "count": 2}, **SLOW})
        assert [(await client.get(PROFILE)).status_code for _ in range(4)] == [200, 503, 503, 200]

        (active,) = (await client.get("/sim/faults")).json()["active"]
        (fault,) = active["faults"]
        assert (active["name"], active["seed"]) == ("test", 1)
        assert fault["when"] == {"path": "/v2/user/*", "skip": 1, "count": 2}
        assert fault["do"] == {"answer": {"status": 503}}
        assert (fault["seen"], fault["hits"]) == (3, 2)

        await start(running, SLOW)
        assert (await client.get(PROFILE)).status_code == 503, "it has begun anew, as another one"
        assert (await client.delete("/sim/faults/test")).status_code == 204
        assert (await client.delete("/sim/faults/test")).status_code == 404
        assert (await client.get(PROFILE)).status_code == 200


async def test_a_shipped_script_is_started_by_its_name_and_all_are_ended_at_once() -> None:
    async with simulator(STANDING) as running, rest(running) as client:
        for name in shipped_names():
            assert (await client.post("/sim/faults", json={"name": name})).status_code == 201
        assert sorted(await names(client)) == shipped_names()
        assert (await client.delete("/sim/faults")).status_code == 204
        assert await names(client) == []
        assert await hits(client) == []


async def test_a_bad_script_is_refused_with_the_place() -> None:
    async with simulator(STANDING) as running, rest(running, None) as client:
        for body, words in [
            (b"no json", "not JSON"),
            (b"[]", "a script is a mapping"),
            (b'{"name": "no-such"}', "no script named 'no-such' ships"),
            (b'{"name": "a", "imitates": "b", "faults": [{"do": {"anser": 503}}]}', "faults.0.do.anser"),
        ]:
            answer = await client.post("/sim/faults", content=body)
            assert answer.status_code == 422
            assert words in answer.json()["error"]
        assert await names(client) == []


async def test_the_simulators_own_endpoints_never_fail_on_purpose() -> None:
    async with simulator(STANDING) as running, rest(running) as client:
        await start(running, {"do": {"cut": "before"}})
        assert (await client.get("/sim/clock")).status_code == 200
        assert await hits(client) == [0]


async def test_faults_can_be_there_from_the_start() -> None:
    first = parse(script(SLOW), source="test")
    async with (
        serve(generated_day(), STANDING, SystemClock(), faults=[first]) as running,
        rest(running) as client,
    ):
        assert (await client.get(PROFILE)).status_code == 503


def test_the_command_line_takes_names_and_files(tmp_path: Path) -> None:
    file = tmp_path / "mine.yaml"
    file.write_text("name: mine\nimitates: A test.\nfaults:\n  - do: {answer: 503}\n", encoding="utf-8")
    options = ["--faults=silent-feed", f"--faults={file}"]
    command = [sys.executable, "-m", "algoexec", "simulator", "--port=0", *options]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as child:
        assert child.stdout is not None
        try:
            url = json.loads(child.stdout.readline())["simulator"]
            active = httpx.get(f"{url}/sim/faults").json()["active"]
        finally:
            child.terminate()

    assert [one["name"] for one in active] == ["silent-feed", "mine"]


def test_the_command_line_says_what_is_wrong_with_a_script(tmp_path: Path) -> None:
    file = tmp_path / "mine.yaml"
    file.write_text("name: mine\nimitates: A test.\nfaults:\n  - do: {anser: 503}\n", encoding="utf-8")
    for given, words in ((str(file), "mine.yaml: faults.0.do.anser"), ("no-such", "neither a readable file nor")):
        command = [sys.executable, "-m", "algoexec", "simulator", "--port=0", f"--faults={given}"]
        refused = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
        assert refused.returncode == 2
        assert words in refused.stderr
