"""From a signal to a filled entry."""

from dataclasses import replace
from datetime import datetime, timedelta

from algoexec.domain.instruments import Option
from algoexec.domain.signals import Signal
from algoexec.engine.effects import EntryRefused, QuoteOption
from algoexec.engine.signals import base36
from algoexec.engine.trading.drafting import (
    at_limit,
    cancel,
    cancel_due,
    change_trading,
    is_overdue,
    keep,
    refuse,
    reprice,
    submit,
    tell_position,
    trading_of,
)
from algoexec.engine.trading.marks import OptionMark
from algoexec.engine.trading.orders import OwnOrder, Phase, Purpose
from algoexec.engine.trading.risk import Approved, Refusal, Refused, forbidding, review_entry, review_signal
from algoexec.engine.trading.rules import TradeRules
from algoexec.engine.trading.sizing import dearest, entry_limit, parts
from algoexec.engine.trading.trade import Intent, Stage, Trade
from algoexec.engine.transition import Draft


def consider(draft: Draft, signal: Signal) -> None:
    """Take a signal as an intent, or say why not."""
    trading = trading_of(draft)
    refused = review_signal(draft.state, trading, signal)
    option = _option_of(draft, signal)
    if refused is None and option is None:
        refused = Refused(Refusal.NO_INSTRUMENT, "the option at the money is not listed")
    if refused is not None or option is None:
        _tell_refused(draft, signal, refused)
        return
    if trading.intent is not None:
        refuse(draft, trading.intent, Refused(Refusal.EXPIRED, "a newer signal took its place"))
    change_trading(draft, intent=Intent(signal=signal, option=option))
    draft.do(QuoteOption(instrument=option.key))


def try_to_enter(draft: Draft, mark: OptionMark) -> None:
    """Enter on a quote of the wanted option, if it allows that."""
    trading = trading_of(draft)
    intent = trading.intent
    if intent is None:
        return
    match review_entry(draft.state, trading, intent, mark):
        case None:
            return
        case Refused() as refused:
            change_trading(draft, intent=None)
            refuse(draft, intent, refused)
        case Approved() as approved:
            change_trading(draft, intent=None)
            _enter(draft, intent, approved)


def drop_intent(draft: Draft, refused: Refused) -> None:
    """Give up an intent that has not become an order."""
    intent = trading_of(draft).intent
    if intent is not None:
        change_trading(draft, intent=None)
        refuse(draft, intent, refused)


def reprice_entry(draft: Draft, mark: OptionMark) -> None:
    """Follow the ask once, when the first limit was not taken in time."""
    trading = trading_of(draft)
    trade, rules = trading.trade, trading.rules
    if trade is None or trade.stage is not Stage.ENTERING or trade.repriced or trade.bought.quantity:
        return
    book = mark.fresh_book(draft.at, rules.quote_max_age_s)
    for order in trade.open_orders(Purpose.ENTRY):
        if book is not None and _may_be_repriced(draft, order, rules):
            # Never beyond the band of the first price: it is what the size was reckoned for.
            highest = dearest(order.ticket.price, trade.option, rules)
            limit = min(entry_limit(book[1], trade.option, rules), highest)
            trade = replace(reprice(draft, trade, order, at_limit(limit)), repriced=True)
    keep(draft, trade)


def pursue_entry(draft: Draft, trade: Trade) -> Trade:
    """Give up entries that are not wanted any more, or whose time is over; of a partly filled one, the rest."""
    trading = trading_of(draft)
    is_wanted = trade.stage is Stage.ENTERING and next(forbidding(draft.state, trading), None) is None
    for order in trade.open_orders(Purpose.ENTRY):
        due = entry_due(trade, order, trading.rules)
        is_new = not is_wanted and not order.cancel_wanted
        if is_new or (due is not None and draft.at >= due):
            trade = cancel(draft, trade, order)
    return trade


def entry_due(trade: Trade, order: OwnOrder, rules: TradeRules) -> datetime | None:
    """Return when an entry's time is over; None while only the broker can say something new.

    The first wait ends with a new price, where a quote allows one; the second, or a partial
    fill, with the end.
    """
    if order.cancel_wanted:
        return cancel_due(order, rules.entry_patience_s)
    waits = 1 if trade.repriced or trade.bought.quantity else 2
    return order.asked_at + timedelta(seconds=waits * rules.entry_patience_s)


def _enter(draft: Draft, intent: Intent, approved: Approved) -> None:
    trading = trading_of(draft)
    option = intent.option
    trade = Trade(
        id=f"{draft.state.session_id}-{base36(draft.state.seq)}",
        signal=intent.signal,
        option=option,
        one_r=approved.one_r,
        stage=Stage.ENTERING,
        orders=(),
    )
    for part in parts(approved.quantity, option.freeze_quantity, option.lot):
        trade = submit(draft, trade, Purpose.ENTRY, part, at_limit(approved.limit))
    change_trading(draft, trade=trade, trades=trading.trades + 1, tally=trading.tally.begun())
    tell_position(draft)


def _may_be_repriced(draft: Draft, order: OwnOrder, rules: TradeRules) -> bool:
    is_settled = order.phase is Phase.WORKING and not order.cancel_wanted
    return is_settled and is_overdue(draft, order, rules.entry_patience_s)


def _option_of(draft: Draft, signal: Signal) -> Option | None:
    contracts = draft.state.contracts
    if contracts is None:
        return None
    return next((option for option in contracts.options if option.key == signal.instrument), None)


def _tell_refused(draft: Draft, signal: Signal, refused: Refused | None) -> None:
    if refused is not None:
        draft.tell(
            EntryRefused(
                signal_id=signal.id, instrument=signal.instrument, reason=refused.reason.value, detail=refused.detail
            )
        )
