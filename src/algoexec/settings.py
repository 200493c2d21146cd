"""What an operator can set, from the environment (`ALGOEXEC_…`). Read by `cli` and `bootstrap` alone."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import Field, SecretStr, field_validator, model_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from algoexec.engine.events import OnShutdown
from algoexec.ports.egress import EgressPolicy

type AlertKind = Literal["alert", "session", "trade", "signal", "day", "login", "service"]

LOOPBACK = frozenset({"127.0.0.1", "localhost", "::1"})


class Broker(StrEnum):
    """Where sessions trade."""

    UPSTOX = "upstox"
    SIMULATOR = "simulator"


class Settings(BaseSettings):
    """The service's settings. Every one has a default that is safe on one's own machine."""

    # A variable that is set to nothing counts as not set: files of variables are full of such.
    model_config = SettingsConfigDict(
        env_prefix="ALGOEXEC_", env_ignore_empty=True, extra="ignore", frozen=True, hide_input_in_errors=True
    )

    # --- the service ---
    host: str = Field("127.0.0.1", description="Address to listen on. Anything but loopback needs keys or JWT.")
    port: int = Field(8000, ge=0, le=65535, description="Port to listen on; 0 takes a free one.")
    data_dir: Path = Field(Path("data"), description="Private files: the embedded database, the secret key.")
    drain_s: float = Field(
        0, ge=0, le=60, description="Seconds between SIGTERM and closing in which /readyz says that it is leaving."
    )

    # --- the database ---
    mongodb_uri: SecretStr | None = Field(None, description="MongoDB replica set. None starts a private mongod.")
    mongodb_database: str = Field("algoexec", min_length=1, max_length=38, description="Database name.")

    # --- the broker ---
    broker: Broker = Field(Broker.UPSTOX, description="The real broker, or the simulator on loopback.")
    simulator_url: str = Field("http://127.0.0.1:8010", description="The simulator's address (loopback only).")
    algo_name: str | None = Field(
        None,
        pattern=r"^[!-~]([ -~]{0,62}[!-~])?$",
        description="Name under which the exchange registered the algo; orders carry it as `X-Algo-Name`.",
    )
    egress_proxies: str = Field(
        "", description="Proxies that sessions may name: `host:port` or `host:port=address`, comma-separated."
    )
    egress_address: str | None = Field(None, description="Address from which orders that use no proxy come.")

    # --- secrets, and who may call ---
    secret_key: SecretStr | None = Field(
        None, description="Encrypts broker tokens; comma-separated, newest first. None uses a key file in data_dir."
    )
    jwks_url: str | None = Field(None, description="Where the keys of RS256/ES256 JWTs are published.")
    jwt_secret: SecretStr | None = Field(None, description="Secret of HS256 JWTs, 32 bytes or more.")
    jwt_audience: str = Field("algoexec", description="Audience that a JWT must name.")
    cors_origins: Annotated[tuple[str, ...], NoDecode] = Field(
        (), description="Origins of browser pages that may call, comma-separated."
    )

    # --- Redis ---
    redis_url: SecretStr | None = Field(
        None, description="Redis that brings commands and takes events. None: no bridge."
    )
    redis_prefix: str = Field(
        "trading", pattern=r"^[A-Za-z0-9_.-]{1,50}$", description="What channels and keys in Redis begin with."
    )
    redis_allow_live: bool = Field(
        default=False, description="1 lets commands from Redis begin and end sessions in mode `live`."
    )
    redis_event_text: str | None = Field(
        None, pattern=r"^[\w.]+:\w+$", description="`module:function` that puts an event into other words."
    )

    # --- messages to people ---
    telegram_token: SecretStr | None = Field(None, description="Token of the Telegram bot that writes to people.")
    telegram_chat: str | None = Field(
        None, pattern=r"^(-?\d+|@\w+)$", description="The chat that it writes into: a number, or @name of a channel."
    )
    telegram_url: str = Field("https://api.telegram.org", description="Base address of the Bot API.")
    webhook_url: SecretStr | None = Field(None, description="Where messages are posted as JSON.")
    webhook_secret: SecretStr | None = Field(None, description="Signs what is posted, 16 characters or more.")
    alerts: Annotated[tuple[AlertKind, ...], NoDecode] = Field(
        ("alert", "session", "trade", "day", "login", "service"), description="Kinds of messages, comma-separated."
    )
    alert_severity: str = Field(
        "info", pattern="^(info|warning|critical)$", description="How loud a message must be to be sent."
    )
    alert_hosts: Annotated[tuple[str, ...], NoDecode] = Field(
        ("api.telegram.org",), description="Hosts that messages may go to, comma-separated."
    )
    alert_loopback: bool = Field(default=False, description="1 allows plain HTTP to this machine, for tests.")

    # --- logs and traces ---
    otlp_endpoint: str | None = Field(
        None, pattern=r"^https?://", description="OTLP/HTTP collector that gets traces of orders. None: no traces."
    )
    on_shutdown: OnShutdown = Field(
        OnShutdown.PROTECT, description="What becomes of live positions at SIGTERM: protect, flatten, leave."
    )
    log_format: str = Field("json", pattern="^(json|console)$", description="json or console.")
    log_level: str = Field("info", pattern="^(debug|info|warning|error)$", description="debug, info, warning, error.")
    web_concurrency: int = Field(1, alias="WEB_CONCURRENCY", description="Must be 1: a session has one owner.")

    @field_validator("cors_origins", "alerts", "alert_hosts", mode="before")
    @classmethod
    def _split(cls, value: object) -> object:
        return tuple(part.strip() for part in value.split(",") if part.strip()) if isinstance(value, str) else value

    @field_validator("jwt_secret")
    @classmethod
    def _long_enough(cls, value: SecretStr | None) -> SecretStr | None:
        if value is not None and len(value.get_secret_value().encode()) < 32:
            raise ValueError("a JWT secret has 32 bytes or more")
        return value

    @field_validator("redis_url")
    @classmethod
    def _is_redis(cls, value: SecretStr | None) -> SecretStr | None:
        if value is not None and not value.get_secret_value().startswith(("redis://", "rediss://", "unix://")):
            raise ValueError("a Redis URL begins with redis://, rediss:// or unix://")
        return value

    @field_validator("web_concurrency")
    @classmethod
    def _one_worker(cls, value: int) -> int:
        if value != 1:
            raise ValueError("algoexec runs one worker a process; start more services instead of more workers")
        return value

    @field_validator("webhook_secret")
    @classmethod
    def _hard_to_guess(cls, value: SecretStr | None) -> SecretStr | None:
        if value is not None and len(value.get_secret_value()) < 16:
            raise ValueError("a secret that signs has 16 characters or more")
        return value

    @model_validator(mode="after")
    def _whole_channels(self) -> Self:
        if (self.telegram_token is None) != (self.telegram_chat is None):
            raise ValueError("set ALGOEXEC_TELEGRAM_TOKEN and ALGOEXEC_TELEGRAM_CHAT, or neither")
        if (self.webhook_url is None) != (self.webhook_secret is None):
            raise ValueError("set ALGOEXEC_WEBHOOK_URL and ALGOEXEC_WEBHOOK_SECRET, or neither")
        return self

    @model_validator(mode="after")
    def _known_places(self) -> Self:
        EgressPolicy.of(self.egress_proxies, address=self.egress_address)
        return self

    @model_validator(mode="after")
    def _one_kind_of_jwt(self) -> Self:
        if self.jwks_url is not None and self.jwt_secret is not None:
            raise ValueError("set ALGOEXEC_JWKS_URL or ALGOEXEC_JWT_SECRET, not both: the algorithm is pinned")
        return self

    @property
    def is_loopback(self) -> bool:
        """Whether only this machine can reach the service."""
        return self.host in LOOPBACK
