"""What a session wants done: effects for the shell, frames for those who watch."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from algoexec.domain.instruments import InstrumentKey
from algoexec.domain.market import Candle
from algoexec.domain.options import PcrReading
from algoexec.domain.orders import OrderTerms, OrderTicket, Side
from algoexec.domain.signals import Signal
from algoexec.engine.events import FeedStatus
from algoexec.engine.trading.orders import Phase, Purpose


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


@dataclass(frozen=True, slots=True, kw_only=True)
class SubmitOrder:
    """Hand an order in, once."""

    ticket: OrderTicket
    purpose: Purpose


@dataclass(frozen=True, slots=True, kw_only=True)
class ModifyOrder:
    """Change a working order; `id` is ours, `broker_id` the broker's."""

    id: str
    broker_id: str
    terms: OrderTerms
    purpose: Purpose


@dataclass(frozen=True, slots=True, kw_only=True)
class CancelOrder:
    """Withdraw a working order; `id` is ours, `broker_id` the broker's."""

    id: str
    broker_id: str
    purpose: Purpose


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadPosition:
    """Ask the broker what is held of an instrument, and answer with `PositionRead`."""

    instrument: InstrumentKey


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadFunds:
    """Ask the broker what can be spent, and answer with `FundsRead`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class QuoteOption:
    """Answer with a `Marked` of this option soon: an intent waits for it."""

    instrument: InstrumentKey


OrderEffect = SubmitOrder | ModifyOrder | CancelOrder | ReadPosition | ReadFunds
"""What is carried out at the session's account."""

type Effect = Subscribe | Unsubscribe | QuoteOption | OrderEffect


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionChanged:
    """The session as a watcher needs it: body of a `session` frame.

    `lock` is the limit of the day that forbids entries until a person resumes; None: none does.
    """

    status: Status
    reason: str | None
    halted: str | None
    feed: FeedStatus
    lock: str | None = None


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


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderChanged:
    """One of our orders as it stands now: body of an `order` frame. Prices in rupees, quantities in units.

    `signal_id` is the signal that its trade comes from; None only in journals from before it was told.
    `trigger` is the price at which it begins to work; None: it works already.
    """

    id: str
    broker_id: str | None
    trade_id: str
    purpose: Purpose
    phase: Phase
    instrument: InstrumentKey
    side: Side
    quantity: int
    limit: float
    filled: int
    average_price: float | None
    message: str | None
    signal_id: str | None = None
    trigger: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class EntryOffered:
    """An order that is sent only if a person approves: body of an `order` frame.

    `id` and `trade_id` are those that it will have. What would be bought now: `quantity` in units,
    `limit` in rupees a unit, `risk` in paise is what the stop would lose of all of it. Not approved
    at `expires_at` (UTC) it is refused. `approved_by` None: nobody has said yes yet.
    """

    id: str
    trade_id: str
    signal_id: str
    instrument: InstrumentKey
    quantity: int
    limit: float
    risk: int
    expires_at: datetime
    approved_by: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class EntryRefused:
    """A signal that became no order, and why: body of an `order` frame.

    `order_id` is the number under which it was offered to a person; None: it never was.
    """

    signal_id: str
    instrument: InstrumentKey | None
    reason: str
    detail: str
    order_id: str | None = None


OrderNews = OrderChanged | EntryOffered | EntryRefused
"""What an `order` frame tells."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PositionChanged:
    """What is held, and what watches over it: body of a `position` frame.

    `stage` is NEUTRAL when nothing is held or wanted, and then all else is None. Premiums in rupees.
    """

    stage: str
    trade_id: str | None = None
    instrument: InstrumentKey | None = None
    open_units: int = 0
    average_price: float | None = None
    stop: float | None = None
    target: float | None = None
    index_stop: float | None = None
    index_target: float | None = None
    exit_reason: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class TradeClosed:
    """A trade from entry to flat: body of a `trade` frame.

    Premiums in rupees a unit, money in paise. `mfe` and `mae` are the best and worst mark
    against the entry, in rupees a unit; None if no mark came. `r` is the net result in units of
    the risk taken. `external_units` were sold by somebody else; their price is an estimate.
    """

    id: str
    signal_id: str
    pattern: str
    instrument: InstrumentKey
    quantity: int
    entry_price: float
    exit_price: float
    opened_at: datetime
    closed_at: datetime
    reason: str
    gross: int
    charges: int
    net: int
    r: float
    mfe: float | None
    mae: float | None
    external_units: int


type FrameBody = SessionChanged | Signal | PcrReading | Candle | Alert | OrderNews | PositionChanged | TradeClosed


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
            case OrderChanged() | EntryOffered() | EntryRefused():
                return "order"
            case PositionChanged():
                return "position"
            case TradeClosed():
                return "trade"
