"""`algoexec serve`: the service."""

import asyncio
import socket
from typing import Final

import typer
import uvicorn
from pydantic import ValidationError

from algoexec.bootstrap import create_service
from algoexec.settings import Settings
from algoexec.telemetry import configure_logging

_GRACE_S: Final = 5


class Server(uvicorn.Server):
    """uvicorn that can be waited for."""

    def __init__(self, config: uvicorn.Config) -> None:
        """Serve `config`."""
        super().__init__(config)
        self.has_started = asyncio.Event()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Start, and say so."""
        await super().startup(sockets=sockets)
        if self.started:
            self.has_started.set()


def serve() -> None:
    """Serve the API. Settings come from the environment (ALGOEXEC_…)."""
    try:
        settings = Settings()
    except ValidationError as error:
        for problem in error.errors():
            name = "_".join(str(part) for part in problem["loc"]).upper()
            typer.echo(f"algoexec serve: {name or 'settings'}: {problem['msg']}", err=True)
        raise typer.Exit(2) from error
    asyncio.run(build_server(settings).serve())


def build_server(settings: Settings) -> Server:
    """Return the server of `settings`, not started."""
    configure_logging("json" if settings.log_format == "json" else "console", settings.log_level)
    return Server(
        uvicorn.Config(
            create_service(settings),
            host=settings.host,
            port=settings.port,
            ws="websockets-sansio",
            # Compression costs a client 72–152 KB and a third of the speed; frames are small.
            ws_per_message_deflate=False,
            log_config=None,
            access_log=False,
            server_header=False,
            timeout_graceful_shutdown=_GRACE_S,
        )
    )
