"""May a signal become a trade? The first check that fails says why not."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from enum import StrEnum
from typing import NamedTuple

from algoexec.domain.calendar import ist_minute
from algoexec.domain.signals import Signal
from algoexec.engine.effects import Status
from algoexec.engine.events import FeedStatus
from algoexec.engine.state import EngineState
from algoexec.engine.trading.marks import OptionMark
from algoexec.engine.trading.rules import TradeRules
from algoexec.engine.trading.sizing import entry_limit, lots_by_cash, lots_by_risk, unit_risk
from algoexec.engine.trading.tally import breach
from algoexec.engine.trading.trade import Intent, TradingState


class Refusal(StrEnum):
    """Why no order was sent."""

    KILL_SWITCH = "KILL_SWITCH"
    HALTED = "HALTED"
    DAY_LOCKED = "DAY_LOCKED"
    WARMING_UP = "WARMING_UP"
    NEEDS_TOKEN = "NEEDS_TOKEN"  # noqa: S105
    STOPPING = "STOPPING"
    ALREADY_IN_TRADE = "ALREADY_IN_TRADE"
    OUTSIDE_HOURS = "OUTSIDE_HOURS"
    BLACKOUT = "BLACKOUT"
    EXPIRY_DAY = "EXPIRY_DAY"
    MAX_TRADES = "MAX_TRADES"
    STALE_FEED = "STALE_FEED"
    STALE_CHAIN = "STALE_CHAIN"
    NO_INSTRUMENT = "NO_INSTRUMENT"
    NO_QUOTE = "NO_QUOTE"
    SPREAD_TOO_WIDE = "SPREAD_TOO_WIDE"
    FUNDS_UNKNOWN = "FUNDS_UNKNOWN"
    RISK_TOO_SMALL = "RISK_TOO_SMALL"
    NO_CASH = "NO_CASH"
    EXPIRED = "EXPIRED"
    NOT_APPROVED = "NOT_APPROVED"
    DECLINED = "DECLINED"


class Refused(NamedTuple):
    """No order, and why."""

    reason: Refusal
    detail: str


class Approved(NamedTuple):
    """An order may be sent: so many units, the risk of one of them (1R), and the limit; both in rupees."""

    quantity: int
    one_r: float
    limit: float


def review_signal(state: EngineState, trading: TradingState, signal: Signal) -> Refused | None:
    """Return why a signal cannot become an intent; None if it can."""
    return next(_objections(state, trading, signal, state.at), None)


def review_waiting(state: EngineState, trading: TradingState, intent: Intent) -> Refused | None:
    """Return why an intent can wait no longer, be it for a quote or for a person; None if it can.

    What the market is like now does not matter: when the wait is over it is another.
    """
    if state.at < intent.signal.expires_at:
        return next(_lasting_objections(state, trading, state.at), None)
    if intent.waits_for_person:
        return Refused(Refusal.NOT_APPROVED, "nobody approved it before the signal expired")
    return Refused(Refusal.NO_QUOTE, "no usable quote came before the signal expired")


def review_entry(
    state: EngineState, trading: TradingState, intent: Intent, mark: OptionMark
) -> Approved | Refused | None:
    """Return what becomes of an intent at a quote; None: this quote says nothing, wait for another."""
    at, rules, option = state.at, trading.rules, intent.option
    if (objection := next(_objections(state, trading, intent.signal, at), None)) is not None:
        return objection
    if (book := mark.fresh_book(at, rules.quote_max_age_s)) is None:
        return None
    bid, ask = book
    widest = max(rules.max_spread_ticks * option.tick_size, (bid + ask) / 2 * rules.max_spread_pct / 100)
    if ask - bid > widest + option.tick_size / 1000:
        return Refused(Refusal.SPREAD_TOO_WIDE, f"bid {bid:g}, ask {ask:g}: at most {widest:.2f} apart")
    if trading.funds is None:
        return Refused(Refusal.FUNDS_UNKNOWN, "the broker has not said yet what can be spent")
    return _sized(intent, mark, entry_limit(ask, option, rules), trading.funds, rules)


def _sized(intent: Intent, mark: OptionMark, limit: float, funds: int, rules: TradeRules) -> Approved | Refused:
    lot = intent.option.lot
    one_r = unit_risk(limit, intent.signal, mark, rules)
    cash = min(funds, rules.capital)
    by_risk, by_cash = lots_by_risk(one_r, lot, rules), lots_by_cash(limit, lot, cash)
    if not by_risk:
        return Refused(Refusal.RISK_TOO_SMALL, f"one lot risks {one_r * lot:.2f}, allowed {rules.risk_per_trade / 100}")
    if not by_cash:
        return Refused(Refusal.NO_CASH, f"one lot costs {limit * lot:.2f}, there is {cash / 100:.2f}")
    return Approved(min(by_risk, by_cash) * lot, one_r, limit)


def _objections(state: EngineState, trading: TradingState, signal: Signal, at: datetime) -> Iterator[Refused]:
    yield from _lasting_objections(state, trading, at)
    yield from _of_the_market(state, trading.rules, signal, at)


def _lasting_objections(state: EngineState, trading: TradingState, at: datetime) -> Iterator[Refused]:
    yield from forbidding(state, trading)
    yield from _of_the_session(state, trading)
    yield from _of_the_day(state, trading, at)


def forbidding(state: EngineState, trading: TradingState) -> Iterator[Refused]:
    """Yield what forbids entries altogether: while it lasts, one that is working is withdrawn."""
    if trading.killed is not None:
        yield Refused(Refusal.KILL_SWITCH, trading.killed)
    if state.halted is not None:
        yield Refused(Refusal.HALTED, state.halted)
    if trading.tally.lock is not None:
        yield Refused(Refusal.DAY_LOCKED, trading.tally.lock)
    if state.status is Status.NEEDS_TOKEN:
        yield Refused(Refusal.NEEDS_TOKEN, "the broker refuses the access token")
    if trading.unattended:
        yield Refused(Refusal.STOPPING, "the service is being stopped")
    if state.stopping is not None:
        yield Refused(Refusal.STOPPING, "the session is being stopped")


def _of_the_session(state: EngineState, trading: TradingState) -> Iterator[Refused]:
    if state.status is not Status.RUNNING:
        yield Refused(Refusal.WARMING_UP, f"the session is {state.status}")
    if trading.trade is not None:
        yield Refused(Refusal.ALREADY_IN_TRADE, trading.trade.id)


def _of_the_day(state: EngineState, trading: TradingState, at: datetime) -> Iterator[Refused]:
    rules, minute = trading.rules, ist_minute(at) % 1440
    if minute >= rules.square_off_minute or not state.day.opens_at <= at < state.day.continuous_until:
        yield Refused(Refusal.OUTSIDE_HOURS, "too late, or too early, to begin a trade")
    if any(window.begins <= minute < window.ends for window in rules.blackout):
        yield Refused(Refusal.BLACKOUT, "inside a blackout window")
    if not rules.trade_expiry_day and state.contracts is not None and state.contracts.expiry == state.day.date:
        yield Refused(Refusal.EXPIRY_DAY, "the options expire today")
    if trading.tally.trades >= rules.max_trades_per_day:
        yield Refused(Refusal.MAX_TRADES, f"{trading.tally.trades} trades were begun today")
    if (limit := breach(trading.tally, 0, rules)) is not None:
        yield Refused(Refusal.DAY_LOCKED, limit)


def _of_the_market(state: EngineState, rules: TradeRules, signal: Signal, at: datetime) -> Iterator[Refused]:
    if at >= signal.expires_at:
        yield Refused(Refusal.EXPIRED, "no usable quote came before the signal expired")
    if state.feed is not FeedStatus.CONNECTED:
        yield Refused(Refusal.STALE_FEED, f"the market feed is {state.feed}")
    oldest = at - timedelta(minutes=rules.chain_max_age_minutes)
    if not state.readings or state.readings[-1].at < oldest:
        yield Refused(Refusal.STALE_CHAIN, "the option chain was not read lately")
    if signal.instrument is None:
        yield Refused(Refusal.NO_INSTRUMENT, "no strike is listed at the money")
