"""Towards a trade's aim: an entry filled or given up, an exit flat.

What is done next follows from the trade and the session alone, so it does not matter in which
order the broker's answers come.
"""

from dataclasses import replace

from algoexec.engine.effects import Severity
from algoexec.engine.state import EngineState
from algoexec.engine.trading.closing import close
from algoexec.engine.trading.drafting import (
    change_trading,
    keep,
    tell_position,
    trading_of,
)
from algoexec.engine.trading.entries import (
    drop_intent,
    pursue_entry,
)
from algoexec.engine.trading.exits import (
    ask_if_due,
    leave,
    pursue_exit,
    stop_reason,
)
from algoexec.engine.trading.handover import pursue_hand_over
from algoexec.engine.trading.ladder import call_a_person
from algoexec.engine.trading.marks import OptionMark
from algoexec.engine.trading.orders import Purpose
from algoexec.engine.trading.protection import pursue_stop
from algoexec.engine.trading.risk import Refusal, Refused
from algoexec.engine.trading.tally import breach
from algoexec.engine.trading.trade import ExitReason, Stage, Trade
from algoexec.engine.transition import Draft


def pursue(draft: Draft, mark: OptionMark | None = None) -> None:
    """Do the next thing towards the trade's aim."""
    trade = trading_of(draft).trade
    if trade is None:
        return
    if not trade.is_ending and (reason := _reason_to_be_flat(draft.state, trade)) is not None:
        leave(draft, reason)
        trade = trading_of(draft).trade or trade
    if trade.is_ending:
        pursue_end = pursue_exit if trade.stage is Stage.EXITING else pursue_hand_over
        trade = keep(draft, call_a_person(draft, pursue_end(draft, trade, mark)))
        _close_if_flat(draft, trade)
        return
    trade = keep(draft, pursue_entry(draft, trade))
    if trade.stage is Stage.ENTERING and not trade.open_orders(Purpose.ENTRY):
        _entry_is_over(draft, trade)
        trade = trading_of(draft).trade
    if trade is not None and trade.stage is Stage.IN_TRADE:
        keep(draft, ask_if_due(draft, pursue_stop(draft, trade)))


def halt(draft: Draft, why: str, code: str) -> None:
    """Call a person, and begin nothing any more until one resumes."""
    if draft.state.halted == why:
        return
    draft.change(halted=why)
    draft.tell_session()
    draft.alert(Severity.CRITICAL, code, why)
    if draft.state.trading is not None:
        drop_intent(draft, Refused(Refusal.HALTED, why))


def _entry_is_over(draft: Draft, trade: Trade) -> None:
    """Hold what was bought, or go back to NEUTRAL."""
    if trade.bought.quantity:
        keep(draft, replace(trade, stage=Stage.IN_TRADE))
    else:
        trading = trading_of(draft)
        change_trading(draft, trade=None, ended=(*trading.ended, trade))
    tell_position(draft)


def _close_if_flat(draft: Draft, trade: Trade) -> None:
    if trade.has_open_orders or trade.open_units > 0:
        return
    if trade.open_units < 0:
        halt(draft, f"{trade.option.name}: {-trade.open_units} units more were sold than held", "OVERSOLD")
    if trade.bought.quantity:
        close(draft, trade)
    else:
        _entry_is_over(draft, trade)
    lock_if_breached(draft)


def _reason_to_be_flat(state: EngineState, trade: Trade) -> ExitReason | None:
    """Return why nothing may be held at all, however it came to be; None: it may."""
    trading = state.trading
    if trade.is_being_sold:
        return stop_reason(trade)  # the exchange has reached the stop that rests there
    if trading is not None and trading.tally.lock is not None:
        return ExitReason.BREAKER
    is_unwanted = state.stopping is not None or (trading is not None and trading.killed is not None)
    return ExitReason.FLATTEN if is_unwanted else None


def lock_if_breached(draft: Draft) -> None:
    """Throw the breaker if a limit of the day is reached by what is realised."""
    trading = trading_of(draft)
    reached = breach(trading.tally, 0, trading.rules)
    if reached is not None and trading.tally.lock is None:
        lock(draft, reached)


def lock(draft: Draft, reached: str) -> None:
    """Throw the breaker: a limit of the day is reached."""
    trading = trading_of(draft)
    change_trading(draft, tally=trading.tally.locked(reached))
    drop_intent(draft, Refused(Refusal.DAY_LOCKED, reached))
    halt(draft, f"{reached}: no trade is begun any more today until a person resumes", "BREAKER")
