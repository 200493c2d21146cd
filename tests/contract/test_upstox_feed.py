"""The feed client against a real socket server that behaves as badly as the real one may."""

import asyncio
import datetime as dt
import ipaddress
import json
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass, field, replace
from http import HTTPStatus
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from hypothesis import given
from hypothesis import strategies as st
from websockets.asyncio.server import Server, ServerConnection, serve
from websockets.datastructures import Headers
from websockets.exceptions import ConnectionClosed
from websockets.http11 import Request, Response

from algoexec.adapters.upstox.feed import FeedTiming, UpstoxFeed
from algoexec.domain.errors import BrokerRefused, BrokerUnavailable, RateLimited, TokenRefused
from algoexec.domain.instruments import BANK_NIFTY, InstrumentKey
from algoexec.ports.credentials import AccessToken
from algoexec.ports.feed import (
    FeedConnected,
    FeedEvent,
    FeedLost,
    FeedTokenRefused,
    QuotesChanged,
    SegmentsChanged,
)
from tests.unit.adapters.frames import AT, data, index, market, message

FUTURE = InstrumentKey("NSE_FO|59175")
TOKEN = AccessToken("token")
QUICK = FeedTiming(
    first_delay=0.002,
    longest_delay=0.01,
    taken_delays=(0.002, 0.004),
    open_timeout=2.0,
    close_timeout=0.05,
    ping_every=5.0,
    ping_timeout=5.0,
)

type Script = Callable[["Broker", ServerConnection], Awaitable[None]]


async def stay(_: "Broker", socket: ServerConnection) -> None:
    """Keep the connection open."""
    await socket.wait_closed()


@dataclass
class Broker:
    """A feed server. Each connection is served by the next script, the last one for ever."""

    scripts: list[Script] = field(default_factory=lambda: [stay])
    statuses: list[int] = field(default_factory=list)
    """Answers to the next handshakes that are not welcomed."""
    requests: list[dict[str, Any]] = field(default_factory=list)
    handshakes: list[str] = field(default_factory=list)
    codes: int = 0
    tokens: list[AccessToken] = field(default_factory=list)
    refusals: list[Exception] = field(default_factory=list)
    """Raised by the next requests for an address."""
    port: int = 0
    scheme: str = "ws"
    _changed: asyncio.Event = field(default_factory=asyncio.Event)

    async def authorize(self, token: AccessToken) -> str:
        self.tokens.append(token)
        self._changed.set()
        if self.refusals:
            raise self.refusals.pop(0)
        self.codes += 1
        return f"{self.scheme}://127.0.0.1:{self.port}/feed?code={self.codes}"

    def welcome(self, _: ServerConnection, request: Request) -> Response | None:
        self.handshakes.append(request.path)
        self._changed.set()
        return None if not self.statuses else _connection_refused(self.statuses.pop(0))

    async def serve(self, socket: ServerConnection) -> None:
        script = self.scripts.pop(0) if len(self.scripts) > 1 else self.scripts[0]
        listening = asyncio.create_task(self._listen(socket))
        with suppress(ConnectionClosed):
            await script(self, socket)
        listening.cancel()

    async def _listen(self, socket: ServerConnection) -> None:
        with suppress(ConnectionClosed):
            async for request in socket:
                assert isinstance(request, bytes), "requests are binary frames"
                self.requests.append(json.loads(request))
                self._changed.set()

    async def asked(self, count: int) -> None:
        """Return once `count` requests were received."""
        await self.until(lambda: len(self.requests) >= count)

    async def until(self, holds: Callable[[], bool]) -> None:
        async with asyncio.timeout(10):
            while not holds():
                self._changed.clear()
                await self._changed.wait()


def _connection_refused(status: int) -> Response:
    return Response(status, HTTPStatus(status).phrase, Headers([("Content-Length", "0")]), b"")


@dataclass
class Sink:
    """Remembers what a feed says, and lets a test wait until it has said something."""

    events: list[FeedEvent] = field(default_factory=list)
    stamps: list[int] = field(default_factory=list)
    _changed: asyncio.Event = field(default_factory=asyncio.Event)

    def __call__(self, event: FeedEvent) -> None:
        self.events.append(event)
        self._changed.set()

    async def until(self, kind: type[FeedEvent], count: int = 1) -> None:
        async with asyncio.timeout(10):
            while len(self.of(kind)) < count:
                self._changed.clear()
                await self._changed.wait()

    def of[E: FeedEvent](self, kind: type[E]) -> list[E]:
        return [event for event in self.events if isinstance(event, kind)]


@pytest.fixture
async def broker() -> AsyncIterator[Broker]:
    broker = Broker()
    async with running(broker):
        yield broker


@asynccontextmanager
async def running(broker: Broker, **how: Any) -> AsyncIterator[Server]:
    async with serve(
        broker.serve, "127.0.0.1", 0, process_request=broker.welcome, compression=None, close_timeout=0.05, **how
    ) as server:
        (listener,) = server.sockets
        broker.port = listener.getsockname()[1]
        yield server


@asynccontextmanager
async def following(
    broker: Broker, *instruments: InstrumentKey, timing: FeedTiming = QUICK
) -> AsyncIterator[tuple[UpstoxFeed, Sink]]:
    sink = Sink()
    feed = UpstoxFeed(broker.authorize, TOKEN, sink.stamps.append, timing=timing, chance=lambda: 0.5)
    await feed.subscribe(instruments)
    task = asyncio.create_task(feed.run(sink))
    try:
        yield feed, sink
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


def index_frame(at: int, price: float, kind: int = 1) -> bytes:
    frame = message(at, kind)
    part = index(frame)
    part.ltpc.ltp, part.ltpc.ltt = price, at - 10
    return data(frame)


async def test_it_subscribes_first_then_says_that_it_is_connected_then_reads(broker: Broker) -> None:
    async def script(broker: Broker, socket: ServerConnection) -> None:
        info = message(AT, 2)
        info.marketInfo.segmentStatus["NSE_FO"] = 2
        await socket.send(data(info))
        await broker.asked(1)
        await socket.send(index_frame(AT + 1, 54_000.0, kind=0))
        await socket.send(index_frame(AT + 2, 54_001.0))
        await stay(broker, socket)

    broker.scripts = [script]
    async with following(broker, BANK_NIFTY, FUTURE, BANK_NIFTY) as (_, sink):
        await sink.until(QuotesChanged, 2)

    (request,) = broker.requests
    assert request["method"] == "sub"
    assert request["data"] == {"instrumentKeys": [BANK_NIFTY, FUTURE], "mode": "full"}
    assert request["guid"]
    connected, segments, snapshot, live = sink.events
    assert isinstance(connected, FeedConnected)
    assert segments == SegmentsChanged(AT, {"NSE_FO": "NORMAL_OPEN"})
    assert isinstance(snapshot, QuotesChanged)
    assert isinstance(live, QuotesChanged)
    assert (snapshot.snapshot, live.snapshot) == (True, False)
    assert live.quotes[0].price == 54_001.0
    assert sink.stamps == [AT, AT + 1, AT + 2]


async def test_partial_frames_are_merged_over_the_socket(broker: Broker) -> None:
    async def script(broker: Broker, socket: ServerConnection) -> None:
        first, second = message(AT), message(AT + 250)
        part = market(first, FUTURE)
        part.ltpc.ltp, part.ltpc.ltt, part.vtt = 54_100.0, AT - 5, 3_000
        market(second, FUTURE).marketLevel.bidAskQuote.add(bidP=54_099.8, bidQ=30, askP=54_100.2, askQ=60)
        await socket.send(data(first))
        await socket.send(data(second))
        await stay(broker, socket)

    broker.scripts = [script]
    async with following(broker, FUTURE) as (_, sink):
        await sink.until(QuotesChanged, 2)

    quote = sink.of(QuotesChanged)[-1].quotes[0]
    assert (quote.price, quote.volume, quote.bid, quote.ask) == (54_100.0, 3_000, 54_099.8, 54_100.2)


async def test_subscriptions_change_while_connected_and_are_all_asked_for_again_afterwards(broker: Broker) -> None:
    async def end(broker: Broker, socket: ServerConnection) -> None:
        await broker.asked(3)
        await socket.close(1000)

    broker.scripts = [end, stay]
    async with following(broker, BANK_NIFTY) as (feed, sink):
        await sink.until(FeedConnected)
        await feed.subscribe([BANK_NIFTY, FUTURE])
        await feed.unsubscribe([BANK_NIFTY, InstrumentKey("NSE_FO|never")])
        await broker.asked(4)

    assert [(request["method"], request["data"]["instrumentKeys"]) for request in broker.requests] == [
        ("sub", [BANK_NIFTY]),
        ("sub", [FUTURE]),
        ("unsub", [BANK_NIFTY]),
        ("sub", [FUTURE]),
    ]


@pytest.mark.parametrize("code", [1000, 1001, 1011, 4000])
async def test_it_comes_back_after_every_close_with_a_new_address(broker: Broker, code: int) -> None:
    async def end(broker: Broker, socket: ServerConnection) -> None:
        await socket.close(code)

    broker.scripts = [end, end, stay]
    async with following(broker, BANK_NIFTY) as (_, sink):
        await sink.until(FeedConnected, 3)

    assert len(sink.of(FeedLost)) == 2
    assert not any(lost.taken for lost in sink.of(FeedLost))
    assert broker.handshakes == ["/feed?code=1", "/feed?code=2", "/feed?code=3"]


async def test_what_an_earlier_connection_told_is_not_merged_into_the_next(broker: Broker) -> None:
    async def first(broker: Broker, socket: ServerConnection) -> None:
        await socket.send(index_frame(AT, 54_000.0))
        await socket.close()

    async def second(broker: Broker, socket: ServerConnection) -> None:
        frame = message(AT + 1000)
        index(frame).ltpc.cp = 53_000.0
        await socket.send(data(frame))
        await stay(broker, socket)

    broker.scripts = [first, second]
    async with following(broker, BANK_NIFTY) as (_, sink):
        await sink.until(QuotesChanged, 2)

    assert sink.of(QuotesChanged)[1].quotes[0].price is None


async def test_a_server_that_is_not_there_is_tried_until_it_is() -> None:
    broker = Broker()
    async with running(broker):
        pass
    async with following(broker, BANK_NIFTY) as (_, sink):
        await sink.until(FeedLost, 4)
        async with running(broker):
            await sink.until(FeedConnected)


@pytest.mark.parametrize(
    "refusal", [BrokerUnavailable("away"), RateLimited("slow down"), BrokerRefused("no", code="UDAPI100067")]
)
async def test_no_address_is_a_loss_that_is_tried_again(broker: Broker, refusal: Exception) -> None:
    broker.refusals = [refusal, refusal]
    async with following(broker, BANK_NIFTY) as (_, sink):
        await sink.until(FeedConnected)

    assert [lost.detail for lost in sink.of(FeedLost)] == [str(refusal)] * 2


async def test_403_on_the_handshake_is_a_feed_that_another_program_holds(broker: Broker) -> None:
    broker.statuses = [403, 403, 403]
    async with following(broker, BANK_NIFTY) as (_, sink):
        await sink.until(FeedConnected)

    assert [lost.taken for lost in sink.of(FeedLost)] == [True, True, True]
    assert broker.codes == 4


async def test_a_refused_token_is_said_once_and_nothing_is_tried_until_a_new_one_is_there(broker: Broker) -> None:
    broker.refusals = [TokenRefused("dead", code="UDAPI100050")]
    new = AccessToken("new")
    async with following(broker, BANK_NIFTY) as (feed, sink):
        await sink.until(FeedTokenRefused)
        await asyncio.sleep(5 * QUICK.longest_delay)  # not a wait: the time in which nothing may happen
        assert broker.tokens == [TOKEN]

        feed.renew(new)
        await sink.until(FeedConnected)

    assert broker.tokens == [TOKEN, new]
    assert sink.of(FeedLost) == []


async def test_a_token_that_is_renewed_while_connected_is_used_for_the_next_connection(broker: Broker) -> None:
    cut = asyncio.Event()

    async def end(broker: Broker, socket: ServerConnection) -> None:
        await cut.wait()
        await socket.close()

    broker.scripts = [end, stay]
    async with following(broker, BANK_NIFTY) as (feed, sink):
        await sink.until(FeedConnected)
        feed.renew(AccessToken("new"))
        cut.set()
        await sink.until(FeedConnected, 2)

    assert broker.tokens == [TOKEN, AccessToken("new")]


async def test_one_401_on_the_handshake_may_be_the_codes_fault(broker: Broker) -> None:
    broker.statuses = [401]
    async with following(broker, BANK_NIFTY) as (_, sink):
        await sink.until(FeedConnected)

    assert len(sink.of(FeedLost)) == 1
    assert sink.of(FeedTokenRefused) == []


async def test_a_second_401_on_the_handshake_is_the_tokens(broker: Broker) -> None:
    broker.statuses = [401, 401]
    async with following(broker, BANK_NIFTY) as (feed, sink):
        await sink.until(FeedTokenRefused)
        feed.renew(AccessToken("new"))
        await sink.until(FeedConnected)

    assert broker.codes == 3


async def test_frames_that_make_no_sense_are_counted_and_dropped_and_the_connection_stays(broker: Broker) -> None:
    async def script(broker: Broker, socket: ServerConnection) -> None:
        await socket.send(b"\xff\xff\xff")
        await socket.send(json.dumps({"status": "failed", "error": "Invalid request"}))
        await socket.send(data(message(AT, 77)))
        await socket.send(index_frame(AT, 54_000.0)[:-3])
        await socket.send(index_frame(AT, 54_000.0))
        await stay(broker, socket)

    broker.scripts = [script]
    async with following(broker, BANK_NIFTY) as (feed, sink):
        await sink.until(QuotesChanged)

        assert feed.undecodable == 4
        assert feed.last_undecodable is not None

    assert len(sink.of(FeedConnected)) == 1
    assert sink.stamps == [AT]


async def test_a_quiet_market_is_not_a_dead_feed(broker: Broker) -> None:
    quiet = FeedTiming(first_delay=0.002, ping_every=0.01, ping_timeout=1.0, close_timeout=0.05)
    async with following(broker, BANK_NIFTY, timing=quiet) as (_, sink):
        await sink.until(FeedConnected)
        await asyncio.sleep(0.2)  # not a wait: twenty pings' time without a frame

    assert sink.of(FeedLost) == []


def segments(status: int) -> bytes:
    """Return a frame in which the venue says of F&O that it trades (2) or has closed (3)."""
    told = message(kind=2)
    told.marketInfo.segmentStatus["NSE_FO"] = status
    return data(told)


async def test_a_peer_that_only_answers_pings_while_the_market_trades_is_left(broker: Broker) -> None:
    async def trade_in_silence(_: Broker, socket: ServerConnection) -> None:
        await socket.send(segments(2))
        await socket.wait_closed()

    broker.scripts = [trade_in_silence, stay]
    async with following(broker, BANK_NIFTY, timing=replace(QUICK, silence=0.05)) as (_, sink):
        await sink.until(FeedConnected, 2)

    (lost,) = sink.of(FeedLost)
    assert lost.detail == "no frame for 0.05 s while the market trades"


async def test_after_the_close_silence_is_no_sign(broker: Broker) -> None:
    async def close(_: Broker, socket: ServerConnection) -> None:
        await socket.send(segments(2))
        await socket.send(segments(3))
        await socket.wait_closed()

    broker.scripts = [close]
    async with following(broker, BANK_NIFTY, timing=replace(QUICK, silence=0.02)) as (_, sink):
        await sink.until(SegmentsChanged, 2)
        await asyncio.sleep(0.2)  # not a wait: ten times the silence that would be too long while it trades

    assert sink.of(FeedLost) == []


async def test_a_peer_that_answers_no_ping_is_dead(broker: Broker) -> None:
    """As after a half-open TCP connection: nothing arrives any more, and nothing says so."""
    alert = FeedTiming(first_delay=0.002, ping_every=0.02, ping_timeout=0.05, close_timeout=0.05)

    async def fall_silent(broker: Broker, socket: ServerConnection) -> None:
        socket.transport.pause_reading()
        await broker.until(lambda: broker.codes > 1)
        socket.transport.abort()

    broker.scripts = [fall_silent, stay]
    async with following(broker, BANK_NIFTY, timing=alert) as (_, sink):
        await sink.until(FeedConnected, 2)

    assert len(sink.of(FeedLost)) == 1


def test_by_default_a_dead_peer_is_noticed_within_twenty_seconds() -> None:
    timing = FeedTiming()

    assert timing.ping_every + timing.ping_timeout + timing.close_timeout <= 20


async def test_an_oversized_frame_ends_the_connection_not_the_feed(broker: Broker) -> None:
    async def flood(broker: Broker, socket: ServerConnection) -> None:
        await socket.send(b"\0" * (5 * 2**20))
        await stay(broker, socket)

    broker.scripts = [flood, stay]
    async with following(broker, BANK_NIFTY) as (_, sink):
        await sink.until(FeedConnected, 2)


async def test_an_address_that_is_not_private_is_not_gone_to(broker: Broker) -> None:
    async def elsewhere(_: AccessToken) -> str:
        return "ws://broker.invalid/feed?code=1"

    sink = Sink()
    feed = UpstoxFeed(elsewhere, TOKEN, sink.stamps.append, timing=QUICK)
    task = asyncio.create_task(feed.run(sink))
    await sink.until(FeedLost, 2)
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task

    assert "neither wss nor loopback" in sink.of(FeedLost)[0].detail


async def test_a_certificate_that_nobody_vouches_for_is_refused(tmp_path: Path) -> None:
    broker = Broker(scheme="wss")
    async with AsyncExitStack() as stack:
        await stack.enter_async_context(running(broker, ssl=self_signed(tmp_path)))
        _, sink = await stack.enter_async_context(following(broker, BANK_NIFTY))
        await sink.until(FeedLost, 2)

    assert "CERTIFICATE_VERIFY_FAILED" in sink.of(FeedLost)[0].detail
    assert broker.handshakes == []


async def test_no_log_or_event_tells_the_code(broker: Broker, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("DEBUG")
    broker.statuses = [500]
    async with following(broker, BANK_NIFTY) as (_, sink):
        await sink.until(FeedConnected)

    ours = [record.getMessage() for record in caplog.records if record.name.startswith("algoexec")]
    assert not any("code=" in line for line in ours)
    assert not any("code=" in lost.detail for lost in sink.of(FeedLost))


@given(st.integers(1, 200), st.floats(0, 1, exclude_max=True))
def test_a_delay_grows_and_is_bounded(losses: int, chance: float) -> None:
    timing = FeedTiming()
    delay = timing.delay(losses, chance)

    assert timing.first_delay / 2 <= delay <= timing.longest_delay
    assert timing.delay(losses, 0.0) <= timing.delay(losses + 1, 0.0)


def test_a_taken_feed_is_tried_after_5_15_60_seconds_then_each_minute() -> None:
    timing = FeedTiming()

    assert [timing.taken_delay(refusals) for refusals in (1, 2, 3, 4, 50)] == [5.0, 15.0, 60.0, 60.0, 60.0]


def self_signed(folder: Path) -> ssl.SSLContext:
    """Return a server's context with a certificate of its own making."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "127.0.0.1")])
    begun = dt.datetime.now(dt.UTC) - dt.timedelta(hours=1)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(begun)
        .not_valid_after(begun + dt.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), critical=False)
        .sign(key, hashes.SHA256())
    )
    pem = folder / "server.pem"
    pem.write_bytes(
        certificate.public_bytes(serialization.Encoding.PEM)
        + key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pem)
    return context
