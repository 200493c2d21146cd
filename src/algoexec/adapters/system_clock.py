"""The only file that reads the clock. Everything else is told the time (tests/arch/test_clock.py)."""

import asyncio
import time
from collections import deque
from datetime import UTC, datetime, timedelta
from typing import Final

from algoexec.ports.clock import WallClock

_LONGEST_NAP: Final = 1.0
"""Seconds. The system clock may be set while we sleep, so a long wait looks at it again."""
_OFFSETS_KEPT: Final = 256
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


class SystemClock(WallClock):
    """Time of this machine."""

    def now(self) -> datetime:
        """Return the present moment, UTC."""
        return datetime.now(UTC)

    def monotonic(self) -> float:
        """Return seconds from an arbitrary start that never go back."""
        return time.monotonic()


class SystemMarketClock:
    """Market time of a real venue: this machine's, cut to milliseconds, never going back.

    The distance to the exchange's stamps is measured and shown, not corrected for: it is the
    operator's to set the machine's clock (NTP).
    """

    def __init__(self, wall: WallClock | None = None) -> None:
        """Read `wall`; the system's own when None."""
        self._wall = wall or SystemClock()
        self._newest = datetime.min.replace(tzinfo=UTC)
        self._offsets: deque[timedelta] = deque(maxlen=_OFFSETS_KEPT)

    @property
    def offset(self) -> timedelta | None:
        """Exchange time minus ours, the largest of late; None before the first stamp.

        A stamp reaches us late and never early, so the largest is nearest to the truth: what is
        left in it is the shortest way of a frame.
        """
        return max(self._offsets, default=None)

    def now(self) -> datetime:
        """Return the present moment, UTC, cut to milliseconds."""
        read = self._wall.now()
        self._newest = max(self._newest, read.replace(microsecond=read.microsecond // 1000 * 1000))
        return self._newest

    def observe(self, stamp: int) -> None:
        """Compare with an exchange stamp: milliseconds since the epoch, just received."""
        self._offsets.append(_EPOCH + timedelta(milliseconds=stamp) - self._wall.now())

    async def wait_until(self, at: datetime) -> None:
        """Return once `now()` has reached `at`."""
        while (left := (at - self.now()).total_seconds()) > 0:  # noqa: ASYNC110 - no event tells that time has passed
            await asyncio.sleep(min(left, _LONGEST_NAP))
