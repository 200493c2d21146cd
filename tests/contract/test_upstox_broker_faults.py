"""Trading at a simulator that fails on purpose: what the adapter says is what happened."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
import pytest_asyncio

from algoexec.adapters.system_clock import SystemMarketClock
from algoexec.adapters.upstox.limits import Limit, RateGovernor
from algoexec.adapters.upstox.order_requests import OrderRequests
from algoexec.adapters.upstox.orders_wire import place_body
from algoexec.adapters.upstox.stream import FeedTiming
from algoexec.adapters.upstox.venue import SimulatorVenue
from algoexec.domain.errors import (
    AlgoexecError,
    BrokerRefused,
    BrokerUnavailable,
    OutcomeUnknown,
    RateLimited,
    TokenRefused,
)
from algoexec.domain.orders import OrderReport, OrderStatus, OrderTerms, OrderType
from algoexec.ports.broker import Urgency
from algoexec.ports.credentials import AccessToken
from algoexec.simulator.server import RunningSimulator
from tests.contract.trading_places import QUICK, SimulatorPlace, Told, at_simulator, buy, following, ticket
from tests.integration.faulting import start
from tests.integration.simulating import settings, simulator
from tests.integration.trading import CALL, CANCEL, MODIFY, PLACE, STANDING, pass_time

FAR = 1.0
STREAM = "/v2/feed/portfolio-stream-feed"

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def running() -> AsyncIterator[RunningSimulator]:
    async with simulator(settings("10:30:30", speed=STANDING)) as running:
        yield running


@pytest_asyncio.fixture(loop_scope="module")
async def place(running: RunningSimulator) -> AsyncIterator[SimulatorPlace]:
    pass_time(running, 5)
    async with at_simulator(running) as place:
        yield place


async def befall(place: SimulatorPlace, do: dict[str, Any], **when: Any) -> None:
    """Let a fault strike this user's next occasion."""
    await start(place.running, {"when": {"user": place.user, "count": 1, **when}, "do": do}, name=f"for-{place.user}")


FAULTS = [
    ({"cut": "before"}, OutcomeUnknown, False),
    ({"cut": "after"}, OutcomeUnknown, True),
    ({"cut": "midway"}, OutcomeUnknown, True),
    ({"answer": {"status": 504, "accepted": True}}, OutcomeUnknown, True),
    ({"answer": {"status": 503}}, OutcomeUnknown, False),
    ({"answer": {"status": 500, "body": "empty"}}, OutcomeUnknown, False),
    ({"answer": {"status": 403, "body": "html"}}, OutcomeUnknown, False),
    ({"answer": {"status": 200, "body": "garbage", "accepted": True}}, OutcomeUnknown, True),
    ({"answer": {"status": 200, "body": "empty", "accepted": True}}, OutcomeUnknown, True),
    ({"answer": 401}, TokenRefused, False),
    ({"answer": 403}, BrokerRefused, False),
    ({"answer": 423}, BrokerRefused, False),
    ({"answer": 429}, RateLimited, False),
    ({"answer": {"status": 400, "code": "UDAPI100036"}}, BrokerRefused, False),
]


@pytest.mark.parametrize(("do", "expected", "is_done"), FAULTS)
async def test_an_order_whose_answer_is_lost_is_found_by_its_tag_and_was_sent_once(
    place: SimulatorPlace, do: dict[str, Any], expected: type[AlgoexecError], is_done: bool
) -> None:
    wanted = ticket(CALL, FAR)
    await befall(place, do, path=PLACE)
    with pytest.raises(AlgoexecError) as caught:
        await place.broker.place(wanted, Urgency.ENTRY)

    assert type(caught.value) is expected
    assert [report.id for report in await place.broker.orders()] == [wanted.id] * is_done


@pytest.mark.parametrize(("do", "expected", "is_done"), FAULTS)
async def test_a_cancel_whose_answer_is_lost_may_have_been_done(
    place: SimulatorPlace, do: dict[str, Any], expected: type[AlgoexecError], is_done: bool
) -> None:
    number = await place.broker.place(ticket(CALL, FAR), Urgency.ENTRY)
    await place.pass_time(1)
    await befall(place, do, path=CANCEL)
    with pytest.raises(AlgoexecError) as caught:
        await place.broker.cancel(number, Urgency.EXIT)
    await place.pass_time(1)
    (report,) = await place.broker.orders()

    assert type(caught.value) is expected
    assert report.status is (OrderStatus.CANCELLED if is_done else OrderStatus.OPEN)


async def test_a_change_is_slow_and_comes_through(place: SimulatorPlace) -> None:
    number = await place.broker.place(ticket(CALL, FAR), Urgency.ENTRY)
    await place.pass_time(1)
    await befall(place, {"latency": {"before_ms": 20, "after_ms": 20}}, path=MODIFY)
    await place.broker.modify(number, OrderTerms(type=OrderType.LIMIT, price=2.0), Urgency.ENTRY)
    await place.pass_time(1)
    (report,) = await place.broker.orders()

    assert (report.status, report.price) == (OrderStatus.OPEN, 2.0)


async def test_where_nobody_answers_the_door_nothing_was_sent() -> None:
    async with simulator(settings("10:30:30", speed=STANDING)) as running:
        venue = SimulatorVenue(running.url)
        await venue.name()
        broker = venue.broker(AccessToken("user:ann"))
    with pytest.raises(BrokerUnavailable):
        await broker.place(ticket(CALL, FAR), Urgency.ENTRY)
    await venue.aclose()


async def test_an_answer_that_is_too_late_leaves_an_order_to_be_looked_up(place: SimulatorPlace) -> None:
    token = AccessToken(f"user:{place.user}")
    wanted = ticket(CALL, FAR)
    await befall(place, {"latency": {"after_ms": 2_000}}, path=PLACE)
    async with httpx.AsyncClient(base_url=place.running.url, timeout=0.2) as hasty:
        requests = OrderRequests(hasty, token, RateGovernor(SystemMarketClock(), [Limit(1, 1.0)]))
        with pytest.raises(OutcomeUnknown, match="ReadTimeout"):
            await requests.send("POST", PLACE, Urgency.ENTRY, body=place_body(wanted))

    assert [report.id for report in await place.broker.orders()] == [wanted.id]


async def test_a_filled_order_cannot_be_cancelled_any_more(place: SimulatorPlace) -> None:
    number = await place.broker.place(ticket(CALL, FAR), Urgency.ENTRY)
    await place.pass_time(1)
    await befall(place, {"fills_before_cancel": {}})
    with pytest.raises(BrokerRefused) as refused:
        await place.broker.cancel(number, Urgency.EXIT)
    (report,) = await place.broker.orders()

    assert refused.value.code == "UDAPI100040"
    assert report.status is OrderStatus.COMPLETE


async def test_a_rejection_by_risk_management_comes_as_a_report(place: SimulatorPlace) -> None:
    await befall(place, {"reject": "RMS:Margin Exceeds"})
    async with following(place.broker) as told:
        number = await buy(place)
        await told.until(lambda: any(one.status.is_final for one in told.of(number)))

    assert (told.of(number)[-1].status, told.of(number)[-1].message) == (OrderStatus.REJECTED, "RMS:Margin Exceeds")


# --- the budget ----------------------------------------------------------------------------------------------------


async def test_more_orders_than_a_second_takes_wait_here_and_none_is_refused_there() -> None:
    async with simulator(settings("10:30:30", speed=10.0)) as running:
        venue = SimulatorVenue(running.url, silence=0.01)
        await venue.name()
        broker = venue.broker(AccessToken("user:ann"))
        async with asyncio.TaskGroup() as tasks:
            for n in range(24):
                tasks.create_task(broker.place(ticket(CALL, FAR), Urgency.EXIT if n % 3 else Urgency.ENTRY))
        assert len(await broker.orders()) == 24
        await venue.aclose()


# --- the stream ----------------------------------------------------------------------------------------------------


async def final(told: Told, number: str) -> OrderReport:
    await told.until(lambda: any(one.status.is_final for one in told.of(number)))
    return told.of(number)[-1]


@pytest.mark.parametrize("do", [{"garbage_frame": {}}, {"truncated_frame": {}}])
async def test_a_frame_without_meaning_is_dropped_and_the_next_one_told(
    place: SimulatorPlace, do: dict[str, Any]
) -> None:
    async with following(place.broker) as told:
        await befall(place, do, path=STREAM)
        ended = await final(told, await buy(place))

    assert ended.status is OrderStatus.COMPLETE
    assert told.ended() == 0


@pytest.mark.parametrize("code", [1000, 1001, 1006, 1011, 1012])
async def test_a_connection_that_is_closed_in_whatever_way_is_opened_anew(place: SimulatorPlace, code: int) -> None:
    async with following(place.broker) as told:
        await befall(place, {"close": code}, path=STREAM)
        await buy(place)
        await told.until(lambda: told.begun() == 2)
        ended = await final(told, await buy(place))

    assert told.ended() == 1
    assert ended.status is OrderStatus.COMPLETE


async def test_a_connection_that_is_dead_without_a_word_is_noticed(running: RunningSimulator) -> None:
    timing = FeedTiming(
        first_delay=0.01, longest_delay=0.05, ping_every=0.05, ping_timeout=0.05, close_timeout=0.05, open_timeout=2.0
    )
    venue = SimulatorVenue(running.url, timing=timing)
    await venue.name()
    place = SimulatorPlace(running, venue.broker(AccessToken("user:half")), "half")
    async with following(place.broker) as told:
        await befall(place, {"half_open": {}}, path=STREAM)
        await buy(place)
        await told.until(lambda: told.begun() == 2)
        ended = await final(told, await buy(place))
    await venue.aclose()

    assert told.ended() == 1
    assert ended.status is OrderStatus.COMPLETE


async def test_updates_that_come_twice_or_out_of_order_are_told_as_they_come(place: SimulatorPlace) -> None:
    await start(
        place.running,
        {"when": {"user": place.user}, "do": {"duplicate_update": 1}},
        {"when": {"user": place.user, "status": "open", "count": 1}, "do": {"reorder_update": {}}},
        name=f"for-{place.user}",
    )
    async with following(place.broker) as told:
        number = await buy(place)
        await told.until(lambda: sum(one.status.is_final for one in told.of(number)) == 2)


async def test_a_token_that_is_refused_ends_the_following(running: RunningSimulator) -> None:
    venue = SimulatorVenue(running.url, timing=QUICK)
    await venue.name()
    told = Told()
    with pytest.raises(TokenRefused):
        await venue.broker(AccessToken("bad-token")).follow(told)
    await venue.aclose()

    assert (told.begun(), told.ended()) == (0, 1)


async def test_a_stream_that_cannot_be_opened_says_so_once_until_it_can(place: SimulatorPlace) -> None:
    told = Told()
    await start(
        place.running,
        {"when": {"user": place.user, "path": f"{STREAM}/authorize", "count": 5}, "do": {"answer": 503}},
        name=f"for-{place.user}",
    )
    task = asyncio.create_task(place.broker.follow(told))
    await told.until(lambda: told.begun() == 1)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task

    assert told.ended() == 1


async def test_while_one_broker_follows_another_may_too(place: SimulatorPlace) -> None:
    async with following(place.broker) as first:
        venue = SimulatorVenue(place.running.url, timing=QUICK)
        await venue.name()
        async with following(venue.broker(AccessToken(f"user:{place.user}"))) as second:
            number = await buy(place)
            assert (await final(first, number)).filled == (await final(second, number)).filled
        await venue.aclose()
