"""A whole trading day of one session, stepped and stored: what lists, candles and frames are tested with."""

import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from functools import cache
from typing import Final

from algoexec.adapters.memory.stores import MemoryStores
from algoexec.domain.calendar import regular_session
from algoexec.domain.instruments import BANK_NIFTY
from algoexec.domain.market import MINUTE, Candle, Provenance
from algoexec.domain.options import PcrReading
from algoexec.domain.orders import OrderReport, OrderStatus, OrderTicket
from algoexec.engine.effects import Effect, Frame, QuoteOption, ReadFunds, ReadPosition, Status, SubmitOrder
from algoexec.engine.events import (
    CandleClosed,
    ChainPolled,
    DayPrepared,
    DeadlinePassed,
    Event,
    FeedChanged,
    FeedStatus,
    FundsRead,
    Marked,
    Mode,
    OrderReported,
    PositionRead,
    Record,
    SessionCreated,
    StopReason,
    StopRequested,
    WarmedUp,
)
from algoexec.engine.state import EngineState
from algoexec.engine.step import changes, next_deadline, step
from algoexec.engine.trading.marks import IndexMark, OptionMark
from algoexec.engine.trading.rules import TradeRules
from algoexec.ports.credentials import AccessToken
from algoexec.ports.stores import JournalEntry, SessionRow
from algoexec.strategy.parameters import Parameters
from tests.contract.given import contracts

VENUE: Final = "scripted"
DAY: Final = regular_session(date(2026, 11, 20))
RULES: Final = TradeRules(risk_pct=4.0, max_daily_loss=100_000_00, max_consecutive_losses=100)
"""Enough to trade all day."""


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

    async def keep_under_way(self, stores: MemoryStores) -> None:
        """Store it as a service that was killed has left it, with a token."""
        await stores.sessions.create(replace(self.row, account="AB1234"))
        assert await stores.journal.append(self.entries) == {}
        await stores.tokens.put(self.row.id, AccessToken("good-token"), DAY.closes_at + timedelta(days=30))

    def cut(self, when: Callable[[EngineState], bool]) -> "tuple[Recorded, EngineState]":
        """Return the session as it was when that was first so, and its state then."""
        state: EngineState | None = None
        for n, entry in enumerate(self.entries, start=1):
            state = step(state, entry.record).state
            if when(state):
                return Recorded(self.row, self.entries[:n]), state
        raise AssertionError("it was never so")


@cache
def recorded(
    session_id: str, user_id: str, *, seed: int = 1, mode: Mode = Mode.SIGNALS, rules: TradeRules = RULES
) -> Recorded:
    """Return the day of `seed`: a random walk with bursts, polls, and a feed that broke once.

    In other modes than `signals` its orders meet a broker that fills everything at its limit.
    """
    row = SessionRow(
        id=session_id,
        user_id=user_id,
        venue=VENUE,
        mode=mode,
        status=Status.STARTING,
        is_active=True,
        created_at=DAY.opens_at - timedelta(minutes=5),
        day=DAY.date.isoformat(),
    )
    chance = random.Random(seed)
    journal = _Journal(row, chance)
    for after, event in _events(row, chance, rules):
        journal.wait_until(DAY.opens_at + after)
        journal.take(DAY.opens_at + after, event)
        if isinstance(event, CandleClosed):
            journal.mark(DAY.opens_at + after, event.candle.close)
    return Recorded(row, tuple(journal.entries))


class _Journal:
    """Steps what happens, and what a broker that never says no would answer."""

    def __init__(self, row: SessionRow, chance: random.Random) -> None:
        self.entries: list[JournalEntry] = []
        self._row, self._chance = row, chance
        self._state: EngineState | None = None
        self._premium = 200.0
        self._placed = 0

    def wait_until(self, at: datetime) -> None:
        """Let deadlines pass that come before `at`."""
        while self._state is not None and (due := next_deadline(self._state)) is not None and due < at:
            self.take(due, DeadlinePassed())

    def take(self, at: datetime, event: Event) -> None:
        record = Record(seq=len(self.entries) + 1, at=at, event=event)
        moved = step(self._state, record)
        if not changes(self._state, moved):
            return
        self._state = moved.state
        self.entries.append(
            JournalEntry(
                session_id=self._row.id,
                epoch=1,
                engine="1",
                recorded_at=at,
                record=record,
                effects=moved.effects,
                frames=moved.frames,
            )
        )
        for effect in moved.effects:
            for answer in self._answers(effect, at):
                self.take(at, answer)

    def mark(self, at: datetime, index: float) -> None:
        """Show prices while something is held: the premium walks too."""
        assert self._state is not None
        trading = self._state.trading
        if trading is not None and trading.trade is not None:
            self._premium = max(20.0, self._premium + self._chance.gauss(0, 12))
            self.take(
                at, Marked(index=IndexMark(price=index, at=at), option=trading.trade.option.key, mark=self._at(at))
            )

    def _at(self, at: datetime) -> OptionMark:
        bid = round(self._premium * 20) / 20
        return OptionMark(bid=bid, ask=round(bid + 0.1, 2), quoted_at=at, last=bid, traded_at=at, delta=0.5)

    def _answers(self, effect: Effect, at: datetime) -> Iterator[Event]:
        assert self._state is not None
        match effect:
            case ReadFunds():
                yield FundsRead(available=500_000_00)
            case QuoteOption(instrument=option):
                yield Marked(index=None, option=option, mark=self._at(at))
            case SubmitOrder(ticket=ticket):
                self._placed += 1
                for status, filled in ((OrderStatus.OPEN, 0), (OrderStatus.COMPLETE, ticket.quantity)):
                    yield OrderReported(report=_report(ticket, str(self._placed), status, filled))
            case ReadPosition(instrument=option):
                trade = self._state.trading.trade if self._state.trading else None
                yield PositionRead(instrument=option, net=trade.open_units if trade else 0, mark=self._at(at))
            case _:
                pass


def _report(ticket: OrderTicket, number: str, status: OrderStatus, filled: int) -> OrderReport:
    return OrderReport(
        order_id=number,
        id=ticket.id,
        instrument=ticket.instrument,
        side=ticket.side,
        status=status,
        quantity=ticket.quantity,
        filled=filled,
        average_price=ticket.price if filled else None,
        price=ticket.price,
    )


def _events(row: SessionRow, chance: random.Random, rules: TradeRules) -> Iterator[tuple[timedelta, Event]]:
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
            rules=None if row.mode is Mode.SIGNALS else rules,
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
