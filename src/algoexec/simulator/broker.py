"""The simulated broker: all that an endpoint may ask."""

import secrets
from collections.abc import Iterable
from datetime import time
from typing import Final

from starlette.requests import HTTPConnection

from algoexec.domain.calendar import IST, ist
from algoexec.domain.instruments import InstrumentKey
from algoexec.ports.clock import WallClock
from algoexec.simulation.day import SimulatedDay
from algoexec.simulation.trading.commands import Command
from algoexec.simulator.accounts import Accounts
from algoexec.simulator.configuration import SimulatorSettings
from algoexec.simulator.dealing import Dealing
from algoexec.simulator.errors import missing_parameter, out_of_service, read_only_token, unknown_instrument
from algoexec.simulator.faults import outcomes
from algoexec.simulator.faults.events import FaultEvent
from algoexec.simulator.faults.injector import FaultInjector
from algoexec.simulator.faults.market import FaultyExchange, contracts_of
from algoexec.simulator.hub import FeedHub
from algoexec.simulator.kill_switch import Brake, Trading
from algoexec.simulator.lifelines import Lifelines
from algoexec.simulator.market_clock import SteppedClock
from algoexec.simulator.player import Player
from algoexec.simulator.portfolio_hub import PortfolioHub
from algoexec.simulator.portfolio_words import PortfolioWords
from algoexec.simulator.rates import ORDERS, REGISTERED_ALGO, RateLimits
from algoexec.simulator.state_log import ClockAt, ClockMarks, Entry, StateLog
from algoexec.simulator.static_ip import Addresses, addresses_of, require_address
from algoexec.simulator.users import Token, User, token_if_any, token_of
from algoexec.simulator.users_file import Account

SERVICE_BEGINS_AT: Final = time(5, 30)
"""IST; it ends at midnight. Source: Upstox's Get Fund And Margin documentation; that orders keep the same
hours is a guess."""


class SimulatedBroker:
    """One run of one day. `instance` names the run: another run of the same day has another name.

    `trading` is what the kill switch asks and tells of orders and positions.
    """

    def __init__(self, day: SimulatedDay, settings: SimulatorSettings, wall: WallClock) -> None:
        """Stand at the start of the day; `player` makes it go."""
        start = ist(day.session.date, settings.start)
        self.settings: Final = settings
        self.clock: Final = SteppedClock(round(start.timestamp() * 1000), settings.speed)
        self.faults: Final = FaultInjector(lambda: self.clock.now_ms, contracts_of(day))
        self.exchange: Final = FaultyExchange(day, self.faults)
        self.accounts: Final = Accounts(settings.users, day.session.date)
        self.lifelines: Final = Lifelines(self.accounts.is_dead)
        self.hub: Final = FeedHub(self.exchange, self.clock, self.faults)
        self.dealing: Final = Dealing(self.exchange, self.clock, lambda user: self.account(User(user)).funds_paise)
        self.portfolio: Final = PortfolioHub(self.clock, self.faults, PortfolioWords(self.exchange, self.clock))
        self.dealing.books.listeners.append(self.portfolio.hear)
        self.player: Final = Player(self.clock, self.hub, settings, wall, self._before_step, self._settle)
        self.instance = f"sim-{day.name}-{secrets.token_hex(4)}"
        self._marks: ClockMarks | None = None
        self.trading: Trading = self.dealing
        self._rates = RateLimits()

    def resume(self, log: StateLog, entries: Iterable[Entry]) -> None:
        """Be the exchange that wrote `entries`, and write down in `log` what happens from now on."""
        self.instance = log.run.instance
        for entry in entries:
            match entry:
                case ClockAt(ms=ms):
                    self.clock.now_ms = max(self.clock.now_ms, ms)
                case Command():
                    self.dealing.replay(entry)
                case FaultEvent():
                    self.faults.replay(entry)
                case _:
                    self.accounts.replay([entry])
        self.dealing.advance(self.clock.now_ms)
        self.dealing.log, self.accounts.on_event, self.faults.on_event = log, log.append, log.append
        self._marks = ClockMarks(log, self.settings.speed)

    def _before_step(self, until: int) -> None:
        if self._marks is not None:
            self._marks.pass_to(until)
        self.dealing.advance(until)
        self._act_by_hand()
        self.portfolio.advance(until)
        self.lifelines.cut(until)

    def _act_by_hand(self) -> None:
        """Do what a fault script has the person do in the app."""
        held = {(one.user, one.position.instrument): one for one in self.dealing.held()}
        positions = [
            outcomes.Position(user=user, instrument=key, quantity=one.position.net, since_ms=one.since)
            for (user, key), one in held.items()
        ]
        for act in self.faults.due_acts(positions):
            one = held[act.user, InstrumentKey(act.instrument)]
            self.dealing.act_by_hand(act.user, one.position, act.quantity)

    async def _settle(self) -> None:
        """Return once every socket has taken what it was sent."""
        await self.hub.settle()
        await self.portfolio.settle()

    def caller(self, connection: HTTPConnection, api: str) -> User:
        """Return who calls `api`.

        Raises:
            Refusal: no valid token, or too many calls.
        """
        return self.token(connection, api).user

    def token(self, connection: HTTPConnection, api: str) -> Token:
        """Return with which token `api` is called.

        Raises:
            Refusal: no valid token, or too many calls.
        """
        token = token_of(connection)
        self.accounts.admit(token, self.clock.now_ms)
        self._count(token.user, api)
        return token

    def trader(self, connection: HTTPConnection, *, orders: int = 1) -> User:
        """Return who places, changes or cancels `orders` orders; each child of a slice is one.

        What a gateway knows of a caller comes first: token, its scope, the address, the rate. Whether there
        is service at that hour only the service behind it says. The order is a guess: it is not documented.

        Raises:
            Refusal: no valid token, a read-only one, an address that is not registered, too many orders, or
                no service at this hour.
        """
        token = token_of(connection)
        self.accounts.admit(token, self.clock.now_ms)
        self.require_full_token(token.user)
        self._require_address(connection, token.user)
        self._count_orders(token.user, orders)
        self.require_service()
        return token.user

    def anybody(self, connection: HTTPConnection, api: str) -> None:
        """Let everybody in but those with a bad token, as the broker's public endpoints do.

        Raises:
            Refusal: the token is bad, or its owner calls too often.
        """
        token = token_if_any(connection)
        if token is not None:
            self.accounts.admit(token, self.clock.now_ms)
            self._count(token.user, api)

    def account(self, user: User) -> Account:
        """Return what the user has and may do."""
        return self.accounts.account(user)

    def addresses(self, user: User) -> Addresses:
        """Return from where the user's orders may come."""
        return addresses_of(self.account(user), self.accounts.state.registrations.get(user.id))

    def brake(self, user: User) -> Brake:
        """Return the user's kill switch; its `require` tells whether a new order may go into a segment."""
        return Brake(user, self.account(user), self.accounts.state.killed.get(user.id, {}))

    def in_service(self) -> bool:
        """Whether funds and orders are served: 05:30 to midnight, IST, market time."""
        return self.clock.now().astimezone(IST).time() >= SERVICE_BEGINS_AT

    def require_service(self) -> None:
        """Let a call for money or orders pass that comes in service hours.

        Raises:
            Refusal: it comes at night.
        """
        if not self.in_service():
            raise out_of_service()

    def require_full_token(self, user: User) -> None:
        """Let a user pass whose tokens can do more than read.

        Raises:
            Refusal: they cannot.
        """
        if self.account(user).extended:
            raise read_only_token()

    def instrument(self, key: str) -> InstrumentKey:
        """Return the key of a listed instrument.

        Raises:
            Refusal: it is not listed.
        """
        if not self.exchange.knows(key):
            raise unknown_instrument(key)
        return InstrumentKey(key)

    def _require_address(self, connection: HTTPConnection, user: User) -> None:
        caller = None if connection.client is None else connection.client.host
        require_address(self.account(user), self.addresses(user), caller)

    def _count(self, user: User, api: str) -> None:
        if self.settings.rate_limits:
            self._rates.count(user.id, api, self.clock.now_ms)

    def _count_orders(self, user: User, orders: int) -> None:
        if self.settings.rate_limits:
            windows = REGISTERED_ALGO if self.account(user).registered_algo else ORDERS
            self._rates.count(user.id, "orders", self.clock.now_ms, orders, windows)


def required(connection: HTTPConnection, name: str) -> str:
    """Return a query parameter.

    Raises:
        Refusal: it is missing.
    """
    value = connection.query_params.get(name)
    if not value:
        raise missing_parameter(name)
    return value
