"""Frames as text, encoded once for all who watch."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final, NamedTuple

import orjson

from algoexec.engine.effects import Frame

_STYLE: Final = orjson.OPT_UTC_Z

TOPICS: Final = frozenset({"session", "signal", "rejection", "pcr", "candle", "alert", "candle_update", "pnl"})
"""The types that a watcher may choose from; `snapshot`, `heartbeat` and `gap` always come."""


class Encoded:
    """A numbered frame without what differs per connection: `head` lacks `prev`, `cursor` and the brace.

    `shared` keeps the whole of it for connections that stand at the same place.
    """

    __slots__ = ("head", "number", "session_id", "shared", "type")

    def __init__(self, session_id: str, number: int, kind: str, head: str) -> None:
        """Hold what `encode` made."""
        self.session_id: Final = session_id
        self.number: Final = number
        self.type: Final = kind
        self.head: Final = head
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
        "data": frame.body,
    }
    return Encoded(session_id, frame.number, frame.type, _dumps(whole)[:-1])


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


def _dumps(value: object) -> str:
    return orjson.dumps(value, option=_STYLE).decode()
