"""Who is calling: every token is its own user, unless it says that it is bad."""

import hashlib
from dataclasses import dataclass
from typing import Final

from starlette.requests import HTTPConnection

from algoexec.simulator.errors import token_refused

_REFUSED: Final = ("bad-", "expired-")
_NAMED: Final = "user:"


@dataclass(frozen=True, slots=True)
class User:
    """An account of the simulated broker."""

    id: str


def user_of(connection: HTTPConnection) -> User:
    """Return the caller.

    A token `user:NAME` is the user NAME; of any other the user id is a digest.

    Raises:
        Refusal: no token, or one that begins with `bad-` or `expired-`.
    """
    user = user_if_any(connection)
    if user is None:
        raise token_refused()
    return user


def user_if_any(connection: HTTPConnection) -> User | None:
    """Return the caller, None without an Authorization header: some endpoints are public.

    Raises:
        Refusal: the token is a bad one.
    """
    header = connection.headers.get("authorization")
    if header is None:
        return None
    scheme, _, token = header.partition(" ")
    token = token.strip()
    if scheme.lower() != "bearer" or not token or token.startswith(_REFUSED):
        raise token_refused()
    if token.startswith(_NAMED) and len(token) > len(_NAMED):
        return User(token.removeprefix(_NAMED))
    return User("SIM" + hashlib.sha256(token.encode()).hexdigest()[:6].upper())
