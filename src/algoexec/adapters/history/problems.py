"""What is wrong with the rows of a file, collected before anything is said."""

from collections.abc import Iterable
from pathlib import Path
from typing import Final, NamedTuple

from algoexec.domain.errors import BadRecording

MOST_SHOWN: Final = 20


class Problem(NamedTuple):
    """One bad row: `line` counts from 1, in a text file from its header; of a Parquet file it is the row."""

    line: int
    text: str


class Problems:
    """The bad rows of one file."""

    def __init__(self, path: Path, *, skip: bool) -> None:
        """Collect those of `path`; with `skip` they are left out instead of refused."""
        self.path: Final = path
        self._skip = skip
        self._found: dict[int, str] = {}

    def add(self, lines: Iterable[int], text: str) -> None:
        """Note what is wrong with each of these lines; of one line the first thing is enough."""
        for line in lines:
            self._found.setdefault(int(line), text)

    def settle(self) -> tuple[str, ...]:
        """Return what is to be said of the rows that are left out.

        Raises:
            BadRecording: there are bad rows, and they are not to be left out.
        """
        if not self._found:
            return ()
        shown = [Problem(line, self._found[line]) for line in sorted(self._found)[:MOST_SHOWN]]
        if self._skip:
            first = shown[0]
            return (f"{_rows(len(self._found))} left out, the first is line {first.line}: {first.text}",)
        listed = "\n".join(f"  {self.path}:{line}: {text}" for line, text in shown)
        more = len(self._found) - len(shown)
        rest = f"\n  … and {_rows(more)} more" if more else ""
        raise BadRecording(f"{self.path}: {_rows(len(self._found))} make no sense\n{listed}{rest}")

    @property
    def lines(self) -> set[int]:
        """The bad lines so far."""
        return set(self._found)


def _rows(count: int) -> str:
    return "1 row" if count == 1 else f"{count} rows"
