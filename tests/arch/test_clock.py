"""One file reads the clock; everything else is told the time."""

import ast
from collections.abc import Iterator

import pytest

from tests.arch.sources import syntax_trees

THE_CLOCK = "adapters/system_clock.py"

_OF_TIME = (
    "time", "time_ns", "monotonic", "monotonic_ns", "perf_counter", "perf_counter_ns", "process_time",
    "process_time_ns", "thread_time", "thread_time_ns", "clock_gettime", "clock_gettime_ns", "localtime", "gmtime",
    "ctime", "asctime",
)  # fmt: skip
CLOCKS = frozenset(
    {f"time.{name}" for name in _OF_TIME}
    | {f"datetime.datetime.{name}" for name in ("now", "utcnow", "today")}
    | {"datetime.date.today", "pandas.Timestamp.now", "pandas.Timestamp.utcnow", "pandas.Timestamp.today"}
)
_LOOP_MAKERS = frozenset({"get_running_loop", "get_event_loop", "new_event_loop"})


def _imported_names(tree: ast.Module) -> dict[str, str]:
    """Return what each name bound by an import stands for, as a dotted path."""
    names: dict[str, str] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                names[alias.asname or alias.name.partition(".")[0]] = (
                    alias.name if alias.asname else alias.name.partition(".")[0]
                )
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            for alias in node.names:
                names[alias.asname or alias.name] = f"{node.module}.{alias.name}"
    return names


def _dotted(node: ast.expr, names: dict[str, str]) -> str | None:
    match node:
        case ast.Name(id=name):
            return names.get(name)
        case ast.Attribute(value=value, attr=attr):
            owner = _dotted(value, names)
            return f"{owner}.{attr}" if owner else None
        case _:
            return None


def _is_loop(node: ast.expr) -> bool:
    match node:
        case ast.Name(id=name) | ast.Attribute(attr=name):
            return name.lower().endswith("loop")
        case ast.Call(func=ast.Name(id=name) | ast.Attribute(attr=name)):
            return name in _LOOP_MAKERS
        case _:
            return False


def clock_reads(tree: ast.Module) -> Iterator[tuple[int, str]]:
    """Yield line and name of each clock that is called or handed on (`default_factory=datetime.now`)."""
    names = _imported_names(tree)
    for node in ast.walk(tree):
        if isinstance(node, ast.Name | ast.Attribute):
            dotted = _dotted(node, names)
            if dotted in CLOCKS:
                yield node.lineno, dotted
            elif isinstance(node, ast.Attribute) and node.attr == "time" and _is_loop(node.value):
                yield node.lineno, "loop.time"


def test_only_the_system_clock_reads_the_clock() -> None:
    reads = [
        f"{path}:{line} {name}"
        for path, tree in syntax_trees()
        if path != THE_CLOCK
        for line, name in clock_reads(tree)
    ]

    assert not reads, f"only {THE_CLOCK} reads the clock; take a Clock, or the time, as an argument"


@pytest.mark.parametrize(
    "code",
    [
        "import time\ntime.time()",
        "import time as t\nt.monotonic()",
        "from time import perf_counter as tick\ntick()",
        "import time\nfield(default_factory=time.time_ns)",
        "import datetime\ndatetime.datetime.now(tz)",
        "import datetime as dt\ndt.date.today()",
        "from datetime import datetime\ndatetime.utcnow()",
        "from datetime import date\nfield(default_factory=date.today)",
        "import asyncio\nasyncio.get_running_loop().time()",
        "self._loop.time()",
        "import pandas as pd\npd.Timestamp.now()",
    ],
)
def test_a_clock_is_seen_under_any_name(code: str) -> None:
    assert list(clock_reads(ast.parse(code)))


@pytest.mark.parametrize(
    "code",
    [
        "self._clock.now()",
        "record.at.time()",
        "import time\ntime.sleep(1)",
        "from datetime import datetime, time\ntime(9, 15)\ndatetime.fromtimestamp(0, UTC)",
        "def f(now, time):\n    return time - now",
    ],
)
def test_what_only_looks_like_a_clock_is_left_alone(code: str) -> None:
    assert not list(clock_reads(ast.parse(code)))
