"""What the injector hands out: plain values, for those who carry them out."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from algoexec.simulator.faults.effects import Answer


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestFault:
    """What befalls a request. Latencies are wall seconds; `cut` goes before `answer`; None is neither."""

    before_s: float = 0.0
    after_s: float = 0.0
    cut: Literal["before", "after", "midway"] | None = None
    answer: Answer | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """An order update to send `delay_ms` of market time from now."""

    delay_ms: int
    message: Mapping[str, object]


@dataclass(frozen=True, slots=True, kw_only=True)
class Position:
    """A position that a person could close: net `quantity` in units (negative is short), open since `since_ms`."""

    user: str
    instrument: str
    quantity: int
    since_ms: int


@dataclass(frozen=True, slots=True, kw_only=True)
class HandAct:
    """An order that the person places in the app: at market, `quantity` units, to close (part of) a position."""

    user: str
    instrument: str
    side: Literal["BUY", "SELL"]
    quantity: int
