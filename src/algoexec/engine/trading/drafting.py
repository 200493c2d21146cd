"""How a trade is written into a transition: its state, its orders, its frames."""

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from algoexec.domain.errors import DomainError
from algoexec.domain.orders import OrderTerms, OrderTicket, OrderType, Side
from algoexec.engine.effects import (
    CancelOrder,
    EntryOffered,
    EntryRefused,
    ModifyOrder,
    OrderChanged,
    PositionChanged,
    SubmitOrder,
)
from algoexec.engine.signals import base36
from algoexec.engine.trading.orders import OwnOrder, Phase, Purpose
from algoexec.engine.trading.risk import Refused
from algoexec.engine.trading.trade import Intent, Trade, TradingState
from algoexec.engine.transition import Draft

NEUTRAL = "NEUTRAL"


def trading_of(draft: Draft) -> TradingState:
    """Return the trading state.

    Raises:
        DomainError: nothing is traded in this session.
    """
    if draft.state.trading is None:
        raise DomainError("this session does not trade")
    return draft.state.trading


def change_trading(draft: Draft, **fields: Any) -> None:
    """Replace fields of the trading state."""
    draft.change(trading=replace(trading_of(draft), **fields))


def record_name(draft: Draft) -> str:
    """Return the name of the record under way, under which numbers are given: each is used once."""
    return f"{draft.state.session_id}-{base36(draft.state.seq)}"


def keep(draft: Draft, trade: Trade) -> Trade:
    """Let a trade be as it now is."""
    change_trading(draft, trade=trade)
    return trade


def at_limit(price: float) -> OrderTerms:
    """Return the terms of an order that works at once, at this price or a better one."""
    return OrderTerms(type=OrderType.LIMIT, price=price)


def submit(draft: Draft, trade: Trade, purpose: Purpose, quantity: int, terms: OrderTerms) -> Trade:
    """Add an order to a trade and send it.

    Its number is a function of session, record and place in the step; the record of an entry is
    the one that named its trade, which may have waited for a person since.
    """
    place = sum(isinstance(effect, SubmitOrder) for effect in draft.effects)
    ticket = OrderTicket(
        id=f"{trade.id if purpose is Purpose.ENTRY else record_name(draft)}-{place}",
        instrument=trade.option.key,
        side=Side.BUY if purpose is Purpose.ENTRY else Side.SELL,
        quantity=quantity,
        type=terms.type,
        price=terms.price,
        trigger_price=terms.trigger_price,
    )
    order = OwnOrder(
        ticket=ticket,
        purpose=purpose,
        phase=Phase.SENDING,
        limit=terms.price,
        asked_at=draft.at,
        trigger=terms.trigger_price,
    )
    draft.do(SubmitOrder(ticket=ticket, purpose=purpose))
    tell_order(draft, trade, order)
    return trade.with_order(order)


def reprice(draft: Draft, trade: Trade, order: OwnOrder, terms: OrderTerms) -> Trade:
    """Change the terms of an order that the broker has."""
    if order.broker_id is None:
        raise DomainError(f"order {order.id} has no number at the broker yet")
    draft.do(ModifyOrder(id=order.id, broker_id=order.broker_id, terms=terms, purpose=order.purpose))
    changed = order.asked(terms, draft.at)
    tell_order(draft, trade, changed)
    return trade.with_order(changed)


def cancel(draft: Draft, trade: Trade, order: OwnOrder) -> Trade:
    """Withdraw an order; one that the broker has not confirmed yet is withdrawn as soon as it has."""
    changed = replace(order, cancel_wanted=True)
    if order.broker_id is not None and order.phase is Phase.WORKING:
        draft.do(CancelOrder(id=order.id, broker_id=order.broker_id, purpose=order.purpose))
        changed = replace(changed, cancel_sent=True, asked_at=draft.at)
    return trade.with_order(changed)


def cancel_due(order: OwnOrder, patience_s: float) -> datetime | None:
    """Return when an unwanted order is to be withdrawn, the first time or again; None: the broker has to speak first.

    Not as fast as a broker can say no.
    """
    if not order.cancel_wanted or order.phase is not Phase.WORKING:
        return None
    return order.asked_at + timedelta(seconds=patience_s) if order.cancel_sent else order.asked_at


def is_overdue(draft: Draft, order: OwnOrder, patience_s: float) -> bool:
    """Whether an order has had its time since it was last placed or changed."""
    return draft.at >= order.asked_at + timedelta(seconds=patience_s)


def refuse(draft: Draft, intent: Intent, refused: Refused) -> None:
    """Say that a signal becomes no order, and why."""
    draft.tell(
        EntryRefused(
            signal_id=intent.signal.id,
            instrument=intent.option.key,
            reason=refused.reason.value,
            detail=refused.detail,
            order_id=None if intent.offer is None else intent.offer.order_id,
        )
    )


def tell_order(draft: Draft, trade: Trade, order: OwnOrder) -> None:
    """Tell an order as it stands."""
    draft.tell(
        OrderChanged(
            id=order.id,
            broker_id=order.broker_id,
            trade_id=trade.id,
            purpose=order.purpose,
            phase=order.phase,
            instrument=order.ticket.instrument,
            side=order.ticket.side,
            quantity=order.ticket.quantity,
            limit=order.limit,
            trigger=order.trigger,
            filled=order.filled,
            average_price=order.value / order.filled / 100 if order.filled else None,
            message=order.message,
            signal_id=trade.signal.id,
        )
    )


def offer_of(intent: Intent | None) -> EntryOffered | None:
    """Return what a person is asked about an intent, or has approved; None: nothing."""
    if intent is None or (offer := intent.offer) is None:
        return None
    return EntryOffered(
        id=offer.order_id,
        trade_id=offer.trade_id,
        signal_id=intent.signal.id,
        instrument=intent.option.key,
        quantity=offer.quantity,
        limit=offer.limit,
        risk=offer.risk,
        expires_at=intent.signal.expires_at,
        approved_by=offer.approved_by,
    )


def tell_position(draft: Draft) -> None:
    """Tell what is held now."""
    draft.tell(position_of(trading_of(draft).trade))


def position_of(trade: Trade | None) -> PositionChanged:
    """Return what is held by a trade, and what watches over it; None: no trade is under way."""
    if trade is None:
        return PositionChanged(stage=NEUTRAL)
    return PositionChanged(
        stage=trade.stage,
        trade_id=trade.id,
        instrument=trade.option.key,
        open_units=trade.open_units,
        average_price=trade.bought.average,
        stop=trade.stop,
        target=trade.target,
        index_stop=trade.signal.stop_loss,
        index_target=trade.signal.target,
        exit_reason=None if trade.exit_reason is None else trade.exit_reason.value,
    )
