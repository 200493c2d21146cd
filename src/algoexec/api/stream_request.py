"""What a stream is asked for, the same for WebSocket and SSE."""

import asyncio
import re
from typing import Final

from fastapi.requests import HTTPConnection

from algoexec.api.auth import Caller
from algoexec.api.dependencies import SESSION_ID, options_of, services_of, session_of
from algoexec.api.directory import CallersSessions
from algoexec.api.errors import ApiProblem
from algoexec.runtime.cursor import LONGEST
from algoexec.runtime.registry import Registry
from algoexec.runtime.watcher import Filter, Watcher
from algoexec.runtime.wire import TOPICS

CREDENTIAL_OVER: Final = "the credential is revoked or expired"

_SESSION_ID: Final = re.compile(SESSION_ID)


async def open_watch(
    registry: Registry, caller: Caller, session_id: str | None, topics: str | None, since: str | None
) -> Watcher:
    """Return the watcher that a caller asks for.

    Raises:
        ApiProblem: `session-not-found`, or `invalid-request` for an unknown topic.
    """
    wanted = Filter(session_id=session_id or None, user_id=caller.user_id, topics=_topics(topics))
    if wanted.session_id is not None:
        if not _SESSION_ID.match(wanted.session_id):
            raise ApiProblem("session-not-found")
        await session_of(registry, caller, wanted.session_id)
    # A cursor too long to be ours is as good as an unknown one, and need not be carried on.
    known = since[: LONGEST + 1] if since else None
    return registry.hub.watch(wanted, CallersSessions(registry, caller.user_id), known)


async def credential_over(connection: HTTPConnection, caller: Caller) -> None:
    """Return once the credential that opened a stream is revoked or expired."""
    services, every = services_of(connection), options_of(connection).credential_check
    while True:
        await asyncio.sleep(every)
        if not await services.authenticator.still_knows(caller, services.clock.now()):
            return


def _topics(text: str | None) -> frozenset[str] | None:
    if not text:
        return None
    asked = {part.strip() for part in text.split(",")} - {""}
    if unknown := asked - TOPICS:
        raise ApiProblem(
            "invalid-request",
            f"Unknown topic {', '.join(sorted(unknown))}; there are {', '.join(sorted(TOPICS))}.",
            errors=[{"field": "query.topics", "message": "unknown topic", "code": "enum"}],
        )
    return frozenset(asked) or None
