"""`algoexec simulator`: an Upstox look-alike on loopback."""

import asyncio
import contextlib
import json
import signal
from collections.abc import Sequence
from datetime import datetime, time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from algoexec.domain.errors import BadRecording

if TYPE_CHECKING:
    from algoexec.simulation.day import SimulatedDay

DayOption = Annotated[Path | None, typer.Option("--day", help="Folder of a recorded day; without it a generated one.")]
SpeedOption = Annotated[
    float, typer.Option("--speed", min=0, help="Market seconds per second; 0 is as fast as clients can read.")
]
AtOption = Annotated[str, typer.Option("--at", metavar="HH:MM", help="Market time (IST) at which it begins.")]
HistoryOption = Annotated[
    list[Path] | None, typer.Option("--history", help="Folder of an earlier day; repeat, oldest first.")
]


def simulator(
    day: DayOption = None,
    history: HistoryOption = None,
    speed: SpeedOption = 1.0,
    at: AtOption = "09:14:50",
    port: Annotated[int, typer.Option(help="Port on 127.0.0.1; 0 takes a free one.")] = 8010,
    paced: Annotated[bool, typer.Option("--paced/--unpaced", help="Wait for clients that read slowly.")] = False,
) -> None:
    """Serve Upstox's market-data API and feed from a simulated day, on loopback."""
    try:
        simulated = simulated_day(day, history or ())
        begin = clock_time(at)
    except (BadRecording, ValueError) as error:
        typer.echo(f"algoexec simulator: {error}", err=True)
        raise typer.Exit(2) from error
    try:
        asyncio.run(_serve(simulated, speed=speed or None, at=begin, port=port, paced=paced))
    except OSError as error:
        typer.echo(f"algoexec simulator: port {port}: {error.strerror}", err=True)
        raise typer.Exit(1) from error


def simulated_day(day: Path | None, history: Sequence[Path]) -> "SimulatedDay":
    """Return the day to play: a recorded one, or the generated one.

    Raises:
        BadRecording: a folder cannot be read.
    """
    from algoexec.adapters.history.day_folder import read_day
    from algoexec.simulation.generated import generated_day
    from algoexec.simulation.recorded import recorded_day

    if day is None:
        return generated_day()
    return recorded_day(read_day(day), earlier=[read_day(folder) for folder in history])


def clock_time(text: str) -> time:
    """Return a time of the day, IST, from `HH:MM` or `HH:MM:SS`.

    Raises:
        ValueError: it is neither.
    """
    for form in ("%H:%M", "%H:%M:%S"):
        with contextlib.suppress(ValueError):
            return datetime.strptime(text, form).time()  # noqa: DTZ007 - a time of day has no date and no zone
    raise ValueError(f"{text!r} is no time like 09:15")


async def _serve(day: "SimulatedDay", *, speed: float | None, at: time, port: int, paced: bool) -> None:
    from algoexec.adapters.system_clock import SystemClock
    from algoexec.simulator.configuration import SimulatorSettings
    from algoexec.simulator.server import serve

    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    settings = SimulatorSettings(start=at, speed=speed, paced=paced)
    async with serve(day, settings, SystemClock(), port=port) as running:
        print(json.dumps({"simulator": running.url, "day": day.date.isoformat()}), flush=True)
        await stop.wait()
