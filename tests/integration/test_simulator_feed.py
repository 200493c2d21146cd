"""The simulator's feed over a real socket."""

import asyncio
import json
from contextlib import suppress
from datetime import datetime, time
from itertools import pairwise
from typing import Any

import pytest
import websockets
from websockets.exceptions import ConnectionClosed, InvalidStatus

from algoexec.domain.calendar import ist
from algoexec.domain.market import Bar
from algoexec.simulation.exchange import Exchange
from algoexec.simulation.expansion import MINUTE_MS
from algoexec.simulation.generated import GENERATED_ON, generated_day
from algoexec.simulator.server import RunningSimulator
from algoexec.simulator.users import User
from tests.integration.simulating import INDEX, PROTO, authorized_uri, feed, rest, settings, simulator

DAY = generated_day()
FUTURE = DAY.futures[0].contract.key
NEAR = [option for option in DAY.options if option.expiry == DAY.expiries()[0]]
OPTION = NEAR[len(NEAR) // 2].key


def at(clock: str) -> int:
    return int(ist(GENERATED_ON, time.fromisoformat(clock)).timestamp()) * 1000


def full(frame: Any, key: str) -> Any:
    return frame.feeds[key].fullFeed.marketFF


async def test_it_begins_with_the_market_and_answers_a_subscription_with_a_snapshot() -> None:
    async with simulator() as running, feed(running) as client:
        first = await client.frame()
        assert first.type == PROTO.market_info
        assert first.marketInfo.segmentStatus["NSE_FO"] == PROTO.NORMAL_OPEN

        await client.ask("sub", [INDEX, FUTURE, OPTION, "NSE_FO|1"], "full")
        snapshot = await client.frame()
        assert snapshot.type == PROTO.initial_feed
        assert set(snapshot.feeds) == {INDEX, FUTURE, OPTION}, "what is not listed is left out"
        assert {feed.requestMode for feed in snapshot.feeds.values()} == {PROTO.full_d5}
        option = full(snapshot, OPTION)
        assert len(option.marketLevel.bidAskQuote) == 5
        assert 0.05 < option.iv < 0.6, "a fraction"
        assert option.HasField("optionGreeks")
        assert option.vtt > 0 < option.oi
        index = snapshot.feeds[INDEX].fullFeed.indexFF
        assert [bar.interval for bar in index.marketOHLC.ohlc] == ["1d", "I1"]
        assert index.ltpc.ltt <= snapshot.currentTs


async def test_ticks_rebuild_every_bar_whatever_the_pace() -> None:
    async with simulator(settings("09:14:55")) as running, feed(running) as client:
        await client.ask("sub", [INDEX, FUTURE], "full")
        index: dict[int, list[float]] = {}
        volumes: dict[int, int] = {}
        stamps = []
        while (frame := await client.frame()).currentTs < at("09:45:01"):
            stamps.append(frame.currentTs)
            if frame.type != PROTO.live_feed:
                continue
            if INDEX in frame.feeds:
                ltpc = frame.feeds[INDEX].fullFeed.indexFF.ltpc
                assert frame.currentTs - 250 < ltpc.ltt <= frame.currentTs
                index.setdefault(ltpc.ltt // MINUTE_MS, []).append(ltpc.ltp)
            if FUTURE in frame.feeds and full(frame, FUTURE).HasField("ltpc"):
                future = full(frame, FUTURE)
                volumes[future.ltpc.ltt // MINUTE_MS] = future.vtt

        assert stamps == sorted(stamps)
        bars = [bar for bar in DAY.index if (bar.minute + 1) * MINUTE_MS <= at("09:45")]
        rebuilt = [
            Bar(minute, prices[0], max(prices), min(prices), prices[-1], 0) for minute, prices in sorted(index.items())
        ]
        assert rebuilt[: len(bars)] == bars
        totals = [0, *(volumes[bar.minute] for bar in bars)]
        traded = [after - before for before, after in pairwise(totals)]
        assert traded == [bar.volume for bar in DAY.futures[0].bars[: len(bars)]]


async def test_frames_leave_out_what_has_not_changed() -> None:
    async with simulator() as running, feed(running) as client:
        await client.ask("sub", [OPTION], "full")
        await client.initial()
        with_book = with_greeks = without_trade = 0
        for _ in range(200):
            option = full(await client.frame(), OPTION)
            with_book += option.HasField("marketLevel")
            with_greeks += option.HasField("optionGreeks")
            without_trade += not option.HasField("ltpc")

        assert 0 < with_book < 200
        assert 0 < with_greeks < 200
        assert 0 < without_trade < 100
        assert with_greeks < 150


async def test_the_last_finished_minute_comes_with_the_first_tick_after_it() -> None:
    async with simulator(settings("10:00:30")) as running, feed(running) as client:
        await client.ask("sub", [INDEX], "full")
        while (frame := await client.frame()).currentTs < at("10:03"):
            if frame.type == PROTO.market_info:
                continue
            index = frame.feeds[INDEX].fullFeed.indexFF
            bars = {bar.interval: bar for bar in index.marketOHLC.ohlc}
            assert bars["I1"].ts // MINUTE_MS == index.ltpc.ltt // MINUTE_MS - 1
            (known,) = [bar for bar in DAY.index if bar.minute == bars["I1"].ts // MINUTE_MS]
            told = bars["I1"]
            assert (told.open, told.high, told.low, told.close) == known[1:5]
            assert bars["1d"].close == index.ltpc.ltp


async def test_each_mode_has_its_shape_and_can_be_changed() -> None:
    async with simulator() as running, feed(running) as client:
        await client.ask("sub", [OPTION])
        assert (await client.initial()).feeds[OPTION].WhichOneof("FeedUnion") == "ltpc"

        await client.ask("change_mode", [OPTION], "option_greeks")
        greeks = (await client.initial()).feeds[OPTION]
        assert greeks.requestMode == PROTO.option_greeks
        assert greeks.firstLevelWithGreeks.firstDepth.bidP < greeks.firstLevelWithGreeks.firstDepth.askP

        await client.ask("change_mode", [OPTION], "full_d30")
        deep = (await client.initial()).feeds[OPTION]
        assert len(deep.fullFeed.marketFF.marketLevel.bidAskQuote) == 30

        await client.ask("sub", [INDEX], "option_greeks")
        assert (await client.initial()).feeds[INDEX].fullFeed.WhichOneof("FullFeedUnion") == "indexFF"


async def test_what_is_let_go_is_told_no_more() -> None:
    async with simulator() as running, feed(running) as client:
        await client.ask("sub", [INDEX, FUTURE], "ltpc")
        await client.initial()
        await client.ask("unsub", [FUTURE])
        await client.ask("sub", [OPTION], "ltpc")
        await client.initial()  # requests are obeyed in order: the future is gone by now

        told = set()
        for _ in range(100):
            told |= set((await client.frame()).feeds)
        assert told == {INDEX, OPTION}


async def test_before_the_open_prices_are_yesterdays() -> None:
    async with simulator(settings("09:05", speed=0.001)) as running, feed(running) as client:
        assert (await client.frame()).marketInfo.segmentStatus["NSE_FO"] == PROTO.PRE_OPEN_START
        await client.ask("sub", [INDEX, FUTURE], "full")
        snapshot = await client.frame()

        ltpc = snapshot.feeds[INDEX].fullFeed.indexFF.ltpc
        assert ltpc.ltp == ltpc.cp == DAY.previous_close()
        assert datetime.fromtimestamp(ltpc.ltt / 1000, DAY.session.opens_at.tzinfo).date() == DAY.earlier[-1].date
        assert full(snapshot, FUTURE).vtt == 0


async def test_a_change_of_phase_is_told() -> None:
    async with simulator(settings("15:14:58")) as running, feed(running) as client:
        await client.ask("sub", [FUTURE], "ltpc")
        await client.initial()
        while (frame := await client.frame()).type != PROTO.market_info:
            pass
        assert frame.marketInfo.segmentStatus["NSE_INDEX"] == PROTO.CLOSING_START
        assert frame.marketInfo.segmentStatus["NSE_FO"] == PROTO.NORMAL_OPEN


async def test_after_the_last_trade_the_clock_goes_on_without_ticks() -> None:
    async with simulator(settings("15:39:58")) as running, feed(running) as client:
        await client.ask("sub", [INDEX, FUTURE], "full")
        while (frame := await client.frame()).type != PROTO.market_info or frame.currentTs < at("15:40"):
            pass
        async with rest(running) as asking:
            while (await asking.get("/sim/clock")).json()["now_ms"] < at("15:46"):
                pass
        await client.ask("sub", [OPTION], "ltpc")
        while (frame := await client.frame()).type != PROTO.initial_feed:
            assert not any(told.fullFeed.marketFF.HasField("ltpc") for told in frame.feeds.values())
        assert frame.currentTs >= at("15:46")


async def test_an_address_opens_the_feed_once() -> None:
    async with simulator() as running:
        address = await authorized_uri(running)
        async with websockets.connect(address):
            pass
        with pytest.raises(InvalidStatus) as refused:
            await websockets.connect(address)
        assert refused.value.response.status_code == 401


async def test_a_second_feed_of_the_same_user_is_refused_until_the_first_is_closed() -> None:
    async with simulator() as running:
        async with feed(running):
            with pytest.raises(InvalidStatus) as refused:
                await websockets.connect(await authorized_uri(running))
            assert refused.value.response.status_code == 403
            async with feed(running, "user:bob") as other:
                assert (await other.frame()).type == PROTO.market_info
        async with rest(running) as client:
            while running.broker.hub.connections(User("ann")):
                await client.get("/sim/clock")
        async with feed(running) as again:
            assert (await again.frame()).type == PROTO.market_info


@pytest.mark.parametrize(("token", "status"), [(None, 401), ("bad-one", 401), ("expired-one", 401)])
async def test_a_handshake_without_a_good_token_is_refused(token: str | None, status: int) -> None:
    headers = {} if token is None else {"Authorization": f"Bearer {token}"}
    async with simulator() as running:
        address = running.url.replace("http", "ws") + "/v3/feed/market-data-feed"
        with pytest.raises(InvalidStatus) as refused:
            await websockets.connect(address, additional_headers=headers)
        assert refused.value.response.status_code == status
        assert b"UDAPI100050" in (refused.value.response.body or b"")


async def test_the_sdks_address_redirects_to_the_feed() -> None:
    async with simulator() as running:
        address = running.url.replace("http", "ws") + "/v3/feed/market-data-feed"
        async with websockets.connect(address, additional_headers={"Authorization": "Bearer one"}) as socket:
            message = await socket.recv()
            assert isinstance(message, bytes)
            assert PROTO.FeedResponse.FromString(message).type == PROTO.market_info


@pytest.mark.parametrize(
    "request_text", ["no json", "{}", '{"method": "dance", "data": {"instrumentKeys": []}}', "[1]"]
)
async def test_a_request_without_sense_is_answered_in_text_and_changes_nothing(request_text: str) -> None:
    async with simulator() as running, feed(running) as client:
        await client.frame()
        await client.socket.send(request_text)
        answer = await client.socket.recv()
        assert isinstance(answer, str)
        assert json.loads(answer)["status"] == "failed"
        await client.ask("sub", [INDEX], "ltpc")
        assert (await client.frame()).type == PROTO.initial_feed


async def test_a_quiet_feed_is_pinged() -> None:
    async with simulator(settings("08:00", speed=1.0, idle_ping_s=0.01)) as running:
        uri = await authorized_uri(running)
        pinged = asyncio.Event()

        class Listening(websockets.ClientConnection):
            def data_received(self, data: bytes) -> None:
                # The first byte of an unfragmented ping frame.
                if data[0] == 0x89:
                    pinged.set()
                super().data_received(data)

        async with websockets.connect(uri, create_connection=Listening), asyncio.timeout(20):
            await pinged.wait()


async def test_a_paced_clock_waits_for_a_client_that_does_not_read() -> None:
    async with simulator(settings("10:00", speed=600.0, paced=True)) as running, feed(running) as client:
        await client.ask("sub", [INDEX, FUTURE, OPTION], "full")
        await client.initial()
        stopped = await _standing(running)
        # The client's library holds some frames; what lies unread in the kernel is at most the window.
        assert stopped - at("10:00") < 60_000
        while (frame := await client.frame()).currentTs <= stopped:
            pass
        assert frame.currentTs > stopped, "it goes on once it is read"


async def _standing(running: RunningSimulator) -> int:
    """Return where the clock stands still for 30 turns in which it would have moved."""
    seen: list[int] = []
    async with asyncio.timeout(30):
        while len(seen) < 30 or seen[-30] != seen[-1]:
            async with rest(running) as client:
                seen.append((await client.get("/sim/clock")).json()["now_ms"])
    return seen[-1]


async def test_an_unpaced_client_that_does_not_read_is_dropped_and_holds_nobody_up() -> None:
    play = settings("10:00", speed=3000.0, paced=False, most_unsent_frames=50)
    async with simulator(play) as running, feed(running, "user:slow") as slow, feed(running, "user:quick") as quick:
        await slow.ask("sub", [o.key for o in NEAR], "full")
        await quick.ask("sub", [INDEX], "ltpc")
        async with asyncio.timeout(60):
            while running.broker.hub.connections(User("slow")):
                await quick.frame()
        with suppress(ConnectionClosed):
            while True:
                await slow.frame()
        assert (await quick.frame()).currentTs > at("10:00")


async def test_two_subscribers_get_the_same_ticks_in_the_same_order() -> None:
    async with simulator() as running, feed(running, "a") as one, feed(running, "b") as other:
        for client in (one, other):
            await client.ask("sub", [INDEX], "ltpc")
        ticks = await asyncio.gather(*(_ticks(client, at("10:04")) for client in (one, other)))
        first = max(told[0] for told in ticks)
        assert [tick for tick in ticks[0] if tick >= first] == [tick for tick in ticks[1] if tick >= first]
        exchange = Exchange(DAY)
        known = [tick.at for tick in exchange.between(exchange.underlying, first[0] - 1, ticks[0][-1][0])]
        assert [tick[0] for tick in ticks[0] if tick >= first] == known


async def _ticks(client: Any, until: int) -> list[tuple[int, float]]:
    await client.initial()
    ticks = []
    while (frame := await client.frame()).currentTs < until:
        ltpc = frame.feeds[INDEX].ltpc
        ticks.append((ltpc.ltt, ltpc.ltp))
    return ticks


async def test_stopping_the_simulator_closes_its_feeds() -> None:
    async with simulator() as running:
        socket = await websockets.connect(await authorized_uri(running))
        await socket.recv()
    with pytest.raises(ConnectionClosed) as closed:
        await socket.recv()
    assert closed.value.rcvd is not None
    assert closed.value.rcvd.code == 1012
