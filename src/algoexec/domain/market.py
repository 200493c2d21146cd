"""What the market says: quotes as they change, candles once they are closed."""

import math
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import NamedTuple

from algoexec.domain.errors import InvalidMarketData
from algoexec.domain.instruments import InstrumentKey

MINUTE = timedelta(minutes=1)


class Provenance(StrEnum):
    """Where a candle comes from."""

    LIVE = "live"
    """Built from ticks."""
    RECEIVED = "received"
    """The feed's own finished minute (`I1`)."""
    BACKFILLED = "backfilled"
    """Fetched from the candle API before it was decided on."""
    REPAIRED = "repaired"
    """Fetched after it was decided on: history changed, the decision did not."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Candle:
    """One minute of the index, over the half-open interval `[start, start + 1 min)`.

    Prices are index points. `volume` is the traded quantity, in units, of the nearest
    future in the same minute (an index has none); None when it is unknown or the future
    did not trade, never 0 in its place. Times are UTC. A candle is closed: it is only
    made once its minute has ended.

    Raises:
        InvalidMarketData: `start` is naive or off the minute, a price is not finite, high
            and low do not bound open and close, or the volume is not positive.
    """

    start: datetime
    open: float
    high: float
    low: float
    close: float
    volume: int | None
    provenance: Provenance

    def __post_init__(self) -> None:
        """Refuse what cannot be."""
        if self.start.tzinfo is None or self.start.second or self.start.microsecond:
            raise InvalidMarketData(f"a candle starts on an aware, whole minute, not {self.start!r}")
        if not all(map(math.isfinite, (self.open, self.high, self.low, self.close))):
            raise InvalidMarketData(f"a price of the candle at {self.start} is not a number")
        if not self.low <= min(self.open, self.close) <= max(self.open, self.close) <= self.high:
            raise InvalidMarketData(f"high and low of the candle at {self.start} do not bound it")
        if self.volume is not None and self.volume <= 0:
            raise InvalidMarketData(f"volume of the candle at {self.start} is {self.volume}; unknown is None")

    @property
    def closed_at(self) -> datetime:
        """The end of the minute, `T`: the earliest moment at which it may be decided on."""
        return self.start + MINUTE


class Bar(NamedTuple):
    """A finished minute of one instrument as the venue tells it: API candles and the feed's `I1`.

    `minute` is the start in whole minutes since the epoch, UTC; `volume` in units, 0 for an index.
    """

    minute: int
    open: float
    high: float
    low: float
    close: float
    volume: int


class Greeks(NamedTuple):
    """Sensitivities of one option, per unit: delta per point, theta per day, vega per IV point."""

    delta: float
    theta: float
    gamma: float
    vega: float
    rho: float


class Quote(NamedTuple):
    """All that is known of one instrument now, merged over partial frames.

    Stamps are exchange milliseconds since the epoch, as on the wire: the tick path does
    integer arithmetic on them. Prices in rupees (index points for an index), quantities in
    units, `iv` a fraction (0.13 is 13 %). None: never told. `traded_at` is the `ltt`;
    `volume` the day's `vtt`; `minute` the last finished minute (`I1`).
    """

    instrument: InstrumentKey
    received_at: int
    price: float | None = None
    traded_at: int | None = None
    traded_quantity: int | None = None
    previous_close: float | None = None
    volume: int | None = None
    open_interest: float | None = None
    iv: float | None = None
    bid: float | None = None
    bid_quantity: int | None = None
    ask: float | None = None
    ask_quantity: int | None = None
    greeks: Greeks | None = None
    minute: Bar | None = None
