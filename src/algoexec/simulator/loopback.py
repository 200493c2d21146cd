"""Keeps foreign pages out: a browser on the same machine reaches loopback, whoever wrote the page that it shows.

A page of another origin says so with each request that could change anything. One that has had its
own name pointed at loopback says its name as the host.
"""

from ipaddress import ip_address
from typing import Final
from urllib.parse import urlsplit

from starlette.datastructures import Headers
from starlette.middleware import Middleware
from starlette.middleware.cors import CORSMiddleware
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Receive, Scope, Send

_OWN_ORIGIN: Final = r"https?://(localhost|127(\.\d{1,3}){3}|\[::1\])(:\d+)?"


class LoopbackOnly:
    """ASGI middleware: requests and handshakes for another host than loopback, or from a page of one, are refused."""

    def __init__(self, app: ASGIApp) -> None:
        """Stand before `app`."""
        self._app: Final = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let a request through, or answer 403."""
        if scope["type"] in ("http", "websocket") and (why := _objection(Headers(scope=scope))) is not None:
            await JSONResponse({"error": why}, 403)(scope, receive, send)
            return
        await self._app(scope, receive, send)


def front_door() -> list[Middleware]:
    """Return what stands before everything else; pages of loopback origins may read the answers."""
    cors = Middleware(CORSMiddleware, allow_origin_regex=_OWN_ORIGIN, allow_methods=["*"], allow_headers=["*"])
    return [Middleware(LoopbackOnly), cors]


def _objection(headers: Headers) -> str | None:
    """Return why a request is refused; None if it is not."""
    host, origin = headers.get("host", ""), headers.get("origin")
    if not _is_loopback(f"//{host}"):
        return f"the simulator is called by a loopback address, not as {host!r}"
    if origin is not None and not _is_loopback(origin):
        return f"pages of {origin} may not use the simulator"
    return None


def _is_loopback(address: str) -> bool:
    try:
        name = urlsplit(address).hostname or ""
        return name == "localhost" or ip_address(name).is_loopback
    except ValueError:
        return False
