"""Runs one session: the record loop, and what it needs from the market."""

import asyncio
import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

import structlog

from algoexec.domain.errors import BrokerUnavailable, FenceLost
from algoexec.domain.market import Bar, Quote
from algoexec.engine.effects import Effect, QuoteOption, Subscribe, Unsubscribe
from algoexec.engine.events import (
    DeadlinePassed,
    Event,
    Marked,
    Record,
    SessionCreated,
    SessionFailed,
)
from algoexec.engine.state import EngineState
from algoexec.engine.step import changes, next_deadline, step
from algoexec.engine.trading.flow import held_options
from algoexec.engine.trading.marks import OptionMark
from algoexec.engine.trading.tally import Tally
from algoexec.engine.trading.trade import Stage
from algoexec.engine.transition import Transition
from algoexec.engine.version import ENGINE_VERSION
from algoexec.ports.observer import Decision
from algoexec.ports.stores import JournalEntry
from algoexec.runtime.attendance import Attendance
from algoexec.runtime.commits import Commits
from algoexec.runtime.desk import MarketDesk
from algoexec.runtime.marks import day_result, marked
from algoexec.runtime.shell import Shell
from algoexec.runtime.waiting import Pulse
from algoexec.telemetry import logger

_BATCH: Final = 64
"""How many waiting events are stepped and made durable together."""


@dataclass(slots=True)
class _Told:
    """An event that waits to be stepped, since `at`; None stands for the prices as they will be then.

    `moved` is what came of it, once it is stepped.
    """

    event: Event | None
    at: float
    answer: asyncio.Future[Transition] | None = None
    moved: Transition | None = None


class SessionRunner:
    """The only writer of one session's journal, as long as its lease lasts.

    Nothing unrecorded is done: an event is stepped, journaled with what came of it, and
    only then does the new state hold, are effects performed and frames published.
    """

    def __init__(self, shell: Shell, state: EngineState, *, epoch: int, account: str | None) -> None:
        """Go on from `state`, as owner number `epoch`."""
        self._shell = shell
        self._epoch = epoch
        self._account = account
        self._inbox: asyncio.Queue[_Told] = asyncio.Queue()
        self._in_hand: list[_Told] = []
        self._has_ended = False
        self.changed = Pulse()
        self._attendance = Attendance(shell, self)
        self._commits = Commits(state.session_id, shell.journal, shell.spill, self._let_count)
        self._mark_waits = False
        self.lease_until = math.inf
        """Monotonic seconds until which no other process can own the session."""
        self._log: structlog.stdlib.BoundLogger = logger("session").bind(session_id=state.session_id)
        self.state = state

    @classmethod
    async def begin(cls, shell: Shell, created: SessionCreated, *, epoch: int, account: str | None) -> "SessionRunner":
        """Journal the first record and return the runner of the new session.

        Raises:
            FenceLost: the session exists already.
        """
        record = shell.canonical(Record(seq=1, at=shell.clock.now(), event=created))
        moved = step(None, record)
        runner = cls(shell, moved.state, epoch=epoch, account=account)
        entry = runner._entry(record, moved)
        await shell.journal.append([entry])
        runner._let_count(moved.state, moved.state, [entry])
        shell.projector.status(moved.state, account)
        return runner

    @property
    def desk(self) -> MarketDesk | None:
        """The desk this session is attached to now."""
        return self._attendance.desk

    def tell(self, event: Event) -> None:
        """Put an event into the inbox."""
        self._inbox.put_nowait(_Told(event, self._shell.wall.monotonic()))

    async def ask(self, event: Event) -> Transition:
        """Put an event into the inbox; return what came of it once that is durable.

        Of one that changes nothing, as in a session that is over, that is the state as it was.

        Raises:
            FenceLost: the session has another owner now.
        """
        answer: asyncio.Future[Transition] = asyncio.get_running_loop().create_future()
        self._inbox.put_nowait(_Told(event, self._shell.wall.monotonic(), answer))
        if self._has_ended:
            self._answer_rest()
        return await answer

    def running(self, at: datetime, minute: Bar) -> None:
        """Show the minute under way to whoever watches."""
        start = datetime.fromtimestamp(minute.minute * 60, UTC)
        data = {"start": start, **minute._asdict(), "volume": minute.volume or None}
        del data["minute"]
        self._shell.hub.publish_volatile(self.state.session_id, self.state.user_id, "candle_update", at, data)

    def quoted(self, quotes: Sequence[Quote]) -> None:
        """Take in changed prices: the newest are stepped once there is time, if any are wanted."""
        if (seat := self._attendance.seat) is not None:
            seat.quoted(quotes)
        wanted = held_options(self.state)
        if wanted and any(quote.instrument in (*wanted, self.state.underlying) for quote in quotes):
            self.want_mark()

    def market_time(self) -> datetime:
        """Return the market time; it stands still while nobody tells it."""
        return self._now(self.state)

    async def run(self) -> None:
        """Run until the session is over, cancelled, or another owner has taken it.

        Raises:
            FenceLost: another owner writes this journal.
        """
        try:
            async with asyncio.TaskGroup() as tasks:
                work = (self._attendance.follow(), self._watch_deadlines(), self._commits.catch_up())
                helpers = [tasks.create_task(one) for one in work]
                while not self.state.status.is_over:
                    self._in_hand = await self._gather()
                    await self._take(self._in_hand)
                for helper in helpers:
                    helper.cancel()
        except BaseExceptionGroup as failed:
            raise failed.exceptions[0] from None
        finally:
            self._has_ended = True
            self._answer_rest()

    async def _gather(self) -> list[_Told]:
        batch = [await self._inbox.get()]
        while len(batch) < _BATCH and not self._inbox.empty():
            batch.append(self._inbox.get_nowait())
        return batch

    async def _take(self, batch: Sequence[_Told]) -> None:
        """Step a batch of events, make it durable, then let it count."""
        before = state = self.state
        decisions: list[Decision] = []
        for told in batch:
            event = self._prices(state) if told.event is None else told.event
            if event is None:
                continue
            record, moved = self._step(state, event)
            told.moved = moved if changes(state, moved) else Transition(state=state)
            if told.moved is moved:
                state = moved.state
                decisions.append(Decision(self._entry(record, moved), told.at))
        entries = [decision.entry for decision in decisions]
        is_journaled = True
        if entries:
            is_journaled = await self._commits.commit(before, state, entries, holds=_holds(before))
            self.state = state
            self.changed.beat()
            self._shell.observers.decided(state, decisions)
        for told in batch:
            if told.answer is not None and told.moved is not None and not told.answer.done():
                told.answer.set_result(told.moved)
        await self._perform([effect for entry in entries for effect in entry.effects], is_journaled=is_journaled)

    def want_mark(self) -> None:
        """Have the newest prices stepped after what waits already; while they wait, newer ones replace them."""
        if not self._mark_waits:
            self._mark_waits = True
            self._inbox.put_nowait(_Told(None, self._shell.wall.monotonic()))

    def _prices(self, state: EngineState) -> Marked | None:
        """Return the prices that a session wants now; None when it wants none, or nothing tells them."""
        self._mark_waits = False
        wanted = held_options(state)
        if not wanted or self.desk is None:
            return None
        event = marked(self.desk.quotes, state.underlying, wanted[0])
        self._tell_result(state, event.mark)
        return event

    def _tell_result(self, state: EngineState, mark: OptionMark) -> None:
        """Show the day's profit to whoever watches, with what is open valued at `mark`."""
        if (result := day_result(state, mark)) is not None:
            self._shell.hub.publish_volatile(state.session_id, state.user_id, "pnl", self._now(state), result)

    def _step(self, state: EngineState, event: Event) -> tuple[Record, Transition]:
        """Step `event`, or that it cannot be stepped: then the session fails, loudly."""
        record = self._record(state, event)
        try:
            return record, step(state, record)
        except Exception as error:  # noqa: BLE001 - whatever the core raises, the session must say so, and once
            self._log.exception("contradiction", event_type=type(event).__name__)
            failed = self._record(state, SessionFailed(detail=f"{type(event).__name__}: {error}"))
            return failed, step(state, failed)

    def _record(self, state: EngineState, event: Event) -> Record:
        return self._shell.canonical(Record(seq=state.seq + 1, at=self._now(state), event=event))

    def _now(self, state: EngineState) -> datetime:
        """Return market time; while no simulator tells it, time stands still."""
        try:
            return max(self._shell.clock.now(), state.at)
        except BrokerUnavailable:
            return state.at

    def _entry(self, record: Record, moved: Transition) -> JournalEntry:
        return JournalEntry(
            session_id=moved.state.session_id,
            epoch=self._epoch,
            engine=ENGINE_VERSION,
            recorded_at=self._shell.wall.now(),
            record=record,
            effects=moved.effects,
            frames=moved.frames,
        )

    def _let_count(self, before: EngineState, after: EngineState, entries: Sequence[JournalEntry]) -> None:
        """Let journaled entries count for watchers, lists and the next recovery."""
        shell = self._shell
        shell.hub.publish(after.session_id, after.user_id, [frame for entry in entries for frame in entry.frames])
        shell.projector.project(after, list(entries))
        if _tally(before) != _tally(after):
            # The last mark of a trade was told before it closed: without this its result would come with the next one.
            self._tell_result(after, OptionMark())
        moved_on = (before.status, before.reason) != (after.status, after.reason)
        if moved_on:
            self._log.info("status", status=after.status.value, reason=after.reason)
            shell.projector.status(after, self._account)
        if moved_on or len(before.candles) != len(after.candles) or _stage(before) is not _stage(after):
            shell.projector.snapshot(after)

    async def _perform(self, effects: Sequence[Effect], *, is_journaled: bool) -> None:
        """Do what the steps asked for. Without a desk or a seat nothing is done: the next one is told what is open."""
        desk = self.desk
        for effect in effects:
            match effect:
                case Subscribe(instruments=instruments):
                    if desk is not None and self.desk is desk:
                        await desk.subscribe(self, instruments)
                case Unsubscribe(instruments=instruments):
                    if desk is not None and self.desk is desk:
                        await desk.unsubscribe(self, instruments)
                case QuoteOption():
                    self.want_mark()
                case _:
                    if (seat := self._attendance.seat) is not None:
                        seat.perform(effect, is_journaled=is_journaled)

    async def _watch_deadlines(self) -> None:
        while (due := next_deadline(self.state)) is not None:
            passed = asyncio.ensure_future(self._shell.clock.wait_until(due))
            moved = asyncio.ensure_future(self._deadline_moves_from(due))
            try:
                await asyncio.wait((passed, moved), return_when=asyncio.FIRST_COMPLETED)
                if not moved.done():
                    self.want_mark()  # what is due is done at the price of now, if there is one
                    self.tell(DeadlinePassed())
                    await moved
            finally:
                passed.cancel()
                moved.cancel()

    async def _deadline_moves_from(self, due: datetime) -> None:
        await self.changed.until(lambda: next_deadline(self.state) != due)

    def _answer_rest(self) -> None:
        """Answer whom nobody is going to answer any more; what they told is perhaps not journaled."""
        told_last, self._in_hand = self._in_hand, []
        while not self._inbox.empty():
            told_last.append(self._inbox.get_nowait())
        for told in told_last:
            if told.answer is not None and not told.answer.done():
                if self.state.status.is_over:
                    told.answer.set_result(Transition(state=self.state))
                else:
                    told.answer.set_exception(FenceLost(f"session {self.state.session_id} is not run here any more"))


def _stage(state: EngineState) -> Stage | None:
    trade = None if state.trading is None else state.trading.trade
    return None if trade is None else trade.stage


def _tally(state: EngineState) -> Tally | None:
    return None if state.trading is None else state.trading.tally


def _holds(state: EngineState) -> bool:
    """Whether something is held that must be got out of whatever else fails."""
    trade = None if state.trading is None else state.trading.trade
    return trade is not None and trade.open_units > 0
