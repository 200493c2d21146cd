"""A trading day as it was recorded: input of `signals DAY`, of the simulator and of backtests."""

from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum
from typing import NamedTuple

from algoexec.domain.instruments import OptionType
from algoexec.domain.market import Bar


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordedOption:
    """One row of a recorded chain. Prices in rupees, `oi` in units, `iv` a fraction; None: not recorded."""

    strike: float
    type: OptionType
    oi: int | None
    last_price: float | None = None
    bid: float | None = None
    ask: float | None = None
    volume: int | None = None
    iv: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordedChain:
    """The chain of one expiry as observed at `at` (UTC). `expiry` is None when it was not recorded."""

    at: datetime
    expiry: date | None
    rows: tuple[RecordedOption, ...]


class PremiumSource(StrEnum):
    """What the price of an option rests on, the best first."""

    REAL = "REAL"
    """A bar of the option itself."""
    CHAIN = "CHAIN"
    """Observed chains; between two of them the implied volatility is interpolated."""
    MODELLED = "MODELLED"
    """Black's model on a volatility that somebody chose, or that was observed long before or after."""


class DataFile(NamedTuple):
    """One input: what it is for (`index`, `futures`, `chain`, `options`), its name, and what was read of it.

    `notes` are sentences for a person: stamps taken as IST, rows skipped.
    """

    role: str
    name: str
    rows: int
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordedSeries:
    """One option's minutes of a day, oldest first; a minute in which it did not trade is absent or has volume 0."""

    expiry: date
    strike: float
    type: OptionType
    bars: tuple[Bar, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordedDay:
    """One trading day, everything oldest first.

    `index` are the index's minutes as recorded (a missing one is a real outage), `future`
    the nearest future's; a minute in which it did not trade is absent or has volume 0.
    `options` are those of which bars were recorded.
    """

    date: date
    index: tuple[Bar, ...]
    future: tuple[Bar, ...] = ()
    chains: tuple[RecordedChain, ...] = ()
    options: tuple[RecordedSeries, ...] = ()
