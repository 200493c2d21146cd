"""The broker as a place to trade, for one account."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import IntEnum
from typing import Protocol

from algoexec.domain.instruments import InstrumentKey
from algoexec.domain.orders import OrderReport, OrderTerms, OrderTicket


class Urgency(IntEnum):
    """Who goes first when the broker's rate limit makes requests wait."""

    EXIT = 0
    ENTRY = 1


@dataclass(frozen=True, slots=True)
class UpdatesBegin:
    """Order updates are told from now on; what happened before must be asked for."""


@dataclass(frozen=True, slots=True)
class UpdatesEnd:
    """Nothing is told until the next `UpdatesBegin`; `detail` says why, for a person."""

    detail: str


type BrokerNews = UpdatesBegin | UpdatesEnd | OrderReport


class Broker(Protocol):
    """One account at a broker.

    Reads raise `BrokerUnavailable` (try again), `RateLimited` (wait), `TokenRefused` (ask for a
    new token), `BrokerRefused` (it said no) or `DecodeError` (it made no sense).

    `place`, `modify` and `cancel` raise `BrokerUnavailable` (surely unsent), `RateLimited`,
    `TokenRefused` and `BrokerRefused` (surely not done), or `OutcomeUnknown`: whether it was done
    must be looked up, and it must never be sent again (architecture.md §2.5).
    """

    async def place(self, ticket: OrderTicket, urgency: Urgency) -> str:
        """Hand an order in; return the broker's number for it. It may still be rejected later."""

    async def modify(self, order_id: str, terms: OrderTerms, urgency: Urgency) -> None:
        """Ask for a working order to be changed. Whether it was, only a later report tells."""

    async def cancel(self, order_id: str, urgency: Urgency) -> None:
        """Ask for a working order to be withdrawn. Whether it was, only a later report tells."""

    async def orders(self) -> Sequence[OrderReport]:
        """Return all of the account's orders of today as they stand, whoever placed them."""

    async def positions(self) -> Mapping[InstrumentKey, int]:
        """Return the account's net units of product I by instrument; one that is flat may be absent."""

    async def funds(self) -> int:
        """Return what can be spent now, in paise."""

    async def follow(self, tell: Callable[[BrokerNews], None]) -> None:
        """Tell news of the account's orders, reconnecting for ever; ends by cancellation.

        Raises:
            TokenRefused: the access token is not valid any more.
        """
