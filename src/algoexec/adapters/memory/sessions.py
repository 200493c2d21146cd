"""Sessions and their leases in memory."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Final

from algoexec.adapters.memory.lists import newest_first
from algoexec.adapters.memory.reach import Reach
from algoexec.domain.errors import StoreError
from algoexec.engine.effects import Status
from algoexec.engine.events import Mode
from algoexec.ports.paging import Position
from algoexec.ports.stores import AccountInUse, ActiveSessionExists, Page, Query, SessionRow

MOST_EARLIER: Final = 20


class MemorySessions:
    """Sessions in a dict. No method awaits anything, so each is atomic."""

    def __init__(self, reach: Reach) -> None:
        """Begin empty."""
        self._reach = reach
        self._rows: dict[str, SessionRow] = {}

    async def create(self, row: SessionRow) -> None:
        """Add a session; `ActiveSessionExists` or `AccountInUse` when one is in the way."""
        self._reach.check()
        for other in self._rows.values() if row.is_active else ():
            if other.is_active and (other.venue, other.user_id) == (row.venue, row.user_id):
                raise ActiveSessionExists(other.id)
            if other.is_active and _live_account(row) is not None and _live_account(other) == _live_account(row):
                raise AccountInUse
        if row.id in self._rows:
            raise StoreError(f"session {row.id} exists")
        self._rows[row.id] = row

    async def get(self, session_id: str, user_id: str | None = None) -> SessionRow | None:
        """Return the session; None when there is none or it belongs to another than `user_id`."""
        self._reach.check()
        row = self._rows.get(session_id)
        return row if row is not None and user_id in (None, row.user_id) else None

    async def named(self, session_ids: Collection[str]) -> Mapping[str, SessionRow]:
        """Return those of the sessions that there are, by their ids."""
        self._reach.check()
        return {id_: self._rows[id_] for id_ in session_ids if id_ in self._rows}

    async def list(self, query: Query, *, active: bool | None = None) -> Page[SessionRow]:
        """Return sessions, newest first."""
        self._reach.check()
        rows = (
            row
            for row in self._rows.values()
            if query.session_id in (None, row.id)
            and query.user_id in (None, row.user_id)
            and active in (None, row.is_active)
        )
        return newest_first(((Position(row.created_at, row.id), row) for row in rows), query)

    async def earlier(self, row: SessionRow) -> Sequence[SessionRow]:
        """Return the newest sessions that are over, of the venue, day and mode of `row`, newest first."""
        self._reach.check()
        found = [
            other
            for other in self._rows.values()
            if not other.is_active
            and (other.venue, other.day, other.mode) == (row.venue, row.day, row.mode)
            and (other.user_id == row.user_id or (row.account is not None and other.account == row.account))
        ]
        return sorted(found, key=lambda other: (other.created_at, other.id), reverse=True)[:MOST_EARLIER]

    async def set_status(self, session_id: str, status: Status, reason: str | None, account: str | None) -> None:
        """Project the state's status; a status that is over makes the session inactive, for good."""
        self._reach.check()
        if (row := self._rows.get(session_id)) is not None:
            self._rows[session_id] = replace(
                row,
                status=status,
                reason=reason,
                account=account or row.account,
                is_active=row.is_active and not status.is_over,
            )

    async def claim(self, session_id: str, owner: str, now: datetime, until: datetime) -> SessionRow | None:
        """Take the lease if it is free, expired or already ours; None when another holds it."""
        self._reach.check()
        row = self._rows.get(session_id)
        if row is None or (row.owner not in (None, owner) and not _is_free(row, now)):
            return None
        epoch = row.epoch if row.owner == owner else row.epoch + 1
        taken = replace(row, owner=owner, epoch=epoch, lease_until=until)
        self._rows[session_id] = taken
        return taken

    async def renew(self, session_ids: Sequence[str], owner: str, until: datetime) -> frozenset[str]:
        """Prolong our leases; return the ids of those that are still ours."""
        self._reach.check()
        ours = frozenset(id_ for id_ in session_ids if id_ in self._rows and self._rows[id_].owner == owner)
        for id_ in ours:
            self._rows[id_] = replace(self._rows[id_], lease_until=until)
        return ours

    async def release(self, session_id: str, owner: str) -> None:
        """Give the lease back."""
        self._reach.check()
        row = self._rows.get(session_id)
        if row is not None and row.owner == owner:
            self._rows[session_id] = replace(row, owner=None, lease_until=None)

    async def abandoned(self, now: datetime) -> Sequence[SessionRow]:
        """Return active sessions without a living lease, oldest first."""
        self._reach.check()
        left = [row for row in self._rows.values() if row.is_active and _is_free(row, now)]
        return sorted(left, key=lambda row: row.created_at)


def _is_free(row: SessionRow, now: datetime) -> bool:
    return row.lease_until is None or row.lease_until <= now


def _live_account(row: SessionRow) -> tuple[str, str] | None:
    """Return where a session trades live; None when it does not, or its account is not known yet."""
    return (row.venue, row.account) if row.mode is Mode.LIVE and row.account is not None else None
