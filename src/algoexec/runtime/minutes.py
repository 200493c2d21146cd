"""Follows the minutes of one day: from quotes, from the clock, and from what must be fetched."""

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime

from algoexec.domain.calendar import TradingDay
from algoexec.domain.errors import BrokerError, DecodeError, TokenRefused
from algoexec.domain.instruments import InstrumentKey
from algoexec.domain.market import Bar, Candle, Provenance
from algoexec.engine.candles import CandleAssembler, Settled
from algoexec.ports.clock import MarketClock
from algoexec.ports.feed import QuotesChanged
from algoexec.ports.market_data import MarketData
from algoexec.runtime.waiting import Pulse, backoff
from algoexec.telemetry import logger

_log = logger("minutes")


class Minutes:
    """Gives a `CandleAssembler` its clock and its fetches. `deliver` is told what becomes settled."""

    def __init__(
        self,
        *,
        market: MarketData,
        clock: MarketClock,
        day: TradingDay,
        index: InstrumentKey,
        future: InstrumentKey,
        deliver: Callable[[Settled], None],
    ) -> None:
        """Begin with nothing known; call `follow`."""
        self._market, self._clock = market, clock
        self._index, self._future = index, future
        self._end = day.continuous_until
        self._deliver_to = deliver
        self._progress = Pulse()
        self._assembler = CandleAssembler(day, index, future)

    @property
    def late_ticks(self) -> int:
        """How many ticks were dropped because their minute was closed."""
        return self._assembler.late_ticks

    def candles(self) -> list[Candle]:
        """Return today's settled candles, oldest first."""
        return [self._assembler.candles[minute] for minute in sorted(self._assembler.candles)]

    def repairs(self) -> tuple[Candle, ...]:
        """Return those of today's candles that were found out to be otherwise after they were settled."""
        return tuple(candle for candle in self.candles() if candle.provenance is Provenance.REPAIRED)

    def running(self) -> Bar | None:
        """Return the index's minute under way; None before its first tick."""
        return self._assembler.running()

    def connected(self) -> None:
        """A feed connection stands."""
        self._assembler.connected()

    def lost(self) -> None:
        """The feed connection is gone."""
        self._assembler.lost()

    def on_quotes(self, frame: QuotesChanged) -> None:
        """Take in one frame of the feed."""
        self._deliver(self._assembler.on_quotes(frame.at, frame.quotes))

    async def past(self, until: datetime) -> tuple[Candle, ...]:
        """Return today's candles with `T <= until`, once all of them are settled or given up."""
        minute = milliseconds(min(until, self._end)) // 60_000
        await self._progress.until(lambda: self._assembler.settled_until() >= minute)
        return tuple(candle for candle in self.candles() if candle.closed_at <= until)

    async def follow(self) -> None:
        """Settle minutes that no tick closes, and fetch those that the connection did not cover.

        Returns after the day's last minute.

        Raises:
            TokenRefused: a fetch was refused for its token.
        """
        pauses = backoff(1.0, 4.0)
        while (due := self._assembler.next_deadline()) is not None:
            await self._clock.wait_until(datetime.fromtimestamp(due / 1000, UTC))
            self._deliver(self._assembler.advance(self._now()))
            if not self._assembler.missing(self._now()):
                pauses = backoff(1.0, 4.0)
                continue
            self._deliver(await self._fetch())
            if self._assembler.missing(self._now()):
                await asyncio.sleep(next(pauses))

    async def _fetch(self) -> Settled:
        asked_at = self._now()
        try:
            index = await self._market.bars_today(self._index)
            future = await self._market.bars_today(self._future)
        except TokenRefused:
            raise
        except (BrokerError, DecodeError) as error:
            _log.warning("candles not fetched", error=str(error))
            return self._assembler.fetch_failed(asked_at)
        return self._assembler.fetched(asked_at, index, future)

    def _deliver(self, settled: Settled) -> None:
        if settled.candles or settled.repairs:
            self._deliver_to(settled)
        self._progress.beat()

    def _now(self) -> int:
        return milliseconds(self._clock.now())


def milliseconds(at: datetime) -> int:
    """Return exchange milliseconds since the epoch."""
    return round(at.timestamp() * 1000)
