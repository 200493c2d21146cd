"""JSON Web Tokens: signed with a shared secret, or by an identity provider whose keys are fetched."""

import asyncio
import binascii
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, Protocol

import httpx
from joserfc import jws, jwt
from joserfc.errors import JoseError
from joserfc.jwk import ECKey, KeySet, OctKey, RSAKey

from algoexec.api.auth import Caller, unauthenticated
from algoexec.api.errors import ApiProblem
from algoexec.ports.clock import WallClock
from algoexec.ports.stores import Scope

SHORTEST_SECRET: Final = 32
"""Bytes: an HMAC key shorter than its hash can be guessed sooner than the hash (RFC 7518 §3.2)."""

_KEYS_LIVE: Final = 3600.0
_LEAST_BETWEEN_FETCHES: Final = 30.0
_LEEWAY: Final = 30
_FETCH_TIMEOUT: Final = 5.0


class KeySource(Protocol):
    """Where the key that checks a signature comes from."""

    @property
    def algorithms(self) -> tuple[str, ...]:
        """The pinned algorithms."""

    async def key(self, kid: str | None) -> OctKey | RSAKey | ECKey | None:
        """Return the key of that id; None when there is none."""


@dataclass(frozen=True, slots=True)
class SharedSecret:
    """HS256 with a secret of at least 32 bytes."""

    secret: bytes
    algorithms: tuple[str, ...] = ("HS256",)

    def __post_init__(self) -> None:
        """Refuse a secret that can be guessed."""
        if len(self.secret) < SHORTEST_SECRET:
            raise ValueError(f"a JWT secret has at least {SHORTEST_SECRET} bytes, not {len(self.secret)}")

    async def key(self, kid: str | None) -> OctKey:
        """Return the one key, whatever is asked for."""
        return OctKey.import_key(self.secret)


class Jwks:
    """RS256 or ES256 by a published key set.

    The set is fetched when it is first needed, every hour, and at once for a key id that is
    not in it, yet at most every 30 s: a stranger's token cannot make us hammer the provider.
    """

    algorithms = ("RS256", "ES256")

    def __init__(self, url: str, http: httpx.AsyncClient, clock: WallClock) -> None:
        """Fetch nothing yet."""
        self._url: Final = url
        self._http: Final = http
        self._clock: Final = clock
        self._keys: KeySet | None = None
        self._fetched_at: float | None = None
        self._tried_at: float | None = None
        self._fetching: Final = asyncio.Lock()

    async def key(self, kid: str | None) -> OctKey | RSAKey | ECKey | None:
        """Return the key of that id, fetching the set where that may help.

        Raises:
            ApiProblem: `identity-unavailable` while no set was ever fetched.
        """
        found = self._find(kid)
        if found is None or self._age(self._fetched_at) > _KEYS_LIVE:
            await self._fetch()
            found = self._find(kid)
        if self._keys is None:
            raise ApiProblem("identity-unavailable", headers={"Retry-After": str(int(_LEAST_BETWEEN_FETCHES))})
        return found

    def _age(self, since: float | None) -> float:
        return float("inf") if since is None else self._clock.monotonic() - since

    def _find(self, kid: str | None) -> OctKey | RSAKey | ECKey | None:
        keys = [] if self._keys is None else self._keys.keys
        fitting = [one for one in keys if kid is None or one.kid == kid]
        # Without a key id only a set of one key leaves no doubt.
        found = fitting[0] if len(fitting) == 1 else None
        return found if isinstance(found, OctKey | RSAKey | ECKey) else None

    async def _fetch(self) -> None:
        async with self._fetching:
            if self._age(self._tried_at) < _LEAST_BETWEEN_FETCHES:
                return
            self._tried_at = self._clock.monotonic()
            try:
                answer = await self._http.get(self._url, timeout=_FETCH_TIMEOUT)
                answer.raise_for_status()
                self._keys = KeySet.import_key_set(answer.json())
            except (httpx.HTTPError, JoseError, ValueError, KeyError, TypeError):
                return  # what was fetched before stays good
            self._fetched_at = self._tried_at


class JwtVerifier:
    """Checks signature, audience and times, and reads user and scope."""

    def __init__(self, keys: KeySource, audience: str, clock: WallClock) -> None:
        """Accept tokens for `audience` alone."""
        self._keys: Final = keys
        self._clock: Final = clock
        self._audience: Final = audience

    async def verify(self, token: str) -> Caller:
        """Return the caller: `sub` is the user, the highest known word of `scope` what they may do."""
        try:
            header = jws.extract_compact(token.encode()).headers()
        except (JoseError, ValueError, binascii.Error) as error:
            raise unauthenticated("The credential is neither an API key nor a JWT.") from error
        if header.get("alg") not in self._keys.algorithms:
            raise unauthenticated(f"A JWT must be signed with {' or '.join(self._keys.algorithms)}.")
        key = await self._keys.key(header.get("kid"))
        if key is None:
            raise unauthenticated("The JWT is signed with an unknown key.")
        claims = self._claims(token, key)
        return Caller(
            id=f"jwt:{claims['sub']}",
            user_id=claims["sub"],
            scope=_scope(claims["scope"]),
            expires_at=claims["exp"] + _LEEWAY,
        )

    def _claims(self, token: str, key: OctKey | RSAKey | ECKey) -> Mapping[str, Any]:
        registry = jwt.JWTClaimsRegistry(
            now=int(self._clock.now().timestamp()),
            leeway=_LEEWAY,
            sub={"essential": True},
            scope={"essential": True},
            aud={"essential": True, "value": self._audience},
            exp={"essential": True},
        )
        try:
            decoded = jwt.decode(token, key, algorithms=list(self._keys.algorithms))
            registry.validate(decoded.claims)
        except (JoseError, ValueError, TypeError) as error:
            raise unauthenticated(f"The JWT is not valid: {error}") from error
        return decoded.claims


def _scope(claim: object) -> Scope:
    words = claim.split() if isinstance(claim, str) else claim if isinstance(claim, list) else []
    known = [scope for scope in Scope if scope.value in words]
    if not known:
        raise unauthenticated(f"The JWT's scope names none of {', '.join(Scope)}.")
    return known[-1]
