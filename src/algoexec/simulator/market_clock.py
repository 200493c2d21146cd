"""The simulator's market time: it moves in steps, and only its player moves it."""

from datetime import UTC, datetime
from typing import Final


class SteppedClock:
    """Market time in milliseconds since the epoch. What REST shows and what the feed has sent agree on it."""

    __slots__ = ("now_ms", "speed")

    def __init__(self, start_ms: int, speed: float | None) -> None:
        """Stand at `start_ms`; `speed` is None when nothing but the subscribers' pace limits it."""
        self.now_ms = start_ms
        self.speed: Final = speed

    def now(self) -> datetime:
        """Return the market time, UTC."""
        return datetime.fromtimestamp(self.now_ms / 1000, UTC)
