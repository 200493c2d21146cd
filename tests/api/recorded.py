"""A whole trading day of one session, stepped and stored: what lists, candles and frames are tested with."""

import random
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Final

from algoexec.adapters.memory.stores import MemoryStores
from algoexec.domain.calendar import regular_session
from algoexec.domain.instruments import BANK_NIFTY
from algoexec.domain.market import MINUTE, Candle, Provenance
from algoexec.domain.options import PcrReading
from algoexec.engine.effects import Frame, Status
from algoexec.engine.events import (
    CandleClosed,
    ChainPolled,
    DayPrepared,
    Event,
    FeedChanged,
    FeedStatus,
    Mode,
    Record,
    SessionCreated,
    StopReason,
    StopRequested,
    WarmedUp,
)
from algoexec.engine.state import EngineState
from algoexec.engine.step import step
from algoexec.ports.stores import JournalEntry, SessionRow
from algoexec.strategy.parameters import Parameters
from tests.contract.given import contracts

VENUE: Final = "scripted"
DAY: Final = regular_session(date(2026, 11, 20))


@dataclass(frozen=True)
class Recorded:
    """A session that is over."""

    row: SessionRow
    entries: tuple[JournalEntry, ...]

    @property
    def frames(self) -> list[Frame]:
        """All its numbered frames, in order."""
        return [frame for entry in self.entries for frame in entry.frames]

    def frames_of(self, kind: str) -> list[Frame]:
        return [frame for frame in self.frames if frame.type == kind]

    async def keep(self, stores: MemoryStores) -> None:
        """Store it as a service would have."""
        await stores.sessions.create(self.row)
        assert await stores.journal.append(self.entries) == {}
        await stores.projections.project(self.row.venue, BANK_NIFTY, self.row.user_id, self.entries)
        await stores.sessions.set_status(self.row.id, Status.STOPPED, "requested", "AB1234")


def recorded(session_id: str, user_id: str, *, seed: int = 1) -> Recorded:
    """Return the day of `seed`: a random walk with bursts, polls, and a feed that broke once."""
    row = SessionRow(
        id=session_id,
        user_id=user_id,
        venue=VENUE,
        mode=Mode.SIGNALS,
        status=Status.STARTING,
        is_active=True,
        created_at=DAY.opens_at - timedelta(minutes=5),
        day=DAY.date.isoformat(),
    )
    state: EngineState | None = None
    entries = []
    for seq, (after, event) in enumerate(_events(row, random.Random(seed)), start=1):
        record = Record(seq=seq, at=DAY.opens_at + after, event=event)
        moved = step(state, record)
        state = moved.state
        entries.append(
            JournalEntry(
                session_id=session_id,
                epoch=1,
                engine="1",
                recorded_at=record.at,
                record=record,
                effects=moved.effects,
                frames=moved.frames,
            )
        )
    return Recorded(row, tuple(entries))


def _events(row: SessionRow, chance: random.Random) -> Iterator[tuple[timedelta, Event]]:
    early = timedelta(minutes=-5)
    yield (
        early,
        SessionCreated(
            session_id=row.id,
            user_id=row.user_id,
            mode=row.mode,
            venue=row.venue,
            underlying=BANK_NIFTY,
            day=DAY,
            parameters=Parameters(),
            inherited=None,
        ),
    )
    yield early, DayPrepared(contracts=contracts(40))
    yield early, FeedChanged(status=FeedStatus.CONNECTED, detail="")
    yield early, WarmedUp(history=(), today=())
    price = 51_000.0
    for minute in range(375):
        at = minute * MINUTE
        if minute % 3 == 0:
            yield at, ChainPolled(reading=_reading(at, chance))
        if minute == 100:
            yield at, FeedChanged(status=FeedStatus.LOST, detail="scripted")
            yield at, FeedChanged(status=FeedStatus.CONNECTED, detail="")
        candle = _candle(at, price, chance)
        price = candle.close
        yield at + MINUTE, CandleClosed(candle=candle)
    yield timedelta(minutes=376), StopRequested(reason=StopReason.REQUESTED)


def _reading(at: timedelta, chance: random.Random) -> PcrReading:
    return PcrReading(
        at=DAY.opens_at + at,
        underlying=BANK_NIFTY,
        expiry=contracts().expiry,
        pcr=None if chance.random() < 0.05 else chance.uniform(0.6, 1.4),
        strikes=20,
        spot=51_000.5,
    )


def _candle(at: timedelta, opened: float, chance: random.Random) -> Candle:
    closed = opened + chance.gauss(0, 25)
    return Candle(
        start=DAY.opens_at + at,
        open=opened,
        high=max(opened, closed) + chance.expovariate(0.2),
        low=min(opened, closed) - chance.expovariate(0.2),
        close=closed,
        volume=None if chance.random() < 0.02 else chance.randrange(1, 40) * 500,
        provenance=Provenance.LIVE,
    )
