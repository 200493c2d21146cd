"""The place where a session trades: the real broker, or one run of the simulator."""

from collections.abc import Mapping
from typing import Protocol, runtime_checkable

from algoexec.ports.broker import Broker
from algoexec.ports.clock import MarketClock
from algoexec.ports.credentials import AccessToken
from algoexec.ports.feed import Feed
from algoexec.ports.market_data import MarketData


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

    def broker(self, token: AccessToken) -> Broker:
        """Return the account of this credential."""


@runtime_checkable
class Budgeted(Protocol):
    """A venue that counts the calls which its broker allows."""

    def budget(self) -> Mapping[str, float]:
        """Return what is left of each group's allowance, 1 for all of it: of the credential that has least."""
