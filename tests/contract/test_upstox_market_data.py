"""Recorded and made-up REST answers of Upstox, and what is made of them."""

import asyncio
import json
from collections.abc import AsyncIterator
from datetime import UTC, date, datetime, time
from pathlib import Path
from typing import Any

import httpx
import pytest
import respx

from algoexec.adapters.upstox.limits import LIMITS, RateGovernor, RateGroup
from algoexec.adapters.upstox.market_data import UpstoxMarketData
from algoexec.adapters.upstox.rest import UpstoxRest, http_client
from algoexec.domain.calendar import IST, Calendar, Hours, ist, regular_session
from algoexec.domain.errors import BrokerRefused, DecodeError
from algoexec.domain.instruments import BANK_NIFTY, Future, InstrumentKey, OptionType
from algoexec.domain.market import Bar
from algoexec.domain.options import OptionChain, read_pcr
from algoexec.ports.credentials import AccessToken
from algoexec.ports.market_data import Profile

URL = "https://broker.invalid"
NOW = datetime(2026, 1, 14, 5, 0, 30, tzinfo=UTC)


class Clock:
    """A market clock that stands still."""

    def __init__(self) -> None:
        self.at = NOW

    def now(self) -> datetime:
        return self.at

    async def wait_until(self, at: datetime) -> None:
        await asyncio.sleep(0)
        self.at = max(self.at, at)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
async def data(clock: Clock) -> AsyncIterator[UpstoxMarketData]:
    async with http_client(URL) as http:
        governor = RateGovernor(clock, LIMITS[RateGroup.STANDARD])
        yield UpstoxMarketData(UpstoxRest(http, AccessToken("token"), governor), clock)


@pytest.fixture
def broker() -> Any:
    with respx.mock(base_url=URL) as router:
        yield router


def success(payload: object) -> httpx.Response:
    return httpx.Response(200, json={"status": "success", "data": payload})


def contract(kind: str, expiry: object, strike: float = 0.0, **more: object) -> dict[str, object]:
    return {
        "name": "BANKNIFTY",
        "segment": "NSE_FO",
        "exchange": "NSE",
        "expiry": expiry,
        "instrument_key": f"NSE_FO|{kind}{strike:.0f}{expiry}",
        "trading_symbol": f"BANKNIFTY {strike:.0f} {kind} {expiry}",
        "tick_size": 5.0,
        "lot_size": 30,
        "instrument_type": kind,
        "freeze_quantity": 600.0,
        "underlying_key": BANK_NIFTY,
        "underlying_symbol": "BANKNIFTY",
        "strike_price": strike,
        **more,
    }


def side(key: str, **market: object) -> dict[str, object]:
    return {"instrument_key": key, "market_data": market, "option_greeks": {"delta": 0.5, "iv": 13.34, "vega": 1.0}}


async def test_the_profile_is_the_brokers_user(broker: respx.Router, data: UpstoxMarketData) -> None:
    broker.get("/v2/user/profile").mock(success({"user_id": "AB1234", "user_name": "A Person", "is_active": True}))

    assert await data.profile() == Profile(account="AB1234", name="A Person")


class TestContracts:
    async def test_recorded_instruments_give_the_nearest_expiry(
        self, broker: respx.Router, data: UpstoxMarketData, shared_data: Path
    ) -> None:
        records = json.loads((shared_data / "fixtures" / "upstox_instruments_banknifty_2026-01.json").read_text())
        options = [record for record in records if record["instrument_type"] in ("CE", "PE")]
        broker.get("/v2/option/contract", params={"instrument_key": BANK_NIFTY}).mock(success(options))
        search = broker.get("/v2/instruments/search").mock(
            success([record for record in records if record["instrument_type"] == "FUT"])
        )

        contracts = await data.contracts(BANK_NIFTY, NOW)

        assert contracts.expiry == date(2026, 1, 27)
        assert contracts.future.expiry == date(2026, 1, 27)
        assert (contracts.future.lot, contracts.future.freeze_quantity, contracts.future.tick_size) == (30, 600, 0.2)
        assert {option.tick_size for option in contracts.options} == {0.05}
        assert contracts.option(54_100.0, OptionType.PUT) is not None
        sent = dict(search.calls.last.request.url.params)
        assert sent == {
            "query": "BANKNIFTY",
            "exchanges": "NSE",
            "segments": "FO",
            "instrument_types": "FUT",
            "records": "30",
        }

    async def test_an_expiry_passes_at_the_close_of_its_own_day(
        self, broker: respx.Router, data: UpstoxMarketData
    ) -> None:
        first, second = "2026-01-27", "2026-02-24"
        broker.get("/v2/option/contract").mock(
            success([contract("CE", first, 54_000.0), contract("CE", second, 54_000.0)])
        )
        broker.get("/v2/instruments/search").mock(
            success(
                [
                    contract("FUT", second, tick_size=20),
                    contract("FUT", first, tick_size=20),
                    contract("FUT", first, underlying_key="NSE_INDEX|Nifty 50", instrument_key="NSE_FO|other"),
                ]
            )
        )
        day = date(2026, 1, 27)

        before = await data.contracts(BANK_NIFTY, ist(day, time(15, 29)))
        after = await data.contracts(BANK_NIFTY, ist(day, time(15, 30)))

        assert (before.expiry, before.future.expiry) == (day, day)
        assert after.expiry == date(2026, 2, 24)
        assert after.future == Future(
            key=InstrumentKey("NSE_FO|FUT02026-02-24"),
            name="BANKNIFTY 0 FUT 2026-02-24",
            expiry=date(2026, 2, 24),
            lot=30,
            tick_size=0.2,
            freeze_quantity=600,
        )

    async def test_nothing_listed_is_refused_in_words(self, broker: respx.Router, data: UpstoxMarketData) -> None:
        broker.get("/v2/option/contract").mock(success([]))

        with pytest.raises(BrokerRefused, match="none of the 0 contracts"):
            await data.contracts(BANK_NIFTY, NOW)

    @pytest.mark.parametrize(
        "wrong",
        [
            {"lot_size": "30"},
            {"lot_size": 0},
            {"tick_size": None},
            {"expiry": "soon"},
            {"expiry": 10**18},
            {"instrument_type": "XX"},
        ],
    )
    async def test_a_contract_of_another_shape_makes_no_sense(
        self, broker: respx.Router, data: UpstoxMarketData, wrong: dict[str, object]
    ) -> None:
        broker.get("/v2/option/contract").mock(success([contract("CE", "2026-01-27", 54_000.0) | wrong]))

        with pytest.raises(DecodeError):
            await data.contracts(BANK_NIFTY, NOW)


class TestChain:
    async def test_it_is_sorted_by_strike_and_stamped_on_arrival(
        self, broker: respx.Router, data: UpstoxMarketData
    ) -> None:
        rows = [
            {"strike_price": strike, "underlying_spot_price": 54_012.3, "call_options": side(f"C{strike}", oi=30.0)}
            for strike in (54_100.0, 53_900.0, 54_000.0)
        ]
        rows[0]["put_options"] = side("P", ltp=10.5, volume=60, oi=90.0, bid_price=10.4, ask_price=0)
        broker.get("/v2/option/chain", params={"instrument_key": BANK_NIFTY, "expiry_date": "2026-01-27"}).mock(
            success(rows)
        )

        chain = await data.chain(BANK_NIFTY, date(2026, 1, 27))

        assert [quote.strike for quote in chain.quotes] == [53_900.0, 54_000.0, 54_100.0, 54_100.0]
        assert (chain.at, chain.spot) == (NOW, 54_012.3)
        put = chain.quotes[-1]
        assert put.type is OptionType.PUT
        assert (put.last_price, put.bid, put.ask, put.open_interest, put.volume) == (10.5, 10.4, None, 90, 60)
        assert put.iv == pytest.approx(0.1334)
        assert put.delta == 0.5

    async def test_what_is_absent_is_none_and_zero_open_interest_is_zero(
        self, broker: respx.Router, data: UpstoxMarketData
    ) -> None:
        rows = [
            {
                "strike_price": 54_000.0,
                "call_options": {"instrument_key": "C"},
                "put_options": {
                    "instrument_key": "P",
                    "market_data": {"oi": 0.0},
                    "option_greeks": {"iv": 0, "delta": 0},
                },
            }
        ]
        broker.get("/v2/option/chain").mock(success(rows))

        chain = await data.chain(BANK_NIFTY, date(2026, 1, 27))

        call, put = chain.quotes
        assert call.open_interest is call.last_price is call.iv is call.delta is None
        assert put.open_interest == 0
        assert put.iv is put.delta is None
        assert chain.spot is None

    async def test_an_empty_chain_is_a_chain(self, broker: respx.Router, data: UpstoxMarketData) -> None:
        broker.get("/v2/option/chain").mock(success([]))

        assert await data.chain(BANK_NIFTY, date(2026, 1, 27)) == OptionChain(
            underlying=BANK_NIFTY, expiry=date(2026, 1, 27), at=NOW, spot=None, quotes=()
        )

    async def test_iv_that_is_a_fraction_already_stays_one(self, broker: respx.Router, data: UpstoxMarketData) -> None:
        row = {"strike_price": 1.0, "call_options": side("C") | {"option_greeks": {"iv": 0.35}}}
        broker.get("/v2/option/chain").mock(success([row]))

        assert (await data.chain(BANK_NIFTY, date(2026, 1, 27))).quotes[0].iv == 0.35

    async def test_open_interest_in_parts_of_a_unit_makes_no_sense(
        self, broker: respx.Router, data: UpstoxMarketData
    ) -> None:
        broker.get("/v2/option/chain").mock(success([{"strike_price": 1.0, "call_options": side("C", oi=30.5)}]))

        with pytest.raises(DecodeError, match="oi"):
            await data.chain(BANK_NIFTY, date(2026, 1, 27))

    @pytest.mark.parametrize(
        "name",
        [
            "2024-06-23_42a3929_option-chain.mock.ts.json",
            "2024-06-24_786293c_option-chain.mock.ts.json",
            "2024-06-29_10ae419_option-chain.mock.ts.json",
            "option_chain_nifty_2024-07-25.json",
        ],
    )
    async def test_recorded_chains_are_read(
        self, broker: respx.Router, data: UpstoxMarketData, shared_data: Path, name: str
    ) -> None:
        recorded = json.loads((shared_data / "fixtures" / "upstox_rest" / name).read_text())
        broker.get("/v2/option/chain").mock(httpx.Response(200, json=recorded))
        rows = recorded["data"]
        interest = {
            kind: sum(row[kind]["market_data"]["oi"] for row in rows) for kind in ("call_options", "put_options")
        }

        chain = await data.chain(InstrumentKey("NSE_INDEX|Nifty 50"), date(2024, 7, 25))

        assert len(chain.quotes) == 2 * len(rows)
        assert chain.spot == rows[0]["underlying_spot_price"]
        assert read_pcr(chain).pcr == interest["put_options"] / interest["call_options"]
        assert all(quote.iv is None or 0 < quote.iv < 10 for quote in chain.quotes)


def row(stamp: str, close: float = 101.0, volume: int = 60) -> list[object]:
    return [stamp, 100.0, 102.0, 99.0, close, volume, 0]


class TestBars:
    async def test_the_recorded_reply_is_newest_first_and_comes_out_oldest_first(
        self, broker: respx.Router, data: UpstoxMarketData, shared_data: Path
    ) -> None:
        recorded = json.loads(
            (shared_data / "fixtures" / "upstox_rest" / "2024-06-23_a70615c_intraday.json").read_text()
        )
        broker.get(url__startswith=f"{URL}/v3/historical-candle/intraday/").mock(httpx.Response(200, json=recorded))
        rows = recorded["data"]["candles"]

        bars = await data.bars_today(BANK_NIFTY)

        assert len(bars) == len(rows)
        assert [bar.minute for bar in bars] == sorted(bar.minute for bar in bars)
        newest = rows[0]
        assert bars[-1] == Bar(int(datetime.fromisoformat(newest[0]).timestamp()) // 60, *newest[1:6])

    async def test_the_key_is_encoded_and_today_ends_before_the_running_minute(
        self, broker: respx.Router, data: UpstoxMarketData
    ) -> None:
        stamps = [f"2026-01-14T10:{minute}:00+05:30" for minute in (31, 30, 29, 28)]
        route = broker.get(url__startswith=f"{URL}/v3/").mock(success({"candles": [row(stamp) for stamp in stamps]}))

        bars = await data.bars_today(BANK_NIFTY)

        running = int(NOW.timestamp()) // 60  # 10:30 IST
        assert [bar.minute for bar in bars] == [running - 2, running - 1]
        path = b"/v3/historical-candle/intraday/NSE_INDEX%7CNifty%20Bank/minutes/1"
        assert route.calls.last.request.url.raw_path == path

    async def test_past_days_are_fetched_by_the_month_and_joined(
        self, broker: respx.Router, data: UpstoxMarketData
    ) -> None:
        base = "/v3/historical-candle/NSE_INDEX%7CNifty%20Bank/minutes/1"
        asked: list[str] = []

        def answer(request: httpx.Request) -> httpx.Response:
            asked.append(request.url.raw_path.decode())
            to, first = asked[-1].split("/")[-2:]
            return success({"candles": [row(f"{to}T15:29:00+05:30"), row(f"{first}T09:15:00+05:30")]})

        broker.get(url__startswith=f"{URL}/v3/").mock(side_effect=answer)

        bars = await data.bars(BANK_NIFTY, date(2025, 11, 1), date(2025, 12, 31))

        assert asked == [
            f"{base}/2025-11-28/2025-11-01",
            f"{base}/2025-12-26/2025-11-29",
            f"{base}/2025-12-31/2025-12-27",
        ]
        assert [bar.minute for bar in bars] == sorted(bar.minute for bar in bars)
        assert len(bars) == 6

    async def test_no_days_are_no_calls(self, broker: respx.Router, data: UpstoxMarketData) -> None:
        assert await data.bars(BANK_NIFTY, date(2026, 1, 2), date(2026, 1, 1)) == []

    async def test_a_minute_that_cannot_be_is_left_out(self, broker: respx.Router, data: UpstoxMarketData) -> None:
        rows = [
            row("2026-01-14T09:18:00+05:30"),
            row("2026-01-14T09:17:00+05:30", close=200.0),
            ["2026-01-14T09:16:00+05:30", 0.0, 0.0, 0.0, 0.0, 0, 0],
            row("2026-01-14T09:15:30+05:30"),
        ]
        broker.get(url__startswith=f"{URL}/v3/").mock(success({"candles": rows}))

        (bar,) = await data.bars_today(BANK_NIFTY)

        assert bar.minute * 60 == int(ist(date(2026, 1, 14), time(9, 18)).timestamp())

    @pytest.mark.parametrize(
        "wrong",
        [
            row("2026-01-14T09:15:00"),
            row("yesterday"),
            ["2026-01-14T09:15:00+05:30", 100.0, 102.0],
            ["2026-01-14T09:15:00+05:30", "100", 102.0, 99.0, 101.0, 60, 0],
            {},
        ],
    )
    async def test_a_row_of_another_shape_makes_no_sense(
        self, broker: respx.Router, data: UpstoxMarketData, wrong: object
    ) -> None:
        broker.get(url__startswith=f"{URL}/v3/").mock(success({"candles": [wrong]}))

        with pytest.raises(DecodeError):
            await data.bars_today(BANK_NIFTY)


def milliseconds(on: date, clock: time) -> int:
    return int(ist(on, clock).timestamp() * 1000)


def holiday(on: date, kind: str, closed: list[str], *opened: tuple[str, time, time]) -> dict[str, object]:
    return {
        "date": on.isoformat(),
        "description": "a day",
        "holiday_type": kind,
        "closed_exchanges": closed,
        "open_exchanges": [
            {"exchange": name, "start_time": milliseconds(on, opens), "end_time": milliseconds(on, closes)}
            for name, opens, closes in opened
        ],
    }


@pytest.fixture
def quiet_today(broker: respx.Router) -> None:
    """Today is told nothing special of."""
    broker.get("/v2/market/timings/2026-01-14").mock(success([]))


class TestCalendar:
    @pytest.mark.usefixtures("quiet_today")
    async def test_the_list_of_closed_exchanges_decides(self, broker: respx.Router, data: UpstoxMarketData) -> None:
        closed, settlement, new = date(2026, 3, 3), date(2026, 4, 1), date(2026, 7, 8)
        open_until = ("NFO", time(9, 15), time(15, 30))
        broker.get("/v2/market/holidays").mock(
            success(
                [
                    holiday(closed, "TRADING_HOLIDAY", ["NSE", "NFO"], ("MCX", time(17), time(23, 30))),
                    holiday(settlement, "SETTLEMENT_HOLIDAY", [], open_until),
                    holiday(new, "A_NEW_TYPE", ["NFO"]),
                ]
            )
        )

        calendar = await data.calendar(2026)

        assert calendar.day(closed) is None
        assert calendar.day(settlement) == regular_session(settlement)
        assert calendar.day(new) is None
        assert calendar.day(date(2026, 1, 26)) is not None  # the venue's list overrides the table

    @pytest.mark.usefixtures("quiet_today")
    async def test_a_special_session_has_its_own_hours(self, broker: respx.Router, data: UpstoxMarketData) -> None:
        muhurat = date(2026, 11, 8)
        broker.get("/v2/market/holidays").mock(
            success([holiday(muhurat, "SPECIAL_TIMING", ["NFO"], ("NFO", time(18), time(19)))])
        )

        calendar = await data.calendar(2026)

        assert calendar.special[muhurat] == Hours(opens=time(18), closes=time(19))
        day = calendar.day(muhurat)
        assert day is not None
        assert day.opens_at.astimezone(IST).time() == time(18)

    async def test_for_another_year_the_domains_table_stands(
        self, broker: respx.Router, data: UpstoxMarketData
    ) -> None:
        broker.get("/v2/market/holidays").mock(success([holiday(date(2026, 3, 3), "TRADING_HOLIDAY", ["NFO"])]))

        assert await data.calendar(2025) == Calendar()


class TestToday:
    today = date(2026, 1, 14)

    async def test_todays_own_hours_decide_over_the_years_list(
        self, broker: respx.Router, data: UpstoxMarketData
    ) -> None:
        broker.get("/v2/market/holidays").mock(success([holiday(date(2026, 3, 3), "TRADING_HOLIDAY", ["NFO"])]))
        told = holiday(self.today, "", [], ("NSE", time(9, 15), time(15, 30)), ("NFO", time(11), time(13)))
        broker.get("/v2/market/timings/2026-01-14").mock(success(told["open_exchanges"]))

        calendar = await data.calendar(2026)

        assert calendar.special[self.today] == Hours(opens=time(11), closes=time(13))

    async def test_a_day_on_which_others_trade_and_we_do_not_is_closed(
        self, broker: respx.Router, data: UpstoxMarketData
    ) -> None:
        broker.get("/v2/market/holidays").mock(success([holiday(date(2026, 3, 3), "TRADING_HOLIDAY", ["NFO"])]))
        told = holiday(self.today, "", [], ("MCX", time(17), time(23, 30)))
        broker.get("/v2/market/timings/2026-01-14").mock(success(told["open_exchanges"]))

        assert (await data.calendar(2026)).day(self.today) is None

    async def test_usual_hours_change_nothing(self, broker: respx.Router, data: UpstoxMarketData) -> None:
        broker.get("/v2/market/holidays").mock(success([holiday(date(2026, 3, 3), "TRADING_HOLIDAY", ["NFO"])]))
        told = holiday(self.today, "", [], ("NFO", time(9, 15), time(15, 30)))
        broker.get("/v2/market/timings/2026-01-14").mock(success(told["open_exchanges"]))

        assert (await data.calendar(2026)).day(self.today) == regular_session(self.today)


async def test_the_market_status_is_the_venues_word(broker: respx.Router, data: UpstoxMarketData) -> None:
    broker.get("/v2/market/status/NFO").mock(
        success(
            {"exchange": "NFO", "status": "NORMAL_OPEN", "last_updated": 1_768_367_400_000, "cas_eligible_status": {}}
        )
    )

    assert await data.market_status() == "NORMAL_OPEN"
