"""Market data that is asked for: chain, contracts, candles, calendar."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Protocol

from algoexec.domain.calendar import Calendar
from algoexec.domain.instruments import Contracts, InstrumentKey
from algoexec.domain.market import Bar
from algoexec.domain.options import OptionChain


@dataclass(frozen=True, slots=True, kw_only=True)
class Profile:
    """Whose token it is. `account` is the broker's user id."""

    account: str
    name: str


class MarketData(Protocol):
    """The broker's read side for one credential.

    Every method raises `BrokerUnavailable` (try again), `RateLimited` (wait), `TokenRefused`
    (ask for a new token), `BrokerRefused` (it said no) or `DecodeError` (it made no sense).
    """

    async def profile(self) -> Profile:
        """Return whose token this is: the cheapest check that it works."""

    async def contracts(self, underlying: InstrumentKey, at: datetime) -> Contracts:
        """Return the nearest future and all options of the nearest expiry that has not passed at `at`."""

    async def chain(self, underlying: InstrumentKey, expiry: date) -> OptionChain:
        """Return the option chain of one expiry; `at` is the market time of the answer."""

    async def bars(self, instrument: InstrumentKey, first: date, last: date) -> Sequence[Bar]:
        """Return 1-minute bars of past days, both dates inclusive, oldest first."""

    async def bars_today(self, instrument: InstrumentKey) -> Sequence[Bar]:
        """Return today's finished 1-minute bars, oldest first."""

    async def calendar(self, year: int) -> Calendar:
        """Return the venue's trading calendar of that year."""
