"""A trading day as it was recorded: input of `signals DAY`, of the simulator and of backtests."""

from dataclasses import dataclass
from datetime import date, datetime

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


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordedDay:
    """One trading day, everything oldest first.

    `index` are the index's minutes as recorded (a missing one is a real outage), `future`
    the nearest future's; a minute in which it did not trade is absent or has volume 0.
    """

    date: date
    index: tuple[Bar, ...]
    future: tuple[Bar, ...] = ()
    chains: tuple[RecordedChain, ...] = ()
