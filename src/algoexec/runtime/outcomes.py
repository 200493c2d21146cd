"""What became of listed signals: joined from what is kept, when it is asked for."""

import asyncio
from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import date, timedelta

from algoexec.domain.calendar import IST
from algoexec.domain.instruments import BANK_NIFTY
from algoexec.domain.market import Candle
from algoexec.engine.outcomes import Outcome, index_after, outcome_of, watched_until
from algoexec.ports.stores import SessionRow, StoredSignal, Stores
from algoexec.ports.trading import Consequences

type _Market = tuple[str, date]
"""A venue and a day."""

_A_LITTLE_MORE = timedelta(minutes=5)
"""A candle beyond the time that is watched says that nothing more will come within it."""


async def outcomes_of(stores: Stores, signals: Sequence[StoredSignal]) -> Mapping[str, Outcome]:
    """Return what became of emitted signals, by their ids; one that is open is absent."""
    sessions, consequences = await asyncio.gather(
        stores.sessions.named({one.session_id for one in signals}),
        stores.projections.consequences({one.signal.id for one in signals}),
    )
    candles = await _candles(stores, signals, sessions)
    found: dict[str, Outcome] = {}
    for one in signals:
        row = sessions.get(one.session_id)
        if row is None:
            continue
        came = consequences.get(one.signal.id, Consequences())
        index = index_after(one.signal, candles[_market_of(one, row)], is_over=not row.is_active)
        outcome = outcome_of(row.mode, came.told, came.trade, index, is_over=not row.is_active)
        if outcome is not None:
            found[one.signal.id] = outcome
    return found


async def _candles(
    stores: Stores, signals: Sequence[StoredSignal], sessions: Mapping[str, SessionRow]
) -> Mapping[_Market, Sequence[Candle]]:
    """Return the candles of each market from its first signal to the end of what is watched of its last."""
    by_market: dict[_Market, list[StoredSignal]] = defaultdict(list)
    for one in signals:
        if (row := sessions.get(one.session_id)) is not None:
            by_market[_market_of(one, row)].append(one)
    asked = [
        stores.projections.candles(
            venue,
            BANK_NIFTY,
            min(one.signal.at for one in theirs),
            max(watched_until(one.signal) for one in theirs) + _A_LITTLE_MORE,
        )
        for (venue, _), theirs in by_market.items()
    ]
    return dict(zip(by_market, await asyncio.gather(*asked), strict=True))


def _market_of(one: StoredSignal, row: SessionRow) -> _Market:
    return row.venue, one.signal.at.astimezone(IST).date()
