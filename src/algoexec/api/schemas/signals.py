"""Signals and rejections."""

import dataclasses
from datetime import datetime
from typing import Any, Final, Self

from pydantic import BaseModel, ConfigDict, Field

from algoexec.api.schemas.market import CandleOut
from algoexec.domain.signals import Pattern, PcrQuality, Reason, Side, Signal, VwapBasis
from algoexec.engine.outcomes import Fate, Outcome, Reached
from algoexec.ports.stores import StoredSignal
from algoexec.runtime.wire import in_rupees


class LevelsOut(BaseModel):
    """The levels as of the candle, index points; null: not known yet."""

    model_config = ConfigDict(from_attributes=True)

    vwap: float | None
    vwap_basis: VwapBasis
    ema_fast: float | None
    ema_slow: float | None
    range_high: float | None = Field(description="High of the opening range.")
    range_low: float | None = Field(description="Low of the opening range.")


class EvidenceOut(BaseModel):
    """What speaks for a signal but decides nothing."""

    model_config = ConfigDict(from_attributes=True)

    range_compression: bool | None = Field(description="null: not enough candles to say.")


_EXAMPLE: Final[dict[str, Any]] = {
    "id": "s7k2m9q4w1x8z3b5-2f-0",
    "session_id": "s7k2m9q4w1x8z3b5",
    "user_id": "asha",
    "at": "2026-11-23T04:16:00Z",
    "decided_at": "2026-11-23T04:16:00.412Z",
    "side": "BUY_CALL",
    "pattern": "ORB_BREAKOUT",
    "priority": 1,
    "price": 51230.2,
    "stop_loss": 51127.7396,
    "target": 51435.1208,
    "instrument": "NSE_FO|57321",
    "pcr": 0.93,
    "pcr_quality": "fresh",
    "volume_confirmed": True,
    "levels": {
        "vwap": 51180.7,
        "vwap_basis": "volume-weighted",
        "ema_fast": 51195.2,
        "ema_slow": 51170.9,
        "range_high": 51220.0,
        "range_low": 51080.5,
    },
    "evidence": {"range_compression": False},
    "candle": {
        "start": "2026-11-23T04:15:00Z",
        "open": 51204.1,
        "high": 51236.85,
        "low": 51198.4,
        "close": 51230.2,
        "volume": 18450,
        "provenance": "live",
    },
    "expires_at": "2026-11-23T04:17:00Z",
    "lock_until": "2026-11-23T04:21:00Z",
    "reason": None,
    "premium": 212.3,
    "breakeven_points": 1.86,
}

_OUTCOME: Final[dict[str, Any]] = {
    "fate": "TRADED",
    "reason": "TRAILING_STOP",
    "trade_id": "s7k2m9q4w1x8z3b5-2h",
    "net": 597.44,
    "r": 0.8,
    "index": {"reached": "TARGET", "points": 204.92, "at": "2026-11-23T04:24:00Z"},
}


class CandidateOut(BaseModel):
    """One candidate of one candle: a signal when `reason` is null, else a rejection.

    The same as `data` of a `signal` or `rejection` frame, with the session and the user.
    """

    model_config = ConfigDict(
        from_attributes=True,
        json_schema_extra={"examples": [{**_EXAMPLE, "reason": "TRADE_LOCK", "lock_until": None}]},
    )

    id: str = Field(description="Unique; the same after every replay.")
    session_id: str
    user_id: str
    at: datetime = Field(description="T, the close of the candle, UTC.")
    decided_at: datetime = Field(description="Market time of the decision, UTC; well after `at` for a late candle.")
    side: Side
    pattern: Pattern
    priority: int = Field(description="1 is best.")
    price: float = Field(description="Close of the candle, index points.")
    stop_loss: float = Field(description="Index points, not rounded.")
    target: float = Field(description="Index points, not rounded.")
    instrument: str | None = Field(description="The at-the-money option to buy; null when no strike is listed.")
    pcr: float | None = Field(description="null unless `pcr_quality` is `fresh`.")
    pcr_quality: PcrQuality
    volume_confirmed: bool | None = Field(description="null: the volume or its average is not known.")
    levels: LevelsOut
    evidence: EvidenceOut
    candle: CandleOut
    expires_at: datetime = Field(description="Not to be acted on from here on, UTC.")
    lock_until: datetime | None = Field(description="No other signal before this, UTC; null on a rejection.")
    reason: Reason | None = Field(description="Why it was rejected; null on a signal.")
    premium: float | None = Field(
        description="Rupees a unit: what was asked for the instrument at `decided_at`, else last paid; null when no "
        "price of the last minute is known."
    )
    breakeven_points: float | None = Field(
        description="Rupees a unit by which the premium must rise until one lot, bought at `premium`, is flat after "
        "all charges; of more lots less is enough. null with `premium`."
    )

    @classmethod
    def of(cls, stored: StoredSignal) -> Self:
        """Return a stored signal's form on the wire."""
        fields = {one.name: getattr(stored.signal, one.name) for one in dataclasses.fields(Signal)}
        return cls.model_validate({**fields, "session_id": stored.session_id, "user_id": stored.user_id})


class IndexResultOut(BaseModel):
    """What the index did after a signal, whatever became of it: for 20 minutes, not beyond 15:15 IST."""

    model_config = ConfigDict(from_attributes=True)

    reached: Reached = Field(description="What it came to first; in one candle the stop comes first.")
    points: float = Field(description="Index points in the signal's direction: negative where it was wrong.")
    at: datetime = Field(description="Close of the candle that decided it, UTC.")


class OutcomeOut(BaseModel):
    """What became of a signal."""

    fate: Fate = Field(
        description="TRADED: bought, and flat again. NOT_FILLED: ordered, and nothing was bought. REFUSED: it became "
        "no order. NOT_TRADED: the session trades nothing, or ended before it could."
    )
    reason: str | None = Field(description="Why it was refused, or why its trade was ended.")
    trade_id: str | None = Field(description="null unless traded; so are `net` and `r`.")
    net: float | None = Field(description="Rupees, after charges.")
    r: float | None = Field(description="The net result in units of the risk taken.")
    index: IndexResultOut | None = Field(description="null while it is open, and where no later candle is known.")

    @classmethod
    def of(cls, outcome: Outcome) -> Self:
        """Return an outcome's form on the wire."""
        trade = outcome.trade
        return cls(
            fate=outcome.fate,
            reason=outcome.reason,
            trade_id=None if trade is None else trade.id,
            net=None if trade is None else in_rupees(trade.net),
            r=None if trade is None else trade.r,
            index=None if outcome.index is None else IndexResultOut.model_validate(outcome.index),
        )


class SignalOut(CandidateOut):
    """An emitted signal, and what became of it."""

    model_config = ConfigDict(from_attributes=True, json_schema_extra={"examples": [{**_EXAMPLE, "outcome": _OUTCOME}]})

    outcome: OutcomeOut | None = Field(
        default=None, description="null while that is open. Filled in afterwards: the stream does not tell it."
    )

    @classmethod
    def with_outcome(cls, stored: StoredSignal, outcome: Outcome | None) -> Self:
        """Return a stored signal's form on the wire, with what became of it."""
        found = cls.of(stored)
        found.outcome = None if outcome is None else OutcomeOut.of(outcome)
        return found
