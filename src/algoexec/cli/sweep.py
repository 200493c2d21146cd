"""`algoexec sweep` and `walkforward`: which settings are best, and whether to believe it."""

import hashlib
import json
import os
from collections.abc import Callable, Sequence
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from algoexec.cli.backtest import (
    Chain,
    From,
    Futures,
    Index,
    Options,
    Set,
    Skip,
    Stamps,
    To,
    Zone,
    date_of,
)
from algoexec.cli.years import Files, Refusing, history_of
from algoexec.domain.errors import DomainError

if TYPE_CHECKING:
    from algoexec.adapters.history.years import History
    from algoexec.backtest.run import Plan
    from algoexec.backtest.sweep.farm import Farm
    from algoexec.backtest.sweep.space import Values
    from algoexec.backtest.sweep.sweeping import Sweep, Work
    from algoexec.backtest.sweep.trial import Trial

Vary = Annotated[
    list[str],
    typer.Option("--vary", metavar="NAME=…", help="Values: `7,9,11`, or a range `3:9:2`; repeat. Names as in --set."),
]
Trials = Annotated[
    int | None, typer.Option("--trials", min=1, help="Try so many sets, chosen by Optuna; left out, every one.")
]
Seed = Annotated[int, typer.Option("--seed", help="Decides what Optuna tries.")]
Jobs = Annotated[int | None, typer.Option("--jobs", min=1, help="Processes; left out, one for each core.")]
RankBy = Annotated[str, typer.Option("--rank", help="`sharpe`, `net` or `expectancy`.")]
SweepOut = Annotated[Path, typer.Option("--out", help="Folder of results; the same folder goes on where it ended.")]
Known = Annotated[int, typer.Option("--train", min=2, help="Days by which is chosen.")]
Unseen = Annotated[int, typer.Option("--test", min=1, help="Days after them on which the choice is tried.")]
Anchored = Annotated[bool, typer.Option("--anchored", help="Choose by all days so far.")]
_BEST: Final = 10


def sweep(
    index: Index,
    vary: Vary,
    futures: Futures = None,
    chain: Chain = None,
    options: Options = None,
    begins: From = None,
    ends: To = None,
    settings: Set = None,
    trials: Trials = None,
    seed: Seed = 1,
    jobs: Jobs = None,
    rank: RankBy = "sharpe",
    out: SweepOut = Path("sweep"),
    zone: Zone = "Asia/Kolkata",
    stamps: Stamps = "start",
    skip_bad_rows: Skip = False,
) -> None:
    """Backtest many settings on all cores, rank them, and say whether the best is more than luck.

    Writes results.jsonl (each piece of work when it is done), ranking.json and sweep.html. Ctrl-C, or a crash,
    loses what was under way; the same command goes on from there.
    """
    from algoexec.backtest.sweep.page import sweep_page
    from algoexec.backtest.sweep.sweeping import doubts_of

    with Refusing("sweep"):
        files = (index, futures or [], chain or [], options or [])
        history = history_of(files, zone, stamps, skip_bad_rows=skip_bad_rows)
        work = _work(history, vary, settings or [], rank, date_of(begins), date_of(ends))
        found, contradictory, is_whole = _swept(work, files, settings or [], out, trials, seed, jobs)
        doubts = doubts_of(work.space, found, work.rank)
        notes = _notes(work, found, contradictory, is_whole=is_whole)
        _write(out / "ranking.json", json.dumps([_row(trial) for trial in found], indent=1) + "\n")
        _write(out / "sweep.html", sweep_page(work.space, found, doubts, work.rank, notes))
    _print_ranking(found)
    for sentence in (*notes, *doubts.sentences):
        typer.echo(sentence)
    typer.echo(f"written to {out}/: sweep.html, ranking.json, results.jsonl")
    raise typer.Exit(0 if is_whole else 130)


def walkforward(
    index: Index,
    vary: Vary,
    futures: Futures = None,
    chain: Chain = None,
    options: Options = None,
    begins: From = None,
    ends: To = None,
    settings: Set = None,
    train: Known = 120,
    test: Unseen = 40,
    anchored: Anchored = False,
    jobs: Jobs = None,
    rank: RankBy = "sharpe",
    out: SweepOut = Path("sweep"),
    zone: Zone = "Asia/Kolkata",
    stamps: Stamps = "start",
    skip_bad_rows: Skip = False,
) -> None:
    """Choose settings by the past alone, again and again, and see what the choices brought in the days after.

    Every set is run on every day, into the same folder as `algoexec sweep` would: what is there is not run again.
    Writes walkforward.html.
    """
    from algoexec.backtest.sweep.page import walk_page
    from algoexec.backtest.sweep.walk import walked

    with Refusing("walkforward"):
        files = (index, futures or [], chain or [], options or [])
        history = history_of(files, zone, stamps, skip_bad_rows=skip_bad_rows)
        work = _work(history, vary, settings or [], rank, date_of(begins), date_of(ends))
        if len(work.dates()) < train + test:
            raise DomainError(f"{len(work.dates())} days are too few to choose by {train} and try on {test}")
        found, contradictory, is_whole = _swept(work, files, settings or [], out, None, 1, jobs)
        notes = _notes(work, found, contradictory, is_whole=is_whole)
        if not is_whole:
            typer.echo("interrupted: run the same command again to go on")
            raise typer.Exit(130)
        walk = walked(found, work.rank, known=train, unseen=test, anchored=anchored)
        _write(out / "walkforward.html", walk_page(walk, notes))
    word, why = walk.verdict()
    for sentence in notes:
        typer.echo(sentence)
    typer.echo(f"{word}. {why}")
    typer.echo(f"written to {out}/: walkforward.html, results.jsonl")


def _work(
    history: "History", vary: Sequence[str], settings: Sequence[str], rank: str, begins: date | None, ends: date | None
) -> "Work":
    from algoexec.backtest.sweep.space import space_of
    from algoexec.backtest.sweep.sweeping import Rank, Work

    if rank not in set(Rank):
        raise DomainError(f"--rank {rank}: expected {', '.join(Rank)}")
    space = space_of(vary)
    work = Work(
        source=history, space=space, plan_of=_planner(settings, ends), rank=Rank(rank), begins=begins, ends=ends
    )
    if not work.dates():
        raise DomainError("there is no day to trade")
    _require_one_plan(work)
    return work


def _planner(settings: Sequence[str], ends: date | None) -> "Callable[[Values], Plan]":
    from algoexec.cli.plan import BadSetting, plan_of

    def planned(values: "Values") -> "Plan":
        try:
            return plan_of([*settings, *(f"{name}={json.dumps(value)}" for name, value in values.items())], ends=ends)
        except BadSetting as error:
            raise DomainError(str(error).replace("--set", "--vary")) from error

    return planned


def _require_one_plan(work: "Work") -> None:
    """Refuse a space of which no set can be run; the first one says why."""
    first: DomainError | None = None
    for values in work.space:
        try:
            work.plan_of(values)
        except DomainError as error:
            first = first or error
        else:
            return
    if first is not None:
        raise first


def _swept(
    work: "Work",
    files: Files,
    settings: Sequence[str],
    out: Path,
    trials: int | None,
    seed: int,
    jobs: int | None,
) -> "tuple[list[Trial], int, bool]":
    """Return the ranked sets, how many contradict themselves, and whether all were run."""
    from algoexec.backtest.sweep.book import Book
    from algoexec.backtest.sweep.farm import DAYS_A_BLOCK, Farm
    from algoexec.backtest.sweep.search import Grid, Guided
    from algoexec.backtest.sweep.sweeping import Sweep

    search = Grid(work.space) if trials is None else Guided(work.space, trials, seed)
    about = {
        "engine": _engine(),
        "data": [_digest(path) for group in files for path in group],
        "settings": sorted(settings),
        "from": None if work.begins is None else work.begins.isoformat(),
        "to": None if work.ends is None else work.ends.isoformat(),
        "names": sorted(axis.name for axis in work.space.axes),
        "block": DAYS_A_BLOCK,
    }
    with Book(out / "results.jsonl", about) as book:
        sweep = Sweep(work, book, search)
        try:
            with Farm(work.source, jobs or os.cpu_count() or 1) as farm:
                _watch(sweep, farm)
        except KeyboardInterrupt:
            return sweep.trials(), sweep.contradictory, False
        return sweep.trials(), sweep.contradictory, True


def _watch(sweep: "Sweep", farm: "Farm") -> None:
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeElapsedColumn,
        TimeRemainingColumn,
    )

    columns = (
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("days of sets"),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=Console(stderr=True)) as bar:
        task = bar.add_task("", total=None)
        for progress in sweep.run(farm):
            bar.update(task, completed=progress.done, total=progress.wanted)


def _engine() -> str:
    from importlib.metadata import version

    from algoexec.engine.version import ENGINE_VERSION

    return f"{version('algoexec')}/{ENGINE_VERSION}"


def _digest(path: Path) -> str:
    if path.is_dir():
        return hashlib.sha256("".join(_digest(one) for one in sorted(path.iterdir())).encode()).hexdigest()
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _notes(work: "Work", found: Sequence["Trial"], contradictory: int, *, is_whole: bool) -> list[str]:
    dates = work.dates()
    notes = [
        f"{len(found)} sets on {len(dates)} days, {dates[0]} to {dates[-1]}; each day begins with the same capital."
    ]
    if contradictory:
        notes.append(f"{contradictory} sets contradict themselves (as an EMA that is not faster) and were left out.")
    if not is_whole:
        notes.append("PARTIAL: it was interrupted. Run the same command again to go on.")
    return notes


def _row(trial: "Trial") -> dict[str, object]:
    return {
        "values": dict(trial.values),
        "sharpe": trial.sharpe,
        "net": trial.net / 100,
        "trades": trial.trades,
        "win_rate": trial.win_rate,
        "expectancy": None if trial.expectancy is None else trial.expectancy / 100,
        "max_drawdown": trial.max_drawdown / 100,
    }


def _print_ranking(found: Sequence["Trial"]) -> None:
    from rich.console import Console
    from rich.table import Table

    from algoexec.backtest.sweep.page import FIGURES, figures

    if not found:
        return
    table = Table(box=None)
    for name in (*found[0].values, *FIGURES):
        table.add_column(name, justify="right", no_wrap=True)
    for trial in found[:_BEST]:
        table.add_row(*map(str, trial.values.values()), *figures(trial))
    Console(soft_wrap=True).print(table)


def _write(path: Path, text: str) -> None:
    """Replace a file at once: a reader never sees half of it."""
    fresh = path.with_suffix(path.suffix + ".new")
    fresh.write_text(text, encoding="utf-8")
    fresh.replace(path)
