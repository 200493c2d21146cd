"""Each request has a name, which is in every line that is logged on its behalf and in its answer."""

import re
import uuid
from typing import Final

import structlog
from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

HEADER: Final = "X-Request-ID"
_FORM: Final = re.compile(r"[A-Za-z0-9._-]{1,64}")


class Identified:
    """ASGI middleware: takes the caller's name for a request, if it is a decent one, or makes one."""

    def __init__(self, app: ASGIApp) -> None:
        """Name the requests of `app`."""
        self._app: Final = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on."""
        if scope["type"] not in ("http", "websocket"):
            await self._app(scope, receive, send)
            return
        given = Headers(scope=scope).get(HEADER, "")
        name = given if _FORM.fullmatch(given) else uuid.uuid4().hex

        async def naming(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message)[HEADER] = name
            await send(message)

        with structlog.contextvars.bound_contextvars(request_id=name):
            await self._app(scope, receive, naming)
