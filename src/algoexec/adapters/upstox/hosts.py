"""Where Upstox lives, and where the simulator may."""

from dataclasses import dataclass
from typing import Final, Self
from urllib.parse import urlsplit

_LOOPBACK: Final = frozenset({"127.0.0.1", "localhost", "::1"})


def is_loopback(address: str) -> bool:
    """Tell whether the address is this machine's own."""
    return urlsplit(address).hostname in _LOOPBACK


def is_private(address: str, scheme: str) -> bool:
    """Tell whether nobody can listen: it is encrypted (`https`, `wss`), or it is loopback."""
    return urlsplit(address).scheme == scheme or is_loopback(address)


@dataclass(frozen=True, slots=True, kw_only=True)
class Hosts:
    """Base addresses of the REST API. `orders` takes place, modify and cancel, `api` all the rest.

    A token goes to nobody else: both are TLS, or loopback.

    Raises:
        ValueError: an address is neither.
    """

    api: str
    orders: str

    def __post_init__(self) -> None:
        """Refuse an address that a token must not be sent to."""
        for address in (self.api, self.orders):
            if not is_private(address, "https"):
                raise ValueError(f"{address} is neither https nor loopback")

    @classmethod
    def simulator(cls, address: str) -> Self:
        """Return the hosts of a simulator: one loopback address for everything.

        Raises:
            ValueError: `address` is not on loopback.
        """
        if not is_loopback(address):
            raise ValueError(f"a simulator runs on loopback only, not at {address}")
        return cls(api=address.rstrip("/"), orders=address.rstrip("/"))


LIVE: Final = Hosts(api="https://api.upstox.com", orders="https://api-hft.upstox.com")
"""Source: SDK 2.30.0 `configuration.py`."""
