"""What is refused before anything else looks at it."""

from collections.abc import Mapping
from typing import Final

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from algoexec.api.errors import ApiProblem
from algoexec.api.origin import is_own_or_listed


class OriginGuard:
    """ASGI middleware: no page of another origin.

    WebSockets pass: `socket` refuses them with a close code that a browser can read.
    """

    def __init__(self, app: ASGIApp, *, origins: frozenset[str]) -> None:
        """Guard `app`."""
        self._app: Final = app
        self._origins: Final = origins

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer with a problem, or let the request through."""
        if scope["type"] == "http" and not is_own_or_listed(headers := Headers(scope=scope), self._origins):
            problem = ApiProblem("origin-not-allowed", f"{headers['origin']} is not on the list of origins.")
            await problem.response()(scope, receive, send)
            return
        await self._app(scope, receive, send)


class BodyGuard:
    """ASGI middleware: no body but JSON, none too large."""

    def __init__(self, app: ASGIApp, *, largest_body: int) -> None:
        """Guard `app`."""
        self._app: Final = app
        self._largest_body: Final = largest_body

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer with a problem, or let the request through."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        problem = self._problem(headers)
        if problem is None and "transfer-encoding" in headers:
            # It does not say how long it is, so it is read before anything is done with it.
            body = await self._whole(receive)
            problem, receive = (
                (ApiProblem("body-too-large"), receive) if body is None else (None, _replay(body, receive))
            )
        if problem is not None:
            await problem.response()(scope, receive, send)
            return
        await self._app(scope, receive, send)

    async def _whole(self, receive: Receive) -> bytes | None:
        """Return the body; None when it is too large."""
        body = b""
        while len(body) <= self._largest_body:
            message = await receive()
            body += message.get("body", b"")
            if not message.get("more_body", False):
                return body if len(body) <= self._largest_body else None
        return None

    def _problem(self, headers: Mapping[str, str]) -> ApiProblem | None:
        length = headers.get("content-length", "0")
        has_body = length != "0" or "transfer-encoding" in headers
        if has_body and headers.get("content-type", "").partition(";")[0].strip().lower() != "application/json":
            # Also what keeps a plain HTML form, which needs no permission to send, from doing anything.
            return ApiProblem("unsupported-media-type")
        if length.isdigit() and int(length) > self._largest_body:
            return ApiProblem("body-too-large")
        return None


def _replay(body: bytes, receive: Receive) -> Receive:
    """Return a `receive` that gives `body` first."""
    first: list[Message] = [{"type": "http.request", "body": body, "more_body": False}]

    async def replayed() -> Message:
        return first.pop() if first else await receive()

    return replayed
