"""The read side of Upstox: profile, contracts, chain, candles, calendar."""

from collections.abc import Iterator, Sequence
from datetime import date, datetime, timedelta
from typing import Final
from urllib.parse import quote

from algoexec.adapters.upstox.payloads import (
    CANDLES,
    CHAIN,
    CONTRACTS,
    HOLIDAYS,
    PROFILE,
    STATUS,
    TIMINGS,
    ContractPayload,
    calendar_of,
    chain_quotes,
    with_timings,
)
from algoexec.adapters.upstox.rest import UpstoxRest
from algoexec.domain.calendar import IST, Calendar
from algoexec.domain.errors import BrokerRefused
from algoexec.domain.instruments import Contracts, InstrumentKey
from algoexec.domain.market import Bar
from algoexec.domain.options import OptionChain
from algoexec.ports.clock import MarketClock
from algoexec.ports.market_data import MarketData, Profile

_DAYS_PER_CALL: Final = 28
"""They give a month of 1-minute candles per call (UDAPI1148 beyond); 28 days are in any month."""
_SEARCH_RECORDS: Final = "30"
"""Their maximum; three months of futures are three records."""


class UpstoxMarketData(MarketData):
    """What one credential may read."""

    def __init__(self, rest: UpstoxRest, clock: MarketClock) -> None:
        """Ask through `rest`; `clock` tells when an answer arrived and which minute is finished."""
        self._rest = rest
        self._clock = clock

    async def profile(self) -> Profile:
        """Return whose token this is. Source: GET /v2/user/profile."""
        return (await self._rest.get(PROFILE, "/v2/user/profile")).meaning()

    async def contracts(self, underlying: InstrumentKey, at: datetime) -> Contracts:
        """Return what is traded at `at`. Source: GET /v2/option/contract, GET /v2/instruments/search.

        Raises:
            BrokerRefused: nothing that has not expired is listed on `underlying`.
        """
        options = await self._rest.get(CONTRACTS, "/v2/option/contract", {"instrument_key": underlying})
        expiry = _nearest(options, at)
        future = await self._nearest_future(underlying, options[0].underlying_symbol, at)
        return Contracts(
            underlying=underlying,
            future=future.future(),
            expiry=expiry,
            options=tuple(row.option() for row in options if row.expiry == expiry),
        )

    async def chain(self, underlying: InstrumentKey, expiry: date) -> OptionChain:
        """Return every strike of `expiry`, ascending. Source: GET /v2/option/chain."""
        params = {"instrument_key": underlying, "expiry_date": expiry.isoformat()}
        strikes = await self._rest.get(CHAIN, "/v2/option/chain", params)
        return OptionChain(
            underlying=underlying,
            expiry=expiry,
            at=self._clock.now(),
            spot=next((row.underlying_spot_price for row in strikes if row.underlying_spot_price), None),
            quotes=chain_quotes(strikes),
        )

    async def bars(self, instrument: InstrumentKey, first: date, last: date) -> Sequence[Bar]:
        """Return the finished minutes of those days. Source: GET /v3/historical-candle."""
        key, found = quote(instrument, safe=""), dict[int, Bar]()
        for start, end in _spans(first, last):
            answer = await self._rest.get(CANDLES, f"/v3/historical-candle/{key}/minutes/1/{end}/{start}")
            found |= {bar.minute: bar for bar in answer.bars()}
        return self._finished([found[minute] for minute in sorted(found)])

    async def bars_today(self, instrument: InstrumentKey) -> Sequence[Bar]:
        """Return today's finished minutes. Source: GET /v3/historical-candle/intraday."""
        key = quote(instrument, safe="")
        return self._finished((await self._rest.get(CANDLES, f"/v3/historical-candle/intraday/{key}/minutes/1")).bars())

    async def calendar(self, year: int) -> Calendar:
        """Return the calendar of `year`, today as its timings say.

        Source: GET /v2/market/holidays, which knows the current year only, GET /v2/market/timings.
        """
        days = await self._rest.get(HOLIDAYS, "/v2/market/holidays")
        calendar = calendar_of(year, days)
        today = self._clock.now().astimezone(IST).date()
        if today.year != year:
            return calendar
        openings = await self._rest.get(TIMINGS, f"/v2/market/timings/{today}")
        return with_timings(calendar, today, openings)

    async def market_status(self) -> str:
        """Return the phase of F&O as the venue names it, for example `NORMAL_OPEN`.

        The feed tells every change of it; this is for whoever has no feed.
        Source: GET /v2/market/status.
        """
        return (await self._rest.get(STATUS, "/v2/market/status/NFO")).status

    async def _nearest_future(self, underlying: InstrumentKey, name: str, at: datetime) -> ContractPayload:
        params = {
            "query": name,
            "exchanges": "NSE",
            "segments": "FO",
            "instrument_types": "FUT",
            "records": _SEARCH_RECORDS,
        }
        found = await self._rest.get(CONTRACTS, "/v2/instruments/search", params)
        # A search by words: NIFTY also finds BANKNIFTY.
        futures = [row for row in found if row.instrument_type == "FUT" and row.underlying_key == underlying]
        expiry = _nearest(futures, at)
        return next(row for row in futures if row.expiry == expiry)

    def _finished(self, bars: list[Bar]) -> list[Bar]:
        running = int(self._clock.now().timestamp()) // 60
        return [bar for bar in bars if bar.minute < running]


def _nearest(contracts: Sequence[ContractPayload], at: datetime) -> date:
    expiry = Calendar().nearest_expiry({row.expiry for row in contracts}, at)
    if expiry is None:
        raise BrokerRefused(f"none of the {len(contracts)} contracts listed has yet to expire at {at.isoformat()}")
    return expiry


def _spans(first: date, last: date) -> Iterator[tuple[date, date]]:
    while first <= last:
        end = min(last, first + timedelta(days=_DAYS_PER_CALL - 1))
        yield first, end
        first = end + timedelta(days=1)
