"""The market-data feed V3: authorise, connect, subscribe."""

from typing import Final

import orjson
from starlette.requests import HTTPConnection
from starlette.routing import BaseRoute

from algoexec.domain.instruments import InstrumentKey
from algoexec.simulator.broker import SimulatedBroker
from algoexec.simulator.errors import Refusal
from algoexec.simulator.feed_limits import violation
from algoexec.simulator.streams import Stream
from algoexec.simulator.subscriber import Subscriber
from algoexec.simulator.users import User
from algoexec.simulator.wire import Mode

FEED_PATH: Final = "/v3/feed/market-data-feed"


def routes(broker: SimulatedBroker) -> list[BaseRoute]:
    """Return the feed's endpoints."""
    return Stream(broker, _MarketRoom(broker)).routes()


class _MarketRoom:
    """Sockets that are told of the instruments they subscribe to."""

    path = FEED_PATH
    socket_path = "/market-data-feeder/v3/upstox-developer-api/feeds"

    def __init__(self, broker: SimulatedBroker) -> None:
        self._broker = broker
        self._hub = broker.hub

    def wanted(self, connection: HTTPConnection) -> None:
        """Nothing is asked before the socket is open."""

    def admit(self, user: User) -> None:
        """Let so many sockets in as the user's plan allows."""
        most = self._broker.account(user).connections(self._broker.settings.feeds_per_user)
        if self._hub.connections(user) >= most:
            raise Refusal(403, "UDAPI100060", "Maximum number of feed connections reached")

    def enter(self, subscriber: Subscriber, wants: None) -> None:
        """Welcome a socket."""
        self._hub.add(subscriber)

    def leave(self, subscriber: Subscriber) -> None:
        """Forget a socket."""
        self._hub.remove(subscriber)

    def obey(self, subscriber: Subscriber, request: bytes) -> None:
        """Do what a request says; one that makes no sense is answered in text and changes nothing."""
        try:
            method, keys, mode = _parsed(request)
        except (ValueError, TypeError, KeyError) as error:
            answer = {"status": "failed", "error": f"Invalid request: {error}"}
            subscriber.offer(orjson.dumps(answer).decode())
            return
        if method == "unsub":
            self._hub.unsubscribe(subscriber, keys)
        elif forbidden := violation(subscriber.modes, keys, mode, self._broker.account(subscriber.user).plan):
            answer = {"status": "failed", "method": method, "error": forbidden}
            subscriber.offer(orjson.dumps(answer).decode())
        else:
            self._hub.subscribe(subscriber, keys, mode)


def _parsed(request: bytes) -> tuple[str, list[InstrumentKey], Mode]:
    body = orjson.loads(request)
    method, data = body["method"], body["data"]
    if method not in ("sub", "unsub", "change_mode"):
        raise ValueError(f"method {method!r}")
    keys = [InstrumentKey(str(key)) for key in data["instrumentKeys"]]
    return method, keys, Mode(data.get("mode") or Mode.LTPC)
