"""`algoexec doctor`: is everything there that the service needs, and if not, what to do."""

import asyncio
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from algoexec.cli.service import settings_or_exit

if TYPE_CHECKING:
    from algoexec.cli.checks import Found
    from algoexec.ports.credentials import AccessToken

_MARKS: Final = {True: "ok   ", False: "WRONG", None: "?    "}


def doctor(
    token_file: Annotated[
        str | None, typer.Option(help="File with an access token to try; - reads standard input.")
    ] = None,
    ntp: Annotated[str, typer.Option(help="Time server to compare the clock with; empty asks none.")] = "pool.ntp.org",
    egress: Annotated[
        str, typer.Option(help="Page that answers with the address it is asked from; empty asks none.")
    ] = "https://api.ipify.org",
    as_json: Annotated[bool, typer.Option("--json", help="For a program.")] = False,
) -> None:
    """Look at the clock, MongoDB, the token, the way out, the calendar and the disk, and say what to do.

    Ends with status 1 if something is wrong. It changes nothing.
    """
    settings = settings_or_exit("doctor")
    from algoexec.cli.checks import Patient, examine
    from algoexec.telemetry import configure_logging

    configure_logging("console", "error")
    # The simulator is on this machine: nobody is asked who is elsewhere.
    asked = None if settings.broker == "simulator" else egress or None
    patient = Patient(settings=settings, token=_token(token_file), ntp=ntp or None, egress=asked)
    found = asyncio.run(examine(patient))
    if as_json:
        print(json.dumps({name: one._asdict() for name, one in found.items()}, indent=2))
    else:
        _tell(found)
    if any(one.ok is False for one in found.values()):
        raise typer.Exit(1)


def _tell(found: "dict[str, Found]") -> None:
    for name, one in found.items():
        print(f"{_MARKS[one.ok]}  {name:<9} {one.detail}")
        if one.advice:
            print(f"{'':>18}-> {one.advice}")
    wrong = [name for name, one in found.items() if one.ok is False]
    print(f"\n{'Wrong: ' + ', '.join(wrong) if wrong else 'Nothing is wrong.'}")


def _token(file: str | None) -> "AccessToken | None":
    from algoexec.ports.credentials import AccessToken

    if file is None:
        return None
    try:
        text = sys.stdin.read() if file == "-" else Path(file).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        typer.echo(f"algoexec doctor: {file}: {error}", err=True)
        raise typer.Exit(2) from error
    return AccessToken(text)
