"""Years of bars for the commands that look at many days, and one way to refuse what they cannot use."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from algoexec.cli.backtest import read_options
from algoexec.domain.errors import BadRecording, DomainError

if TYPE_CHECKING:
    from algoexec.adapters.history.years import History


class Refusing:
    """Turns what a person has to put right into a sentence and status 2."""

    def __init__(self, command: str) -> None:
        """Say it in the name of `command`."""
        self._command = command

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: object) -> None:
        from algoexec.cli.plan import BadSetting

        if isinstance(error, BadRecording | DomainError | BadSetting | OSError):
            typer.echo(f"algoexec {self._command}: {error}", err=True)
            raise typer.Exit(2) from error


type Files = tuple[Sequence[Path], Sequence[Path], Sequence[Path], Sequence[Path]]


def history_of(files: Files, zone: str, stamps: str, *, skip_bad_rows: bool) -> "History":
    """Return the days in these files.

    Raises:
        BadRecording: they cannot be read; the message names files and lines.
    """
    from algoexec.adapters.history.years import read_history

    return read_history(*files, options=read_options(zone, stamps, skip_bad_rows=skip_bad_rows))
