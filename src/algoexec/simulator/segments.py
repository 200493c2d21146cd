"""Which segment is in which phase at a market time.

The closing auction is shown in the cash market's status as the enum has it; the broker's
`casMarketStatus` strings are not known and not sent.
"""

from collections.abc import Mapping
from datetime import datetime, time, timedelta
from enum import IntEnum
from typing import Final

from algoexec.domain.calendar import TradingDay, ist


class Phase(IntEnum):
    """MarketStatus of the feed's protobuf. Source: SDK 2.30.0."""

    PRE_OPEN_START = 0
    PRE_OPEN_END = 1
    NORMAL_OPEN = 2
    NORMAL_CLOSE = 3
    CLOSING_START = 4
    CLOSING_END = 5


_CASH: Final = ("NSE_EQ", "NSE_INDEX", "BSE_EQ", "BSE_INDEX")
_DERIVATIVES: Final = ("NSE_FO", "BSE_FO", "NCD_FO", "BCD_FO")
_COMMODITIES: Final = ("MCX_FO", "MCX_INDEX", "NSE_COM")

EXCHANGES: Final[Mapping[str, str]] = {
    "NSE": "NSE_EQ", "NFO": "NSE_FO", "CDS": "NCD_FO", "BSE": "BSE_EQ",
    "BFO": "BSE_FO", "BCD": "BCD_FO", "MCX": "MCX_FO", "NSCOM": "NSE_COM",
}  # fmt: skip
"""Exchange names of the REST API, and the segment whose phase they show."""

AUCTION_LENGTH: Final = timedelta(minutes=20)
COMMODITY_HOURS: Final = (time(9), time(23, 30))


def phases(day: TradingDay, at: datetime) -> dict[str, Phase]:
    """Return the phase of every segment."""
    cash, derivatives, commodities = _cash(day, at), _derivatives(day, at), _commodities(day, at)
    return {
        **dict.fromkeys(_CASH, cash),
        **dict.fromkeys(_DERIVATIVES, derivatives),
        **dict.fromkeys(_COMMODITIES, commodities),
    }


def _before_the_open(day: TradingDay, at: datetime) -> Phase:
    if at < day.opens_at - timedelta(minutes=15):
        return Phase.NORMAL_CLOSE
    return Phase.PRE_OPEN_START if at < day.opens_at - timedelta(minutes=7) else Phase.PRE_OPEN_END


def _cash(day: TradingDay, at: datetime) -> Phase:
    if at < day.opens_at:
        return _before_the_open(day, at)
    if at < day.continuous_until:
        return Phase.NORMAL_OPEN
    has_auction = day.continuous_until < day.closes_at
    if has_auction and at < day.continuous_until + AUCTION_LENGTH:
        return Phase.CLOSING_START
    if has_auction and at < day.continuous_until + AUCTION_LENGTH + timedelta(minutes=25):
        return Phase.CLOSING_END
    return Phase.NORMAL_CLOSE


def _derivatives(day: TradingDay, at: datetime) -> Phase:
    if at < day.opens_at:
        return _before_the_open(day, at)
    return Phase.NORMAL_OPEN if at < day.closes_at else Phase.NORMAL_CLOSE


def _commodities(day: TradingDay, at: datetime) -> Phase:
    opens, closes = (ist(day.date, clock) for clock in COMMODITY_HOURS)
    return Phase.NORMAL_OPEN if opens <= at < closes else Phase.NORMAL_CLOSE
