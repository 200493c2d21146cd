"""What a session wants done: effects for the shell, frames for those who watch."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from algoexec.domain.instruments import InstrumentKey
from algoexec.domain.market import Candle
from algoexec.domain.options import PcrReading
from algoexec.domain.signals import Signal
from algoexec.engine.events import FeedStatus


class Status(StrEnum):
    """Where a session stands."""

    SCHEDULED = "SCHEDULED"
    """Waits for the market to open."""
    STARTING = "STARTING"
    """Reaching the broker."""
    WARMING_UP = "WARMING_UP"
    """Signals flow; opening range or indicators are not whole, so entries would be refused."""
    RUNNING = "RUNNING"
    NEEDS_TOKEN = "NEEDS_TOKEN"  # noqa: S105
    STOPPING = "STOPPING"
    STOPPED = "STOPPED"
    FAILED = "FAILED"

    @property
    def is_over(self) -> bool:
        """Whether the session has ended for good."""
        return self in (Status.STOPPED, Status.FAILED)


@dataclass(frozen=True, slots=True, kw_only=True)
class Subscribe:
    """Ask the feed for these instruments."""

    instruments: tuple[InstrumentKey, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Unsubscribe:
    """Let go of these instruments."""

    instruments: tuple[InstrumentKey, ...]


type Effect = Subscribe | Unsubscribe


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionChanged:
    """The session as a watcher needs it: body of a `session` frame."""

    status: Status
    reason: str | None
    halted: str | None
    feed: FeedStatus


class Severity(StrEnum):
    """How loud an alert is."""

    INFO = "info"
    WARNING = "warning"
    CRITICAL = "critical"


@dataclass(frozen=True, slots=True, kw_only=True)
class Alert:
    """Something a person should read: body of an `alert` frame."""

    severity: Severity
    code: str
    message: str


type FrameBody = SessionChanged | Signal | PcrReading | Candle | Alert


@dataclass(frozen=True, slots=True, kw_only=True)
class Frame:
    """One numbered message to whoever watches the session.

    `number` is dense per session from 1 and independent of the journal's `seq`.
    """

    number: int
    at: datetime
    body: FrameBody

    @property
    def type(self) -> str:
        """The frame's name on the wire."""
        match self.body:
            case Signal() as signal:
                return "rejection" if signal.is_rejection else "signal"
            case SessionChanged():
                return "session"
            case PcrReading():
                return "pcr"
            case Candle():
                return "candle"
            case Alert():
                return "alert"
