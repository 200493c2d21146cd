"""The service's HTTP server."""

import asyncio
import gc
import logging
import signal
import socket
import sys
from collections.abc import Callable, Coroutine
from types import FrameType
from typing import Any, Final

import uvicorn
from fastapi import FastAPI

from algoexec.api.services import Services
from algoexec.bootstrap import create_service
from algoexec.settings import Settings
from algoexec.telemetry import configure_logging

_GRACE_S: Final = 5
_TICK_S: Final = 0.1


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
        self._drain_s = settings.drain_s
        self._signal: int | None = None
        self.has_started = asyncio.Event()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Start, and say so."""
        await super().startup(sockets=sockets)
        if self.started:
            # What was imported and made so far stays: the collector need not walk it during a decision.
            gc.collect()
            gc.freeze()
            self.has_started.set()

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Note the signal: from this moment on no entry is sent, and `/readyz` says that nobody should call."""
        self._signal = sig
        if (services := self._services) is not None:
            services.registry.leave_soon()
        super().handle_exit(sig, frame)

    @property
    def _services(self) -> Services | None:
        return getattr(self._app.state, "services", None)

    async def _drained(self) -> None:
        """Answer for a while yet, so that whoever sends callers here sees `/readyz` fail first."""
        if self._signal != signal.SIGTERM:
            return  # somebody at a terminal waits
        for _ in range(round(self._drain_s / _TICK_S)):
            if self.force_exit:
                return
            await asyncio.sleep(_TICK_S)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Shut down; streams are told first, else they would be waited for.

        Before that, while whoever asks is still answered, what is held is made safe.
        """
        if (services := self._services) is not None:
            await asyncio.gather(self._drained(), services.registry.retire())
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
