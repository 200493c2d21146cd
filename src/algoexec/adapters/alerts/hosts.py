"""Where messages may go: https, to hosts that the operator has listed, and nowhere else."""

from dataclasses import dataclass
from urllib.parse import SplitResult, urlsplit

LOOPBACK = frozenset({"127.0.0.1", "localhost", "::1"})


class HostNotAllowed(ValueError):
    """An address that messages may not go to; the message says why, without the path, which may be a secret."""


@dataclass(frozen=True, slots=True)
class AllowedHosts:
    """The operator's list: `host`, or `host:port` where it is not 443.

    `loopback` allows plain HTTP to this machine, for tests.
    """

    hosts: frozenset[str]
    loopback: bool = False

    def require(self, url: str) -> str:
        """Return `url` if messages may go there.

        Raises:
            HostNotAllowed: they may not.
        """
        try:
            parts = urlsplit(url)
            port = parts.port
        except ValueError as error:
            raise HostNotAllowed("this is no address") from error
        host = (parts.hostname or "").rstrip(".")
        if parts.username is not None or parts.password is not None or not host:
            raise HostNotAllowed(f"an address has a host and no user: {host or '(none)'}")
        if self.loopback and host in LOOPBACK and parts.scheme in ("http", "https"):
            return url
        _require_https(parts, host)
        named = host if port in (None, 443) else f"{host}:{port}"
        if named not in self.hosts:
            raise HostNotAllowed(f"{named} is not on the list of allowed hosts (ALGOEXEC_ALERT_HOSTS)")
        return url


def _require_https(parts: SplitResult, host: str) -> None:
    if parts.scheme != "https":
        raise HostNotAllowed(f"messages go by https, not {parts.scheme or 'nothing'}, to {host}")
