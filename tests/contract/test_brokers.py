"""What every broker does, be it Upstox's API over a socket or paper: one suite over all of them."""

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from algoexec.domain.errors import BrokerRefused
from algoexec.domain.orders import OrderReport, OrderStatus, OrderTerms, OrderType, Side, Validity
from algoexec.ports.broker import UpdatesBegin, Urgency
from algoexec.simulator.server import RunningSimulator
from tests.contract.trading_places import (
    LOT,
    PaperPlace,
    Place,
    at_simulator,
    buy,
    following,
    report,
    through,
    ticket,
)
from tests.integration.simulating import settings, simulator
from tests.integration.trading import STANDING

FAR = 1.0
"""A price that no buy is filled at."""

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def running() -> AsyncIterator[RunningSimulator]:
    async with simulator(settings("10:30:30", speed=STANDING)) as running:
        yield running


@pytest_asyncio.fixture(params=["upstox", "paper"], loop_scope="module")
async def place(request: pytest.FixtureRequest, running: RunningSimulator) -> AsyncIterator[Place]:
    if request.param == "paper":
        yield PaperPlace()
        return
    async with at_simulator(running) as place:
        # A new book: the tests before may have taken what this one wants.
        await place.pass_time(5)
        yield place


async def test_a_buy_at_what_is_asked_is_filled_and_says_at_what_price(place: Place) -> None:
    wanted = ticket(place.instrument, through(place))
    number = await place.broker.place(wanted, Urgency.ENTRY)
    begun = await report(place.broker, number)
    await place.pass_time(1)
    ended = await report(place.broker, number)

    assert begun.status in (OrderStatus.PENDING, OrderStatus.OPEN)
    assert (begun.filled, begun.average_price, begun.filled_value) == (0, None, 0)
    assert (ended.status, ended.filled, ended.quantity) == (OrderStatus.COMPLETE, LOT, LOT)
    assert ended.average_price is not None
    assert 0 < ended.average_price <= wanted.price
    assert (ended.id, ended.instrument, ended.side) == (wanted.id, place.instrument, Side.BUY)
    assert ended.price == wanted.price
    assert ended.at is not None
    assert begun.at is not None
    assert ended.at >= begun.at


async def test_a_buy_far_below_rests_until_it_is_cancelled(place: Place) -> None:
    number = await place.broker.place(ticket(place.instrument, FAR), Urgency.ENTRY)
    await place.pass_time(60)
    rests = await report(place.broker, number)
    await place.broker.cancel(number, Urgency.ENTRY)
    await place.pass_time(1)
    ended = await report(place.broker, number)

    assert (rests.status, rests.filled, rests.price) == (OrderStatus.OPEN, 0, FAR)
    assert (ended.status, ended.filled) == (OrderStatus.CANCELLED, 0)
    assert await place.broker.positions() == {}


async def test_a_resting_order_is_filled_once_its_limit_is_moved_through_the_market(place: Place) -> None:
    number = await place.broker.place(ticket(place.instrument, FAR), Urgency.ENTRY)
    await place.pass_time(1)
    limit = through(place)
    await place.broker.modify(number, OrderTerms(type=OrderType.LIMIT, price=limit), Urgency.ENTRY)
    await place.pass_time(1)
    ended = await report(place.broker, number)

    assert (ended.status, ended.filled, ended.price) == (OrderStatus.COMPLETE, LOT, limit)


async def test_a_price_off_the_grid_is_taken_and_rejected_in_words(place: Place) -> None:
    number = await place.broker.place(ticket(place.instrument, 100.03), Urgency.ENTRY)
    await place.pass_time(1)
    ended = await report(place.broker, number)

    assert (ended.status, ended.filled) == (OrderStatus.REJECTED, 0)
    assert ended.message


async def test_what_is_finished_or_unknown_can_be_neither_changed_nor_cancelled(place: Place) -> None:
    finished = await buy(place)
    for number in (finished, "000"):
        with pytest.raises(BrokerRefused) as refused:
            await place.broker.cancel(number, Urgency.EXIT)
        assert refused.value.code
        with pytest.raises(BrokerRefused):
            await place.broker.modify(number, OrderTerms(type=OrderType.LIMIT, price=FAR), Urgency.EXIT)


async def test_an_order_that_makes_no_sense_is_refused_at_once(place: Place) -> None:
    with pytest.raises(BrokerRefused):
        await place.broker.place(ticket(place.instrument, -1.0), Urgency.ENTRY)

    assert await place.broker.orders() == []


async def test_the_order_of_somebody_else_is_listed_and_has_no_id(place: Place) -> None:
    ours = await place.broker.place(ticket(place.instrument, FAR), Urgency.ENTRY)
    await place.interfere()
    reports = await place.broker.orders()

    assert [one.id for one in reports if one.order_id == ours] != [None]
    assert sum(one.id is None for one in reports) == 1


async def test_a_buy_makes_a_position_and_costs_money_and_a_sale_gives_it_back(place: Place) -> None:
    capital = await place.broker.funds()
    bought = await report(place.broker, await buy(place))
    assert await place.broker.positions() == {place.instrument: LOT}
    spent = capital - await place.broker.funds()
    # Beside the premium there may be charges: less than 200 rupees.
    assert bought.filled_value <= spent < bought.filled_value + 200_00

    price = round(place.price() * 0.95, 0)
    sale = ticket(place.instrument, price, side=Side.SELL)
    number = await place.broker.place(sale, Urgency.EXIT)
    await place.pass_time(1)
    sold = await report(place.broker, number)
    lost = capital - await place.broker.funds()

    assert sold.status is OrderStatus.COMPLETE
    assert await place.broker.positions() == {}
    assert bought.filled_value - sold.filled_value <= lost < bought.filled_value - sold.filled_value + 200_00


async def test_a_waiting_buy_binds_its_premium(place: Place) -> None:
    capital = await place.broker.funds()
    await place.broker.place(ticket(place.instrument, FAR), Urgency.ENTRY)

    assert capital - await place.broker.funds() == round(FAR * LOT * 100)


async def test_what_finds_too_little_is_filled_in_part_and_rests(place: Place) -> None:
    await place.offer_only(LOT)
    number = await place.broker.place(ticket(place.instrument, through(place), quantity=3 * LOT), Urgency.ENTRY)
    await place.pass_time(1)
    part = await report(place.broker, number)
    await place.broker.cancel(number, Urgency.ENTRY)
    await place.pass_time(1)
    ended = await report(place.broker, number)

    assert (part.status, part.filled, part.quantity) == (OrderStatus.OPEN, LOT, 3 * LOT)
    assert (ended.status, ended.filled) == (OrderStatus.CANCELLED, LOT)
    assert ended.average_price == part.average_price
    assert await place.broker.positions() == {place.instrument: LOT}


async def test_what_may_not_rest_ends_with_what_it_finds(place: Place) -> None:
    number = await place.broker.place(ticket(place.instrument, FAR, validity=Validity.IOC), Urgency.EXIT)
    await place.pass_time(1)
    ended = await report(place.broker, number)

    assert (ended.status, ended.filled) == (OrderStatus.CANCELLED, 0)


async def test_a_stop_waits_for_its_trigger_and_is_filled_then(place: Place) -> None:
    trigger = round(place.price() + 0.5, 1)
    wanted = ticket(place.instrument, round(trigger * 1.2, 0), trigger=trigger)
    number = await place.broker.place(wanted, Urgency.ENTRY)
    await place.pass_time(0.1)
    waits = await report(place.broker, number)
    await place.rise_to(trigger)
    await place.pass_time(1)
    ended = await report(place.broker, number)

    assert (waits.status, waits.filled) == (OrderStatus.TRIGGER_PENDING, 0)
    assert ended.status is OrderStatus.COMPLETE


async def resting_stop(place: Place) -> str:
    """Buy, and let a stop far below the market rest; return the stop's number."""
    await buy(place)
    trigger = round(place.price() * 0.5, 0)
    stop = ticket(place.instrument, round(trigger * 0.95, 0), side=Side.SELL, trigger=trigger)
    number = await place.broker.place(stop, Urgency.EXIT)
    await place.pass_time(1)
    return number


async def test_a_resting_stop_says_where_it_rests_and_follows(place: Place) -> None:
    number = await resting_stop(place)
    rests = await report(place.broker, number)
    higher = round(place.price() * 0.6, 0)
    terms = OrderTerms(type=OrderType.SL, price=higher - 5, trigger_price=higher)
    await place.broker.modify(number, terms, Urgency.EXIT)
    await place.pass_time(1)
    moved = await report(place.broker, number)
    await place.broker.cancel(number, Urgency.EXIT)
    await place.pass_time(1)
    ended = await report(place.broker, number)

    assert (rests.status, rests.filled) == (OrderStatus.TRIGGER_PENDING, 0)
    assert rests.trigger_price is not None
    assert rests.trigger_price > rests.price > 0
    assert (moved.status, moved.trigger_price, moved.price) == (OrderStatus.TRIGGER_PENDING, higher, higher - 5)
    assert (ended.status, ended.filled) == (OrderStatus.CANCELLED, 0)


async def test_a_resting_stop_is_sold_by_changing_it_into_a_limit(place: Place) -> None:
    number = await resting_stop(place)
    async with following(place.broker) as told:
        limit = round(place.price() * 0.95, 0)
        await place.broker.modify(number, OrderTerms(type=OrderType.LIMIT, price=limit), Urgency.EXIT)
        await place.pass_time(1)
        await told.until(lambda: any(one.status.is_final for one in told.of(number)))
    ended = await report(place.broker, number)

    assert (ended.status, ended.filled, ended.trigger_price) == (OrderStatus.COMPLETE, LOT, None)
    assert ended.average_price is not None
    assert ended.average_price >= limit
    assert await place.broker.positions() == {}
    assert [one.filled for one in told.of(number)][-1] == LOT


async def test_who_follows_is_told_each_change(place: Place) -> None:
    async with following(place.broker) as told:
        number = await place.broker.place(ticket(place.instrument, FAR), Urgency.ENTRY)
        await place.pass_time(1)
        await told.until(lambda: any(one.status is OrderStatus.OPEN for one in told.of(number)))
        terms = OrderTerms(type=OrderType.LIMIT, price=through(place))
        await place.broker.modify(number, terms, Urgency.ENTRY)
        await place.pass_time(1)
        await told.until(lambda: any(one.status.is_final for one in told.of(number)))
    reports = told.of(number)
    stands = await report(place.broker, number)

    assert isinstance(told.news[0], UpdatesBegin)
    assert reports[0].status is OrderStatus.PENDING
    assert [one.filled for one in reports] == sorted(one.filled for one in reports)
    assert len({one.id for one in reports}) == 1
    assert reports[-1].status is stands.status is OrderStatus.COMPLETE
    assert (reports[-1].filled_value, reports[-1].price) == (stands.filled_value, terms.price)


async def test_a_rejection_is_told_too(place: Place) -> None:
    async with following(place.broker) as told:
        number = await place.broker.place(ticket(place.instrument, 100.03), Urgency.ENTRY)
        await place.pass_time(1)
        await told.until(lambda: any(one.status.is_final for one in told.of(number)))

    assert told.of(number)[-1].status is OrderStatus.REJECTED
    assert told.of(number)[-1].message


async def test_nothing_of_the_past_is_told_to_who_follows_anew(place: Place) -> None:
    async with following(place.broker):
        early = await buy(place)
    missed = await buy(place)
    async with following(place.broker) as told:
        late = await buy(place)
        await told.until(lambda: any(one.status.is_final for one in told.of(late)))

    assert {one.order_id for one in told.news if isinstance(one, OrderReport)} == {late}
    assert {early, missed, late} == {one.order_id for one in await place.broker.orders()}


async def test_an_end_is_told_and_what_happens_before_the_next_beginning_is_not(place: Place) -> None:
    async with following(place.broker) as told:
        first = await buy(place)
        await told.until(lambda: any(one.status.is_final for one in told.of(first)))
        await place.reconnect(told)
        mark = len(told.news)
        second = await buy(place)
        await told.until(lambda: any(one.status.is_final for one in told.of(second)))

    assert told.ended() == told.begun() - 1
    assert not any(isinstance(one, OrderReport) and one.order_id == first for one in told.news[mark:])
