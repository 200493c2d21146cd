"""Which market desks are open, and who uses them."""

import asyncio
import contextvars
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import date

from algoexec.domain.calendar import TradingDay
from algoexec.domain.instruments import InstrumentKey
from algoexec.ports.credentials import AccessToken
from algoexec.ports.venue import Venue
from algoexec.runtime.desk import MarketDesk
from algoexec.telemetry import logger

_log = logger("desks")


@dataclass(slots=True)
class _Open:
    desk: MarketDesk
    task: asyncio.Task[None]
    users: int = 0


class MarketDesks:
    """One desk per credential, underlying and day: opened by its first user, closed by its last."""

    def __init__(self, venue: Venue) -> None:
        """Open desks at `venue`."""
        self._venue = venue
        self._open: dict[tuple[AccessToken, InstrumentKey, date], _Open] = {}
        self._closing: dict[asyncio.Task[None], AccessToken] = {}

    def in_use(self) -> list[MarketDesk]:
        """Return the desks that are open."""
        return [entry.desk for entry in self._open.values()]

    @asynccontextmanager
    async def use(self, token: AccessToken, underlying: InstrumentKey, day: TradingDay) -> AsyncIterator[MarketDesk]:
        """Lend the desk of that credential and day."""
        key = (token, underlying, day.date)
        # A credential has one connection: while the last one is being closed, another would find it taken.
        while closing := [task for task, of in self._closing.items() if of == token]:
            await asyncio.wait(closing)
        entry = self._open.get(key)
        if entry is None or entry.desk.closed.is_set():
            entry = self._open[key] = self._start(token, underlying, day)
        entry.users += 1
        try:
            yield entry.desk
        finally:
            entry.users -= 1
            if entry.users == 0:
                if self._open.get(key) is entry:
                    del self._open[key]
                await self._close(token, entry.task)

    async def _close(self, token: AccessToken, task: asyncio.Task[None]) -> None:
        if task.cancel():
            self._closing[task] = token
            task.add_done_callback(self._closing.pop)
            await asyncio.wait([task])

    def _start(self, token: AccessToken, underlying: InstrumentKey, day: TradingDay) -> _Open:
        desk = MarketDesk(
            market=self._venue.market_data(token),
            feed=self._venue.feed(token),
            clock=self._venue.clock,
            underlying=underlying,
            day=day,
        )
        # A context of its own: it is not of the session that happens to be the first to use it.
        name = f"desk {token.fingerprint}"
        return _Open(desk, asyncio.create_task(_run(desk), name=name, context=contextvars.Context()))


async def _run(desk: MarketDesk) -> None:
    """Run a desk; whatever ends it is said once, and its users open another."""
    try:
        await desk.run()
    except Exception:  # noqa: BLE001 - a task's root: nobody above it would hear of it
        _log.exception("desk failed")
