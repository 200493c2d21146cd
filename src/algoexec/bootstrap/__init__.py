"""Puts the service together: the one module, beside `cli`, that knows every adapter."""

import hashlib
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from importlib.metadata import version
from typing import TYPE_CHECKING, Final

import httpx
from fastapi import FastAPI

from algoexec.adapters.paper.broker import PaperBroker
from algoexec.adapters.system_clock import SystemClock
from algoexec.adapters.upstox.venue import SimulatorVenue, UpstoxVenue
from algoexec.api.app import create_app
from algoexec.api.auth import Authenticator
from algoexec.api.jwt import Jwks, JwtVerifier, SharedSecret
from algoexec.api.services import ApiOptions, Services
from algoexec.bootstrap.beside import bridged, call_people, tracing, writing
from algoexec.bootstrap.errors import CannotStart
from algoexec.dashboard import pages
from algoexec.domain.errors import BrokerUnavailable, DomainError
from algoexec.domain.instruments import InstrumentKey
from algoexec.domain.orders import OrderReport
from algoexec.engine.events import Mode
from algoexec.engine.state import EngineState
from algoexec.engine.version import ENGINE_VERSION
from algoexec.ports.clock import WallClock
from algoexec.ports.credentials import AccessToken
from algoexec.ports.egress import Egress, EgressPolicy
from algoexec.ports.stores import Stores
from algoexec.ports.venue import Venue
from algoexec.runtime.hub import StreamHub
from algoexec.runtime.registry import Registry
from algoexec.runtime.seat import Account, OpenAccount
from algoexec.settings import Broker, Settings
from algoexec.storage.codec import canonical
from algoexec.storage.crypto import TokenCipher, key_file
from algoexec.storage.embedded import embedded_mongod
from algoexec.storage.migrate import migrate
from algoexec.storage.spill import SpillFolder
from algoexec.storage.stores import MongoStores
from algoexec.telemetry import logger
from algoexec.telemetry.broker import MeasuredBroker
from algoexec.telemetry.diary import Diary
from algoexec.telemetry.metrics import Meters

if TYPE_CHECKING:
    from algoexec.telemetry.traces import Traces

_log: Final = logger("service")


def create_service(settings: Settings) -> FastAPI:
    """Return the app; everything it needs is made in its lifespan."""

    @asynccontextmanager
    async def open_services() -> AsyncIterator[Services]:
        async with AsyncExitStack() as stack:
            yield await _services(settings, stack)

    return create_app(_options(settings), open_services, pages.routes())


def documented_app() -> FastAPI:
    """Return the app as `openapi.json` documents it; it cannot serve."""

    @asynccontextmanager
    async def nothing() -> AsyncIterator[Services]:
        raise CannotStart("this app only documents")
        yield

    return create_app(ApiOptions(version=version("algoexec"), idempotency_secret=b""), nothing)


@asynccontextmanager
async def open_stores(settings: Settings) -> AsyncIterator[MongoStores]:
    """Open the database of the settings; without one a private mongod runs while this lasts.

    Raises:
        StoreUnavailable: the database does not answer.
    """
    async with AsyncExitStack() as stack:
        uri = await _mongodb(settings, stack)
        cipher = TokenCipher.from_text(_secret(settings))
        stores = await MongoStores.open(uri, settings.mongodb_database, cipher, ENGINE_VERSION)
        yield await stack.enter_async_context(stores)


async def migrate_database(settings: Settings) -> list[str]:
    """Run the migrations that were not yet run; return their names.

    Raises:
        StoreError: the database does not answer, or is newer than this version.
    """
    async with AsyncExitStack() as stack:
        return await migrate(await _mongodb(settings, stack), settings.mongodb_database)


async def _mongodb(settings: Settings, stack: AsyncExitStack) -> str:
    """Return the database's URI; a private one runs while `stack` is open."""
    if settings.mongodb_uri is not None:
        return settings.mongodb_uri.get_secret_value()
    return await stack.enter_async_context(embedded_mongod(settings.data_dir))


async def _services(settings: Settings, stack: AsyncExitStack) -> Services:
    clock = SystemClock()
    stores = await stack.enter_async_context(open_stores(settings))
    authenticator = Authenticator(
        stores.api_keys, verifier=await _verifier(settings, stack, clock), open_loopback=settings.is_loopback
    )
    await _refuse_open_doors(settings, stores)
    venue = await stack.enter_async_context(open_venue(settings))
    hub = StreamHub(stores.journal.frames, clock)
    meters = Meters(clock)
    traces = tracing(settings, stack, clock)
    notifier = await writing(settings, stack, clock)
    registry = Registry(
        venue=venue,
        stores=stores,
        hub=hub,
        clock=clock,
        canonical=canonical,
        open_account=measured(open_accounts(venue), meters, traces),
        spill=SpillFolder(settings.data_dir / "spill"),
        observers=[one for one in (meters, traces, notifier, Diary()) if one is not None],
        on_shutdown=settings.on_shutdown,
        egress=EgressPolicy.of(settings.egress_proxies, address=settings.egress_address, algo=settings.algo_name),
    )
    await stack.enter_async_context(registry.running())
    services = Services(
        registry=registry,
        stores=stores,
        authenticator=authenticator,
        clock=clock,
        meters=meters,
        venue_name=registry.venue_name,
    )
    services = await bridged(settings, stack, services, _options(settings))
    if notifier is not None:
        await call_people(stack, services, venue, notifier)
    return services


def measured(open_account: OpenAccount, meters: Meters, traces: "Traces | None" = None) -> OpenAccount:
    """Return what opens the same accounts, and measures what they are asked."""

    def open_measured(state: EngineState, token: AccessToken, egress: Egress, /) -> Account:
        account = open_account(state, token, egress)
        broker = MeasuredBroker(account.broker, meters, None if traces is None else traces.request)
        return account._replace(broker=broker)

    return open_measured


def open_accounts(venue: Venue) -> OpenAccount:
    """Return what opens the account that a session trades at: at the venue, or on paper."""

    def open_account(state: EngineState, token: AccessToken, egress: Egress, /) -> Account:
        if state.mode is Mode.LIVE:
            return Account(venue.broker(token, egress))
        paper = _paper(venue, state)
        return Account(paper, paper.quoted)

    return open_account


def _paper(venue: Venue, state: EngineState) -> PaperBroker:
    """Return a paper account as the session's journal leaves it: what was working when it stopped is lost."""
    trading, contracts = state.trading, state.contracts
    if trading is None or contracts is None:
        raise DomainError(f"session {state.session_id} does not trade yet")
    spent, held = 0, dict[InstrumentKey, int]()
    lost: list[OrderReport] = []
    if (trade := trading.trade) is not None:
        spent, held = -trade.gross(), {trade.option.key: trade.open_units}
        lost = [order.as_report() for order in trade.orders if order.is_open and order.broker_id is not None]
    capital = trading.rules.capital + trading.tally.realised - spent
    return PaperBroker(venue.clock, state.day, contracts, capital=capital, held=held, lost=lost)


async def _refuse_open_doors(settings: Settings, stores: Stores) -> None:
    """Let nobody on a network in without asking who it is."""
    has_jwt = settings.jwks_url is not None or settings.jwt_secret is not None
    if settings.is_loopback or has_jwt:
        return
    if all(key.revoked_at is not None for key in await stores.api_keys.list()):
        raise CannotStart(
            f"ALGOEXEC_HOST is {settings.host}, which others can reach, but nobody could be told apart: "
            "create a key first (algoexec keys create --scope trade --user NAME), or set ALGOEXEC_JWKS_URL or "
            "ALGOEXEC_JWT_SECRET"
        )


@asynccontextmanager
async def open_venue(settings: Settings) -> AsyncIterator[UpstoxVenue | SimulatorVenue]:
    """Open the place to trade that the settings name, while this lasts."""
    if settings.broker is Broker.UPSTOX:
        upstox = UpstoxVenue(algo=settings.algo_name)
        try:
            yield upstox
        finally:
            await upstox.aclose()
        return
    simulator = SimulatorVenue(settings.simulator_url, algo=settings.algo_name)
    try:
        try:
            await simulator.name()
        except BrokerUnavailable as error:
            _log.warning("the simulator does not answer yet", error=str(error))
        simulator.clock.start()
        yield simulator
    finally:
        await simulator.aclose()


async def _verifier(settings: Settings, stack: AsyncExitStack, clock: WallClock) -> JwtVerifier | None:
    if settings.jwt_secret is not None:
        secret = SharedSecret(settings.jwt_secret.get_secret_value().encode())
        return JwtVerifier(secret, settings.jwt_audience, clock)
    if settings.jwks_url is not None:
        http = await stack.enter_async_context(httpx.AsyncClient(timeout=5))
        return JwtVerifier(Jwks(settings.jwks_url, http, clock), settings.jwt_audience, clock)
    return None


def _options(settings: Settings) -> ApiOptions:
    return ApiOptions(
        version=version("algoexec"),
        idempotency_secret=hashlib.sha256(b"idempotency " + _secret(settings).encode()).digest(),
        cors_origins=frozenset(settings.cors_origins),
        modes=frozenset(Mode),
        risks_money=settings.broker is not Broker.SIMULATOR,
    )


def _secret(settings: Settings) -> str:
    """Return the secret that encrypts tokens, made in the data folder when none is set."""
    if settings.secret_key is not None:
        return settings.secret_key.get_secret_value()
    return key_file(settings.data_dir)
