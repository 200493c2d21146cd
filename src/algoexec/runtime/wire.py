"""Frames as text, encoded once for all who watch."""

from collections.abc import Mapping
from dataclasses import fields
from datetime import datetime
from typing import Any, Final, NamedTuple

import orjson

from algoexec.domain.orders import Side
from algoexec.engine.effects import (
    EntryOffered,
    EntryRefused,
    Frame,
    FrameBody,
    OrderChanged,
    OrderNews,
    TradeClosed,
)
from algoexec.engine.trading.orders import Purpose
from algoexec.ports.trading import order_id

_STYLE: Final = orjson.OPT_UTC_Z

AWAITING_APPROVAL: Final = "AWAITING_APPROVAL"
APPROVED: Final = "APPROVED"
REFUSED: Final = "REFUSED"
"""The phases among the orders of what is not one yet: a person is asked, has said yes; it becomes none."""

_OF_ORDERS: Final[Mapping[str, None]] = dict.fromkeys(
    (*(one.name for one in fields(OrderChanged)), "signal_id", "reason", "risk", "expires_at", "approved_by")
)
"""The names that an order, an offer and a refusal all have on the wire."""

_NUMBERED: Final = ("session", "signal", "rejection", "pcr", "candle", "alert", "order", "position", "trade")

TOPICS: Final = frozenset({*_NUMBERED, "candle_update", "pnl"})
"""The types that a watcher may choose from; `snapshot`, `heartbeat` and `gap` always come."""


class Encoded:
    """A numbered frame without what differs per connection: `head` lacks `prev`, `cursor` and the brace.

    `shared` keeps the whole of it for connections that stand at the same place. `published_at` is
    when it went out to them, in monotonic seconds; None for one that was read from the journal.
    """

    __slots__ = ("head", "number", "published_at", "session_id", "shared", "type")

    def __init__(self, session_id: str, number: int, kind: str, head: str) -> None:
        """Hold what `encode` made."""
        self.session_id: Final = session_id
        self.number: Final = number
        self.type: Final = kind
        self.head: Final = head
        self.published_at: float | None = None
        self.shared: Final[dict[tuple[int, str], Message]] = {}


class Message(NamedTuple):
    """A frame as one connection gets it. `cursor` is None where the client cannot resume from it."""

    type: str
    text: str
    cursor: str | None


def encode(session_id: str, frame: Frame) -> Encoded:
    """Encode a numbered frame."""
    whole = {
        "type": frame.type,
        "seq": frame.number,
        "session_id": session_id,
        "at": frame.at,
        "data": body_form(frame.body),
    }
    return Encoded(session_id, frame.number, frame.type, _dumps(whole)[:-1])


def body_form(body: FrameBody) -> Mapping[str, Any] | FrameBody:
    """Return a frame's body as it is told: most as they are, money in rupees."""
    match body:
        case OrderChanged() | EntryOffered() | EntryRefused():
            return order_form(body)
        case TradeClosed():
            return trade_form(body)
        case _:
            return body


def order_form(told: OrderNews) -> dict[str, Any]:
    """Return an order, what may become one, or a refused signal as the entry that it did not become."""
    entry = {"id": order_id(told), "purpose": Purpose.ENTRY, "filled": 0}
    match told:
        case OrderChanged():
            return {**_OF_ORDERS, **_plain(told)}
        case EntryOffered():
            phase = AWAITING_APPROVAL if told.approved_by is None else APPROVED
            offered = {**_plain(told), "risk": in_rupees(told.risk)}
            return {**_OF_ORDERS, **entry, **offered, "phase": phase, "side": Side.BUY}
        case EntryRefused():
            why = {"reason": told.reason, "message": told.detail}
            about = {"signal_id": told.signal_id, "instrument": told.instrument}
            return {**_OF_ORDERS, **entry, **about, **why, "phase": REFUSED}


def trade_form(trade: TradeClosed) -> dict[str, Any]:
    """Return a trade with its money in rupees."""
    money = {name: in_rupees(getattr(trade, name)) for name in ("gross", "charges", "net")}
    return {**_plain(trade), **money}


def in_rupees(paise: int) -> float:
    """Return an amount of paise in rupees; written as JSON it has two decimals at most and is exact."""
    return paise / 100


def complete(encoded: Encoded, prev: int, cursor: str) -> Message:
    """Add the connection's own parts. A cursor is plain ASCII without quotes."""
    return Message(encoded.type, f'{encoded.head},"prev":{prev},"cursor":"{cursor}"}}', cursor)


def unnumbered(
    kind: str, session_id: str | None, at: datetime, data: Mapping[str, Any], cursor: str | None = None
) -> Message:
    """Encode a frame that has no number."""
    whole = {
        "type": kind,
        "seq": None,
        "session_id": session_id,
        "at": at,
        "data": data,
        "prev": None,
        "cursor": cursor,
    }
    return Message(kind, _dumps(whole), cursor)


def _plain(body: OrderChanged | EntryOffered | TradeClosed) -> dict[str, Any]:
    return {one.name: getattr(body, one.name) for one in fields(body)}


def _dumps(value: object) -> str:
    return orjson.dumps(value, option=_STYLE).decode()
