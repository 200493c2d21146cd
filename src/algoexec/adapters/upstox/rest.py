"""Upstox's REST API: one request, its envelope, and what its errors ask of the caller.

Source: docs/upstox.md §2 (the error table) and SDK 2.30.0 for paths and parameters.
"""

from collections.abc import Mapping
from typing import Any, Final

import httpx
import orjson
from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from algoexec.adapters.upstox.limits import RateGovernor
from algoexec.domain.errors import BrokerRefused, BrokerUnavailable, DecodeError, RateLimited, TokenRefused
from algoexec.ports.credentials import AccessToken

USER_AGENT: Final = "algoexec"
"""Their CDN turns away requests that carry none, or a library's own (docs/upstox.md §1)."""

TIMEOUT: Final = httpx.Timeout(5.0, connect=2.0)

WORDS_KEPT: Final = 200
"""Characters of what they say that an error carries."""


class ErrorItem(BaseModel):
    """One line of an error answer; the camel-case twins are deprecated and not read."""

    model_config = ConfigDict(extra="ignore", strict=True)

    code: str | None = Field(default=None, alias="error_code")
    message: str | None = None


class ErrorAnswer(BaseModel):
    """The envelope of an error."""

    model_config = ConfigDict(extra="ignore", strict=True)

    errors: list[ErrorItem] = Field(min_length=1)


def http_client(base_url: str, *, proxy: str | None = None) -> httpx.AsyncClient:
    """Return a client for one host. The environment's proxies are not read: `proxy` says it, or none."""
    return httpx.AsyncClient(
        base_url=base_url,
        proxy=proxy,
        timeout=TIMEOUT,
        headers={"User-Agent": USER_AGENT, "Accept": "application/json"},
        trust_env=False,
    )


class UpstoxRest:
    """Reads for one credential. The client is shared and belongs to whoever made it."""

    def __init__(self, http: httpx.AsyncClient, token: AccessToken, governor: RateGovernor) -> None:
        """Read with `token`, at the pace of `governor`."""
        self._http = http
        self._token = token
        self._governor = governor

    async def get[T](self, shape: TypeAdapter[T], path: str, params: Mapping[str, str] | None = None) -> T:
        """Return `data` of the answer, checked against `shape`.

        Raises:
            BrokerUnavailable: no usable answer, or outside service hours; safe to ask again.
            RateLimited: 429, or our own limit ahead of it.
            TokenRefused: 401.
            BrokerRefused: 403, or a 4xx with their error body.
            DecodeError: a success that makes no sense.
        """
        await self._governor.acquire()
        try:
            answer = await self._http.get(path, params=params, headers=authorization(self._token))
        except httpx.HTTPError as error:
            raise BrokerUnavailable(f"GET {path}: {type(error).__name__}") from error
        if not answer.is_success:
            if answer.status_code == httpx.codes.TOO_MANY_REQUESTS:
                self._governor.penalise()
            raise _failure(path, answer)
        return _data(shape, path, answer)


def authorization(token: AccessToken) -> dict[str, str]:
    """Return the header that carries a token.

    Raises:
        TokenRefused: no header can carry it.
    """
    text = token.reveal()
    if not text.isascii() or not text.isprintable() or " " in text or not text:
        raise TokenRefused("this cannot be an access token: it has characters that no header may carry")
    return {"Authorization": f"Bearer {text}"}


def _data[T](shape: TypeAdapter[T], path: str, answer: httpx.Response) -> T:
    try:
        body: Any = orjson.loads(answer.content)
    except orjson.JSONDecodeError as error:
        raise DecodeError(f"GET {path}: the answer is not JSON") from error
    if not isinstance(body, dict) or body.get("status") != "success" or "data" not in body:
        raise DecodeError(f"GET {path}: the answer is no success envelope")
    try:
        return shape.validate_python(body["data"])
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        where = ".".join(map(str, first["loc"]))
        raise DecodeError(f"GET {path}: {error.error_count()} errors, first at data.{where}: {first['msg']}") from error


def _failure(path: str, answer: httpx.Response) -> BrokerRefused | BrokerUnavailable | RateLimited:
    """Return the error by what the caller must do."""
    status, first = answer.status_code, first_error(answer)
    code = first.code if first else None
    said = f"GET {path}: {status} {code or ''} {(first.message if first else None) or answer.reason_phrase}"[
        :WORDS_KEPT
    ]
    match status:
        case httpx.codes.UNAUTHORIZED:
            return TokenRefused(said, code=code)
        case httpx.codes.FORBIDDEN:
            return BrokerRefused(said, code=code)
        case httpx.codes.TOO_MANY_REQUESTS:
            return RateLimited(said)
        case httpx.codes.LOCKED:
            return BrokerUnavailable(f"outside service hours: {said}")
        case _ if first is not None and 400 <= status < 500:
            return BrokerRefused(said, code=code)
        case _:
            # A 5xx, a redirect, or a 4xx that is not the broker's own: no answer to the question.
            return BrokerUnavailable(said)


def first_error(answer: httpx.Response) -> ErrorItem | None:
    """Return the first error of the broker's own envelope; None where something else answered."""
    try:
        return ErrorAnswer.model_validate_json(answer.content).errors[0]
    except ValidationError:
        return None
