"""One closed candle: remember it, judge it, say what was seen."""

from dataclasses import replace
from datetime import datetime
from typing import Final

from algoexec.domain.calendar import IST, ist_minute
from algoexec.domain.charges import BROKERAGE, breakeven_points
from algoexec.domain.instruments import InstrumentKey, Option, nearest_strike
from algoexec.domain.market import MINUTE, Candle
from algoexec.domain.options import PcrReading, Premium
from algoexec.domain.signals import Evidence, Levels, PcrQuality, Reason, Side, Signal, VwapBasis
from algoexec.engine.state import EngineState
from algoexec.engine.transition import Draft
from algoexec.strategy.decision import CANDIDATES, GUARDS, Verdict, decide, ledger_next, levels_of, usable_pcr
from algoexec.strategy.decision import Levels as BrainLevels
from algoexec.strategy.kernel import UNKNOWN, known
from algoexec.strategy.memory import Memory, at_day_of, remember
from algoexec.strategy.parameters import Parameters
from algoexec.strategy.patterns import Bar

_PAISA: Final = 0.01
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


def decide_candle(draft: Draft, candle: Candle, premiums: tuple[Premium, ...] = ()) -> None:
    """Decide `candle`: it joins the history, and each of its candidates becomes a frame."""
    state = draft.state
    p = state.rules
    bar = bar_of(candle)
    before = at_day_of(state.memory, bar)
    after = remember(before, bar, p)
    reading, quality = pcr_at(state.readings, candle.closed_at, p)
    pcr = None if reading is None else reading.pcr
    verdict = decide(before, after, state.ledger, bar, UNKNOWN if pcr is None else pcr, p)
    draft.change(
        memory=after,
        ledger=ledger_next(state.ledger, verdict.emitted, bar),
        candles=(*state.candles, candle),
        readings=_still_needed(state.readings, candle.closed_at),
    )
    levels = told_levels(levels_of(after, p), after.vwap.volume)
    for n, index in enumerate(bits(verdict.candidates)):
        option = atm_option(state, candle.close, CANDIDATES[index].side)
        signal = signal_of(
            signal_id(state.session_id, state.seq, n),
            index,
            verdict,
            candle,
            decided_at=draft.at,
            levels=levels,
            pcr=pcr,
            pcr_quality=quality,
            instrument=None if option is None else option.key,
            p=p,
        )
        draft.tell(_priced(signal, option, premiums, state))


def pcr_at(readings: tuple[PcrReading, ...], at: datetime, p: Parameters) -> tuple[PcrReading | None, PcrQuality]:
    """Return the newest reading not later than `at` that may be used, and what stands behind it.

    Yesterday's never counts; one older than the limit counts as missing and is called stale.
    A reading without a ratio *is* the newest: an older one does not come back for it.
    """
    today = at.astimezone(IST).date()
    newest = next((r for r in reversed(readings) if r.at <= at and r.at.astimezone(IST).date() == today), None)
    if newest is None:
        return None, PcrQuality.MISSING
    quality = pcr_quality(UNKNOWN if newest.pcr is None else newest.pcr, (at - newest.at).total_seconds(), p)
    return (newest if quality is PcrQuality.FRESH else None), quality


def pcr_quality(pcr: float, age_seconds: float, p: Parameters) -> PcrQuality:
    """Return what stands behind the newest poll, which read `pcr` (unknown: nothing) so long ago."""
    if not known(pcr):
        return PcrQuality.MISSING
    return PcrQuality.FRESH if known(usable_pcr(pcr, age_seconds, p)) else PcrQuality.STALE


def atm_option(state: EngineState, spot: float, side: Side) -> Option | None:
    """Return the ATM option of that side; None when no strike is listed."""
    if state.contracts is None or not state.contracts.options:
        return None
    return state.contracts.option(nearest_strike(state.contracts.strikes(), spot), side.option_type)


def _priced(signal: Signal, option: Option | None, premiums: tuple[Premium, ...], state: EngineState) -> Signal:
    """Return the signal with what its option costs, and must gain; as it is where no price of it is known."""
    if option is None:
        return signal
    price = next((one.price for one in premiums if one.instrument == option.key), None)
    if price is None or price < _PAISA or option.lot <= 0:
        return signal
    brokerage = BROKERAGE if state.trading is None else state.trading.rules.brokerage
    points = breakeven_points(on=state.day.date, premium=price, units=option.lot, brokerage=brokerage)
    return replace(signal, premium=price, breakeven_points=points)


def _still_needed(readings: tuple[PcrReading, ...], decided: datetime) -> tuple[PcrReading, ...]:
    """Keep the newest reading not later than `decided` and all after it."""
    older = [reading for reading in readings if reading.at <= decided]
    return (*older[-1:], *(reading for reading in readings if reading.at > decided))


def bits(mask: int) -> list[int]:
    """Return the places of the candidates in `mask`, best first."""
    return [index for index in range(len(CANDIDATES)) if mask >> index & 1]


def signal_id(session_id: str, seq: int, n: int) -> str:
    """Return the id of the `n`-th candidate that the record `seq` has shown."""
    return f"{session_id}-{base36(seq)}-{n}"


def signal_of(
    id: str,
    index: int,
    verdict: Verdict,
    candle: Candle,
    *,
    decided_at: datetime,
    levels: Levels,
    pcr: float | None,
    pcr_quality: PcrQuality,
    instrument: InstrumentKey | None,
    p: Parameters,
) -> Signal:
    """Return the candidate at `index` of the table as a signal, or as a rejection if `verdict` refused it."""
    pattern, side, priority = CANDIDATES[index]
    away = 1 if side is Side.BUY_CALL else -1
    reason = _reason(verdict, index)
    at = candle.closed_at
    return Signal(
        id=id,
        at=at,
        decided_at=decided_at,
        side=side,
        pattern=pattern,
        priority=priority,
        price=candle.close,
        stop_loss=candle.close * (1 - away * p.stop_loss_pct / 100),
        target=candle.close * (1 + away * p.target_pct / 100),
        instrument=instrument,
        pcr=pcr,
        pcr_quality=pcr_quality,
        volume_confirmed=_optional_bool(verdict.volume_confirmed),
        levels=levels,
        evidence=Evidence(range_compression=_optional_bool(verdict.compressed)),
        candle=candle,
        expires_at=at + p.signal_life_minutes * MINUTE,
        lock_until=at + p.lock_minutes * MINUTE if reason is None else None,
        reason=reason,
    )


def told_levels(levels: BrainLevels, traded_today: float) -> Levels:
    """Return the brain's levels as a signal tells them; `traded_today` is the day's known volume so far."""
    return Levels(
        vwap=_optional(levels.vwap),
        vwap_basis=VwapBasis.VOLUME if traded_today > 0 else VwapBasis.TIME,
        ema_fast=_optional(levels.ema_fast),
        ema_slow=_optional(levels.ema_slow),
        range_high=_optional(levels.range_high),
        range_low=_optional(levels.range_low),
    )


def _reason(verdict: Verdict, index: int) -> Reason | None:
    return next((reason for reason, mask in GUARDS if getattr(verdict, mask) >> index & 1), None)


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
