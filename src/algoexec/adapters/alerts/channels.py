"""The ways on which messages go. Each takes one message at a time and says whether to try again."""

import hashlib
import hmac
from typing import Final, Protocol

import httpx
import orjson
from pydantic import SecretStr

from algoexec.adapters.alerts.hosts import AllowedHosts
from algoexec.adapters.alerts.notices import Notice, clock
from algoexec.domain.errors import AlgoexecError
from algoexec.engine.effects import Severity
from algoexec.ports.clock import WallClock

TIMEOUT: Final = httpx.Timeout(10.0, connect=5.0)
LONGEST_TEXT: Final = 1000
LONGEST_WAIT_S: Final = 60.0

_MARKS: Final = {Severity.INFO: "", Severity.WARNING: "⚠ ", Severity.CRITICAL: "‼ "}


class NotSent(AlgoexecError):
    """A message was not taken. `retry_after` is when to try again, in seconds; None: it never will be."""

    def __init__(self, why: str, retry_after: float | None) -> None:
        """Say why in words that hold no address: its path may be a secret."""
        super().__init__(why)
        self.retry_after = retry_after


class Channel(Protocol):
    """One way to people."""

    @property
    def name(self) -> str:
        """What it is called in logs and metrics."""

    async def send(self, notice: Notice) -> None:
        """Send a message.

        Raises:
            NotSent: it was not taken.
        """


def http_client() -> httpx.AsyncClient:
    """Return a client that follows nobody elsewhere and reads no proxy of the environment."""
    return httpx.AsyncClient(timeout=TIMEOUT, follow_redirects=False, trust_env=False)


class Telegram(Channel):
    """A bot that writes into one chat. Source: Telegram Bot API, sendMessage; 429 carries `parameters.retry_after`."""

    name = "telegram"

    def __init__(self, http: httpx.AsyncClient, hosts: AllowedHosts, *, url: str, token: SecretStr, chat: str) -> None:
        """Write into `chat`.

        Raises:
            HostNotAllowed: `url` is not on the operator's list.
        """
        self._http, self._base, self._token, self._chat = http, hosts.require(url).rstrip("/"), token, chat

    async def send(self, notice: Notice) -> None:
        """Write a message; what is not urgent makes no sound."""
        text = f"{_MARKS[notice.severity]}{notice.text}\n{notice.code}, {clock(notice.at)}"
        body = {
            "chat_id": self._chat,
            "text": text[:LONGEST_TEXT],
            "disable_notification": notice.severity is Severity.INFO,
            "link_preview_options": {"is_disabled": True},
        }
        url = f"{self._base}/bot{self._token.get_secret_value()}/sendMessage"
        await _post(self._http, url, orjson.dumps(body), {})


class Webhook(Channel):
    """Any program that takes JSON. Signed, so that it can know who speaks, and dated, so that nothing is replayed."""

    name = "webhook"

    def __init__(
        self, http: httpx.AsyncClient, hosts: AllowedHosts, clock: WallClock, *, url: SecretStr, secret: SecretStr
    ) -> None:
        """Post to `url`.

        Raises:
            HostNotAllowed: it is not on the operator's list.
        """
        hosts.require(url.get_secret_value())
        self._http, self._clock, self._url, self._secret = http, clock, url, secret

    async def send(self, notice: Notice) -> None:
        """Post a message."""
        body = orjson.dumps(notice, option=orjson.OPT_UTC_Z)
        stamp = str(int(self._clock.now().timestamp()))
        headers = {
            "X-Algoexec-Id": notice.id,
            "X-Algoexec-Timestamp": stamp,
            "X-Algoexec-Signature": f"v1={signature(self._secret, stamp, body)}",
        }
        await _post(self._http, self._url.get_secret_value(), body, headers)


def signature(secret: SecretStr, stamp: str, body: bytes) -> str:
    """Return the HMAC-SHA256 of `stamp`, a full stop and the body, in hex."""
    return hmac.new(secret.get_secret_value().encode(), stamp.encode() + b"." + body, hashlib.sha256).hexdigest()


async def _post(http: httpx.AsyncClient, url: str, body: bytes, headers: dict[str, str]) -> None:
    try:
        answer = await http.post(url, content=body, headers={"Content-Type": "application/json", **headers})
    except httpx.HTTPError as error:
        raise NotSent(type(error).__name__, 0.0) from None  # its text may name the address
    if answer.is_success:
        return
    if answer.status_code == httpx.codes.TOO_MANY_REQUESTS:
        raise NotSent("429", _retry_after(answer))
    raise NotSent(str(answer.status_code), 0.0 if answer.is_server_error else None)


def _retry_after(answer: httpx.Response) -> float:
    """Return for how long the other side wants to be left alone."""
    told = answer.headers.get("Retry-After", "")
    return min(float(told), LONGEST_WAIT_S) if told.isdigit() else 5.0
