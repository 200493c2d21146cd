"""The stream over real sockets: WebSocket and server-sent events."""

import asyncio
import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx
import orjson
import pytest
from websockets.asyncio.client import ClientConnection, connect

from algoexec.engine.effects import Alert, Frame, Severity
from algoexec.engine.events import FeedStatus
from algoexec.ports.feed import FeedConnected, FeedLost
from algoexec.ports.stores import Scope
from algoexec.runtime.watcher import HubOptions
from tests.api.support import PAGE, Service, listening, running_service
from tests.api.test_sessions import begin

NUMBERED = ("session", "signal", "rejection", "pcr", "candle", "alert")


class Here:
    """A service that listens."""

    def __init__(self, service: Service, address: str) -> None:
        self.service, self.address = service, address

    def socket(self, query: str = "", **options: Any) -> connect:
        """Return a connection to be entered; `key`, `origin`, `subprotocols` as a client sends them."""
        key = options.pop("key", None)
        headers = {"Authorization": f"Bearer {key}"} if key else None
        url = f"ws://{self.address}/ws/signals?{query}"
        return connect(url, additional_headers=headers, compression=None, proxy=None, **options)


@asynccontextmanager
async def here(**options: Any) -> AsyncIterator[Here]:
    async with running_service(**options) as service, listening(service.app) as address:
        yield Here(service, address)


async def frame(socket: ClientConnection) -> dict[str, Any]:
    text = await asyncio.wait_for(socket.recv(), 10)
    assert isinstance(text, str)
    told: dict[str, Any] = orjson.loads(text)
    assert set(told) == {"type", "seq", "session_id", "at", "data", "prev", "cursor"}
    return told


async def closing(socket: ClientConnection) -> tuple[int, str]:
    """Return how the server closes."""
    async with asyncio.timeout(10):
        await socket.wait_closed()
    return int(socket.close_code or 0), str(socket.close_reason)


async def test_a_stream_begins_with_how_things_stand_and_goes_on_with_what_happens() -> None:
    async with here() as at, at.service.client() as http:
        shown = session = await connected(http)
        async with at.socket(f"session_id={session['id']}") as socket:
            snapshot = await frame(socket)
            await http.post(f"/sessions/{session['id']}/halt", json={"reason": "lunch"})
            live = await frame(socket)
            while live["type"] != "session":
                live = await frame(socket)

    [one] = snapshot["data"]["sessions"]
    assert snapshot["type"] == "snapshot"
    assert one["session"]["id"] == session["id"]
    assert one["session"]["config"] == shown["config"]
    assert one["seq"] == one["session"]["frames"]
    assert live["data"]["halted"] == "lunch (by local)"
    assert live["session_id"] == session["id"]
    assert live["prev"] == live["seq"] - 1


async def test_without_a_session_a_user_sees_all_of_theirs_and_no_others() -> None:
    async with here() as at:
        asha = await at.service.add_key("asha", Scope.TRADE, "asha")
        bela = await at.service.add_key("bela", Scope.TRADE, "bela")
        async with (
            at.service.client(asha) as hers,
            at.service.client(bela) as theirs,
            at.socket("topics=session", key=asha) as socket,
        ):
            assert (await frame(socket))["data"] == {"sessions": []}
            await begin(theirs, user_id="bela")
            session = await begin(hers)
            told = await frame(socket)

    assert (told["session_id"], told["seq"], told["prev"]) == (session["id"], 1, 0)


async def test_nobody_in_particular_is_closed_out_with_a_ticket_code() -> None:
    async with here() as at:
        await at.service.add_key("asha", Scope.READ, "asha")
        async with at.socket() as socket:
            await socket.send("{}")
            assert (await closing(socket))[0] == 4408
        async with at.socket() as socket:
            await socket.send(b"{}")
            assert (await closing(socket))[0] == 4408
        async with at.socket() as socket:
            await socket.send(orjson.dumps({"ticket": "made up"}).decode())
            assert (await closing(socket))[0] == 4408
        async with at.socket(key="ae_nobody_x") as socket:
            assert (await closing(socket))[0] == 4401


async def test_another_users_session_is_as_unknown_as_none() -> None:
    async with here() as at:
        asha = await at.service.add_key("asha", Scope.TRADE, "asha")
        bela = await at.service.add_key("bela", Scope.TRADE, "bela")
        async with at.service.client(asha) as hers, at.service.client(bela) as theirs:
            session = await begin(hers)
            for session_id in (session["id"], "nosuchsession0000", "../x"):
                async with at.socket(f"session_id={session_id}", key=bela) as socket:
                    assert (await closing(socket))[0] == 4404
            answer = await theirs.get("/events", params={"session_id": session["id"]})
            assert (answer.status_code, answer.json()["code"]) == (404, "session-not-found")


@pytest.mark.parametrize("way", ["subprotocol", "first message"])
async def test_a_ticket_lets_a_page_in_once(way: str) -> None:
    async with here() as at:
        key = await at.service.add_key("asha", Scope.READ, "asha")
        async with at.service.client(key, Origin=PAGE) as http:
            ticket = (await http.post("/ws/tickets")).json()["ticket"]
        protocols = ["algoexec.v1", f"ticket.{ticket}"] if way == "subprotocol" else ["algoexec.v1"]
        for attempt in range(2):
            async with at.socket(origin=PAGE, subprotocols=protocols) as socket:
                assert socket.subprotocol == "algoexec.v1"
                if way == "first message":
                    await socket.send(orjson.dumps({"ticket": ticket}).decode())
                if attempt == 0:
                    assert (await frame(socket))["type"] == "snapshot"
                else:
                    assert (await closing(socket))[0] == 4408


async def test_a_ticket_is_of_its_origin_and_dies_after_half_a_minute() -> None:
    other = "https://other.example.com"
    async with here(cors_origins=frozenset({PAGE, other})) as at:
        key = await at.service.add_key("asha", Scope.READ, "asha")
        async with at.service.client(key) as http:
            for_page = (await http.post("/ws/tickets", json={"origin": PAGE})).json()["ticket"]
            async with at.socket(origin=other, subprotocols=["algoexec.v1", f"ticket.{for_page}"]) as socket:
                assert (await closing(socket))[0] == 4408
            old = (await http.post("/ws/tickets", json={"origin": PAGE})).json()["ticket"]
            at.service.clock.advance(31)
            async with at.socket(origin=PAGE, subprotocols=["algoexec.v1", f"ticket.{old}"]) as socket:
                assert (await closing(socket))[0] == 4408
            refused = await http.post("/ws/tickets", json={"origin": "https://evil.example"})
            assert (refused.status_code, refused.json()["code"]) == (403, "origin-not-allowed")


@pytest.mark.parametrize("origin", ["https://evil.example", "null", "http://127.0.0.1:1", "http://["])
async def test_a_page_of_another_origin_is_closed_out_even_where_all_is_open(origin: str) -> None:
    async with here() as at, at.socket(origin=origin) as socket:
        assert (await closing(socket))[0] == 4403


async def test_its_own_page_is_let_in() -> None:
    async with here() as at, at.socket(origin=f"http://{at.address}") as socket:
        assert (await frame(socket))["type"] == "snapshot"


async def test_another_machines_name_is_not_this_one() -> None:
    async with here() as at:
        host, port = at.address.split(":")
        url = f"ws://rebound.example:{port}/ws/signals"
        async with connect(url, host=host, port=int(port), proxy=None) as socket:
            assert (await closing(socket))[0] == 4403


async def test_an_unknown_topic_is_said_so() -> None:
    async with here() as at, at.socket("topics=signal,nonsense") as socket:
        code, reason = await closing(socket)

    assert code == 1008
    assert "nonsense" in reason


async def test_without_the_database_the_client_is_told_to_come_back() -> None:
    async with here() as at, at.service.client() as http:
        session = await begin(http)
        at.service.stores.is_available = False
        async with at.socket(f"session_id={session['id']}") as socket:
            assert (await closing(socket))[0] == 1012
        at.service.stores.is_available = True


async def test_a_client_that_reads_nothing_is_dropped_and_delays_nobody() -> None:
    async with here() as at, at.service.client() as http:
        session = await connected(http)
        host, port = at.address.split(":")
        _, writer = await asyncio.open_connection(host, int(port), limit=1)
        upgrade = (
            f"GET /ws/signals?session_id={session['id']} HTTP/1.1",
            f"Host: {at.address}",
            "Upgrade: websocket",
            "Connection: Upgrade",
            "Sec-WebSocket-Version: 13",
            "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
        )
        writer.write(("\r\n".join(upgrade) + "\r\n\r\n").encode())
        hub = at.service.registry.hub
        async with at.socket(f"session_id={session['id']}") as socket:
            first = (await frame(socket))["data"]["sessions"][0]["seq"] + 1
            body = Alert(severity=Severity.INFO, code="TEST", message="x" * 10_000)
            for number in range(first, first + 4_000):
                hub.publish(session["id"], "asha", [Frame(number=number, at=at.service.clock.now(), body=body)])
                if number % 100 == 0:
                    while (await frame(socket))["seq"] != number:
                        pass
            assert (hub.dropped, hub.watching) == (1, 1)
        writer.transport.abort()


async def test_a_restart_closes_every_stream() -> None:
    async with here() as at, at.socket() as socket:
        await frame(socket)
        at.service.registry.hub.close("restarting")
        assert await closing(socket) == (1012, "restarting")


async def test_a_client_that_is_too_slow_is_told_and_may_resume() -> None:
    async with here(hub=HubOptions(depth=3)) as at, at.service.client() as http:
        session = await connected(http)
        async with at.socket(f"session_id={session['id']}") as socket:
            cursor = (await frame(socket))["cursor"]
            flap(at.service, 1)
            while (told := await frame(socket))["type"] != "alert":
                cursor = told["cursor"]
            cursor = told["cursor"]
            frames = await at.service.stores.journal.frames(session["id"], 0, 4)
            at.service.registry.hub.publish(session["id"], "asha", [*frames, *frames])  # more than it may lie behind
            assert (await closing(socket))[0] == 4429
        async with at.socket(f"session_id={session['id']}&since={cursor}") as socket:
            await http.post(f"/sessions/{session['id']}/halt")
            assert (await frame(socket))["prev"] == told["seq"]


async def connected(http: httpx.AsyncClient) -> dict[str, Any]:
    """Begin a session and return it once its feed stands."""
    session = await begin(http)
    async with asyncio.timeout(10):
        while session["feed"]["status"] != FeedStatus.CONNECTED:
            session = (await http.get(f"/sessions/{session['id']}")).json()
    return session


def flap(service: Service, times: int) -> None:
    """Lose and regain the feed: each time a session frame, an alert, and a session frame."""
    sink = service.venue.feeds[-1].sink
    assert sink is not None
    for _ in range(times):
        sink(FeedLost(detail="scripted"))
        sink(FeedConnected())


class Recorder:
    """Collects the numbered frames of one client and where it would resume."""

    def __init__(self) -> None:
        self.frames: list[tuple[str, int, int]] = []
        self.cursor: str | None = None

    def take(self, told: dict[str, Any]) -> None:
        assert told["type"] != "gap"
        if told["seq"] is not None:
            self.frames.append((told["type"], told["seq"], told["prev"]))
        self.cursor = told["cursor"] or self.cursor


async def run_until(recorder: Recorder, last: int, frames: AsyncIterator[dict[str, Any]]) -> None:
    async for told in frames:
        recorder.take(told)
        if recorder.frames and recorder.frames[-1][1] >= last:
            return


async def over_socket(at: Here, query: str, cursor: str | None) -> AsyncIterator[dict[str, Any]]:
    async with at.socket(f"{query}&since={cursor or 0}") as socket:
        while True:
            yield await frame(socket)


async def over_events(at: Here, query: str, cursor: str | None) -> AsyncIterator[dict[str, Any]]:
    headers = {"Last-Event-ID": cursor or "0"}
    async with (
        # Verification is off to spare each client the loading of certificates: this is plain HTTP.
        httpx.AsyncClient(base_url=f"http://{at.address}", trust_env=False, verify=False) as http,  # noqa: S501
        http.stream("GET", f"/events?{query}", headers=headers) as answer,
    ):
        assert answer.headers["content-type"].startswith("text/event-stream")
        async for line in answer.aiter_lines():
            if line.startswith("data: "):
                yield orjson.loads(line.removeprefix("data: "))


@pytest.mark.parametrize("topics", ["", "alert"], ids=["all topics", "a topic filter"])
@pytest.mark.parametrize("way", [over_socket, over_events], ids=["WebSocket", "SSE"])
async def test_a_client_that_drops_200_times_has_what_one_that_never_dropped_has(way: Any, topics: str) -> None:
    chance = random.Random(7)
    async with here() as at, at.service.client() as http:
        session = await connected(http)
        path = f"/sessions/{session['id']}"
        query = f"session_id={session['id']}&topics={topics}"
        dropping = Recorder()
        for _ in range(200):
            flap(at.service, chance.randrange(2))
            frames = way(at, query, dropping.cursor)
            try:
                async with asyncio.timeout(chance.random() * 0.02):
                    async for told in frames:
                        dropping.take(told)
            except TimeoutError:
                pass
            finally:
                await frames.aclose()
        flap(at.service, 1)
        await http.post(f"{path}/halt")
        journal = [
            one for one in await at.service.stores.journal.frames(session["id"], 0, 10_000)
            if not topics or one.type == topics
        ]  # fmt: skip
        steady = Recorder()
        await asyncio.wait_for(run_until(dropping, journal[-1].number, way(at, query, dropping.cursor)), 20)
        await asyncio.wait_for(run_until(steady, journal[-1].number, way(at, query, None)), 20)

    assert dropping.frames == steady.frames
    assert [(one.type, one.number) for one in journal] == [told[:2] for told in steady.frames]


async def test_events_carry_the_cursor_as_their_id() -> None:
    async with (
        here() as at,
        httpx.AsyncClient(base_url=f"http://{at.address}", trust_env=False) as http,
        http.stream("GET", "/events") as answer,
    ):
        told = [line async for line in take(answer.aiter_lines(), 5)]

    assert told[0].startswith("retry: ")
    assert told[2].startswith("id: c1.")
    assert told[3] == "event: snapshot"
    assert orjson.loads(told[4].removeprefix("data: "))["cursor"] == told[2].removeprefix("id: ")


async def take(lines: AsyncIterator[str], count: int) -> AsyncIterator[str]:
    for _ in range(count):
        yield await anext(lines)
