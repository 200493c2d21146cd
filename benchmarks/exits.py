"""From a price to the exit on the wire: mark → step → durable → (position →) the order's first bytes at a socket."""

import asyncio
import tempfile
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from functools import cache
from pathlib import Path
from statistics import median, quantiles
from time import perf_counter, process_time
from typing import Any

import orjson

from algoexec.adapters.system_clock import SystemClock
from algoexec.adapters.upstox.hosts import Hosts
from algoexec.adapters.upstox.venue import UpstoxVenue
from algoexec.bootstrap import open_accounts
from algoexec.domain.instruments import Contracts, InstrumentKey
from algoexec.domain.market import Book, Candle, Provenance, Quote
from algoexec.domain.options import PcrReading
from algoexec.domain.orders import OrderReport, OrderStatus, OrderTicket
from algoexec.engine.effects import Effect, QuoteOption, ReadFunds, ReadPosition, SubmitOrder
from algoexec.engine.events import (
    CandleClosed,
    ChainPolled,
    DayPrepared,
    Event,
    FeedChanged,
    FeedStatus,
    FundsRead,
    Marked,
    Mode,
    OrderReported,
    PositionRead,
    Record,
    SessionCreated,
    WarmedUp,
)
from algoexec.engine.state import EngineState
from algoexec.engine.step import step
from algoexec.engine.trading.marks import OptionMark
from algoexec.engine.trading.rules import TradeRules
from algoexec.engine.trading.trade import Stage, Trade
from algoexec.ports.credentials import AccessToken
from algoexec.ports.feed import QuotesChanged
from algoexec.ports.stores import Journal, JournalEntry
from algoexec.runtime.hub import StreamHub
from algoexec.runtime.registry import Registry
from algoexec.runtime.runner import SessionRunner
from algoexec.simulation.day import SimulatedDay
from algoexec.simulation.generated import generated_day
from algoexec.storage.codec import canonical
from algoexec.storage.connection import connect
from algoexec.storage.crypto import TokenCipher
from algoexec.storage.embedded import embedded_mongod
from algoexec.storage.stores import MongoStores
from algoexec.strategy.parameters import Parameters
from algoexec.telemetry import configure_logging
from benchmarks.sessions import Script
from benchmarks.table import Table

ROUNDS = 150
"""Of each kind: a p99 of 150 values is hardly more than their second worst."""
WARM_UP = 10
RULES = TradeRules(risk_pct=2.0)
"""Some lots, in one order."""
PREMIUM = 200.0
COLUMNS = (
    "exit",
    "inserts before it",
    "mark → wire p50 ms",
    "p99 ms",
    "of it in the journal p50 ms",
    "share",
    "bare insert p50 ms",
    "CPU p50 ms",
)


def run() -> Table:
    """Let sessions that hold something meet their stop, on a real MongoDB, before a bare HTTP server on loopback."""
    configure_logging("console", "error")
    return asyncio.run(_run())


async def _run() -> Table:
    async with _Bench.open() as bench:
        bare = await bench.bare_inserts()
        rows = [
            await bench.row("a sell; the broker is asked for the position first", bare, RULES),
            await bench.row(
                "the stop that rests at the exchange, changed", bare, replace(RULES, protective_order=True)
            ),
        ]
    return Table(
        title="Mark → exit order on the wire (journal on MongoDB, w: majority, j: true)",
        columns=COLUMNS,
        rows=rows,
        note=f"{ROUNDS} exits of each kind, each of a session of its own, one after another, after {WARM_UP} that "
        "nothing counts. From the quote reaching the desk until the request's head has arrived at the server's socket, "
        "on connections that stand; network and TLS to a real broker come on top. "
        "CPU is that of this process, the server included: what remains whatever else runs on the machine.",
    )


class _Wire:
    """A broker that says as little as it can, and remembers when each order arrived."""

    def __init__(self) -> None:
        self.units = 0
        self.option = ""
        self.ordered: asyncio.Future[float] | None = None
        self.has_opened = asyncio.Event()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answer the requests of one connection."""
        with suppress(asyncio.IncompleteReadError, ConnectionError, asyncio.CancelledError):
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                arrived = perf_counter()
                method, path, _ = head.split(b" ", 2)
                length = next(
                    (int(line[15:]) for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:")), 0
                )
                await reader.readexactly(length)
                status, data = self._answer(method, path.split(b"?")[0], arrived)
                body = orjson.dumps({"status": "success", "data": data})
                writer.write(b"HTTP/1.1 %d x\r\nContent-Length: %d\r\n\r\n%b" % (status, len(body), body))
                await writer.drain()
        writer.close()

    def _answer(self, method: bytes, path: bytes, arrived: float) -> tuple[int, Any]:
        if path in (b"/v3/order/place", b"/v3/order/modify") and self.ordered and not self.ordered.done():
            self.ordered.set_result(arrived)
        match path:
            case b"/v3/order/place":
                return 200, {"order_ids": ["exit"]}
            case b"/v3/order/modify":
                return 200, {"order_id": "1"}
            case b"/v2/portfolio/short-term-positions":
                return 200, [{"product": "I", "instrument_token": self.option, "quantity": self.units}]
            case b"/v3/user/get-funds-and-margin":
                self.has_opened.set()
                return 200, {"available_to_trade": {"cash_available_to_trade": {"total": 1_000_000.0}}}
            case b"/v2/order/retrieve-all":
                return 200, []
            case _:
                return 503, {}


class _TimedJournal:
    """The real journal, which also adds up how long its inserts took."""

    def __init__(self, journal: Journal) -> None:
        self._journal = journal
        self.spent: list[float] = []

    async def append(self, entries: Sequence[JournalEntry]) -> dict[str, Exception]:
        begun = perf_counter()
        failed = await self._journal.append(entries)
        self.spent.append(perf_counter() - begun)
        return failed

    def __getattr__(self, name: str) -> Any:
        return getattr(self._journal, name)


class _Bench:
    """A service without its API, a venue whose prices are told by hand, and a wire."""

    def __init__(self, registry: Registry, stores: MongoStores, uri: str, script: Script, wire: _Wire) -> None:
        self._shell = registry._shell  # what it puts together is what is measured
        self._stores, self._uri, self._script, self._wire = stores, uri, script, wire
        self._journal: _TimedJournal = stores.journal  # type: ignore[assignment]
        self._sessions = iter(range(10**6))

    @classmethod
    @asynccontextmanager
    async def open(cls) -> AsyncIterator["_Bench"]:
        """Start everything."""
        clock, wire = SystemClock(), _Wire()
        async with AsyncExitStack() as stack:
            server = await stack.enter_async_context(await asyncio.start_server(wire.serve, "127.0.0.1", 0))
            url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
            upstox = UpstoxVenue(hosts=Hosts(api=url, orders=url))
            stack.push_async_callback(upstox.aclose)
            script = _Market(_day(), upstox)
            folder = stack.enter_context(tempfile.TemporaryDirectory())
            uri = await stack.enter_async_context(embedded_mongod(Path(folder)))
            stores = await MongoStores.open(uri, "benchmark", TokenCipher("a benchmark's secret"))
            await stack.enter_async_context(stores)
            stores.journal = _TimedJournal(stores.journal)  # type: ignore[assignment]
            registry = Registry(
                venue=script,
                stores=stores,
                hub=StreamHub(stores.journal.frames, clock),
                clock=clock,
                canonical=canonical,
                open_account=open_accounts(script),
            )
            await stack.enter_async_context(registry.running())
            yield cls(registry, stores, uri, script, wire)

    async def bare_inserts(self) -> float:
        """Return how long one durable insert of the driver alone takes on this disk, milliseconds, median."""
        times = list[float]()
        async with connect(self._uri) as client:
            for number in range(WARM_UP + ROUNDS):
                begun = perf_counter()
                await client["benchmark"]["bare"].insert_many(
                    [{"number": number, "record": "x" * 1_500}], ordered=False
                )
                times.append((perf_counter() - begun) * 1e3)
        return median(times[WARM_UP:])

    async def row(self, what: str, bare: float, rules: TradeRules) -> tuple[str, ...]:
        """Measure one kind of exit."""
        taken = [await self._exit(rules) for _ in range(WARM_UP + ROUNDS)][WARM_UP:]
        whole, kept, inserts, worked = zip(*taken, strict=True)
        share = median(part / all_ for part, all_ in zip(kept, whole, strict=True))
        return (
            what,
            f"{median(inserts):.0f}",
            f"{median(whole):.2f}",
            f"{quantiles(whole, n=100)[98]:.2f}",
            f"{median(kept):.2f}",
            f"{share:.0%}",
            f"{bare:.2f}",
            f"{median(worked):.2f}",
        )

    async def _exit(self, rules: TradeRules) -> tuple[float, float, int, float]:
        """Let one session meet its stop; return milliseconds to the wire and in the journal, inserts, and ms of CPU."""
        session_id = f"exit{next(self._sessions):012d}"
        state, trade = held(session_id, rules)
        script, wire = self._script, self._wire
        script.at, script.sink = state.at, None
        script.connected.clear()
        wire.option, wire.units = trade.option.key, trade.open_units
        wire.has_opened.clear()
        token = AccessToken(session_id)
        await self._stores.tokens.put(session_id, token, datetime.now(UTC) + timedelta(hours=1))
        running = asyncio.create_task(SessionRunner(self._shell, state, epoch=1, account="benchmark").run())
        try:
            await wire.has_opened.wait()
            await script.connected.wait()
            await asyncio.sleep(0.05)  # what its coming left to do is done before the price comes
            return await self._meet_stop(trade)
        finally:
            running.cancel()
            await asyncio.wait([running])

    async def _meet_stop(self, trade: Trade) -> tuple[float, float, int, float]:
        assert trade.stop is not None
        stamp = round(self._script.at.timestamp() * 1000)
        bid = round(trade.stop - 1.0, 2)
        told = Book(bid=bid, bid_quantity=3_000, ask=bid + 0.1, ask_quantity=3_000)
        quote = Quote(instrument=trade.option.key, received_at=stamp, price=bid, traded_at=stamp, told_book=told)
        self._wire.ordered = asyncio.get_running_loop().create_future()
        assert self._script.sink is not None
        del self._journal.spent[:]
        begun, worked = perf_counter(), process_time()
        self._script.sink(QuotesChanged(at=stamp, quotes=(quote,)))
        arrived = await asyncio.wait_for(self._wire.ordered, 10)
        worked, spent = process_time() - worked, tuple(self._journal.spent)
        return (arrived - begun) * 1e3, sum(spent) * 1e3, len(spent), worked * 1e3


class _Market(Script):
    """A market that stands still, and a real adapter for accounts."""

    def __init__(self, day: SimulatedDay, upstox: UpstoxVenue) -> None:
        super().__init__(day)
        self.broker = upstox.broker  # type: ignore[method-assign]


def held(session_id: str, rules: TradeRules) -> tuple[EngineState, Trade]:
    """Return a session that has bought on the first signal of the generated day; its stop rests, if it is to."""
    state: EngineState | None = None
    for at, event in _morning(session_id, rules):
        waiting: list[Event] = [event]
        while waiting:
            seq = 1 if state is None else state.seq + 1
            moved = step(state, canonical(Record(seq=seq, at=at, event=waiting.pop(0))))
            state = moved.state
            waiting += [answer for effect in moved.effects for answer in _answers(effect, state, at)]
        trade = None if state is None or state.trading is None else state.trading.trade
        if state is not None and trade is not None and trade.stage is Stage.IN_TRADE:
            assert bool(trade.resting) is rules.protective_order
            return state, trade
    raise AssertionError("the day has no signal")


@cache
def _day() -> SimulatedDay:
    return generated_day()


@cache
def _contracts() -> Contracts:
    day = _day()
    nearest = day.expiries()[0]
    options = tuple(option for option in day.options if option.expiry == nearest)
    return Contracts(
        underlying=InstrumentKey("NSE_INDEX|Nifty Bank"),
        future=day.futures[0].contract,
        expiry=nearest,
        options=options,
    )


def _morning(session_id: str, rules: TradeRules) -> Iterator[tuple[datetime, Event]]:
    day = _day()
    contracts, begins = _contracts(), day.session.opens_at - timedelta(minutes=5)
    yield (
        begins,
        SessionCreated(
            session_id=session_id,
            user_id=session_id,
            mode=Mode.LIVE,
            venue="benchmark",
            underlying=contracts.underlying,
            day=day.session,
            parameters=Parameters(),
            inherited=None,
            rules=rules,
        ),
    )
    yield begins, DayPrepared(contracts=contracts)
    yield begins, FeedChanged(status=FeedStatus.CONNECTED, detail="")
    yield begins, WarmedUp(history=(), today=())
    volumes = {bar.minute: bar.volume for bar in day.futures[0].bars}
    for bar in day.index:
        start = datetime.fromtimestamp(bar.minute * 60, UTC)
        prices = {"open": bar.open, "high": bar.high, "low": bar.low, "close": bar.close}
        candle = Candle(start=start, **prices, volume=volumes.get(bar.minute), provenance=Provenance.LIVE)
        at = candle.closed_at + timedelta(seconds=1)
        yield at, ChainPolled(reading=_reading(contracts.underlying, at, contracts.expiry, bar.close))
        yield at, CandleClosed(candle=candle)


def _reading(underlying: InstrumentKey, at: datetime, expiry: date, spot: float) -> PcrReading:
    return PcrReading(at=at, underlying=underlying, expiry=expiry, pcr=1.0, strikes=40, spot=spot)


def _answers(effect: Effect, state: EngineState, at: datetime) -> Iterator[Event]:
    match effect:
        case ReadFunds():
            yield FundsRead(available=RULES.capital)
        case QuoteOption(instrument=option):
            yield Marked(index=None, option=option, mark=_mark(at))
        case ReadPosition(instrument=option):
            trade = None if state.trading is None else state.trading.trade
            yield PositionRead(instrument=option, net=0 if trade is None else trade.open_units, mark=_mark(at))
        case SubmitOrder(ticket=ticket) if ticket.trigger_price is None:
            yield OrderReported(report=_report(ticket, OrderStatus.COMPLETE, ticket.quantity))
        case SubmitOrder(ticket=ticket):
            yield OrderReported(report=_report(ticket, OrderStatus.TRIGGER_PENDING, 0))
        case _:
            pass


def _mark(at: datetime) -> OptionMark:
    return OptionMark(bid=PREMIUM - 0.1, ask=PREMIUM, quoted_at=at, last=PREMIUM, traded_at=at, delta=0.5)


def _report(ticket: OrderTicket, status: OrderStatus, filled: int) -> OrderReport:
    return OrderReport(
        order_id="1",
        id=ticket.id,
        instrument=ticket.instrument,
        side=ticket.side,
        status=status,
        quantity=ticket.quantity,
        filled=filled,
        average_price=ticket.price if filled else None,
        price=ticket.price,
        trigger_price=ticket.trigger_price,
    )
