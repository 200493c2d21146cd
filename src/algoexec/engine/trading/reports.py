"""What the broker says of our orders, however late, often and out of order."""

from dataclasses import replace
from typing import assert_never

from algoexec.domain.orders import OrderReport
from algoexec.engine.effects import Severity
from algoexec.engine.events import (
    BrokerEvent,
    ChangeNotMade,
    FundsRead,
    OrderNotPlaced,
    OrderReported,
    OutcomeNotKnown,
    PositionRead,
)
from algoexec.engine.trading.drafting import (
    cancel,
    change_trading,
    keep,
    tell_order,
    tell_position,
    trading_of,
)
from algoexec.engine.trading.exits import (
    leave,
    opened,
    reconcile,
    sell,
)
from algoexec.engine.trading.orders import OwnOrder, Phase
from algoexec.engine.trading.protection import has_lapsed, not_moved, not_resting
from algoexec.engine.trading.pursuit import halt, pursue
from algoexec.engine.trading.trade import Stage, Trade
from algoexec.engine.transition import Draft


def broker_said(draft: Draft, event: BrokerEvent) -> None:
    """Take in what the broker says, or that it does not."""
    match event:
        case OrderReported(report=report):
            _reported(draft, report)
        case OrderNotPlaced():
            _not_placed(draft, event)
        case OutcomeNotKnown():
            _outcome_not_known(draft, event)
        case ChangeNotMade():
            _change_not_made(draft, event)
        case PositionRead():
            _position_read(draft, event)
        case FundsRead(available=available):
            change_trading(draft, funds=available)
        case _ as unreachable:
            assert_never(unreachable)


def _reported(draft: Draft, report: OrderReport) -> None:
    """Take in the broker's word on an order; one that is not ours, or says nothing new, changes nothing."""
    trading = trading_of(draft)
    trade = trading.trade
    if report.id is None:
        return
    order = None if trade is None else trade.order(report.id)
    if trade is None or order is None:
        _turned_up(draft, report)
        return
    if (why := order.contradiction(report)) is not None:
        halt(draft, why, "CONTRADICTION")
    _update(draft, trade, order, order.reported(report, draft.at))
    pursue(draft)


def _not_placed(draft: Draft, event: OrderNotPlaced) -> None:
    """Take in that an order surely did not reach the exchange."""
    trade = trading_of(draft).trade
    order = None if trade is None else trade.order(event.id)
    if trade is None or order is None or order.phase not in (Phase.SENDING, Phase.UNKNOWN):
        return
    _update(draft, trade, order, order.moved(Phase.REJECTED if event.was_sent else Phase.NOT_SENT, event.detail))
    pursue(draft)


def _outcome_not_known(draft: Draft, event: OutcomeNotKnown) -> None:
    """Take in that nobody knows yet whether the broker has an order."""
    trade = trading_of(draft).trade
    order = None if trade is None else trade.order(event.id)
    if trade is not None and order is not None and order.phase is Phase.SENDING:
        _update(draft, trade, order, order.moved(Phase.UNKNOWN, event.detail))
        draft.alert(Severity.WARNING, "OUTCOME_UNKNOWN", f"{order.purpose} is being looked up: {event.detail}")


def _change_not_made(draft: Draft, event: ChangeNotMade) -> None:
    """Take in that a change was not taken; it is asked for again when its time comes."""
    trade = trading_of(draft).trade
    order = None if trade is None else trade.order(event.id)
    if trade is None or order is None or not order.is_open:
        return
    _update(draft, trade, order, replace(order, message=event.detail))
    if order.waits and not order.cancel_wanted:
        keep(draft, not_moved(draft, trading_of(draft).trade or trade, event.detail))


def _position_read(draft: Draft, event: PositionRead) -> None:
    """Take in what the broker holds: sell what is ours of it, or while it is held, see whether it still is."""
    trade = trading_of(draft).trade
    if trade is None or trade.option.key != event.instrument:
        return
    if trade.waits_for_position:
        after = sell(draft, trade, event)
    elif trade.stage is Stage.IN_TRADE and trade.is_settled:
        after = reconcile(draft, trade, event)
    else:
        return
    keep(draft, after)
    if (after.open_units, after.stage) != (trade.open_units, trade.stage):
        tell_position(draft)
    pursue(draft, event.mark)


def _update(draft: Draft, trade: Trade, before: OwnOrder, order: OwnOrder) -> None:
    """Keep an order as it now is; tell it, and the position if that has changed."""
    if order == before:
        return
    changed = trade.with_order(order)
    if changed.bought != trade.bought:
        changed = opened(changed, draft.at, trading_of(draft).rules)
    keep(draft, changed)
    if replace(order, value=before.value) != before:
        tell_order(draft, changed, order)
    if has_lapsed(before, order):
        changed = keep(draft, not_resting(draft, changed, order))
    elif order.phase in (Phase.REJECTED, Phase.NOT_SENT) and order.phase is not before.phase:
        draft.alert(Severity.WARNING, "ORDER_NOT_PLACED", f"{order.purpose} was not placed: {order.message}")
    if order.filled != before.filled:
        tell_position(draft)
    if before.phase.is_final and (order.is_open or order.filled != before.filled):
        _revived(draft, changed, order)


def _revived(draft: Draft, trade: Trade, order: OwnOrder) -> None:
    """Stop entering: an order was over, and is not. What it fills is ours to manage, the rest is not wanted."""
    if order.is_open:
        keep(draft, cancel(draft, trade, order))
    halt(draft, f"{order.purpose} {order.id} was over and now is {order.phase} with {order.filled} filled", "LATE_FILL")


def _turned_up(draft: Draft, report: OrderReport) -> None:
    """Take in word of an order whose trade has ended.

    If it was an entry that had bought nothing, the trade goes on. A trade that was written down is
    not opened again: then, or if another one is under way, a person has to see to it.
    """
    trading = trading_of(draft)
    trade = next((one for one in trading.ended if one.order(report.id or "") is not None), None)
    before = None if trade is None else trade.order(report.id or "")
    if trade is None or before is None:
        return
    if (why := before.contradiction(report)) is not None:
        halt(draft, why, "CONTRADICTION")
    order = before.reported(report, draft.at)
    is_news = order.is_open or order.filled != before.filled
    if is_news and trading.trade is None and not trade.bought.quantity:
        others = tuple(one for one in trading.ended if one is not trade)
        trade = replace(trade, stage=Stage.ENTERING, called_at=None)
        change_trading(draft, ended=others, trade=trade)
        _update(draft, trade, before, order)
        if trade.exit_reason is not None:
            leave(draft, trade.exit_reason)
        pursue(draft)
    elif order != before:
        if order.is_open:
            order = cancel(draft, trade.with_order(order), order).order(order.id) or order
        ended = tuple(one.with_order(order) if one is trade else one for one in trading.ended)
        change_trading(draft, ended=ended)
        tell_order(draft, trade, order)
        if is_news:
            text = f"{trade.option.name}: {order.id} was over and now has {order.filled} filled; see to them yourself"
            halt(draft, text, "LATE_FILL")
