"""Of what comes too often to be told each time, the newest now and then."""

import asyncio
from collections.abc import Callable, Hashable
from typing import Final


class Conflation[T]:
    """Delivers at most one value a key and interval: the first at once, then the newest of each interval."""

    def __init__(self, interval: float, deliver: Callable[[T], None]) -> None:
        """`interval` in seconds of wall time; `deliver` is called on the event loop."""
        self._interval: Final = interval
        self._deliver: Final = deliver
        self._waiting: Final[dict[Hashable, T | None]] = {}

    def put(self, key: Hashable, value: T) -> None:
        """Deliver `value` now or at the end of the interval, unless a newer one comes."""
        if key in self._waiting:
            self._waiting[key] = value
        else:
            self._tell(key, value)

    def drop(self, key: Hashable) -> None:
        """Forget what waits: it is out of date."""
        if key in self._waiting:
            self._waiting[key] = None

    def _tell(self, key: Hashable, value: T) -> None:
        self._waiting[key] = None
        asyncio.get_running_loop().call_later(self._interval, self._elapsed, key)
        self._deliver(value)

    def _elapsed(self, key: Hashable) -> None:
        value = self._waiting.pop(key)
        if value is not None:
            self._tell(key, value)
