"""Whether what the service itself needs answers: said when it stops, and when it is back."""

import asyncio
from collections.abc import Callable, Mapping
from itertools import count
from typing import Final

from algoexec.adapters.alerts.notices import Kind, Notice
from algoexec.engine.effects import Severity
from algoexec.ports.clock import WallClock

EVERY_S: Final = 2.0
AFTER_S: Final = 10.0
"""What is back sooner is not worth a message."""


class ServiceWatch:
    """Watches dependencies: their names, and what is wrong with each, None when nothing is."""

    def __init__(
        self, troubles: Callable[[], Mapping[str, str | None]], clock: WallClock, tell: Callable[[Notice], None]
    ) -> None:
        """Nothing is told before `run`."""
        self._troubles, self._clock, self._tell = troubles, clock, tell
        self._since: Final[dict[str, float]] = {}
        self._told: Final[set[str]] = set()
        self._number = count(1)

    async def run(self) -> None:
        """Look every other second until cancelled."""
        while True:
            self.look()
            await asyncio.sleep(EVERY_S)

    def look(self) -> None:
        """Tell what has been gone for a while, and what is back."""
        now = self._clock.monotonic()
        for name, trouble in self._troubles().items():
            if trouble is None:
                self._since.pop(name, None)
                if name in self._told:
                    self._told.discard(name)
                    self._say(name, Severity.INFO, "BACK", "answers again")
            elif now - self._since.setdefault(name, now) >= AFTER_S and name not in self._told:
                self._told.add(name)
                loud = Severity.WARNING if name == "redis" else Severity.CRITICAL
                self._say(name, loud, "GONE", trouble)

    def _say(self, name: str, severity: Severity, what: str, text: str) -> None:
        at = self._clock.now()
        self._tell(
            Notice(
                id=f"service-{name}-{int(at.timestamp())}-{next(self._number)}",
                kind=Kind.SERVICE,
                severity=severity,
                code=f"{name.upper()}_{what}",
                text=f"algoexec: {name}: {text}",
                at=at,
            )
        )
