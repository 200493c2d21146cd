"""Polls the option chain of one expiry (strategy.md §7)."""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from datetime import date
from functools import partial

from algoexec.domain.calendar import next_poll
from algoexec.domain.instruments import InstrumentKey
from algoexec.domain.options import OptionChain
from algoexec.ports.clock import MarketClock
from algoexec.ports.market_data import MarketData
from algoexec.runtime.waiting import insist


class ChainPoller:
    """Reads the chain at its instants, when a session joins, and after a reconnect."""

    def __init__(
        self,
        *,
        market: MarketData,
        clock: MarketClock,
        underlying: InstrumentKey,
        expiry: date,
        deliver: Callable[[OptionChain], None],
    ) -> None:
        """Nothing is polled before `run`."""
        self._read = partial(market.chain, underlying, expiry)
        self._clock = clock
        self._deliver = deliver
        self._asked = asyncio.Event()
        self.newest: OptionChain | None = None

    def poll_now(self) -> None:
        """Poll at once; asked for twice while a poll is under way, one more follows it."""
        self._asked.set()

    async def run(self) -> None:
        """Poll until cancelled; a failed poll is tried again with growing pauses.

        Raises:
            TokenRefused: the broker refuses the token.
        """
        while True:
            self._asked.clear()
            self.newest = await insist(self._read, "option chain", self._pause)
            self._deliver(self.newest)
            await self._next_is_due()

    async def _pause(self, seconds: float) -> None:
        """Wait before a failed poll is tried again; who joins, and a feed that is back, wait for nobody."""
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._asked.wait()
        self._asked.clear()

    async def _next_is_due(self) -> None:
        due = asyncio.ensure_future(self._clock.wait_until(next_poll(self._clock.now())))
        asked = asyncio.ensure_future(self._asked.wait())
        try:
            await asyncio.wait((due, asked), return_when=asyncio.FIRST_COMPLETED)
        finally:
            due.cancel()
            asked.cancel()
