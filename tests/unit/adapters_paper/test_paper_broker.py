"""What paper does beyond what every broker does: live quotes, market time, a restart."""

from dataclasses import replace
from datetime import timedelta

import pytest

from algoexec.adapters.paper.broker import PaperBroker
from algoexec.domain.errors import BrokerRefused, BrokerUnavailable, DomainError
from algoexec.domain.instruments import BANK_NIFTY, Contracts, InstrumentKey
from algoexec.domain.market import Book, Quote
from algoexec.domain.orders import OrderStatus, OrderTerms, OrderType, Side
from algoexec.ports.broker import Urgency
from algoexec.simulation.trading.paper import LOST, PaperRules
from algoexec.simulation.trading.quoted import QuotedMarket
from tests.contract.trading_places import (
    CAPITAL,
    DAY,
    LOT,
    HandClock,
    PaperPlace,
    buy,
    contracts,
    following,
    option,
    report,
    through,
    ticket,
    trading_day,
)

FUTURE_KEY = contracts().future.key
OTHER = InstrumentKey("NSE_FO|41091")


def milliseconds(count: int) -> float:
    return count / 1000


@pytest.fixture
def place() -> PaperPlace:
    return PaperPlace()


# --- time ----------------------------------------------------------------------------------------------------------


async def test_an_order_takes_its_time_by_the_market_clock(place: PaperPlace) -> None:
    number = await place.broker.place(ticket(place.instrument, through(place)), Urgency.ENTRY)
    await place.pass_time(milliseconds(39))
    before = await report(place.broker, number)
    await place.pass_time(milliseconds(1))

    assert before.status is OrderStatus.PENDING
    assert (await report(place.broker, number)).status is OrderStatus.COMPLETE


async def test_who_follows_is_told_when_it_happens_without_another_quote(place: PaperPlace) -> None:
    async with following(place.broker) as told:
        number = await place.broker.place(ticket(place.instrument, through(place)), Urgency.ENTRY)
        assert [one.status for one in told.of(number)] == [OrderStatus.PENDING]
        await place.pass_time(milliseconds(40))

        assert told.of(number)[-1].status is OrderStatus.COMPLETE


async def test_an_order_meets_the_quote_that_stood_when_it_arrived(place: PaperPlace) -> None:
    number = await place.broker.place(ticket(place.instrument, 105.0), Urgency.ENTRY)
    # Before it arrives the price goes down, and up after: nobody looks until then.
    place.clock.move(place.clock.at + timedelta(milliseconds=20))
    place.last = 90.0
    place.quote()
    place.clock.move(place.clock.at + timedelta(milliseconds=500))
    place.last = 104.0
    place.quote()

    assert (await report(place.broker, number)).average_price == 90.5


async def test_a_quote_ahead_of_the_clock_moves_the_time_and_one_behind_does_not_turn_it_back(
    place: PaperPlace,
) -> None:
    begun = place.clock.at
    number = await place.broker.place(ticket(place.instrument, 105.0), Urgency.ENTRY)
    place.clock.at = begun + timedelta(seconds=5)
    place.quote()
    place.clock.at = begun
    place.last = 90.0
    place.quote()
    ended = await report(place.broker, number)

    assert (ended.status, ended.average_price) == (OrderStatus.COMPLETE, 100.5)


async def test_the_latency_can_be_set() -> None:
    place = PaperPlace(rules=PaperRules(latency_ms=500))
    number = await place.broker.place(ticket(place.instrument, through(place)), Urgency.ENTRY)
    await place.pass_time(milliseconds(499))

    assert (await report(place.broker, number)).status is OrderStatus.PENDING


async def test_product_i_is_squared_off_in_the_afternoon_by_nobody_of_ours(place: PaperPlace) -> None:
    await place.interfere()
    await place.pass_time(1)
    bought, closed = await place.broker.orders()

    assert (closed.id, closed.side, closed.status) == (None, Side.SELL, OrderStatus.COMPLETE)
    assert bought.id is not None
    assert await place.broker.positions() == {}


async def test_outside_hours_an_order_is_refused(place: PaperPlace) -> None:
    await place.pass_time(6 * 3600)
    with pytest.raises(BrokerRefused) as refused:
        await place.broker.place(ticket(place.instrument, 100.0), Urgency.ENTRY)

    assert refused.value.code == "MARKET_CLOSED"


# --- quotes --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("terms", [OrderType.LIMIT, OrderType.SL])
async def test_what_has_no_price_yet_is_not_traded(terms: OrderType) -> None:
    place = PaperPlace()
    wanted = replace(ticket(OTHER, 100.0), type=terms, trigger_price=99.0 if terms is OrderType.SL else None)
    with pytest.raises(BrokerUnavailable):
        await place.broker.place(wanted, Urgency.ENTRY)

    assert await place.broker.orders() == []


@pytest.mark.parametrize("key", [BANK_NIFTY, FUTURE_KEY, InstrumentKey("NSE_FO|1")])
async def test_only_options_are_traded(place: PaperPlace, key: InstrumentKey) -> None:
    with pytest.raises(BrokerRefused) as refused:
        await place.broker.place(ticket(key, 100.0), Urgency.ENTRY)

    assert refused.value.code == "UNKNOWN_INSTRUMENT"


async def test_what_was_taken_of_a_book_is_not_there_again_until_it_changes(place: PaperPlace) -> None:
    await place.offer_only(LOT)
    first = await buy(place)
    second = await buy(place)
    await place.pass_time(1)
    place.quote()  # the same again: nothing has happened
    rests = await report(place.broker, second)
    await place.pass_time(1)
    place.offered = 2 * LOT
    place.quote()

    assert (await report(place.broker, first)).filled == LOT
    assert (rests.status, rests.filled) == (OrderStatus.OPEN, 0)
    assert (await report(place.broker, second)).status is OrderStatus.COMPLETE


async def test_a_resting_order_is_filled_by_trades_that_go_through_it(place: PaperPlace) -> None:
    number = await place.broker.place(ticket(place.instrument, 99.8, quantity=3 * LOT), Urgency.ENTRY)
    await place.pass_time(1)
    place.last = 99.7
    await place.pass_time(1)
    place.quote(traded=2 * LOT)
    ended = await report(place.broker, number)

    assert (ended.status, ended.filled, ended.average_price) == (OrderStatus.OPEN, 2 * LOT, 99.8)


async def test_two_quotes_of_one_millisecond_are_both_seen(place: PaperPlace) -> None:
    number = await place.broker.place(ticket(place.instrument, 95.0), Urgency.ENTRY)
    await place.pass_time(1)
    place.quote()
    for last in (97.0, 94.0):
        place.last = last
        place.quote()

    assert (await report(place.broker, number)).status is OrderStatus.COMPLETE


@pytest.mark.parametrize("book", [None, Book(), Book(99.5, 300, None, None), Book(99.5, 300, 100.0, 0)])
async def test_where_nobody_offers_anything_nothing_is_bought(place: PaperPlace, book: Book | None) -> None:
    quote = Quote(instrument=place.instrument, received_at=0, price=100.0, told_book=book)
    place.broker.quoted(quote, place.clock.at + timedelta(milliseconds=1))
    number = await buy(place)

    assert (await report(place.broker, number)).status is OrderStatus.OPEN


async def test_a_market_order_is_protected_as_at_the_broker(place: PaperPlace) -> None:
    number = await buy(place)
    sale = replace(ticket(place.instrument, 0.0, side=Side.SELL), type=OrderType.MARKET)
    sold = await place.broker.place(sale, Urgency.EXIT)
    await place.pass_time(1)

    assert (await report(place.broker, number)).status is OrderStatus.COMPLETE
    ended = await report(place.broker, sold)
    assert (ended.status, ended.price, ended.average_price) == (OrderStatus.COMPLETE, 0.0, 99.5)


async def test_the_margin_of_a_short_follows_the_index(place: PaperPlace) -> None:
    sale = ticket(place.instrument, 99.0, side=Side.SELL)
    place.quote(spot=50_000.0)
    await place.broker.place(sale, Urgency.ENTRY)
    bound = CAPITAL - await place.broker.funds()
    place.quote(spot=55_000.0)

    assert bound == 50_000 * LOT * 12
    assert CAPITAL - await place.broker.funds() == 55_000 * LOT * 12


async def test_more_than_there_is_money_for_is_rejected(place: PaperPlace) -> None:
    number = await place.broker.place(ticket(place.instrument, 2_000.0, quantity=600), Urgency.ENTRY)
    ended = await report(place.broker, number)

    assert ended.status is OrderStatus.REJECTED
    assert ended.message is not None
    assert "Margin" in ended.message


async def test_a_position_can_be_sold_and_a_stop_be_turned_into_a_limit(place: PaperPlace) -> None:
    await buy(place)
    stop = ticket(place.instrument, 89.0, side=Side.SELL, trigger=90.0)
    number = await place.broker.place(stop, Urgency.EXIT)
    await place.pass_time(1)
    assert (await report(place.broker, number)).status is OrderStatus.TRIGGER_PENDING
    await place.broker.modify(number, OrderTerms(type=OrderType.LIMIT, price=99.0), Urgency.EXIT)
    await place.pass_time(1)

    assert (await report(place.broker, number)).average_price == 99.5


# --- a restart -----------------------------------------------------------------------------------------------------


async def test_after_a_restart_positions_stand_and_working_orders_are_lost(place: PaperPlace) -> None:
    await buy(place)
    number = await place.broker.place(ticket(place.instrument, 1.0), Urgency.ENTRY)
    await place.pass_time(1)
    working = await report(place.broker, number)
    cash = await place.broker.funds() + 30_00  # what the order had bound is free again

    again = PaperPlace(held=await place.broker.positions(), lost=[working])
    (lost,) = await again.broker.orders()
    assert lost == replace(working, status=OrderStatus.CANCELLED, message=LOST)
    assert await again.broker.positions() == {place.instrument: LOT}
    with pytest.raises(BrokerRefused):
        await again.broker.cancel(number, Urgency.EXIT)

    sale = ticket(place.instrument, 99.0, side=Side.SELL)
    await again.broker.place(sale, Urgency.EXIT)
    await again.pass_time(1)
    assert await again.broker.positions() == {}
    assert await again.broker.funds() == CAPITAL + 9950 * LOT
    assert cash == CAPITAL - 10050 * LOT


async def test_numbers_are_new_after_a_restart(place: PaperPlace) -> None:
    first = await place.broker.place(ticket(place.instrument, 1.0), Urgency.ENTRY)
    place.clock.at += timedelta(milliseconds=1)
    again = PaperBroker(place.clock, trading_day(), contracts(), capital=CAPITAL)
    again.quoted(Quote(instrument=place.instrument, received_at=0, price=100.0), place.clock.at)

    assert await again.place(ticket(place.instrument, 1.0), Urgency.ENTRY) != first


async def test_a_short_position_is_taken_over_as_one() -> None:
    place = PaperPlace(held={option().key: -LOT, OTHER: 0})

    assert await place.broker.positions() == {option().key: -LOT}
    assert await place.broker.funds() < CAPITAL


def test_what_is_held_must_be_listed() -> None:
    with pytest.raises(DomainError):
        PaperPlace(held={InstrumentKey("NSE_FO|1"): LOT})


# --- its market ----------------------------------------------------------------------------------------------------


def quote(price: float | None = 100.0, **more: object) -> Quote:
    return Quote(instrument=option().key, received_at=0, price=price, **more)  # type: ignore[arg-type]


def test_of_the_trades_between_two_quotes_the_last_one_counts() -> None:
    market = QuotedMarket(contracts())
    views = [
        market.take(one, at)
        for at, one in enumerate(
            [
                quote(volume=1_000, traded_quantity=90),
                quote(volume=1_000, traded_quantity=90),
                quote(volume=1_030, traded_quantity=90),
                quote(volume=1_330, traded_quantity=60),
                quote(volume=900, traded_quantity=60, open_interest=1.0),
                quote(traded_at=7, traded_quantity=60),
                quote(traded_at=8, traded_quantity=30),
            ]
        )
    ]

    assert [None if view is None else view.traded for view in views] == [0, None, 30, 60, None, 60, 30]


def test_a_quote_without_a_price_is_none() -> None:
    market = QuotedMarket(contracts())

    assert market.take(quote(None), 1) is None
    assert not market.has_price(option().key)
    assert market.view(option().key, 1).book is None
    assert list(market.views(option().key, 0, 10)) == []


def test_before_the_index_is_quoted_the_spot_is_the_highest_strike() -> None:
    market = QuotedMarket(contracts())
    assert market.spot(0) == 51_100.0

    market.take(Quote(instrument=BANK_NIFTY, received_at=0), 0)
    assert market.spot(0) == 51_100.0
    market.take(Quote(instrument=BANK_NIFTY, received_at=0, price=50_000.0), 0)
    assert market.spot(0) == 50_000.0


async def test_what_expires_is_settled_at_the_close() -> None:
    listed = contracts()
    due = Contracts(
        underlying=BANK_NIFTY,
        future=listed.future,
        expiry=DAY,
        options=tuple(replace(one, expiry=DAY) for one in listed.options),
    )
    close = trading_day().closes_at
    clock = HandClock(close - timedelta(minutes=5))
    broker = PaperBroker(clock, trading_day(), due, capital=0, held={option().key: LOT})
    broker.quoted(Quote(instrument=BANK_NIFTY, received_at=0, price=51_250.0), clock.at)
    clock.at = close

    assert await broker.positions() == {}
    assert await broker.funds() == 250_00 * LOT
