"""Where a page of a newest-first list ended, as a text that a client hands back."""

import base64
import json
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Final, NamedTuple

from algoexec.ports.stores import InvalidCursor, Page

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND: Final = timedelta(milliseconds=1)


class Position(NamedTuple):
    """The last row of a page. Lists are ordered by (time, id), so new rows do not move it."""

    at: datetime
    id: str

    def to_cursor(self) -> str:
        """Return the opaque text."""
        text = json.dumps([(self.at - _EPOCH) // _MILLISECOND, self.id], separators=(",", ":"))
        return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")

    @classmethod
    def of_cursor(cls, cursor: str) -> "Position":
        """Read the opaque text.

        Raises:
            InvalidCursor: no page ever ended with it.
        """
        try:
            padded = cursor.encode("ascii") + b"=" * (-len(cursor) % 4)
            at, row = json.loads(base64.b64decode(padded, altchars=b"-_", validate=True))
            if not (isinstance(at, int) and isinstance(row, str)):
                raise InvalidCursor(cursor)
            row.encode()  # JSON can hold half a surrogate pair, which no store can be asked for
            return cls(_EPOCH + at * _MILLISECOND, row)
        except (ValueError, TypeError, OverflowError) as error:
            raise InvalidCursor(cursor) from error


def page_of[T](rows: Sequence[tuple[Position, T]], limit: int) -> Page[T]:
    """Return the first `limit` of `rows`, which hold one more if there is one."""
    items = tuple(item for _, item in rows[:limit])
    return Page(items=items, cursor=rows[limit - 1][0].to_cursor() if len(rows) > limit else None)
