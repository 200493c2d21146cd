"""Whatever broker, market and people do: the laws of trading hold, and a trade ends flat."""

from dataclasses import replace
from datetime import UTC, timedelta
from typing import Any, Final

import bson
import pytest
from bson.codec_options import CodecOptions
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from algoexec.domain.orders import OrderStatus, OrderType, Side
from algoexec.engine.effects import (
    Alert,
    EntryOffered,
    EntryRefused,
    ModifyOrder,
    OrderChanged,
    PositionChanged,
    ReadPosition,
    Severity,
    SubmitOrder,
    TradeClosed,
)
from algoexec.engine.events import (
    CandleClosed,
    ChainPolled,
    DeadlinePassed,
    EntryApproved,
    EntryDeclined,
    Event,
    FeedChanged,
    FeedStatus,
    FlattenRequested,
    Halted,
    KillSwitched,
    Marked,
    OnShutdown,
    PositionRead,
    Resumed,
    ServiceStarted,
    ServiceStopping,
    SessionFailed,
    StopReason,
    StopRequested,
    TokenRejected,
    TokenReplaced,
    TradeRulesChanged,
)
from algoexec.engine.state import EngineState
from algoexec.engine.step import next_deadline, step
from algoexec.engine.trading.flow import held_options, is_flat
from algoexec.engine.trading.marks import IndexMark, OptionMark
from algoexec.engine.trading.orders import Phase, Purpose
from algoexec.engine.trading.rules import Approval, TradeRules, tightened
from algoexec.engine.trading.trade import Stage, Trade
from algoexec.engine.transition import Transition
from algoexec.ports.stores import JournalEntry
from algoexec.storage.codec import BSON, canonical
from tests.strategies import candle, reading
from tests.unit.engine.trading.driver import ASK_ME, DOWN, STEEPLY_DOWN, UP, Session, begin, book
from tests.unit.engine.trading.model_broker import ModelBroker

RULES: Final = (
    TradeRules(),
    TradeRules(max_daily_loss=2_000_00, exit_on_opposite=True),
    TradeRules(capital=3_000_000_00, max_consecutive_losses=2, give_back_pct=50.0),
    replace(ASK_ME, capital=3_000_000_00, max_consecutive_losses=3),
)
FREEZE: Final = {0: 600, 1: 60, 2: 240, 3: 240}
AS_MONGO_GIVES_IT: Final = CodecOptions[dict[str, Any]](tz_aware=True, tzinfo=UTC)
ANY: Final = st.integers(0, 1_000)
BADLY: Final = ("rejected", "refused", "unsent", "lost answer", "lost on the way")
MOSTLY_WELL: Final = st.sampled_from(("taken",) * 6 + BADLY)
CALM_S: Final = 25 * 60


class Trading(RuleBasedStateMachine):
    """One session at a broker that is truthful and otherwise as bad as they come."""

    session: Session
    broker: ModelBroker

    @initialize(
        which=st.integers(0, 3),
        far=st.sampled_from(["flat", "sent", "working", "held", "held"]),
        is_protected=st.booleans(),
    )
    def begin(self, which: int, far: str, *, is_protected: bool) -> None:
        rules = replace(RULES[which], protective_order=is_protected)
        self.session = begin(rules, freeze_quantity=FREEZE[which], funds=3_000_000_00).copy()
        self.broker = ModelBroker()
        self.bid, self.index = 100.0, 50_000.0
        self.is_forbidden = False
        self.is_killed = self.is_away = False
        self.ids: set[str] = set()
        self.allowed: set[str] = set()
        self.steps: list[Transition] = []
        self.start = len(self.session.records), self.session.state
        if far != "flat":
            self.a_trade_begins(is_filled=far == "held", is_slow=far == "sent")

    # --- one step, and what must hold after each -----------------------------------------------------------------

    def meet(self, event: Event) -> None:
        session, before = self.session, self.session.state
        self._note(event, before)
        moved = session.meet(event)
        if session.state is before:
            return
        self.steps.append(moved)
        self._check_tally(before, event)
        bodies = [frame.body for frame in moved.frames]
        self._check_orders(before, event, moved)
        if any(isinstance(body, Alert) and body.code in ("BREAKER", "OVERSOLD", "LATE_FILL") for body in bodies):
            self.is_forbidden = True
        for body in bodies:
            if isinstance(body, OrderChanged) and body.phase is Phase.HANDED_OVER:
                self.broker.orders[body.id].status = OrderStatus.CANCELLED  # the person does so, and says nothing
            if isinstance(body, TradeClosed):
                self._check_closed(before, body)
            if isinstance(body, EntryOffered):
                self._check_offered(event, body)
            if isinstance(body, EntryRefused) and body.order_id is not None:
                self.allowed.discard(body.order_id)
                assert body.order_id not in self.ids, "what was sent is not refused"
        for effect in moved.effects:
            self.broker.take(effect)

    def _note(self, event: Event, before: EngineState) -> None:
        """Note who forbids entries."""
        match event:
            case Halted() | SessionFailed():
                self.is_forbidden = not before.status.is_over
            case KillSwitched(reason=reason):
                self.is_killed = reason is not None
                self.is_forbidden = self.is_forbidden or (self.is_killed and not before.status.is_over)
            case ServiceStopping() | ServiceStarted():
                self.is_away = isinstance(event, ServiceStopping)
            case Resumed():
                self.is_forbidden = False
            case _:
                pass

    def _check_orders(self, before: EngineState, event: Event, moved: Transition) -> None:
        sent = [effect.ticket for effect in moved.effects if isinstance(effect, SubmitOrder)]
        assert not self.ids & {ticket.id for ticket in sent}, "one SubmitOrder an id"
        self.ids |= {ticket.id for ticket in sent}
        assert before.trading is not None
        was = before.trading.trade
        if any(ticket.side is Side.BUY for ticket in sent):
            assert was is None
            assert sent[0].id in self.allowed or before.trading.rules.approval is Approval.AUTOMATIC
            assert not self.is_forbidden
            assert not self.is_killed
            assert not self.is_away
            assert before.halted is None
            assert before.stopping is None
            assert isinstance(event, Marked)
        sold = sum(ticket.quantity for ticket in sent if ticket.side is Side.SELL)
        if sold:
            assert isinstance(event, PositionRead)
            assert was is not None
            assert was.is_settled, "never beside another order, but one that rests"
            assert sold + sum(order.remaining for order in was.resting) <= min(was.open_units, event.net)
        for effect in moved.effects:
            if isinstance(effect, ModifyOrder) and effect.purpose is Purpose.EXIT:
                self._check_change(was, event, effect)
        if isinstance(event, PositionRead) and was is not None and was.option.key == event.instrument:
            self._check_withdrawn(was, event)

    def _check_change(self, was: Trade | None, event: Event, effect: ModifyOrder) -> None:
        """What rests is let loose only when all that would then be sold is there, and never after that."""
        order = None if was is None else was.order(effect.id)
        assert was is not None
        assert order is not None
        if effect.terms.type is OrderType.SL:
            assert was.stage is Stage.IN_TRADE
            assert order.trigger is not None
        elif order.trigger is not None:
            assert isinstance(event, PositionRead)
            assert sum(one.remaining for one in was.resting) <= event.net

    def _check_withdrawn(self, was: Trade, event: PositionRead) -> None:
        """What rests and is not there to be sold is withdrawn at once."""
        trade = self.session.trading.trade
        if trade is not None and was.is_settled and sum(one.remaining for one in was.resting) > event.net:
            assert all(order.cancel_wanted for order in trade.resting)

    def _check_tally(self, before: EngineState, event: Event) -> None:
        """Whatever happens, a lock stays and limits only tighten; a person who resumes is the one exception."""
        assert before.trading is not None
        was, now = before.trading.tally, self.session.trading.tally
        assert now.trades >= was.trades
        if not isinstance(event, Resumed):
            assert was.lock in (None, now.lock)
            assert now.baseline == was.baseline
        old, new = before.trading.rules, self.session.trading.rules
        assert tightened(old, new) == new

    def _check_offered(self, event: Event, offered: EntryOffered) -> None:
        assert offered.id not in self.ids
        assert self.session.now < offered.expires_at
        assert offered.quantity > 0
        assert offered.risk > 0
        if offered.approved_by is not None:
            assert event == EntryApproved(order_id=offered.id, by=offered.approved_by)
            self.allowed.add(offered.id)

    def _check_closed(self, before: EngineState, closed: TradeClosed) -> None:
        assert before.trading is not None
        assert before.trading.trade is not None
        orders = {order.id for order in before.trading.trade.orders}
        assert not [order for order in self.broker.working() if order.ticket.id in orders]
        assert self.broker.ours(closed.instrument, orders) == closed.external_units, "fills say so"

    @invariant()
    def laws(self) -> None:
        if not hasattr(self, "session"):
            return
        state, trading = self.session.state, self.session.trading
        assert trading.tally.realised == sum(closed.net for closed in self.session.told(TradeClosed))
        for option in {order.ticket.instrument for order in self.broker.orders.values()}:
            assert self.broker.net(option) >= 0, "never short"
        trade = trading.trade
        if trade is None:
            return
        for order in trade.orders:
            assert 0 <= order.filled <= order.ticket.quantity
            known = self.broker.orders.get(order.id)
            assert order.filled <= (0 if known is None else known.filled)
        assert trade.open_units >= 0
        if state.stopping is not None or trading.killed is not None or trading.tally.lock is not None:
            assert trade.is_ending
        if trade.stage is Stage.IN_TRADE:
            assert trade.open_units > 0
            assert not trade.open_orders(Purpose.ENTRY)
            assert trade.stop is not None
        told = self.session.told(PositionChanged)
        assert told[-1].stage == trade.stage
        assert told[-1].open_units == trade.open_units

    # --- the market ----------------------------------------------------------------------------------------------

    def mark(self) -> OptionMark:
        return book(self.bid, self.session.now, delta=0.5)

    def show(self) -> None:
        for option in held_options(self.session.state):
            index = IndexMark(price=self.index, at=self.session.now)
            self.meet(Marked(index=index, option=option, mark=self.mark()))

    def let_pass(self, seconds: float) -> None:
        session = self.session
        end = session.now + timedelta(seconds=seconds)
        while (due := next_deadline(session.state)) is not None and due <= end:
            session.now = max(due, session.now)
            self.meet(DeadlinePassed())
        session.now = end

    @rule(
        ticks=st.integers(-40, 40) | st.sampled_from([100, 200]),
        points=st.integers(-15, 15),
        seconds=st.sampled_from([0.0, 0.25, 1.0, 2.0]),
    )
    def the_market_moves(self, ticks: int, points: int, seconds: float) -> None:
        self.let_pass(seconds)
        self.bid = max(5.0, round(self.bid + ticks * 0.25, 2))
        self.index += points
        self.show()

    @rule(seconds=st.sampled_from([0.5, 2.0, 3.0, 10.0, 61.0]))
    def time_passes(self, seconds: float) -> None:
        self.let_pass(seconds)

    @rule(prices=st.sampled_from([UP, DOWN, STEEPLY_DOWN, STEEPLY_DOWN]), quoted=st.booleans())
    def a_minute_closes(self, prices: tuple[float, ...], *, quoted: bool) -> None:
        self.let_pass(60.0 - self.session.now.second - self.session.now.microsecond / 1e6)
        self.meet(ChainPolled(reading=reading(self.session.now)))
        self._close(prices)
        if quoted:
            self.show()

    @precondition(lambda self: hasattr(self, "session") and self.session.is_neutral)
    @rule(is_filled=st.booleans(), is_slow=st.booleans())
    def a_trade_begins(self, *, is_filled: bool, is_slow: bool) -> None:
        self.a_minute_closes(STEEPLY_DOWN if self.steps else UP, quoted=True)
        self._decide(EntryApproved)
        self.show()
        if is_slow:
            return
        self.catch_up()
        for order in self.broker.working() if is_filled else ():
            self.broker.fill(order, order.remaining)
        self.catch_up()

    def _close(self, prices: tuple[float, ...]) -> None:
        start = self.session.now.replace(second=0, microsecond=0) - timedelta(minutes=1)
        self.meet(CandleClosed(candle=candle(start, prices, None)))

    # --- the broker ----------------------------------------------------------------------------------------------

    @precondition(lambda self: hasattr(self, "broker") and self.broker.asked)
    @rule(place=ANY, how=MOSTLY_WELL)
    def the_broker_is_reached(self, place: int, how: str) -> None:
        self.broker.perform(place, how, self.mark())

    @precondition(lambda self: hasattr(self, "broker") and self.broker.said)
    @rule(place=ANY, again=st.booleans())
    def the_broker_speaks(self, place: int, again: bool) -> None:
        self.meet(self.broker.pop(place, again=again))

    @precondition(lambda self: hasattr(self, "broker") and (self.broker.said or self.broker.asked))
    @rule()
    def the_broker_is_quick(self) -> None:
        self.catch_up()

    @precondition(lambda self: hasattr(self, "broker") and self.broker.working())
    @rule(place=ANY, lots=st.sampled_from([0, 1, 2, 100]))
    def an_order_fills(self, place: int, lots: int) -> None:
        working = self.broker.working()
        order = working[place % len(working)]
        if not self.broker.may_trigger(order):
            return
        if lots:
            self.broker.fill(order, 30 * lots)
        else:
            self.broker.trigger(order)

    @precondition(lambda self: hasattr(self, "broker") and self.broker.working())
    @rule(place=ANY)
    def a_person_cancels_an_order(self, place: int) -> None:
        working = self.broker.working()
        self.broker.cancel_by_hand(working[place % len(working)])

    @precondition(lambda self: hasattr(self, "session") and self.session.trading.trade is not None)
    @rule(part=st.sampled_from([1, 2]))
    def a_person_sells(self, part: int) -> None:
        option = self.session.trade.option.key
        self.broker.sell_by_hand(option, self.broker.may_be_sold_by_hand(option) // 30 // part * 30)

    @precondition(lambda self: hasattr(self, "session") and self.session.trading.trade is not None)
    @rule()
    def the_position_is_looked_at(self) -> None:
        self.broker.take(ReadPosition(instrument=self.session.trade.option.key))

    @precondition(lambda self: hasattr(self, "session") and self.session.trading.trade is not None)
    @rule()
    def a_person_buys(self) -> None:
        self.broker.sell_by_hand(self.session.trade.option.key, -30)

    # --- people --------------------------------------------------------------------------------------------------

    def _decide(self, decision: type[EntryApproved] | type[EntryDeclined], back: int = 1) -> None:
        offered = [body for body in self.session.told(EntryOffered) if body.approved_by is None]
        if offered:
            self.meet(decision(order_id=offered[-min(back, len(offered))].id, by="someone"))

    @precondition(lambda self: hasattr(self, "session") and self.session.told(EntryOffered))
    @rule(decision=st.sampled_from([EntryApproved, EntryApproved, EntryDeclined]), back=st.sampled_from([1, 1, 1, 2]))
    def a_person_decides(self, decision: type[EntryApproved] | type[EntryDeclined], back: int) -> None:
        self._decide(decision, back)

    @rule(
        event=st.sampled_from(
            [
                Halted(by="someone", reason="lunch"),
                KillSwitched(reason="all out"),
                KillSwitched(reason=None),
                FlattenRequested(by="someone"),
                TokenRejected(detail="expired"),
                FeedChanged(status=FeedStatus.LOST, detail=""),
                *(ServiceStopping(policy=policy) for policy in OnShutdown),
                TradeRulesChanged(rules=TradeRules(max_daily_loss=3_000_00)),
                TradeRulesChanged(rules=TradeRules(max_daily_loss=3_000_00, protective_order=True)),
                TradeRulesChanged(rules=ASK_ME),
            ]
        ),
        chance=st.integers(0, 3),
    )
    def a_person_intervenes(self, event: Event, chance: int) -> None:
        if chance == 1:
            self.meet(event)

    @rule()
    def all_is_well_again(self) -> None:
        for event in (TokenReplaced(), ServiceStarted(), KillSwitched(reason=None), Resumed(by="someone")):
            self.meet(event)
        self.meet(FeedChanged(status=FeedStatus.CONNECTED, detail=""))

    @rule(
        event=st.sampled_from(
            [
                StopRequested(reason=StopReason.REQUESTED),
                StopRequested(reason=StopReason.HANDED_OVER),
                SessionFailed(detail="a bug"),
            ]
        ),
        n=ANY,
    )
    def the_session_is_ended(self, event: Event, n: int) -> None:
        if n % 25 == 7:
            self.meet(event)

    # --- the end -------------------------------------------------------------------------------------------------

    def catch_up(self) -> None:
        """Have the broker do and say all that it was asked for."""
        while self.broker.asked or self.broker.said:
            while self.broker.asked:
                self.broker.perform(0, "taken", self.mark())
            while self.broker.said:
                self.meet(self.broker.pop(0, again=False))

    def teardown(self) -> None:
        if not hasattr(self, "session"):
            return
        self._must_end_flat()
        self._journal_must_tell_all()

    def _must_end_flat(self) -> None:
        """With a healthy broker and time, a trade ends; nobody has to ask for it."""
        self.meet(TokenReplaced())
        waited = 0.0
        while not is_flat(self.session.state) and waited < CALM_S:
            self.catch_up()
            for order in self.broker.working():
                if order.ticket.side is Side.SELL and not order.waits:
                    self.broker.fill(order, order.remaining)
            self.catch_up()
            self.let_pass(5.0)
            self.show()
            self.laws()
            waited += 5.0
        self.catch_up()
        assert is_flat(self.session.state)
        assert not self.broker.working()
        bought = {order.ticket.instrument for order in self.broker.orders.values()}
        gone = sum(closed.external_units for closed in self.session.told(TradeClosed))
        assert sum(self.broker.ours(option) for option in bought) == gone
        critical = [alert.code for alert in self.session.told(Alert) if alert.severity is Severity.CRITICAL]
        assert not {"CONTRADICTION", "OVERSOLD", "LATE_FILL"} & set(critical), "the broker was truthful"

    def _journal_must_tell_all(self) -> None:
        begun, state = self.start
        for record, moved in zip(self.session.records[begun:], self.steps, strict=True):
            assert canonical(record) == record
            assert step(state, record) == moved
            entry = JournalEntry(
                session_id=state.session_id,
                epoch=1,
                engine="1",
                recorded_at=record.at,
                record=record,
                effects=moved.effects,
                frames=moved.frames,
            )
            assert through_bson(entry) == entry
            state = moved.state
            if moved.effects:
                assert through_bson(state) == state
        assert state == self.session.state
        assert through_bson(state) == state


def through_bson[T](value: T) -> T:
    return BSON.decode(type(value), bson.decode(bson.encode(BSON.encode(value)), AS_MONGO_GIVES_IT))


# A broken law takes long to be told in few steps.
TestTrading = pytest.mark.timeout(900)(Trading.TestCase)
TestTrading.settings = settings(
    settings.get_profile("suite"),
    max_examples=150,
    stateful_step_count=60,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much, HealthCheck.data_too_large],
)
