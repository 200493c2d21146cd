"""A sweep on worker processes: the same days as a plain backtest, whatever interrupts it."""

import json
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path
from statistics import fmean

import pytest
from typer.testing import CliRunner

from algoexec.adapters.history.years import History, read_history
from algoexec.backtest.run import Plan, backtest
from algoexec.backtest.sweep.book import Book
from algoexec.backtest.sweep.farm import Farm, Task, worked_off
from algoexec.backtest.sweep.search import Grid, Guided
from algoexec.backtest.sweep.space import Values, space_of
from algoexec.backtest.sweep.sweeping import Rank, Sweep, Work
from algoexec.cli import app
from algoexec.domain.errors import DomainError
from algoexec.engine.trading.rules import TradeRules
from algoexec.strategy.parameters import Parameters
from tests import strategies

FIRST = date(2026, 7, 6)
DAYS = 11
"""One more than a block."""


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """Return bars of the index and of the future, each of all days in one file."""
    folder = tmp_path_factory.mktemp("bars")
    index: list[strategies.Row] = []
    futures: list[strategies.Row] = []
    for n in range(DAYS):
        day = strategies.made_up_day(n, FIRST + timedelta(days=n))
        index += day.index
        futures += day.futures
    strategies.write_csv(folder / "index.csv", index)
    strategies.write_csv(folder / "futures.csv", futures)
    return folder / "index.csv", folder / "futures.csv"


@pytest.fixture(scope="module")
def history(files: tuple[Path, Path]) -> History:
    return read_history([files[0]], [files[1]])


FEW = 0b1111
"""Breakouts alone: few trades, so that a day is quickly over."""
RULES = TradeRules(capital=1_000_000_00, risk_pct=2.0, max_daily_loss=100_000_00)


def plan_of(values: Values) -> Plan:
    lock = values["lock_minutes"]
    assert isinstance(lock, int)
    if lock == 99:
        raise DomainError("that cannot be")
    return Plan(parameters=Parameters(lock_minutes=lock, enabled=FEW), rules=RULES)


def test_sets_that_share_a_day_come_out_as_if_each_ran_alone(history: History) -> None:
    dates = history.dates()
    plans = tuple(plan_of({"lock_minutes": lock}) for lock in (3, 30))
    wider = replace(plans[0], execution=replace(plans[0].execution, spread_pct=2.0))
    together = worked_off(history, Task(tuple(dates[:2]), tuple(dates[2:4]), ({},) * 3, (*plans, wider)))
    assert together is not None
    for plan, rows in zip((*plans, wider), together, strict=True):
        days = [history.day(on) for on in dates[:4]]
        alone = backtest(days, replace(plan, begins=dates[2]), calendar=history.calendar())
        assert [(row.date, row.net, row.trades) for row in alone.days] == [(r.day, r.net, r.trades) for r in rows]
    assert together[0] != together[2]
    assert sum(row.trades for row in together[0]) > 0


def test_a_stopped_worker_gives_nothing(history: History) -> None:
    dates = history.dates()
    task = Task((), tuple(dates[:1]), ({},), (plan_of({"lock_minutes": 3}),))
    assert worked_off(history, task, lambda: True) is None


def test_a_sweep_tries_all_and_then_has_nothing_to_do(history: History, tmp_path: Path) -> None:
    space = space_of(["lock_minutes=3,30,99"])
    work = Work(source=history, space=space, plan_of=plan_of, rank=Rank.NET, ends=history.dates()[1])
    with Book(tmp_path / "results.jsonl", {}) as book:
        with Farm(history, 1) as farm:
            sweep = Sweep(work, book, Grid(space))
            last = list(sweep.run(farm))[-1]
        assert last.done == last.wanted == 4
        assert sweep.contradictory == 1
        trials = sweep.trials()
        assert {one.values["lock_minutes"] for one in trials} == {3, 30}
        assert trials[0].net >= trials[1].net
        lines = (tmp_path / "results.jsonl").read_text()
        again = Sweep(work, book, Grid(space))
        for _ in again.run(_NoFarm(history, 1)):
            pass
        assert again.trials() == trials
        assert (tmp_path / "results.jsonl").read_text() == lines


class _NoFarm(Farm):
    """Fails when it is asked to work."""

    def run(self, tasks: object) -> Iterator[tuple[Task, list[list[object]]]]:  # type: ignore[override]
        assert list(tasks) == []  # type: ignore[call-overload]
        yield from ()


def test_a_guided_search_tries_as_many_as_it_was_told_none_twice() -> None:
    space = space_of(["a=1:20", "b=1:20"])
    search = Guided(space, 40, seed=1)
    seen: list[Values] = [{"a": 1, "b": 1}]
    scores = [score(seen[0])]
    search.tell(seen[0], scores[0])
    for found in search.rounds():
        assert found
        for values in found:
            assert values in space
            assert values not in seen
            seen.append(values)
            scores.append(score(values))
            search.tell(values, scores[-1])
    assert len(seen) == 40
    assert fmean(scores[-16:]) > fmean(scores[:16]) + 2, "it learns"
    space = space_of(["a=1:6", "b=1:5"])
    everything = Guided(space, 1_000, seed=1)
    assert sum(len(found) for found in _told(everything)) == len(space) == 30


def score(values: Values) -> float:
    """More is better, and best at (14, 5)."""
    a, b = values["a"], values["b"]
    assert isinstance(a, int)
    assert isinstance(b, int)
    return -abs(a - 14) - abs(b - 5)


def _told(search: Guided) -> Iterator[list[dict[str, object]]]:
    for found in search.rounds():
        for values in found:
            search.tell(values, 0.0)
        yield [dict(values) for values in found]


def test_without_optuna_a_sentence_says_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "optuna", None)
    with pytest.raises(DomainError, match=r"algoexec\[backtest\]"):
        Guided(space_of(["a=1,2"]), 1, seed=1)


def command(name: str, files: tuple[Path, Path], *more: str) -> list[str]:
    index, futures = files
    return [sys.executable, "-m", "algoexec", name, "--index", str(index), "--futures", str(futures), *more]


@pytest.mark.prove
@pytest.mark.timeout(600)
def test_an_interrupted_sweep_goes_on_where_it_ended(files: tuple[Path, Path], tmp_path: Path) -> None:
    few = ("--set", "patterns=ORB_BREAKOUT,INSIDE_BAR_BREAKOUT", "--set", "risk_pct=2")
    sets = ("--vary", "lock_minutes=3,30", "--vary", "target_pct=0.4", *few, "--jobs", "2")
    whole, cut = tmp_path / "whole", tmp_path / "cut"
    subprocess.run(command("sweep", files, *sets, "--out", str(whole)), check=True, capture_output=True, timeout=280)
    assert len((whole / "results.jsonl").read_text().splitlines()) == 1 + 2 * 2

    results = cut / "results.jsonl"
    running = subprocess.Popen(
        command("sweep", files, *sets, "--out", str(cut)), stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    )
    # The last block is one day long: it is done long before the first one.
    until(lambda: results.exists() and len(results.read_text().splitlines()) >= 2, running)
    running.send_signal(signal.SIGINT)
    said, _ = running.communicate(timeout=120)
    assert running.returncode == 130
    assert "PARTIAL" in said
    done = results.read_text()
    assert len(done.splitlines()) < 1 + 2 * 2

    again = subprocess.run(
        command("sweep", files, *sets, "--out", str(cut)), check=True, capture_output=True, text=True, timeout=280
    )
    assert "PARTIAL" not in again.stdout
    assert results.read_text().startswith(done)
    assert json.loads((cut / "ranking.json").read_text()) == json.loads((whole / "ranking.json").read_text())
    assert (cut / "sweep.html").read_text() == (whole / "sweep.html").read_text()

    walk = subprocess.run(
        command("walkforward", files, *sets, "--train", "4", "--test", "3", "--out", str(cut)),
        check=True, capture_output=True, text=True, timeout=120,
    )  # fmt: skip
    assert any(word in walk.stdout for word in ("FAILS", "NOT PROVEN", "HOLDS UP"))
    assert len(results.read_text().splitlines()) == 1 + 2 * 2, "all of it was there already"
    assert "<svg" in (cut / "walkforward.html").read_text()


def until(holds: "object", running: "subprocess.Popen[str]") -> None:
    assert callable(holds)
    deadline = time.monotonic() + 240
    while not holds():
        assert running.poll() is None, "it ended before it was interrupted"
        assert time.monotonic() < deadline
        time.sleep(0.05)


@pytest.mark.parametrize(
    ("more", "said"),
    [
        (("--vary", "lokc_minutes=3,4"), "did you mean lock_minutes"),
        (("--vary", "lock_minutes"), "NAME=FIRST:LAST:STEP"),
        (("--vary", "lock_minutes=3", "--rank", "luck"), "sharpe, net, expectancy"),
        (("--vary", "ema_fast_length=30"), "must be below"),
        (("--vary", "lock_minutes=3", "--from", "2030-01-01"), "no day to trade"),
    ],
)
def test_what_cannot_be_is_said_in_a_sentence(
    files: tuple[Path, Path], tmp_path: Path, more: tuple[str, ...], said: str
) -> None:
    answer = CliRunner().invoke(app, command("sweep", files, *more, "--out", str(tmp_path / "out"))[3:])
    assert answer.exit_code == 2
    assert said in answer.stderr
    assert answer.stderr.count("\n") == 1


def test_the_analysers_speak_of_days_in_files(files: tuple[Path, Path]) -> None:
    look = CliRunner().invoke(app, command("lookahead", files, "--days", "2", "--cuts", "2")[3:])
    assert look.exit_code == 0, look.output
    assert look.stdout.count("No look-ahead") == 2
    warm = CliRunner().invoke(app, command("warmup", files, "--reference", "6", "--days", "3")[3:])
    assert warm.exit_code == 0, warm.output
    assert "No warm-up bias" in warm.stdout
