"""What happens to a trade: the arms of `step` that concern trading.

Each takes in one event and then pursues the trade's aim: an entry filled or given up, an exit
flat. What that asks for follows from the trade alone, so it does not matter in which order the
broker's answers come.
"""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from typing import assert_never

from algoexec.domain.calendar import IST
from algoexec.domain.instruments import InstrumentKey
from algoexec.domain.orders import OrderReport
from algoexec.domain.signals import Signal
from algoexec.engine.effects import Severity
from algoexec.engine.events import (
    ChangeNotMade,
    FlattenRequested,
    FundsRead,
    KillSwitched,
    Marked,
    OrderNotPlaced,
    OrderReported,
    OutcomeNotKnown,
    PositionRead,
    TradeEvent,
    TradeRulesChanged,
)
from algoexec.engine.state import EngineState
from algoexec.engine.trading.drafting import (
    cancel,
    change_trading,
    keep,
    tell_order,
    tell_position,
    trading_of,
)
from algoexec.engine.trading.entries import (
    consider,
    drop_intent,
    entry_due,
    pursue_entry,
    reprice_entry,
    try_to_enter,
)
from algoexec.engine.trading.exits import (
    call_a_person,
    call_due,
    close,
    exit_due,
    leave,
    opened,
    pursue_exit,
    retry_due,
    sell,
    square_off_at,
    time_due,
    watch,
)
from algoexec.engine.trading.marks import OptionMark
from algoexec.engine.trading.orders import OwnOrder, Phase, Purpose
from algoexec.engine.trading.risk import Refusal, Refused
from algoexec.engine.trading.rules import tightened
from algoexec.engine.trading.tally import breach
from algoexec.engine.trading.trade import ExitReason, Stage, Trade
from algoexec.engine.transition import Draft


def apply_trading(draft: Draft, event: TradeEvent) -> None:
    """Take in an event that concerns trading; where nothing is traded, none does."""
    if draft.state.trading is None:
        return
    match event:
        case Marked():
            marked(draft, event)
        case OrderReported(report=report):
            reported(draft, report)
        case OrderNotPlaced():
            not_placed(draft, event)
        case OutcomeNotKnown():
            outcome_not_known(draft, event)
        case ChangeNotMade():
            change_not_made(draft, event)
        case PositionRead():
            position_read(draft, event)
        case FundsRead(available=available):
            change_trading(draft, funds=available)
        case FlattenRequested():
            flatten(draft, ExitReason.FLATTEN, Refusal.HALTED)
        case KillSwitched(reason=reason):
            _kill(draft, reason)
        case TradeRulesChanged(rules=rules):
            change_trading(draft, rules=tightened(draft.state.trading.rules, rules))
            draft.tell_session()
        case _ as unreachable:
            assert_never(unreachable)


def consider_all(draft: Draft, seen: Sequence[Signal]) -> None:
    """Take in what a candle has shown: an opposite signal may end a trade, an emitted one may begin one."""
    trading = trading_of(draft)
    for signal in seen:
        if signal.is_rejection:
            continue
        trade = trading.trade
        if trade is not None and trading.rules.exit_on_opposite and trade.signal.side is not signal.side:
            leave(draft, ExitReason.OPPOSITE_SIGNAL)
            pursue(draft)
        consider(draft, signal)


def unlock(draft: Draft) -> None:
    """Let trades be begun again: a person has said so."""
    if draft.state.trading is not None:
        change_trading(draft, tally=draft.state.trading.tally.unlocked())


def is_flat(state: EngineState) -> bool:
    """Whether nothing is held, working or wanted."""
    return state.trading is None or (state.trading.trade is None and state.trading.intent is None)


def marked(draft: Draft, event: Marked) -> None:
    """Take in prices."""
    trading = trading_of(draft)
    if trading.intent is not None and trading.intent.option.key == event.option:
        try_to_enter(draft, event.mark)
    trade = trading_of(draft).trade
    if trade is None or trade.option.key != event.option:
        return
    _guard_the_day(draft, trade, event.mark)
    watch(draft, event.index, event.mark)
    reprice_entry(draft, event.mark)
    pursue(draft, event.mark)


def reported(draft: Draft, report: OrderReport) -> None:
    """Take in the broker's word on an order; one that is not ours, or says nothing new, changes nothing."""
    trading = trading_of(draft)
    trade = trading.trade
    if report.id is None:
        return
    order = None if trade is None else trade.order(report.id)
    if trade is None or order is None:
        _adopt(draft, report)
        return
    _update(draft, trade, order, order.reported(report))
    pursue(draft)


def not_placed(draft: Draft, event: OrderNotPlaced) -> None:
    """Take in that an order surely did not reach the exchange."""
    trade = trading_of(draft).trade
    order = None if trade is None else trade.order(event.id)
    if trade is None or order is None or order.phase not in (Phase.SENDING, Phase.UNKNOWN):
        return
    _update(draft, trade, order, order.moved(Phase.REJECTED if event.was_sent else Phase.NOT_SENT, event.detail))
    draft.alert(Severity.WARNING, "ORDER_NOT_PLACED", f"{order.purpose} was not placed: {event.detail}")
    pursue(draft)


def outcome_not_known(draft: Draft, event: OutcomeNotKnown) -> None:
    """Take in that nobody knows yet whether the broker has an order."""
    trade = trading_of(draft).trade
    order = None if trade is None else trade.order(event.id)
    if trade is not None and order is not None and order.phase is Phase.SENDING:
        _update(draft, trade, order, order.moved(Phase.UNKNOWN, event.detail))
        draft.alert(Severity.WARNING, "OUTCOME_UNKNOWN", f"{order.purpose} is being looked up: {event.detail}")


def change_not_made(draft: Draft, event: ChangeNotMade) -> None:
    """Take in that a change was not taken; it is asked for again when its time comes."""
    trade = trading_of(draft).trade
    order = None if trade is None else trade.order(event.id)
    if trade is None or order is None or not order.is_open or event.is_unknown:
        return
    # Not at once: a broker that says no would be asked as fast as it answers.
    keep(draft, trade.with_order(replace(order, is_changing=False, asked_at=draft.at)))


def position_read(draft: Draft, event: PositionRead) -> None:
    """Take in what the broker holds, and sell what is ours of it."""
    trade = trading_of(draft).trade
    if trade is not None and trade.option.key == event.instrument and trade.waits_for_position:
        keep(draft, sell(draft, trade, event.net, event.mark))
        pursue(draft, event.mark)


def flatten(draft: Draft, reason: ExitReason, why: Refusal) -> None:
    """Get out of everything."""
    if draft.state.trading is None:
        return
    drop_intent(draft, Refused(why, "everything is being closed"))
    leave(draft, reason)
    pursue(draft)


def forbid_entries(draft: Draft, refused: Refused) -> None:
    """Give up what has not been bought yet; what is held keeps its stops and exits."""
    if draft.state.trading is None:
        return
    drop_intent(draft, refused)
    trade = trading_of(draft).trade
    if trade is not None:
        for order in trade.open_orders(Purpose.ENTRY):
            trade = cancel(draft, trade, order) if not order.cancel_wanted else trade
        keep(draft, trade)
        pursue(draft)


def time_passed(draft: Draft) -> None:
    """Do what was due."""
    trading = trading_of(draft)
    intent, trade = trading.intent, trading.trade
    if intent is not None and draft.at > intent.signal.expires_at:
        drop_intent(draft, Refused(Refusal.NO_QUOTE, "no usable quote came before the signal expired"))
    if trade is None:
        return
    due = time_due(trade, trading.rules)
    if due is not None and draft.at >= due and trade.stage is not Stage.EXITING:
        is_late = draft.at >= square_off_at(draft.at, trading.rules)
        leave(draft, ExitReason.SQUARE_OFF if is_late else ExitReason.TIME)
    pursue(draft)


def next_due(state: EngineState) -> datetime | None:
    """Return when `time_passed` has something to do next; None: nothing is waited for."""
    trading = state.trading
    if trading is None:
        return None
    dues: list[datetime | None] = []
    if trading.intent is not None:
        dues.append(trading.intent.signal.expires_at)
    if (trade := trading.trade) is not None:
        dues += [entry_due(trade, order, trading.rules) for order in trade.open_orders(Purpose.ENTRY)]
        dues += [exit_due(order, trading.rules) for order in trade.open_orders(Purpose.EXIT)]
        dues += [call_due(trade, trading.rules), retry_due(trade, trading.rules)]
        if trade.stage is not Stage.EXITING:
            dues.append(time_due(trade, trading.rules))
    return min((due for due in dues if due is not None), default=None)


def pursue(draft: Draft, mark: OptionMark | None = None) -> None:
    """Do the next thing towards the trade's aim."""
    trade = trading_of(draft).trade
    if trade is None:
        return
    if trade.stage is Stage.ENTERING:
        trade = keep(draft, pursue_entry(draft, trade))
        if not trade.open_orders(Purpose.ENTRY):
            _entry_is_over(draft, trade)
    elif trade.stage is Stage.EXITING:
        trade = keep(draft, call_a_person(draft, pursue_exit(draft, trade, mark)))
        _close_if_flat(draft, trade)


def _kill(draft: Draft, reason: str | None) -> None:
    change_trading(draft, killed=reason)
    draft.tell_session()
    if reason is not None:
        flatten(draft, ExitReason.FLATTEN, Refusal.KILL_SWITCH)


def _entry_is_over(draft: Draft, trade: Trade) -> None:
    """Hold what was bought, or go back to NEUTRAL."""
    if trade.bought.quantity:
        keep(draft, replace(trade, stage=Stage.IN_TRADE))
    else:
        trading = trading_of(draft)
        lost = (*trading.lost, trade) if trade.has_lost_orders else trading.lost
        change_trading(draft, trade=None, lost=lost)
    tell_position(draft)


def _close_if_flat(draft: Draft, trade: Trade) -> None:
    has_open = any(order.is_open for order in trade.orders)
    if has_open or trade.open_units > 0:
        return
    if trade.open_units < 0:
        draft.change(halted=f"{-trade.open_units} units more were sold than held")
        draft.alert(Severity.CRITICAL, "OVERSOLD", f"{trade.option.name}: more was sold than held; look at the account")
    if trade.bought.quantity:
        close(draft, trade)
    else:
        _entry_is_over(draft, trade)
    _lock_if_breached(draft)


def _update(draft: Draft, trade: Trade, before: OwnOrder, order: OwnOrder) -> None:
    """Keep an order as it now is; tell it, and the position if that has changed."""
    if order == before:
        return
    changed = trade.with_order(order)
    if changed.bought != trade.bought:
        changed = opened(changed, draft.at, trading_of(draft).rules)
    keep(draft, changed)
    if (order.phase, order.filled, order.broker_id) != (before.phase, before.filled, before.broker_id):
        tell_order(draft, changed, order)
    if order.filled != before.filled:
        tell_position(draft)
        if before.phase.is_final:
            _late_fill(draft, order)


def _adopt(draft: Draft, report: OrderReport) -> None:
    """Take back a trade of which an order has turned up that was not found: it is filled, so it is ours to manage."""
    trading = trading_of(draft)
    for lost in trading.lost:
        order = lost.order(report.id or "")
        if order is None or report.filled <= order.filled:
            continue
        if trading.trade is not None:
            draft.change(halted="an order turned up that was not found before")
            draft.alert(
                Severity.CRITICAL, "LATE_FILL", f"{report.filled} units of {lost.option.name}: see to them yourself"
            )
            return
        rest = tuple(one for one in trading.lost if one is not lost)
        change_trading(draft, lost=rest, trade=replace(lost, stage=Stage.ENTERING))
        _update(draft, lost, order, order.reported(report))
        pursue(draft)
        return


def _late_fill(draft: Draft, order: OwnOrder) -> None:
    """Stop entering: the broker has filled what it said was over."""
    draft.change(halted=f"order {order.id} was filled after it was over")
    draft.tell_session()
    draft.alert(Severity.CRITICAL, "LATE_FILL", f"order {order.id} was filled after the broker had said it was over")


def _guard_the_day(draft: Draft, trade: Trade, mark: OptionMark) -> None:
    """Throw the breaker when the day's limit is reached, what is held included."""
    trading = trading_of(draft)
    value = mark.value(draft.at, trading.rules.quote_max_age_s)
    if value is None or not trade.bought.quantity:
        return
    charges = trade.charges(draft.at.astimezone(IST).date(), trading.rules.brokerage).total
    reached = breach(trading.tally, trade.open_profit(value) - charges, trading.rules)
    if reached is not None and trading.tally.lock is None:
        _lock(draft, reached)
        leave(draft, ExitReason.BREAKER)


def _lock_if_breached(draft: Draft) -> None:
    trading = trading_of(draft)
    reached = breach(trading.tally, 0, trading.rules)
    if reached is not None and trading.tally.lock is None:
        _lock(draft, reached)


def _lock(draft: Draft, reached: str) -> None:
    trading = trading_of(draft)
    change_trading(draft, tally=trading.tally.locked(reached))
    draft.change(halted=f"breaker: {reached}")
    draft.tell_session()
    draft.alert(Severity.CRITICAL, "BREAKER", f"{reached}: no trade is begun any more today until a person resumes")
    drop_intent(draft, Refused(Refusal.DAY_LOCKED, reached))


def held_options(state: EngineState) -> tuple[InstrumentKey, ...]:
    """Return the options whose quotes are needed whatever the ATM strikes are."""
    trading = state.trading
    if trading is None:
        return ()
    wanted = [one.option.key for one in (trading.intent, trading.trade) if one is not None]
    return tuple(dict.fromkeys(wanted))
