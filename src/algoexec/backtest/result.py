"""What a backtest found: everything that its files and its report are made of.

Money is paise, premiums are rupees a unit, the index is in points, quantities are units,
times are UTC. A result is a value: two runs of the same data, settings and seed are equal.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from fractions import Fraction
from typing import Final, NamedTuple

from algoexec.domain.charges import Charges, Derivative, charges_of_order
from algoexec.domain.instruments import InstrumentKey, OptionType
from algoexec.domain.market import Bar
from algoexec.domain.orders import Side as OrderSide
from algoexec.domain.recording import DataFile, PremiumSource
from algoexec.domain.signals import Pattern, Side, Signal
from algoexec.engine.trading.rules import TradeRules
from algoexec.engine.trading.trade import ExitReason
from algoexec.strategy.parameters import Parameters

__all__ = [
    "SLIPPAGE_MULTIPLES",
    "BacktestResult",
    "BacktestTrade",
    "DataFile",
    "DayRow",
    "EquityPoint",
    "Execution",
    "PremiumBar",
    "PremiumSource",
    "RefusedEntry",
    "Repriced",
    "Repricing",
    "RunSetup",
    "SourceShare",
]

SLIPPAGE_MULTIPLES: Final = (2, 4)
"""A result is told again as it would be if crossing the spread had cost so many times as much."""


_BOUNDS: Final = (
    ("latency_ms", 0, 60_000),
    ("decided_after_ms", 0, 30_000),
    ("spread_pct", 0, 20),
    ("spread_ticks", 1, 1_000),
    ("volatility", 0.01, 4),
    ("depth", 1, 5),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Execution:
    """How orders meet the market; nothing of it is known from one-minute bars, so all of it is said.

    `latency_ms` is market time from the broker to the exchange. The book is `spread_pct` per cent of
    the premium wide, rounded up to whole ticks on each side, and at least `spread_ticks` ticks in all.
    `decided_after_ms` is how long after its minute's end a candle is known. `volatility` (a fraction a
    year) prices an option of which nothing was observed. `depth` is how many rows of the book orders meet:
    the exchange shows five, paper trading sees one. `seed` decides the path inside a minute and how much
    is offered.

    Raises:
        ValueError: a number is out of its bounds.
    """

    latency_ms: int = 40
    decided_after_ms: int = 1_000
    spread_pct: float = 0.2
    spread_ticks: int = 2
    volatility: float = 0.16
    depth: int = 5
    seed: int = 1

    def __post_init__(self) -> None:
        """Refuse what cannot be."""
        for name, low, high in _BOUNDS:
            if not low <= getattr(self, name) <= high:
                raise ValueError(f"{name} must be between {low} and {high}, not {getattr(self, name)}")


@dataclass(frozen=True, slots=True, kw_only=True)
class RunSetup:
    """What was run: enough to run it again.

    `begins` and `ends` are the first and the last day that was traded, both included; None: there was
    none. Each day begins with `rules.capital`, whatever the days before it brought: profits are
    not invested again, losses are made good. `warm_up_days` came before `begins` and only warmed.
    """

    begins: date | None
    ends: date | None
    parameters: Parameters
    rules: TradeRules
    execution: Execution
    data: tuple[DataFile, ...]
    warm_up_days: int
    version: str


class PremiumBar(NamedTuple):
    """One minute of what the option could be sold for (its bid), as far as the trade was watched.

    `minute` is whole minutes since the epoch, UTC.
    """

    minute: int
    open: float
    high: float
    low: float
    close: float
    source: PremiumSource


class Repriced(NamedTuple):
    """A trade as it would be had crossing the spread cost more."""

    gross: int
    charges: int
    net: int


@dataclass(frozen=True, slots=True, kw_only=True)
class BacktestTrade:
    """A trade from its signal to flat.

    `entry_price` and `exit_price` are averages over fills, `entry_middle` and `exit_middle` those of the
    middle of the book as each fill found it: the distance between them is what crossing the spread cost.
    `best` and `worst` are the highest and lowest bid while it was held; None: no mark came in that time.
    `one_r` is the risk of one unit, and `r` the net result in units of the risk taken. `source` is the
    worst of what its prices rest on. `approximate`: charges of its date are not known to the last item.
    `index` are the minutes from a while before the signal to a while after the end, for a chart; `path`
    is the option itself from the entry to the end.
    """

    id: str
    signal_id: str
    day: date
    pattern: Pattern
    side: Side
    instrument: InstrumentKey
    name: str
    strike: float
    option_type: OptionType
    expiry: date
    lot: int
    quantity: int
    signal_at: datetime
    opened_at: datetime
    closed_at: datetime
    signal_price: float
    index_stop: float
    index_target: float
    entry_price: float
    exit_price: float
    entry_middle: float
    exit_middle: float
    entry_orders: int
    exit_orders: int
    brokerage: int
    reason: ExitReason
    one_r: float
    r: float
    gross: int
    entry_charges: Fraction
    exit_charges: Fraction
    charges: int
    net: int
    best: float | None
    worst: float | None
    source: PremiumSource
    approximate: bool
    index: tuple[Bar, ...]
    path: tuple[PremiumBar, ...]

    @property
    def mfe(self) -> float | None:
        """The best mark against the entry, in rupees a unit; None if no mark came."""
        return None if self.best is None else self.best - self.entry_price

    @property
    def mae(self) -> float | None:
        """The worst mark against the entry, in rupees a unit; None if no mark came."""
        return None if self.worst is None else self.worst - self.entry_price

    @property
    def slippage(self) -> int:
        """What crossing the spread cost, in paise; already in `gross`."""
        a_unit = max(0.0, self.entry_price - self.entry_middle) + max(0.0, self.exit_middle - self.exit_price)
        return round(a_unit * self.quantity * 100)

    def repriced(self, multiple: float) -> Repriced:
        """Return the trade with its fills `multiple` times as far from the middle of the book.

        Fills alone: what was decided, and how much was bought, stays. An option is not sold below zero.
        """
        more = multiple - 1
        bought = self.entry_price + more * max(0.0, self.entry_price - self.entry_middle)
        sold = max(0.0, self.exit_price - more * max(0.0, self.exit_middle - self.exit_price))
        paid, got = (round(price * self.quantity * 100) for price in (bought, sold))
        charges = _charges(self, OrderSide.BUY, paid, self.entry_orders)
        charges += _charges(self, OrderSide.SELL, got, self.exit_orders)
        return Repriced(got - paid, charges.total, got - paid - charges.total)


class RefusedEntry(NamedTuple):
    """A signal that became no order, and why (`docs/trading.md`)."""

    at: datetime
    signal_id: str
    reason: str
    detail: str


class EquityPoint(NamedTuple):
    """The account at a moment: at each minute's end while something is held, at each trade's and day's end.

    `equity` is the capital and all that was won and lost since the beginning. `realised` is after charges;
    `unrealised` values what is held at its bid, after the charges so far.
    """

    at: datetime
    equity: int
    realised: int
    unrealised: int


@dataclass(frozen=True, slots=True, kw_only=True)
class DayRow:
    """One trading day. `lock` is which limit of the day was reached; None: none.

    `minutes` counts index candles, `missing` those that continuous trading has and the data has not.
    `held_s` is for how many seconds something was held, `chains` how many chains were observed: without
    any the PCR was missing. `equity` is as of the day's end.
    """

    date: date
    minutes: int
    missing: int
    signals: int
    rejections: int
    refusals: int
    trades: int
    wins: int
    gross: int
    charges: int
    net: int
    equity: int
    held_s: float
    chains: int
    lock: str | None


class SourceShare(NamedTuple):
    """What came of the trades whose prices rest on one source."""

    trades: int
    gross: int
    net: int


class Repricing(NamedTuple):
    """The whole run with fills `multiple` times as far from the middle; decisions as they were."""

    multiple: int
    gross: int
    charges: int
    net: int


@dataclass(frozen=True, slots=True, kw_only=True)
class BacktestResult:
    """A whole run, or the part of it that was reached: `partial` says why it ended early, None: it did not.

    `rejected` counts rejections by pattern and reason; the rejections themselves are only written
    down (`rejections.jsonl`), there are too many of them. `signals` are the emitted ones.
    """

    setup: RunSetup
    signals: tuple[Signal, ...]
    rejected: Mapping[str, Mapping[str, int]]
    refusals: tuple[RefusedEntry, ...]
    trades: tuple[BacktestTrade, ...]
    equity: tuple[EquityPoint, ...]
    days: tuple[DayRow, ...]
    partial: str | None = None

    @property
    def refused(self) -> dict[str, int]:
        """How many signals became no order, by reason, the most frequent first."""
        counts: dict[str, int] = {}
        for one in self.refusals:
            counts[one.reason] = counts.get(one.reason, 0) + 1
        return dict(sorted(counts.items(), key=lambda pair: (-pair[1], pair[0])))

    @property
    def by_source(self) -> dict[PremiumSource, SourceShare]:
        """What came of the trades, by what their prices rest on."""
        shares: dict[PremiumSource, SourceShare] = {}
        for source in PremiumSource:
            those = [trade for trade in self.trades if trade.source is source]
            shares[source] = SourceShare(len(those), sum(t.gross for t in those), sum(t.net for t in those))
        return shares

    @property
    def modelled_share(self) -> float | None:
        """The share of profits and losses (their sizes added up) that rests on modelled prices; None: no trade."""
        whole = sum(abs(trade.net) for trade in self.trades)
        modelled = sum(abs(trade.net) for trade in self.trades if trade.source is PremiumSource.MODELLED)
        return modelled / whole if whole else None

    @property
    def repricings(self) -> tuple[Repricing, ...]:
        """The run told again with more slippage."""
        return tuple(self.repriced(multiple) for multiple in SLIPPAGE_MULTIPLES)

    def repriced(self, multiple: int) -> Repricing:
        """Return the run with each fill `multiple` times as far from the middle of the book."""
        those = [trade.repriced(multiple) for trade in self.trades]
        return Repricing(
            multiple, sum(t.gross for t in those), sum(t.charges for t in those), sum(t.net for t in those)
        )


def _charges(trade: BacktestTrade, side: OrderSide, turnover: int, orders: int) -> Charges:
    """Return what so many orders cost that traded `turnover` together: all but the brokerage goes by turnover."""
    brokerage = trade.brokerage * orders
    kind = Derivative.OPTION
    return charges_of_order(on=trade.day, kind=kind, side=side, turnover=turnover, brokerage=brokerage)
