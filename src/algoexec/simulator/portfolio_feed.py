"""The portfolio stream: text frames of JSON, one update each, nothing about the past."""

from typing import Final, cast, get_args

from starlette.requests import HTTPConnection
from starlette.routing import BaseRoute

from algoexec.simulator.broker import SimulatedBroker
from algoexec.simulator.errors import invalid_input
from algoexec.simulator.portfolio_hub import Kinds, UpdateType
from algoexec.simulator.streams import Stream
from algoexec.simulator.subscriber import Subscriber
from algoexec.simulator.users import User

_KINDS: Final = frozenset(get_args(UpdateType.__value__))


def routes(broker: SimulatedBroker) -> list[BaseRoute]:
    """Return the stream's endpoints."""
    return Stream(broker, _PortfolioRoom(broker)).routes()


class _PortfolioRoom:
    """Sockets that are told of their user's orders and positions."""

    path = "/v2/feed/portfolio-stream-feed"
    socket_path = "/portfolio-stream-feeder/v2/upstox-developer-api/feeds"

    def __init__(self, broker: SimulatedBroker) -> None:
        self._hub = broker.portfolio

    def wanted(self, connection: HTTPConnection) -> Kinds:
        """Return the kinds of updates that are asked for: orders, if nothing is said."""
        words = [word for word in connection.query_params.get("update_types", "").split(",") if word]
        if unknown := [word for word in words if word not in _KINDS]:
            raise invalid_input(f"Invalid update_types: {', '.join(unknown)}")
        return frozenset(cast(list[UpdateType], words)) or frozenset({"order"})

    def admit(self, user: User) -> None:
        """Let every socket in: no limit is documented for this stream."""

    def enter(self, subscriber: Subscriber, wants: Kinds) -> None:
        """Tell a socket from now on."""
        self._hub.add(subscriber, wants)

    def leave(self, subscriber: Subscriber) -> None:
        """Forget a socket."""
        self._hub.remove(subscriber)

    def obey(self, subscriber: Subscriber, request: bytes) -> None:
        """Ignore what comes: there is nothing to ask for."""
