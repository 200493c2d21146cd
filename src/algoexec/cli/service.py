"""Commands around the service itself."""

import asyncio
import difflib
import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from algoexec.cli.simulator import AtOption, DayOption, HistoryOption

if TYPE_CHECKING:
    from algoexec.settings import Settings


def serve() -> None:
    """Serve the API. Settings come from the environment (ALGOEXEC_…)."""
    settings = settings_or_exit("serve")
    from algoexec.cli.server import build_server, run

    server = build_server(settings)
    try:
        run(server.serve)
    except KeyboardInterrupt:
        return
    if not server.started:
        raise typer.Exit(1)


def demo(
    day: DayOption = None,
    history: HistoryOption = None,
    speed: Annotated[float, typer.Option(min=0.1, help="Market seconds per second.")] = 30.0,
    at: AtOption = "09:25",
    data: Annotated[Path | None, typer.Option(help="Keep the database here; without it, it is removed.")] = None,
    port: Annotated[int, typer.Option(help="Port of the service on 127.0.0.1.")] = 8000,
) -> None:
    """Play a trading day: a private MongoDB, the simulator as broker, the service, and one session."""
    from algoexec.cli.demo import Demo

    options = [f"--speed={speed}", f"--at={at}", *(f"--history={folder}" for folder in history or ())]
    Demo(data=data, port=port, simulator_options=[*options, *([f"--day={day}"] if day else [])]).run()


def migrate() -> None:
    """Bring the database to the form that this version expects."""
    from algoexec.bootstrap import migrate_database
    from algoexec.domain.errors import StoreError

    try:
        done = asyncio.run(migrate_database(settings_or_exit("migrate")))
    except StoreError as error:
        typer.echo(f"algoexec migrate: {error}", err=True)
        raise typer.Exit(1) from error
    typer.echo("\n".join(done) if done else "Nothing to do.")


def openapi(
    check: Annotated[Path | None, typer.Option(help="Compare with this file; differences end with status 1.")] = None,
) -> None:
    """Print the OpenAPI document, or compare it with a file."""
    from algoexec.bootstrap import documented_app

    text = json.dumps(documented_app().openapi(), indent=2, ensure_ascii=False) + "\n"
    if check is None:
        print(text, end="")
        return
    committed = check.read_text() if check.exists() else ""
    if committed != text:
        difference = difflib.unified_diff(committed.splitlines(), text.splitlines(), str(check), "this code", n=1)
        typer.echo("\n".join(list(difference)[:60]), err=True)
        typer.echo(f"algoexec openapi: {check} is not up to date; run `make openapi`", err=True)
        raise typer.Exit(1)


def settings_or_exit(command: str) -> "Settings":
    """Return the settings of the environment, or end with a sentence for each wrong one."""
    from pydantic import ValidationError

    from algoexec.settings import Settings

    try:
        return Settings()
    except ValidationError as error:
        for problem in error.errors():
            name = "_".join(str(part) for part in problem["loc"]).upper()
            variable = name if name in ("", "WEB_CONCURRENCY") else f"ALGOEXEC_{name}"
            said = problem["msg"].removeprefix("Value error, ")
            typer.echo(f"algoexec {command}: {variable or 'settings'}: {said}", err=True)
        raise typer.Exit(2) from error
