"""From a session's effects to the broker, and from the broker's word back to the session.

Each effect is carried out once. What is not known afterwards is looked up, never sent again
(architecture.md §2.5).
"""

import asyncio
from collections.abc import Callable, Iterable, Iterator
from datetime import datetime, timedelta
from itertools import count
from typing import Final, NamedTuple

from algoexec.domain.errors import (
    BrokerError,
    BrokerRefused,
    BrokerUnavailable,
    DecodeError,
    OutcomeUnknown,
    RateLimited,
    TokenRefused,
)
from algoexec.domain.instruments import InstrumentKey
from algoexec.domain.orders import OrderReport, OrderStatus, OrderTicket, Side
from algoexec.engine.effects import CancelOrder, ModifyOrder, OrderEffect, ReadFunds, ReadPosition, SubmitOrder
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
from algoexec.runtime.waiting import insist
from algoexec.telemetry import logger

LOOKUPS_S: Final = (0.5, 1.0, 2.0, 4.0, 8.0, 15.0)
"""Wall seconds after an unknown outcome at which the order is looked for; absent at the last, it was not sent."""

POLL_WITHOUT_STREAM_S: Final = 2.0
POLL_POSITION_S: Final = 4.0
"""Wall seconds between looks at the position while something is held: the account is shared with a person."""
POLL_S: Final = 10.0
"""Wall seconds between looks into the order book while something is working: streams lose what nobody noticed."""


class Held(NamedTuple):
    """What the session holds, in units, and since when, UTC."""

    instrument: InstrumentKey
    units: int
    since: datetime


_URGENCY: Final = {Purpose.ENTRY: Urgency.ENTRY, Purpose.EXIT: Urgency.EXIT}

_log = logger("orders")


class OrderPath:
    """Carries out one session's orders at one account while `run` runs.

    What was under way when it ended is known from the state: the next one looks it up.
    """

    def __init__(
        self,
        broker: Broker,
        *,
        session_id: str,
        tell: Callable[[Event], None],
        may_send: Callable[[], bool],
        is_working: Callable[[], bool],
        is_settled: Callable[[], bool],
        held: Callable[[], Held | None],
        mark: Callable[[InstrumentKey], OptionMark],
    ) -> None:
        """Trade at `broker`.

        `may_send` says whether the session is surely still ours for as long as a request may
        take, `is_working` whether an order of it is open, `is_settled` that none does more than rest,
        `held` what it holds, `mark` what an option is worth now.
        """
        self._broker = broker
        self._prefix = f"{session_id}-"
        self._tell, self._may_send = tell, may_send
        self._is_working, self._is_settled = is_working, is_settled
        self._held, self._mark = held, mark
        self._tasks: asyncio.TaskGroup | None = None
        self._streams = False

    async def run(self, unresolved: Iterable[OrderTicket] = (), questions: Iterable[OrderEffect] = ()) -> None:
        """Follow the account until cancelled, or until the broker refuses the token.

        `unresolved` are orders of which nobody knows whether they were sent, `questions` what
        was asked and perhaps never answered.
        """
        try:
            async with asyncio.TaskGroup() as tasks:
                self._tasks = tasks
                for ticket in unresolved:
                    tasks.create_task(self._look_up(ticket))
                tasks.create_task(self._poll())
                tasks.create_task(self._watch_position())
                for question in questions:
                    self.perform(question)
                await self._broker.follow(self._hear)
        except* TokenRefused as refused:
            self._tell(TokenRejected(detail=str(refused.exceptions[0])))
        finally:
            self._tasks = None

    def perform(self, effect: OrderEffect) -> None:
        """Carry out an effect, beside whatever else is under way; nothing is done before `run`."""
        if self._tasks is None:
            return
        match effect:
            case SubmitOrder(ticket=ticket, purpose=purpose):
                self._tasks.create_task(self._place(ticket, _URGENCY[purpose]))
            case ModifyOrder() | CancelOrder():
                self._tasks.create_task(self._change(effect))
            case ReadPosition(instrument=instrument):
                self._tasks.create_task(self._read_position(instrument))
            case ReadFunds():
                self._tasks.create_task(self._read_funds())

    async def _place(self, ticket: OrderTicket, urgency: Urgency) -> None:
        if not self._may_send():
            self._tell(OrderNotPlaced(id=ticket.id, was_sent=False, detail="this process may not own the session"))
            return
        try:
            order_id = await self._broker.place(ticket, urgency)
        except OutcomeUnknown as unknown:
            self._tell(OutcomeNotKnown(id=ticket.id, detail=str(unknown)))
            await self._look_up(ticket)
        except (TokenRefused, BrokerUnavailable, RateLimited) as unsent:
            self._tell(OrderNotPlaced(id=ticket.id, was_sent=False, detail=str(unsent)))
            if isinstance(unsent, TokenRefused):
                raise
        except BrokerRefused as refused:
            self._tell(OrderNotPlaced(id=ticket.id, was_sent=True, detail=str(refused)))
        else:
            self._tell(OrderReported(report=_accepted(ticket, order_id)))

    async def _change(self, effect: ModifyOrder | CancelOrder) -> None:
        urgency = _URGENCY[effect.purpose]
        try:
            if isinstance(effect, ModifyOrder):
                await self._broker.modify(effect.broker_id, effect.terms, urgency)
            else:
                await self._broker.cancel(effect.broker_id, urgency)
        except OutcomeUnknown as unknown:
            self._tell(ChangeNotMade(id=effect.id, is_unknown=True, detail=str(unknown)))
        except TokenRefused as refused:
            self._tell(ChangeNotMade(id=effect.id, is_unknown=False, detail=str(refused)))
            raise
        except BrokerError as error:
            self._tell(ChangeNotMade(id=effect.id, is_unknown=False, detail=str(error)))
        else:
            return
        # The order may be over already: the book says so sooner than the next try.
        await self._read_book()

    async def _look_up(self, ticket: OrderTicket) -> None:
        """Find out whether the broker has an order; only a book that was read can say that it has not."""
        waited = 0.0
        for due in _lookups():
            await asyncio.sleep(due - waited)
            waited = due
            found = await self._is_found(ticket.id)
            if found:
                return
            if found is False and due >= LOOKUPS_S[-1]:
                self._tell(OrderNotPlaced(id=ticket.id, was_sent=False, detail="the broker does not know it"))
                return

    async def _is_found(self, order_id: str) -> bool | None:
        """Return whether the book has an order, and tell it; None when the book could not be read."""
        reports = await self._read_book()
        return None if reports is None else any(report.id == order_id for report in reports)

    async def _read_book(self) -> list[OrderReport] | None:
        """Tell all of our orders as the book has them; None when it could not be read."""
        try:
            reports = [report for report in await self._broker.orders() if self._is_ours(report)]
        except TokenRefused:
            raise
        except (BrokerError, DecodeError) as error:
            _log.warning("order book not read", error=str(error))
            return None
        for report in reports:
            self._tell(OrderReported(report=report))
        return reports

    async def _poll(self) -> None:
        while True:
            await asyncio.sleep(POLL_S if self._streams else POLL_WITHOUT_STREAM_S)
            if self._is_working():
                await self._read_book()

    async def _watch_position(self) -> None:
        """Look now and then whether what is held still is."""
        while True:
            await asyncio.sleep(POLL_POSITION_S)
            if (held := self._held()) is not None and self._is_settled():
                await self._read_position(held.instrument)

    async def _read_position(self, instrument: InstrumentKey) -> None:
        net = (await insist(self._broker.positions, "positions", _soon)).get(instrument, 0)
        held = self._held()
        elsewhere = None
        if held is not None and held.instrument == instrument and net < held.units:
            elsewhere = await self._sold_elsewhere(held)
        mark = self._mark(instrument)
        self._tell(PositionRead(instrument=instrument, net=net, mark=mark, sold_elsewhere=elsewhere))

    async def _sold_elsewhere(self, held: Held) -> float | None:
        """Return at what others sold since then, on average; None if the book shows nothing of it."""
        reports = await insist(self._broker.orders, "order book", _soon)
        sold = [one for one in reports if one.id is None and one.side is Side.SELL and _concerns(one, held)]
        units = sum(one.filled for one in sold)
        return sum(one.filled_value for one in sold) / units / 100 if units else None

    async def _read_funds(self) -> None:
        self._tell(FundsRead(available=await insist(self._broker.funds, "funds")))

    def _hear(self, news: BrokerNews) -> None:
        match news:
            case UpdatesBegin():
                self._streams = True
                if self._tasks is not None:
                    self._tasks.create_task(self._read_book())
            case UpdatesEnd(detail=detail):
                self._streams = False
                _log.warning("order updates are lost", detail=detail)
            case OrderReport():
                if self._is_ours(news):
                    self._tell(OrderReported(report=news))

    def _is_ours(self, report: OrderReport) -> bool:
        return report.id is not None and report.id.startswith(self._prefix)


def _concerns(report: OrderReport, held: Held) -> bool:
    """Whether an order may have sold what is held; the broker's stamps are whole seconds."""
    begun = held.since - timedelta(seconds=1)
    return report.instrument == held.instrument and (report.at is None or report.at >= begun)


def _lookups() -> Iterator[float]:
    """Yield wall seconds after an unknown outcome at which to look; the last one again until the book can be read."""
    yield from LOOKUPS_S
    yield from count(LOOKUPS_S[-1] + POLL_WITHOUT_STREAM_S, POLL_WITHOUT_STREAM_S)


async def _soon(seconds: float) -> None:
    """Wait, but never long: an exit waits for the answer."""
    await asyncio.sleep(min(seconds, 1.0))


def _accepted(ticket: OrderTicket, order_id: str) -> OrderReport:
    return OrderReport(
        order_id=order_id,
        id=ticket.id,
        instrument=ticket.instrument,
        side=ticket.side,
        status=OrderStatus.PENDING,
        quantity=ticket.quantity,
        filled=0,
        average_price=None,
        price=ticket.price,
        trigger_price=ticket.trigger_price,
    )
