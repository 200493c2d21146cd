"""In the morning, before the market opens: whose access token is dead. Brokers end all of them each night."""

import asyncio
from collections.abc import Callable
from datetime import date, datetime, time, timedelta
from typing import Final

from algoexec.adapters.alerts.notices import Kind, Notice, clock
from algoexec.domain.calendar import IST, Calendar, TradingDay, ist
from algoexec.domain.errors import BrokerUnavailable, StoreError
from algoexec.engine.effects import Severity
from algoexec.ports.clock import MarketClock
from algoexec.ports.stores import Query, SessionRow, Stores
from algoexec.telemetry import logger

CALL_AT: Final = time(8, 30)
CALL_UNTIL: Final = time(9, 0)
"""India. A service that starts between the two calls at once."""

_AGAIN_S: Final = 10.0
_log = logger("alerts")


class Morning:
    """Calls for a login on each trading day."""

    def __init__(
        self, stores: Stores, market: MarketClock, tell: Callable[[Notice], None], calendar: Calendar | None = None
    ) -> None:
        """Nothing is told before `run`; `calendar` None is the one that is built in."""
        self._stores, self._market, self._tell = stores, market, tell
        self._calendar: Final = calendar or Calendar()

    async def run(self) -> None:
        """Call each morning until cancelled."""
        called: date | None = None
        while True:
            try:
                day = next_call(self._calendar, self._market.now(), called)
                await self._market.wait_until(ist(day.date, CALL_AT))
                for notice in await self.notices(day):
                    self._tell(notice)
                called = day.date
            except (BrokerUnavailable, StoreError, ValueError) as error:
                _log.warning("the morning's call waits", error=str(error))
                await asyncio.sleep(_AGAIN_S)

    async def notices(self, day: TradingDay) -> list[Notice]:
        """Return one message for each user who has to log in before `day` opens.

        That is whoever has a session under way without a token that lives then, and whoever had one on
        the trading day before and none yet.
        """
        newest: dict[str, SessionRow] = {}
        before = self._calendar.days_before(day.date, 1)
        since = before[0].opens_at - timedelta(days=1) if before else day.opens_at - timedelta(days=1)
        cursor: str | None = None
        while True:
            page = await self._stores.sessions.list(Query(since=since, limit=500, cursor=cursor))
            for row in page.items:
                newest.setdefault(row.user_id, row)
            if (cursor := page.cursor) is None:
                break
        last = before[0].date.isoformat() if before else ""
        return [
            _notice(row, day)
            for row in newest.values()
            if (await self._is_dead(row, day.opens_at) if row.is_active else row.day == last)
        ]

    async def _is_dead(self, row: SessionRow, at: datetime) -> bool:
        return await self._stores.tokens.get(row.id, at) is None


def next_call(calendar: Calendar, now: datetime, called: date | None) -> TradingDay:
    """Return the trading day whose morning comes next: today's until 09:00, unless it was `called`.

    Raises:
        ValueError: the calendar knows no trading day within a month.
    """
    today = now.astimezone(IST).date()
    for ahead in range(31):
        day = calendar.day(today + timedelta(days=ahead))
        if day is not None and day.date != called and now < ist(day.date, CALL_UNTIL):
            return day
    raise ValueError(f"no trading day within a month of {today}")


def _notice(row: SessionRow, day: TradingDay) -> Notice:
    what = f"hand the token in for session {row.id}" if row.is_active else "begin today's session with the new token"
    return Notice(
        id=f"login-{row.user_id}-{day.date.isoformat()}",
        kind=Kind.LOGIN,
        severity=Severity.WARNING,
        code="LOG_IN_AGAIN",
        text=f"{row.user_id}: log in again at the broker before {clock(day.opens_at)} and {what}",
        at=ist(day.date, CALL_AT),
        user_id=row.user_id,
        session_id=row.id if row.is_active else None,
    )
