"""A feed that suffers, as its client sees it on a real socket."""

import asyncio
from datetime import time
from typing import Any

import pytest
import websockets
from google.protobuf.message import DecodeError
from websockets.exceptions import ConnectionClosed

from algoexec.domain.calendar import ist
from algoexec.simulation.generated import GENERATED_ON, generated_day
from algoexec.simulator.server import RunningSimulator
from algoexec.simulator.users import User
from tests.integration.faulting import hits, start
from tests.integration.simulating import INDEX, FeedClient, authorized_uri, feed, rest, settings, simulator

DAY = generated_day()
FUTURE = DAY.futures[0].contract.key
FEED = "/v3/feed/market-data-feed"


def at(clock: str) -> int:
    return int(ist(GENERATED_ON, time.fromisoformat(clock)).timestamp()) * 1000


async def market_time(running: RunningSimulator) -> int:
    async with rest(running) as client:
        return int((await client.get("/sim/clock")).json()["now_ms"])


async def watching(running: RunningSimulator, client: FeedClient) -> None:
    await client.ask("sub", [INDEX, FUTURE], "full")
    await client.initial()


async def end_of(client: FeedClient) -> tuple[ConnectionClosed, int]:
    """Return how the socket ended, and after how many frames."""
    count = 0
    while True:
        try:
            await client.frame()
        except ConnectionClosed as closed:
            return closed, count
        count += 1


async def gone(running: RunningSimulator) -> None:
    """Return once the simulator has noticed that its client has left."""
    async with asyncio.timeout(10):
        while running.broker.hub.connections(User("ann")):
            await market_time(running)


# --- sockets -------------------------------------------------------------------------------------------------------


async def test_a_stalled_feed_says_nothing_for_a_while_and_goes_on() -> None:
    async with simulator(settings("10:00")) as running, feed(running) as client:
        await watching(running, client)
        await start(running, {"when": {"path": FEED, "count": 1}, "do": {"stall": 90}})

        before = after = (await client.frame()).currentTs
        async with asyncio.timeout(30):
            while after - before < 60_000:
                before, after = after, (await client.frame()).currentTs
        assert 90_000 <= after - before < 120_000


async def test_pings_are_answered_while_a_feed_is_stalled() -> None:
    async with simulator(settings("10:00", speed=1.0)) as running, feed(running) as client:
        await client.frame()
        await start(running, {"do": {"stall": 3600}})
        await client.ask("sub", [INDEX], "ltpc")
        for _ in range(3):
            await asyncio.wait_for(await client.socket.ping(), 10)
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(client.frame(), 0.5)
        assert await hits_of(running) == [1], "one stall, not one for each frame"


async def hits_of(running: RunningSimulator) -> list[int]:
    async with rest(running) as client:
        return await hits(client)


async def test_a_stall_can_last_from_one_time_to_another_for_new_sockets_too() -> None:
    play = settings("10:00:30", speed=600.0, paced=True)
    async with simulator(play) as running:
        await start(running, {"when": {"from": "10:01", "until": "10:05"}, "do": {"stall": {}}})
        async with feed(running) as client:
            await watching(running, client)
            stamps = [frame.currentTs async for frame in frames(client, "10:05:30")]
    assert not [stamp for stamp in stamps if at("10:01") <= stamp < at("10:05")]
    assert min(stamps) < at("10:01")


async def frames(client: FeedClient, end: str) -> Any:
    while (frame := await client.frame()).currentTs < at(end):
        yield frame


@pytest.mark.parametrize("code", [1000, 1001, 1011, 1012])
async def test_a_socket_is_closed_with_a_code_after_so_many_frames(code: int) -> None:
    async with simulator(settings("10:00")) as running:
        await start(running, {"when": {"skip": 20, "count": 1}, "do": {"close": code}})
        async with feed(running) as client:
            await watching(running, client)
            closed, frames_read = await end_of(client)
            assert closed.rcvd is not None
            assert (closed.rcvd.code, 2 + frames_read) == (code, 20), "what was before it has come"
        async with feed(running) as again:
            await watching(running, again)


async def test_a_socket_is_cut_without_a_closing_frame() -> None:
    async with simulator(settings("10:00")) as running:
        await start(running, {"when": {"skip": 20, "count": 1}, "do": {"close": 1006}})
        async with feed(running) as client:
            await watching(running, client)
            closed, _ = await end_of(client)
            assert closed.rcvd is None
        async with feed(running) as again:
            await watching(running, again)


async def test_a_socket_can_be_cut_at_its_first_frame() -> None:
    async with simulator(settings("10:00")) as running:
        await start(running, {"when": {"count": 1}, "do": {"close": 1006}})
        with pytest.raises((websockets.exceptions.InvalidMessage, ConnectionClosed, ConnectionError)):
            async with feed(running) as client:
                await client.frame()
        async with feed(running) as again:
            await watching(running, again)


async def test_a_half_open_socket_says_and_answers_nothing_and_ends_when_its_client_gives_up() -> None:
    async with simulator(settings("10:00")) as running:
        socket = await websockets.connect(
            await authorized_uri(running), compression=None, ping_interval=0.3, ping_timeout=0.3, close_timeout=0.1
        )
        client = FeedClient(socket)
        await watching(running, client)
        await start(running, {"when": {"count": 1}, "do": {"half_open": {}}})
        closed, _ = await end_of(client)
        assert closed.rcvd is None
        assert closed.sent is not None
        assert closed.sent.code == 1011, "the client missed a pong"
        await gone(running)
        async with feed(running) as again:
            await watching(running, again)


@pytest.mark.parametrize("do", [{"half_open": {}}, {"stall": 3600}])
@pytest.mark.parametrize("play", [{"speed": 600.0, "paced": True}, {"speed": None}])
async def test_a_paced_clock_does_not_wait_for_a_feed_that_says_nothing(
    do: dict[str, Any], play: dict[str, Any]
) -> None:
    async with simulator(settings("10:00", **play)) as running, feed(running) as client:
        await watching(running, client)
        await start(running, {"do": do})
        begun = await market_time(running)
        async with asyncio.timeout(30):
            while await market_time(running) < begun + 60_000:
                pass


async def test_a_day_without_a_speed_does_not_race_past_a_feed_that_says_nothing() -> None:
    async with simulator(settings("10:00", speed=None)) as running, feed(running) as client:
        await watching(running, client)
        await start(running, {"do": {"half_open": {}}})
        await asyncio.sleep(0.3)
        begun = await market_time(running)
        await asyncio.sleep(0.5)
        # As while nobody watches: a minute a second, else the day would be over before a client notices.
        assert await market_time(running) - begun < 5 * 60_000


async def test_only_the_named_user_suffers() -> None:
    async with simulator(settings("10:00")) as running:
        await start(running, {"when": {"user": "ann"}, "do": {"close": 1000}})
        async with feed(running, "user:bob") as bob:
            await watching(running, bob)
            async with feed(running, "user:ann") as ann:
                await end_of(ann)
            await bob.frame()


# --- frames --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["garbage_frame", "truncated_frame"])
async def test_a_frame_makes_no_sense_and_the_next_one_does(kind: str) -> None:
    async with simulator(settings("10:00")) as running, feed(running) as client:
        await watching(running, client)
        await start(running, {"when": {"skip": 5, "count": 3}, "do": {kind: {}}})
        bad = 0
        for _ in range(200):
            try:
                await client.frame()
            except DecodeError:
                bad += 1
        assert bad == 3


async def test_an_instrument_is_left_out_for_a_while() -> None:
    async with simulator(settings("10:00:50", speed=600.0, paced=True)) as running:
        silence = {"from": "10:01", "until": "10:02", "instrument": "BANKNIFTY FUT*"}
        await start(running, {"when": silence, "do": {"no_ticks": {}}})
        async with feed(running) as client:
            await watching(running, client)
            told: dict[str, list[int]] = {INDEX: [], FUTURE: []}
            async for frame in frames(client, "10:02:20"):
                for key in frame.feeds:
                    told[key].append(frame.currentTs)
    # Ticks of the last step before 10:01 come with the stamp of 10:01.
    silent = range(at("10:01") + 250, at("10:02"))
    assert not [stamp for stamp in told[FUTURE] if stamp in silent]
    assert [stamp for stamp in told[INDEX] if stamp in silent]
    assert [stamp for stamp in told[FUTURE] if stamp > at("10:02")]


@pytest.mark.parametrize(
    ("shape", "zero_bid", "zero_ask"),
    [("zero", True, True), ("crossed", False, False), ("no_bids", True, False), ("no_asks", False, True)],
)
async def test_the_feed_shows_a_wrong_book(shape: str, *, zero_bid: bool, zero_ask: bool) -> None:
    async with simulator(settings("10:00", speed=0.001)) as running:
        await start(running, {"when": {"instrument": FUTURE}, "do": {"book": shape}})
        async with feed(running) as client:
            await client.ask("sub", [FUTURE], "full")
            future = (await client.initial()).feeds[FUTURE].fullFeed.marketFF
    best = future.marketLevel.bidAskQuote[0]
    assert future.ltpc.ltp > 0
    assert (best.bidP == 0, best.askP == 0) == (zero_bid, zero_ask)
    assert (future.tbq == 0, future.tsq == 0) == (zero_bid, zero_ask)
    if shape == "crossed":
        assert best.bidP > best.askP


@pytest.mark.parametrize(
    ("of", "sent", "traded"), [("server", -9000, 0), ("exchange", 0, -9000), ("both", -9000, -9000)]
)
async def test_stamps_are_off_against_the_true_clock(of: str, sent: int, traded: int) -> None:
    async with simulator(settings("10:00", speed=0.001)) as running:
        stamps = []
        async with feed(running) as client:
            for skew in ({"ms": -9000, "of": of}, None):
                await client.ask("sub", [INDEX], "ltpc")
                frame = await client.initial()
                stamps.append((frame.currentTs, frame.feeds[INDEX].ltpc.ltt))
                if skew is not None:
                    await start(running, {"do": {"clock_skew": skew}})
        assert await market_time(running) == stamps[0][0]
    (was_sent, was_traded), (is_sent, is_traded) = stamps
    assert (is_sent - was_sent, is_traded - was_traded) == (sent, traded)
