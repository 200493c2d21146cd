"""`algoexec backtest`: what the strategy would have come to on recorded days."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from algoexec.domain.errors import BadRecording

if TYPE_CHECKING:
    from rich.progress import Progress

    from algoexec.adapters.history.bars import ReadOptions
    from algoexec.adapters.history.years import History
    from algoexec.backtest.files import RunFolder
    from algoexec.backtest.result import BacktestResult
    from algoexec.backtest.run import Plan

Index = Annotated[
    list[Path],
    typer.Option(
        "--index", help="One-minute bars of the index: CSV, Parquet, JSON, or a folder of recorded days; repeat."
    ),
]
Futures = Annotated[list[Path] | None, typer.Option("--futures", help="Bars of the nearest future, for volumes.")]
Chain = Annotated[list[Path] | None, typer.Option("--chain", help="Recorded option chains, for PCR and premiums.")]
Options = Annotated[list[Path] | None, typer.Option("--options", help="One-minute bars of options, for premiums.")]
From = Annotated[datetime | None, typer.Option("--from", formats=["%Y-%m-%d"], help="First day that is traded.")]
To = Annotated[datetime | None, typer.Option("--to", formats=["%Y-%m-%d"], help="Last day that is traded.")]
Set = Annotated[
    list[str] | None,
    typer.Option(
        "--set",
        metavar="NAME=VALUE",
        help="A setting of the strategy, of trading (named as in a session's config) or of execution; repeat.",
    ),
]
Out = Annotated[Path, typer.Option("--out", help="Folder to write to; what an earlier run left there is replaced.")]
Zone = Annotated[str, typer.Option("--zone", help="Zone of stamps that name none.")]
Stamps = Annotated[str, typer.Option("--stamps", help="Whether stamps are the `start` or the `end` of bars.")]
Skip = Annotated[bool, typer.Option("--skip-bad-rows", help="Leave bad rows out instead of refusing the file.")]


def backtest(
    index: Index,
    futures: Futures = None,
    chain: Chain = None,
    options: Options = None,
    begins: From = None,
    ends: To = None,
    settings: Set = None,
    out: Out = Path("backtest"),
    zone: Zone = "Asia/Kolkata",
    stamps: Stamps = "start",
    skip_bad_rows: Skip = False,
) -> None:
    """Trade recorded days on paper, with the session's own rules, and say what came of it.

    Writes signals.jsonl, rejections.jsonl, trades.csv, equity.csv, summary.json and report.html.
    Ctrl-C ends it early; what was found until then is written, and marked as partial.
    """
    from algoexec.adapters.history.years import read_history
    from algoexec.backtest.files import RunFolder
    from algoexec.cli.plan import BadSetting, plan_of

    try:
        plan = plan_of(settings or (), date_of(begins), date_of(ends))
        how = read_options(zone, stamps, skip_bad_rows=skip_bad_rows)
        history = read_history(index, futures or (), chain or (), options or (), options=how)
        dates = _dates(history, plan)
        with RunFolder(out) as folder:
            result = _run(history, plan, dates, folder)
            folder.finish(result)
    except (BadRecording, BadSetting, OSError) as error:
        typer.echo(f"algoexec backtest: {error}", err=True)
        raise typer.Exit(2) from error
    _print(result, out)
    if result.partial is not None:
        raise typer.Exit(130)


def date_of(given: datetime | None) -> date | None:
    return None if given is None else given.date()


def read_options(zone: str, stamps: str, *, skip_bad_rows: bool) -> "ReadOptions":
    from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

    from algoexec.adapters.history.bars import ReadOptions
    from algoexec.cli.plan import BadSetting

    if stamps not in ("start", "end"):
        raise BadSetting(f"--stamps {stamps}: expected start or end")
    try:
        return ReadOptions(zone=ZoneInfo(zone), stamps_are_ends=stamps == "end", skip_bad_rows=skip_bad_rows)
    except (ZoneInfoNotFoundError, ValueError) as error:
        raise BadSetting(f"--zone {zone}: there is no such zone; try Asia/Kolkata or UTC") from error


def _dates(history: "History", plan: "Plan") -> list[date]:
    """Return the days to go through: those that are traded, and before them those that warm."""
    from algoexec.backtest.run import days_needed

    dates = history.dates()
    needed = days_needed(dates, plan)
    if not any(plan.trades_on(on) for on in needed):
        raise BadRecording(f"there is no day to trade: the index has days from {dates[0]} to {dates[-1]}")
    return needed


def _run(history: "History", plan: "Plan", dates: list[date], folder: "RunFolder") -> "BacktestResult":
    from algoexec.backtest.run import Backtest

    run = Backtest(plan, calendar=history.calendar(), data=history.files, hear=folder.hear)
    with _interruptible() as interrupted, _progress() as progress:
        task = progress.add_task("", total=len(dates), net="", trades=0)
        net = trades = 0
        for done, on in enumerate(dates):
            if interrupted:
                return run.result(f"interrupted after {done} of {len(dates)} days")
            row = run.add(history.day(on))
            if row is not None:
                net, trades = net + row.net, trades + row.trades
            progress.update(task, advance=1, description=str(on), net=f"{net / 100:,.0f}", trades=trades)
    return run.result()


@contextmanager
def _interruptible() -> Iterator[list[bool]]:
    """Yield a list that is empty until Ctrl-C is pressed; a second time ends the program as it always does."""
    pressed: list[bool] = []
    before = signal.getsignal(signal.SIGINT)

    def press(*_: object) -> None:
        pressed.append(True)
        signal.signal(signal.SIGINT, before)

    signal.signal(signal.SIGINT, press)
    try:
        yield pressed
    finally:
        signal.signal(signal.SIGINT, before)


def _progress() -> "Progress":
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeElapsedColumn,
        TimeRemainingColumn,
    )

    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("days, {task.fields[trades]} trades, net {task.fields[net]}"),
        TimeElapsedColumn(),
        TextColumn("left"),
        TimeRemainingColumn(),
        console=Console(stderr=True),
    )


def _print(result: "BacktestResult", out: Path) -> None:
    """Say on the terminal what came of it."""
    from rich.console import Console
    from rich.table import Table

    table = Table(show_header=False, box=None, pad_edge=False)
    table.add_column(style="dim")
    table.add_column()
    for name, value in _rows(result):
        table.add_row(name, value)
    console = Console()
    console.print(table)
    for file in result.setup.data:
        for note in file.notes:
            console.print(f"{file.name}: {note}", highlight=False, markup=False)
    if result.partial is not None:
        console.print(f"PARTIAL: {result.partial}", style="bold", highlight=False)
    console.print(
        f"written to {out}/: report.html, summary.json, trades.csv, equity.csv, signals.jsonl, rejections.jsonl"
    )


def _rows(result: "BacktestResult") -> Iterator[tuple[str, str]]:
    days, trades = result.days, result.trades
    wins = sum(trade.net > 0 for trade in trades)
    gross, charges, net = (sum(getattr(trade, name) for trade in trades) for name in ("gross", "charges", "net"))
    yield "days", f"{len(days)}, {result.setup.begins} to {result.setup.ends}"
    yield "signals", f"{len(result.signals)}, {len(result.refusals)} of them refused{_listed(result.refused)}"
    yield "trades", f"{len(trades)}" + (f", {wins / len(trades):.0%} won" if trades else "")
    yield "gross", _money(gross)
    yield "charges", _money(charges) + (" (approximate: before our tables begin)" if _is_approximate(result) else "")
    yield "net", _money(net)
    for again in result.repricings:
        yield f"net, slippage × {again.multiple}", _money(again.net)
    if result.modelled_share is not None:
        yield "on modelled prices", f"{result.modelled_share:.0%} of profits and losses"
    without = sum(not day.chains for day in days)
    if without:
        yield "PCR", f"missing on {without} of {len(days)} days: no chain was recorded"


def _listed(counts: dict[str, int]) -> str:
    found = ", ".join(f"{reason} {count}" for reason, count in list(counts.items())[:5])
    return f" ({found})" if found else ""


def _money(paise: int) -> str:
    return f"Rs {paise / 100:,.2f}"


def _is_approximate(result: "BacktestResult") -> bool:
    return any(trade.approximate for trade in result.trades)
