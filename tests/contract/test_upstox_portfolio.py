"""What Upstox tells of orders, positions and money, read: ours strictly, somebody else's as far as it goes."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any

import httpx
import orjson
import pytest
import respx
from hypothesis import given
from hypothesis import strategies as st
from websockets.asyncio.server import ServerConnection, serve

from algoexec.adapters.upstox.broker import UpstoxBroker
from algoexec.adapters.upstox.limits import LIMITS, RateGovernor, RateGroup
from algoexec.adapters.upstox.order_requests import OrderRequests
from algoexec.adapters.upstox.orders_wire import STATUSES, is_ours, read_order
from algoexec.adapters.upstox.portfolio_feed import PortfolioFeed
from algoexec.adapters.upstox.rest import UpstoxRest, http_client
from algoexec.adapters.upstox.stream import Stream
from algoexec.domain.errors import BrokerRefused, BrokerUnavailable, DecodeError, TokenRefused
from algoexec.domain.instruments import InstrumentKey
from algoexec.domain.orders import OrderReport, OrderStatus, Side
from algoexec.ports.broker import BrokerNews, UpdatesBegin, UpdatesEnd
from algoexec.ports.credentials import AccessToken
from algoexec.simulation.trading.orders import Status
from tests.contract.test_upstox_order_outcomes import API, TOKEN, Clock, error
from tests.contract.trading_places import QUICK, Told

BOOK = "/v2/order/retrieve-all"
POSITIONS = "/v2/portfolio/short-term-positions"
FUNDS = "/v3/user/get-funds-and-margin"
OLD_FUNDS = "/v2/user/get-funds-and-margin"
OURS = "abcdefgh01234567-1z-0"
KEY = InstrumentKey("NSE_FO|45450")


def row(**changes: Any) -> dict[str, Any]:
    """Return a row of the order book as the documentation shows it, but for the changes."""
    return {
        "exchange": "NFO",
        "product": "I",
        "price": 101.05,
        "quantity": 60,
        "status": "open",
        "guid": None,
        "tag": OURS,
        "instrument_token": KEY,
        "placed_by": "AB1234",
        "trading_symbol": "BANKNIFTY 51000 CE 29 DEC 26",
        "tradingsymbol": "BANKNIFTY 51000 CE 29 DEC 26",
        "order_type": "LIMIT",
        "validity": "DAY",
        "trigger_price": 0.0,
        "disclosed_quantity": 0,
        "transaction_type": "BUY",
        "average_price": 0.0,
        "filled_quantity": 0,
        "pending_quantity": 60,
        "status_message": None,
        "status_message_raw": None,
        "exchange_order_id": "1100000000000001",
        "parent_order_id": None,
        "order_id": "261123000000001",
        "variety": "SIMPLE",
        "order_timestamp": "2026-11-23 10:15:00",
        "exchange_timestamp": "2026-11-23 10:15:01",
        "is_amo": False,
        "order_request_id": "1",
        "order_ref_id": "GTT-1",
        **changes,
    }


@pytest.fixture
async def broker() -> AsyncIterator[UpstoxBroker]:
    async def nowhere(_: AccessToken) -> str:
        raise BrokerUnavailable("there is no stream here")

    governor = RateGovernor(Clock(), LIMITS[RateGroup.STANDARD])
    async with http_client(API) as http:
        yield UpstoxBroker(
            UpstoxRest(http, TOKEN, governor),
            OrderRequests(http, TOKEN, governor),
            PortfolioFeed(Stream(nowhere), TOKEN),
        )


def success(data: object) -> httpx.Response:
    return httpx.Response(200, json={"status": "success", "data": data})


# --- one order -----------------------------------------------------------------------------------------------------


def test_an_order_is_read_in_full() -> None:
    told = row(filled_quantity=30, average_price=100.5, status_message="so it is")

    assert read_order(told).report == OrderReport(
        order_id="261123000000001",
        id=OURS,
        instrument=KEY,
        side=Side.BUY,
        status=OrderStatus.OPEN,
        quantity=60,
        filled=30,
        average_price=100.5,
        price=101.05,
        message="so it is",
        at=datetime(2026, 11, 23, 4, 45, 1, tzinfo=UTC),
    )


def test_an_update_of_the_stream_is_read_too_nulls_and_all() -> None:
    nulls = dict.fromkeys(("average_price", "filled_quantity", "pending_quantity", "exchange_timestamp", "price"))
    report = read_order({**row(update_type="order", instrument_key=KEY, order_type="MARKET"), **nulls}).report

    assert (report.filled, report.average_price, report.price) == (0, None, 0.0)
    assert report.at == datetime(2026, 11, 23, 4, 45, tzinfo=UTC)


@pytest.mark.parametrize("wire", [status.value for status in Status])
@pytest.mark.parametrize("spell", [str.lower, str.upper, str.title, lambda word: f" {word} "])
def test_each_of_their_statuses_has_a_meaning_however_it_is_spelled(wire: str, spell: Any) -> None:
    is_complete = wire == "complete"
    read = read_order(row(status=spell(wire), filled_quantity=60 * is_complete, average_price=100.0))

    assert read.unknown is None
    assert read.report.status is STATUSES[wire]
    assert read.report.status.is_final == Status(wire).is_terminal


def test_a_status_nobody_has_heard_of_is_pending_and_pointed_out() -> None:
    read = read_order(row(status="Held By Compliance"))

    assert (read.report.status, read.unknown) == (OrderStatus.PENDING, "Held By Compliance")


@pytest.mark.parametrize(
    "change",
    [
        {"order_id": None},
        {"order_id": ""},
        {"instrument_token": None},
        {"transaction_type": "B"},
        {"status": None},
        {"quantity": 0},
        {"quantity": "60"},
        {"filled_quantity": -30},
        {"filled_quantity": 90, "average_price": 100.0},
        {"filled_quantity": 30, "average_price": None},
        {"filled_quantity": 30, "average_price": float("nan")},
        {"status": "complete", "filled_quantity": 30, "average_price": 100.0},
        {"order_timestamp": "yesterday"},
        {"order_timestamp": 1763877900},
        {"order_timestamp": "0001-01-01 00:00:00"},
    ],
)
async def test_an_order_of_ours_that_makes_no_sense_is_an_error_and_anothers_is_left_out(
    broker: UpstoxBroker, change: dict[str, Any]
) -> None:
    with pytest.raises(DecodeError):
        read_order(row(**change))
    content = orjson.dumps({"status": "success", "data": [row(**change), row()]})
    for tag, is_error in ((OURS, True), ("mine", False), (None, False)):
        with respx.mock(base_url=API) as router:
            router.get(BOOK).respond(content=content.replace(f'"{OURS}"'.encode(), orjson.dumps(tag), 1))
            if is_error:
                with pytest.raises(DecodeError):
                    await broker.orders()
            else:
                assert [report.id for report in await broker.orders()] == [OURS]

    assert broker.unreadable == 2


async def test_what_others_do_in_ways_of_their_own_breaks_nothing(broker: UpstoxBroker) -> None:
    others = [
        row(tag=None, validity="EOS", product="D", order_type="BASKET", variety="CO"),
        row(
            tag="my tag", exchange="BSE", instrument_token="BSE_EQ|INE002A01018", order_timestamp="03-Aug-2026 15:03:42"
        ),
        row(tag=None, status="something new"),
        "no order at all",
    ]
    with respx.mock(base_url=API) as router:
        router.get(BOOK).mock(return_value=success([*others, row()]))
        reports = await broker.orders()

    assert [report.id for report in reports] == [None, None, None, OURS]
    assert (broker.unreadable, broker.unknown_statuses) == (1, 1)


@pytest.mark.parametrize(
    ("tag", "ours"),
    [
        (OURS, True),
        ("abcdefgh01234567-0-12", True),
        ("abcdefgh01234567-0", False),
        ("abcdefgh0123456-0-1", False),
        ("ABCDEFGH01234567-0-1", False),
        ("abcdefgh01234567-0-1\n", False),
        ("abcdefgh01234567-" + 24 * "0" + "-1", False),
        ("", False),
        (None, False),
        (7, False),
    ],
)
def test_a_tag_is_ours_by_its_form(tag: object, ours: bool) -> None:
    assert is_ours(tag) is ours


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=5,
)


@given(st.dictionaries(st.sampled_from(sorted(row())), json_values, max_size=4))
def test_whatever_a_row_holds_it_is_read_or_refused(changes: dict[str, Any]) -> None:
    with suppress(DecodeError):
        read_order(row(**changes))


@given(json_values)
def test_whatever_stands_for_a_row_is_read_or_refused(value: object) -> None:
    with pytest.raises(DecodeError):
        read_order(value)


# --- positions and money -------------------------------------------------------------------------------------------


async def test_positions_are_the_net_units_of_product_i(broker: UpstoxBroker) -> None:
    rows = [
        {"instrument_token": KEY, "product": "I", "quantity": 60, "average_price": None},
        {"instrument_token": KEY, "product": "I", "quantity": -30},
        {"instrument_token": "NSE_FO|2", "product": "I", "quantity": 0},
        {"instrument_token": "NSE_FO|3", "product": "I", "quantity": -30.0},
        {"instrument_token": "NSE_FO|4", "product": "D", "quantity": "many"},
    ]
    with respx.mock(base_url=API) as router:
        router.get(POSITIONS).mock(return_value=success(rows))

        assert await broker.positions() == {KEY: 30, "NSE_FO|3": -30}


@pytest.mark.parametrize("bad", [{"product": "I", "quantity": None}, {"quantity": 30}, [], None, "row"])
async def test_an_intraday_position_that_cannot_be_read_is_an_error(broker: UpstoxBroker, bad: object) -> None:
    held = {"instrument_token": KEY, **bad} if isinstance(bad, dict) else bad
    with respx.mock(base_url=API) as router:
        router.get(POSITIONS).mock(return_value=success([held]))
        with pytest.raises(DecodeError):
            await broker.positions()


NEW = {"available_to_trade": {"total": 9999.0, "cash_available_to_trade": {"total": 1234.565, "cash": {}}}}
OLD = {"equity": {"available_margin": 1000.5, "used_margin": 1.0}}


async def test_funds_are_the_cash_in_paise(broker: UpstoxBroker) -> None:
    with respx.mock(base_url=API) as router:
        router.get(FUNDS).mock(return_value=success(NEW))

        assert await broker.funds() in (123_456, 123_457)


@pytest.mark.parametrize("answer", [httpx.Response(404, json=error("UDAPI100060")), success({}), success(None)])
async def test_where_the_new_funds_are_not_to_be_had_the_old_ones_are_read(
    broker: UpstoxBroker, answer: httpx.Response
) -> None:
    with respx.mock(base_url=API) as router:
        router.get(FUNDS).mock(return_value=answer)
        router.get(OLD_FUNDS, params={"segment": "SEC"}).mock(return_value=success(OLD))

        assert await broker.funds() == 100_050


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        (httpx.Response(401, json=error("UDAPI100050")), TokenRefused),
        (httpx.Response(423, json=error("UDAPI100072")), BrokerUnavailable),
        (httpx.Response(502), BrokerUnavailable),
    ],
)
async def test_no_other_version_helps_against_a_dead_token_or_a_dead_broker(
    broker: UpstoxBroker, answer: httpx.Response, expected: type[Exception]
) -> None:
    with respx.mock(base_url=API) as router:
        router.get(FUNDS).mock(return_value=answer)
        with pytest.raises(expected):
            await broker.funds()


async def test_a_refusal_of_both_is_a_refusal(broker: UpstoxBroker) -> None:
    with respx.mock(base_url=API) as router:
        router.get(FUNDS).mock(return_value=httpx.Response(404, json=error("UDAPI100060")))
        router.get(OLD_FUNDS).mock(return_value=httpx.Response(404, json=error("UDAPI100060")))
        with pytest.raises(BrokerRefused):
            await broker.funds()


# --- the stream ----------------------------------------------------------------------------------------------------


async def told_by(*frames: bytes | str) -> tuple[list[BrokerNews], PortfolioFeed]:
    """Return what a feed tells whose first connection sends these frames and ends."""

    async def send(socket: ServerConnection) -> None:
        for frame in frames:
            await socket.send(frame)

    async with serve(send, "127.0.0.1", 0, compression=None) as server:
        (listener,) = server.sockets

        async def authorize(_: AccessToken) -> str:
            return f"ws://127.0.0.1:{listener.getsockname()[1]}/?code=secret"

        feed, told = PortfolioFeed(Stream(authorize, timing=QUICK), TOKEN), Told()
        task = asyncio.create_task(feed.follow(told))
        await told.until(lambda: told.ended() == 1)
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task
    return told.news[: told.news.index(next(one for one in told.news if isinstance(one, UpdatesEnd)))], feed


def update(**changes: Any) -> str:
    return orjson.dumps({"update_type": "order", **row(instrument_key=KEY), **changes}).decode()


async def test_order_updates_are_told_and_others_passed_over() -> None:
    news, feed = await told_by(
        update(update_type="position"),
        update(update_type="gtt_order"),
        update(status="trigger pending"),
        update(status="cancelled", status_message="by hand").encode(),
    )

    assert isinstance(news[0], UpdatesBegin)
    assert [one.status for one in news if isinstance(one, OrderReport)] == [
        OrderStatus.TRIGGER_PENDING,
        OrderStatus.CANCELLED,
    ]
    assert feed.undecodable == 0


@pytest.mark.parametrize(
    "frame",
    ["", "{", "[]", "null", "{}", '{"update_type": 7}', '{"update_type": "order"}', b"\xff", update(quantity=0)],
)
async def test_a_frame_that_makes_no_sense_is_dropped_and_counted(frame: bytes | str) -> None:
    news, feed = await told_by(frame, update())

    assert [type(one) for one in news] == [UpdatesBegin, OrderReport]
    assert feed.undecodable == 1
    assert feed.last_undecodable


async def test_an_unknown_status_is_told_as_pending_and_counted() -> None:
    news, feed = await told_by(update(status="held"))

    assert [one.status for one in news if isinstance(one, OrderReport)] == [OrderStatus.PENDING]
    assert (feed.undecodable, feed.unknown_statuses) == (0, 1)
