"""The stream as server-sent events, and tickets for its WebSocket."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import aclosing
from functools import partial
from typing import Annotated, Final

from fastapi import APIRouter, Header, Query, Request, status
from pydantic import BaseModel, ConfigDict, Field
from sse_starlette import EventSourceResponse

from algoexec.api.dependencies import Options, Reader, Sessions, tickets_of
from algoexec.api.errors import ApiProblem, problems
from algoexec.api.stream_request import CREDENTIAL_OVER, credential_over, open_watch
from algoexec.api.tickets import LIFETIME
from algoexec.domain.errors import StoreError
from algoexec.runtime.watcher import EndReason, WatchEnded, Watcher
from algoexec.runtime.wire import TOPICS, Message
from algoexec.telemetry import logger

router = APIRouter(tags=["stream"])

_SEND_TIMEOUT_S: Final = 15.0
_RETRY: Final = b"retry: 2000\n\n"

_log = logger("stream")

_FRAMES: Final = """\
retry: 2000

id: c1.mhx2k3q1.s7k2m9q4w1x8z3b5-5x
event: pcr
data: {"type":"pcr","seq":213,"session_id":"s7k2m9q4w1x8z3b5","at":"2026-11-23T04:16:00.412Z","data":{…},"prev":212,\
"cursor":"c1.mhx2k3q1.s7k2m9q4w1x8z3b5-5x"}
"""


class TicketRequest(BaseModel):
    """For whom a ticket is."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [{"origin": "https://app.example.com"}]})

    origin: str | None = Field(
        default=None,
        max_length=300,
        description="The page that will open the WebSocket, when your server asks on its behalf. Without it, the "
        "`Origin` of this request.",
    )


class Ticket(BaseModel):
    """A WebSocket ticket: good once, for 30 s, for this caller and origin."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"ticket": "hM2Jq0cW3b1dKx9yZr5uPtVn8sLe7aGf", "expires_in": 30}]}
    )

    ticket: str = Field(
        description="Offer it as second subprotocol (`new WebSocket(url, ['algoexec.v1', 'ticket.' + ticket])`) or "
        'send `{"ticket": "…"}` as the first message within 5 s.'
    )
    expires_in: int = Field(description="Seconds.")


@router.post(
    "/ws/tickets",
    status_code=status.HTTP_201_CREATED,
    operation_id="createTicket",
    summary="Get a WebSocket ticket",
    responses=problems("unauthenticated", "forbidden", "origin-not-allowed"),
)
async def create_ticket(
    request: Request, caller: Reader, options: Options, body: TicketRequest | None = None
) -> Ticket:
    """A browser cannot send `Authorization` with a WebSocket; it sends this instead. Never put it into a URL."""
    origin = body.origin if body and body.origin else request.headers.get("origin")
    if body and body.origin and body.origin not in options.cors_origins:
        raise ApiProblem("origin-not-allowed", f"{body.origin} is not on the list of origins.")
    return Ticket(ticket=tickets_of(request).issue(caller, origin), expires_in=int(LIFETIME))


@router.get(
    "/events",
    operation_id="streamEvents",
    summary="Stream frames as server-sent events",
    response_class=EventSourceResponse,
    responses={
        200: {
            "description": "Frames, for ever. `id` is the frame's cursor, `event` its type, `data` the frame.",
            "content": {"text/event-stream": {"example": _FRAMES}},
        },
        **problems(
            "unauthenticated",
            "forbidden",
            "session-not-found",
            "session-unreadable",
            "invalid-request",
            "database-unavailable",
        ),
    },
)
async def stream_events(
    request: Request,
    caller: Reader,
    registry: Sessions,
    session_id: Annotated[str | None, Query(description="Only this session; without it every one you may see.")] = None,
    topics: Annotated[
        str | None,
        Query(
            description=f"Only these types, comma-separated: {', '.join(sorted(TOPICS))}. `snapshot`, `heartbeat` and "
            "`gap` always come.",
            examples=["signal,rejection"],
        ),
    ] = None,
    since: Annotated[
        str | None, Query(description="A cursor, or with `session_id` a plain `seq`: go on after it.", examples=[None])
    ] = None,
    last_event_id: Annotated[str | None, Header(description="As `since`; it wins.")] = None,
) -> EventSourceResponse:
    """The frames of asyncapi.yaml over plain HTTP.

    Read it with `fetch`, which can send `Authorization`; after a drop send the last `id` as
    `Last-Event-ID` and nothing is lost or told twice. Without one it begins with a `snapshot`.
    A client that reads too slowly is disconnected, and goes on from its last `id`.
    """
    watcher = await open_watch(registry, caller, session_id, topics, last_event_id or since)
    return EventSourceResponse(
        _events(watcher, partial(credential_over, request, caller)),
        ping=0,
        send_timeout=_SEND_TIMEOUT_S,
        headers={"Cache-Control": "no-store"},
    )


async def _events(watcher: Watcher, over: Callable[[], Awaitable[None]]) -> AsyncIterator[bytes]:
    ending = asyncio.create_task(_end_when(over, watcher))
    try:
        async with watcher, aclosing(watcher.messages()) as messages:
            yield _RETRY
            async for message in messages:
                yield _event(message)
    except WatchEnded as ended:
        yield f": {ended}\n\n".encode()
    except StoreError as error:
        _log.warning("stream ended", error=str(error))
        yield b": the database does not answer; connect again later\n\n"
    finally:
        ending.cancel()


async def _end_when(over: Callable[[], Awaitable[None]], watcher: Watcher) -> None:
    await over()
    watcher.end(EndReason.RESTART, CREDENTIAL_OVER)


def _event(message: Message) -> bytes:
    """Return the event; without a cursor it has no id, so that the last one stays what to resume from."""
    mark = f"id: {message.cursor}\n" if message.cursor else ""
    return f"{mark}event: {message.type}\ndata: {message.text}\n\n".encode()
