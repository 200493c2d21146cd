"""Small things to wait on."""

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from itertools import count

from algoexec.domain.errors import BrokerError, DecodeError, TokenRefused
from algoexec.telemetry import logger

_log = logger("broker")


class Pulse:
    """Tells everybody who waits that something has changed; remembers nothing."""

    def __init__(self) -> None:
        """Start with nobody waiting."""
        self._event = asyncio.Event()

    def beat(self) -> None:
        """Wake all who wait now."""
        self._event.set()
        self._event = asyncio.Event()

    async def wait(self) -> None:
        """Return at the next beat."""
        await self._event.wait()

    async def until(self, holds: Callable[[], bool]) -> None:
        """Return once `holds()` is true; it is asked now and after each beat."""
        while not holds():
            await self.wait()


def backoff(first: float, most: float) -> Iterator[float]:
    """Yield seconds to wait before each next try: doubled each time, never more than `most`."""
    for attempt in count():
        yield min(most, first * 2.0 ** min(attempt, 16))


async def insist[T](
    ask: Callable[[], Awaitable[T]], what: str, pause: Callable[[float], Awaitable[object]] = asyncio.sleep
) -> T:
    """Ask the broker until it answers, waiting longer each time; `pause` waits so many seconds, or less.

    Raises:
        TokenRefused: only a new token helps.
    """
    for seconds in backoff(0.5, 30.0):
        try:
            return await ask()
        except TokenRefused:
            raise
        except (BrokerError, DecodeError) as error:
            _log.warning("broker did not answer", what=what, error=str(error), retry_in_s=seconds)
            await pause(seconds)
    raise AssertionError("backoff never ends")
