"""What is done of a sweep, durably: a file of JSON lines that is only ever appended to.

The first line says what the results are of; every other one holds some days of one set. A line
is flushed to the disk before the next work is begun, so a crash loses what was under way, no more.
"""

import fcntl
import json
import os
from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from pathlib import Path
from typing import IO, Any, Self

from algoexec.backtest.sweep.space import Values
from algoexec.backtest.sweep.trial import DayResult, Trial, key_of
from algoexec.domain.errors import BadRecording


class Book:
    """The file of one sweep, open for one process at a time."""

    def __init__(self, path: Path, about: Mapping[str, Any]) -> None:
        """Open it, or begin it. `about` is what results depend on beside the set.

        Raises:
            BadRecording: it holds results of something else, cannot be read, or another sweep has it.
        """
        self._path = path
        self._about = json.loads(json.dumps(about))
        self._days: dict[str, dict[date, DayResult]] = {}
        self._values: dict[str, Values] = {}
        self._file: IO[bytes] | None = None

    def __enter__(self) -> Self:
        """Lock the file, and read what is done."""
        self._path.parent.mkdir(parents=True, exist_ok=True)
        file = self._path.open("a+b")
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            file.close()
            raise BadRecording(f"{self._path}: another sweep writes to it now") from error
        self._file = file
        try:
            self._read(file)
        except BadRecording:
            self.close()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        """Let go of it."""
        self.close()

    def close(self) -> None:
        """Let go of the file."""
        if self._file is not None:
            self._file.close()
            self._file = None

    def has(self, values: Values, days: Iterable[date]) -> bool:
        """Whether all of these days are done for a set."""
        known = self._days.get(key_of(values), {})
        return all(day in known for day in days)

    def add(self, values: Values, days: Sequence[DayResult]) -> None:
        """Write down days of a set; they are on the disk when this returns."""
        self._keep(values, days)
        self._write({"set": dict(values), "days": [[one.day.isoformat(), *one[1:]] for one in days]})

    def trial(self, values: Values, capital: int) -> Trial:
        """Return what is known of a set so far."""
        known = self._days.get(key_of(values), {})
        return Trial(values, capital, tuple(known[day] for day in sorted(known)))

    def sets(self) -> list[Values]:
        """Return the sets of which something is known, in the order in which they were begun."""
        return list(self._values.values())

    def _keep(self, values: Values, days: Iterable[DayResult]) -> None:
        key = key_of(values)
        self._values.setdefault(key, values)
        self._days.setdefault(key, {}).update((one.day, one) for one in days)

    def _write(self, line: Mapping[str, Any]) -> None:
        if self._file is None:
            raise ValueError("the book is closed")
        self._file.write(json.dumps(line, separators=(",", ":")).encode() + b"\n")
        self._file.flush()
        os.fsync(self._file.fileno())

    def _read(self, file: IO[bytes]) -> None:
        file.seek(0)
        whole = 0
        for number, line in enumerate(file, start=1):
            if not line.endswith(b"\n"):
                break  # a process died while writing it
            whole += len(line)
            try:
                self._take(json.loads(line), is_first=number == 1)
            except (ValueError, KeyError, TypeError) as error:
                raise BadRecording(f"{self._path}:{number}: no line of a sweep: {error}") from error
        file.truncate(whole)
        file.seek(0, os.SEEK_END)
        if not whole:
            self._write({"sweep": self._about})

    def _take(self, line: Any, *, is_first: bool) -> None:
        if not is_first:
            self._keep(line["set"], [DayResult(date.fromisoformat(row[0]), *map(int, row[1:])) for row in line["days"]])
            return
        found = line["sweep"]
        if other := sorted(name for name in {*found, *self._about} if found.get(name) != self._about.get(name)):
            raise BadRecording(
                f"{self._path} holds results of another run ({', '.join(other)} differ); choose another folder"
            )
