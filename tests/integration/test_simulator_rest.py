"""The simulator's REST side over a real socket."""

from collections.abc import AsyncIterator
from datetime import datetime, timedelta
from typing import Any, Final

import httpx
import pytest
import pytest_asyncio

from algoexec.simulation.generated import generated_day
from algoexec.simulator.server import RunningSimulator, serve
from tests.integration.simulating import AUTHORIZE, INDEX, rest, settings, simulator

FUTURE = "NSE_FO|40001"
CANDLES = "/v3/historical-candle"
NEEDS_TOKEN = [
    "/v2/user/profile",
    f"/v2/option/chain?instrument_key={INDEX}&expiry_date=2026-10-27",
    f"/v2/option/contract?instrument_key={INDEX}",
    "/v2/instruments/search?query=banknifty",
    "/v2/market/status/NFO",
    f"/v2/market-quote/quotes?instrument_key={INDEX}",
    f"/v3/market-quote/ltp?instrument_key={INDEX}",
    AUTHORIZE,
]
PUBLIC = [
    f"{CANDLES}/intraday/{INDEX}/minutes/1",
    f"{CANDLES}/{INDEX}/minutes/1/2026-10-13/2026-10-09",
    "/v2/market/timings/2026-10-14",
    "/v2/market/holidays",
    "/sim/clock",
]


STANDING: Final = 0.001
"""A speed at which the clock does not move while a test asks twice."""

# All ask the same simulator: it is read, never changed.
pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def running() -> AsyncIterator[RunningSimulator]:
    async with simulator(settings("10:30:30", speed=STANDING, rate_limits=False)) as running:
        yield running


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def client(running: RunningSimulator) -> AsyncIterator[httpx.AsyncClient]:
    async with rest(running) as client:
        yield client


def refusal(answer: httpx.Response) -> tuple[int, str]:
    body = answer.json()
    assert body["status"] == "error"
    (error,) = body["errors"]
    for name, spelled in (("errorCode", "error_code"), ("propertyPath", "property_path")):
        assert error[name] == error[spelled]
    assert error["invalidValue"] == error["invalid_value"]
    return answer.status_code, error["error_code"]


async def data(client: httpx.AsyncClient, path: str) -> Any:
    answer = await client.get(path)
    assert answer.status_code == 200, answer.text
    assert answer.json()["status"] == "success"
    return answer.json()["data"]


@pytest.mark.parametrize("path", NEEDS_TOKEN)
async def test_without_a_token_there_is_no_answer(running: RunningSimulator, path: str) -> None:
    async with rest(running, None) as nobody:
        assert refusal(await nobody.get(path)) == (401, "UDAPI100050")


@pytest.mark.parametrize("path", PUBLIC)
async def test_candles_and_calendar_are_public(running: RunningSimulator, path: str) -> None:
    async with rest(running, None) as nobody:
        assert (await nobody.get(path)).status_code == 200


@pytest.mark.parametrize("token", ["bad-token", "expired-today"])
@pytest.mark.parametrize("path", [*NEEDS_TOKEN, *PUBLIC[:-1]])
async def test_a_bad_token_is_refused_everywhere(running: RunningSimulator, path: str, token: str) -> None:
    async with rest(running, token) as bad:
        assert refusal(await bad.get(path)) == (401, "UDAPI100050")


async def test_every_token_is_its_own_user_and_a_name_can_be_given(running: RunningSimulator) -> None:
    users = []
    for token in ("one", "one", "other", "user:ann"):
        async with rest(running, token) as client:
            users.append((await data(client, "/v2/user/profile"))["user_id"])

    assert users[0] == users[1] != users[2]
    assert users[3] == "ann"


async def test_an_unknown_path_is_answered_as_the_broker_does(client: httpx.AsyncClient) -> None:
    assert refusal(await client.get("/v2/nothing/here")) == (404, "UDAPI10000")


async def test_the_chain_has_both_sides_of_every_strike(client: httpx.AsyncClient) -> None:
    rows = await data(client, f"/v2/option/chain?instrument_key={INDEX}&expiry_date=2026-10-27")

    assert len(rows) == 81
    assert [row["strike_price"] for row in rows] == sorted(row["strike_price"] for row in rows)
    for row in rows:
        call, put = row["call_options"], row["put_options"]
        assert row["pcr"] == pytest.approx(put["market_data"]["oi"] / call["market_data"]["oi"], abs=1e-4)
        assert call["market_data"]["bid_price"] < call["market_data"]["ask_price"]
        assert 5 < call["option_greeks"]["iv"] < 60, "in per cent"


async def test_an_expiry_that_is_not_listed_has_an_empty_chain(client: httpx.AsyncClient) -> None:
    assert await data(client, f"/v2/option/chain?instrument_key={INDEX}&expiry_date=2026-10-20") == []


@pytest.mark.parametrize(
    ("path", "code"),
    [
        ("/v2/option/chain?expiry_date=2026-10-27", "UDAPI1009"),
        (f"/v2/option/chain?instrument_key={INDEX}&expiry_date=27-10-2026", "UDAPI1015"),
        ("/v2/option/chain?instrument_key=NSE_INDEX|Nowhere&expiry_date=2026-10-27", "UDAPI100011"),
        (f"{CANDLES}/{INDEX}/minutes/1/2026-10-13/2026-08-01", "UDAPI1148"),
        (f"{CANDLES}/{INDEX}/minutes/30/2026-10-13/2026-05-01", "UDAPI1148"),
        (f"{CANDLES}/{INDEX}/minutes/1/2026-10-09/2026-10-13", "UDAPI1015"),
        (f"{CANDLES}/{INDEX}/seconds/1/2026-10-13", "UDAPI1146"),
        (f"{CANDLES}/{INDEX}/minutes/301/2026-10-13", "UDAPI1147"),
        (f"{CANDLES}/intraday/NSE_FO|1/minutes/1", "UDAPI100011"),
        ("/v2/market/status/NYSE", "UDAPI1089"),
        ("/v3/market-quote/ltp", "UDAPI1009"),
        (f"/v3/market-quote/ohlc?instrument_key={INDEX}&interval=I7", "UDAPI1147"),
    ],
)
async def test_bad_requests_have_the_brokers_codes(client: httpx.AsyncClient, path: str, code: str) -> None:
    assert refusal(await client.get(path)) == (400, code)


async def test_contracts_are_told_in_paise_and_units(client: httpx.AsyncClient) -> None:
    near = await data(client, f"/v2/option/contract?instrument_key={INDEX}&expiry_date=2026-10-27")
    every = await data(client, f"/v2/option/contract?instrument_key={INDEX}")

    assert (len(near), len(every)) == (162, 324)
    assert {(c["tick_size"], c["lot_size"], c["freeze_quantity"]) for c in every} == {(5.0, 30, 600.0)}
    assert near[0]["trading_symbol"] == f"BANKNIFTY {near[0]['strike_price']:g} CE 27 OCT 26"


async def test_the_search_finds_the_futures_nearest_first(client: httpx.AsyncClient) -> None:
    found = await client.get("/v2/instruments/search?query=BANKNIFTY&segments=FO&instrument_types=FUT&records=30")
    body = found.json()

    assert [future["trading_symbol"] for future in body["data"]] == [
        "BANKNIFTY FUT 27 OCT 26",
        "BANKNIFTY FUT 23 NOV 26",
    ]
    assert body["data"][0]["tick_size"] == 20.0
    assert body["meta_data"]["page"] == {"page_number": 1, "total_pages": 1, "records": 2, "total_records": 2}


async def test_the_search_pages_and_narrows(client: httpx.AsyncClient) -> None:
    calls = "/v2/instruments/search?query=banknifty&instrument_types=CE"
    first, second = [await data(client, f"{calls}&records=20&page_number={page}") for page in (1, 2)]
    atm = await data(client, f"{calls}&expiry=current_month&atm_offset=0")

    assert {c["instrument_key"] for c in first}.isdisjoint(c["instrument_key"] for c in second)
    assert [c["expiry"] for c in atm] == ["2026-10-27"]


async def test_todays_candles_come_newest_first_and_end_with_the_running_minute(client: httpx.AsyncClient) -> None:
    candles = (await data(client, f"{CANDLES}/intraday/{INDEX}/minutes/1"))["candles"]
    starts = [datetime.fromisoformat(row[0]) for row in candles]

    assert starts == sorted(starts, reverse=True)
    assert starts[0].isoformat() == "2026-10-14T10:30:00+05:30"
    assert starts[-1].isoformat() == "2026-10-14T09:15:00+05:30"
    bars = {bar.minute: bar for bar in generated_day().index}
    for start, row in list(zip(starts, candles, strict=True))[1:]:
        assert row[1:] == [*bars[int(start.timestamp()) // 60][1:5], 0, 0]


async def test_past_candles_are_those_of_the_earlier_days(client: httpx.AsyncClient) -> None:
    path = "NSE_INDEX%7CNifty%20Bank/minutes/1/2026-10-14/2026-10-12"
    index = (await data(client, f"{CANDLES}/{path}"))["candles"]
    future = (await data(client, f"{CANDLES}/{FUTURE}/minutes/1/2026-10-13/2026-10-13"))["candles"]

    assert sorted({row[0][:10] for row in index}) == ["2026-10-12", "2026-10-13"], "today is not history"
    assert len(index) == 2 * 375
    assert [row[5] for row in future[::-1]] == [bar.volume for bar in generated_day().earlier[-1].future]


async def test_longer_candles_are_made_of_shorter_ones(client: httpx.AsyncClient) -> None:
    base = f"{CANDLES}/{FUTURE}"
    minutes = (await data(client, f"{base}/minutes/1/2026-10-13/2026-10-13"))["candles"]
    quarters = (await data(client, f"{base}/minutes/15/2026-10-13/2026-10-13"))["candles"]
    (day,) = (await data(client, f"{base}/days/1/2026-10-13/2026-10-13"))["candles"]

    assert quarters[-1][0] == "2026-10-13T09:15:00+05:30"
    first = minutes[-15:]
    assert quarters[-1][1:6] == [
        first[-1][1],
        max(row[2] for row in first),
        min(row[3] for row in first),
        first[0][4],
        sum(row[5] for row in first),
    ]
    assert day[0] == "2026-10-13T00:00:00+05:30"
    assert day[5] == sum(row[5] for row in minutes)


async def test_quotes_are_keyed_by_symbol(client: httpx.AsyncClient) -> None:
    quotes = await data(client, f"/v2/market-quote/quotes?symbol={FUTURE},{INDEX}")

    assert list(quotes) == ["NSE_FO:BANKNIFTY26OCTFUT", "NSE_INDEX:Nifty Bank"]
    future, index = quotes.values()
    assert (future["instrument_token"], index["instrument_token"]) == (FUTURE, INDEX)
    assert [len(future["depth"][side]) for side in ("buy", "sell")] == [5, 5]
    assert index["depth"] == {"buy": [], "sell": []}
    last = await data(client, f"/v3/market-quote/ltp?instrument_key={FUTURE}")
    assert last["NSE_FO:BANKNIFTY26OCTFUT"]["last_price"] == future["last_price"]
    assert future["volume"] == last["NSE_FO:BANKNIFTY26OCTFUT"]["volume"] > 0


async def test_bars_on_request_are_those_of_the_candles(client: httpx.AsyncClient) -> None:
    candles = (await data(client, f"{CANDLES}/intraday/{FUTURE}/minutes/1"))["candles"]
    path = f"/v3/market-quote/ohlc?instrument_key={FUTURE}&interval=I1"
    (quote,) = (await data(client, path)).values()

    for bar, row in ((quote["live_ohlc"], candles[0]), (quote["prev_ohlc"], candles[1])):
        start = datetime.fromtimestamp(bar["ts"] / 1000, datetime.fromisoformat(row[0]).tzinfo)
        assert [start.isoformat(), bar["open"], bar["high"], bar["low"], bar["close"], bar["volume"]] == row[:6]


async def test_greeks_are_told_of_at_most_50_options_and_iv_as_a_fraction(client: httpx.AsyncClient) -> None:
    contracts = await data(client, f"/v2/option/contract?instrument_key={INDEX}&expiry_date=2026-10-27")
    keys = [contract["instrument_key"] for contract in contracts]

    greeks = await data(client, f"/v3/market-quote/option-greek?instrument_key={','.join(keys[60:110])}")
    assert len(greeks) == 50
    assert all(0.05 < quote["iv"] < 0.6 for quote in greeks.values())
    too_many = await client.get(f"/v3/market-quote/option-greek?instrument_key={','.join(keys[:51])}")
    assert too_many.status_code == 400


async def test_holidays_tell_what_is_closed(client: httpx.AsyncClient) -> None:
    holidays = {holiday["date"]: holiday for holiday in await data(client, "/v2/market/holidays")}

    assert holidays["2026-11-24"]["holiday_type"] == "TRADING_HOLIDAY"
    assert "NFO" in holidays["2026-11-24"]["closed_exchanges"]
    assert holidays["2026-04-01"]["closed_exchanges"] == [], "a settlement holiday closes nothing"
    assert holidays["2026-02-01"]["holiday_type"] == "SPECIAL_TIMING"
    assert await data(client, "/v2/market/holidays/2026-11-24") == [holidays["2026-11-24"]]
    assert await data(client, "/v2/market/holidays/2026-11-25") == []


async def test_timings_tell_both_closes(client: httpx.AsyncClient) -> None:
    timings = {row["exchange"]: row for row in await data(client, "/v2/market/timings/2026-10-14")}

    assert timings["NFO"]["end_time"] - timings["NSE"]["end_time"] == 25 * 60_000
    assert await data(client, "/v2/market/timings/2026-10-17") == []


async def test_the_status_is_that_of_the_market_time(client: httpx.AsyncClient) -> None:
    assert (await data(client, "/v2/market/status/NFO"))["status"] == "NORMAL_OPEN"


async def test_the_clock_tells_market_time_and_instance(client: httpx.AsyncClient) -> None:
    clock = (await client.get("/sim/clock")).json()

    now = datetime.fromisoformat(clock["now"])
    assert now.utcoffset() == timedelta(hours=5, minutes=30)
    assert round(now.timestamp() * 1000) == clock["now_ms"]
    assert (now.hour, now.minute, clock["speed"]) == (10, 30, STANDING)


async def test_two_runs_of_a_day_are_two_instances() -> None:
    async with simulator() as one, simulator() as other:
        assert one.broker.instance != other.broker.instance


async def test_the_51st_call_of_a_second_is_one_too_many() -> None:
    async with simulator(settings(speed=STANDING)) as running, rest(running) as client:
        answers = [(await client.get("/v2/user/profile")).status_code for _ in range(51)]

    assert answers == [200] * 50 + [429]


async def test_it_serves_loopback_only() -> None:
    with pytest.raises(ValueError, match="loopback"):
        async with serve(generated_day(), settings(), _NoClock(), host="0.0.0.0"):  # noqa: S104 - refused
            pass


async def test_a_taken_port_is_an_error_at_once(running: RunningSimulator) -> None:
    port = int(running.url.rpartition(":")[2])
    with pytest.raises(OSError, match="in use"):
        async with serve(generated_day(), settings(), _NoClock(), port=port):
            pass


class _NoClock:
    """It is never reached."""

    def now(self) -> datetime:
        raise AssertionError

    def monotonic(self) -> float:
        raise AssertionError
