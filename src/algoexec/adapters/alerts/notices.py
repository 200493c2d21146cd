"""What people are told: short texts made of what sessions decide. Nothing in them can be a secret."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Final, NamedTuple

from algoexec.domain.calendar import IST
from algoexec.domain.signals import Signal
from algoexec.engine.effects import Alert, EntryOffered, Frame, FrameBody, SessionChanged, Severity, Status, TradeClosed
from algoexec.engine.state import EngineState

_ORDER: Final = (Severity.INFO, Severity.WARNING, Severity.CRITICAL)


class Kind(StrEnum):
    """Classes of messages, of which an operator chooses."""

    ALERT = "alert"
    """A session calls for a person."""
    SESSION = "session"
    """A session was halted, locked, needs a token, has ended or failed."""
    TRADE = "trade"
    SIGNAL = "signal"
    DAY = "day"
    """The day's result, when a session ends."""
    LOGIN = "login"
    """In the morning: whose token is dead."""
    SERVICE = "service"
    """Something that the service needs does not answer, or answers again."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Notice:
    """One message. `code` tells messages of a kind apart, for a program; `at` is UTC.

    `id` is the same for every attempt to send it.
    """

    id: str
    kind: Kind
    severity: Severity
    code: str
    text: str
    at: datetime
    user_id: str | None = None
    session_id: str | None = None

    def is_at_least(self, severity: Severity) -> bool:
        """Return whether it is as loud as that, or louder."""
        return _ORDER.index(self.severity) >= _ORDER.index(severity)


class _Told(NamedTuple):
    kind: Kind
    severity: Severity
    code: str
    text: str


class Standing(NamedTuple):
    """What was last said of a session: its frame comes for every change, a message only for some."""

    status: Status | None = None
    halted: str | None = None
    lock: str | None = None


def notices_of(after: EngineState, frame: Frame, before: Standing) -> Iterator[Notice]:
    """Yield what people are told of a frame of a session; `before` is what they were told last."""
    for n, told in enumerate(_of(after, frame.body, before)):
        yield Notice(
            id=f"{after.session_id}-{frame.number}-{n}",
            kind=told.kind,
            severity=told.severity,
            code=told.code,
            text=f"{after.user_id} ({after.mode.value}): {told.text}",
            at=frame.at,
            user_id=after.user_id,
            session_id=after.session_id,
        )


def standing_of(changed: SessionChanged) -> Standing:
    """Return what is said of a session that stands so."""
    return Standing(changed.status, changed.halted, changed.lock)


def _of(after: EngineState, body: FrameBody, before: Standing) -> Iterator[_Told]:
    match body:
        case Alert(severity=severity, code=code, message=message):
            yield _Told(Kind.ALERT, severity, code, message)
        case EntryOffered(approved_by=None) as offered:
            yield _Told(Kind.ALERT, Severity.WARNING, "APPROVAL_WANTED", _offered(offered))
        case TradeClosed() as trade:
            yield _Told(Kind.TRADE, Severity.INFO, "CLOSED", _trade(trade))
        case Signal(reason=None) as signal:
            text = (
                f"{signal.side.value} {signal.pattern.value} at {signal.price:.2f}, "
                f"stop {signal.stop_loss:.2f}, target {signal.target:.2f}"
            )
            yield _Told(Kind.SIGNAL, Severity.INFO, signal.pattern.value, text)
        case SessionChanged() as changed:
            yield from _changed(changed, before)
            if changed.status.is_over and changed.status is not before.status:
                yield from _day(after)
        case _:
            pass


def _offered(offered: EntryOffered) -> str:
    until = f"{offered.expires_at.astimezone(IST):%H:%M:%S} IST"
    what = f"BUY {offered.quantity} {offered.instrument} at {offered.limit:.2f}, risk Rs {offered.risk / 100:,.2f}"
    return f"approve or reject {offered.id} until {until}: {what}"


def _trade(trade: TradeClosed) -> str:
    held = (trade.closed_at - trade.opened_at).total_seconds() / 60
    return (
        f"{trade.quantity} {trade.instrument} from {trade.entry_price:.2f} to {trade.exit_price:.2f} "
        f"({trade.reason}, {held:.0f} min): net Rs {trade.net / 100:+,.2f} after charges"
    )


def _changed(changed: SessionChanged, before: Standing) -> Iterator[_Told]:
    if changed.status is not before.status:
        match changed.status:
            case Status.NEEDS_TOKEN:
                text = "needs an access token: log in at the broker and hand it in"
                yield _Told(Kind.SESSION, Severity.WARNING, "NEEDS_TOKEN", text)
            case Status.FAILED:
                yield _Told(Kind.SESSION, Severity.CRITICAL, "FAILED", f"has failed: {changed.reason}")
            case Status.STOPPED:
                yield _Told(Kind.SESSION, Severity.INFO, "STOPPED", f"has ended ({changed.reason})")
            case _:
                pass
    if changed.halted != before.halted:
        text = "entries are allowed again" if changed.halted is None else f"entries are forbidden: {changed.halted}"
        yield _Told(Kind.SESSION, Severity.WARNING, "HALTED" if changed.halted else "RESUMED", text)
    if changed.lock != before.lock and changed.lock is not None:
        text = f"the day is locked ({changed.lock}): everything is sold and nothing begun until a person resumes"
        yield _Told(Kind.SESSION, Severity.CRITICAL, "DAY_LOCKED", text)


def _day(after: EngineState) -> Iterator[_Told]:
    """Say what the day brought, of a session that traded."""
    if after.trading is None:
        return
    tally, day = after.trading.tally, after.day.date
    text = f"{day:%d %b}: {tally.trades} trades, net Rs {tally.realised / 100:+,.2f} after charges"
    if tally.lock is not None:
        text += f"; locked by {tally.lock}"
    yield _Told(Kind.DAY, Severity.INFO, "RESULT", text)


def clock(at: datetime) -> str:
    """Return a moment as people in India read it."""
    return f"{at.astimezone(IST):%H:%M} IST"
