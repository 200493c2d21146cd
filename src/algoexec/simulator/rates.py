"""The broker's rate limits, counted in market time like everything else of the day.

Source: Upstox rate limits as of September 2026: 50 a second, 500 a minute, 2000 in 30 minutes, per user and API.
"""

from collections import deque
from typing import Final

from algoexec.simulator.errors import rate_limited

_WINDOWS: Final = ((1_000, 50), (60_000, 500), (1_800_000, 2_000))


class RateLimits:
    """Sliding windows per (user, API). Times are market milliseconds."""

    def __init__(self) -> None:
        """Start with nothing counted."""
        self._calls: dict[tuple[str, str], deque[int]] = {}

    def count(self, user: str, api: str, at: int) -> None:
        """Count a call.

        Raises:
            Refusal: it is one too many; it is not counted then.
        """
        calls = self._calls.setdefault((user, api), deque())
        longest, _ = _WINDOWS[-1]
        while calls and calls[0] <= at - longest:
            calls.popleft()
        for span, most in _WINDOWS:
            if len(calls) >= most and calls[-most] > at - span:
                raise rate_limited()
        calls.append(at)
