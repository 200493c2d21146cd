"""Values that the contract suites store."""

from datetime import UTC, date, datetime, timedelta
from typing import Any

from algoexec.domain.calendar import regular_session
from algoexec.domain.instruments import BANK_NIFTY, Contracts, Future, InstrumentKey, Option, OptionType
from algoexec.domain.market import Candle, Provenance
from algoexec.domain.options import PcrReading
from algoexec.domain.signals import Evidence, Levels, Pattern, PcrQuality, Reason, Side, Signal, VwapBasis
from algoexec.engine.effects import Alert, Effect, Frame, FrameBody, Severity, Status, Subscribe
from algoexec.engine.events import Mode, Record, SessionCreated, TokenRejected
from algoexec.engine.state import EngineState
from algoexec.engine.step import step
from algoexec.ports.stores import JournalEntry, Query, SessionRow
from algoexec.strategy.parameters import Parameters

AT = datetime(2026, 11, 23, 4, 0, tzinfo=UTC)
DAY = date(2026, 11, 23)
EXPIRY = date(2026, 11, 24)
ALL = Query()


def minute(n: int) -> datetime:
    """Return the n-th minute after `AT`."""
    return AT + timedelta(minutes=n)


def alert(text: str = "said") -> Alert:
    """Return a frame body that says `text`."""
    return Alert(severity=Severity.INFO, code="TEST", message=text)


def entry(
    seq: int,
    *frames: FrameBody,
    session: str = "s1",
    epoch: int = 1,
    detail: str = "x",
    first_frame: int | None = None,
    effects: tuple[Effect, ...] = (Subscribe(instruments=(InstrumentKey("NSE_FO|1"),)),),
    recorded_at: datetime = AT,
) -> JournalEntry:
    """Return an entry; its frames are numbered from `first_frame`, by default its seq."""
    first = seq if first_frame is None else first_frame
    return JournalEntry(
        session_id=session,
        epoch=epoch,
        engine="1.0",
        recorded_at=recorded_at,
        record=Record(seq=seq, at=minute(seq), event=TokenRejected(detail=detail)),
        effects=effects,
        frames=tuple(Frame(number=first + n, at=minute(seq), body=body) for n, body in enumerate(frames)),
    )


def row(id_: str = "s1", **fields: Any) -> SessionRow:
    """Return an active session of user `u1` at venue `v1`."""
    given: dict[str, Any] = {
        "user_id": "u1",
        "venue": "v1",
        "mode": Mode.SIGNALS,
        "status": Status.STARTING,
        "is_active": True,
        "created_at": AT,
        "day": "2026-11-23",
    }
    return SessionRow(id=id_, **{**given, **fields})


def candle(n: int, close: float = 51_050.25, provenance: Provenance = Provenance.LIVE) -> Candle:
    """Return the candle that starts at the n-th minute."""
    return Candle(
        start=minute(n), open=51_000.0, high=51_100.0, low=50_900.0, close=close, volume=1_500, provenance=provenance
    )


def reading(n: int, pcr: float | None = 0.93, expiry: date = EXPIRY) -> PcrReading:
    """Return the poll of the n-th minute."""
    return PcrReading(at=minute(n), underlying=BANK_NIFTY, expiry=expiry, pcr=pcr, strikes=40, spot=51_000.5)


def signal(id_: str, n: int, reason: Reason | None = None) -> Signal:
    """Return a signal, or with a `reason` a rejection, of the candle that closes at the n-th minute."""
    levels = Levels(
        vwap=51_000.1, vwap_basis=VwapBasis.VOLUME, ema_fast=51_001.0, ema_slow=None, range_high=None, range_low=None
    )
    return Signal(
        id=id_,
        at=minute(n),
        decided_at=minute(n) + timedelta(seconds=1),
        side=Side.BUY_CALL,
        pattern=Pattern.HAMMER,
        priority=4,
        price=51_050.25,
        stop_loss=50_948.1495,
        target=51_254.451,
        instrument=InstrumentKey("NSE_FO|51100"),
        pcr=0.93,
        pcr_quality=PcrQuality.FRESH,
        volume_confirmed=None,
        levels=levels,
        evidence=Evidence(range_compression=None),
        candle=candle(n - 1),
        expires_at=minute(n + 1),
        lock_until=None if reason else minute(n + 5),
        reason=reason,
    )


def contracts(count: int = 4) -> Contracts:
    """Return a contract list with `count` options."""
    future = Future(key=InstrumentKey("NSE_FO|1"), name="F", expiry=EXPIRY, lot=35, tick_size=0.05, freeze_quantity=900)
    options = tuple(
        Option(
            key=InstrumentKey(f"NSE_FO|{1000 + n}"),
            name=f"BANKNIFTY {51_000 + 100 * (n // 2)} {n % 2}",
            type=OptionType.PUT if n % 2 else OptionType.CALL,
            strike=51_000.0 + 100 * (n // 2),
            expiry=EXPIRY,
            lot=35,
            tick_size=0.05,
            freeze_quantity=900,
        )
        for n in range(count)
    )
    return Contracts(underlying=BANK_NIFTY, future=future, expiry=EXPIRY, options=options)


def state(*events: Any, session: str = "s1") -> EngineState:
    """Return a session's state after its creation and `events`."""
    created = SessionCreated(
        session_id=session,
        user_id="u1",
        mode=Mode.SIGNALS,
        venue="v1",
        underlying=BANK_NIFTY,
        day=regular_session(DAY),
        parameters=Parameters(),
        inherited=None,
    )
    now = None
    for seq, event in enumerate((created, *events), start=1):
        now = step(now, Record(seq=seq, at=minute(seq), event=event)).state
    assert now is not None
    return now
