"""What a simulated exchange shows at a moment: quotes, bars, chains, and the trades between two moments."""

import math
from collections.abc import Iterator
from datetime import date
from typing import Final, NamedTuple

from algoexec.domain.instruments import BANK_NIFTY, Future, InstrumentKey, Option, OptionType
from algoexec.domain.market import Bar, Greeks
from algoexec.simulation.black76 import forward_of
from algoexec.simulation.book import Book, book_around
from algoexec.simulation.day import SimulatedDay
from algoexec.simulation.expansion import MINUTE_MS, Tick
from algoexec.simulation.pricing import Pricer, half_spread, to_tick, years_left
from algoexec.simulation.tape import DaySoFar, Tape, index_tape, key_number, option_tape, recorded_tape

type Contract = Future | Option


class Quote(NamedTuple):
    """Everything the exchange shows of one instrument at a moment.

    `contract` is None for the index, which has no book, volume or open interest. `greeks` and
    `volatility` are those of an option. `minute` is the newest finished minute, `day` the day
    so far; both None before there is one, as is `trade`.
    """

    key: InstrumentKey
    contract: Contract | None
    trade: Tick | None
    previous_close: float
    day: DaySoFar | None
    minute: Bar | None
    book: Book | None
    greeks: Greeks | None
    volatility: float
    open_interest: int
    previous_open_interest: int

    @property
    def price(self) -> float:
        """The last price; the previous close before the first trade."""
        return self.previous_close if self.trade is None else self.trade.price

    @property
    def average_price(self) -> float:
        """The day's turnover over its volume; 0 before the first trade."""
        return self.day.turnover / self.day.volume if self.day is not None and self.day.volume else 0.0


class ChainRow(NamedTuple):
    """One strike of a chain; a side that is not listed is None."""

    strike: float
    call: Quote | None
    put: Quote | None


PRICE_BAND: Final = 0.1
_LOTS_AT_THE_MONEY: Final = 90_000
_FUTURE_HALF_SPREAD: Final = 4
"""In ticks."""
_BREADTH: Final = 0.012
"""How fast an option's volume falls with its distance from the money, as a fraction of the index."""


class Exchange:
    """A simulated day that can be asked about any moment. Deterministic; nothing is kept but caches.

    Moments are milliseconds since the epoch.
    """

    def __init__(self, day: SimulatedDay) -> None:
        """Play `day`."""
        self.day: Final = day
        self.underlying: Final = BANK_NIFTY
        futures = {listed.contract.key: listed.contract for listed in day.futures}
        self.contracts: Final[dict[InstrumentKey, Contract]] = {**futures, **{o.key: o for o in day.options}}
        self._opens = int(day.session.opens_at.timestamp()) // 60
        self._closes = int(day.session.closes_at.timestamp()) // 60
        self._index = index_tape(day.index, day.seed)
        self._tapes: dict[InstrumentKey, Tape] = {self.underlying: self._index}
        for listed in day.futures:
            self._tapes[listed.contract.key] = recorded_tape(listed.contract, listed.bars, day.seed)
        self._driver = self._make_driver()
        self._previous: dict[InstrumentKey, float] = {}

    def knows(self, key: str) -> bool:
        """Return whether the instrument is listed today."""
        return key == self.underlying or key in self.contracts

    def tape(self, key: InstrumentKey) -> Tape:
        """Return the trades of an instrument.

        Raises:
            KeyError: it is not listed.
        """
        if key not in self._tapes:
            contract = self.contracts[key]
            assert isinstance(contract, Option)  # noqa: S101 - futures have theirs from the start
            self._tapes[key] = self._option_tape(contract)
        return self._tapes[key]

    def between(self, key: InstrumentKey, after: int, until: int) -> Iterator[Tick]:
        """Yield the trades of an instrument with `after < at <= until`."""
        return self.tape(key).between(after, until)

    def spot(self, at: int) -> float:
        """Return what options are priced by: the index, or the future less its premium once the index stands still."""
        trade = self._driver.last_trade(at)
        return self.day.previous_close() if trade is None else trade.price

    def quote(self, key: InstrumentKey, at: int, *, depth: int = 5) -> Quote:
        """Return the instrument as it stands at `at`.

        Raises:
            KeyError: it is not listed.
        """
        tape = self.tape(key)
        trade = tape.last_trade(at)
        contract = self.contracts.get(key)
        price = self.previous_close(key) if trade is None else trade.price
        option = contract if isinstance(contract, Option) else None
        pricer = None if option is None else self._pricer(option, at)
        return Quote(
            key=key,
            contract=contract,
            trade=trade,
            previous_close=self.previous_close(key),
            day=tape.day(at),
            minute=tape.newest_bar(at),
            book=None if contract is None else _book(contract, price, at if trade is None else trade.at, depth),
            greeks=None if pricer is None else pricer.greeks(self.spot(at)),
            volatility=0.0 if pricer is None else pricer.volatility,
            open_interest=self._open_interest(contract, at),
            previous_open_interest=self._open_interest(contract, self._opens * MINUTE_MS - 1),
        )

    def chain(self, expiry: date, at: int) -> list[ChainRow]:
        """Return the chain of one expiry, ascending strikes; empty before its first observation."""
        shown = set(self.day.model.strikes(expiry, at))
        rows: dict[float, dict[OptionType, Quote]] = {}
        for option in self.day.options:
            if option.expiry == expiry and option.strike in shown:
                rows.setdefault(option.strike, {})[option.type] = self._chain_quote(option, at)
        return [ChainRow(k, rows[k].get(OptionType.CALL), rows[k].get(OptionType.PUT)) for k in sorted(rows)]

    def previous_close(self, key: InstrumentKey) -> float:
        """Return the close of the day before, modelled for an option; the day's open when there is none."""
        if key not in self._previous:
            self._previous[key] = self._close_before(key)
        return self._previous[key]

    def price_limits(self, key: InstrumentKey) -> tuple[float, float]:
        """Return the lowest and the highest price that the exchange takes for a contract today.

        A future may move a tenth of its previous close; an option by what a tenth of the index is.
        """
        contract, close = self.contracts[key], self.previous_close(key)
        width = PRICE_BAND * (close if isinstance(contract, Future) else self.day.previous_close())
        return to_tick(close - width, contract.tick_size), to_tick(close + width, contract.tick_size)

    def open_interest(self, key: InstrumentKey, at: int) -> int:
        """Return the open interest in units; 0 for an index."""
        return self._open_interest(self.contracts.get(key), at)

    def _close_before(self, key: InstrumentKey) -> float:
        match self.contracts.get(key):
            case None:
                return self.day.previous_close()
            case Option() as option:
                return Pricer(option, self._opens, self.day.index[0].open, self.day.model).price(
                    self.day.previous_close()
                )
            case Future() as future:
                return self._future_close_before(future)

    def _future_close_before(self, future: Future) -> float:
        before = self.day.earlier[-1].future if self.day.earlier else ()
        if before and future.key == self.day.futures[0].contract.key:
            return before[-1].close
        tape = self._tapes[future.key]
        ticks = tape.ticks(tape.first)
        if ticks:
            return ticks[0].price
        return round(forward_of(self.day.previous_close(), years_left(future.expiry, self._opens)), 2)

    def _chain_quote(self, option: Option, at: int) -> Quote:
        """Return the option as the chain shows it: priced at the spot, without looking for its last trade."""
        pricer = self._pricer(option, at)
        spot = self.spot(at)
        price = pricer.price(spot)
        volume = self._lots(option)(min(max(at // MINUTE_MS, self._opens), self._closes)) * option.lot
        trade = Tick(at, price, option.lot, volume)
        return Quote(
            key=option.key,
            contract=option,
            trade=trade if volume else None,
            previous_close=self.previous_close(option.key),
            day=None,
            minute=None,
            book=_book(option, price, at, 1),
            greeks=pricer.greeks(spot),
            volatility=pricer.volatility,
            open_interest=self._open_interest(option, at),
            previous_open_interest=self._open_interest(option, self._opens * MINUTE_MS - 1),
        )

    def _pricer(self, option: Option, at: int) -> Pricer:
        minute = min(max(at // MINUTE_MS, self._opens), self._closes - 1)
        ticks = self._driver.ticks(minute)
        return Pricer(option, minute, ticks[0].price if ticks else self.spot(minute * MINUTE_MS), self.day.model)

    def _open_interest(self, contract: Contract | None, at: int) -> int:
        match contract:
            case None:
                return 0
            case Option() as option:
                return self.day.model.open_interest(option, at)
            case Future() as future:
                # Moves little in a day; the exchange tells it every few minutes.
                return future.lot * (48_000 + 300 * (at // MINUTE_MS - self._opens) // 25)

    def _make_driver(self) -> Tape:
        """Return the index, continued by the future (less its premium) where the index stands still."""
        ends = min(int(self.day.session.continuous_until.timestamp()) // 60, self._index.last + 1)
        future = self._tapes[self.day.futures[0].contract.key]
        if future.last < ends:
            return self._index
        last = self._index.last_trade(ends * MINUTE_MS - 1)
        reference = future.last_trade(ends * MINUTE_MS - 1)
        premium = 0.0 if last is None or reference is None else reference.price - last.price

        def draw(minute: int) -> tuple[Tick, ...]:
            if minute < ends:
                return self._index.ticks(minute)
            return tuple(tick._replace(price=round(tick.price - premium, 2)) for tick in future.ticks(minute))

        return Tape(self._index.first, future.last, draw)

    def _option_tape(self, option: Option) -> Tape:
        if (bars := self.day.option_bars.get(option.key)) is not None:
            return recorded_tape(option, bars, self.day.seed)
        return option_tape(option, self._driver, self._lots(option), self.day.model, self.day.seed)

    def _lots(self, option: Option) -> "_Turnover":
        money = option.strike / self.day.index[0].open - 1
        nearness = math.exp(-((money / _BREADTH) ** 2) / 2)
        months = self.day.expiries().index(option.expiry)
        return _Turnover(_LOTS_AT_THE_MONEY * nearness / 8**months, self._opens, self._closes)


class _Turnover:
    """The lots that an option has traded before a minute: a U over the day, as a running sum."""

    __slots__ = ("_closes", "_opens", "_total")

    def __init__(self, total: float, opens: int, closes: int) -> None:
        self._total, self._opens, self._closes = total, opens, closes

    def __call__(self, minute: int) -> int:
        done = min(max((minute - self._opens) / (self._closes - self._opens), 0.0), 1.0)
        # Steep at both ends, flat at noon.
        return int(self._total * (done + math.sin(2 * math.pi * done) / (3 * math.pi)))


def _book(contract: Contract, price: float, at: int, depth: int) -> Book:
    salt = at * 1_000_003 + key_number(contract.key)
    tick = contract.tick_size
    half = half_spread(price, tick) if isinstance(contract, Option) else _FUTURE_HALF_SPREAD * tick
    return book_around(price, half_spread=half, tick_size=tick, lot=contract.lot, salt=salt, depth=depth)
