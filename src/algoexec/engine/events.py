"""What can happen to a session: the alphabet of its journal.

Events are facts and named in the past tense. Times are UTC. What is not here cannot
change a session's state.
"""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from algoexec.domain.calendar import TradingDay
from algoexec.domain.instruments import Contracts, InstrumentKey
from algoexec.domain.market import Candle
from algoexec.domain.options import PcrReading, Premium
from algoexec.domain.orders import OrderReport
from algoexec.engine.trading.marks import IndexMark, OptionMark
from algoexec.engine.trading.rules import TradeRules
from algoexec.engine.trading.tally import Tally
from algoexec.strategy.decision import Ledger
from algoexec.strategy.parameters import Parameters


class Mode(StrEnum):
    """What a session does with a signal."""

    SIGNALS = "signals"
    """Tell it; no orders."""
    PAPER = "paper"
    LIVE = "live"


class FeedStatus(StrEnum):
    """The state of the market-data feed as a session sees it."""

    CONNECTING = "CONNECTING"
    CONNECTED = "CONNECTED"
    LOST = "LOST"
    FEED_TAKEN = "FEED_TAKEN"
    """Another program holds the broker's one connection."""


class StopReason(StrEnum):
    """Why a session has stopped."""

    REQUESTED = "requested"
    DAY_OVER = "day_over"
    VENUE_GONE = "venue_gone"
    HANDED_OVER = "handed_over"
    """A person watches what it held from here."""
    FAILED = "failed"
    """It could not go on; what it held was got out of first."""


class OnShutdown(StrEnum):
    """What becomes of what is held when the service is stopped in order."""

    PROTECT = "protect"
    """A stop rests at the exchange."""
    FLATTEN = "flatten"
    LEAVE = "leave"
    """It stays as it is."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionCreated:
    """The first record. `inherited` and `tally` are what an earlier session of the same day and mode left.

    `rules` None: nothing is traded, as in mode `signals`.
    """

    session_id: str
    user_id: str
    mode: Mode
    venue: str
    underlying: InstrumentKey
    day: TradingDay
    parameters: Parameters
    inherited: Ledger | None
    rules: TradeRules | None = None
    tally: Tally | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenRejected:
    """The broker refused the access token; `detail` is in its words."""

    detail: str


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenReplaced:
    """A new access token was handed in. The token itself is never journaled."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DayPrepared:
    """The broker accepted the token and named the day's contracts."""

    contracts: Contracts


@dataclass(frozen=True, slots=True, kw_only=True)
class WarmedUp:
    """The past as it was known at the start, oldest first.

    `history` are earlier days; `today` today's candles with `T <= started_at`, which only warm.
    """

    history: tuple[Candle, ...]
    today: tuple[Candle, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class CandleClosed:
    """A minute is over and its candle final: it is decided on now, once.

    `premiums` are what the options near the money cost now; those without a recent price are absent.
    """

    candle: Candle
    premiums: tuple[Premium, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class CandlesRepaired:
    """Candles of today that were decided on, or passed as unknown, are now known better."""

    candles: tuple[Candle, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ChainPolled:
    """The option chain was read."""

    reading: PcrReading


@dataclass(frozen=True, slots=True, kw_only=True)
class FeedChanged:
    """The feed connected, was lost, or was refused."""

    status: FeedStatus
    detail: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ParametersChanged:
    """A person changed the configuration."""

    parameters: Parameters


@dataclass(frozen=True, slots=True, kw_only=True)
class Halted:
    """A person (`by`) forbade new entries."""

    by: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Resumed:
    """A person (`by`) allowed entries again."""

    by: str


@dataclass(frozen=True, slots=True, kw_only=True)
class StopRequested:
    """The session shall end."""

    reason: StopReason


@dataclass(frozen=True, slots=True, kw_only=True)
class DeadlinePassed:
    """The market clock has reached the state's next deadline."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionFailed:
    """The session cannot go on: `detail` says why, for a person."""

    detail: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Marked:
    """The newest prices while something is wanted, held or working: `option` is which one is quoted.

    `index` None: not told yet.
    """

    index: IndexMark | None
    option: InstrumentKey
    mark: OptionMark


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderReported:
    """The broker has said something of one of our orders, perhaps again, perhaps late."""

    report: OrderReport


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderNotPlaced:
    """An order of ours (`id`) surely did not become one at the broker; `was_sent`: the broker refused it."""

    id: str
    was_sent: bool
    detail: str


@dataclass(frozen=True, slots=True, kw_only=True)
class OutcomeNotKnown:
    """An order of ours was sent, and whether the broker has it is being looked up."""

    id: str
    detail: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ChangeNotMade:
    """A change or cancellation of an order of ours was not taken, or nobody knows (`is_unknown`)."""

    id: str
    is_unknown: bool
    detail: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PositionRead:
    """The broker's net units of an instrument; `mark` as of then.

    `sold_elsewhere` is at what somebody else sold some of it today, in rupees on average; None:
    nobody did, or it was not asked.
    """

    instrument: InstrumentKey
    net: int
    mark: OptionMark
    sold_elsewhere: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class FundsRead:
    """What the broker says can be spent, in paise."""

    available: int


@dataclass(frozen=True, slots=True, kw_only=True)
class EntryApproved:
    """A person (`by`) allows the entry that was offered under `order_id`."""

    order_id: str
    by: str


@dataclass(frozen=True, slots=True, kw_only=True)
class EntryDeclined:
    """A person (`by`) does not want the entry that was offered under `order_id`."""

    order_id: str
    by: str


@dataclass(frozen=True, slots=True, kw_only=True)
class FlattenRequested:
    """A person (`by`) wants to be out of everything; the session goes on."""

    by: str


@dataclass(frozen=True, slots=True, kw_only=True)
class KillSwitched:
    """The kill switch was thrown (`reason`), or taken back: then `reason` is None."""

    reason: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class TradeRulesChanged:
    """A person changed what may be risked, and how."""

    rules: TradeRules


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceStopping:
    """The service is being stopped: nothing is begun any more, and `policy` says what becomes of what is held."""

    policy: OnShutdown


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceStarted:
    """After `ServiceStopping`: a service runs the session again."""


SessionEvent = (
    SessionCreated
    | TokenRejected
    | TokenReplaced
    | DayPrepared
    | WarmedUp
    | CandleClosed
    | CandlesRepaired
    | ChainPolled
    | FeedChanged
    | ParametersChanged
    | Halted
    | Resumed
    | StopRequested
    | DeadlinePassed
    | SessionFailed
)
BrokerEvent = OrderReported | OrderNotPlaced | OutcomeNotKnown | ChangeNotMade | PositionRead | FundsRead
"""What the broker says, or does not say."""
TradeEvent = (
    Marked
    | BrokerEvent
    | EntryApproved
    | EntryDeclined
    | FlattenRequested
    | KillSwitched
    | TradeRulesChanged
    | ServiceStopping
    | ServiceStarted
)
type Event = SessionEvent | TradeEvent


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """One event in its place: `seq` is dense from 1, `at` market time cut to milliseconds."""

    seq: int
    at: datetime
    event: Event
