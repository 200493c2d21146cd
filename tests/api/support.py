"""A whole service in one process: real registry, hub and app over stores in memory and a scripted venue."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from typing import Any, Final

import httpx
import uvicorn
from fastapi import FastAPI

from algoexec.adapters.memory.stores import MemoryStores
from algoexec.api.app import create_app
from algoexec.api.auth import Authenticator, TokenVerifier, digest_of
from algoexec.api.services import ApiOptions, Services
from algoexec.bootstrap import measured
from algoexec.domain.calendar import Calendar
from algoexec.domain.errors import BrokerUnavailable, TokenRefused
from algoexec.domain.instruments import BANK_NIFTY, Contracts, InstrumentKey, OptionType
from algoexec.domain.market import Bar
from algoexec.domain.options import OptionChain, OptionQuote
from algoexec.domain.orders import OrderReport, OrderStatus, OrderTerms, OrderTicket
from algoexec.ports.broker import Broker, BrokerNews, UpdatesBegin, Urgency
from algoexec.ports.credentials import AccessToken
from algoexec.ports.egress import DIRECT, Egress, EgressPolicy
from algoexec.ports.feed import FeedConnected, FeedEvent
from algoexec.ports.market_data import Profile
from algoexec.ports.observer import Observer
from algoexec.ports.stores import ApiKey, Scope
from algoexec.ports.venue import Addresses
from algoexec.runtime.hub import StreamHub
from algoexec.runtime.registry import Registry
from algoexec.runtime.seat import Account
from algoexec.runtime.watcher import HubOptions
from algoexec.storage.codec import canonical
from algoexec.telemetry.metrics import Meters
from algoexec.telemetry.traces import Traces
from tests.contract.given import contracts

MARKET_TIME: Final = datetime(2026, 11, 23, 4, 0, 5, tzinfo=UTC)
"""A Monday, just after 09:30 in India: fifteen minutes have been traded."""

FIRST_MINUTE: Final = int(datetime(2026, 11, 23, 3, 45, tzinfo=UTC).timestamp()) // 60

PAGE: Final = "https://app.example.com"
"""The page that may call; `Origin` of a browser."""


class ManualClock:
    """Wall time that moves when the test says so."""

    def __init__(self) -> None:
        self.passed = timedelta()

    def now(self) -> datetime:
        return MARKET_TIME + self.passed

    def monotonic(self) -> float:
        return self.passed.total_seconds()

    def advance(self, seconds: float) -> None:
        self.passed += timedelta(seconds=seconds)


@dataclass
class StillClock:
    """Market time that stands still until it is moved."""

    at: datetime = MARKET_TIME
    moved: asyncio.Event = field(default_factory=asyncio.Event)

    def now(self) -> datetime:
        return self.at

    def move(self, seconds: float) -> None:
        """Let some time pass at once."""
        self.at += timedelta(seconds=seconds)
        self.moved.set()
        self.moved = asyncio.Event()

    async def wait_until(self, at: datetime) -> None:
        while at > self.at:
            await self.moved.wait()


class ScriptedFeed:
    """A feed that connects at once and then says what it is told to say."""

    def __init__(self) -> None:
        self.sink: Callable[[FeedEvent], None] | None = None

    async def run(self, sink: Callable[[FeedEvent], None]) -> None:
        self.sink = sink
        sink(FeedConnected())
        await asyncio.Event().wait()

    async def subscribe(self, instruments: Iterable[InstrumentKey]) -> None:
        return

    async def unsubscribe(self, instruments: Iterable[InstrumentKey]) -> None:
        return

    def renew(self, token: AccessToken) -> None:
        return


@dataclass
class ScriptedVenue:
    """A venue whose broker knows every token but those that begin with `bad-`; `other-` is another account's.

    `funds` in paise and `held` net units are what its accounts have; `placed` is what was ordered,
    and filled at once at its limit if `fills`. From `registered` addresses it takes orders;
    `egresses` are the ways by which they were to leave.
    """

    is_down: bool = False
    clock: StillClock = field(default_factory=StillClock)
    feeds: list[ScriptedFeed] = field(default_factory=list)
    funds: int = 500_000_00
    held: dict[InstrumentKey, int] = field(default_factory=dict)
    fills: bool = True
    placed: list[OrderTicket] = field(default_factory=list)
    registered: tuple[str, ...] | Exception = ("203.0.113.7",)
    egresses: list[Egress] = field(default_factory=list)

    async def name(self) -> str:
        return "scripted"

    def market_data(self, token: AccessToken) -> "ScriptedMarket":
        return ScriptedMarket(self, token)

    def feed(self, token: AccessToken) -> ScriptedFeed:
        self.feeds.append(ScriptedFeed())
        return self.feeds[-1]

    def broker(self, token: AccessToken, egress: Egress = DIRECT) -> "ScriptedBroker":
        self.egresses.append(egress)
        return ScriptedBroker(self, token)

    async def addresses(self, token: AccessToken, egress: Egress) -> Addresses:
        if isinstance(self.registered, Exception):
            raise self.registered
        return Addresses(registered=self.registered, are_required=True)


class ScriptedBroker(Broker):
    """The account of one token."""

    def __init__(self, venue: ScriptedVenue, token: AccessToken) -> None:
        self._venue, self._token = venue, token
        self._tell: Callable[[BrokerNews], None] = lambda _: None

    async def place(self, ticket: OrderTicket, urgency: Urgency) -> str:
        self._venue.placed.append(ticket)
        number = str(len(self._venue.placed))
        if self._venue.fills:
            self._tell(_filled(ticket, number))
        return number

    async def modify(self, order_id: str, terms: OrderTerms, urgency: Urgency) -> None:
        return

    async def cancel(self, order_id: str, urgency: Urgency) -> None:
        return

    async def orders(self) -> Sequence[OrderReport]:
        return ()

    async def positions(self) -> Mapping[InstrumentKey, int]:
        return self._venue.held

    async def funds(self) -> int:
        ScriptedMarket(self._venue, self._token).answer()
        return self._venue.funds

    async def follow(self, tell: Callable[[BrokerNews], None]) -> None:
        self._tell = tell
        tell(UpdatesBegin())
        await asyncio.Event().wait()


def _filled(ticket: OrderTicket, number: str) -> OrderReport:
    return OrderReport(
        order_id=number,
        id=ticket.id,
        instrument=ticket.instrument,
        side=ticket.side,
        status=OrderStatus.COMPLETE,
        quantity=ticket.quantity,
        filled=ticket.quantity,
        average_price=ticket.price,
        price=ticket.price,
    )


@dataclass
class ScriptedMarket:
    """The read side of one token."""

    venue: ScriptedVenue
    token: AccessToken

    async def profile(self) -> Profile:
        self.answer()
        return Profile(account="XY9876" if self.token.reveal().startswith("other-") else "AB1234", name="Asha")

    async def contracts(self, underlying: InstrumentKey, at: datetime) -> Contracts:
        self.answer()
        return contracts()

    async def chain(self, underlying: InstrumentKey, expiry: date) -> OptionChain:
        self.answer()
        quotes = (
            _quote(OptionType.PUT, 51_000.0, 930_000),
            _quote(OptionType.CALL, 51_000.0, 1_000_000),
        )
        return OptionChain(underlying=BANK_NIFTY, expiry=expiry, at=MARKET_TIME, spot=51_000.5, quotes=quotes)

    async def bars(self, instrument: InstrumentKey, first: date, last: date) -> Sequence[Bar]:
        self.answer()
        return ()

    async def bars_today(self, instrument: InstrumentKey) -> Sequence[Bar]:
        self.answer()
        volume = 0 if instrument == BANK_NIFTY else 1_000
        return [Bar(FIRST_MINUTE + n, 51_000 + n, 51_010 + n, 50_990 + n, 51_005 + n, volume) for n in range(15)]

    async def calendar(self, year: int) -> Calendar:
        self.answer()
        return Calendar()

    def answer(self) -> None:
        if self.venue.is_down:
            raise BrokerUnavailable("scripted to be down")
        if self.token.reveal().startswith("bad-"):
            raise TokenRefused("Invalid token used to access API", code="UDAPI100050")


def _quote(kind: OptionType, strike: float, open_interest: int) -> OptionQuote:
    key = InstrumentKey(f"NSE_FO|{strike:g}{kind}")
    return OptionQuote(instrument=key, type=kind, strike=strike, open_interest=open_interest)


@dataclass
class Service:
    """A running service and how to reach it."""

    app: FastAPI
    stores: MemoryStores
    venue: ScriptedVenue
    clock: ManualClock
    registry: Registry

    def client(self, key: str | None = None, *, host: str = "127.0.0.1:8000", **headers: str) -> httpx.AsyncClient:
        """Return a client; `key` goes into `Authorization`."""
        if key is not None:
            headers["Authorization"] = f"Bearer {key}"
        transport = httpx.ASGITransport(self.app, raise_app_exceptions=False)
        return httpx.AsyncClient(transport=transport, base_url=f"http://{host}", headers=headers)

    async def add_key(self, name: str, scope: Scope, user_id: str | None) -> str:
        """Add an API key and return its text."""
        text = f"ae_{name}_secret"
        key = ApiKey(
            id=name,
            prefix=name,
            digest=digest_of(text),
            scope=scope,
            user_id=user_id,
            created_at=self.clock.now(),
        )
        await self.stores.api_keys.add(key)
        return text


@asynccontextmanager
async def running_service(
    *,
    verifier: TokenVerifier | None = None,
    open_loopback: bool = True,
    hub: HubOptions | None = None,
    stores: MemoryStores | None = None,
    venue: ScriptedVenue | None = None,
    observers: Sequence[Observer] = (),
    traces: Traces | None = None,
    egress: EgressPolicy | None = None,
    **options: Any,
) -> AsyncIterator[Service]:
    """Run a service; its lifespan ends with the context, its stores can be given to the next one."""
    clock, venue, stores = ManualClock(), venue or ScriptedVenue(), stores or MemoryStores()
    found: list[Registry] = []

    @asynccontextmanager
    async def open_services() -> AsyncIterator[Services]:
        meters = Meters(clock)
        registry = Registry(
            venue=venue,
            stores=stores,
            hub=StreamHub(stores.journal.frames, clock, hub),
            clock=clock,
            canonical=canonical,
            open_account=measured(lambda _, token, egress: Account(venue.broker(token, egress)), meters, traces),
            observers=[one for one in (meters, traces, *observers) if one is not None],
            egress=egress,
        )
        found.append(registry)
        authenticator = Authenticator(stores.api_keys, verifier=verifier, open_loopback=open_loopback)
        async with registry.running():
            yield Services(
                registry=registry,
                stores=stores,
                authenticator=authenticator,
                clock=clock,
                meters=meters,
                venue_name=venue.name,
            )

    given = {"cors_origins": frozenset({PAGE}), **options}
    app = create_app(ApiOptions(version="0.1.0", idempotency_secret=b"0" * 32, **given), open_services)
    async with app.router.lifespan_context(app):
        yield Service(app, stores, venue, clock, found[0])


class _Server(uvicorn.Server):
    """A server whose start can be waited for."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.is_up = asyncio.Event()

    async def startup(self, sockets: Any = None) -> None:
        await super().startup(sockets)
        self.is_up.set()


@asynccontextmanager
async def listening(app: FastAPI) -> AsyncIterator[str]:
    """Serve `app` on a real socket and yield `127.0.0.1:port`; its lifespan was entered before."""
    config = uvicorn.Config(
        app, port=0, lifespan="off", ws="websockets-sansio", ws_per_message_deflate=False, log_config=None,
        timeout_graceful_shutdown=1,
    )  # fmt: skip
    server = _Server(config)
    serving = asyncio.create_task(server._serve())
    await server.is_up.wait()
    try:
        yield f"127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    finally:
        server.should_exit = True
        await serving
