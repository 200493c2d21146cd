"""How a working exit is offered cheaper until somebody takes it, and a person is called if nobody does."""

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Final

from algoexec.engine.effects import Severity
from algoexec.engine.trading.drafting import at_limit, cancel, cancel_due, reprice, trading_of
from algoexec.engine.trading.marks import OptionMark
from algoexec.engine.trading.orders import OwnOrder, Phase, Purpose
from algoexec.engine.trading.rules import EXIT_LADDER, TradeRules
from algoexec.engine.trading.sizing import exit_limit, to_tick_down, to_tick_up
from algoexec.engine.trading.trade import Stage, Trade
from algoexec.engine.transition import Draft

CALL_AGAIN_CLOSED: Final = timedelta(minutes=30)
"""Between calls once the market is closed: then only a person can do something, and not at once."""

_DEEPER_PCT: Final = 3.0
"""How much cheaper an exit is offered than last time when no quote says what is paid now."""


def press(draft: Draft, trade: Trade, mark: OptionMark | None) -> Trade:
    """Offer working exits cheaper once they have had their time; all of them are one rung further then.

    One that nobody takes even at the edge of the band may be stuck: it is withdrawn, and another follows.
    """
    rules = trading_of(draft).rules
    has_quote = mark is not None and mark.value(draft.at, rules.quote_max_age_s) is not None
    late = [order for order in trade.open_orders(Purpose.EXIT) if _is_late(draft, order, rules, has_quote=has_quote)]
    if any(not order.cancel_wanted for order in late):
        trade = replace(trade, rung=trade.rung + 1)
    for order in late:
        if order.cancel_wanted or trade.rung > len(EXIT_LADDER):
            trade = cancel(draft, trade, order)
        else:
            trade = reprice(draft, trade, order, at_limit(offer(draft, trade, order, mark)))
    return trade


def exit_due(order: OwnOrder, rules: TradeRules, waits: int = 2) -> datetime | None:
    """Return when an exit is to be offered cheaper; None while it rests, or only the broker can say something new.

    The first wait ends with a quote to go by; the second without one.
    """
    if order.cancel_wanted:
        return cancel_due(order, rules.exit_patience_s)
    if order.phase is not Phase.WORKING or order.waits:
        return None
    return order.asked_at + timedelta(seconds=waits * rules.exit_patience_s)


def offer(draft: Draft, trade: Trade, order: OwnOrder | None, mark: OptionMark | None) -> float:
    """Return the price at which an exit is offered on this rung; `order` is the one that was offered before.

    With a quote: below the bid. Without one: below the last offer, at first below the stop, and never
    below the protection band of the lowest price that was seen.
    """
    rules, tick = trading_of(draft).rules, trade.option.tick_size
    value = None if mark is None else mark.value(draft.at, rules.quote_max_age_s)
    if value is not None:
        below = EXIT_LADDER[trade.rung] if trade.rung < len(EXIT_LADDER) else rules.protection_pct
        return exit_limit(value, trade.option, rules, below)
    stop = trade.stop or trade.bought.average or tick
    floor = to_tick_up(min(stop, trade.worst or stop) * (1 - rules.protection_pct / 100), tick)
    last = stop if order is None else order.limit
    return max(to_tick_down(last * (1 - _DEEPER_PCT / 100), tick), floor)


def call_a_person(draft: Draft, trade: Trade) -> Trade:
    """Call a person while it takes long to get out of a trade, again and again."""
    closes_at = draft.state.day.closes_at
    due = call_due(trade, trading_of(draft).rules, closes_at)
    if due is None or draft.at < due:
        return trade
    what = f"{trade.open_units} units of {trade.option.name}"
    if trade.stage is Stage.HANDING_OVER:
        text = f"orders of ours are not surely withdrawn yet: {what} cannot be handed over; look into the broker's app"
    elif draft.at >= closes_at:
        text = f"{what} are not sold ({trade.exit_reason}), and the market is closed: see to them yourself"
    else:
        text = f"{what} are not sold yet ({trade.exit_reason}); the exit goes on, look into the broker's app"
    draft.alert(Severity.CRITICAL, "EXIT_STUCK", text)
    return replace(trade, called_at=draft.at)


def call_due(trade: Trade, rules: TradeRules, closes_at: datetime) -> datetime | None:
    """Return when a person is to be called about a trade; None while nobody tries to get out of it."""
    if trade.exit_begun_at is None or not trade.is_ending:
        return None
    if trade.called_at is not None:
        again = timedelta(seconds=rules.call_every_s)
        return trade.called_at + (again if trade.called_at < closes_at else CALL_AGAIN_CLOSED)
    return trade.exit_begun_at + timedelta(seconds=(len(EXIT_LADDER) + 1) * rules.exit_patience_s)


def _is_late(draft: Draft, order: OwnOrder, rules: TradeRules, *, has_quote: bool) -> bool:
    due = exit_due(order, rules, waits=1 if has_quote else 2)
    return due is not None and draft.at >= due
