"""Made-up markets that more than one test uses: hypothesis strategies, and days from a seed."""

import csv
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime, time, timedelta
from pathlib import Path
from random import Random
from typing import Final

from hypothesis import strategies as st

from algoexec.domain.calendar import IST, TradingDay, ist, ist_minute, regular_session
from algoexec.domain.instruments import BANK_NIFTY, Contracts, Future, InstrumentKey, Option, OptionType
from algoexec.domain.market import MINUTE, Candle, Provenance
from algoexec.domain.options import PcrReading
from algoexec.engine.events import (
    CandleClosed,
    CandlesRepaired,
    ChainPolled,
    DayPrepared,
    DeadlinePassed,
    Event,
    FeedChanged,
    FeedStatus,
    Halted,
    Mode,
    ParametersChanged,
    Resumed,
    SessionCreated,
    SessionFailed,
    StopReason,
    StopRequested,
    TokenRejected,
    TokenReplaced,
    WarmedUp,
)
from algoexec.strategy.decision import Ledger
from algoexec.strategy.kernel import UNKNOWN
from algoexec.strategy.parameters import Parameters
from algoexec.strategy.patterns import Bar

DAY: Final = date(2026, 7, 14)
"""A Tuesday with the old hours: candles from 09:15 to 15:29."""

GRID: Final = 0.25
"""Prices on a coarse binary grid: sums and differences are exact, and ties are common."""

Row = Mapping[str, object]


@st.composite
def ohlc(draw: st.DrawFn, centre: float = 50_000.0, reach: int = 40) -> tuple[float, float, float, float]:
    """Open, high, low and close on the grid, at most `reach` steps from `centre`."""
    steps = st.integers(-reach, reach)
    opened, closed, one, other = (draw(steps) for _ in range(4))
    high, low = max(opened, closed, one, other), min(opened, closed, one, other)
    if draw(st.booleans()):  # shadows are often absent
        high = max(opened, closed)
    if draw(st.booleans()):
        low = min(opened, closed)
    opening, highest, lowest, closing = (centre + GRID * step for step in (opened, high, low, closed))
    return opening, highest, lowest, closing


@st.composite
def bars(draw: st.DrawFn, minute: int | None = None) -> Bar:
    """One bar of the brain; its volume is sometimes unknown."""
    first = ist_minute(ist(DAY, time(9, 15)))
    at = draw(st.integers(first, first + 374)) if minute is None else minute
    volume = draw(st.one_of(st.just(UNKNOWN), st.integers(1, 200).map(float)))
    return Bar(at, *draw(ohlc()), volume)


@st.composite
def sessions(draw: st.DrawFn, max_size: int = 40, start: time = time(9, 15)) -> list[Bar]:
    """Bars of one day from `start` on, with holes."""
    first = ist_minute(ist(DAY, start))
    missing = draw(st.sets(st.integers(0, max_size - 1), max_size=4))
    size = draw(st.integers(1, max_size))
    return [draw(bars(first + i)) for i in range(size) if i not in missing]


def candle(
    start: datetime | time,
    prices: Sequence[float] = (50_000.0, 50_000.0, 50_000.0, 50_000.0),
    volume: int | None = 100,
    provenance: Provenance = Provenance.LIVE,
) -> Candle:
    """Return a candle; a bare time is IST on `DAY`. `prices` are open, high, low, close."""
    opened, high, low, close = prices
    at = start if isinstance(start, datetime) else ist(DAY, start)
    return Candle(start=at, open=opened, high=high, low=low, close=close, volume=volume, provenance=provenance)


def clock(minute: int) -> time:
    """Return the time of day of a minute counted from midnight."""
    return time(minute // 60, minute % 60)


@dataclass(frozen=True, slots=True, kw_only=True)
class MadeUpDay:
    """A day as files would hold it: rows of text-like values, stamps in IST."""

    date: date
    index: Sequence[Row]
    futures: Sequence[Row] = ()
    chain: Sequence[Row] = field(default_factory=tuple)

    def write(self, folder: Path) -> Path:
        """Write the day's files into `folder` and return it; a file without a row is not written."""
        folder.mkdir(parents=True, exist_ok=True)
        for name, rows in (("index_1m", self.index), ("futures_1m", self.futures), ("chain_weekly", self.chain)):
            if rows:
                write_csv(folder / f"{name}.csv", rows)
        return folder


def write_csv(path: Path, rows: Sequence[Row]) -> None:
    """Write `rows` with the columns of the first one."""
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)


def made_up_day(seed: int, on: date = DAY) -> MadeUpDay:
    """Return the day of `seed`: a random walk with gaps, still minutes, ties, volume holes and odd chains."""
    rng = Random(f"day {seed}")
    index = list(_index_rows(rng, on))
    futures = [] if rng.random() < 0.1 else list(_futures_rows(rng, index))
    chain = [] if rng.random() < 0.1 else list(_chain_rows(rng, on))
    return MadeUpDay(date=on, index=index, futures=futures, chain=chain)


def _index_rows(rng: Random, on: date) -> Iterator[Row]:
    grid = rng.choice((0.05, 0.05, 1.0, 5.0))
    swing = rng.choice((2.0, 6.0, 20.0))
    drift = rng.choice((-0.4, 0.0, 0.4)) * swing
    price = 30_000.0 + 100 * rng.randrange(200)
    outages = [_outage(rng) for _ in range(rng.choice((0, 0, 1, 3)))]
    for i in range(375):
        if rng.random() < 0.01:
            price += rng.gauss(0, 8 * swing)  # a gap between two minutes
        opened = price
        close = opened + rng.gauss(drift if i % 60 < 20 else 0, swing)
        shape = rng.random()
        if shape < 0.03:
            close = opened
        up, down = (abs(rng.gauss(0, swing)) * rng.choice((0, 0.2, 1, 3)) for _ in range(2))
        if shape < 0.02:
            up = down = 0.0  # stands still
        values = [opened, max(opened, close) + up, min(opened, close) - down, close]
        values = [round(round(value / grid) * grid, 2) for value in values]
        price = values[3]
        if any(first <= i < last for first, last in outages):
            continue
        stamp = datetime.combine(on, time(9, 15), IST) + timedelta(minutes=i)
        yield dict(zip(("timestamp", "open", "high", "low", "close"), (stamp.isoformat(), *values), strict=True))


def _outage(rng: Random) -> tuple[int, int]:
    first = rng.randrange(375)
    return first, first + rng.choice((1, 1, 2, 7, 25))


def _futures_rows(rng: Random, index: Sequence[Row]) -> Iterator[Row]:
    usual = rng.choice((200, 4_000))
    holes = rng.choice((0.0, 0.005, 0.05))
    for row in index:
        if rng.random() < holes:
            if rng.random() < 0.5:
                continue
            volume: object = rng.choice((0, ""))
        else:
            volume = 20 * int(1 + rng.lognormvariate(0, 0.5) * usual / 20)
        yield {"timestamp": row["timestamp"], "volume": volume}


def _chain_rows(rng: Random, on: date) -> Iterator[Row]:
    at = datetime.combine(on, time(9, 0), IST) + timedelta(seconds=rng.randrange(1800))
    ratio = rng.choice((0.7, 1.0, 1.3))
    while at.time() < time(15, 40):
        ratio = max(0.3, ratio + rng.gauss(0, 0.15))
        shape = rng.random()
        if shape < 0.1:
            ratio = rng.choice((0.7, 1.3))
        for strike in (49_900, 50_000, 50_100):
            calls = 20 * rng.randrange(1, 5_000)
            puts: object = calls * 13 // 10 if ratio == 1.3 else calls * 7 // 10 if ratio == 0.7 else int(calls * ratio)
            yield {
                "timestamp": at.isoformat(),
                "strike": strike,
                "option_type": "CE",
                "oi": "" if shape > 0.92 else calls,
                "stale": shape > 0.88 and shape < 0.92,
            }
            yield {
                "timestamp": at.isoformat(),
                "strike": strike,
                "option_type": "PE",
                "oi": puts if rng.random() < 0.97 else "",
                "stale": rng.random() < 0.02,
            }
        at += timedelta(seconds=rng.choice((60, 270, 300, 900, 1500)))


def contracts(first: float = 49_900.0, count: int = 3, step: float = 100.0) -> Contracts:
    """Return a future and calls and puts of `count` strikes; keys are `CALL 49900` and the like."""
    expiry = date(2026, 7, 28)
    future = Future(key=InstrumentKey("FUT"), name="FUT", expiry=expiry, lot=30, tick_size=0.2, freeze_quantity=600)
    options = tuple(
        Option(
            key=InstrumentKey(f"{kind.value} {strike:.0f}"),
            name=f"{strike:.0f} {kind.value}",
            type=kind,
            strike=strike,
            expiry=expiry,
            lot=30,
            tick_size=0.05,
            freeze_quantity=600,
        )
        for strike in (first + step * i for i in range(count))
        for kind in OptionType
    )
    return Contracts(underlying=BANK_NIFTY, future=future, expiry=expiry, options=options)


def created(
    day: TradingDay | None = None, parameters: Parameters | None = None, inherited: Ledger | None = None
) -> SessionCreated:
    """Return the first event of a session that belongs to `DAY`, or to `day`."""
    return SessionCreated(
        session_id="s" * 16,
        user_id="someone",
        mode=Mode.SIGNALS,
        venue="made up",
        underlying=BANK_NIFTY,
        day=day or regular_session(DAY),
        parameters=parameters or Parameters(),
        inherited=inherited,
    )


def reading(at: datetime, pcr: float | None = 1.0, spot: float | None = None) -> PcrReading:
    """Return what a poll has read."""
    return PcrReading(at=at, underlying=BANK_NIFTY, expiry=date(2026, 7, 28), pcr=pcr, strikes=3, spot=spot)


@st.composite
def candles(draw: st.DrawFn, first: int = 0, last: int = 374) -> Candle:
    """A candle of `DAY` that starts `first` to `last` minutes after the open."""
    start = ist(DAY, time(9, 15)) + MINUTE * draw(st.integers(first, last))
    volume = draw(st.none() | st.integers(1, 1_000))
    return candle(start, draw(ohlc()), volume, draw(st.sampled_from(Provenance)))


@st.composite
def past_candles(draw: st.DrawFn, max_size: int = 30) -> tuple[Candle, ...]:
    """Candles of `DAY` in order from the open on, with holes."""
    return tuple(c for i in range(draw(st.integers(0, max_size))) if (c := draw(candles(i, i))).close % 4)


@st.composite
def parameters(draw: st.DrawFn) -> Parameters:
    """Parameters of sensible lengths."""
    return Parameters(
        opening_range_minutes=draw(st.sampled_from([5, 15])),
        ema_fast_length=draw(st.sampled_from([5, 9])),
        ema_slow_length=draw(st.integers(9, 30)),
        volume_length=draw(st.integers(1, 30)),
        compression_long_length=draw(st.integers(5, 30)),
        inside_bar_candles=draw(st.integers(1, 5)),
        lock_minutes=draw(st.integers(0, 10)),
        enabled=draw(st.integers(0, 1023)),
    )


def events() -> st.SearchStrategy[Event]:
    """Anything that can happen to a session, in any order and of any sense, but its creation."""
    instant = st.integers(-600, 400).map(lambda minute: ist(DAY, time(9, 15)) + MINUTE * minute)
    words = st.sampled_from(["", "because", "no reason"])
    return st.one_of(
        st.builds(TokenRejected, detail=words),
        st.just(TokenReplaced()),
        st.builds(DayPrepared, contracts=st.builds(contracts, count=st.integers(0, 3))),
        st.builds(WarmedUp, history=past_candles().map(_a_day_earlier), today=past_candles(3)),
        st.builds(CandleClosed, candle=candles(0, 60)),
        st.builds(CandleClosed, candle=candles(-20, 400)),
        st.builds(CandlesRepaired, candles=st.lists(candles(-2, 60), max_size=3).map(tuple)),
        st.builds(
            ChainPolled,
            reading=st.builds(reading, instant, st.none() | st.floats(0, 3), st.none() | st.floats(49_000, 51_000)),
        ),
        st.builds(FeedChanged, status=st.sampled_from(FeedStatus), detail=words),
        st.builds(ParametersChanged, parameters=parameters()),
        st.builds(Halted, by=words, reason=words),
        st.builds(Resumed, by=words),
        st.builds(StopRequested, reason=st.sampled_from(StopReason)),
        st.just(DeadlinePassed()),
        st.builds(SessionFailed, detail=words),
    )


def _a_day_earlier(history: tuple[Candle, ...]) -> tuple[Candle, ...]:
    return tuple(replace(each, start=each.start - timedelta(days=1)) for each in history)
