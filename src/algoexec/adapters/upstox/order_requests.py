"""Place, modify and cancel over HTTP: one request, never a second, and what its end means.

Who has sent an order and does not know what became of it must look it up; who sends it again
may hold twice as much. So nothing here retries, and what is not surely undone is unknown.

Source: docs/upstox.md §2 for the errors; httpx 0.28 for what a failure says of the request.
"""

from collections.abc import Mapping
from typing import Any, Final

import httpx
import orjson

from algoexec.adapters.upstox.limits import RateGovernor
from algoexec.adapters.upstox.rest import WORDS_KEPT, authorization, first_error
from algoexec.domain.errors import (
    BrokerError,
    BrokerRefused,
    BrokerUnavailable,
    OutcomeUnknown,
    RateLimited,
    TokenRefused,
)
from algoexec.ports.broker import Urgency
from algoexec.ports.credentials import AccessToken

type Fields = Mapping[str, Any]

UNSENT: Final = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout, httpx.ProxyError)
"""Failures before the first byte of a request: there was no connection to send it on.

`ProxyError` is an egress proxy's refusal to make a tunnel; what goes to the broker is TLS, so always
tunnelled. (To the simulator it is not: there a proxy's own answer counts as any that is not the broker's.)
"""

_ALGO: Final = "X-Algo-Name"


class _Way:
    """How far a request has come: while an egress proxy is asked for a tunnel, it is not sent yet."""

    def __init__(self) -> None:
        self.is_at_proxy = False

    async def came_to(self, event: str, info: Mapping[str, Any]) -> None:
        """Take in an event of httpcore's trace."""
        if event.endswith(".send_request_headers.started"):
            self.is_at_proxy = info["request"].method == b"CONNECT"


class OrderRequests:
    """The writes of one credential. The client is shared and belongs to whoever made it."""

    def __init__(
        self, http: httpx.AsyncClient, token: AccessToken, governor: RateGovernor, *, algo: str | None = None
    ) -> None:
        """Write at the host of `http` and at the pace of `governor`.

        `algo` is the name under which the exchange registered the algo, None: it is not.
        """
        self._http = http
        self._token = token
        self._governor = governor
        self._algo: Fields = {} if algo is None else {_ALGO: algo}

    async def send(
        self, method: str, path: str, urgency: Urgency, *, body: Fields | None = None, query: Fields | None = None
    ) -> Fields:
        """Send a request once it may be sent; return `data` of its success.

        A caller that is cancelled meanwhile knows as little as after `OutcomeUnknown`.

        Raises:
            BrokerUnavailable: surely unsent.
            TokenRefused, RateLimited, BrokerRefused: surely not done.
            OutcomeUnknown: anything else.
        """
        headers = {**authorization(self._token), **self._algo}
        await self._governor.acquire(urgency)
        what, way = f"{method} {path}", _Way()
        request = self._http.build_request(method, path, json=body, params=query, headers=headers)
        request.extensions["trace"] = way.came_to
        try:
            answer = await self._http.send(request)
        except httpx.HTTPError as failure:
            if way.is_at_proxy:
                raise BrokerUnavailable(f"{what}: {type(failure).__name__} at the egress proxy") from failure
            raise outcome_of_failure(what, failure) from failure
        if answer.status_code == httpx.codes.TOO_MANY_REQUESTS:
            self._governor.penalise()
        if not answer.is_success:
            raise outcome_of_answer(what, answer)
        return _data(what, answer)


def outcome_of_failure(what: str, failure: httpx.HTTPError) -> BrokerUnavailable | OutcomeUnknown:
    """Return what a request is that got no answer."""
    kind = BrokerUnavailable if isinstance(failure, UNSENT) else OutcomeUnknown
    return kind(f"{what}: {type(failure).__name__}")


def outcome_of_answer(what: str, answer: httpx.Response) -> BrokerError:
    """Return what a request is whose answer is no success.

    Only the broker itself can say that it did nothing, and says it with a 4xx and its error
    body: a 4xx without one comes from what stands before it (Cloudflare's 403 page, a
    gateway's 408) and a 5xx may come after the order went in.
    """
    status, first = answer.status_code, first_error(answer)
    code = None if first is None else first.code
    said = f"{what}: {status} {code or ''} {(first and first.message) or answer.reason_phrase}"[:WORDS_KEPT]
    if code is None or not answer.is_client_error:
        return OutcomeUnknown(said)
    match status:
        case httpx.codes.UNAUTHORIZED:
            return TokenRefused(said, code=code)
        case httpx.codes.TOO_MANY_REQUESTS:
            return RateLimited(said)
        case _:
            return BrokerRefused(said, code=code)


def _data(what: str, answer: httpx.Response) -> Fields:
    """Return `data` of a success.

    Raises:
        OutcomeUnknown: the answer cannot be read, or is no success after all.
    """
    try:
        body: Any = orjson.loads(answer.content)
    except orjson.JSONDecodeError as error:
        raise OutcomeUnknown(f"{what}: {answer.status_code}, and the answer is not JSON") from error
    data = body.get("data") if isinstance(body, dict) and body.get("status") == "success" else None
    if not isinstance(data, dict):
        raise OutcomeUnknown(f"{what}: {answer.status_code}, and the answer is no success envelope")
    return data
