"""A loop whose time passes when nothing else is left to do: ten seconds of waiting take none."""

import asyncio
import functools
import selectors
from collections.abc import Callable, Coroutine
from datetime import UTC, datetime, timedelta
from typing import Any, Final

START: Final = datetime(2026, 11, 23, 3, 45, tzinfo=UTC)
"""A Monday, 09:15 in India: wall and market time at which every test begins."""


class _Selector(selectors.DefaultSelector):
    """Waits for no file as long as it is told to; adds up how long it would have waited."""

    passed = 0.0

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        if timeout is None:
            raise AssertionError("everything waits, and nothing is ever going to happen")
        if not (ready := super().select(0)):
            self.passed += max(timeout, 0.0)
        return ready


class WarpedLoop(asyncio.SelectorEventLoop):
    """An event loop for what waits for timers and for its own tasks alone."""

    def __init__(self) -> None:
        self._warped = _Selector()
        super().__init__(self._warped)

    def time(self) -> float:
        return self._warped.passed


def warped[**P](test: Callable[P, Coroutine[Any, Any, None]]) -> Callable[P, None]:
    """Run a test on a warped loop of its own."""

    @functools.wraps(test)
    def run(*args: P.args, **kwargs: P.kwargs) -> None:
        with asyncio.Runner(loop_factory=WarpedLoop) as runner:
            runner.run(test(*args, **kwargs))

    return run


class LoopClock:
    """Wall time as the loop has it."""

    def now(self) -> datetime:
        return START + timedelta(seconds=self.monotonic())

    def monotonic(self) -> float:
        return asyncio.get_running_loop().time()


class LoopMarketClock:
    """Market time as the loop has it, cut to milliseconds."""

    def now(self) -> datetime:
        return START + timedelta(milliseconds=round(asyncio.get_running_loop().time() * 1000))

    async def wait_until(self, at: datetime) -> None:
        while (left := (at - self.now()).total_seconds()) > 0:  # noqa: ASYNC110 - no event tells that time has passed
            await asyncio.sleep(left)


async def until(holds: Callable[[], bool], within: float = 600.0) -> None:
    """Return once `holds()`; fail when that takes longer than `within` seconds."""
    async with asyncio.timeout(within):
        while not holds():  # noqa: ASYNC110 - any condition, of any object
            await asyncio.sleep(0.01)


async def rest() -> None:
    """Let every task run until it waits for something; no time passes."""
    for _ in range(50):
        await asyncio.sleep(0)
