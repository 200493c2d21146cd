"""Years of minutes: signals and whole backtests, beside backtesting.py, vectorbt and backtrader.

Peers are installed at the first run into an environment of their own (`requirements-peers.lock`): vectorbt
wants another numba than ours. Every side is a process that is asked for a run in turn, so that what
slows the machine down slows all of them.
"""

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from typing import IO, Any, Final

import numpy as np

from benchmarks.table import Table

BARS: Final = 468_750
"""Five years: 1,250 days of 375 minutes."""
YEAR: Final = 250 * 375
SLICE: Final = 100 * 375
"""Slow sides run fewer bars. Per bar that is no disadvantage for them: none of them has got to grow first."""
DAYS: Final = 12 * 375
ROUNDS: Final = int(os.environ.get("ROUNDS", "3"))
ROOT: Final = Path(__file__).parents[1]
PEERS: Final = ROOT / ".venv-peers"
SETS: Final = 120


@dataclass(slots=True)
class Side:
    """One side of the comparison: what it is asked to run, and the seconds of its runs."""

    title: str
    bars: int
    counted: int
    script: str
    name: str
    first: float = 0.0
    """Seconds of the first run, which compiles or loads what was compiled."""
    seconds: list[float] = field(default_factory=list)
    trades: int = 0
    peak_mb: float = 0.0
    version: str = ""

    @property
    def rate(self) -> float:
        """Bars a second."""
        return self.counted / median(self.seconds)


def run() -> Table:
    """Measure all sides in turn; medians over the rounds."""
    install_peers()
    with tempfile.TemporaryDirectory() as folder:
        data = Path(folder) / "bars.npz"
        write_bars(data)
        with ExitStack() as processes:
            sides = [(side, processes.enter_context(started(side, data))) for side in all_sides()]
            for number in range(ROUNDS + 1):
                for side, process in sides:
                    answer = asked(process, side.bars)
                    if number:
                        side.seconds.append(answer["seconds"])
                    else:
                        side.first = answer["seconds"]
                    side.trades, side.peak_mb = answer["trades"], answer["peak_mb"]
    return table([side for side, _ in sides])


def all_sides() -> list[Side]:
    """Return every side, ours first."""
    return [
        Side("algoexec: signals of 120 parameter sets", BARS, BARS * SETS, "own.py", "sweep"),
        Side("algoexec: signals of one set, from nothing", BARS, BARS, "own.py", "signals"),
        Side("… the same of one year", YEAR, YEAR, "own.py", "signals"),
        Side("algoexec: orders, fills tick by tick, charges", DAYS, DAYS, "own.py", "trades"),
        Side("vectorbt from_signals, with indicators", BARS, BARS, "engines.py", "vectorbt"),
        Side("backtesting.py", SLICE, SLICE, "engines.py", "backtesting"),
        Side("backtrader", SLICE // 4, SLICE // 4, "engines.py", "backtrader"),
    ]


def table(sides: list[Side]) -> Table:
    """Return the table of what was measured."""
    theirs = {side.name: side.rate for side in sides}
    five, one = (side.rate for side in sides if side.name == "signals")
    return Table(
        title=f"Backtests over {BARS:,} generated one-minute bars",
        columns=("side", "bars run", "bars/s", "× backtesting.py", "× vectorbt", "first run s", "found", "peak MB"),
        rows=[
            (
                f"{side.title}{f' {side.version}' if side.version != 'here' else ''}",
                f"{side.bars:,}",
                f"{side.rate:,.0f}",
                f"{side.rate / theirs['backtesting']:.2f}",
                f"{side.rate / theirs['vectorbt']:.3f}",
                f"{side.first:.1f}",
                f"{side.trades:,}",
                f"{side.peak_mb:.0f}",
            )
            for side in sides
        ],
        note=f"{ROUNDS} interleaved rounds after the first, medians; bars count once for each parameter set. Five "
        f"years cost {one / five:.2f} × the per-bar price of one. Ours folds ten patterns, their guards and "
        "three levels; the peers cross two means with a VWAP filter, stop and target.",
    )


def install_peers() -> None:
    """Make the peers' environment as its lock says; nothing where it is there already."""
    lock = ROOT / "requirements-peers.lock"
    stamp = PEERS / ".installed"
    if stamp.exists() and stamp.stat().st_mtime >= lock.stat().st_mtime:
        return
    uv = subprocess.run([str(ROOT / "scripts" / "bootstrap.sh"), "uv"], check=True, capture_output=True, text=True)
    command = uv.stdout.split()[-1]
    subprocess.run([command, "venv", "--quiet", "--clear", "--python", sys.executable, str(PEERS)], check=True)
    how = ["--quiet", "--python", str(PEERS / "bin" / "python"), "--require-hashes", "-r", str(lock)]
    subprocess.run([command, "pip", "install", *how], check=True)
    stamp.touch()


def write_bars(path: Path) -> None:
    """Write a seeded random walk: minutes as India's clock has them, volumes of a future."""
    rng = np.random.default_rng(1)
    days = BARS // 375
    weekdays = [day for day in range(17_900, 17_900 + 2 * days) if (day + 3) % 7 < 5][:days]
    minute = (np.array(weekdays, np.int64)[:, None] * 1440 + 555 + np.arange(375)).reshape(-1)
    close = np.round(30_000 * np.exp(np.cumsum(rng.normal(0, 0.00025, BARS))) / 0.05) * 0.05
    opened = np.concatenate([[30_000.0], close[:-1]])
    high = np.maximum(opened, close) + np.abs(rng.normal(0, 4, BARS))
    low = np.minimum(opened, close) - np.abs(rng.normal(0, 4, BARS))
    volume = np.floor(rng.lognormal(8, 0.5, BARS))
    np.savez(path, minute=minute, open=opened, high=high, low=low, close=close, volume=volume)


@contextmanager
def started(side: Side, data: Path) -> Iterator["subprocess.Popen[str]"]:
    """Start a side's process; it ends with its input."""
    python = sys.executable if side.script == "own.py" else str(PEERS / "bin" / "python")
    script = ROOT / "benchmarks" / "peers" / side.script
    command = [python, "-W", "ignore", str(script), side.name, str(data)]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    ) as p:
        side.version = line_of(p.stdout)["version"]
        yield p


def asked(process: "subprocess.Popen[str]", bars: int) -> dict[str, Any]:
    """Have a side run once; return its answer."""
    assert process.stdin is not None
    process.stdin.write(f"{bars}\n")
    process.stdin.flush()
    return line_of(process.stdout)


def line_of(lines: IO[str] | None) -> dict[str, Any]:
    """Return the next answer."""
    assert lines is not None
    line = lines.readline()
    assert line, "a side ended early"
    answer: dict[str, Any] = json.loads(line)
    return answer
