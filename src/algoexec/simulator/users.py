"""Who is calling. A token names an account, or is an account of its own; its digest stands for it from then on."""

import hashlib
import re
from dataclasses import dataclass
from datetime import time
from typing import Final

from starlette.requests import HTTPConnection

from algoexec.simulator.errors import token_refused

_REFUSED: Final = ("bad-", "expired-")
_NAMED: Final = "user:"
_NAME: Final = re.compile(r"user:(?P<name>[^:]+)(?::(?!exp=)[^:]+)?(?::exp=(?P<exp>\d\d:\d\d))?")


@dataclass(frozen=True, slots=True)
class User:
    """An account of the simulated broker."""

    id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Token:
    """A bearer token as it was presented.

    `digest` stands for it, so that nothing that is kept or logged lets anybody in. `is_named` tells a
    `user:` token. `expires` is the token's own death, a time (IST) of the played day; None leaves it to
    the broker's rule.
    """

    digest: str
    user: User
    is_named: bool
    expires: time | None


def token_of(connection: HTTPConnection) -> Token:
    """Return the caller's token.

    `user:NAME` is the account NAME. `user:NAME:ANYTHING` is a further token of the same account, and
    `:exp=HH:MM` at the end is when it dies. Of any other token the account is a digest.

    Raises:
        Refusal: no token, one that begins with `bad-` or `expired-`, or a `user:` token of another form.
    """
    token = token_if_any(connection)
    if token is None:
        raise token_refused()
    return token


def token_if_any(connection: HTTPConnection) -> Token | None:
    """Return the caller's token, None without an Authorization header: some endpoints are public.

    Raises:
        Refusal: the token is a bad one.
    """
    header = connection.headers.get("authorization")
    if header is None:
        return None
    scheme, _, text = header.partition(" ")
    text = text.strip()
    if scheme.lower() != "bearer" or not text or text.startswith(_REFUSED):
        raise token_refused()
    digest = hashlib.sha256(text.encode()).hexdigest()
    if text.startswith(_NAMED):
        return _named(text, digest)
    return Token(digest=digest, user=User("SIM" + digest[:6].upper()), is_named=False, expires=None)


def _named(text: str, digest: str) -> Token:
    match = _NAME.fullmatch(text)
    if match is None:
        raise token_refused()
    return Token(digest=digest, user=User(match["name"]), is_named=True, expires=_clock_time(match["exp"]))


def _clock_time(text: str | None) -> time | None:
    if text is None:
        return None
    try:
        return time.fromisoformat(text)
    except ValueError as error:
        raise token_refused() from error
