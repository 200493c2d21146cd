"""When to leave a trade, and how to get out of it for sure."""

from dataclasses import replace
from datetime import datetime, time, timedelta
from typing import Final

from algoexec.domain.calendar import IST, ist, ist_minute
from algoexec.domain.signals import Side as SignalSide
from algoexec.engine.effects import ReadPosition, Severity
from algoexec.engine.events import PositionRead
from algoexec.engine.trading.drafting import (
    at_limit,
    keep,
    reprice,
    submit,
    tell_position,
    trading_of,
)
from algoexec.engine.trading.entries import pursue_entry
from algoexec.engine.trading.ladder import offer, press
from algoexec.engine.trading.marks import IndexMark, OptionMark
from algoexec.engine.trading.orders import Purpose
from algoexec.engine.trading.protection import pursue_stop, stop_terms, wants_stop, withdraw
from algoexec.engine.trading.rules import TradeRules
from algoexec.engine.trading.sizing import parts, to_tick_down, to_tick_up
from algoexec.engine.trading.trade import ExitReason, Fills, Stage, Trade
from algoexec.engine.transition import Draft

_ASK_CLOSED: Final = timedelta(minutes=1)
"""Between questions for the position once the market is closed: the broker may square it off."""


def watch(draft: Draft, index: IndexMark | None, mark: OptionMark) -> None:
    """Follow the held option: its extremes, its trailing stop, and whether it is time to leave."""
    trading = trading_of(draft)
    trade = trading.trade
    if trade is None or not trade.bought.quantity:
        return
    value = mark.value(draft.at, trading.rules.quote_max_age_s)
    if value is not None:
        before, trade = trade.stop, keep(draft, _followed(trade, value, trading.rules))
        if trade.stop != before:
            tell_position(draft)
    if trade.is_ending:
        return
    reason = _reason_to_leave(trade, index, value, draft.at, trading.rules)
    if reason is not None:
        leave(draft, reason)


def leave(draft: Draft, reason: ExitReason) -> None:
    """Begin to get out; the first reason stays."""
    trade = trading_of(draft).trade
    if trade is None or trade.is_ending:
        return
    keep(draft, begun_to_leave(trade, reason, draft.at))
    tell_position(draft)


def begun_to_leave(trade: Trade, reason: ExitReason, at: datetime) -> Trade:
    """Return a trade that is being left."""
    return replace(trade, stage=Stage.EXITING, exit_reason=reason, exit_begun_at=at, ask_at=at)


def opened(trade: Trade, at: datetime, rules: TradeRules) -> Trade:
    """Return a trade with the stop and target that its average price asks for."""
    average = trade.bought.average
    if average is None:
        return trade
    tick = trade.option.tick_size
    trade = replace(trade, opened_at=trade.opened_at or at)
    target = to_tick_up(average * (1 + rules.premium_target_pct / 100), tick)
    if trade.trailed:
        return replace(trade, target=target)
    return replace(trade, target=target, stop=to_tick_down(average * (1 - rules.premium_stop_pct / 100), tick))


def pursue_exit(draft: Draft, trade: Trade, mark: OptionMark | None) -> Trade:
    """Do the next thing that gets the trade flat."""
    trade = pursue_stop(draft, pursue_entry(draft, trade))
    return ask_if_due(draft, press(draft, trade, mark))


def ask_if_due(draft: Draft, trade: Trade) -> Trade:
    """Ask the broker what is there to sell, if it is time."""
    due = ask_due(trade, trading_of(draft).rules)
    if due is None or draft.at < due:
        return trade
    draft.do(ReadPosition(instrument=trade.option.key))
    return replace(trade, waits_for_position=True)


def sell(draft: Draft, trade: Trade, read: PositionRead) -> Trade:
    """Offer what is ours and still there: the broker's units may be the person's own, too.

    While the trade is held it is offered as a stop that rests, if that is wanted; what is left is
    sold, and what rests is changed into that. Once the market is closed nothing is offered.
    """
    rules = trading_of(draft).rules
    trade = replace(trade, waits_for_position=False)
    if not trade.is_settled or trade.open_units <= 0:
        return trade
    patience = timedelta(seconds=rules.exit_patience_s)
    trade = reconcile(draft, trade, read)
    if trade.short_at is not None:
        return replace(trade, ask_at=trade.short_at + patience)
    if draft.at >= draft.state.day.closes_at:
        return replace(trade, ask_at=draft.at + _ASK_CLOSED)
    if not trade.open_units or not (trade.stage is Stage.EXITING or wants_stop(trade, rules)):
        return trade
    # The first exit may be followed at once; if that one is thrown out too, it must not become a storm.
    trade = replace(trade, ask_at=draft.at + patience if trade.has_been_offered else draft.at)
    units, resting = trade.uncovered, trade.resting
    terms = stop_terms(trade, rules)
    if trade.stage is Stage.EXITING:
        terms = at_limit(offer(draft, trade, None, read.mark))
        for order in resting:
            trade = reprice(draft, trade, order, terms)
    for part in parts(units, trade.option.freeze_quantity, trade.option.lot):
        trade = submit(draft, trade, Purpose.EXIT, part, terms)
    return trade


def reconcile(draft: Draft, trade: Trade, read: PositionRead) -> Trade:
    """Notice that somebody else has sold: what is left is held on, none left is the end.

    It is believed when the broker says so for a while (since `short_at`): its positions may lag behind
    its fills. But what rests is withdrawn at once: triggered now, it would sell what is not there.
    """
    gone = trade.open_units - min(trade.open_units, max(read.net, 0))
    since = trade.short_at or draft.at
    believed_at = since + timedelta(seconds=trading_of(draft).rules.exit_patience_s)
    if gone and trade.resting:
        # Perhaps they have just sold it: nothing is believed before they are surely over.
        return replace(withdraw(draft, trade), short_at=since)
    if gone and (trade.short_at is None or draft.at < believed_at):
        return replace(trade, short_at=since)
    trade = replace(trade, short_at=None)
    if gone:
        trade = _gone(draft, trade, gone, read)
    if not trade.open_units and trade.stage is not Stage.EXITING:
        return begun_to_leave(trade, ExitReason.EXTERNALLY_CLOSED, draft.at)
    return trade


def ask_due(trade: Trade, rules: TradeRules) -> datetime | None:
    """Return when the broker is to be asked what is there to sell; None while something else comes first."""
    if not trade.is_settled or trade.waits_for_position or trade.open_units <= 0:
        return None
    if trade.stage is Stage.EXITING:
        return trade.ask_at
    return trade.ask_at or trade.opened_at if wants_stop(trade, rules) and trade.uncovered > 0 else None


def time_due(trade: Trade, rules: TradeRules) -> datetime | None:
    """Return when a held position is given up, whatever its price; None before the first fill."""
    if trade.opened_at is None:
        return None
    by_age = trade.opened_at + timedelta(minutes=rules.max_minutes_in_trade)
    return min(by_age, square_off_at(trade.opened_at, rules))


def square_off_at(at: datetime, rules: TradeRules) -> datetime:
    """Return the day's square-off, UTC."""
    day = at.astimezone(IST).date()
    return ist(day, time(*divmod(rules.square_off_minute, 60)))


def stop_reason(trade: Trade) -> ExitReason:
    """Return what it is called when the premium reaches the trade's stop."""
    return ExitReason.TRAILING_STOP if trade.trailed else ExitReason.PREMIUM_STOP


def _reason_to_leave(
    trade: Trade, index: IndexMark | None, value: float | None, at: datetime, rules: TradeRules
) -> ExitReason | None:
    """Return why to leave now; stops come before targets."""
    rises = 1 if trade.signal.side is SignalSide.BUY_CALL else -1
    is_index_fresh = index is not None and at - index.at <= timedelta(seconds=rules.quote_max_age_s)
    points = index.price if index is not None and is_index_fresh else None
    if points is not None and (points - trade.signal.stop_loss) * rises <= 0 and not _is_after_hours(at, rules):
        return ExitReason.INDEX_STOP
    if value is not None and trade.stop is not None and value <= trade.stop:
        return stop_reason(trade)
    if points is not None and (points - trade.signal.target) * rises >= 0 and not _is_after_hours(at, rules):
        return ExitReason.INDEX_TARGET
    if value is not None and trade.target is not None and value >= trade.target:
        return ExitReason.PREMIUM_TARGET
    return None


def _is_after_hours(at: datetime, rules: TradeRules) -> bool:
    """Whether the index has left continuous trading: then only the premium counts."""
    return ist_minute(at) % 1440 >= rules.square_off_minute


def _followed(trade: Trade, value: float, rules: TradeRules) -> Trade:
    """Return the trade after a mark: its extremes, and its stop if that moves up."""
    best = value if trade.best is None else max(trade.best, value)
    worst = value if trade.worst is None else min(trade.worst, value)
    if (best, worst) != (trade.best, trade.worst):
        trade = replace(trade, best=best, worst=worst)
    average = trade.bought.average
    if not rules.trailing or average is None or trade.stop is None or best < average + trade.one_r:
        return trade
    # At +1R to the entry, then 1R behind the best: the second includes the first.
    stop = to_tick_down(best - trade.one_r, trade.option.tick_size)
    return replace(trade, stop=stop, trailed=True) if stop > trade.stop else trade


def _gone(draft: Draft, trade: Trade, units: int, read: PositionRead) -> Trade:
    """Count units that are gone from the account as sold by somebody else, at what the broker says or the mark does."""
    draft.alert(
        Severity.WARNING,
        "EXTERNALLY_CLOSED",
        f"{units} units of {trade.option.name} are no longer in the account: somebody else sold them",
    )
    if read.sold_elsewhere is not None:
        quantity = trade.external.quantity + units
        return replace(trade, external=Fills(quantity, round(read.sold_elsewhere * 100 * quantity)))
    value = read.mark.value(draft.at, trading_of(draft).rules.quote_max_age_s)
    return trade.sold_by_others(units, value or trade.bought.average or 0.0)
