"""The sessions that a caller may watch, as the hub wants to know them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Any

from algoexec.api.schemas.market import CandleOut, PcrOut
from algoexec.api.schemas.sessions import SessionOut
from algoexec.ports.stores import Query
from algoexec.runtime.registry import Registry
from algoexec.runtime.views import SessionView
from algoexec.runtime.watcher import Standing

_PAGE = 1000


@dataclass(frozen=True, slots=True)
class CallersSessions:
    """The sessions of one user; of everybody when `user_id` is None."""

    registry: Registry
    user_id: str | None

    async def standing(self, since: datetime | None) -> Sequence[Standing]:
        """Return the active ones, and with `since` also those created at or after it."""
        found = await self._all(None, active=True)
        if since is not None:
            found += await self._all(since, active=False)
        return [_standing(view) for view in {view.row.id: view for view in found}.values()]

    async def one(self, session_id: str) -> Standing | None:
        """Return that session as of now, over or not; None when the caller may not see it."""
        view = await self.registry.get(session_id, self.user_id)
        return None if view is None else _standing(view)

    async def _all(self, since: datetime | None, *, active: bool) -> list[SessionView]:
        found: list[SessionView] = []
        cursor: str | None = None
        while True:
            query = Query(user_id=self.user_id, since=since, limit=_PAGE, cursor=cursor)
            page = await self.registry.list(query, active=active)
            found += page.items
            if (cursor := page.cursor) is None:
                return found


def snapshot_of(view: SessionView) -> Mapping[str, Any]:
    """Return what a snapshot tells of a session: how it stands, its newest reading and candle."""
    state = view.state
    readings = state.readings if state else ()
    candles = state.candles if state else ()
    return {
        "session": SessionOut.of(view).model_dump(mode="json"),
        "pcr": PcrOut.model_validate(readings[-1]).model_dump(mode="json") if readings else None,
        "candle": CandleOut.model_validate(candles[-1]).model_dump(mode="json") if candles else None,
    }


def _standing(view: SessionView) -> Standing:
    return Standing(
        session_id=view.row.id,
        created_at=view.row.created_at,
        is_active=view.row.is_active,
        frames=view.state.frames if view.state else 0,
        describe=partial(snapshot_of, view),
    )
