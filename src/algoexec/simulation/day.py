"""One trading day as the simulated exchange plays it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import Protocol

from algoexec.domain.calendar import Calendar, TradingDay
from algoexec.domain.instruments import Future, InstrumentKey, Option
from algoexec.domain.market import Bar

type Dates = tuple[date, ...]


class OptionModel(Protocol):
    """What is known, or believed, of the options between their trades.

    Minutes are whole minutes since the epoch, UTC.
    """

    def volatility(self, option: Option, minute: int, forward: float) -> float:
        """Return the implied volatility, a fraction a year, that holds for the whole minute."""

    def open_interest(self, option: Option, at: int) -> int:
        """Return the open interest in units at `at` (milliseconds since the epoch); 0 when unknown."""

    def strikes(self, expiry: date, at: int) -> tuple[float, ...]:
        """Return the strikes that the chain of `expiry` shows at `at`, ascending; none before the first observation."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ListedFuture:
    """A future and its minutes of the day; a minute without a trade is absent or has volume 0."""

    contract: Future
    bars: tuple[Bar, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class EarlierDay:
    """Minutes of a past trading day; `future` are those of the nearest contract, empty when unknown."""

    date: date
    index: tuple[Bar, ...]
    future: tuple[Bar, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class SimulatedDay:
    """A whole trading day of one underlying.

    `option_bars` are those of the options that were recorded; all others are modelled.

    `futures` and `options` are nearest expiry first. `earlier` is oldest first. `seed` decides
    whatever the day leaves open: tick times, paths within a minute, books.
    """

    name: str
    session: TradingDay
    calendar: Calendar
    index: tuple[Bar, ...]
    futures: tuple[ListedFuture, ...]
    options: tuple[Option, ...]
    model: OptionModel
    earlier: tuple[EarlierDay, ...]
    seed: int
    option_bars: Mapping[InstrumentKey, tuple[Bar, ...]] = field(default_factory=dict)

    @property
    def date(self) -> date:
        """The trading date."""
        return self.session.date

    def expiries(self) -> Dates:
        """Return the option expiries, nearest first."""
        return tuple(sorted({option.expiry for option in self.options}))

    def previous_close(self) -> float:
        """Return the index's close of the day before; the day's own open when there is none."""
        return self.earlier[-1].index[-1].close if self.earlier else self.index[0].open
