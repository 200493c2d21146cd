"""Idempotency-Key: a POST that is repeated because its answer was lost is answered from memory."""

import hashlib
import hmac
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Annotated, Any, Final

from fastapi import Depends, Header, Request, Response
from fastapi.routing import APIRoute

from algoexec.api.dependencies import caller_of, options_of, services_of
from algoexec.api.errors import ApiProblem, problem_of
from algoexec.domain.errors import StoreError
from algoexec.ports.stores import StoredAnswer
from algoexec.telemetry import logger

HEADER: Final = "Idempotency-Key"
_LIFETIME: Final = timedelta(hours=24)
_LEASE: Final = timedelta(seconds=60)
"""How long a request may run, and a key whose process died is taken: longer than any request lasts."""

_LONGEST: Final = 200
_KEPT_HEADERS: Final = frozenset({"content-type", "location", "retry-after"})

_log = logger("api")


def _documented(
    idempotency_key: Annotated[
        str | None,
        Header(
            alias=HEADER,
            max_length=_LONGEST,
            description="Any text, new for each thing you want done. The same key with the same body within 24 hours "
            "gets the first answer again, marked `Idempotent-Replayed: true`, and nothing is done twice.",
        ),
    ] = None,
) -> None:
    """Put the header into the documentation; `IdempotentRoute` reads it."""


IDEMPOTENT: Final = [Depends(_documented)]


class IdempotentRoute(APIRoute):
    """A route whose POSTs honour the Idempotency-Key.

    The request is kept as an HMAC, for it may hold a token. Answers of the 5xx kind are
    forgotten: what failed on our side may be tried again. Where the store is away once
    the answer is known, the caller gets it all the same and the reservation lapses.
    """

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """Return the handler with memory around it."""
        handle = super().get_route_handler()

        async def remembered(request: Request) -> Response:
            key = request.headers.get(HEADER)
            if request.method != "POST" or key is None or not 0 < len(key) <= _LONGEST:
                return await handle(request)
            return await _once(request, key, handle)

        return remembered


async def _once(request: Request, key: str, handle: Callable[[Request], Coroutine[Any, Any, Response]]) -> Response:
    services = services_of(request)
    store = services.stores.idempotency
    caller = await caller_of(request)
    scope = _digest(caller.id, request.method, request.url.path, key)
    mac = hmac.new(options_of(request).idempotency_secret, _told(request, await request.body()), hashlib.sha256)
    now = services.clock.now()
    earlier = await store.begin(scope, mac.hexdigest(), now, now + _LEASE)
    if earlier is not None:
        return _again(earlier, mac.hexdigest())
    try:
        response = await _answer(request, handle)
    except BaseException:
        with _lapsing():
            await store.forget(scope)
        raise
    with _lapsing():
        if response.status_code >= 500:
            await store.forget(scope)
        else:
            await store.finish(scope, _stored(response, mac.hexdigest()), services.clock.now() + _LIFETIME)
    return response


@contextmanager
def _lapsing() -> Iterator[None]:
    """Leave a reservation to its lease where the store does not answer."""
    try:
        yield
    except StoreError as error:
        _log.warning("answer not remembered", error=str(error))


async def _answer(request: Request, handle: Callable[[Request], Coroutine[Any, Any, Response]]) -> Response:
    """Return the answer, also when it is a problem: that is remembered too."""
    try:
        return await handle(request)
    except Exception as error:
        problem = problem_of(error)
        if problem is None:
            raise
        return problem.response()


def _again(earlier: StoredAnswer, mac: str) -> Response:
    if not hmac.compare_digest(earlier.request_mac, mac):
        raise ApiProblem("idempotency-key-reused")
    if earlier.status is None:
        raise ApiProblem("request-in-progress", headers={"Retry-After": "1"})
    headers = {**dict(earlier.headers), "Idempotent-Replayed": "true"}
    return Response(earlier.body, earlier.status, headers)


def _stored(response: Response, mac: str) -> StoredAnswer:
    headers = tuple((name, value) for name, value in response.headers.items() if name in _KEPT_HEADERS)
    return StoredAnswer(request_mac=mac, status=response.status_code, body=bytes(response.body), headers=headers)


def _told(request: Request, body: bytes) -> bytes:
    return request.url.query.encode() + b"\n" + body


def _digest(*parts: str) -> str:
    """Return one name for all parts; their lengths keep `a, bc` and `ab, c` apart."""
    told = "".join(f"{len(part)}:{part}" for part in parts)
    return hashlib.sha256(told.encode()).hexdigest()
