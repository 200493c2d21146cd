"""What the simulator says has the shape of what was recorded from the broker, field by field.

The recordings lie beside the checkout and are read there; without them these tests are skipped.
"""

import json
from collections.abc import AsyncIterator, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, Final

import pytest
import pytest_asyncio
from google.protobuf.json_format import MessageToDict

from algoexec.simulator.server import RunningSimulator
from tests.integration.simulating import INDEX, PROTO, feed, rest, settings, simulator

EXPIRY: Final = "2026-10-27"
FUTURE: Final = "NSE_FO|40001"
CALL: Final = "NSE_FO|41090"
TYPES: Final = ("CE", "PE", "FUT", "INDEX")
NEWER_FIELDS: Final = {
    "data[].call_options.option_greeks.pop",
    "data[].put_options.option_greeks.pop",
}
"""The recorded chains are of 2024; since then the broker tells the probability of a profit, too."""

type Shape = dict[str, set[str]]
"""The JSON types that are found at each place; lists are one place, but for rows of plain values."""

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def running() -> AsyncIterator[RunningSimulator]:
    async with simulator(settings("10:30:30", speed=60.0, rate_limits=False)) as running:
        yield running


@pytest.fixture(scope="module")
def recorded(shared_data: Path) -> Path:
    """Return the folder of the recordings; skip where there is none."""
    return shared_data / "fixtures"


# --- shapes -------------------------------------------------------------------------------------------------------


def shape(value: object) -> Shape:
    """Return the shape of a JSON value; whole numbers and others are told apart."""
    found: Shape = {}
    for place, kind in _leaves(value, ""):
        found.setdefault(place, set()).add(kind)
    return found


def _leaves(value: object, place: str) -> Iterator[tuple[str, str]]:
    match value:
        case Mapping():
            for key, inner in value.items():
                # A key with a bar is an instrument: one is like the other.
                yield from _leaves(inner, f"{place}.{'*' if '|' in key else key}".removeprefix("."))
        case list():
            is_row = not any(isinstance(inner, dict | list) for inner in value)
            for number, inner in enumerate(value):
                yield from _leaves(inner, f"{place}[{number if is_row else ''}]")
        case _:
            yield place, "null" if value is None else type(value).__name__


def loosely(found: Shape) -> Shape:
    """Return a shape in which all numbers are alike: JavaScript writes 250.0 as 250."""
    return {place: {"number" if kind in ("int", "float") else kind for kind in kinds} for place, kinds in found.items()}


def within(found: Shape, place: str) -> Shape:
    """Return what a shape says of one place and below it."""
    return {name: kinds for name, kinds in found.items() if name.startswith(place)}


def load(file: Path) -> Any:
    return json.loads(file.read_text(encoding="utf-8"))


async def told(running: RunningSimulator, path: str, **query: str) -> Any:
    async with rest(running) as client:
        answer = await client.get(path, params=query)
    assert answer.status_code == 200, answer.text
    return answer.json()


async def test_a_shape_is_seen() -> None:
    value = {"a": [{"b": 1}, {"b": 1.5, "c": None}], "d": [["x", 1], ["y", 2]], "NSE_FO|1": True}

    assert shape(value) == {
        "a[].b": {"int", "float"},
        "a[].c": {"null"},
        "d[][0]": {"str"},
        "d[][1]": {"int"},
        "*": {"bool"},
    }
    assert loosely(shape(value))["a[].b"] == {"number"}


# --- REST ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "name",
    [
        "2024-06-23_42a3929_option-chain.mock.ts.json",
        "2024-06-24_786293c_option-chain.mock.ts.json",
        "2024-06-29_10ae419_option-chain.mock.ts.json",
        "option_chain_nifty_2024-07-25.json",
    ],
)
async def test_the_option_chain(running: RunningSimulator, recorded: Path, name: str) -> None:
    chain = shape(await told(running, "/v2/option/chain", instrument_key=INDEX, expiry_date=EXPIRY))
    theirs = shape(load(recorded / "upstox_rest" / name))

    assert set(chain) - set(theirs) == NEWER_FIELDS
    ours = {place: kinds for place, kinds in chain.items() if place not in NEWER_FIELDS}
    assert loosely(ours) == loosely(theirs)
    if name.startswith("option_chain"):  # the only one that was not through JavaScript
        assert ours == theirs


async def test_intraday_candles(running: RunningSimulator, recorded: Path) -> None:
    theirs = load(recorded / "upstox_rest" / "2024-06-23_a70615c_intraday.json")
    ours = await told(running, f"/v3/historical-candle/intraday/{FUTURE}/minutes/1")

    assert loosely(shape(ours)) == loosely(shape(theirs))
    for answer in (ours, theirs):
        stamps = [row[0] for row in answer["data"]["candles"]]
        assert stamps == sorted(stamps, reverse=True), "newest first"
        assert {(len(stamp), stamp[10], stamp[19:]) for stamp in stamps} == {(25, "T", "+05:30")}
    assert within(shape(ours), "data.candles[][5]") == {"data.candles[][5]": {"int"}}


async def test_contracts_and_what_the_search_finds(running: RunningSimulator, recorded: Path) -> None:
    records = load(recorded / "upstox_instruments_banknifty_2026-01.json")
    theirs = {kind: shape([one for one in records if one["instrument_type"] == kind]) for kind in TYPES}
    options = (await told(running, "/v2/option/contract", instrument_key=INDEX))["data"]
    query = {"query": "BANKNIFTY", "records": "30"}
    found = (await told(running, "/v2/instruments/search", **query))["data"]
    found += (await told(running, "/v2/instruments/search", **query, instrument_types="FUT"))["data"]

    for kind in TYPES:
        ours = shape([one for one in [*options, *found] if one["instrument_type"] == kind])
        if kind != "INDEX":
            # A date here; the file of all instruments, of which the recording is a part, has milliseconds.
            assert (ours.pop("[].expiry"), theirs[kind].pop("[].expiry")) == ({"str"}, {"int"})
        assert ours == theirs[kind], kind


async def test_names_of_contracts(running: RunningSimulator, recorded: Path) -> None:
    records = load(recorded / "upstox_instruments_banknifty_2026-01.json")
    options = (await told(running, "/v2/option/contract", instrument_key=INDEX))["data"]

    for one in [*options, *(record for record in records if record["instrument_type"] in ("CE", "PE"))]:
        name, strike, kind, *date = one["trading_symbol"].split(" ")
        assert (name, strike, kind) == ("BANKNIFTY", f"{one['strike_price']:g}", one["instrument_type"])
        assert [len(part) for part in date] == [2, 3, 2]
        assert one["instrument_key"] == f"NSE_FO|{one['exchange_token']}"


# --- the feed -----------------------------------------------------------------------------------------------------


async def live_shape(running: RunningSimulator, keys: Iterable[str], mode: str, frames: int = 120) -> Shape:
    """Return the shape of live frames as the SDK hands them out: a whole 64-bit number is a text there."""
    told: list[Any] = []
    async with feed(running, f"user:{mode}") as client:
        await client.ask("sub", keys, mode)
        await client.initial()
        while len(told) < frames:
            frame = await client.frame()
            if frame.type == PROTO.live_feed:
                told.append(MessageToDict(frame))
    return {place.removeprefix("[]."): kinds for place, kinds in shape(told).items()}


async def test_live_frames_of_last_prices(running: RunningSimulator, recorded: Path) -> None:
    theirs = shape(load(recorded / "upstox_ws_v3" / "ltpc_live_feed_2025-10-08.json"))

    assert await live_shape(running, [INDEX, FUTURE, CALL], "ltpc") == theirs


async def test_live_frames_in_full(running: RunningSimulator, recorded: Path) -> None:
    theirs = shape(load(recorded / "upstox_ws_v3" / "full_live_feed_2025-12-26_trimmed.json"))
    ours = await live_shape(running, [FUTURE, CALL], "full")

    # Whoever recorded it kept the most important fields alone.
    assert {place: ours.get(place) for place in theirs} == theirs
    extra = {place.removeprefix("feeds.*.") for place in set(ours) - set(theirs)}
    inner = {place.removeprefix("fullFeed.marketFF.") for place in extra}
    ohlc = {f"marketOHLC.ohlc[].{name}" for name in ("interval", "open", "high", "low", "close", "vol", "ts")}
    greeks = {f"optionGreeks.{name}" for name in ("delta", "theta", "gamma", "vega", "rho")}
    assert inner == {"requestMode", "atp", "oi", "iv", "tbq", "tsq", *ohlc, *greeks}
    assert ours["feeds.*.requestMode"] == {"str"}
