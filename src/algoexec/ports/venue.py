"""The place where a session trades: the real broker, or one run of the simulator."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from algoexec.ports.broker import Broker
from algoexec.ports.clock import MarketClock
from algoexec.ports.credentials import AccessToken
from algoexec.ports.egress import DIRECT, Egress
from algoexec.ports.feed import Feed
from algoexec.ports.market_data import MarketData


@dataclass(frozen=True, slots=True, kw_only=True)
class Addresses:
    """The addresses from which a user's orders must come, in standard notation.

    `are_required` says whether the venue refuses orders where none is registered.
    """

    registered: tuple[str, ...]
    are_required: bool


class Venue(Protocol):
    """A broker as a place. Everything that belongs to a day is keyed by `name()`."""

    @property
    def clock(self) -> MarketClock:
        """The venue's own time."""

    async def name(self) -> str:
        """Return `upstox`, or the simulator's instance.

        Raises:
            BrokerUnavailable: the simulator does not answer.
        """

    def market_data(self, token: AccessToken) -> MarketData:
        """Return the read side for this credential."""

    def feed(self, token: AccessToken) -> Feed:
        """Return an unconnected feed for this credential."""

    def broker(self, token: AccessToken, egress: Egress = DIRECT) -> Broker:
        """Return the account of this credential; its orders leave by `egress`, what is asked goes directly."""

    async def addresses(self, token: AccessToken, egress: Egress) -> Addresses:
        """Return from where the user's orders must come; asked by the way by which they leave.

        Raises:
            BrokerUnavailable: no answer, or no way there.
            TokenRefused, BrokerRefused, RateLimited: it said no.
            DecodeError: it made no sense.
        """


@runtime_checkable
class Budgeted(Protocol):
    """A venue that counts the calls which its broker allows."""

    def budget(self) -> Mapping[str, float]:
        """Return what is left of each group's allowance, 1 for all of it: of the credential that has least."""
