"""A trade that is over is written down."""

from datetime import datetime

from algoexec.domain.calendar import IST
from algoexec.engine.effects import ReadFunds, TradeClosed
from algoexec.engine.trading.drafting import change_trading, tell_position, trading_of
from algoexec.engine.trading.trade import ExitReason, Trade
from algoexec.engine.transition import Draft


def close(draft: Draft, trade: Trade) -> None:
    """Write a flat trade down: only now is it reported closed."""
    trading = trading_of(draft)
    on = draft.at.astimezone(IST).date()
    charges = trade.charges(on, trading.rules.brokerage).total
    net = trade.gross() - charges
    tally = trading.tally.closed(net)
    change_trading(draft, trade=None, tally=tally, ended=(*trading.ended, trade))
    draft.tell(_closed_trade(trade, draft.at, charges, net))
    tell_position(draft)
    draft.do(ReadFunds())


def _closed_trade(trade: Trade, at: datetime, charges: int, net: int) -> TradeClosed:
    bought = trade.bought
    out = trade.sold.quantity + trade.external.quantity
    entry = bought.average or 0.0
    risk = trade.one_r * bought.quantity * 100
    reason = trade.exit_reason or ExitReason.EXTERNALLY_CLOSED
    if trade.external.quantity >= bought.quantity and reason is not ExitReason.HANDED_OVER:
        reason = ExitReason.EXTERNALLY_CLOSED
    return TradeClosed(
        id=trade.id,
        signal_id=trade.signal.id,
        pattern=trade.signal.pattern.value,
        instrument=trade.option.key,
        quantity=bought.quantity,
        entry_price=entry,
        exit_price=(trade.sold.value + trade.external.value) / out / 100 if out else 0.0,
        opened_at=trade.opened_at or at,
        closed_at=at,
        reason=reason.value,
        gross=trade.gross(),
        charges=charges,
        net=net,
        r=net / risk if risk else 0.0,
        mfe=None if trade.best is None else trade.best - entry,
        mae=None if trade.worst is None else trade.worst - entry,
        external_units=trade.external.quantity,
    )
