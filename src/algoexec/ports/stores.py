"""What is kept, and for how long it must be believed."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Protocol

from algoexec.domain.instruments import InstrumentKey
from algoexec.domain.market import Candle
from algoexec.domain.options import PcrReading
from algoexec.domain.signals import Signal
from algoexec.engine.effects import Effect, Frame, Status
from algoexec.engine.events import Mode, Record
from algoexec.engine.state import EngineState
from algoexec.ports.credentials import AccessToken
from algoexec.ports.egress import Egresses
from algoexec.ports.trading import Consequences, KillSwitches, StoredDay, StoredOrder, StoredTrade


@dataclass(frozen=True, slots=True, kw_only=True)
class JournalEntry:
    """A record with what came of it. `epoch` counts the owners of the session's lease.

    `engine` is the version of the code that stepped it, `recorded_at` wall time.
    """

    session_id: str
    epoch: int
    engine: str
    recorded_at: datetime
    record: Record
    effects: tuple[Effect, ...]
    frames: tuple[Frame, ...]


class Journal(Protocol):
    """The one truth: append-only, dense `seq` per session, durable once `append` returns."""

    async def append(self, entries: Sequence[JournalEntry]) -> dict[str, Exception]:
        """Write entries of any sessions in one durable insert; return what failed, by session id.

        A session's entries of one call are kept together or not at all. A duplicate
        `(session_id, seq)` that holds the same epoch and bytes is our own retry and no error;
        any other is a `FenceLost`.

        Raises:
            StoreUnavailable: nothing is known to be written.
        """

    async def read(self, session_id: str, after: int = 0, limit: int | None = None) -> Sequence[JournalEntry]:
        """Return entries with `seq > after`, in order."""

    async def frames(self, session_id: str, after: int, limit: int) -> Sequence[Frame]:
        """Return up to `limit` numbered frames with `number > after`, in order."""


class Snapshots(Protocol):
    """Folded states, so that recovery need not fold a whole day."""

    async def save(self, state: EngineState, recorded_at: datetime) -> None:
        """Keep `state` as of its `seq`; an older snapshot of the session may go."""

    async def newest(self, session_id: str) -> EngineState | None:
        """Return the newest snapshot; None when there is none or it is of another engine version."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionRow:
    """A session as the list shows it, and its lease.

    `account` is the broker's user id, None until the token was checked. `owner` holds the
    lease until `lease_until` (wall time); `epoch` grows with every new owner. `is_active`
    rows are unique per (venue, user).
    """

    id: str
    user_id: str
    venue: str
    mode: Mode
    status: Status
    is_active: bool
    created_at: datetime
    day: str
    account: str | None = None
    reason: str | None = None
    owner: str | None = None
    epoch: int = 0
    lease_until: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Query:
    """Filters of a list: None means any. `user_id` None is for a caller that may see all.

    `since <= time < until`, newest first, by (time, id). `cursor` is the opaque end of an
    earlier page: a list raises `InvalidCursor` when it is none of ours.
    """

    user_id: str | None = None
    session_id: str | None = None
    since: datetime | None = None
    until: datetime | None = None
    limit: int = 100
    cursor: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Page[T]:
    """One page of a list. `cursor` is None on the last one."""

    items: tuple[T, ...]
    cursor: str | None = None


class InvalidCursor(ValueError):
    """A cursor that no page ever ended with."""


class ActiveSessionExists(Exception):
    """The user already has an active session on this venue; `session_id` names it."""

    def __init__(self, session_id: str) -> None:
        """Name the session that is in the way."""
        super().__init__(session_id)
        self.session_id = session_id


class AccountInUse(Exception):
    """Another active session trades live at the same broker account; whose it is, is not for everybody to know."""


class Sessions(Protocol):
    """Sessions and their leases."""

    async def create(self, row: SessionRow) -> None:
        """Add a session.

        Raises:
            ActiveSessionExists: one is active for the same venue and user.
            AccountInUse: a live one is active for the same venue and broker account, and this is live too.
        """

    async def get(self, session_id: str, user_id: str | None = None) -> SessionRow | None:
        """Return the session; None when there is none or it belongs to another than `user_id`."""

    async def named(self, session_ids: Collection[str]) -> Mapping[str, SessionRow]:
        """Return those of the sessions that there are, by their ids."""

    async def list(self, query: Query, *, active: bool | None = None) -> Page[SessionRow]:
        """Return sessions, newest first."""

    async def earlier(self, row: SessionRow) -> Sequence[SessionRow]:
        """Return the newest sessions that are over, of the venue, day and mode of `row`, newest first.

        They are of its user, or of its broker account where that is known. `row` need not be stored.
        """

    async def set_status(self, session_id: str, status: Status, reason: str | None, account: str | None) -> None:
        """Project the state's status; a status that is over makes the session inactive, for good.

        `account` None leaves the known one.
        """

    async def claim(self, session_id: str, owner: str, now: datetime, until: datetime) -> SessionRow | None:
        """Take the lease if it is free, expired or already ours; None when another holds it.

        A new owner gets the next epoch.
        """

    async def renew(self, session_ids: Sequence[str], owner: str, until: datetime) -> frozenset[str]:
        """Prolong our leases; return the ids of those that are still ours."""

    async def release(self, session_id: str, owner: str) -> None:
        """Give the lease back."""

    async def abandoned(self, now: datetime) -> Sequence[SessionRow]:
        """Return active sessions without a living lease."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredSignal:
    """A signal or rejection with the session and user it belongs to."""

    session_id: str
    user_id: str
    seq: int
    n: int
    signal: Signal


class Projections(Protocol):
    """Signals, rejections, PCR, candles, orders, trades and days: derived from the journal, for lists.

    Everything is upserted by its key, so that writing it again changes nothing.
    """

    async def project(
        self, venue: str, underlying: InstrumentKey, user_id: str, entries: Sequence[JournalEntry]
    ) -> frozenset[str]:
        """Store what the frames of `entries` hold and remember the last seq of each session.

        A candle of better provenance is not replaced by a worse one: sessions share candles.

        Returns the sessions of which entries before these are missing, because the database has
        crashed since they were stored, or fails over: their last seq stays as it is.
        """

    async def projected(self, session_id: str) -> int:
        """Return the last seq that was projected, 0 for none."""

    async def signals(self, query: Query) -> Page[StoredSignal]:
        """Return emitted signals, newest first."""

    async def rejections(self, query: Query) -> Page[StoredSignal]:
        """Return rejections, newest first."""

    async def pcr(self, venue: str, underlying: InstrumentKey, query: Query) -> Page[PcrReading]:
        """Return the PCR series, newest first (user and session filters do not apply)."""

    async def candles(
        self, venue: str, underlying: InstrumentKey, since: datetime, until: datetime
    ) -> Sequence[Candle]:
        """Return candles with `since <= start < until`, oldest first."""

    async def orders(self, query: Query, *, refused: bool | None = None) -> Page[StoredOrder]:
        """Return orders and refused signals, newest first by when they were first told of.

        `refused` True: refused signals alone; False: orders alone, and what may yet become one.
        """

    async def order(self, order_id: str, user_id: str | None) -> StoredOrder | None:
        """Return what stands there under that id; None when nothing does or it belongs to another than `user_id`."""

    async def trades(self, query: Query) -> Page[StoredTrade]:
        """Return closed trades, newest first by when they were closed.

        One that was closed anew, for a fill that came after its end, stands there as it was closed last.
        """

    async def consequences(self, signal_ids: Collection[str]) -> Mapping[str, Consequences]:
        """Return what came of each of the signals; one of which nothing came is absent."""

    async def days(self, query: Query, mode: Mode | None = None) -> Page[StoredDay]:
        """Return what was done day by day, newest first.

        A day's place in time is its midnight, IST; `query.session_id` finds the day of that session.
        """


class Tokens(Protocol):
    """Broker access tokens, encrypted at rest."""

    async def put(self, session_id: str, token: AccessToken, expires_at: datetime) -> None:
        """Keep the session's token until wall time `expires_at`."""

    async def get(self, session_id: str, now: datetime) -> AccessToken | None:
        """Return the token; None when there is none or it is dead."""

    async def delete(self, session_id: str) -> None:
        """Forget the token."""


class Scope(StrEnum):
    """What a caller may do; each includes those before it."""

    READ = "read"
    TRADE = "trade"
    LIVE = "live"
    ADMIN = "admin"

    def includes(self, other: "Scope") -> bool:
        """Return whether this scope is enough for `other`."""
        order = list(Scope)
        return order.index(self) >= order.index(other)


@dataclass(frozen=True, slots=True, kw_only=True)
class ApiKey:
    """An API key without its secret. `user_id` None: a service key, may act for anybody."""

    id: str
    prefix: str
    digest: str
    scope: Scope
    user_id: str | None
    created_at: datetime
    revoked_at: datetime | None = None


class ApiKeys(Protocol):
    """API keys, stored as SHA-256 digests."""

    async def add(self, key: ApiKey) -> None:
        """Add a key."""

    async def by_digest(self, digest: str) -> ApiKey | None:
        """Return the living key with that digest."""

    async def list(self) -> Sequence[ApiKey]:
        """Return all keys, newest first."""

    async def revoke(self, key_id: str, at: datetime) -> bool:
        """Revoke a key; False when it is unknown or already revoked."""

    async def any(self) -> bool:
        """Return whether a key was ever added, revoked or not: then anonymous access is over for good."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredAnswer:
    """An answer under an Idempotency-Key. `status` None: the first request is still running."""

    request_mac: str
    status: int | None
    body: bytes
    headers: tuple[tuple[str, str], ...] = ()


class Idempotency(Protocol):
    """Answers remembered under (caller, method, path, key), each until its time."""

    async def begin(self, scope: str, request_mac: str, now: datetime, until: datetime) -> StoredAnswer | None:
        """Reserve `scope` until `until`; None when it is ours now, else what is stored under it.

        What is over at `now` is taken over: a reservation whose process died holds up nobody for longer.
        """

    async def finish(self, scope: str, answer: StoredAnswer, until: datetime) -> None:
        """Keep the answer until `until`."""

    async def forget(self, scope: str) -> None:
        """Drop the reservation: the request failed on our side and may be tried again."""


class Stores(Protocol):
    """All stores of one database."""

    @property
    def journal(self) -> Journal: ...
    @property
    def snapshots(self) -> Snapshots: ...
    @property
    def sessions(self) -> Sessions: ...
    @property
    def projections(self) -> Projections: ...
    @property
    def tokens(self) -> Tokens: ...
    @property
    def egresses(self) -> Egresses: ...
    @property
    def api_keys(self) -> ApiKeys: ...
    @property
    def idempotency(self) -> Idempotency: ...
    @property
    def kill_switches(self) -> KillSwitches: ...

    async def ping(self) -> None:
        """Return once the database has answered.

        Raises:
            StoreUnavailable: it did not.
        """
