"""The simulated broker: all that an endpoint may ask."""

import secrets
from typing import Final

from starlette.requests import HTTPConnection

from algoexec.domain.calendar import ist
from algoexec.domain.instruments import InstrumentKey
from algoexec.ports.clock import WallClock
from algoexec.simulation.day import SimulatedDay
from algoexec.simulation.exchange import Exchange
from algoexec.simulator.configuration import SimulatorSettings
from algoexec.simulator.errors import missing_parameter, unknown_instrument
from algoexec.simulator.hub import FeedHub
from algoexec.simulator.market_clock import SteppedClock
from algoexec.simulator.player import Player
from algoexec.simulator.rates import RateLimits
from algoexec.simulator.users import User, user_if_any, user_of


class SimulatedBroker:
    """One run of one day. `instance` names the run: another run of the same day has another name."""

    def __init__(self, day: SimulatedDay, settings: SimulatorSettings, wall: WallClock) -> None:
        """Stand at the start of the day; `player` makes it go."""
        start = ist(day.session.date, settings.start)
        self.settings: Final = settings
        self.exchange: Final = Exchange(day)
        self.clock: Final = SteppedClock(round(start.timestamp() * 1000), settings.speed)
        self.hub: Final = FeedHub(self.exchange, self.clock)
        self.player: Final = Player(self.clock, self.hub, settings, wall)
        self.instance: Final = f"sim-{day.name}-{secrets.token_hex(4)}"
        self._rates = RateLimits()

    def caller(self, connection: HTTPConnection, api: str) -> User:
        """Return who calls `api`.

        Raises:
            Refusal: no valid token, or too many calls.
        """
        user = user_of(connection)
        self._count(user, api)
        return user

    def anybody(self, connection: HTTPConnection, api: str) -> None:
        """Let everybody in but those with a bad token, as the broker's public endpoints do.

        Raises:
            Refusal: the token is bad, or its owner calls too often.
        """
        user = user_if_any(connection)
        if user is not None:
            self._count(user, api)

    def instrument(self, key: str) -> InstrumentKey:
        """Return the key of a listed instrument.

        Raises:
            Refusal: it is not listed.
        """
        if not self.exchange.knows(key):
            raise unknown_instrument(key)
        return InstrumentKey(key)

    def _count(self, user: User, api: str) -> None:
        if self.settings.rate_limits:
            self._rates.count(user.id, api, self.clock.now_ms)


def required(connection: HTTPConnection, name: str) -> str:
    """Return a query parameter.

    Raises:
        Refusal: it is missing.
    """
    value = connection.query_params.get(name)
    if not value:
        raise missing_parameter(name)
    return value
