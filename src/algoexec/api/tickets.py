"""One-use tickets: a browser cannot send a header with a WebSocket, and a key in a URL ends in logs."""

import hashlib
import secrets
from dataclasses import dataclass
from typing import Final

from algoexec.api.auth import Caller
from algoexec.ports.clock import WallClock

LIFETIME: Final = 30.0
"""Seconds of wall time."""

_MOST: Final = 10_000


@dataclass(frozen=True, slots=True)
class _Ticket:
    caller: Caller
    origin: str | None
    dies_at: float


class Tickets:
    """Tickets of this process; a restart voids them, and the client asks for another."""

    def __init__(self, clock: WallClock) -> None:
        """Hold none."""
        self._clock: Final = clock
        self._living: Final[dict[str, _Ticket]] = {}

    def issue(self, caller: Caller, origin: str | None) -> str:
        """Return a ticket for `caller` on a page of `origin` (None: no page)."""
        now = self._clock.monotonic()
        for digest in [digest for digest, ticket in self._living.items() if ticket.dies_at <= now]:
            del self._living[digest]
        if len(self._living) >= _MOST:
            del self._living[next(iter(self._living))]
        text = secrets.token_urlsafe(24)
        self._living[_digest(text)] = _Ticket(caller, origin, now + LIFETIME)
        return text

    def redeem(self, text: str, origin: str | None) -> Caller | None:
        """Return whose ticket it is and void it; None when it is unknown, used, dead or of another origin."""
        ticket = self._living.pop(_digest(text), None)
        if ticket is None or ticket.dies_at <= self._clock.monotonic() or ticket.origin != origin:
            return None
        return ticket.caller


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
