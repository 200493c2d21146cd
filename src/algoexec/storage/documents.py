"""The collections and their indexes, as Beanie documents without behaviour."""

from datetime import datetime
from typing import Any, ClassVar, Final

from beanie import Document, init_beanie
from pydantic import Field
from pymongo import ASCENDING, DESCENDING, IndexModel
from pymongo.asynchronous.collection import AsyncCollection
from pymongo.asynchronous.database import AsyncDatabase

type Row = dict[str, Any]


def _index(*keys: str, **options: Any) -> IndexModel:
    """Return an index; a leading `-` means descending."""
    return IndexModel(
        [(key.lstrip("-"), DESCENDING if key.startswith("-") else ASCENDING) for key in keys],
        **options,
    )


_LIVE: Final[Row] = {"is_active": True, "mode": "live", "account": {"$type": "string"}}
"""An active live session whose account is known."""


class SessionDocument(Document):
    """A session, its lease included. `_id` is the session's id."""

    id: str  # type: ignore[assignment]
    user_id: str
    venue: str
    mode: str
    status: str
    is_active: bool
    created_at: datetime
    day: str
    account: str | None = None
    reason: str | None = None
    owner: str | None = None
    epoch: int = 0
    lease_until: datetime | None = None

    class Settings:
        """One active session per (venue, user), and when live per (venue, account); lists newest first."""

        name = "sessions"
        indexes: ClassVar = [
            _index("venue", "user_id", unique=True, partialFilterExpression={"is_active": True}, name="one_active"),
            _index("user_id", "-created_at", "-_id"),
            _index("-created_at", "-_id"),
            _index("lease_until", partialFilterExpression={"is_active": True}, name="active_leases"),
            _index("venue", "day", "mode", "-created_at", "-_id"),
            _index("venue", "account", unique=True, partialFilterExpression=_LIVE, name="one_live_account"),
        ]


class JournalDocument(Document):
    """What one `append` kept of one session: all or nothing, for a document is atomic.

    `seq` to `last_seq` are dense. `first_frame` and `last_frame` are absent when it holds no frame.
    """

    session_id: str
    seq: int
    last_seq: int
    entries: list[Row]
    first_frame: int | None = None
    last_frame: int | None = None

    class Settings:
        """`fence` is multikey: no two documents hold the same seq of a session."""

        name = "journal"
        indexes: ClassVar = [
            _index("session_id", "entries.record.seq", unique=True, name="fence"),
            _index("session_id", "last_seq"),
            _index("session_id", "last_frame", partialFilterExpression={"last_frame": {"$exists": True}}),
        ]


class SnapshotDocument(Document):
    """The newest folded state of a session (`_id`). `contracts` stand beside it: they are large and stay."""

    id: str  # type: ignore[assignment]
    seq: int
    engine: str
    recorded_at: datetime
    state: Row
    contracts: Row | None = None

    class Settings:
        """Found by session only."""

        name = "snapshots"


class _CandidateDocument(Document):
    """A signal or a rejection. `_id` is the signal's own id, `at` its T."""

    id: str  # type: ignore[assignment]
    session_id: str
    user_id: str
    seq: int
    n: int
    at: datetime
    signal: Row


_OWNED_INDEXES: Final = (
    _index("session_id", "-at", "-_id"),
    _index("user_id", "-at", "-_id"),
    _index("-at", "-_id"),
)
_CANDIDATE_INDEXES: Final = (_index("session_id", "seq", "n", unique=True), *_OWNED_INDEXES)


class SignalDocument(_CandidateDocument):
    """An emitted signal."""

    class Settings:
        """As asked for by session, by user, and by all."""

        name = "signals"
        indexes: ClassVar = list(_CANDIDATE_INDEXES)


class RejectionDocument(_CandidateDocument):
    """A candidate that was refused."""

    class Settings:
        """As those of signals; and counted by reason, from the index alone."""

        name = "rejections"
        indexes: ClassVar = [*_CANDIDATE_INDEXES, _index("session_id", "signal.reason")]


class PcrDocument(Document):
    """One poll of a chain. `id` is made of the key."""

    id: str  # type: ignore[assignment]
    venue: str
    underlying: str
    expiry: str
    at: datetime
    reading: Row

    class Settings:
        """A plain collection: a time-series one has no unique index."""

        name = "pcr"
        indexes: ClassVar = [
            _index("venue", "underlying", "expiry", "at", unique=True),
            _index("venue", "underlying", "-at", "-_id"),
        ]


class CandleDocument(Document):
    """A minute of an underlying at a venue. `rank` orders provenance: the better one stays."""

    id: str  # type: ignore[assignment]
    venue: str
    underlying: str
    start: datetime
    rank: int
    candle: Row

    class Settings:
        """One candle a minute."""

        name = "candles"
        indexes: ClassVar = [_index("venue", "underlying", "start", unique=True)]


class OrderDocument(Document):
    """An order, or a signal that became none. `at` is when it was first told of.

    `history` holds its steps under the numbers of their frames: written twice, a step is still one.
    """

    id: str  # type: ignore[assignment]
    session_id: str
    user_id: str
    at: datetime
    is_refused: bool
    signal_id: str | None = None
    history: dict[str, Row]

    class Settings:
        """As asked for by session, by user, by all, and by the signal it comes from."""

        name = "orders"
        indexes: ClassVar = [*_OWNED_INDEXES, _index("signal_id")]


class TradeDocument(Document):
    """A closed trade. `at` is when it was closed, `number` that of the frame that said so last."""

    id: str  # type: ignore[assignment]
    session_id: str
    user_id: str
    number: int
    at: datetime
    trade: Row

    class Settings:
        """As asked for by session, by user, by all, and by the signal it comes from."""

        name = "trades"
        indexes: ClassVar = [*_OWNED_INDEXES, _index("trade.signal_id")]


class DayDocument(Document):
    """A trading day of a user, venue and mode: which sessions it had. `_id` is made of the key, `at` its midnight, IST.

    What they did is counted when it is asked for; only `locks`, limits of the day that were
    reached, stand nowhere else.
    """

    id: str  # type: ignore[assignment]
    venue: str
    user_id: str
    mode: str
    day: str
    at: datetime
    sessions: list[str]
    locks: list[str] = Field(default_factory=list)

    class Settings:
        """As asked for by user, by all, and by a session that it has."""

        name = "days"
        indexes: ClassVar = [_index("user_id", "-at", "-_id"), _index("-at", "-_id"), _index("sessions")]


class ProgressDocument(Document):
    """How far a session (`_id`) is projected."""

    id: str  # type: ignore[assignment]
    seq: int

    class Settings:
        """Found by session only."""

        name = "projected"


class TokenDocument(Document):
    """A session's (`_id`) broker token, encrypted."""

    id: str  # type: ignore[assignment]
    sealed: bytes
    expires_at: datetime

    class Settings:
        """MongoDB removes dead tokens by itself, within a minute."""

        name = "broker_tokens"
        indexes: ClassVar = [_index("expires_at", expireAfterSeconds=0)]


class EgressDocument(Document):
    """How a session's (`_id`) orders leave, encrypted. It outlives the token: the next one leaves by the same way."""

    id: str  # type: ignore[assignment]
    sealed: bytes

    class Settings:
        """Found by session only."""

        name = "egresses"


class ApiKeyDocument(Document):
    """An API key without its secret."""

    id: str  # type: ignore[assignment]
    prefix: str
    digest: str
    scope: str
    user_id: str | None
    created_at: datetime
    revoked_at: datetime | None = None

    class Settings:
        """Found by digest."""

        name = "api_keys"
        indexes: ClassVar = [_index("digest", unique=True), _index("-created_at")]


class KillSwitchDocument(Document):
    """A kill switch that is on. `_id` says whose; `user_id` None: everybody's."""

    id: str  # type: ignore[assignment]
    user_id: str | None
    by: str
    reason: str
    at: datetime

    class Settings:
        """There are few: they are read all together."""

        name = "kill_switches"


class IdempotencyDocument(Document):
    """An answer under an Idempotency-Key. `_id` is the scope; `status` None while the first request runs."""

    id: str  # type: ignore[assignment]
    request_mac: str
    expires_at: datetime
    status: int | None = None
    body: bytes = b""
    headers: list[tuple[str, str]] = Field(default_factory=list)

    class Settings:
        """MongoDB forgets them after their day."""

        name = "idempotency"
        indexes: ClassVar = [_index("expires_at", expireAfterSeconds=0)]


DOCUMENTS: Final[tuple[type[Document], ...]] = (
    SessionDocument,
    JournalDocument,
    SnapshotDocument,
    SignalDocument,
    RejectionDocument,
    PcrDocument,
    CandleDocument,
    OrderDocument,
    TradeDocument,
    DayDocument,
    ProgressDocument,
    TokenDocument,
    EgressDocument,
    ApiKeyDocument,
    KillSwitchDocument,
    IdempotencyDocument,
)


class Collections:
    """The raw collections of one database, by their documents.

    Beanie binds a class to one database of the whole process, so nothing is asked through the
    classes: a second client, or a second database, must not take the first one's away.
    """

    def __init__(self, database: AsyncDatabase[Row]) -> None:
        """Use `database`; `prepare` is the way in."""
        self._database = database

    @classmethod
    async def prepare(cls, database: AsyncDatabase[Row]) -> "Collections":
        """See to the collections and indexes of all documents."""
        await init_beanie(database=database, document_models=list(DOCUMENTS))
        return cls(database)

    def __getitem__(self, document: type[Document]) -> AsyncCollection[Row]:
        """Return the collection that holds such documents."""
        return self._database[document.Settings.name]
