"""The stop that rests at the exchange while something is held (strategy.md §8).

It is an exit that waits for its trigger. To leave the trade is to change its terms; if the market
reaches it first, the trade is being left. There is never a second sell beside it.
"""

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Final

from algoexec.domain.orders import OrderTerms, OrderType
from algoexec.engine.effects import Severity
from algoexec.engine.trading.drafting import cancel, cancel_due, reprice, trading_of
from algoexec.engine.trading.orders import OwnOrder
from algoexec.engine.trading.rules import TradeRules
from algoexec.engine.trading.sizing import to_tick_up
from algoexec.engine.trading.trade import Stage, Trade
from algoexec.engine.transition import Draft

FOLLOW_EVERY_S: Final = 2.0
FOLLOW_PCT: Final = 1.0
"""The resting stop follows the trail so often, and only if that is so much of the premium away: changes of
orders spend the same limits as exits."""

TRIES: Final = 3
"""How often a stop, or a change of it, may come to nothing in one trade; then it is not tried any more."""
TRY_AGAIN_S: Final = 5.0
"""Seconds before the second try; before each further one so many more."""


def wants_stop(trade: Trade, rules: TradeRules) -> bool:
    """Whether what is held is to have a stop at the exchange."""
    is_held = trade.stage is Stage.IN_TRADE and trade.stop is not None
    return is_held and (rules.protective_order or trade.guarded) and trade.lapses < TRIES


def stop_terms(trade: Trade, rules: TradeRules) -> OrderTerms:
    """Return what the resting stop is to be: the trade's own stop, sold down to the edge of the protection band."""
    trigger = trade.stop or trade.option.tick_size
    limit = to_tick_up(trigger * (1 - rules.protection_pct / 100), trade.option.tick_size)
    return OrderTerms(type=OrderType.SL, price=limit, trigger_price=trigger)


def pursue_stop(draft: Draft, trade: Trade) -> Trade:
    """Let the resting stop follow the trade's, and withdraw it where it is not wanted, or too much of it."""
    rules = trading_of(draft).rules
    is_wanted = rules.protective_order or trade.guarded or trade.stage is not Stage.IN_TRADE
    for order in trade.resting:
        follows_at = follow_due(trade, order, rules)
        withdrawn_at = cancel_due(order, rules.exit_patience_s)
        is_unwanted = not is_wanted or trade.uncovered < 0
        if (is_unwanted and not order.cancel_wanted) or (withdrawn_at is not None and draft.at >= withdrawn_at):
            trade = cancel(draft, trade, order)
        elif follows_at is not None and draft.at >= follows_at:
            trade = reprice(draft, trade, order, stop_terms(trade, rules))
    return trade


def follow_due(trade: Trade, order: OwnOrder, rules: TradeRules) -> datetime | None:
    """Return when a resting stop is to be moved up; None while it rests where it should, or near enough."""
    if order.trigger is None or order.cancel_wanted or not order.waits or not wants_stop(trade, rules):
        return None
    behind = (trade.stop or 0.0) - order.trigger
    if behind * 100 < FOLLOW_PCT * (trade.best or order.trigger):
        return None
    return order.asked_at + timedelta(seconds=FOLLOW_EVERY_S)


def withdraw(draft: Draft, trade: Trade) -> Trade:
    """Withdraw all that rests: it may not be there to be sold."""
    for order in trade.resting:
        trade = cancel(draft, trade, order)
    return trade


def has_lapsed(before: OwnOrder, order: OwnOrder) -> bool:
    """Whether a stop has just ended that was neither reached nor withdrawn by us."""
    was_stop = before.is_open and before.trigger is not None and not before.cancel_wanted
    return was_stop and not order.is_open and order.trigger is not None


def not_resting(draft: Draft, trade: Trade, order: OwnOrder) -> Trade:
    """Tell that a stop does not rest; the trade is watched as without one, and another is tried."""
    trade = _lapsed(draft, trade)
    outlook = "another is tried" if trade.lapses < TRIES else "no other is tried"
    why = f"{order.phase}: {order.message}" if order.message else order.phase
    text = f"{trade.option.name}: no stop rests at the exchange for {order.remaining} units ({why})"
    draft.alert(Severity.WARNING, "STOP_NOT_RESTING", f"{text}; it is watched from here, {outlook}")
    return trade


def not_moved(draft: Draft, trade: Trade, why: str) -> Trade:
    """Note that a stop could not be moved: perhaps it was reached just then. If that goes on, tell it."""
    trade = _lapsed(draft, trade)
    if trade.lapses == TRIES:
        text = f"{trade.option.name}: the stop at the exchange is not moved any more ({why}); it is watched from here"
        draft.alert(Severity.WARNING, "STOP_NOT_MOVED", text)
    return trade


def _lapsed(draft: Draft, trade: Trade) -> Trade:
    lapses = trade.lapses + 1
    return replace(trade, lapses=lapses, ask_at=draft.at + timedelta(seconds=TRY_AGAIN_S * lapses))
