"""Moves the market clock, and tells the floor and the feed: the only one who does."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final

from algoexec.ports.clock import WallClock
from algoexec.simulator.configuration import SimulatorSettings
from algoexec.simulator.hub import FeedHub
from algoexec.simulator.market_clock import SteppedClock

SPEED_UNWATCHED: Final = 60.0
"""Market seconds per wall second of a day without a speed while nobody watches: a client may be
waiting for the open before it subscribes."""


class Player:
    """Plays the day in steps so short that no tick is skipped or merged.

    When it is late it takes more steps, never longer ones. A paced player that is late begins
    anew from where it stands: a slow machine makes market time slow.
    """

    def __init__(
        self,
        clock: SteppedClock,
        hub: FeedHub,
        settings: SimulatorSettings,
        wall: WallClock,
        before_step: Callable[[int], None],
        settle: Callable[[], Awaitable[None]],
    ) -> None:
        """Move `clock` by `wall` time.

        `before_step` is told each moment that it is about to reach. `settle` returns once every
        socket has taken what it was sent.
        """
        self._clock: Final = clock
        self._hub: Final = hub
        self._settings: Final = settings
        self._wall: Final = wall
        self._before_step: Final = before_step
        self._settle: Final = settle
        self._anchor = (0.0, 0)
        self._goes = asyncio.Event()
        self._goes.set()

    @property
    def is_paused(self) -> bool:
        """Whether the market stands still until `resume`."""
        return not self._goes.is_set()

    def pause(self) -> None:
        """Let the market stand still."""
        self._goes.clear()

    def resume(self) -> None:
        """Let the market go on."""
        self._goes.set()

    async def run(self) -> None:
        """Play until cancelled; after the last trade the clock goes on."""
        self._begin_anew()
        while True:
            if self.is_paused:
                await self._goes.wait()
                self._begin_anew()
            if self._settings.waits_for_subscribers:
                await self._settle()
            # Also when it is late: others must get their turn.
            await asyncio.sleep(max(0.0, self._due_in()))
            if not self.is_paused:
                self._step()

    def _step(self) -> None:
        before = self._clock.now_ms
        until = before + self._settings.step_ms
        self._before_step(until)
        self._clock.now_ms = until
        self._hub.tell(before, until)

    def _due_in(self) -> float:
        """Return wall seconds until the next step is due; negative when it is late."""
        speed = self._settings.speed
        if speed is None and self._hub.is_watched:
            self._begin_anew()
            return 0.0
        step = self._settings.step_ms / 1000 / (speed or SPEED_UNWATCHED)
        since, steps = self._anchor
        due_in = since + (steps + 1) * step - self._wall.monotonic()
        if self._settings.waits_for_subscribers and due_in < -step:
            self._begin_anew()
        else:
            self._anchor = (since, steps + 1)
        return due_in

    def _begin_anew(self) -> None:
        """Count steps from now on."""
        self._anchor = (self._wall.monotonic(), 0)
