"""From where orders may come. Source: Upstox's Get and Update Static IPs documentation, 2026."""

from datetime import datetime
from ipaddress import IPv6Address, ip_address
from typing import Final, NamedTuple

from algoexec.domain.calendar import IST
from algoexec.simulator.account_events import Registration
from algoexec.simulator.errors import Refusal, address_refused
from algoexec.simulator.users_file import Account, Address

STAMP: Final = "%Y-%m-%d %H:%M:%S"


class Addresses(NamedTuple):
    """The addresses of a user, in standard notation; `at` (market milliseconds) None: the users file says them."""

    primary: str | None = None
    secondary: str | None = None
    at: int | None = None

    @property
    def known(self) -> tuple[str, ...]:
        """All that there are."""
        return tuple(address for address in (self.primary, self.secondary) if address is not None)


def addresses_of(account: Account, registration: Registration | None) -> Addresses:
    """Return the addresses that hold: those of the user's last change, else those of the users file."""
    if registration is not None:
        return Addresses(registration.primary, registration.secondary, registration.at)
    primary, secondary = (*(str(address) for address in account.static_ips), None, None)[:2]
    return Addresses(primary, secondary)


def require_address(account: Account, addresses: Addresses, caller: str | None) -> None:
    """Let an order pass that comes from where it may; `caller` None is nowhere.

    Raises:
        Refusal: it comes from elsewhere.
    """
    if not addresses.known:
        if account.require_static_ip:
            raise address_refused("no static IP has been configured")
        return
    if caller is None or _standard(caller) not in addresses.known:
        raise address_refused(f"static IP ({', '.join(addresses.known)}) does not match origin IP ({caller})")


def requested(body: object) -> tuple[str, str | None]:
    """Return the primary and the secondary address that a request asks for.

    Raises:
        Refusal: the request makes no sense.
    """
    fields = body if isinstance(body, dict) else {}
    primary, secondary = fields.get("primary_ip"), fields.get("secondary_ip")
    if not primary:
        raise Refusal(400, "UDAPI1182", "Primary IP is required.")
    first, second = _valid(primary), None if secondary is None else _valid(secondary)
    if first == second:
        raise Refusal(400, "UDAPI1184", "Primary and secondary IP must be different.")
    return first, second


def require_new_week(registration: Registration | None, now_ms: int) -> None:
    """Let a change pass that is the user's first of the calendar week; weeks begin on Monday, IST.

    What the users file says is no change. When a week begins is not documented: a guess.

    Raises:
        Refusal: it is not the first.
    """
    if registration is not None and _week(registration.at) == _week(now_ms):
        raise Refusal(400, "UDAPI1185", "Static IP can only be updated once per week.")


def shown(addresses: Addresses) -> dict[str, object]:
    """Return the addresses as the broker tells them."""
    at = None if addresses.at is None else _local(addresses.at).strftime(STAMP)
    return {
        "primary_ip": addresses.primary,
        "secondary_ip": addresses.secondary,
        "primary_ip_updated_at": at,
        "secondary_ip_updated_at": None if addresses.secondary is None else at,
    }


def _valid(value: object) -> str:
    if isinstance(value, str):
        try:
            return str(ip_address(value))
        except ValueError:
            pass
    raise Refusal(400, "UDAPI1183", "Invalid IP.")


def _standard(caller: str) -> str:
    """Return an address in the notation that is compared; a socket may tell IPv4 inside IPv6."""
    try:
        address: Address = ip_address(caller.partition("%")[0])
    except ValueError:
        return caller
    mapped = address.ipv4_mapped if isinstance(address, IPv6Address) else None
    return str(mapped or address)


def _week(at: int) -> tuple[int, int]:
    year, week, _ = _local(at).isocalendar()
    return year, week


def _local(at: int) -> datetime:
    return datetime.fromtimestamp(at / 1000, IST)
