"""`algoexec signals DAY`: what a session would have said on a recorded day."""

import json
import sys
from pathlib import Path
from typing import Annotated

import typer

from algoexec.domain.errors import BadRecording

Day = Annotated[Path, typer.Argument(help="Folder with index_1m.csv, optional futures_1m.csv and chain_weekly.csv.")]
History = Annotated[
    list[Path] | None, typer.Option("--history", help="Folder of an earlier day, to warm up; repeat, oldest first.")
]


def signals(day: Day, history: History = None) -> None:
    """Print the signals and rejections of a recorded day, one JSON object a line."""
    from algoexec.adapters.history.day_folder import read_day
    from algoexec.backtest.day import signals_of
    from algoexec.backtest.files import signal_line

    try:
        recorded = read_day(day)
        earlier = [read_day(folder) for folder in history or ()]
    except BadRecording as error:
        typer.echo(f"algoexec signals: {error}", err=True)
        raise typer.Exit(2) from error
    try:
        for signal in signals_of(recorded, earlier):
            print(json.dumps(signal_line(signal)))
    except BrokenPipeError:
        # The reader has seen enough (`| head`); Python would complain once more at exit.
        sys.stderr.close()
