"""One feed of eight instruments into many sessions: cost of a tick, and candle close → frames on the hub."""

import asyncio
import gc
import tempfile
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import UTC, date, datetime
from pathlib import Path
from statistics import median, quantiles
from time import perf_counter

from algoexec.adapters.system_clock import SystemClock
from algoexec.adapters.upstox.decode import QuoteBoard
from algoexec.domain.calendar import Calendar
from algoexec.domain.instruments import Contracts, InstrumentKey
from algoexec.domain.market import Bar
from algoexec.domain.options import OptionChain
from algoexec.engine.effects import Frame
from algoexec.engine.events import Mode
from algoexec.ports.broker import Broker
from algoexec.ports.credentials import AccessToken
from algoexec.ports.egress import DIRECT, Egress
from algoexec.ports.feed import FeedConnected, FeedEvent, QuotesChanged
from algoexec.ports.market_data import Profile
from algoexec.ports.venue import Addresses
from algoexec.runtime.hub import StreamHub
from algoexec.runtime.registry import Registry
from algoexec.simulation.day import SimulatedDay
from algoexec.simulation.exchange import Exchange
from algoexec.simulation.generated import generated_day
from algoexec.simulator.wire import EVERYTHING, depth_of, entry, frame
from algoexec.simulator.wire import Mode as FeedMode
from algoexec.storage.codec import canonical
from algoexec.storage.connection import connect
from algoexec.storage.crypto import TokenCipher
from algoexec.storage.embedded import embedded_mongod
from algoexec.storage.stores import MongoStores
from algoexec.strategy.parameters import Parameters
from algoexec.telemetry import configure_logging
from benchmarks.table import Table

MINUTES = {1: 350, 50: 120, 200: 120}
"""Closes by the number of sessions: a p99 of 120 values is hardly more than their worst."""
WARM_UP = 5
"""Closes that nothing counts: the first insert makes the driver's connections and the server's files."""
FRAMES_A_MINUTE = 20
PAUSE_S = (0.1, 0.003)
"""Between minutes, and for each session: what a close leaves to do behind the journal is done before the next."""
RECORD_BYTES = 1_500
"""A candle's record with its frame, and now and then a signal."""
GOAL_MS = 5.0
COLUMNS = (
    "sessions",
    "µs a frame, decode to desk",
    "close → first p50 ms",
    "first p99 ms",
    "close → last p50 ms",
    "last p99 ms",
)


class Script:
    """A venue whose feed says what it is told to, when it is told to: a clock, market data and feed in one."""

    def __init__(self, day: SimulatedDay) -> None:
        self.day = day
        self.exchange = Exchange(day)
        self.at = day.session.opens_at
        self.sink: Callable[[FeedEvent], None] | None = None
        self.connected = asyncio.Event()
        nearest = [option.key for option in day.options if option.expiry == day.expiries()[0]]
        middle = len(nearest) // 2
        self.watched = [self.exchange.underlying, day.futures[0].contract.key, *nearest[middle - 3 : middle + 3]]

    @property
    def clock(self) -> "Script":
        return self

    def now(self) -> datetime:
        return self.at

    async def wait_until(self, at: datetime) -> None:
        if at > self.at:
            await asyncio.Event().wait()  # nothing here waits for a clock: every minute is closed by a tick

    async def name(self) -> str:
        return "benchmark"

    def market_data(self, token: AccessToken) -> "Script":
        return self

    def feed(self, token: AccessToken) -> "Script":
        return self

    def broker(self, token: AccessToken, egress: Egress = DIRECT) -> Broker:
        raise NotImplementedError

    async def addresses(self, token: AccessToken, egress: Egress) -> Addresses:
        raise NotImplementedError

    async def profile(self) -> Profile:
        return Profile(account="benchmark", name="benchmark")

    async def contracts(self, underlying: InstrumentKey, at: datetime) -> Contracts:
        nearest = self.day.expiries()[0]
        options = tuple(option for option in self.day.options if option.expiry == nearest)
        return Contracts(underlying=underlying, future=self.day.futures[0].contract, expiry=nearest, options=options)

    async def chain(self, underlying: InstrumentKey, expiry: date) -> OptionChain:
        return OptionChain(underlying=underlying, expiry=expiry, at=self.at, spot=None, quotes=())

    async def bars(self, instrument: InstrumentKey, first: date, last: date) -> Sequence[Bar]:
        return ()

    async def bars_today(self, instrument: InstrumentKey) -> Sequence[Bar]:
        return ()

    async def calendar(self, year: int) -> Calendar:
        return Calendar()

    async def run(self, sink: Callable[[FeedEvent], None]) -> None:
        self.sink = sink
        sink(FeedConnected())
        self.connected.set()
        await asyncio.Event().wait()

    async def subscribe(self, instruments: Iterable[InstrumentKey]) -> None:
        return None

    async def unsubscribe(self, instruments: Iterable[InstrumentKey]) -> None:
        return None

    def renew(self, token: AccessToken) -> None:
        return None


class Stopwatch(StreamHub):
    """The real hub, which also notes when each session's candle frame was handed out."""

    arrivals: list[float]

    def publish(self, session_id: str, user_id: str, frames: Sequence[Frame]) -> None:
        super().publish(session_id, user_id, frames)
        if any(f.type == "candle" for f in frames):
            self.arrivals.append(perf_counter())
            self.arrived.set()

    arrived: asyncio.Event


def run() -> Table:
    """Play hours of the generated day into 1, 50 and 200 sessions of one credential, on a real MongoDB."""
    configure_logging("console", "error")
    day = generated_day()
    rows = [asyncio.run(_bare_insert()), *(asyncio.run(_measure(day, count)) for count in MINUTES)]
    return Table(
        title="One feed of 8 instruments into N sessions (journal on MongoDB, w: majority, j: true)",
        columns=COLUMNS,
        rows=rows,
        note=f"{MINUTES[1]} closes of one session, {MINUTES[200]} of more, after {WARM_UP} that nothing counts; "
        f"{FRAMES_A_MINUTE} frames a minute; goal with one session: p99 ≤ {GOAL_MS:.0f} ms.",
    )


async def _bare_insert() -> tuple[str, ...]:
    """Measure the limit: one durable insert of a record's size by the driver alone, on the same disk."""
    times = list[float]()
    with tempfile.TemporaryDirectory() as folder:
        async with embedded_mongod(Path(folder)) as uri, connect(uri) as client:
            for number in range(WARM_UP + MINUTES[1]):
                document = {"number": number, "record": "x" * RECORD_BYTES}
                begun = perf_counter()
                await client["benchmark"]["bare"].insert_many([document], ordered=False)
                times.append((perf_counter() - begun) * 1e3)
                await asyncio.sleep(PAUSE_S[0])
    return ("(driver alone)", "", f"{median(times[WARM_UP:]):.2f}", f"{_p99(times[WARM_UP:]):.2f}", "", "")


async def _measure(day: SimulatedDay, count: int) -> tuple[str, ...]:
    script = Script(day)
    async with _registry(script) as (registry, hub):
        token = AccessToken("shared")
        for number in range(count):
            await registry.create(user_id=f"user{number}", token=token, mode=Mode.SIGNALS, parameters=Parameters())
        await script.connected.wait()
        gc.collect()
        gc.freeze()  # as the service does when it has started
        return await _play(script, hub, count)


async def _play(script: Script, hub: Stopwatch, count: int) -> tuple[str, ...]:
    board, ticks, first, last = QuoteBoard(), list[float](), list[float](), list[float]()
    opens = round(script.day.session.opens_at.timestamp() * 1000)
    for minute in range(WARM_UP + MINUTES[count]):
        begins = opens + minute * 60_000
        for number in range(FRAMES_A_MINUTE):
            ticks.append(_hand_over(script, board, begins + 500 + number * 2_900)[1])
        hub.arrivals = []
        begun, _ = _hand_over(script, board, begins + 60_250)
        while len(hub.arrivals) < count:
            hub.arrived.clear()
            await hub.arrived.wait()
        first.append((hub.arrivals[0] - begun) * 1e3)
        last.append((hub.arrivals[-1] - begun) * 1e3)
        await asyncio.sleep(PAUSE_S[0] + PAUSE_S[1] * count)
    return (
        str(count),
        f"{median(ticks) * 1e6:.0f}",
        *(f"{value:.2f}" for values in (first[WARM_UP:], last[WARM_UP:]) for value in (median(values), _p99(values))),
    )


def _hand_over(script: Script, board: QuoteBoard, stamp: int) -> tuple[float, float]:
    """Hand a full frame of eight instruments to the desk; return when it came, and the seconds it took."""
    quotes = [script.exchange.quote(key, stamp, depth=depth_of(FeedMode.FULL)) for key in script.watched]
    entries = [encoded for quote in quotes if (encoded := entry(quote, FeedMode.FULL, EVERYTHING, 0)) is not None]
    raw = frame(entries, stamp)
    script.at = datetime.fromtimestamp(stamp / 1000, UTC)
    begun = perf_counter()
    changed = board.apply(raw)
    assert isinstance(changed, QuotesChanged)
    assert script.sink is not None
    script.sink(changed)
    return begun, perf_counter() - begun


def _p99(values: list[float]) -> float:
    return quantiles(values, n=100)[98]


@asynccontextmanager
async def _registry(script: Script) -> AsyncIterator[tuple[Registry, Stopwatch]]:
    clock = SystemClock()
    async with AsyncExitStack() as stack:
        folder = stack.enter_context(tempfile.TemporaryDirectory())
        uri = await stack.enter_async_context(embedded_mongod(Path(folder)))
        stores = await MongoStores.open(uri, "benchmark", TokenCipher("a benchmark's secret"))
        await stack.enter_async_context(stores)
        hub = Stopwatch(stores.journal.frames, clock)
        hub.arrivals, hub.arrived = [], asyncio.Event()
        registry = Registry(venue=script, stores=stores, hub=hub, clock=clock, canonical=canonical)
        await stack.enter_async_context(registry.running())
        yield registry, hub
