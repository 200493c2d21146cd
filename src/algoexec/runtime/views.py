"""What the registry tells of its sessions and of itself."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Self

from algoexec.engine.effects import Status
from algoexec.engine.state import EngineState
from algoexec.ports.stores import SessionRow
from algoexec.ports.venue import Budgeted, Venue
from algoexec.runtime.desk import MarketDesk
from algoexec.runtime.hub import StreamHub
from algoexec.runtime.preflight import Measured


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionView:
    """What is known of a session now.

    `state` is None when it has no record yet. `feed_age_ms` is market milliseconds since
    the newest frame, None when the session is not connected here.
    """

    row: SessionRow
    state: EngineState | None
    feed_age_ms: int | None = None
    late_ticks: int = 0

    @classmethod
    def of(cls, row: SessionRow, state: EngineState | None) -> "SessionView":
        """Return the view; the row's status may lag behind the state's."""
        # A row that is over has the last word: its session may have been buried.
        if state is not None and row.is_active:
            row = replace(row, status=state.status, reason=state.reason, is_active=not state.status.is_over)
        return cls(row=row, state=state)


@dataclass(frozen=True, slots=True, kw_only=True)
class Dependency:
    """Something the service needs. `detail` is for a person, None when all is well."""

    detail: str | None = None

    @property
    def ok(self) -> bool:
        """Whether it answers."""
        return self.detail is None


@dataclass(frozen=True, slots=True, kw_only=True)
class Health:
    """Whether the service can do its work, as it was found a moment ago; `is_leaving`: it is about to stop."""

    store: Dependency
    venue: Dependency
    sessions: dict[Status, int]
    is_leaving: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Vitals:
    """How old what this process goes by is, in seconds: the oldest of each. None where there is none.

    Feed and chain in market time, the stream in wall time. `feeds_lost` are feeds that are not
    connected, `late_ticks` ticks that came after their minute was decided. `clock_offset_s` is the
    exchange's time minus this machine's. `budget` is as of `Budgeted`.
    """

    is_market_open: bool
    feed_age_s: float | None
    feeds_lost: int
    chain_age_s: float | None
    late_ticks: int
    stream_lag_s: float
    clock_offset_s: float | None
    budget: Mapping[str, float]

    @classmethod
    def of(cls, desks: Sequence[MarketDesk], venue: Venue, hub: StreamHub) -> Self:
        """Return them of the desks in use, where they trade, and what is streamed."""
        feeds, chains = [desk.feed_age_ms() for desk in desks], [desk.chain_age_s() for desk in desks]
        return cls(
            is_market_open=any(desk.is_open() for desk in desks),
            feed_age_s=max((age / 1000 for age in feeds if age is not None), default=None),
            feeds_lost=sum(not desk.is_connected for desk in desks),
            chain_age_s=max((age for age in chains if age is not None), default=None),
            late_ticks=sum(desk.late_ticks for desk in desks),
            stream_lag_s=hub.lag(),
            clock_offset_s=venue.clock.offset.total_seconds()
            if isinstance(venue.clock, Measured) and venue.clock.offset is not None
            else None,
            budget=venue.budget() if isinstance(venue, Budgeted) else {},
        )
