"""Live market data: one connection, decoded once."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import NamedTuple, Protocol

from algoexec.domain.instruments import InstrumentKey
from algoexec.domain.market import Quote
from algoexec.ports.credentials import AccessToken


@dataclass(frozen=True, slots=True, kw_only=True)
class FeedConnected:
    """A connection stands and the subscriptions were sent. Everything before it may have a gap."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FeedLost:
    """The connection ended or could not be made; it is being tried again.

    `taken`: refused with 403, so another program holds the one connection.
    """

    detail: str
    taken: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class FeedTokenRefused:
    """The broker refuses the token (401): nothing is tried until `Feed.renew`."""

    detail: str


class QuotesChanged(NamedTuple):
    """The merged quotes of one frame. `at` is its `currentTs`: exchange milliseconds since the epoch.

    `snapshot` marks the state that follows a subscription; a trade in it may be old.
    """

    at: int
    quotes: tuple[Quote, ...]
    snapshot: bool = False


@dataclass(frozen=True, slots=True)
class SegmentsChanged:
    """The venue's own word on each segment, for example `NSE_FO: NORMAL_OPEN`."""

    at: int
    segments: Mapping[str, str]


type FeedEvent = FeedConnected | FeedLost | FeedTokenRefused | QuotesChanged | SegmentsChanged


class Feed(Protocol):
    """The market-data feed of one credential. Reconnects for ever and re-subscribes by itself."""

    async def run(self, sink: Callable[[FeedEvent], None]) -> None:
        """Connect and hand every event to `sink`, in order, until cancelled.

        `sink` is called on the event loop and must not block; the socket is read no faster
        than it returns.
        """

    async def subscribe(self, instruments: Iterable[InstrumentKey]) -> None:
        """Ask for `instruments`, now and after every reconnect."""

    async def unsubscribe(self, instruments: Iterable[InstrumentKey]) -> None:
        """Let `instruments` go."""

    def renew(self, token: AccessToken) -> None:
        """Use `token` from the next connection on; wakes a feed that waits for one."""
