"""The command line, as far as it needs no service."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from algoexec.cli import app
from algoexec.cli.follow import lines
from algoexec.cli.simulator import clock_time
from tests.e2e.days import write_generated_day

RUNNER = CliRunner()
KEYS = [
    "kind",
    "at",
    "side",
    "pattern",
    "priority",
    "price",
    "stop_loss",
    "target",
    "pcr",
    "volume_confirmed",
    "reason",
]


@pytest.fixture(scope="module")
def day(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_generated_day(tmp_path_factory.mktemp("days") / "day")


def test_signals_prints_a_json_object_a_line_with_the_documented_keys(day: Path) -> None:
    answer = RUNNER.invoke(app, ["signals", str(day)])
    assert answer.exit_code == 0
    printed = [json.loads(line) for line in answer.stdout.splitlines()]
    assert len(printed) > 50
    assert all(list(line) == KEYS for line in printed)
    assert [line["at"] for line in printed] == sorted(line["at"] for line in printed)
    assert all(line["at"].endswith("+05:30") for line in printed)
    assert all((line["kind"] == "signal") == (line["reason"] is None) for line in printed)


def test_history_changes_what_is_known_at_the_open(day: Path) -> None:
    alone = RUNNER.invoke(app, ["signals", str(day)]).stdout
    warmed = RUNNER.invoke(app, ["signals", str(day), "--history", str(day)]).stdout
    assert json.loads(alone.splitlines()[0])["volume_confirmed"] is None
    assert json.loads(warmed.splitlines()[0])["volume_confirmed"] is not None


def test_a_folder_that_is_none_is_said_in_a_sentence(tmp_path: Path) -> None:
    answer = RUNNER.invoke(app, ["signals", str(tmp_path / "nowhere")])
    assert answer.exit_code == 2
    assert "no such folder" in answer.stderr


def test_a_bad_row_is_named_with_its_line(tmp_path: Path) -> None:
    (tmp_path / "index_1m.csv").write_text("timestamp,open,high,low,close\n2026-10-14T09:15:00+05:30,1,x,1,1\n")
    answer = RUNNER.invoke(app, ["signals", str(tmp_path)])
    assert answer.exit_code == 2
    assert "index_1m.csv:2: high" in answer.stderr


@pytest.mark.parametrize("options", [["--at", "9 o'clock"], ["--day", "nowhere"]])
def test_the_simulator_refuses_what_it_cannot_play(options: list[str]) -> None:
    answer = RUNNER.invoke(app, ["simulator", "--port", "0", *options])
    assert answer.exit_code == 2
    assert "algoexec simulator:" in answer.stderr


def test_clock_times_have_seconds_or_none() -> None:
    assert clock_time("09:25").isoformat() == "09:25:00"
    assert clock_time("09:14:50").isoformat() == "09:14:50"


def test_openapi_says_when_the_committed_file_is_old(tmp_path: Path) -> None:
    old = tmp_path / "openapi.json"
    old.write_text("{}\n")
    answer = RUNNER.invoke(app, ["openapi", "--check", str(old)])
    assert answer.exit_code == 1
    assert "not up to date" in answer.stderr


def test_a_frame_is_told_in_words_with_its_indian_time() -> None:
    frame = {"type": "pcr", "at": "2026-10-14T04:00:30Z", "data": {"pcr": None, "strikes": 0}}
    assert list(lines(frame)) == ["09:30:30  PCR        unknown  over 0 strikes"]


def test_frames_that_say_nothing_to_a_person_are_passed_over() -> None:
    assert list(lines({"type": "candle", "at": "2026-10-14T04:00:30Z", "data": {}})) == []
