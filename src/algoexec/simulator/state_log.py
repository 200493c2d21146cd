"""What a simulator writes down so that it can die and be the same exchange again.

A file of JSON lines. The first names the run; each other one is a command of the trading
floor, an event of the accounts or of the faults, or how far the market clock may have come. An
exchange is a function of its day and its commands, so nothing else needs keeping.
"""

import fcntl
import os
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final, Self

import orjson
from pydantic import TypeAdapter, ValidationError

from algoexec.simulation.day import SimulatedDay
from algoexec.simulation.trading.commands import KINDS, Command
from algoexec.simulator import account_events
from algoexec.simulator.account_events import AccountEvent
from algoexec.simulator.faults import events as fault_events
from algoexec.simulator.faults.events import FaultEvent

_COMMANDS: Final[dict[str, TypeAdapter[Command]]] = {kind.__name__: TypeAdapter(kind) for kind in KINDS}
VERSION: Final = 1
FASTEST: Final = 60.0


class BadStateLog(Exception):
    """The file is no log of this day, or somebody else has it open; the message says which."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """Which run of which day a log belongs to; `index_closes` tells days of one name apart."""

    instance: str
    day: str
    seed: int
    index_closes: float
    version: int = VERSION

    def is_of(self, day: SimulatedDay) -> bool:
        """Whether it is a run of that day."""
        return self == _run(self.instance, day)


@dataclass(frozen=True, slots=True)
class ClockAt:
    """The market clock had not passed this moment when the simulator ended; milliseconds since the epoch."""

    ms: int


type Entry = Command | AccountEvent | FaultEvent | ClockAt


class StateLog:
    """Appends entries; each is in the file when `append` returns, though not flushed through to the disk."""

    def __init__(self, file: int, run: Run) -> None:
        """Append to the open `file`."""
        self.run: Final = run
        self._file = file

    @classmethod
    def open(cls, path: Path, day: SimulatedDay, instance: str) -> tuple[Self, list[Entry]]:
        """Open or begin a log; return it with what it holds. A new one is called `instance`.

        Raises:
            BadStateLog: it is of another day, it is open elsewhere, or a line of it means nothing.
            OSError: the file cannot be opened.
        """
        path.parent.mkdir(parents=True, exist_ok=True)
        file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
        try:
            return cls._opened(file, path, day, instance)
        except BaseException:
            os.close(file)
            raise

    @classmethod
    def _opened(cls, file: int, path: Path, day: SimulatedDay, instance: str) -> tuple[Self, list[Entry]]:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise BadStateLog(f"{path} is in use by another simulator") from error
        lines = _whole_lines(file, path)
        first = next(lines, None)
        if first is None:
            log = cls(file, _run(instance, day))
            log._write(asdict(log.run))
            return log, []
        run = _parsed_run(first, path)
        if not run.is_of(day):
            raise BadStateLog(f"{path} belongs to another day ({run.day}, seed {run.seed})")
        return cls(file, run), [_parsed(line, f"{path}:{number}") for number, line in enumerate(lines, start=2)]

    def append(self, entry: Entry) -> None:
        """Write an entry down."""
        match entry:
            case ClockAt(ms=ms):
                self._write({"clock": ms})
            case Command():
                kind = type(entry).__name__
                self._write({"do": kind, "command": _COMMANDS[kind].dump_python(entry, mode="json")})
            case FaultEvent():
                self._write({"fault": fault_events.as_json(entry)})
            case _:
                self._write({"account": account_events.as_json(entry)})

    def close(self) -> None:
        """Let go of the file."""
        os.close(self._file)

    def _write(self, content: dict[str, Any]) -> None:
        # One write of a whole line: a killed process leaves at most one torn line, at the end.
        os.write(self._file, orjson.dumps(content) + b"\n")


class ClockMarks:
    """Writes down how far the clock may come before it comes there, so that it never goes back."""

    def __init__(self, log: StateLog, speed: float | None) -> None:
        """Mark about once a wall second; `speed` is market seconds per wall second, None as fast as can be."""
        self._log = log
        self._span_ms = round(1_000 * max(1.0, speed or FASTEST))
        self._marked = 0

    def pass_to(self, ms: int) -> None:
        """Let the clock come to `ms`."""
        if ms > self._marked:
            self._marked = ms + self._span_ms
            self._log.append(ClockAt(self._marked))


def _run(instance: str, day: SimulatedDay) -> Run:
    return Run(instance=instance, day=day.name, seed=day.seed, index_closes=day.index[-1].close)


def _whole_lines(file: int, path: Path) -> Iterator[bytes]:
    """Yield the lines; a torn one at the end was never acted upon and is cut off."""
    content = path.read_bytes()
    whole = content.rfind(b"\n") + 1
    if whole < len(content):
        os.ftruncate(file, whole)
    return iter(content[:whole].splitlines())


def _parsed_run(line: bytes, path: Path) -> Run:
    try:
        return TypeAdapter(Run).validate_json(line)
    except ValidationError as error:
        raise BadStateLog(f"{path} is no simulator's log") from error


def _parsed(line: bytes, place: str) -> Entry:
    try:
        content = orjson.loads(line)
        if "clock" in content:
            return ClockAt(int(content["clock"]))
        if "account" in content:
            return account_events.from_json(content["account"])
        if "fault" in content:
            return fault_events.from_json(content["fault"])
        return _COMMANDS[content["do"]].validate_python(content["command"])
    except (ValueError, TypeError, KeyError) as error:
        raise BadStateLog(f"{place}: not an entry of a simulator's log") from error
