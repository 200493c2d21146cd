"""The place where a session trades: the real broker, or one run of the simulator."""

from typing import Protocol

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
