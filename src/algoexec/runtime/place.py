"""What one connection was sent of each session, and the cursor that says so."""

from typing import Final

from algoexec.runtime.cursor import Cursor, CursorWriter
from algoexec.runtime.wire import Encoded, Message, complete


class Place:
    """Where a connection stands. Per session it only goes forward, so nothing is sent twice.

    `prev` of a frame is the position of its session in the cursor before it: a client that
    compares the two sees any loss.
    """

    __slots__ = ("_cursor", "_scanned", "_sent")

    def __init__(self, cursor: Cursor) -> None:
        """Stand at `cursor`."""
        self._sent: Final = dict(cursor.positions)
        self._scanned: Final = dict(cursor.positions)
        self._cursor: Final = CursorWriter(cursor)

    def cursor(self) -> str:
        """Return the cursor as a client gets it."""
        return self._cursor.text()

    def scanned(self, session_id: str) -> int:
        """Return the number up to which every frame was sent or is not wanted; 0 before the first."""
        return self._scanned.get(session_id, 0)

    def skip(self, session_id: str, number: int) -> None:
        """Note that a frame is not wanted."""
        self._scanned[session_id] = number

    def next(self, encoded: Encoded) -> Message | None:
        """Return the frame as this connection gets it; None when it was sent already."""
        session_id, number = encoded.session_id, encoded.number
        if number <= self._scanned.get(session_id, 0):
            return None
        prev = self._sent.get(session_id, 0)
        self._sent[session_id] = self._scanned[session_id] = number
        self._cursor.move(session_id, number)
        if len(self._sent) > 1:
            return complete(encoded, prev, self._cursor.text())
        # Most connections watch one session and stand at the same place: it is composed once for them.
        place = (prev, self._cursor.base)
        message = encoded.shared.get(place)
        if message is None:
            message = encoded.shared[place] = complete(encoded, prev, self._cursor.text())
        return message
