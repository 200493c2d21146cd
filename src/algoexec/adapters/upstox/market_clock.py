"""Market time as a simulator tells it: newest stamp read, or its own word when the feed is silent."""

import asyncio
import heapq
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Final, Protocol

from algoexec.domain.errors import BrokerError, BrokerUnavailable, DecodeError
from algoexec.ports.clock import MarketClock

SILENCE: Final = 0.25
"""Seconds of wall time without news after which the simulator is asked."""

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


class ObservedClock(MarketClock, Protocol):
    """A market clock that hears the stamps of the feed."""

    def observe(self, stamp: int) -> None:
        """Take notice of an exchange stamp: milliseconds since the epoch, just received."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ClockReading:
    """What `GET /sim/clock` says.

    `now` is in milliseconds since the epoch, `speed` a factor; None: as fast as the feed is read.
    """

    now: int
    speed: float | None
    instance: str


class SimulatedMarketClock:
    """The newest `currentTs` of any feed; after a silence, what the simulator says.

    A slow reader makes time slow, it never makes a tick late. Time never goes back, except to
    that of another `instance`: a simulator that was started anew.
    """

    def __init__(self, ask: Callable[[], Awaitable[ClockReading]], *, silence: float = SILENCE) -> None:
        """Know no time yet. `ask` reads `GET /sim/clock`, `silence` is in seconds of wall time."""
        self._ask = ask
        self._silence = silence
        self._now: int | None = None
        self._instance: str | None = None
        self._speed: float | None = None
        self._heard = asyncio.Event()
        self._waiting: list[tuple[int, int, asyncio.Future[None]]] = []
        self._order = count()
        self._is_kept_running = False
        self._listener: asyncio.Task[None] | None = None

    @property
    def instance(self) -> str | None:
        """The simulator's run, as it last said; None before it did."""
        return self._instance

    @property
    def speed(self) -> float | None:
        """Market seconds in a second of wall time, as it last said; None before it did."""
        return self._speed

    def now(self) -> datetime:
        """Return the newest known market time, UTC.

        Raises:
            BrokerUnavailable: no feed and no simulator has told any time yet.
        """
        if self._now is None:
            raise BrokerUnavailable("the simulator has not told the time yet")
        return _moment(self._now)

    def observe(self, stamp: int) -> None:
        """Take notice of a stamp: milliseconds since the epoch. One that is not newer is no news."""
        if self._now is None or stamp > self._now:
            self._move(stamp)

    def take(self, reading: ClockReading) -> None:
        """Take the simulator's word; that of a new instance also when it is earlier."""
        is_new_run = self._is_of_another_run(reading)
        self._instance, self._speed = reading.instance, reading.speed
        if is_new_run or self._now is None or reading.now > self._now:
            self._move(reading.now)

    async def wait_until(self, at: datetime) -> None:
        """Return once `now()` has reached `at`."""
        wanted = _milliseconds(at)
        while self._now is None or self._now < wanted:
            reached = asyncio.get_running_loop().create_future()
            heapq.heappush(self._waiting, (wanted, next(self._order), reached))
            self._listen()
            await reached

    def start(self) -> None:
        """Keep listening also while nobody waits, until `aclose`; needs the event loop."""
        self._is_kept_running = True
        self._listen()

    async def aclose(self) -> None:
        """Stop listening. Whoever still waits is cancelled."""
        self._is_kept_running = False
        waiting, self._waiting = self._waiting, []
        for _, _, reached in waiting:
            reached.cancel()
        listener, self._listener = self._listener, None
        if listener is not None:
            listener.cancel()
            await asyncio.wait([listener])

    def _move(self, now: int) -> None:
        self._now = now
        self._heard.set()
        while self._waiting and self._waiting[0][0] <= now:
            _, _, reached = heapq.heappop(self._waiting)
            if not reached.done():
                reached.set_result(None)

    def _is_of_another_run(self, reading: ClockReading) -> bool:
        return self._instance is not None and reading.instance != self._instance

    def _listen(self) -> None:
        if self._listener is None or self._listener.done():
            self._listener = asyncio.get_running_loop().create_task(self._break_silences(), name="simulated-clock")
            self._listener.add_done_callback(self._tell_why)

    def _tell_why(self, listener: asyncio.Task[None]) -> None:
        if listener.cancelled() or (error := listener.exception()) is None:
            return
        for _, _, reached in self._waiting:
            if not reached.done():
                reached.set_exception(error)

    async def _break_silences(self) -> None:
        while self._is_kept_running or self._is_awaited():
            if await self._is_silent():
                await self._inquire()

    def _is_awaited(self) -> bool:
        while self._waiting and self._waiting[0][2].done():
            heapq.heappop(self._waiting)
        return bool(self._waiting)

    async def _is_silent(self) -> bool:
        self._heard.clear()
        try:
            async with asyncio.timeout(self._silence):
                await self._heard.wait()
        except TimeoutError:
            # When the loop was held up, frames that are already here are read first.
            await asyncio.sleep(0)
            return not self._heard.is_set()
        return False

    async def _inquire(self) -> None:
        try:
            reading = await self._ask()
        except (BrokerError, DecodeError):
            return  # asked again after the next silence
        # While we asked, the feed may have spoken: its stamps lead, or frames still on their way
        # to us would be late.
        if not self._heard.is_set() or self._is_of_another_run(reading):
            self.take(reading)


def _milliseconds(at: datetime) -> int:
    return (at - _EPOCH) // timedelta(milliseconds=1) + bool(at.microsecond % 1000)


def _moment(milliseconds: int) -> datetime:
    return _EPOCH + timedelta(milliseconds=milliseconds)
