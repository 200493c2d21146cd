"""Tells portfolio sockets what becomes of orders and positions; whoever is away misses it, as in reality."""

from collections.abc import Mapping
from heapq import heappop, heappush
from itertools import count
from typing import Any, Final, Literal, Protocol

import orjson

from algoexec.simulation.trading.books import Update
from algoexec.simulator.faults.injector import FaultInjector
from algoexec.simulator.market_clock import SteppedClock
from algoexec.simulator.subscriber import Subscriber

type UpdateType = Literal["order", "gtt_order", "position", "holding"]
type Kinds = frozenset[UpdateType]

HELD_AT_MOST_MS: Final = 1_000
"""An update that is held back to be overtaken comes after so much market time even if nothing overtakes it."""


class Words(Protocol):
    """Puts updates into the stream's own words."""

    def __call__(self, update: Update) -> Mapping[str, Any]:
        """Return the message of an update, with its `update_type`."""


class PortfolioHub:
    """All portfolio sockets."""

    def __init__(self, clock: SteppedClock, faults: FaultInjector, words: Words) -> None:
        """Tell updates in `words`, at the times of `clock`, as far as `faults` let them come."""
        self._clock = clock
        self._faults = faults
        self._words = words
        self._subscribers: dict[Subscriber, Kinds] = {}
        self._late: list[tuple[int, int, str, Mapping[str, Any] | None]] = []
        self._count = count()

    def add(self, subscriber: Subscriber, kinds: Kinds) -> None:
        """Tell a socket of `kinds` from now on."""
        self._subscribers[subscriber] = kinds

    def remove(self, subscriber: Subscriber) -> None:
        """Forget a socket."""
        del self._subscribers[subscriber]

    async def settle(self) -> None:
        """Return once every socket has taken what it was sent."""
        while busy := next((s for s in self._subscribers if not s.is_settled), None):
            await busy.settled()

    def hear(self, update: Update) -> None:
        """Tell an update to the sockets of its user."""
        if not any(subscriber.user.id == update.user for subscriber in self._subscribers):
            return
        for delivery in self._faults.updates(update.user, self._words(update)):
            if delivery.delay_ms:
                self._tell_at(self._clock.now_ms + delivery.delay_ms, update.user, delivery.message)
            else:
                self._send(update.user, delivery.message)
        self._tell_at(self._clock.now_ms + HELD_AT_MOST_MS, update.user, None)

    def advance(self, until: int) -> None:
        """Tell what was late and is due now."""
        while self._late and self._late[0][0] <= until:
            _, _, user, message = heappop(self._late)
            messages = [held.message for held in self._faults.held_updates(user)] if message is None else [message]
            for one in messages:
                self._send(user, one)

    def _tell_at(self, due: int, user: str, message: Mapping[str, Any] | None) -> None:
        """Keep a message until it is due; None is whatever is held back then."""
        heappush(self._late, (due, next(self._count), user, message))

    def _send(self, user: str, message: Mapping[str, Any]) -> None:
        encoded = orjson.dumps(message).decode()
        for subscriber, kinds in self._subscribers.items():
            if subscriber.user.id == user and message["update_type"] in kinds:
                subscriber.offer(encoded)
