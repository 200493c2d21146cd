"""Upstox's rate limits, kept on our side: what is over them waits here instead of being refused there.

Source: Upstox's rate limits as of September 2026, per user: 50 a second, 500 a minute, 2,000 in
30 minutes for all standard APIs; 10 a second, 500 a minute, 2,000 in 30 minutes for placing,
modifying and cancelling together. More than that "might result in temporary suspension".
"""

import asyncio
from collections import deque
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from heapq import heapify, heappush
from itertools import count
from typing import Final, NamedTuple

from algoexec.domain.errors import RateLimited
from algoexec.ports.broker import Urgency
from algoexec.ports.clock import MarketClock


class RateGroup(StrEnum):
    """APIs that are counted together, per user."""

    STANDARD = "standard"
    ORDERS = "orders"
    """Place, modify and cancel share one count."""


class Limit(NamedTuple):
    """At most `calls` in any `seconds` of market time."""

    calls: int
    seconds: float


LIMITS: Final = {
    RateGroup.STANDARD: (Limit(50, 1), Limit(500, 60), Limit(2000, 1800)),
    # Two fewer than the 10 a second from which SEBI wants an algo registered with the exchange:
    # the person may have the app open too, and their second does not begin when ours does.
    RateGroup.ORDERS: (Limit(8, 1), Limit(500, 60), Limit(2000, 1800)),
}

PENALTY: Final = 60.0
"""Seconds for which the limits are halved after a 429: the broker counts otherwise than we do."""

PATIENCE: Final = 90.0
"""Seconds of market time that a call waits at most; a longer wait is the caller's to decide on."""

ORDER_PATIENCE: Final = 5.0
"""The same for an order: its price is old by then, and the right to send it may be another's."""


class RateWindows:
    """Sliding windows over one sequence of calls. Pure arithmetic: whoever asks brings the time.

    Times are seconds from an arbitrary start. When they go back, another day has begun and the
    windows are empty.
    """

    def __init__(self, limits: Sequence[Limit]) -> None:
        """Count from zero."""
        self._limits = tuple(limits)
        self._calls: deque[float] = deque(maxlen=max(limit.calls for limit in limits))
        self._halved_until = -float("inf")

    def delay(self, now: float) -> float:
        """Return for how many seconds no call may be made; 0 when one may be made now."""
        if self._calls and now < self._calls[-1]:
            self._calls.clear()
            self._halved_until = -float("inf")
        is_halved = now < self._halved_until
        wait = max(self._wait(limit, now, is_halved=is_halved) for limit in self._limits)
        return min(wait, self._halved_until - now) if is_halved else wait

    def spend(self, now: float) -> None:
        """Count a call that is made now."""
        self._calls.append(now)

    def left(self, now: float) -> float:
        """Return what is left of the limit that has least left: 1 is all of it."""
        return min(1 - sum(at > now - limit.seconds for at in self._calls) / limit.calls for limit in self._limits)

    def halve(self, now: float) -> None:
        """Take only half of each limit for a minute."""
        self._halved_until = now + PENALTY

    def _wait(self, limit: Limit, now: float, *, is_halved: bool) -> float:
        calls = max(1, limit.calls // 2) if is_halved else limit.calls
        if len(self._calls) < calls:
            return 0.0
        return max(0.0, self._calls[-calls] + limit.seconds - now)


class _Waiter(NamedTuple):
    """A call that waits its turn. The arrival is its own, so the event is never compared."""

    urgency: Urgency
    arrival: int
    turn: asyncio.Event


class RateGovernor:
    """Makes the callers of one (credential, group) wait their turn: the urgent first, then as they came."""

    def __init__(self, clock: MarketClock, limits: Sequence[Limit], *, patience: float = PATIENCE) -> None:
        """Count in the time of `clock`: a simulator at 60 × allows 60 × the calls."""
        self._clock = clock
        self._windows = RateWindows(limits)
        self._patience = patience
        self._queue: list[_Waiter] = []
        self._arrivals = count()

    async def acquire(self, urgency: Urgency = Urgency.ENTRY) -> None:
        """Return when one more call may be made, and count it.

        Raises:
            RateLimited: that would take longer than the patience of this governor.
        """
        waiter = _Waiter(urgency, next(self._arrivals), asyncio.Event())
        heappush(self._queue, waiter)
        try:
            await self._wait_for_turn(waiter)
            self._windows.spend(self._now())
        finally:
            self._queue.remove(waiter)
            heapify(self._queue)
            if self._queue:
                self._queue[0].turn.set()

    def left(self) -> float:
        """Return what is left of the allowance: 1 is all of it."""
        return self._windows.left(self._now())

    def penalise(self) -> None:
        """The broker answered 429: take half for a minute."""
        self._windows.halve(self._now())

    async def _wait_for_turn(self, waiter: _Waiter) -> None:
        deadline = self._now() + self._patience
        while True:
            # Also after a wait: somebody more urgent may have come meanwhile.
            if self._queue[0] is not waiter:
                waiter.turn.clear()
                await waiter.turn.wait()
            elif (delay := self._windows.delay(self._now())) > 0:
                if self._now() + delay > deadline:
                    raise RateLimited(f"our own limit is reached for another {delay:.0f} s")
                await self._clock.wait_until(_moment(self._now() + delay))
            else:
                return

    def _now(self) -> float:
        return self._clock.now().timestamp()


def _moment(seconds: float) -> datetime:
    # A whole millisecond more: the market clock has no finer step.
    return datetime.fromtimestamp(seconds, UTC) + timedelta(milliseconds=1)
