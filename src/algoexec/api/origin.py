"""Which web pages may call: those of this service, and those on the list."""

from collections.abc import Mapping
from typing import Final
from urllib.parse import urlsplit

LOOPBACK_NAMES: Final = frozenset({"127.0.0.1", "localhost", "::1"})


def is_own_or_listed(headers: Mapping[str, str], listed: frozenset[str]) -> bool:
    """Return whether a request comes from no page, from a page of this service, or from a listed origin.

    A page's own origin is told by host and port alone: behind a proxy that ends TLS, the
    scheme that reaches us is not the one that the browser sees.
    """
    origin = headers.get("origin")
    if origin is None or origin in listed:
        return True
    host = headers.get("host")
    try:
        return host is not None and urlsplit(origin).netloc.lower() == host.lower() != ""
    except ValueError:
        return False


def is_loopback_host(headers: Mapping[str, str]) -> bool:
    """Return whether the request was addressed to this machine by one of its own names.

    A page that makes its own host name resolve to 127.0.0.1 gets past the browser's origin
    check; its name in `Host` gives it away.
    """
    try:
        return urlsplit(f"//{headers.get('host', '')}").hostname in LOOPBACK_NAMES
    except ValueError:
        return False
