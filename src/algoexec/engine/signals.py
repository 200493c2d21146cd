"""One closed candle: remember it, judge it, say what was seen."""

from datetime import datetime, timedelta
from typing import Final

from algoexec.domain.calendar import IST, ist_minute
from algoexec.domain.instruments import InstrumentKey, nearest_strike
from algoexec.domain.market import MINUTE, Candle
from algoexec.domain.options import PcrReading
from algoexec.domain.signals import Evidence, Levels, PcrQuality, Reason, Side, Signal, VwapBasis
from algoexec.engine.state import EngineState
from algoexec.engine.transition import Draft
from algoexec.strategy.decision import CANDIDATES, GUARDS, Verdict, decide, ledger_next, levels_of
from algoexec.strategy.kernel import UNKNOWN, known
from algoexec.strategy.memory import Memory, at_day_of, remember
from algoexec.strategy.parameters import Parameters
from algoexec.strategy.patterns import Bar

_BASE36: Final = "0123456789abcdefghijklmnopqrstuvwxyz"


def bar_of(candle: Candle) -> Bar:
    """Return the candle as the brain sees it."""
    volume = UNKNOWN if candle.volume is None else float(candle.volume)
    return Bar(ist_minute(candle.start), candle.open, candle.high, candle.low, candle.close, volume)


def memory_after(memory: Memory, candles: tuple[Candle, ...], p: Parameters) -> Memory:
    """Return the memory after `candles`, oldest first."""
    for candle in candles:
        bar = bar_of(candle)
        memory = remember(at_day_of(memory, bar), bar, p)
    return memory


def decide_candle(draft: Draft, candle: Candle) -> None:
    """Decide `candle`: it joins the history, and each of its candidates becomes a frame."""
    state = draft.state
    p = state.rules
    bar = bar_of(candle)
    before = at_day_of(state.memory, bar)
    after = remember(before, bar, p)
    reading, quality = pcr_at(state.readings, candle.closed_at, p)
    pcr = reading.pcr if reading is not None else None
    verdict = decide(before, after, state.ledger, bar, UNKNOWN if pcr is None else pcr, p)
    draft.change(
        memory=after,
        ledger=ledger_next(state.ledger, verdict, bar),
        candles=(*state.candles, candle),
        readings=_still_needed(state.readings, candle.closed_at),
    )
    for n, index in enumerate(_bits(verdict.candidates)):
        draft.tell(_signal(draft, candle, verdict, index, n, (pcr, quality), after))


def pcr_at(readings: tuple[PcrReading, ...], at: datetime, p: Parameters) -> tuple[PcrReading | None, PcrQuality]:
    """Return the newest reading not later than `at` that may be used, and what stands behind it.

    Yesterday's never counts; one older than the limit counts as missing and is called stale.
    A reading without a ratio *is* the newest: an older one does not come back for it.
    """
    today = at.astimezone(IST).date()
    newest = next((r for r in reversed(readings) if r.at <= at and r.at.astimezone(IST).date() == today), None)
    if newest is None or newest.pcr is None:
        return None, PcrQuality.MISSING
    if at - newest.at > timedelta(minutes=p.pcr_max_age_minutes):
        return None, PcrQuality.STALE
    return newest, PcrQuality.FRESH


def atm_instrument(state: EngineState, spot: float, side: Side) -> InstrumentKey | None:
    """Return the ATM option of that side; None when no strike is listed."""
    if state.contracts is None or not state.contracts.options:
        return None
    option = state.contracts.option(nearest_strike(state.contracts.strikes(), spot), side.option_type)
    return option.key if option else None


def _still_needed(readings: tuple[PcrReading, ...], decided: datetime) -> tuple[PcrReading, ...]:
    """Keep the newest reading not later than `decided` and all after it."""
    older = [reading for reading in readings if reading.at <= decided]
    return (*older[-1:], *(reading for reading in readings if reading.at > decided))


def _bits(mask: int) -> list[int]:
    return [index for index in range(len(CANDIDATES)) if mask >> index & 1]


def _reason(verdict: Verdict, index: int) -> Reason | None:
    return next((reason for reason, mask in GUARDS if getattr(verdict, mask) >> index & 1), None)


def _signal(
    draft: Draft,
    candle: Candle,
    verdict: Verdict,
    index: int,
    n: int,
    pcr: tuple[float | None, PcrQuality],
    memory: Memory,
) -> Signal:
    state = draft.state
    p = state.rules
    pattern, side, priority = CANDIDATES[index]
    away = 1 if side is Side.BUY_CALL else -1
    reason = _reason(verdict, index)
    at = candle.closed_at
    return Signal(
        id=f"{state.session_id}-{base36(state.seq)}-{n}",
        at=at,
        decided_at=draft.at,
        side=side,
        pattern=pattern,
        priority=priority,
        price=candle.close,
        stop_loss=candle.close * (1 - away * p.stop_loss_pct / 100),
        target=candle.close * (1 + away * p.target_pct / 100),
        instrument=atm_instrument(state, candle.close, side),
        pcr=pcr[0],
        pcr_quality=pcr[1],
        volume_confirmed=_optional_bool(verdict.volume_confirmed),
        levels=_levels(memory, p),
        evidence=Evidence(range_compression=_optional_bool(verdict.compressed)),
        candle=candle,
        expires_at=at + p.signal_life_minutes * MINUTE,
        lock_until=at + p.lock_minutes * MINUTE if reason is None else None,
        reason=reason,
    )


def _levels(memory: Memory, p: Parameters) -> Levels:
    levels = levels_of(memory, p)
    return Levels(
        vwap=_optional(levels.vwap),
        vwap_basis=VwapBasis.VOLUME if memory.vwap.volume > 0 else VwapBasis.TIME,
        ema_fast=_optional(levels.ema_fast),
        ema_slow=_optional(levels.ema_slow),
        range_high=_optional(levels.range_high),
        range_low=_optional(levels.range_low),
    )


def _optional(value: float) -> float | None:
    return value if known(value) else None


def _optional_bool(value: float) -> bool | None:
    return value == 1.0 if known(value) else None


def base36(number: int) -> str:
    """Return a non-negative `number` in digits and small letters, as client order ids carry it."""
    digits = ""
    while True:
        number, digit = divmod(number, 36)
        digits = _BASE36[digit] + digits
        if not number:
            return digits
