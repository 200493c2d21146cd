"""What the API is given: the running sessions, the stores, who may call, and what time it is."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from algoexec.api.auth import Authenticator
from algoexec.engine.events import Mode
from algoexec.ports.clock import WallClock
from algoexec.ports.stores import Stores
from algoexec.runtime.registry import Registry
from algoexec.runtime.views import Dependency
from algoexec.telemetry.metrics import Meters


@dataclass(frozen=True, slots=True, kw_only=True)
class Services:
    """What bootstrap made for the life of the app.

    `venue_name` raises `BrokerUnavailable`. `redis` says how the bridge to Redis is doing; None:
    there is none.
    """

    registry: Registry
    stores: Stores
    authenticator: Authenticator
    clock: WallClock
    meters: Meters
    venue_name: Callable[[], Awaitable[str]]
    redis: Callable[[], Dependency] | None = None

    def dependencies(self) -> dict[str, Dependency]:
        """Return what the service needs, by name, as it was found a moment ago."""
        health = self.registry.health()
        found = {"store": health.store, "venue": health.venue}
        return found if self.redis is None else {**found, "redis": self.redis()}


@dataclass(frozen=True, slots=True, kw_only=True)
class ApiOptions:
    """What bootstrap takes from the settings.

    `cors_origins` are pages of other hosts that may call; `idempotency_secret` keys the
    digests of remembered requests; `risks_money` says that a live order is one for real, so that
    nobody may send it without saying who he is; `credential_check` is how often, in seconds, an open
    stream's credential is looked at again.
    """

    version: str
    idempotency_secret: bytes
    cors_origins: frozenset[str] = frozenset()
    modes: frozenset[Mode] = frozenset({Mode.SIGNALS})
    risks_money: bool = True
    largest_body: int = 64 * 1024
    credential_check: float = 15.0
