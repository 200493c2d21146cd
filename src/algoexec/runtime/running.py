"""The sessions that this process runs: their leases, their tasks, and those it takes over."""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator
from contextlib import suppress
from datetime import timedelta
from typing import Final

import structlog

from algoexec.domain.errors import BrokerError, DecodeError, DomainError, FenceLost, StoreError
from algoexec.engine.effects import Status
from algoexec.engine.events import Halted, OnShutdown, ServiceStarted, StopReason, StopRequested
from algoexec.ports.clock import WallClock
from algoexec.ports.stores import Query, SessionRow, Stores
from algoexec.ports.venue import Venue
from algoexec.runtime.owner import is_surely_dead, new_owner
from algoexec.runtime.recovery import recover
from algoexec.runtime.retirement import secure, stopping_of
from algoexec.runtime.runner import SessionRunner
from algoexec.runtime.shell import Shell
from algoexec.runtime.tokens import forget_secrets
from algoexec.telemetry import LOUDNESS, logger

LEASE: Final = timedelta(seconds=20)
"""Longer than renewing takes, twice, and a request to the broker on top."""
NEVER_BEGAN: Final = "the session was never begun: the service or its database failed just then"
UNREADABLE: Final = "this version cannot read the session's journal"
_RENEW_EVERY_S: Final = 3.0
_VENUE_WITHIN_S: Final = 2.0
"""A venue that takes longer would hold up the renewal of leases."""
_LEAVE_WITHIN_S: Final = 5.0
_SINCE_CLAIMED: Final = timedelta(seconds=7)
"""A lease may be this old when its session starts. It is believed fully only once it was renewed, which is at once:
until then there is hardly time to send an order."""

_log = logger("sessions")


class RunningSessions:
    """Runs sessions under leases. A session whose lease is lost is let go of, one that nobody runs is taken up."""

    def __init__(self, shell: Shell, *, venue: Venue, stores: Stores, clock: WallClock) -> None:
        """Run nothing yet; call `keep`."""
        self.owner: Final = new_owner()
        self.venue_trouble: str | None = None
        self._venue_name: str | None = None
        self._shell, self._venue, self._stores, self._clock = shell, venue, stores, clock
        self._troubles: dict[str, str] = {}
        self._runners: dict[str, SessionRunner] = {}
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._retires: OnShutdown | None = None
        self._unproven = asyncio.Event()
        """Set while a session runs of whose lease nothing is known but that it was claimed lately."""

    @property
    def store_trouble(self) -> str | None:
        """What keeps us from keeping leases or taking sessions up; None when nothing does."""
        return next(iter(self._troubles.values()), None)

    def get(self, session_id: str) -> SessionRunner | None:
        """Return the runner of a session; None when it does not run here."""
        return self._runners.get(session_id)

    def __iter__(self) -> Iterator[SessionRunner]:
        """Iterate over the runners."""
        return iter(tuple(self._runners.values()))

    def by_status(self) -> dict[Status, int]:
        """Return how many sessions stand where."""
        return dict(Counter(runner.state.status for runner in self))

    async def retire(self, policy: OnShutdown) -> None:
        """Begin nothing any more and make safe what is held, as `policy` says; the sessions go on until `leave`."""
        if self._retires is None:
            self._retires = policy
            await secure(self, policy)

    def start(self, row: SessionRow, runner: SessionRunner) -> None:
        """Run a session whose lease is ours."""
        if self._retires is not None:
            runner.tell(stopping_of(runner, self._retires))
        runner.lease_until = self._clock.monotonic() + (LEASE - _SINCE_CLAIMED).total_seconds()
        self._runners[row.id] = runner
        self._unproven.set()
        self._tasks[row.id] = asyncio.create_task(self._run(row, runner), name=f"session {row.id}")

    async def keep(self) -> None:
        """Keep our leases, take up sessions that nobody runs, and watch that the venue is the same.

        Renewing waits for nothing else: taking up many sessions takes longer than a lease.
        """
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._repeat("renewing", self._renew, self._unproven))
            tasks.create_task(self._repeat("taking up", self._take_up, asyncio.Event()))

    async def _repeat(self, name: str, work: Callable[[], Awaitable[None]], hurry: asyncio.Event) -> None:
        while True:
            hurry.clear()
            try:
                await work()
                self._troubles.pop(name, None)
            except StoreError as error:
                self._troubles[name] = str(error)
                _log.warning("leases wait for the database", error=str(error))
            except Exception as error:  # noqa: BLE001 - a task's root: if it ended, every lease would be lost
                self._troubles[name] = f"leases are not kept: {error}"
                _log.exception("leases are not kept")
            with suppress(TimeoutError):
                async with asyncio.timeout(_RENEW_EVERY_S):
                    await hurry.wait()

    async def _take_up(self) -> None:
        await self._watch_venue()
        await self._free_the_dead()
        await self._adopt_abandoned()

    async def leave(self) -> None:
        """Stop running sessions without ending them, and give their leases back."""
        ours = dict(self._tasks)
        for task in ours.values():
            task.cancel()
        await asyncio.gather(*ours.values(), return_exceptions=True)
        try:
            async with asyncio.timeout(_LEAVE_WITHIN_S):
                # Else the next owner reads the journal to its end, and then our last record comes after it.
                await self._shell.journal.settled()
                await self._shell.projector.settled()
                for session_id in ours:
                    await self._stores.sessions.release(session_id, self.owner)
        except (StoreError, TimeoutError) as error:
            _log.warning("left without giving all leases back", error=str(error))

    async def _run(self, row: SessionRow, runner: SessionRunner) -> None:
        # Not the request that began it: a session outlives that.
        structlog.contextvars.clear_contextvars()
        structlog.contextvars.bind_contextvars(session_id=row.id)
        try:
            await runner.run()
            await self._shell.projector.settled()
            await forget_secrets(self._stores, row.id)
            await self._stores.sessions.release(row.id, self.owner)
        except FenceLost as lost:
            _log.error("another owner runs this session", session_id=row.id, error=str(lost))
        except StoreError as error:
            _log.warning("session ended, its lease was not given back", session_id=row.id, error=str(error))
        except Exception as error:  # noqa: BLE001 - a task's root: nobody above it would hear of it
            _log.exception("session failed", session_id=row.id)
            # Else it would be taken up again, and fail again, every few seconds.
            await self._bury(row, f"{type(error).__name__}: {error}")
        finally:
            self._runners.pop(row.id, None)
            self._tasks.pop(row.id, None)
            LOUDNESS.set_session(row.id, None)

    async def _free_the_dead(self) -> None:
        """Free leases of processes of this host that have ended: they cannot come back."""
        page = await self._stores.sessions.list(Query(limit=1000), active=True)
        for row in page.items:
            if row.owner is not None and is_surely_dead(row.owner, self.owner):
                await self._stores.sessions.release(row.id, row.owner)

    async def _renew(self) -> None:
        ours = tuple(self._runners)
        if not ours:
            return
        begun = self._clock.monotonic()
        kept = await self._stores.sessions.renew(ours, self.owner, self._clock.now() + LEASE)
        for session_id in kept:
            if (runner := self._runners.get(session_id)) is not None:
                runner.lease_until = begun + LEASE.total_seconds()
        for lost in set(ours) - kept:
            runner = self._runners.get(lost)
            if runner is not None and not runner.state.status.is_over:
                _log.error("lease lost", session_id=lost)
                self._tasks[lost].cancel()

    async def _adopt_abandoned(self) -> None:
        for row in await self._stores.sessions.abandoned(self._clock.now()):
            if row.id not in self._runners and self._retires is None:
                await self._adopt(row)

    async def _adopt(self, row: SessionRow) -> None:
        now = self._clock.now()
        claimed = await self._stores.sessions.claim(row.id, self.owner, now, now + LEASE)
        if claimed is None:
            return None
        try:
            if not await self._take_in_spill(row.id):
                return None
            recovered = await recover(self._stores, row.id)
            behind = await self._stores.journal.read(row.id, after=await self._stores.projections.projected(row.id))
        except (DecodeError, DomainError):
            _log.exception("session cannot be taken up", session_id=row.id)
            return await self._bury(row, UNREADABLE)
        if recovered is None:
            return await self._bury(row, NEVER_BEGAN)
        state = recovered.state
        runner = SessionRunner(self._shell, state, epoch=claimed.epoch, account=claimed.account)
        self._shell.projector.project(state, list(behind))
        self._shell.projector.status(state, claimed.account)
        if recovered.diverged_at is not None:
            runner.tell(Halted(by="service", reason=f"record {recovered.diverged_at} reads otherwise in this version"))
        if state.trading is not None and state.trading.unattended:
            runner.tell(ServiceStarted())
        self._stop_if_gone(runner)
        _log.info("session taken up", session_id=row.id, seq=state.seq, epoch=claimed.epoch)
        return self.start(claimed, runner)

    async def _take_in_spill(self, session_id: str) -> bool:
        """Append what went to disk while the journal was down; False if another owner has written since."""
        spill = self._shell.spill
        spilled = () if spill is None else spill.read(session_id)
        if spill is None or not spilled:
            return True
        failed = await self._stores.journal.append(spilled)
        if error := failed.get(session_id):
            # The file stays: a person must look at what was done from it.
            _log.critical("spilled records do not fit the journal", session_id=session_id, error=str(error))
            return False
        spill.forget(session_id)
        return True

    async def _bury(self, row: SessionRow, reason: str) -> None:
        """Say that a session has failed that cannot say so itself; its token is of no use any more."""
        try:
            await self._stores.sessions.set_status(row.id, Status.FAILED, reason, row.account)
            await forget_secrets(self._stores, row.id)
            await self._stores.sessions.release(row.id, self.owner)
        except StoreError as error:
            _log.warning("failed session stays in the list for now", session_id=row.id, error=str(error))

    async def _watch_venue(self) -> None:
        """A session belongs to one run of its venue: when that is gone, so is its market."""
        try:
            async with asyncio.timeout(_VENUE_WITHIN_S):
                self._venue_name = await self._venue.name()
        except (BrokerError, TimeoutError) as error:
            self._venue_name = None
            self.venue_trouble = str(error) or "the venue does not answer"
            return
        self.venue_trouble = None
        for runner in self:
            self._stop_if_gone(runner)

    def _stop_if_gone(self, runner: SessionRunner) -> None:
        if self._venue_name not in (None, runner.state.venue):
            runner.tell(StopRequested(reason=StopReason.VENUE_GONE))
