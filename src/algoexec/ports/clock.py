"""Two clocks that must never be mixed up."""

from datetime import datetime
from typing import Protocol


class WallClock(Protocol):
    """Time of this machine: time-outs, pings, back-off, leases, JWT, retention."""

    def now(self) -> datetime:
        """Return the present moment, UTC."""

    def monotonic(self) -> float:
        """Return seconds from an arbitrary start that never go back."""


class MarketClock(Protocol):
    """Time of the exchange: candles, polls, deadlines, staleness. A simulated day runs faster."""

    def now(self) -> datetime:
        """Return the present market time, UTC, cut to milliseconds. It never goes back."""

    async def wait_until(self, at: datetime) -> None:
        """Return once `now()` has reached `at`."""
