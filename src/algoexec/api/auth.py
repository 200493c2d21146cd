"""Who calls: an API key, a JWT, or on a machine of one's own nobody in particular."""

import hashlib
import secrets
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final, Protocol

from algoexec.api.errors import ApiProblem
from algoexec.domain.errors import StoreError
from algoexec.ports.stores import ApiKey, ApiKeys, Scope

KEY_MARK: Final = "ae_"
_SECRET_BYTES: Final = 32


@dataclass(frozen=True, slots=True, kw_only=True)
class Caller:
    """Who asks. `user_id` None: a service, which may act for anybody.

    `id` tells callers apart: in tickets, in idempotency keys, and as `by` in the journal.
    By `expires_at` (Unix seconds) and `key_digest` their credential is checked again.
    """

    id: str
    user_id: str | None
    scope: Scope
    expires_at: float | None = None
    key_digest: str | None = field(default=None, repr=False)

    def may_act_for(self, user_id: str) -> bool:
        """Return whether that user's sessions are this caller's to see."""
        return self.user_id is None or self.user_id == user_id


LOCAL: Final = Caller(id="local", user_id=None, scope=Scope.ADMIN)
"""Whoever sits at the machine, while no authentication is set up."""


class TokenVerifier(Protocol):
    """Checks a JWT."""

    async def verify(self, token: str) -> Caller:
        """Return whose token it is.

        Raises:
            ApiProblem: `unauthenticated`, or `identity-unavailable`.
        """


class Authenticator:
    """Turns the `Authorization` header into a caller."""

    def __init__(self, keys: ApiKeys, *, verifier: TokenVerifier | None, open_loopback: bool) -> None:
        """`open_loopback`: the socket is bound to loopback, so without keys or JWT anybody may call."""
        self._keys: Final = keys
        self._verifier: Final = verifier
        self._may_be_open: Final = open_loopback and verifier is None
        self._has_keys = False

    async def is_open(self) -> bool:
        """Return whether a caller without a credential is let in.

        Over for good once a key was added: revoking the last one does not open the door.
        """
        if not self._may_be_open or self._has_keys:
            return False
        self._has_keys = await self._keys.any()
        return not self._has_keys

    async def caller(self, authorization: str | None) -> Caller:
        """Return who sent this `Authorization` header.

        Raises:
            ApiProblem: `unauthenticated`, or `identity-unavailable`.
            StoreUnavailable: keys cannot be looked up.
        """
        if not authorization:
            if await self.is_open():
                return LOCAL
            raise unauthenticated("Send `Authorization: Bearer` with an API key or a JWT.")
        scheme, _, credential = authorization.partition(" ")
        credential = credential.strip()
        if scheme.lower() != "bearer" or not credential:
            raise unauthenticated("The Authorization header is not `Bearer` and a credential.")
        if credential.startswith(KEY_MARK):
            return await self._by_key(credential)
        if self._verifier is None:
            raise unauthenticated("This is no API key, and JWT are not set up here.")
        return await self._verifier.verify(credential)

    async def still_knows(self, caller: Caller, now: datetime) -> bool:
        """Return whether a caller who was let in still would be: the key not revoked, the JWT not expired.

        While keys cannot be looked up nobody is thrown out.
        """
        if caller.expires_at is not None and now.timestamp() > caller.expires_at:
            return False
        try:
            if caller.key_digest is not None:
                return await self._keys.by_digest(caller.key_digest) is not None
            return caller is not LOCAL or await self.is_open()
        except StoreError:
            return True

    async def _by_key(self, text: str) -> Caller:
        key = await self._keys.by_digest(digest_of(text))
        if key is None or key.revoked_at is not None:
            raise unauthenticated("The API key is unknown or revoked.")
        return caller_of(key)


def caller_of(key: ApiKey) -> Caller:
    """Return the caller that a key stands for."""
    return Caller(id=f"key:{key.id}", user_id=key.user_id, scope=key.scope, key_digest=key.digest)


def new_key_text() -> tuple[str, str]:
    """Return a new key, shown once, and the prefix by which people tell it from others."""
    prefix = secrets.token_hex(4)
    return f"{KEY_MARK}{prefix}_{secrets.token_urlsafe(_SECRET_BYTES)}", prefix


def digest_of(key_text: str) -> str:
    """Return what is stored of a key. It is random and long, so a plain SHA-256 gives nothing away."""
    return hashlib.sha256(key_text.encode()).hexdigest()


def unauthenticated(detail: str) -> ApiProblem:
    """Return the problem of a caller that is not known."""
    return ApiProblem("unauthenticated", detail, headers={"WWW-Authenticate": "Bearer"})
