"""The one function that moves a session."""

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Final, assert_never

from algoexec.domain.errors import DomainError
from algoexec.domain.instruments import Contracts
from algoexec.domain.market import Candle
from algoexec.domain.options import PcrReading, Premium
from algoexec.domain.signals import Signal
from algoexec.engine.effects import ReadFunds, Severity, Status, Subscribe, Unsubscribe
from algoexec.engine.events import (
    CandleClosed,
    CandlesRepaired,
    ChainPolled,
    DayPrepared,
    DeadlinePassed,
    FeedChanged,
    FeedStatus,
    Halted,
    ParametersChanged,
    Record,
    Resumed,
    SessionCreated,
    SessionEvent,
    SessionFailed,
    StopReason,
    StopRequested,
    TokenRejected,
    TokenReplaced,
    TradeEvent,
    WarmedUp,
)
from algoexec.engine.signals import decide_candle, memory_after
from algoexec.engine.state import EngineState
from algoexec.engine.trading.flow import (
    apply_trading,
    consider_all,
    flatten,
    forbid_entries,
    hand_over,
    held_options,
    is_flat,
    next_due,
    time_passed,
    unlock,
)
from algoexec.engine.trading.pursuit import halt
from algoexec.engine.trading.risk import Refusal, Refused
from algoexec.engine.trading.tally import Tally
from algoexec.engine.trading.trade import TradingState
from algoexec.engine.transition import Draft, Transition
from algoexec.strategy.decision import Ledger, levels_of
from algoexec.strategy.kernel import known
from algoexec.strategy.memory import empty_memory, reshaped
from algoexec.strategy.parameters import Parameters

WAKE_BEFORE_OPEN: Final = timedelta(minutes=15)
"""A scheduled session connects this long before the open, so that the first tick finds it ready."""

DAY_END_GRACE: Final = timedelta(seconds=10)
"""The last candle closes with the market and may be decided 2 s later."""


def step(state: EngineState | None, record: Record) -> Transition:
    """Apply one record.

    Pure: no IO, no clock, no log. The same arguments give the same result, so backtest,
    paper, live and replay all come through here, and a state is the fold of `step` over
    its journal. The first record is `SessionCreated` and meets no state. What a session
    is ruled by arrives in records too, so the journal alone rebuilds it.

    Raises:
        DomainError: the record contradicts the state (a gap in `seq`, a second creation).
    """
    if state is None:
        return _create(record)
    if record.seq != state.seq + 1:
        raise DomainError(f"record {record.seq} cannot follow {state.seq}")
    draft = Draft(replace(state, seq=record.seq, at=record.at), record.at)
    if not state.status.is_over:
        if isinstance(record.event, TradeEvent):
            apply_trading(draft, record.event)
        else:
            _apply(draft, record.event)
        _end_if_flat(draft)
    return draft.finish()


def changes(state: EngineState | None, transition: Transition) -> bool:
    """Return whether a transition leaves anything behind; if not, its record is dropped."""
    if state is None or transition.effects or transition.frames:
        return True
    return replace(transition.state, seq=state.seq, at=state.at) != state


def next_deadline(state: EngineState) -> datetime | None:
    """Return the market time at which `DeadlinePassed` is due; None when nothing is waited for."""
    if state.status.is_over:
        return None
    if state.status is Status.SCHEDULED:
        return state.day.opens_at - WAKE_BEFORE_OPEN
    dues = (next_due(state), None if state.stopping is not None else state.day.closes_at + DAY_END_GRACE)
    return min((due for due in dues if due is not None), default=None)


def _create(record: Record) -> Transition:
    event = record.event
    if not isinstance(event, SessionCreated) or record.seq != 1:
        raise DomainError(f"a journal begins with record 1, SessionCreated, not {record.seq}, {type(event).__name__}")
    memory = empty_memory(event.parameters)
    early = record.at < event.day.opens_at - WAKE_BEFORE_OPEN
    state = EngineState(
        session_id=event.session_id,
        user_id=event.user_id,
        mode=event.mode,
        venue=event.venue,
        underlying=event.underlying,
        day=event.day,
        started_at=record.at,
        parameters=event.parameters,
        seq=record.seq,
        at=record.at,
        frames=0,
        status=Status.SCHEDULED if early else Status.STARTING,
        at_open=memory,
        memory=memory,
        ledger=event.inherited or Ledger(),
        trading=None if event.rules is None else TradingState(rules=event.rules, tally=event.tally or Tally()),
    )
    draft = Draft(state, record.at)
    draft.tell_session()
    return draft.finish()


def _apply(draft: Draft, event: SessionEvent) -> None:  # noqa: C901 - one flat arm an event
    match event:
        case CandleClosed(candle=candle, premiums=premiums):
            _close_candle(draft, candle, premiums)
        case ChainPolled(reading=reading):
            _read_chain(draft, reading)
        case CandlesRepaired(candles=candles):
            _repair(draft, candles)
        case DeadlinePassed():
            _pass_deadline(draft)
        case DayPrepared(contracts=contracts):
            _prepare_day(draft, contracts)
        case WarmedUp(history=history, today=today):
            _warm_up(draft, history, today)
        case FeedChanged(status=status, detail=detail):
            _change_feed(draft, status, detail)
        case TokenRejected(detail=detail):
            _lose_token(draft, detail)
        case TokenReplaced():
            if draft.state.status is Status.NEEDS_TOKEN:
                draft.move_to(_status_now(draft.state))
        case ParametersChanged(parameters=parameters):
            _change_parameters(draft, parameters)
        case Halted(by=by, reason=reason):
            draft.change(halted=f"{reason} (by {by})")
            draft.tell_session()
            forbid_entries(draft, Refused(Refusal.HALTED, reason))
        case Resumed():
            before = draft.state
            unlock(draft)
            draft.change(halted=None)
            if draft.state != before:
                draft.tell_session()
        case StopRequested(reason=reason):
            _stop(draft, reason)
        case SessionFailed(detail=detail):
            _fail(draft, detail)
        case SessionCreated():
            raise DomainError("a session is created once")
        case _ as unreachable:
            assert_never(unreachable)


def _lose_token(draft: Draft, detail: str) -> None:
    """Begin nothing any more. An open feed may outlive its token: then stops are still watched."""
    is_news = draft.state.status is not Status.NEEDS_TOKEN
    draft.move_to(Status.NEEDS_TOKEN, detail)
    forbid_entries(draft, Refused(Refusal.NEEDS_TOKEN, detail))
    if is_news and held_options(draft.state):
        is_watched = draft.state.feed is FeedStatus.CONNECTED
        code = "EXITS_WAIT" if is_watched else "POSITION_UNWATCHED"
        what = "stops are watched, and what is to be sold waits for a new one" if is_watched else "no price comes"
        draft.alert(Severity.CRITICAL, code, f"The broker refuses the access token ({detail}); {what}")


def _prepare_day(draft: Draft, contracts: Contracts) -> None:
    draft.change(contracts=contracts)
    if draft.state.trading is not None:
        draft.do(ReadFunds())
    if draft.state.status is Status.STARTING:
        draft.move_to(_status_now(draft.state))


def _warm_up(draft: Draft, history: tuple[Candle, ...], today: tuple[Candle, ...]) -> None:
    state = draft.state
    if state.warm:
        return
    at_open = memory_after(state.at_open, history, state.rules)
    draft.change(
        warm=True,
        at_open=at_open,
        memory=memory_after(at_open, today, state.rules),
        candles=today,
    )
    _settle(draft)


def _close_candle(draft: Draft, candle: Candle, premiums: tuple[Premium, ...]) -> None:
    """Decide each candle of the day once and in order; one that came too early or twice is no news.

    One of the past that was not known yet only warms: it joins the history.
    """
    state = draft.state
    if not (state.warm and state.day.counts(candle.start)):
        return
    if candle.closed_at <= state.past_until:
        if all(kept.start != candle.start for kept in state.candles):
            _repair(draft, (candle,))
        return
    draft.tell(candle)
    seen = len(draft.frames)
    decide_candle(draft, candle, premiums)
    if state.trading is not None:
        consider_all(draft, [frame.body for frame in draft.frames[seen:] if isinstance(frame.body, Signal)])
    if candle.closed_at >= draft.at - timedelta(minutes=1):
        _track(draft, candle.close)
    _settle(draft)


def _repair(draft: Draft, candles: tuple[Candle, ...]) -> None:
    """Remember today anew with better candles; what was decided stays decided."""
    state = draft.state
    if not state.warm:
        return
    known_starts = {candle.start: candle for candle in state.candles}
    for candle in candles:
        if state.day.counts(candle.start) and candle.closed_at <= state.past_until:
            known_starts[candle.start] = candle
    history = tuple(known_starts[start] for start in sorted(known_starts))
    if history == state.candles:
        return
    changed = [candle for candle in history if candle not in state.candles]
    draft.change(candles=history, memory=memory_after(state.at_open, history, state.rules))
    for candle in changed:
        draft.tell(candle)
    _settle(draft)


def _change_parameters(draft: Draft, parameters: Parameters) -> None:
    """Remember today anew by the new numbers; what was decided stays decided."""
    state = draft.state
    at_open = reshaped(state.at_open, state.parameters, parameters)
    draft.change(parameters=parameters)
    draft.change(at_open=at_open, memory=memory_after(at_open, state.candles, draft.state.rules))
    draft.tell_session()
    _settle(draft)


def _read_chain(draft: Draft, reading: PcrReading) -> None:
    draft.change(readings=(*draft.state.readings, reading))
    draft.tell(reading)
    if reading.spot is not None:
        _track(draft, reading.spot)


def _track(draft: Draft, spot: float) -> None:
    """Follow the ATM strikes: the new ones are asked for before the old ones are let go."""
    state = draft.state
    if state.contracts is None:
        return
    around = tuple(option.key for option in state.contracts.around_the_money(spot))
    wanted = tuple(dict.fromkeys((*around, *held_options(state))))
    if wanted == state.tracked or not around:
        return
    gained = tuple(key for key in wanted if key not in state.tracked)
    lost = tuple(key for key in state.tracked if key not in wanted)
    draft.change(tracked=wanted)
    if gained:
        draft.do(Subscribe(instruments=gained))
    if lost:
        draft.do(Unsubscribe(instruments=lost))


def _change_feed(draft: Draft, status: FeedStatus, detail: str) -> None:
    if status is draft.state.feed:
        return
    was = draft.state.feed
    draft.change(feed=status)
    draft.tell_session()
    if status is FeedStatus.FEED_TAKEN:
        draft.alert(Severity.WARNING, "FEED_TAKEN", f"Another program holds the broker's feed connection: {detail}")
    elif status is FeedStatus.LOST and was is FeedStatus.CONNECTED:
        if held_options(draft.state) and draft.state.status is Status.NEEDS_TOKEN:
            text = f"No price comes any more until a new access token is handed in: {detail}"
            draft.alert(Severity.CRITICAL, "POSITION_UNWATCHED", text)
            return
        severity = Severity.CRITICAL if held_options(draft.state) else Severity.WARNING
        draft.alert(severity, "FEED_LOST", f"The market feed was lost and is being reconnected: {detail}")


def _pass_deadline(draft: Draft) -> None:
    due = next_deadline(draft.state)
    if due is None or draft.at < due:
        return
    if draft.state.status is Status.SCHEDULED:
        draft.move_to(_status_now(draft.state))
        return
    if draft.state.trading is not None:
        time_passed(draft)
    if draft.state.stopping is None and draft.at >= draft.state.day.closes_at + DAY_END_GRACE:
        _stop(draft, StopReason.DAY_OVER)


def _stop(draft: Draft, reason: StopReason) -> None:
    """End the session as soon as it is flat; a person may take what it holds even then."""
    if draft.state.stopping is None or reason is StopReason.HANDED_OVER:
        draft.change(stopping=reason)
    if is_flat(draft.state):
        return
    draft.move_to(Status.STOPPING, draft.state.stopping.value if draft.state.stopping else None)
    if draft.state.stopping is StopReason.HANDED_OVER:
        hand_over(draft)
    else:
        flatten(draft, Refusal.STOPPING)


def _fail(draft: Draft, detail: str) -> None:
    """End at once; what is still held is got out of first, and a person called."""
    if is_flat(draft.state):
        draft.move_to(Status.FAILED, detail)
    elif draft.state.stopping is not StopReason.FAILED:
        draft.change(stopping=StopReason.FAILED)
        halt(draft, detail, "SESSION_FAILED")
        _stop(draft, StopReason.FAILED)


def _end_if_flat(draft: Draft) -> None:
    """End a session that is to stop and holds nothing any more."""
    reason = draft.state.stopping
    if reason is None or draft.state.status.is_over or not is_flat(draft.state):
        return
    if draft.state.tracked:
        draft.do(Unsubscribe(instruments=draft.state.tracked))
        draft.change(tracked=())
    if reason is StopReason.FAILED:
        draft.move_to(Status.FAILED, draft.state.halted)
    else:
        draft.move_to(Status.STOPPED, reason.value)


def _settle(draft: Draft) -> None:
    """Move on once the warm-up is whole; before that entries would be refused, signals never."""
    if draft.state.status in (Status.WARMING_UP, Status.RUNNING):
        draft.move_to(_status_now(draft.state))


def _status_now(state: EngineState) -> Status:
    """Return where a session that has its token stands."""
    if state.stopping is not None:
        return Status.STOPPING
    if state.at < state.day.opens_at - WAKE_BEFORE_OPEN:
        return Status.SCHEDULED
    if state.contracts is None:
        return Status.STARTING
    return Status.RUNNING if state.warm and _is_whole(state) else Status.WARMING_UP


def _is_whole(state: EngineState) -> bool:
    """Whether the indicators are known, and the opening range where the day has one."""
    if not state.candles:
        return False  # the memory is still yesterday's
    levels = levels_of(state.memory, state.rules)
    has_range = known(levels.range_high) or not state.day.is_regular
    return known(levels.vwap) and known(levels.ema_slow) and has_range
