"""Where a connection stands: one position per session, as text that a client hands back."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

from algoexec.engine.signals import base36

_FORM: Final = re.compile(r"c1\.([0-9a-z]{1,12})((?:\.[0-9a-z]{1,32}-[0-9a-z]{1,8})*)")
_EPOCH: Final = datetime.fromtimestamp(0, UTC)
_MILLISECOND: Final = timedelta(milliseconds=1)

LONGEST: Final = 64 * 1024
"""Longer text is no cursor of ours: some thousands of sessions fit."""


@dataclass(frozen=True, slots=True)
class Cursor:
    """The number of the last frame of each session that was handed out.

    `base` is wall time: a session that is not named and was created after it is at 0; one
    created before it was over and done with when the connection began.
    """

    base: datetime
    positions: Mapping[str, int]


def read_cursor(text: str) -> Cursor | None:
    """Return the cursor that `text` holds; None when it is not one of ours."""
    form = _FORM.fullmatch(text) if len(text) <= LONGEST else None
    if form is None:
        return None
    try:
        base = _EPOCH + int(form[1], 36) * _MILLISECOND
    except OverflowError:
        return None
    pairs = (part.split("-") for part in form[2].split(".") if part)
    return Cursor(base, {session: int(number, 36) for session, number in pairs})


class CursorWriter:
    """The cursor of one connection, kept as text so that moving it costs one join."""

    __slots__ = ("_parts", "base")

    def __init__(self, cursor: Cursor) -> None:
        """Begin at `cursor`."""
        self.base: Final = f"c1.{base36((cursor.base - _EPOCH) // _MILLISECOND)}"
        self._parts: Final[dict[str, str]] = {}
        for session, number in cursor.positions.items():
            self.move(session, number)

    def move(self, session_id: str, number: int) -> None:
        """Put one session at `number`."""
        self._parts[session_id] = f".{session_id}-{base36(number)}"

    def text(self) -> str:
        """Return the cursor as a client gets it."""
        return self.base + "".join(self._parts.values())
