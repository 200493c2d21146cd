"""Signals and rejections: every candidate the strategy saw, and what became of it."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from algoexec.domain.instruments import InstrumentKey, OptionType
from algoexec.domain.market import Candle


class Side(StrEnum):
    """What a signal would buy."""

    BUY_CALL = "BUY_CALL"
    BUY_PUT = "BUY_PUT"

    @property
    def option_type(self) -> OptionType:
        """The type of option that this side buys."""
        return OptionType.CALL if self is Side.BUY_CALL else OptionType.PUT


class Pattern(StrEnum):
    """The setups, best first (strategy.md §4)."""

    ORB_BREAKOUT = "ORB_BREAKOUT"
    INSIDE_BAR_BREAKOUT = "INSIDE_BAR_BREAKOUT"
    BULLISH_ENGULFING = "BULLISH_ENGULFING"
    BEARISH_ENGULFING = "BEARISH_ENGULFING"
    HAMMER = "HAMMER"
    SHOOTING_STAR = "SHOOTING_STAR"
    MOMENTUM = "MOMENTUM"


class Reason(StrEnum):
    """Why a candidate did not become a signal (strategy.md §5), in the order of the guards."""

    TRADE_LOCK = "TRADE_LOCK"
    VOLUME = "VOLUME"
    NO_MANS_LAND = "NO_MANS_LAND"
    PCR = "PCR"
    LOWER_PRIORITY = "LOWER_PRIORITY"


class PcrQuality(StrEnum):
    """What stands behind a signal's PCR."""

    FRESH = "fresh"
    STALE = "stale"
    """The newest poll is too old; it counted as missing."""
    MISSING = "missing"
    """No poll yet today, or no call had open interest."""


class VwapBasis(StrEnum):
    """What the VWAP is weighted with."""

    VOLUME = "volume-weighted"
    TIME = "time-weighted"
    """No volume is known today: the plain mean of the typical prices."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Levels:
    """The levels as of the candle, in index points. None: not known yet."""

    vwap: float | None
    vwap_basis: VwapBasis
    ema_fast: float | None
    ema_slow: float | None
    range_high: float | None
    range_low: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """What speaks for a signal but decides nothing. None: not enough candles to say."""

    range_compression: bool | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Signal:
    """One candidate of one candle: emitted when `reason` is None, else rejected for it.

    `at` is T, the close of the candle; `decided_at` the market time of the decision; both
    UTC, as are `expires_at` and `lock_until` (None on a rejection). `price`, `stop_loss` and
    `target` are index points, not rounded. `instrument` is the ATM option to buy, None
    when no strike is listed. `pcr` is None unless `pcr_quality` is fresh. `volume_confirmed`
    is None when the candle's volume or its average is unknown. `premium` is what `instrument`
    cost at `decided_at`, rupees a unit, and `breakeven_points` by how much of it one lot must gain
    to be flat after all charges; both None when no recent price is known.
    """

    id: str
    at: datetime
    decided_at: datetime
    side: Side
    pattern: Pattern
    priority: int
    price: float
    stop_loss: float
    target: float
    instrument: InstrumentKey | None
    pcr: float | None
    pcr_quality: PcrQuality
    volume_confirmed: bool | None
    levels: Levels
    evidence: Evidence
    candle: Candle
    expires_at: datetime
    lock_until: datetime | None
    reason: Reason | None
    premium: float | None = None
    breakeven_points: float | None = None

    @property
    def is_rejection(self) -> bool:
        """Whether the candidate was refused."""
        return self.reason is not None
