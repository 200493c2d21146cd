"""How one user's orders leave this service: by which way, and under which name.

Since April 2026 an order must come from a static address that its client has registered with
the broker, one of his own. Source: SEBI's framework for retail algorithmic trading, February 2025.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from ipaddress import ip_address
from typing import Final, Protocol, Self, final
from urllib.parse import urlsplit

from algoexec.domain.errors import AlgoexecError


class ProxyNotAllowed(AlgoexecError):
    """An egress proxy that is none of the operator's; the message says which."""


@final
class ProxyAddress:
    """An egress proxy's URL. It may hold a password: its text comes out of `reveal` alone, never of a log or trace."""

    __slots__ = ("_url", "place")

    def __init__(self, url: str) -> None:
        """Take `http[s]://[user:password@]host:port`.

        Raises:
            ValueError: it is none; the message does not repeat it.
        """
        self._url: Final = url.strip()
        try:
            parts = urlsplit(self._url)
            place = place_of(parts.netloc.rpartition("@")[2])
            is_bare = parts.path in ("", "/") and not parts.query and not parts.fragment
            is_proxy = is_bare and parts.scheme in ("http", "https")
        except ValueError:
            is_proxy, place = False, ""
        if not is_proxy:
            raise ValueError("an egress proxy is http[s]://[user:password@]host:port")
        self.place: Final = place
        """Its host and port."""

    def reveal(self) -> str:
        """Return the URL itself, for whoever connects."""
        return self._url

    def __repr__(self) -> str:
        """Show its place only."""
        return f"ProxyAddress({self.place})"

    def __eq__(self, other: object) -> bool:
        """Compare by content."""
        return isinstance(other, ProxyAddress) and other._url == self._url

    def __hash__(self) -> int:
        """Hash by place."""
        return hash(self.place)


@dataclass(frozen=True, slots=True)
class Egress:
    """How orders leave. `proxy` None: directly; `algo` None: under the service's own name, if it has one.

    `algo` is the name under which the exchange registered the user's algo.
    """

    proxy: ProxyAddress | None = None
    algo: str | None = None


DIRECT: Final = Egress()


class Egresses(Protocol):
    """How the orders of sessions leave, encrypted at rest; one that was never told of leaves directly."""

    async def put(self, session_id: str, egress: Egress) -> None:
        """Keep it until it is deleted: longer than an access token lives."""

    async def get(self, session_id: str) -> Egress:
        """Return it.

        Raises:
            DecodeError: it cannot be read any more. Then nothing may leave: the way is not known.
        """

    async def delete(self, session_id: str) -> None:
        """Forget it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EgressPolicy:
    """What the operator allows and knows.

    `proxies` are the places of those that sessions may name, each with the address from which it
    goes out; None: not known. `address` is the one from which orders leave directly. `algo` is the
    name that orders carry which bring none.
    """

    proxies: Mapping[str, str | None] = field(default_factory=dict)
    address: str | None = None
    algo: str | None = None

    @classmethod
    def of(cls, proxies: str, *, address: str | None = None, algo: str | None = None) -> Self:
        """Read proxies as `host:port` or `host:port=address`, separated by commas.

        Raises:
            ValueError: one of them, or an address, is none.
        """
        known: dict[str, str | None] = {}
        for one in filter(None, (part.strip() for part in proxies.split(","))):
            place, has_address, goes_out_from = one.partition("=")
            known[place_of(place.strip())] = str(ip_address(goes_out_from.strip())) if has_address else None
        return cls(proxies=known, address=None if address is None else str(ip_address(address)), algo=algo)

    def require(self, egress: Egress) -> None:
        """Return if orders may leave so.

        Raises:
            ProxyNotAllowed: its proxy is none of the operator's.
        """
        if egress.proxy is not None and egress.proxy.place not in self.proxies:
            raise ProxyNotAllowed(f"{egress.proxy.place} is none of the egress proxies that this service may use")

    def address_of(self, egress: Egress) -> str | None:
        """Return from where orders that leave so come, as the operator knows it; None: not said."""
        return self.address if egress.proxy is None else self.proxies.get(egress.proxy.place)

    def algo_of(self, egress: Egress) -> str | None:
        """Return the name that orders carry; None: none."""
        return egress.algo or self.algo


def place_of(text: str) -> str:
    """Return `host:port` as places are compared: in small letters, the port always said.

    Raises:
        ValueError: it is none.
    """
    parts = urlsplit(f"//{text}")
    if parts.username is not None or parts.path or not parts.hostname or parts.port is None:
        raise ValueError("a proxy's place is host:port")
    host = parts.hostname
    return f"[{host}]:{parts.port}" if ":" in host else f"{host}:{parts.port}"
