"""Sessions: what is sent to begin or change one, and how one is shown."""

from datetime import date, datetime
from typing import Annotated, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, SecretStr, StringConstraints

from algoexec.api.config import ConfigChanges, SessionConfig
from algoexec.api.schemas.trading import TradingOut
from algoexec.engine.effects import Status
from algoexec.engine.events import FeedStatus, Mode
from algoexec.engine.state import EngineState
from algoexec.ports.egress import ProxyAddress
from algoexec.ports.stores import JournalEntry
from algoexec.runtime.views import SessionView
from algoexec.telemetry import LogLevel

UserId = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_.@:|-]{1,64}$")]
Token = Annotated[SecretStr, Field(min_length=1, max_length=4096)]


def _a_proxy(secret: SecretStr) -> SecretStr:
    ProxyAddress(secret.get_secret_value())
    return secret


EgressProxy = Annotated[SecretStr, Field(min_length=1, max_length=500), AfterValidator(_a_proxy)]
AlgoName = Annotated[str, StringConstraints(pattern=r"^[!-~]([ -~]{0,62}[!-~])?$")]

_PROXY_SAYS = (
    "Mode `live` only: `http[s]://[user:password@]host:port` of the proxy from which this user's orders go out, one "
    "that the operator allows (`ALGOEXEC_EGRESS_PROXIES`). Kept encrypted until the session ends, never returned."
)
_ALGO_SAYS = "Mode `live` only: name under which the exchange registered the user's algo; left out, the service's own."


class _WaysOut(BaseModel):
    """How the orders of a session leave."""

    egress_proxy: EgressProxy | None = Field(default=None, description=_PROXY_SAYS)
    algo_name: AlgoName | None = Field(default=None, description=_ALGO_SAYS)


class NewSession(_WaysOut):
    """A session to begin."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "examples": [
                {"user_id": "asha", "access_token": "eyJ0eXAiOiJKV1QiLCJhbGciOi…", "config": {"lock_minutes": 10}}
            ]
        },
    )

    user_id: UserId | None = Field(
        default=None, description="Whose session; may be left out with a user's own credential, which knows."
    )
    access_token: Token | None = Field(
        default=None,
        description="The user's broker access token. Kept encrypted until the session ends, never returned. Without "
        "one the session is NEEDS_TOKEN.",
    )
    mode: Mode = Field(
        default=Mode.SIGNALS,
        description="What to do with a signal: `signals` tells it; `paper` trades it at live prices without an order "
        "leaving; `live` trades it with money, and needs a green `POST /preflight`.",
    )
    config: SessionConfig = Field(default_factory=SessionConfig)


class SessionChanges(BaseModel):
    """What to change of a session."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [{"config": {"pcr_call_min": 0.8}}]})

    config: ConfigChanges = Field(
        description="Used from the next candle on, `trading` at once; what is left out stays as it is."
    )


class LogVolume(BaseModel):
    """How much is logged of a session."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [{"level": "debug"}]})

    level: LogLevel | None = Field(description="From which level on; null: as of the service (`ALGOEXEC_LOG_LEVEL`).")


class HaltRequest(BaseModel):
    """Why entries are forbidden."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [{"reason": "RBI policy at 10:00"}]})

    reason: str = Field(default="requested", min_length=1, max_length=200, description="For the people who watch.")


class PreflightRequest(_WaysOut):
    """The session that would be begun."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={"examples": [{"mode": "live", "access_token": "eyJ0eXAiOiJKV1QiLCJhbGciOi…"}]},
    )

    user_id: UserId | None = Field(
        default=None, description="Whose session; may be left out with a user's own credential, which knows."
    )
    access_token: Token | None = Field(default=None, description="The user's broker access token; it is not kept.")
    mode: Mode = Field(default=Mode.LIVE, description="What the session would do with a signal.")


class NewToken(_WaysOut):
    """A new broker access token; `egress_proxy` and `algo_name` stay as they are when both are left out."""

    model_config = ConfigDict(extra="forbid")

    access_token: Token


class FeedOut(BaseModel):
    """The market feed as the session sees it."""

    status: FeedStatus
    age_ms: int | None = Field(description="Market milliseconds since the newest frame; null when not connected.")
    late_ticks: int = Field(description="Ticks that came after their minute was decided; they were not used.")


class ContractsOut(BaseModel):
    """What the day is traded with."""

    underlying: str
    future: str = Field(description="The nearest future; its volume stands in for the index's.")
    future_expiry: date
    option_expiry: date
    lot: int | None = Field(description="Units of one lot of the options; null when none is listed.")


class SessionOut(BaseModel):
    """A session as it stands."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "id": "s7k2m9q4w1x8z3b5",
                    "user_id": "asha",
                    "mode": "signals",
                    "status": "RUNNING",
                    "reason": None,
                    "halted": None,
                    "venue": "upstox",
                    "account": "AB1234",
                    "day": "2026-11-23",
                    "created_at": "2026-11-23T03:31:07.114Z",
                    "started_at": "2026-11-23T03:31:07.114Z",
                    "market_time": "2026-11-23T04:16:00.412Z",
                    "decided_until": "2026-11-23T04:16:00Z",
                    "frames": 214,
                    "feed": {"status": "CONNECTED", "age_ms": 120, "late_ticks": 0},
                    "contracts": None,
                    "config": {"lock_minutes": 10},
                    "trading": None,
                }
            ]
        }
    )

    id: str
    user_id: str
    mode: Mode
    status: Status = Field(
        description="SCHEDULED waits for the open; STARTING reaches the broker; WARMING_UP gives signals, but its "
        "indicators are not whole; NEEDS_TOKEN waits for `POST …/token`; STOPPED and FAILED are over for good."
    )
    reason: str | None = Field(
        description="Why: `requested`, `day_over`, `venue_gone` when STOPPED, and while it is STOPPING for want of "
        "being flat; the broker's words when NEEDS_TOKEN."
    )
    halted: str | None = Field(description="Why new entries are forbidden, and by whom; null when they are not.")
    venue: str = Field(description="`upstox`, or one run of the simulator.")
    account: str | None = Field(description="The broker's user id; null until the token was checked.")
    day: str = Field(description="The trading day it belongs to.")
    created_at: datetime = Field(description="Wall time, UTC.")
    started_at: datetime | None = Field(
        description="Market time of its beginning, UTC: older candles only warm the indicators."
    )
    market_time: datetime | None = Field(description="Market time of its last record, UTC.")
    decided_until: datetime | None = Field(description="Close of the newest candle that was decided or warmed, UTC.")
    frames: int | None = Field(description="`seq` of its newest numbered frame; where a stream would go on.")
    feed: FeedOut | None
    contracts: ContractsOut | None
    config: SessionConfig | None = Field(description="As it holds now, after defaults.")
    trading: TradingOut | None = Field(description="null where nothing is traded, as in mode `signals`.")

    @classmethod
    def of(cls, view: SessionView) -> Self:
        """Return a session's form on the wire. Without a readable journal the row alone speaks."""
        row, state = view.row, view.state
        return cls(
            id=row.id,
            user_id=row.user_id,
            mode=row.mode,
            status=state.status if state else row.status,
            reason=state.reason if state else row.reason,
            halted=state.halted if state else None,
            venue=row.venue,
            account=row.account,
            day=row.day,
            created_at=row.created_at,
            started_at=state.started_at if state else None,
            market_time=state.at if state else None,
            decided_until=state.decided_until if state else None,
            frames=state.frames if state else None,
            feed=FeedOut(status=state.feed, age_ms=view.feed_age_ms, late_ticks=view.late_ticks) if state else None,
            contracts=_contracts(state) if state else None,
            config=_config(state) if state else None,
            trading=TradingOut.of(state.trading) if state and state.trading else None,
        )


class JournalEntryOut(BaseModel):
    """One record of a session's journal: what happened, and how much came of it."""

    seq: int
    at: datetime = Field(description="Market time, UTC.")
    recorded_at: datetime = Field(description="Wall time, UTC.")
    event: str = Field(description="What happened, for example `CandleClosed`.")
    effects: list[str] = Field(description="What was asked for in answer, for example `Subscribe`.")
    frames: list[int] = Field(description="`seq` of the stream frames that came of it.")

    @classmethod
    def of(cls, entry: JournalEntry) -> Self:
        """Return an entry's form on the wire."""
        return cls(
            seq=entry.record.seq,
            at=entry.record.at,
            recorded_at=entry.recorded_at,
            event=type(entry.record.event).__name__,
            effects=[type(effect).__name__ for effect in entry.effects],
            frames=[frame.number for frame in entry.frames],
        )


class JournalOut(BaseModel):
    """A stretch of a session's journal, in order."""

    items: list[JournalEntryOut]


def _config(state: EngineState) -> SessionConfig:
    return SessionConfig.of(state.parameters, state.trading.rules if state.trading else None)


def _contracts(state: EngineState) -> ContractsOut | None:
    contracts = state.contracts
    if contracts is None:
        return None
    return ContractsOut(
        underlying=contracts.underlying,
        future=contracts.future.name,
        future_expiry=contracts.future.expiry,
        option_expiry=contracts.expiry,
        lot=contracts.options[0].lot if contracts.options else None,
    )
