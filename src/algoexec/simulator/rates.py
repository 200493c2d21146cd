"""The broker's rate limits, counted in market time like everything else of the day.

Source: Upstox rate limits as of September 2026. Standard APIs are counted per user and API. Orders share
one count per user, and each order of a call counts: how the broker counts slices and the lines of a
multi order is not documented, so the strictest reading holds.
"""

from collections import deque
from typing import Final

from algoexec.simulator.errors import rate_limited

type Windows = tuple[tuple[int, int], ...]
"""Milliseconds, and the calls that fit into them; the longest window last."""

STANDARD: Final[Windows] = ((1_000, 50), (60_000, 500), (1_800_000, 2_000))
ORDERS: Final[Windows] = ((1_000, 10), (60_000, 500), (1_800_000, 2_000))
REGISTERED_ALGO: Final[Windows] = STANDARD
"""Orders of an algo that is registered with the exchange."""


class RateLimits:
    """Sliding windows per (user, group of APIs). Times are market milliseconds."""

    def __init__(self) -> None:
        """Start with nothing counted."""
        self._calls: dict[tuple[str, str], deque[int]] = {}

    def count(self, user: str, group: str, at: int, calls: int = 1, windows: Windows = STANDARD) -> None:
        """Count `calls` at once: all of them fit, or none is counted.

        Raises:
            Refusal: they do not fit.
        """
        counted = self._calls.setdefault((user, group), deque())
        longest, _ = windows[-1]
        while counted and counted[0] <= at - longest:
            counted.popleft()
        if not all(_fits(counted, at - span, most - calls) for span, most in windows):
            raise rate_limited()
        counted.extend([at] * calls)


def _fits(counted: deque[int], since: int, room: int) -> bool:
    """Tell whether at most `room` calls were counted after `since`."""
    return room >= 0 and (len(counted) <= room or counted[-1 - room] <= since)
