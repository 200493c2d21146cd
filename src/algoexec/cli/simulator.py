"""`algoexec simulator`: an Upstox look-alike on loopback."""

import asyncio
import contextlib
import json
import signal
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from algoexec.domain.errors import BadRecording

if TYPE_CHECKING:
    from algoexec.simulation.day import SimulatedDay
    from algoexec.simulator.configuration import SimulatorSettings
    from algoexec.simulator.faults.script import Script

GENERATED: Final = "generated"

DayOption = Annotated[Path | None, typer.Option("--day", help="Folder of a recorded day; without it a generated one.")]
PlayedOption = Annotated[str, typer.Option("--day", help="`generated`, or the folder of a recorded day.")]
SeedOption = Annotated[
    int | None, typer.Option("--seed", help="Another seed generates another day, or plays a recorded one otherwise.")
]
SpeedOption = Annotated[
    float, typer.Option("--speed", min=0, help="Market seconds per second; 0 is as fast as clients can read.")
]
AtOption = Annotated[str, typer.Option("--at", metavar="HH:MM", help="Market time (IST) at which it begins.")]
HistoryOption = Annotated[
    list[Path] | None, typer.Option("--history", help="Folder of an earlier day; repeat, oldest first.")
]
UsersOption = Annotated[
    Path | None, typer.Option("--users", help="YAML or JSON file of who may come in, with which funds and limits.")
]
StateOption = Annotated[
    Path | None,
    typer.Option("--state", help="File in which the exchange outlives its process; else it is new each time."),
]
FaultsOption = Annotated[
    list[str] | None,
    typer.Option("--faults", metavar="NAME|FILE", help="Fault script: a shipped one, or a YAML or JSON file; repeat."),
]


def simulator(
    day: PlayedOption = GENERATED,
    seed: SeedOption = None,
    history: HistoryOption = None,
    speed: SpeedOption = 1.0,
    at: AtOption = "09:15",
    port: Annotated[int, typer.Option(help="Port on 127.0.0.1; 0 takes a free one.")] = 8010,
    paced: Annotated[bool, typer.Option("--paced/--unpaced", help="Wait for clients that read slowly.")] = False,
    users: UsersOption = None,
    state: StateOption = None,
    faults: FaultsOption = None,
) -> None:
    """Serve an Upstox look-alike that plays a simulated day, on loopback."""
    from algoexec.simulator.faults.loading import named_or_file
    from algoexec.simulator.state_log import BadStateLog

    try:
        simulated = simulated_day(day, history or (), seed)
        settings = _settings(at, speed, paced, users)
        scripts = [named_or_file(text) for text in faults or ()]
    except (BadRecording, ValueError) as error:
        typer.echo(f"algoexec simulator: {error}", err=True)
        raise typer.Exit(2) from error
    try:
        asyncio.run(_serve(simulated, settings, port, state, scripts))
    except BadStateLog as error:
        typer.echo(f"algoexec simulator: {error}", err=True)
        raise typer.Exit(2) from error
    except OSError as error:
        typer.echo(f"algoexec simulator: port {port}: {error.strerror}", err=True)
        raise typer.Exit(1) from error


def simulated_day(day: str, history: Sequence[Path], seed: int | None) -> "SimulatedDay":
    """Return the day to play: a recorded one, or a generated one.

    `seed` decides what the day leaves open, and all of a generated day; None is the usual seed.

    Raises:
        BadRecording: a folder cannot be read.
    """
    from algoexec.adapters.history.day_folder import read_day
    from algoexec.simulation.generated import DEFAULT_SEED, generated_day
    from algoexec.simulation.recorded import recorded_day

    if day == GENERATED:
        return generated_day(DEFAULT_SEED if seed is None else seed)
    recorded = recorded_day(read_day(Path(day)), earlier=[read_day(folder) for folder in history])
    return recorded if seed is None else replace(recorded, seed=seed)


def clock_time(text: str) -> time:
    """Return a time of the day, IST, from `HH:MM` or `HH:MM:SS`.

    Raises:
        ValueError: it is neither.
    """
    for form in ("%H:%M", "%H:%M:%S"):
        with contextlib.suppress(ValueError):
            return datetime.strptime(text, form).time()  # noqa: DTZ007 - a time of day has no date and no zone
    raise ValueError(f"{text!r} is no time like 09:15")


def _settings(at: str, speed: float, paced: bool, users: Path | None) -> "SimulatorSettings":
    from algoexec.simulator.configuration import SimulatorSettings
    from algoexec.simulator.users_file import read_users

    return SimulatorSettings(
        start=clock_time(at), speed=speed or None, paced=paced, users=None if users is None else read_users(users)
    )


async def _serve(
    day: "SimulatedDay", settings: "SimulatorSettings", port: int, state: Path | None, faults: Sequence["Script"]
) -> None:
    from algoexec.adapters.system_clock import SystemClock
    from algoexec.simulator.server import serve

    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    async with serve(day, settings, SystemClock(), port=port, state=state, faults=faults) as running:
        print(json.dumps({"simulator": running.url, "day": day.date.isoformat()}), flush=True)
        await stop.wait()
