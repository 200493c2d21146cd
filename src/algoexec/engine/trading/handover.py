"""A position is left to the person: nothing of ours is undecided any more, and it is written down."""

from dataclasses import replace
from datetime import datetime, timedelta

from algoexec.engine.effects import Severity
from algoexec.engine.trading.drafting import cancel, cancel_due, keep, tell_order, tell_position, trading_of
from algoexec.engine.trading.entries import drop_intent, pursue_entry
from algoexec.engine.trading.marks import OptionMark
from algoexec.engine.trading.orders import OwnOrder, Phase, Purpose
from algoexec.engine.trading.risk import Refusal, Refused
from algoexec.engine.trading.rules import TradeRules
from algoexec.engine.trading.trade import ExitReason, Stage, Trade
from algoexec.engine.transition import Draft


def begin_to_hand_over(draft: Draft) -> None:
    """Leave what is held to the person: first, whatever works is withdrawn."""
    drop_intent(draft, Refused(Refusal.STOPPING, "the position is handed over"))
    trade = trading_of(draft).trade
    if trade is not None and trade.stage is not Stage.HANDING_OVER:
        keep(draft, replace(trade, stage=Stage.HANDING_OVER, exit_begun_at=draft.at, called_at=None))
        tell_position(draft)


def pursue_hand_over(draft: Draft, trade: Trade, mark: OptionMark | None) -> Trade:
    """Withdraw entries and exits; a stop that rests stays, and once all else is over the person is told of both.

    Without a quote the position is valued at its stop, after a moment.
    """
    rules = trading_of(draft).rules
    trade = pursue_entry(draft, trade)
    for order in trade.open_orders(Purpose.EXIT):
        due = cancel_due(order, rules.exit_patience_s)
        is_unwanted = order.trigger is None or trade.uncovered < 0
        if (is_unwanted and not order.cancel_wanted) or (due is not None and draft.at >= due):
            trade = cancel(draft, trade, order)
    due = hand_over_due(trade, rules)
    value = None if mark is None else mark.value(draft.at, rules.quote_max_age_s)
    if due is not None and (value is not None or draft.at >= due):
        return _handed_over(draft, trade, value)
    return trade


def hand_over_due(trade: Trade, rules: TradeRules) -> datetime | None:
    """Return when a position is handed over even if no quote says what it is worth; None while orders are open."""
    if trade.stage is not Stage.HANDING_OVER or trade.exit_begun_at is None:
        return None
    is_ready = trade.is_settled and trade.open_units > 0
    return trade.exit_begun_at + timedelta(seconds=rules.exit_patience_s) if is_ready else None


def _handed_over(draft: Draft, trade: Trade, value: float | None) -> Trade:
    units, stops = trade.open_units, trade.resting
    price = value or trade.stop or trade.bought.average or 0.0
    for order in stops:
        handed = order.moved(Phase.HANDED_OVER)
        trade = trade.with_order(handed)
        tell_order(draft, trade, handed)
    draft.alert(Severity.WARNING, "HANDED_OVER", f"{units} units of {trade.option.name} are yours now; {_left(stops)}")
    return replace(trade.sold_by_others(units, price), exit_reason=ExitReason.HANDED_OVER)


def _left(stops: list[OwnOrder]) -> str:
    if not stops:
        return "nothing of ours works at the exchange"
    each = (f"order {order.broker_id} sells {order.remaining} at {order.trigger:g}" for order in stops)
    return f"at the exchange our stop goes on ({', '.join(each)}): withdraw it before you sell yourself"
