"""`algoexec backtest`, from the command line to the files."""

import csv
import json
import os
import signal
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from algoexec.cli import app
from algoexec.cli.plan import BadSetting, plan_of
from algoexec.domain.signals import Pattern
from algoexec.strategy.decision import CANDIDATES
from tests.e2e.days import write_generated_day

RUNNER = CliRunner()


@pytest.fixture(scope="module")
def day(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_generated_day(tmp_path_factory.mktemp("days") / "day")


def ran(*arguments: object) -> Result:
    return RUNNER.invoke(app, ["backtest", *map(str, arguments)])


@pytest.fixture(scope="module")
def out(day: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("out") / "results"
    answer = ran("--index", day, "--out", folder, "--set", "risk_pct=2")
    assert answer.exit_code == 0, answer.stderr
    assert "trades" in answer.stdout
    return folder


def test_everything_is_written(out: Path) -> None:
    names = {"signals.jsonl", "rejections.jsonl", "trades.csv", "equity.csv", "summary.json", "report.html"}
    assert {path.name for path in out.iterdir()} == names


def test_files_agree_with_each_other(out: Path) -> None:
    summary = json.loads((out / "summary.json").read_text())
    with (out / "trades.csv").open(newline="") as file:
        trades = list(csv.DictReader(file))
    signals = [json.loads(line) for line in (out / "signals.jsonl").read_text().splitlines()]
    rejections = [json.loads(line) for line in (out / "rejections.jsonl").read_text().splitlines()]
    with (out / "equity.csv").open(newline="") as file:
        equity = list(csv.DictReader(file))

    assert summary["trades"] == len(trades) > 3
    assert summary["net"] == pytest.approx(sum(float(trade["net"]) for trade in trades))
    assert float(equity[-1]["equity"]) == pytest.approx(300_000 + summary["net"])
    assert {trade["signal_id"] for trade in trades} <= {one["id"] for one in signals}
    assert summary["signals"] == len(signals)
    assert sum(sum(counts.values()) for counts in summary["rejections"].values()) == len(rejections) > 20
    assert summary["rules"]["risk_pct"] == 2
    assert summary["partial"] is None
    assert [one["slippage_times"] for one in summary["repriced"]] == [2, 4]
    assert all(float(one["entry_price"]) > float(one["entry_middle"]) for one in trades)


def test_what_an_earlier_run_left_is_replaced(day: Path, tmp_path: Path) -> None:
    (tmp_path / "report.html").write_text("old")
    (tmp_path / "mine.txt").write_text("kept")
    answer = ran("--index", day, "--out", tmp_path, "--set", "patterns=HAMMER")

    assert answer.exit_code == 0
    assert "old" not in (tmp_path / "report.html").read_text()[:10]
    assert (tmp_path / "mine.txt").read_text() == "kept"


def test_ctrl_c_leaves_what_was_found_and_says_so(day: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from algoexec.backtest.run import Backtest

    add = Backtest.add

    def press_ctrl_c(self: Backtest, one: object) -> object:
        os.kill(os.getpid(), signal.SIGINT)
        return add(self, one)  # type: ignore[arg-type]

    monkeypatch.setattr(Backtest, "add", press_ctrl_c)
    text = (day / "index_1m.csv").read_text()
    (tmp_path / "more.csv").write_text(text.replace("2026-10-14", "2026-10-15"))
    answer = ran("--index", day, "--index", tmp_path / "more.csv", "--out", tmp_path / "out")

    assert answer.exit_code == 130
    assert "PARTIAL: interrupted after 1 of 2 days" in answer.stdout
    assert json.loads((tmp_path / "out" / "summary.json").read_text())["partial"] == "interrupted after 1 of 2 days"


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--set", "risk_pkt=1"], "there is no risk_pkt; did you mean risk_pct"),
        (["--set", "risk_pct"], "expected name=value"),
        (["--set", "risk_pct=much"], "risk_pct: "),
        (["--set", "latency_ms=-1"], "latency_ms must be between"),
        (["--set", "ema_fast_length=30"], "must be below ema_slow_length"),
        (["--set", "patterns=NONE"], "patterns.0"),
        (["--set", "approval=manual"], "nobody who could approve"),
        (["--zone", "Mars"], "there is no such zone"),
        (["--stamps", "middle"], "expected start or end"),
        (["--from", "2030-01-01"], "there is no day to trade: the index has days from 2026-10-14 to 2026-10-14"),
    ],
)
def test_what_cannot_be_run_is_said_in_a_sentence(day: Path, tmp_path: Path, arguments: list[str], said: str) -> None:
    answer = ran("--index", day, "--out", tmp_path / "out", *arguments)

    assert answer.exit_code == 2
    assert said in answer.stderr
    assert not (tmp_path / "out").exists()


def test_a_file_that_is_none_is_said_in_a_sentence(tmp_path: Path) -> None:
    answer = ran("--index", tmp_path / "nowhere.csv")
    assert (answer.exit_code, "no such file" in answer.stderr) == (2, True)


def test_settings_of_all_three_kinds_are_taken() -> None:
    plan = plan_of(
        ["stop_loss_pct=0.3", "capital=500000", "trading.trailing=false", "latency_ms=100", "patterns=HAMMER,MOMENTUM"]
    )

    assert plan.parameters.stop_loss_pct == 0.3
    assert (plan.rules.capital, plan.rules.trailing) == (500_000_00, False)
    assert plan.rules.max_daily_loss == 15_000_00, "3 % of the capital, as in a session"
    assert plan.execution.latency_ms == 100
    on = {row.pattern for bit, row in enumerate(CANDIDATES) if plan.parameters.enabled >> bit & 1}
    assert on == {Pattern.HAMMER, Pattern.MOMENTUM}


def test_no_two_settings_share_a_name() -> None:
    from algoexec.cli.plan import _EXECUTION, _STRATEGY, _TRADING

    names = [*_STRATEGY, *_TRADING, *_EXECUTION]
    assert len(names) == len(set(names))


def test_a_setting_without_a_likeness_says_where_they_are_listed() -> None:
    with pytest.raises(BadSetting, match="says where they are listed"):
        plan_of(["xyzzy=1"])
