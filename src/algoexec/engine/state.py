"""All that a session knows. A value; the fold of `step` over its journal."""

from dataclasses import dataclass
from datetime import datetime
from typing import Final

from algoexec.domain.calendar import TradingDay
from algoexec.domain.instruments import Contracts, InstrumentKey
from algoexec.domain.market import Candle
from algoexec.domain.options import PcrReading
from algoexec.engine.effects import Status
from algoexec.engine.events import FeedStatus, Mode, StopReason
from algoexec.engine.trading.trade import TradingState
from algoexec.strategy.decision import Ledger
from algoexec.strategy.memory import Memory
from algoexec.strategy.parameters import Parameters

NEVER: Final = -1440
"""A minute of the day that does not come."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EngineState:
    """A session between two records.

    `at_open` is the memory before today's first candle and `candles` are today's so far,
    in order: together they let a repaired history be remembered anew. `readings` are
    today's polls that may still be asked for. `trading` is None where nothing is traded.
    `stopping` is why the session ends as soon as it is flat. `warm` says whether the past has been loaded;
    until then no candle is decided.
    """

    session_id: str
    user_id: str
    mode: Mode
    venue: str
    underlying: InstrumentKey
    day: TradingDay
    started_at: datetime
    parameters: Parameters
    seq: int
    at: datetime
    frames: int
    status: Status
    at_open: Memory
    memory: Memory
    ledger: Ledger
    reason: str | None = None
    halted: str | None = None
    feed: FeedStatus = FeedStatus.CONNECTING
    warm: bool = False
    contracts: Contracts | None = None
    tracked: tuple[InstrumentKey, ...] = ()
    candles: tuple[Candle, ...] = ()
    readings: tuple[PcrReading, ...] = ()
    trading: TradingState | None = None
    stopping: StopReason | None = None

    @property
    def decided_until(self) -> datetime:
        """T of the newest candle that is decided or only warmed; candles after it are still to come."""
        return self.candles[-1].closed_at if self.candles else self.day.opens_at

    @property
    def past_until(self) -> datetime:
        """T up to which a candle is past: it may better the history and is not decided (any more)."""
        return max(self.decided_until, self.started_at)

    @property
    def rules(self) -> Parameters:
        """The parameters as they hold on this day."""
        return rules_on(self.day, self.parameters)


def rules_on(day: TradingDay, parameters: Parameters) -> Parameters:
    """Return the parameters as they hold on `day`: one that does not open at 09:15 has no opening range."""
    return parameters if day.is_regular else parameters._replace(opening_minute=NEVER)
