"""The order path: every effect once, every outcome told, what is unknown looked up and never sent again."""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from algoexec.domain.errors import (
    BrokerRefused,
    BrokerUnavailable,
    DecodeError,
    OutcomeUnknown,
    RateLimited,
    TokenRefused,
)
from algoexec.domain.instruments import InstrumentKey
from algoexec.domain.orders import OrderReport, OrderStatus, OrderTerms, OrderTicket, OrderType, Side
from algoexec.engine.effects import CancelOrder, ModifyOrder, ReadFunds, ReadPosition, SubmitOrder
from algoexec.engine.events import (
    ChangeNotMade,
    Event,
    FundsRead,
    OrderNotPlaced,
    OrderReported,
    OutcomeNotKnown,
    PositionRead,
    TokenRejected,
)
from algoexec.engine.trading.marks import OptionMark
from algoexec.engine.trading.orders import Purpose
from algoexec.ports.broker import Broker, BrokerNews, UpdatesBegin, UpdatesEnd, Urgency
from algoexec.runtime import order_path
from algoexec.runtime.order_path import Held, OrderPath

CALL = InstrumentKey("NSE_FO|41082")
SINCE = datetime(2026, 11, 23, 4, 30, tzinfo=UTC)
TICKET = OrderTicket(
    id="session0session0-a-0", instrument=CALL, side=Side.BUY, quantity=30, type=OrderType.LIMIT, price=100.0
)
SUBMIT = SubmitOrder(ticket=TICKET, purpose=Purpose.ENTRY)
MODIFY = ModifyOrder(
    id=TICKET.id, broker_id="B1", terms=OrderTerms(type=OrderType.LIMIT, price=101.0), purpose=Purpose.EXIT
)
CANCEL = CancelOrder(id=TICKET.id, broker_id="B1", purpose=Purpose.ENTRY)


async def until(holds: Callable[[], bool]) -> None:
    """Return once `holds()`; fail after some seconds."""
    async with asyncio.timeout(10):
        while not holds():  # noqa: ASYNC110 - what is waited for tells nobody when it holds
            await asyncio.sleep(0.001)


def report(**changes: Any) -> OrderReport:
    """Return what the broker says of the ticket."""
    said = OrderReport(
        order_id="B1",
        id=TICKET.id,
        instrument=CALL,
        side=Side.BUY,
        status=OrderStatus.OPEN,
        quantity=30,
        filled=0,
        average_price=None,
        price=100.0,
    )
    return replace(said, **changes)


class ScriptedBroker(Broker):
    """Answers what it is told to, and counts what it was sent."""

    def __init__(self) -> None:
        self.outcome: Exception | None = None
        self.read_outcomes: list[Exception] = []
        self.sent: list[tuple[str, Urgency]] = []
        self.book: list[OrderReport] = []
        self.held: dict[InstrumentKey, int] = {}
        self.books_read = 0
        self.tell: Callable[[BrokerNews], None] = lambda _: None
        self.refused = asyncio.Event()

    def _answer(self, what: str, urgency: Urgency) -> None:
        self.sent.append((what, urgency))
        if self.outcome is not None:
            raise self.outcome

    async def place(self, ticket: OrderTicket, urgency: Urgency) -> str:
        self._answer(f"place {ticket.id}", urgency)
        return "B1"

    async def modify(self, order_id: str, terms: OrderTerms, urgency: Urgency) -> None:
        self._answer(f"modify {order_id} {terms.price}", urgency)

    async def cancel(self, order_id: str, urgency: Urgency) -> None:
        self._answer(f"cancel {order_id}", urgency)

    async def orders(self) -> Sequence[OrderReport]:
        self.books_read += 1
        if self.read_outcomes:
            raise self.read_outcomes.pop(0)
        return self.book

    async def positions(self) -> Mapping[InstrumentKey, int]:
        if self.read_outcomes:
            raise self.read_outcomes.pop(0)
        return self.held

    async def funds(self) -> int:
        return 12_345

    async def follow(self, tell: Callable[[BrokerNews], None]) -> None:
        self.tell = tell
        tell(UpdatesBegin())
        await self.refused.wait()
        raise TokenRefused("dead")


class Session:
    """What the path tells, and what it asks."""

    def __init__(self) -> None:
        self.told: list[Event] = []
        self.may_send = True
        self.is_working = False
        self.held: Held | None = None

    def of[T: Event](self, kind: type[T]) -> list[T]:
        """Return what was told of one kind."""
        return [event for event in self.told if isinstance(event, kind)]


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Look things up in milliseconds."""
    monkeypatch.setattr(order_path, "LOOKUPS_S", (0.001, 0.002, 0.004))
    monkeypatch.setattr(order_path, "POLL_WITHOUT_STREAM_S", 0.01)
    monkeypatch.setattr(order_path, "POLL_S", 0.02)
    monkeypatch.setattr(order_path, "POLL_POSITION_S", 0.01)


@asynccontextmanager
async def path(broker: Broker, session: Session, **left: Any) -> AsyncIterator[OrderPath]:
    """Run an order path."""
    made = OrderPath(
        broker,
        session_id="session0session0",
        tell=session.told.append,
        may_send=lambda: session.may_send,
        is_working=lambda: session.is_working,
        is_settled=lambda: not session.is_working,
        held=lambda: session.held,
        mark=lambda _: OptionMark(bid=99.0),
    )
    running = asyncio.create_task(made.run(**left))
    await asyncio.sleep(0)
    try:
        yield made
    finally:
        running.cancel()
        with suppress(asyncio.CancelledError):
            await running


@pytest.fixture
def broker() -> ScriptedBroker:
    return ScriptedBroker()


@pytest.fixture
def session() -> Session:
    return Session()


async def test_an_order_that_is_taken_is_reported_with_the_brokers_number(
    broker: ScriptedBroker, session: Session
) -> None:
    async with path(broker, session) as orders:
        orders.perform(SUBMIT)
        await until(lambda: session.told != [])
    assert session.told == [OrderReported(report=report(status=OrderStatus.PENDING))]
    assert broker.sent == [(f"place {TICKET.id}", Urgency.ENTRY)]


@pytest.mark.parametrize(
    ("error", "was_sent"),
    [(BrokerUnavailable("no route"), False), (RateLimited("too many"), False), (BrokerRefused("no"), True)],
)
async def test_an_order_that_surely_did_not_get_there_is_not_looked_up(
    broker: ScriptedBroker, session: Session, error: Exception, was_sent: bool
) -> None:
    broker.outcome = error
    async with path(broker, session) as orders:
        orders.perform(SUBMIT)
        await until(lambda: session.told != [])
    assert session.told == [OrderNotPlaced(id=TICKET.id, was_sent=was_sent, detail=str(error))]
    assert len(broker.sent) == 1


async def test_an_unknown_outcome_is_found_in_the_book_and_never_sent_again(
    broker: ScriptedBroker, session: Session
) -> None:
    broker.outcome = OutcomeUnknown("cut")
    async with path(broker, session) as orders:
        orders.perform(SUBMIT)
        await until(lambda: broker.books_read >= 2)
        broker.book = [report()]
        await until(lambda: session.of(OrderReported) != [])
    assert session.told[0] == OutcomeNotKnown(id=TICKET.id, detail="cut")
    assert session.told[1] == OrderReported(report=report())
    assert not session.of(OrderNotPlaced)
    assert len(broker.sent) == 1


async def test_only_a_book_that_was_read_says_that_an_order_is_absent(broker: ScriptedBroker, session: Session) -> None:
    broker.outcome = OutcomeUnknown("time-out")
    broker.read_outcomes = [BrokerUnavailable("down") for _ in range(12)] + [DecodeError("noise")]
    async with path(broker, session) as orders:
        orders.perform(SUBMIT)
        await until(lambda: session.of(OrderNotPlaced) != [])
    assert broker.read_outcomes == []
    assert session.of(OrderNotPlaced)[0].was_sent is False
    assert len(broker.sent) == 1


async def test_orders_left_in_the_air_are_looked_up_at_the_start(broker: ScriptedBroker, session: Session) -> None:
    broker.book = [report(status=OrderStatus.COMPLETE, filled=30, average_price=99.5)]
    async with path(broker, session, unresolved=[TICKET]):
        await until(lambda: session.of(OrderReported) != [])
    assert session.of(OrderReported)[0].report.filled == 30
    assert broker.sent == []


async def test_nothing_is_sent_once_the_session_may_belong_to_another(broker: ScriptedBroker, session: Session) -> None:
    session.may_send = False
    async with path(broker, session) as orders:
        orders.perform(SUBMIT)
        await until(lambda: session.told != [])
    assert session.of(OrderNotPlaced)[0].was_sent is False
    assert broker.sent == []


@pytest.mark.parametrize("effect", [MODIFY, CANCEL])
@pytest.mark.parametrize(("error", "is_unknown"), [(BrokerRefused("finished"), False), (OutcomeUnknown("cut"), True)])
async def test_a_change_that_failed_is_told_and_the_book_is_read_at_once(
    broker: ScriptedBroker, session: Session, effect: ModifyOrder | CancelOrder, error: Exception, is_unknown: bool
) -> None:
    broker.outcome = error
    broker.book = [report(status=OrderStatus.COMPLETE, filled=30, average_price=100.0)]
    async with path(broker, session) as orders:
        await until(lambda: broker.books_read == 1)  # that of the stream's beginning
        session.told.clear()
        orders.perform(effect)
        await until(lambda: session.of(OrderReported) != [])
    assert session.told[0] == ChangeNotMade(id=TICKET.id, is_unknown=is_unknown, detail=str(error))
    assert len(broker.sent) == 1


async def test_exits_are_urgent(broker: ScriptedBroker, session: Session) -> None:
    async with path(broker, session) as orders:
        orders.perform(MODIFY)
        await until(lambda: broker.sent != [])
    assert broker.sent == [("modify B1 101.0", Urgency.EXIT)]


async def test_the_book_is_read_when_the_stream_begins_and_while_something_works(
    broker: ScriptedBroker, session: Session
) -> None:
    foreign = report(order_id="B2", id=None)
    others = report(order_id="B3", id="session1session1-a-0")
    broker.book = [foreign, others, report()]
    async with path(broker, session):
        await until(lambda: broker.books_read == 1)
        broker.tell(UpdatesEnd("cut"))
        session.is_working = True
        await until(lambda: broker.books_read >= 3)
        broker.tell(foreign)
        broker.tell(report(filled=15, average_price=100.0))
    assert {event.report.order_id for event in session.of(OrderReported)} == {"B1"}
    assert session.of(OrderReported)[-1].report.filled == 15


async def test_positions_are_asked_for_until_they_are_told(broker: ScriptedBroker, session: Session) -> None:
    broker.held = {CALL: 15}
    async with path(broker, session, questions=[ReadPosition(instrument=CALL), ReadFunds()]):
        await until(lambda: len(session.told) == 2)
    assert PositionRead(instrument=CALL, net=15, mark=OptionMark(bid=99.0)) in session.told
    assert FundsRead(available=12_345) in session.told


async def test_what_somebody_else_sold_is_noticed_with_its_price(broker: ScriptedBroker, session: Session) -> None:
    session.held = Held(CALL, 30, SINCE)
    broker.held = {CALL: 30}
    async with path(broker, session):
        await until(lambda: len(session.of(PositionRead)) >= 2)
        assert {event.sold_elsewhere for event in session.of(PositionRead)} == {None}
        sold = {"id": None, "side": Side.SELL, "status": OrderStatus.COMPLETE}
        broker.book = [
            report(**sold, filled=10, average_price=90.0, at=SINCE + timedelta(minutes=1)),
            report(**sold, filled=30, average_price=5.0, at=SINCE - timedelta(minutes=1)),
            report(**sold, filled=20, average_price=96.0),
            report(**sold | {"id": "session0session0-b-0"}, filled=30, average_price=1.0),
        ]
        broker.held = {}
        await until(lambda: session.of(PositionRead)[-1].net == 0)
    assert session.of(PositionRead)[-1].sold_elsewhere == pytest.approx(94.0)


@pytest.mark.parametrize("while_placing", [False, True])
async def test_a_dead_token_ends_the_path_and_is_told_once(
    broker: ScriptedBroker, session: Session, while_placing: bool
) -> None:
    async with path(broker, session) as orders:
        if while_placing:
            broker.outcome = TokenRefused("dead")
            orders.perform(SUBMIT)
        else:
            broker.refused.set()
        await until(lambda: session.of(TokenRejected) != [])
        orders.perform(SUBMIT)  # nobody carries it out: the next path looks it up
        await asyncio.sleep(0)
    assert session.of(TokenRejected) == [TokenRejected(detail="dead")]
    assert len(broker.sent) == while_placing
