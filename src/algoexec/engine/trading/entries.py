"""From a signal to a filled entry."""

from dataclasses import replace
from datetime import datetime, timedelta

from algoexec.domain.instruments import Option
from algoexec.domain.signals import Signal
from algoexec.engine.effects import EntryRefused, QuoteOption
from algoexec.engine.events import EntryApproved, EntryDeclined
from algoexec.engine.trading.drafting import (
    at_limit,
    cancel,
    cancel_due,
    change_trading,
    is_overdue,
    keep,
    offer_of,
    record_name,
    refuse,
    reprice,
    submit,
    tell_position,
    trading_of,
)
from algoexec.engine.trading.marks import OptionMark
from algoexec.engine.trading.orders import OwnOrder, Phase, Purpose
from algoexec.engine.trading.risk import (
    Approved,
    Refusal,
    Refused,
    forbidding,
    review_entry,
    review_signal,
    review_waiting,
)
from algoexec.engine.trading.rules import Approval, TradeRules
from algoexec.engine.trading.sizing import dearest, entry_limit, parts
from algoexec.engine.trading.trade import Intent, Offer, Stage, Trade
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
    """Enter on a quote of the wanted option, if it allows that, or ask the person who has the last word."""
    trading = trading_of(draft)
    intent = trading.intent
    if intent is None:
        return
    if intent.waits_for_person:
        drop_overdue(draft)
        return
    match review_entry(draft.state, trading, intent, mark):
        case None:
            return
        case Refused() as refused:
            drop_intent(draft, refused)
        case Approved() as approved if trading.rules.approval is Approval.MANUAL and intent.offer is None:
            _ask_a_person(draft, intent, approved)
        case Approved() as approved:
            change_trading(draft, intent=None)
            _enter(draft, intent, approved)


def approve(draft: Draft, event: EntryApproved) -> None:
    """Let an offered entry be made at the next quote that allows it; one that waits no more stays as it is."""
    if not _is_asked(draft, event.order_id):
        return
    drop_overdue(draft)
    intent = trading_of(draft).intent
    if intent is not None and intent.offer is not None:
        _keep_offer(draft, intent, replace(intent.offer, approved_by=event.by))
        draft.do(QuoteOption(instrument=intent.option.key))


def decline(draft: Draft, event: EntryDeclined) -> None:
    """Drop an offered entry; one that waits no more stays as it is."""
    if _is_asked(draft, event.order_id):
        drop_overdue(draft)
        drop_intent(draft, Refused(Refusal.DECLINED, f"declined by {event.by}"))


def drop_overdue(draft: Draft) -> None:
    """Give up an intent that can wait no longer."""
    trading = trading_of(draft)
    if trading.intent is not None:
        refused = review_waiting(draft.state, trading, trading.intent)
        if refused is not None:
            drop_intent(draft, refused)


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


def _is_asked(draft: Draft, order_id: str) -> bool:
    """Whether a person is asked about that order, and nobody has answered."""
    offered = offer_of(trading_of(draft).intent)
    return offered is not None and (offered.id, offered.approved_by) == (order_id, None)


def _ask_a_person(draft: Draft, intent: Intent, approved: Approved) -> None:
    risk = round(approved.one_r * approved.quantity * 100)
    offer = Offer(trade_id=record_name(draft), quantity=approved.quantity, limit=approved.limit, risk=risk)
    _keep_offer(draft, intent, offer)


def _keep_offer(draft: Draft, intent: Intent, offer: Offer) -> None:
    change_trading(draft, intent=replace(intent, offer=offer))
    if (offered := offer_of(trading_of(draft).intent)) is not None:
        draft.tell(offered)


def _enter(draft: Draft, intent: Intent, approved: Approved) -> None:
    trading = trading_of(draft)
    option = intent.option
    trade = Trade(
        id=record_name(draft) if intent.offer is None else intent.offer.trade_id,
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
