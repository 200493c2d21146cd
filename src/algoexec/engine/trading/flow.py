"""What happens to a trade: the arms of `step` that concern trading.

Each takes in one event and then pursues the trade's aim.
"""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import datetime
from typing import assert_never

from algoexec.domain.calendar import IST
from algoexec.domain.instruments import InstrumentKey
from algoexec.domain.signals import Signal
from algoexec.engine.events import (
    BrokerEvent,
    EntryApproved,
    EntryDeclined,
    FlattenRequested,
    KillSwitched,
    Marked,
    OnShutdown,
    ServiceStarted,
    ServiceStopping,
    TradeEvent,
    TradeRulesChanged,
)
from algoexec.engine.state import EngineState
from algoexec.engine.trading.drafting import (
    change_trading,
    keep,
    trading_of,
)
from algoexec.engine.trading.entries import (
    approve,
    consider,
    decline,
    drop_intent,
    drop_overdue,
    entry_due,
    reprice_entry,
    try_to_enter,
)
from algoexec.engine.trading.exits import (
    ask_due,
    leave,
    square_off_at,
    time_due,
    watch,
)
from algoexec.engine.trading.handover import begin_to_hand_over, hand_over_due
from algoexec.engine.trading.ladder import call_due, exit_due
from algoexec.engine.trading.marks import OptionMark
from algoexec.engine.trading.orders import Purpose
from algoexec.engine.trading.protection import follow_due
from algoexec.engine.trading.pursuit import lock, lock_if_breached, pursue
from algoexec.engine.trading.reports import broker_said
from algoexec.engine.trading.risk import Refusal, Refused
from algoexec.engine.trading.rules import TradeRules, tightened
from algoexec.engine.trading.tally import breach
from algoexec.engine.trading.trade import ExitReason, Intent, Trade
from algoexec.engine.transition import Draft


def apply_trading(draft: Draft, event: TradeEvent) -> None:
    """Take in an event that concerns trading; where nothing is traded, none does."""
    if draft.state.trading is None:
        return
    if isinstance(event, BrokerEvent):
        broker_said(draft, event)
        return
    match event:
        case Marked():
            marked(draft, event)
        case EntryApproved():
            approve(draft, event)
        case EntryDeclined():
            decline(draft, event)
        case FlattenRequested():
            flatten(draft, Refusal.HALTED)
        case KillSwitched(reason=reason):
            _kill(draft, reason)
        case TradeRulesChanged(rules=rules):
            change_trading(draft, rules=tightened(draft.state.trading.rules, rules))
            draft.tell_session()
            lock_if_breached(draft)
            pursue(draft)
            pursue(draft)
        case ServiceStopping(policy=policy):
            _withdraw(draft, policy)
        case ServiceStarted():
            change_trading(draft, unattended=False)
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
    """Let trades be begun again where a limit of the day forbids them: a person has said so."""
    trading = draft.state.trading
    if trading is not None and (trading.tally.lock is not None or breach(trading.tally, 0, trading.rules) is not None):
        change_trading(draft, tally=trading.tally.unlocked())


def is_flat(state: EngineState) -> bool:
    """Whether nothing is held, working or wanted."""
    return state.trading is None or (state.trading.trade is None and state.trading.intent is None)


def is_secured(state: EngineState, policy: OnShutdown) -> bool:
    """Whether nothing is begun, and what is held is as a service that stops should leave it."""
    trade = None if state.trading is None else state.trading.trade
    if trade is None or policy is OnShutdown.FLATTEN:
        return is_flat(state)
    if policy is OnShutdown.LEAVE:
        return not trade.open_orders(Purpose.ENTRY)
    return trade.is_settled and trade.uncovered <= 0


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


def flatten(draft: Draft, why: Refusal) -> None:
    """Get out of everything."""
    if draft.state.trading is None:
        return
    drop_intent(draft, Refused(why, "everything is being closed"))
    leave(draft, ExitReason.FLATTEN)
    pursue(draft)


def hand_over(draft: Draft) -> None:
    """Leave everything to the person."""
    if draft.state.trading is not None:
        begin_to_hand_over(draft)
        pursue(draft)


def forbid_entries(draft: Draft, refused: Refused) -> None:
    """Give up what has not been bought yet; what is held keeps its stops and exits."""
    if draft.state.trading is not None:
        drop_intent(draft, refused)
        pursue(draft)


def time_passed(draft: Draft) -> None:
    """Do what was due."""
    trading = trading_of(draft)
    intent, trade = trading.intent, trading.trade
    if intent is not None and draft.at >= _intent_due(intent, trading.rules):
        drop_overdue(draft)
    if trade is None:
        return
    due = time_due(trade, trading.rules)
    if due is not None and draft.at >= due and not trade.is_ending:
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
        dues.append(_intent_due(trading.intent, trading.rules))
    if (trade := trading.trade) is not None:
        rules, closes_at = trading.rules, state.day.closes_at
        dues += [due for due in _order_dues(trade, rules) if due is not None and due < closes_at]
        dues += [call_due(trade, rules, closes_at), ask_due(trade, rules), hand_over_due(trade, rules)]
        if not trade.is_ending:
            dues.append(time_due(trade, rules))
    return min((due for due in dues if due is not None), default=None)


def _order_dues(trade: Trade, rules: TradeRules) -> Iterator[datetime | None]:
    """Yield when something is to be done about each open order; once the market is closed nothing can."""
    for order in trade.open_orders(Purpose.ENTRY):
        yield entry_due(trade, order, rules)
    for order in trade.open_orders(Purpose.EXIT):
        yield exit_due(order, rules)
        yield follow_due(trade, order, rules)


def _intent_due(intent: Intent, rules: TradeRules) -> datetime:
    """Return when an intent can wait no longer: its signal expires, or nothing is begun any more today."""
    return min(intent.signal.expires_at, square_off_at(intent.signal.expires_at, rules))


def _withdraw(draft: Draft, policy: OnShutdown) -> None:
    """Begin nothing any more, and make what is held safe."""
    change_trading(draft, unattended=True)
    drop_intent(draft, Refused(Refusal.STOPPING, "the service is being stopped"))
    trade = trading_of(draft).trade
    if trade is not None and policy is OnShutdown.PROTECT:
        keep(draft, replace(trade, guarded=True, lapses=0))
    elif policy is OnShutdown.FLATTEN:
        leave(draft, ExitReason.FLATTEN)
    pursue(draft)


def _kill(draft: Draft, reason: str | None) -> None:
    change_trading(draft, killed=reason)
    if reason is not None:
        draft.change(halted=f"kill switch: {reason}")
    draft.tell_session()
    if reason is not None:
        flatten(draft, Refusal.KILL_SWITCH)


def _guard_the_day(draft: Draft, trade: Trade, mark: OptionMark) -> None:
    """Throw the breaker when the day's limit is reached, what is held included."""
    trading = trading_of(draft)
    value = mark.value(draft.at, trading.rules.quote_max_age_s)
    if value is None or not trade.bought.quantity:
        return
    charges = trade.charges(draft.at.astimezone(IST).date(), trading.rules.brokerage).total
    reached = breach(trading.tally, trade.open_profit(value) - charges, trading.rules)
    if reached is not None and trading.tally.lock is None:
        lock(draft, reached)
        leave(draft, ExitReason.BREAKER)


def held_options(state: EngineState) -> tuple[InstrumentKey, ...]:
    """Return the options whose quotes are needed whatever the ATM strikes are."""
    trading = state.trading
    if trading is None:
        return ()
    wanted = [one.option.key for one in (trading.intent, trading.trade) if one is not None]
    return tuple(dict.fromkeys(wanted))
