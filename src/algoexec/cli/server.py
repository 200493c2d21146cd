"""The service's HTTP server."""

import asyncio
import gc
import logging
import socket
import sys
from collections.abc import Callable, Coroutine
from typing import Any, Final

import uvicorn
from fastapi import FastAPI

from algoexec.bootstrap import create_service
from algoexec.settings import Settings
from algoexec.telemetry import configure_logging

_GRACE_S: Final = 5


class Server(uvicorn.Server):
    """uvicorn that can be waited for. Of its own log only what we do not say better is kept."""

    def __init__(self, app: FastAPI, settings: Settings) -> None:
        """Serve `app` where `settings` say."""
        super().__init__(
            uvicorn.Config(
                app,
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
        self._app = app
        self.has_started = asyncio.Event()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Start, and say so."""
        await super().startup(sockets=sockets)
        if self.started:
            # What was imported and made so far stays: the collector need not walk it during a decision.
            gc.collect()
            gc.freeze()
            self.has_started.set()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Shut down; streams are told first, else they would be waited for."""
        if (services := getattr(self._app.state, "services", None)) is not None:
            services.registry.hub.close("the service is restarting")
        await super().shutdown(sockets)


def build_server(settings: Settings) -> Server:
    """Return the server of `settings`, not started."""
    configure_logging("json" if settings.log_format == "json" else "console", settings.log_level)
    logging.getLogger("uvicorn.error").addFilter(_in_one_line)
    return Server(create_service(settings), settings)


def _in_one_line(record: logging.LogRecord) -> bool:
    """Keep the last line of what uvicorn says: of a failed start that is the error, without its traceback."""
    said = record.getMessage().strip()
    record.msg, record.args, record.exc_info = said.splitlines()[-1] if said else said, (), None
    return not said.startswith("Application startup failed")


def run(main: Callable[[], Coroutine[Any, Any, None]]) -> None:
    """Run `main` on uvloop where there is one: it makes streams a third cheaper."""
    if sys.platform == "win32":
        asyncio.run(main())
    else:
        import uvloop

        uvloop.run(main())
