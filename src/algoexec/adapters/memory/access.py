"""Broker tokens, ways out, API keys, kill switches and the answers already given, in memory."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

from algoexec.adapters.memory.reach import Reach
from algoexec.domain.errors import StoreError
from algoexec.ports.credentials import AccessToken
from algoexec.ports.egress import DIRECT, Egress
from algoexec.ports.stores import ApiKey, StoredAnswer
from algoexec.ports.trading import KillSwitch


class MemoryTokens:
    """Broker access tokens. They do not rest anywhere, so they are not encrypted."""

    def __init__(self, reach: Reach) -> None:
        """Begin empty."""
        self._reach = reach
        self._kept: dict[str, tuple[AccessToken, datetime]] = {}

    async def put(self, session_id: str, token: AccessToken, expires_at: datetime) -> None:
        """Keep the session's token until wall time `expires_at`."""
        self._reach.check()
        self._kept[session_id] = (token, expires_at)

    async def get(self, session_id: str, now: datetime) -> AccessToken | None:
        """Return the token; None when there is none or it is dead."""
        self._reach.check()
        token, expires_at = self._kept.get(session_id, (None, now))
        return token if expires_at > now else None

    async def delete(self, session_id: str) -> None:
        """Forget the token."""
        self._reach.check()
        self._kept.pop(session_id, None)


class MemoryEgresses:
    """How the orders of sessions leave. It does not rest anywhere, so it is not encrypted."""

    def __init__(self, reach: Reach) -> None:
        """Begin empty."""
        self._reach = reach
        self._kept: dict[str, Egress] = {}

    async def put(self, session_id: str, egress: Egress) -> None:
        """Keep it until it is deleted."""
        self._reach.check()
        self._kept[session_id] = egress

    async def get(self, session_id: str) -> Egress:
        """Return it; the direct way when it was never told of."""
        self._reach.check()
        return self._kept.get(session_id, DIRECT)

    async def delete(self, session_id: str) -> None:
        """Forget it."""
        self._reach.check()
        self._kept.pop(session_id, None)


class MemoryApiKeys:
    """API keys by id."""

    def __init__(self, reach: Reach) -> None:
        """Begin empty."""
        self._reach = reach
        self._keys: dict[str, ApiKey] = {}

    async def add(self, key: ApiKey) -> None:
        """Add a key."""
        self._reach.check()
        if any(key.id == other.id or key.digest == other.digest for other in self._keys.values()):
            raise StoreError(f"API key {key.id} exists")
        self._keys[key.id] = key

    async def by_digest(self, digest: str) -> ApiKey | None:
        """Return the living key with that digest."""
        self._reach.check()
        return next((key for key in self._keys.values() if key.digest == digest and key.revoked_at is None), None)

    async def list(self) -> Sequence[ApiKey]:
        """Return all keys, newest first."""
        self._reach.check()
        return sorted(self._keys.values(), key=lambda key: key.created_at, reverse=True)

    async def revoke(self, key_id: str, at: datetime) -> bool:
        """Revoke a key; False when it is unknown or already revoked."""
        self._reach.check()
        key = self._keys.get(key_id)
        if key is None or key.revoked_at is not None:
            return False
        self._keys[key_id] = replace(key, revoked_at=at)
        return True

    async def any(self) -> bool:
        """Return whether a key was ever added, revoked or not: then anonymous access is over for good."""
        self._reach.check()
        return bool(self._keys)


class MemoryIdempotency:
    """Answers under their scope."""

    def __init__(self, reach: Reach) -> None:
        """Begin empty."""
        self._reach = reach
        self._kept: dict[str, tuple[StoredAnswer, datetime]] = {}

    async def begin(self, scope: str, request_mac: str, now: datetime, until: datetime) -> StoredAnswer | None:
        """Reserve `scope` until `until`; None when it is ours now, else what is stored under it."""
        self._reach.check()
        answer, expires_at = self._kept.get(scope, (None, now))
        if answer is not None and expires_at > now:
            return answer
        self._kept[scope] = (StoredAnswer(request_mac=request_mac, status=None, body=b""), until)
        return None

    async def finish(self, scope: str, answer: StoredAnswer, until: datetime) -> None:
        """Keep the answer until `until`."""
        self._reach.check()
        if scope in self._kept:
            self._kept[scope] = (answer, until)

    async def forget(self, scope: str) -> None:
        """Drop the reservation; an answer that was given stays."""
        self._reach.check()
        if scope in self._kept and self._kept[scope][0].status is None:
            del self._kept[scope]


class MemoryKillSwitches:
    """Kill switches by whose they are."""

    def __init__(self, reach: Reach) -> None:
        """Begin with all of them off."""
        self._reach = reach
        self._on: dict[str | None, KillSwitch] = {}

    async def put(self, switch: KillSwitch) -> None:
        """Turn a switch on; one that is on already stays as it was."""
        self._reach.check()
        self._on.setdefault(switch.user_id, switch)

    async def delete(self, user_id: str | None) -> None:
        """Turn the switch of that user off, or with None that of everybody."""
        self._reach.check()
        self._on.pop(user_id, None)

    async def list(self) -> Sequence[KillSwitch]:
        """Return those that are on, oldest first."""
        self._reach.check()
        return sorted(self._on.values(), key=lambda switch: switch.at)
