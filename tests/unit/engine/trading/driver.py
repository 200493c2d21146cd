"""A trading session and a scripted broker: what the tests of trading drive."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, time, timedelta
from functools import cache
from typing import Any, Final

from algoexec.domain.calendar import TradingDay, ist, regular_session
from algoexec.domain.instruments import InstrumentKey
from algoexec.domain.market import MINUTE, Candle
from algoexec.domain.orders import OrderReport, OrderStatus, Side
from algoexec.domain.signals import Signal
from algoexec.engine.effects import (
    Alert,
    Effect,
    EntryOffered,
    EntryRefused,
    Frame,
    PositionChanged,
    SubmitOrder,
    TradeClosed,
)
from algoexec.engine.events import (
    CandleClosed,
    ChainPolled,
    DayPrepared,
    DeadlinePassed,
    EntryApproved,
    EntryDeclined,
    Event,
    FeedChanged,
    FeedStatus,
    FundsRead,
    Marked,
    Mode,
    OrderReported,
    PositionRead,
    Record,
    WarmedUp,
)
from algoexec.engine.signals import base36
from algoexec.engine.state import EngineState
from algoexec.engine.step import changes, next_deadline, step
from algoexec.engine.trading.marks import IndexMark, OptionMark
from algoexec.engine.trading.orders import OwnOrder
from algoexec.engine.trading.risk import Refusal
from algoexec.engine.trading.rules import Approval, TradeRules
from algoexec.engine.trading.tally import Tally
from algoexec.engine.trading.trade import Stage, Trade, TradingState
from algoexec.engine.transition import Transition
from algoexec.strategy.parameters import Parameters
from tests.strategies import DAY, candle, contracts, created, reading

CALL: Final = InstrumentKey("CALL 50000")
PUT: Final = InstrumentKey("PUT 50000")
UP: Final = (50_000.0, 50_040.0, 50_000.0, 50_040.0)
"""Bought through: calls for a call. Its index stop is 49 939.92, its index target 50 240.16."""
DOWN: Final = (50_000.0, 50_000.0, 49_960.0, 49_960.0)
STEEPLY_DOWN: Final = (50_000.0, 50_000.0, 49_800.0, 49_800.0)
"""Enough to turn the trend that one `UP` has made."""
READY: Final = ist(DAY, time(9, 45))
PARAMETERS: Final = Parameters(lock_minutes=0, enabled=0b11_00_00_00_00)
"""Momentum alone, whenever it shows."""
PLENTY: Final = 300_000_00
ASK_ME: Final = TradeRules(approval=Approval.MANUAL)


class Session:
    """A session under way: hands events to `step` as a runner does, and keeps what comes of them.

    After each step it is asked what the passing of its deadline would do: something, always.
    """

    def __init__(self, at: datetime, event: Event) -> None:
        self.records: list[Record] = []
        self.effects: list[Effect] = []
        self.frames: list[Frame] = []
        self.state: EngineState
        self.now = at
        self._take(None, Record(seq=1, at=at, event=event))

    def copy(self) -> "Session":
        """Return another one that stands where this one does."""
        other = object.__new__(Session)
        other.records, other.effects, other.frames = list(self.records), list(self.effects), list(self.frames)
        other.state, other.now = self.state, self.now
        return other

    def _take(self, state: EngineState | None, record: Record) -> Transition:
        moved = step(state, record)
        if changes(state, moved):
            self.state = moved.state
            self.records.append(record)
            self.effects += moved.effects
            self.frames += moved.frames
            require_new_ids(state, moved)
            require_that_deadlines_pass(moved.state)
        return moved

    def meet(self, event: Event, after: float = 0.0) -> Transition:
        """Meet one event, so many seconds after the last."""
        return self.meet_at(self.now + timedelta(seconds=after), event)

    def meet_at(self, at: datetime, event: Event) -> Transition:
        """Meet one event at a moment of its own."""
        self.now = at
        return self._take(self.state, Record(seq=self.state.seq + 1, at=at, event=event))

    @property
    def trading(self) -> TradingState:
        assert self.state.trading is not None
        return self.state.trading

    @property
    def trade(self) -> Trade:
        assert self.trading.trade is not None
        return self.trading.trade

    def is_at(self, stage: Stage) -> bool:
        """Whether there is a trade, and it stands there."""
        return self.trading.trade is not None and self.trading.trade.stage is stage

    @property
    def is_neutral(self) -> bool:
        return self.trading.trade is None and self.trading.intent is None

    @property
    def order(self) -> OwnOrder:
        """The newest order of the trade."""
        return self.trade.orders[-1]

    # --- the market ---

    def close(self, prices: Sequence[float] = UP, start: datetime | None = None, late: float = 0.0) -> Transition:
        """Close the minute under way, or that of `start`, `late` seconds after its end."""
        if start is None:
            start = max(self.state.decided_until, self.now.replace(second=0, microsecond=0))
        event = CandleClosed(candle=candle(start, prices, None))
        return self.meet_at(max(self.now, event.candle.closed_at + timedelta(seconds=late)), event)

    def poll(self) -> None:
        """Read the option chain now."""
        self.meet(ChainPolled(reading=reading(self.now)))

    def mark(
        self,
        bid: float | None = 100.0,
        *,
        after: float = 0.0,
        spread: float = 0.1,
        index: float | None = None,
        delta: float | None = None,
        option: InstrumentKey = CALL,
        **changed: Any,
    ) -> Transition:
        """Show prices: a fresh book with this bid, or none."""
        at = self.now + timedelta(seconds=after)
        mark = OptionMark(delta=delta) if bid is None else book(bid, at, spread, delta)
        shown = None if index is None else IndexMark(price=index, at=at)
        return self.meet_at(at, Marked(index=shown, option=option, mark=replace(mark, **changed)))

    def pass_time(self, seconds: float) -> list[Transition]:
        """Let time pass; each deadline in it is met as it comes."""
        end = self.now + timedelta(seconds=seconds)
        met = []
        while (due := next_deadline(self.state)) is not None and due <= end:
            met.append(self.meet_at(max(due, self.now), DeadlinePassed()))
        self.now = end
        return met

    # --- the broker ---

    def report(self, order: OwnOrder, status: OrderStatus, filled: int = 0, price: float | None = None) -> Transition:
        """Have the broker speak of an order; `price` is the average of its fills."""
        return self.meet(OrderReported(report=report_of(order, status, filled, price)))

    def acknowledge(self) -> None:
        """Have the broker take all orders that are on their way."""
        for order in self.trade.orders:
            if order.broker_id is None and order.is_open:
                self.report(order, OrderStatus.OPEN)

    def fill(self, price: float | None = None) -> Transition:
        """Fill the newest order."""
        order = self.order
        return self.report(order, OrderStatus.COMPLETE, order.ticket.quantity, order.limit if price is None else price)

    def cancelled(self, filled: int = 0, price: float | None = None) -> Transition:
        """Have the newest order end unfilled, or partly filled."""
        return self.report(self.order, OrderStatus.CANCELLED, filled, price)

    def holds(self, net: int, bid: float | None = 100.0) -> Transition:
        """Have the broker say what is held."""
        mark = OptionMark() if bid is None else book(bid, self.now)
        return self.meet(PositionRead(instrument=self.trade.option.key, net=net, mark=mark))

    # --- people ---

    def approve(self, by: str = "someone") -> Transition:
        """Say yes to what was asked last."""
        return self.meet(EntryApproved(order_id=self.offer.id, by=by))

    def decline(self, by: str = "someone") -> Transition:
        """Say no to what was asked last."""
        return self.meet(EntryDeclined(order_id=self.offer.id, by=by))

    # --- what came of it ---

    def told[B](self, kind: type[B]) -> list[B]:
        """Return all frames of one kind."""
        return [frame.body for frame in self.frames if isinstance(frame.body, kind)]

    def asked[E](self, kind: type[E]) -> list[E]:
        """Return all effects of one kind."""
        return [effect for effect in self.effects if isinstance(effect, kind)]

    def alerts(self) -> list[str]:
        return [alert.code for alert in self.told(Alert)]

    def refusals(self) -> list[str]:
        return [refused.reason for refused in self.told(EntryRefused)]

    @property
    def offer(self) -> EntryOffered:
        """What a person was asked last."""
        return self.told(EntryOffered)[-1]

    @property
    def submitted(self) -> list[SubmitOrder]:
        return self.asked(SubmitOrder)

    @property
    def closed(self) -> TradeClosed:
        """The one trade that was closed."""
        (trade,) = self.told(TradeClosed)
        return trade

    def stages(self) -> list[str]:
        """Return the stages that were told, each once in a row."""
        told = [body.stage for body in self.told(PositionChanged)]
        return [stage for i, stage in enumerate(told) if i == 0 or told[i - 1] != stage]


def require_new_ids(before: EngineState | None, moved: Transition) -> None:
    """Ids are a function of session, record and place, and fit into a tag; an approved one is what was asked about."""
    tickets = [effect.ticket for effect in moved.effects if isinstance(effect, SubmitOrder)]
    record = f"{moved.state.session_id}-{base36(moved.state.seq)}"
    intent = None if before is None or before.trading is None else before.trading.intent
    if tickets and tickets[0].side is Side.BUY and intent is not None and intent.offer is not None:
        assert intent.offer.approved_by is not None
        record = intent.offer.trade_id
    assert [ticket.id for ticket in tickets] == [f"{record}-{n}" for n in range(len(tickets))]
    assert all(len(ticket.id) <= 40 for ticket in tickets)


def require_that_deadlines_pass(state: EngineState) -> None:
    """A deadline that stays where it is would be met again and again, or never more."""
    due = next_deadline(state)
    if due is not None:
        at = max(due, state.at)
        after = step(state, Record(seq=state.seq + 1, at=at, event=DeadlinePassed())).state
        later = next_deadline(after)
        assert later is None or later > at, f"{due} passes and {later} is next"


def report_of(order: OwnOrder, status: OrderStatus, filled: int = 0, price: float | None = None) -> OrderReport:
    return OrderReport(
        order_id=order.broker_id or f"B{order.id}",
        id=order.id,
        instrument=order.ticket.instrument,
        side=order.ticket.side,
        status=status,
        quantity=order.ticket.quantity,
        filled=filled,
        average_price=(order.limit if price is None else price) if filled else None,
        price=order.limit,
    )


def book(bid: float, at: datetime, spread: float = 0.1, delta: float | None = None) -> OptionMark:
    """Return a fresh quote."""
    return OptionMark(bid=bid, ask=round(bid + spread, 2), quoted_at=at, last=bid, traded_at=at, delta=delta)


def begin(
    rules: TradeRules | None = None,
    *,
    tally: Tally | None = None,
    day: TradingDay | None = None,
    parameters: Parameters = PARAMETERS,
    funds: int | None = PLENTY,
    minutes: int = 30,
    feed: FeedStatus = FeedStatus.CONNECTED,
    is_polled: bool = True,
    **of_contracts: Any,
) -> Session:
    """Return a session that has seen so many flat minutes since the open; by default it runs and may trade."""
    day = day or regular_session(DAY)
    first = replace(
        created(day, parameters), session_id="s" * 16, mode=Mode.PAPER, rules=rules or TradeRules(), tally=tally
    )
    session = Session(day.opens_at, first)
    options = tuple(replace(option, **of_contracts) for option in contracts().options)
    session.meet(DayPrepared(contracts=replace(contracts(), options=options)))
    session.meet(WarmedUp(history=(), today=()))
    session.meet(FeedChanged(status=feed, detail=""))
    if funds is not None:
        session.meet(FundsRead(available=funds))
    for each in _flat_minutes(day, minutes):
        session.meet_at(each.closed_at, CandleClosed(candle=each))
    if is_polled:
        session.poll()
    return session


@cache
def _flat_minutes(day: TradingDay, minutes: int) -> list[Candle]:
    prices = (50_000.0, 50_001.0, 49_999.0, 50_000.0)
    return [candle(day.opens_at + MINUTE * i, prices, None) for i in range(minutes)]


@cache
def _ready() -> Session:
    return begin()


def ready(rules: TradeRules | None = None, **given: Any) -> Session:
    """Return a session at 09:45 that runs, is flat, and may trade."""
    return _ready().copy() if rules is None and not given else begin(rules, **given)


def wanting(rules: TradeRules | None = None, prices: Sequence[float] = UP, **given: Any) -> Session:
    """Return a session that has seen a signal and waits for a quote of its option."""
    session = ready(rules, **given)
    session.close(prices)
    return session


def asking(rules: TradeRules = ASK_ME, bid: float = 100.0, **given: Any) -> Session:
    """Return a session that asks a person whether it shall enter."""
    session = wanting(rules, **given)
    session.mark(bid)
    return session


def entering(rules: TradeRules | None = None, bid: float = 100.0, **given: Any) -> Session:
    """Return a session whose entry the broker has."""
    session = wanting(rules, **given)
    session.mark(bid)
    session.acknowledge()
    return session


def holding(rules: TradeRules | None = None, price: float = 100.0, **given: Any) -> Session:
    """Return a session in a trade, bought at `price`."""
    session = entering(rules, **given)
    while (unfilled := session.trade.open_orders(session.order.purpose)) != []:
        session.report(unfilled[0], OrderStatus.COMPLETE, unfilled[0].ticket.quantity, price)
    return session


def leaving(rules: TradeRules | None = None, **given: Any) -> Session:
    """Return a session whose exit the broker has, at 75."""
    session = holding(rules, **given)
    session.mark(75.0)
    session.holds(session.trade.open_units, 75.0)
    session.acknowledge()
    return session


def refused(session: Session) -> Refusal:
    """Return why the one signal became no order."""
    (reason,) = session.refusals()
    return Refusal(reason)


def signals(session: Session) -> list[Signal]:
    return [signal for signal in session.told(Signal) if not signal.is_rejection]
