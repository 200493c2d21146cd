"""The official SDK reads everything from the simulator: the proof that the simulator speaks Upstox.

The SDK is synchronous and runs in threads of its own; the simulator in the test's event loop.
"""

from collections.abc import AsyncIterator, Callable
from datetime import date, datetime
from typing import Any, Final

import pytest
import pytest_asyncio
import upstox_client
from upstox_client.rest import ApiException

from algoexec.simulation.generated import generated_day
from algoexec.simulator.server import RunningSimulator
from tests.contract.official_sdk import API_VERSION, Heard, aimed_at, api_client, read
from tests.integration.simulating import INDEX, settings, simulator

FUTURE: Final = "NSE_FO|40001"
EXPIRY: Final = "2026-10-27"
__all__ = ["aimed_at"]

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def running() -> AsyncIterator[RunningSimulator]:
    async with simulator(settings("10:30:30", speed=1.0, idle_ping_s=0.2)) as running:
        yield running


@pytest.fixture(scope="module")
def api(running: RunningSimulator) -> Any:
    return api_client(running)


async def test_the_profile(api: Any) -> None:
    profile = await read(upstox_client.UserApi(api).get_profile, API_VERSION)

    assert (profile.user_id, profile.broker, profile.is_active) == ("sdk", "UPSTOX", True)


async def test_option_contracts(api: Any) -> None:
    options = upstox_client.OptionsApi(api)
    contracts = await read(options.get_option_contracts, INDEX)
    near = await read(options.get_option_contracts, INDEX, expiry_date=EXPIRY)

    assert sorted({contract.expiry.date() for contract in contracts}) == [date(2026, 10, 27), date(2026, 11, 23)]
    assert {(c.lot_size, c.tick_size, c.freeze_quantity, c.instrument_type) for c in near} == {
        (30, 5.0, 600.0, "CE"),
        (30, 5.0, 600.0, "PE"),
    }


async def test_the_option_chain(api: Any) -> None:
    rows = await read(upstox_client.OptionsApi(api).get_put_call_option_chain, INDEX, EXPIRY)

    assert len(rows) == 81
    puts = sum(row.put_options.market_data.oi for row in rows)
    calls = sum(row.call_options.market_data.oi for row in rows)
    assert 0.6 < puts / calls < 1.4
    assert rows[40].call_options.option_greeks.iv > 5
    assert rows[40].underlying_spot_price == pytest.approx(rows[40].strike_price, rel=0.02)


async def test_the_search(api: Any) -> None:
    search = upstox_client.InstrumentsApi(api).search_instrument
    found = await read(search, "BANKNIFTY", segments="FO", instrument_types="FUT", exchanges="NSE")

    assert [row["instrument_key"] for row in found] == [FUTURE, "NSE_FO|40002"]


async def test_candles_of_past_days_and_of_today(api: Any) -> None:
    history = upstox_client.HistoryV3Api(api)
    past = await read(history.get_historical_candle_data1, INDEX, "minutes", 1, "2026-10-13", "2026-10-09")
    today = await read(history.get_intra_day_candle_data, INDEX, "minutes", "1")

    assert len(past.candles) == 3 * 375
    day = generated_day()
    assert past.candles[0][1:5] == list(day.earlier[-1].index[-1][1:5])
    assert today.candles[-1][1:5] == list(day.index[0][1:5])


async def test_quotes(api: Any) -> None:
    quotes, quotes_v3 = upstox_client.MarketQuoteApi(api), upstox_client.MarketQuoteV3Api(api)
    name = "NSE_FO:BANKNIFTY26OCTFUT"
    full = (await read(quotes.get_full_market_quote, FUTURE, API_VERSION))[name]
    ltp = (await read(quotes.ltp, FUTURE, API_VERSION))[name]
    ohlc = (await read(quotes.get_market_quote_ohlc, FUTURE, "1d", API_VERSION))[name]
    ltp_v3 = (await read(quotes_v3.get_ltp, instrument_key=FUTURE))[name]
    ohlc_v3 = (await read(quotes_v3.get_market_quote_ohlc, "I1", instrument_key=FUTURE))[name]
    full_v3 = (await read(quotes_v3.get_full_market_quote_v3, instrument_key=FUTURE))[name]

    assert {q.instrument_token for q in (full, ltp, ohlc, ltp_v3, ohlc_v3, full_v3)} == {FUTURE}
    assert len(full.depth.buy) == len(full.depth.sell) == 5
    assert full.depth.buy[0].price < full.last_price < full.depth.sell[0].price
    assert ltp_v3.volume >= full.volume > 0
    assert ohlc_v3.live_ohlc.ts - ohlc_v3.prev_ohlc.ts == 60_000
    assert ohlc.ohlc.low <= ltp.last_price <= ohlc.ohlc.high
    assert full_v3.prev_close_price == pytest.approx(full.last_price, rel=0.03)


async def test_greeks(api: Any) -> None:
    chain = await read(upstox_client.OptionsApi(api).get_put_call_option_chain, INDEX, EXPIRY)
    keys = ",".join(row.call_options.instrument_key for row in chain[30:50])
    greeks = await read(upstox_client.MarketQuoteV3Api(api).get_market_quote_option_greek, instrument_key=keys)

    assert len(greeks) == 20
    assert all(0 < quote.delta < 1 and 0 < quote.iv < 1 for quote in greeks.values())


async def test_status_timings_and_holidays(api: Any) -> None:
    market = upstox_client.MarketHolidaysAndTimingsApi(api)
    status = await read(market.get_market_status, "NFO")
    timings = await read(market.get_exchange_timings, "2026-10-14")
    holidays = await read(market.get_holidays)
    (one,) = await read(market.get_holiday, "2026-11-24")

    assert status.status == "NORMAL_OPEN"
    assert {"NSE", "NFO"} <= {timing.exchange for timing in timings}
    assert len(holidays) > 16
    assert one.holiday_type == "TRADING_HOLIDAY"
    assert "NFO" in one.closed_exchanges


async def test_a_refusal_is_the_sdks_own_exception(running: RunningSimulator) -> None:
    refused = api_client(running, "expired-token")
    with pytest.raises(ApiException) as raised:
        await read(upstox_client.UserApi(refused).get_profile, API_VERSION)

    assert raised.value.status == 401
    assert b"UDAPI100050" in raised.value.body


async def test_the_authorized_address(api: Any) -> None:
    data = await read(upstox_client.WebsocketApi(api).get_market_data_feed_authorize_v3)

    assert data.authorized_redirect_uri.startswith("ws://127.0.0.1:")


async def test_the_streamer_is_redirected_and_reads_every_mode(
    running: RunningSimulator, api: Any, aimed_at: Callable[[RunningSimulator], None]
) -> None:
    aimed_at(running)
    chain = await read(upstox_client.OptionsApi(api).get_put_call_option_chain, INDEX, EXPIRY)
    option = chain[40].call_options.instrument_key
    streamer = upstox_client.MarketDataStreamerV3(api, [INDEX, FUTURE, option], "full")
    streamer.auto_reconnect(False)
    heard = Heard(streamer)
    try:
        streamer.connect()
        await heard.until("open")
        info = await heard.message()
        assert info["type"] == "market_info"
        assert info["marketInfo"]["segmentStatus"]["NSE_FO"] == "NORMAL_OPEN"

        snapshot = await heard.message()
        assert "type" not in snapshot, "initial_feed is the default, which the SDK drops"
        assert set(snapshot["feeds"]) == {INDEX, FUTURE, option}
        full = snapshot["feeds"][option]["fullFeed"]["marketFF"]
        assert len(full["marketLevel"]["bidAskQuote"]) == 5
        assert set(full["optionGreeks"]) == {"delta", "theta", "gamma", "vega", "rho"}
        assert [bar["interval"] for bar in full["marketOHLC"]["ohlc"]] == ["1d", "I1"]

        live = await heard.message(lambda m: INDEX in m["feeds"])
        assert live["type"] == "live_feed"
        ltpc = live["feeds"][INDEX]["fullFeed"]["indexFF"]["ltpc"]
        assert datetime.fromtimestamp(int(ltpc["ltt"]) / 1000, running.broker.exchange.day.session.opens_at.tzinfo)

        streamer.change_mode([option], "option_greeks")
        first = (await heard.message(lambda m: "firstLevelWithGreeks" in m["feeds"].get(option, {})))["feeds"][option]
        assert first["requestMode"] == "option_greeks"
        streamer.unsubscribe([FUTURE, option])
        streamer.subscribe([FUTURE], "ltpc")
        assert "ltpc" in (await heard.message(lambda m: "ltpc" in m["feeds"].get(FUTURE, {})))["feeds"][FUTURE]
    finally:
        streamer.disconnect()
        await heard.until("close")


async def test_the_streamer_stops_at_once_on_a_bad_token(
    running: RunningSimulator, aimed_at: Callable[[RunningSimulator], None]
) -> None:
    aimed_at(running)
    streamer = upstox_client.MarketDataStreamerV3(api_client(running, "bad-token"), [INDEX], "ltpc")
    heard = Heard(streamer)
    streamer.connect()

    (error,) = await heard.until("error")
    assert "401 Unauthorized" in str(error), "the words that the SDK looks for"
    await heard.until("close")


async def test_a_second_streamer_of_the_same_user_is_refused(
    running: RunningSimulator, aimed_at: Callable[[RunningSimulator], None]
) -> None:
    aimed_at(running)
    token = "user:twice"
    first = upstox_client.MarketDataStreamerV3(api_client(running, token), [INDEX], "ltpc")
    second = upstox_client.MarketDataStreamerV3(api_client(running, token), [INDEX], "ltpc")
    first.auto_reconnect(False)
    second.auto_reconnect(False)
    heard, refused = Heard(first), Heard(second)
    try:
        first.connect()
        await heard.message()
        second.connect()
        (error,) = await refused.until("error")
        assert "403" in str(error)
    finally:
        # Its thread ends by itself within 10 s: so long the SDK sleeps on a quiet socket.
        first.disconnect()
