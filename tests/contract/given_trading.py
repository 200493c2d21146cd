"""Values of a session that trades."""

from dataclasses import replace
from datetime import date
from typing import Any

from algoexec.domain.calendar import regular_session
from algoexec.domain.instruments import BANK_NIFTY, InstrumentKey
from algoexec.domain.orders import Side
from algoexec.engine.effects import EntryOffered, EntryRefused, OrderChanged, TradeClosed
from algoexec.engine.events import Mode, SessionCreated
from algoexec.engine.trading.orders import Phase, Purpose
from algoexec.ports.stores import JournalEntry
from algoexec.strategy.parameters import Parameters
from tests.contract.given import DAY, entry, minute

OPTION = InstrumentKey("NSE_FO|51100")


def order(id_: str, phase: Phase = Phase.SENDING, **fields: Any) -> OrderChanged:
    """Return an entry order as it stands."""
    given: dict[str, Any] = {
        "broker_id": None,
        "trade_id": "s1-1",
        "purpose": Purpose.ENTRY,
        "instrument": OPTION,
        "side": Side.BUY,
        "quantity": 35,
        "limit": 212.35,
        "filled": 0,
        "average_price": None,
        "message": None,
        "signal_id": "s1-1-0",
    }
    return OrderChanged(id=id_, phase=phase, **{**given, **fields})


def offer(id_: str, approved_by: str | None = None, signal_id: str = "s1-1-0") -> EntryOffered:
    """Return an entry that waits for a person, or that one has approved."""
    return EntryOffered(
        id=id_,
        trade_id=id_.rpartition("-")[0],
        signal_id=signal_id,
        instrument=OPTION,
        quantity=70,
        limit=212.35,
        risk=2_972_90,
        expires_at=minute(9),
        approved_by=approved_by,
    )


def refusal(signal_id: str, reason: str = "MAX_TRADES", order_id: str | None = None) -> EntryRefused:
    """Return a signal that became no order."""
    detail = "20 trades were begun today"
    return EntryRefused(signal_id=signal_id, instrument=OPTION, reason=reason, detail=detail, order_id=order_id)


def trade(id_: str, n: int, net: int = -123_45) -> TradeClosed:
    """Return a trade that was closed at the n-th minute."""
    return TradeClosed(
        id=id_,
        signal_id="s1-1-0",
        pattern="HAMMER",
        instrument=OPTION,
        quantity=35,
        entry_price=212.3,
        exit_price=210.05,
        opened_at=minute(n - 1),
        closed_at=minute(n),
        reason="PREMIUM_STOP",
        gross=net + 50_00,
        charges=50_00,
        net=net,
        r=-0.4,
        mfe=None,
        mae=-3.5,
        external_units=0,
    )


def began(
    session: str = "s1", *, user: str = "u1", venue: str = "v1", mode: Mode = Mode.PAPER, day: date = DAY
) -> JournalEntry:
    """Return a session's first entry."""
    created = SessionCreated(
        session_id=session,
        user_id=user,
        mode=mode,
        venue=venue,
        underlying=BANK_NIFTY,
        day=regular_session(day),
        parameters=Parameters(),
        inherited=None,
    )
    first = entry(1, session=session)
    return replace(first, record=replace(first.record, event=created))
