"""Market data on request that cannot be true: quotes, chains, candles, as a client gets them."""

from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
import pytest_asyncio

from algoexec.simulation.generated import generated_day
from algoexec.simulator.server import RunningSimulator
from tests.integration.faulting import start
from tests.integration.simulating import INDEX, rest, settings, simulator

FUTURE = generated_day().futures[0].contract.key
CHAIN = f"/v2/option/chain?instrument_key={INDEX}&expiry_date=2026-10-27"
CANDLES = "/v3/historical-candle"
QUOTES = "/v2/market-quote/quotes?instrument_key="

# One simulator that stands at 10:30:30; each test begins its script anew.
pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def running() -> AsyncIterator[RunningSimulator]:
    async with simulator(settings("10:30:30", speed=0.001, rate_limits=False)) as running:
        yield running


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def client(running: RunningSimulator) -> AsyncIterator[httpx.AsyncClient]:
    async with rest(running) as client:
        yield client


async def data(client: httpx.AsyncClient, path: str) -> Any:
    answer = await client.get(path)
    assert answer.status_code == 200, answer.text
    return answer.json()["data"]


async def minutes(client: httpx.AsyncClient, path: str) -> list[str]:
    return sorted(row[0][11:16] for row in (await data(client, path))["candles"])


@pytest.mark.parametrize(
    ("shape", "zero_bid", "zero_ask"),
    [("zero", True, True), ("crossed", False, False), ("no_bids", True, False), ("no_asks", False, True)],
)
async def test_a_quote_has_a_wrong_book(
    running: RunningSimulator, client: httpx.AsyncClient, shape: str, *, zero_bid: bool, zero_ask: bool
) -> None:
    await start(running, {"when": {"instrument": "BANKNIFTY FUT 27*"}, "do": {"book": shape}})

    near, far = (await data(client, f"{QUOTES}{FUTURE},NSE_FO|40002")).values()
    best_bid, best_ask = near["depth"]["buy"][0], near["depth"]["sell"][0]
    assert near["last_price"] > 0
    assert (best_bid["price"] == 0, best_ask["price"] == 0) == (zero_bid, zero_ask)
    if shape == "crossed":
        assert best_bid["price"] > best_ask["price"]
    assert 0 < far["depth"]["buy"][0]["price"] < far["depth"]["sell"][0]["price"], "another instrument is well"


async def test_a_wrong_book_is_in_the_chain_too(running: RunningSimulator, client: httpx.AsyncClient) -> None:
    await start(running, {"when": {"instrument": "BANKNIFTY * CE *"}, "do": {"book": "zero"}})

    for row in await data(client, CHAIN):
        assert row["call_options"]["market_data"]["ask_price"] == 0
        assert row["put_options"]["market_data"]["ask_price"] > 0


async def test_a_book_is_wrong_for_a_time(running: RunningSimulator, client: httpx.AsyncClient) -> None:
    for times, is_wrong in [({"from": "10:30", "until": "10:31"}, True), ({"from": "10:31"}, False)]:
        await start(running, {"when": times, "do": {"book": "zero"}})
        (quote,) = (await data(client, f"{QUOTES}{FUTURE}")).values()
        assert (quote["depth"]["buy"][0]["price"] == 0) is is_wrong


async def test_a_chain_has_no_open_interest_or_no_strikes(running: RunningSimulator, client: httpx.AsyncClient) -> None:
    shapes = ("zero_oi", "no_oi", "empty")
    await start(running, *({"when": {"count": 1}, "do": {"chain": shape}} for shape in shapes))

    zero, missing, empty, true = [await data(client, CHAIN) for _ in range(4)]
    assert {row["pcr"] for row in zero} == {0.0}
    for side in ("call_options", "put_options"):
        assert {row[side]["market_data"]["oi"] for row in zero} == {0.0}
        assert not [row for row in missing if "oi" in row[side]["market_data"]]
        assert all(row[side]["market_data"]["ltp"] > 0 for row in [*zero, *missing])
    assert not [row for row in missing if "pcr" in row]
    assert empty == []
    assert all(row["call_options"]["market_data"]["oi"] > 0 for row in true)


async def test_candles_of_today_lack_minutes_once(running: RunningSimulator, client: httpx.AsyncClient) -> None:
    path = f"{CANDLES}/intraday/{INDEX}/minutes/1"
    gap = {"from": "10:03", "until": "10:06"}
    await start(running, {"when": {"count": 1, "instrument": INDEX}, "do": {"candle_gap": gap}})

    other = await minutes(client, f"{CANDLES}/intraday/{FUTURE}/minutes/1")
    wrong, true = [await minutes(client, path) for _ in range(2)]
    assert "10:03" in other
    assert sorted(set(true) - set(wrong)) == ["10:03", "10:04", "10:05"]
    assert wrong[-1] == true[-1] == "10:30"


async def test_the_newest_candle_is_not_there_yet(running: RunningSimulator, client: httpx.AsyncClient) -> None:
    path = f"{CANDLES}/intraday/{FUTURE}/minutes/1"
    await start(running, {"when": {"path": "*/intraday/*"}, "do": {"candle_gap": {"newest": 2}}})

    assert (await minutes(client, path))[-1] == "10:28"


async def test_history_lacks_minutes_of_every_day(running: RunningSimulator, client: httpx.AsyncClient) -> None:
    path = f"{CANDLES}/{INDEX}/minutes/1/2026-10-13/2026-10-12"
    await start(running, {"do": {"candle_gap": {"from": "09:15", "until": "12:00"}}})

    told = await minutes(client, path)
    assert told[0] == "12:00"
    assert len(told) == 2 * (375 - 165)
