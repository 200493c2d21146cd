"""A broker whose order requests are timed and traced, and which is otherwise the one it stands before."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Final

from algoexec.domain.errors import (
    BrokerError,
    BrokerRefused,
    BrokerUnavailable,
    OutcomeUnknown,
    RateLimited,
    TokenRefused,
)
from algoexec.domain.instruments import InstrumentKey
from algoexec.domain.orders import OrderReport, OrderTerms, OrderTicket
from algoexec.ports.broker import Broker, BrokerNews, Urgency
from algoexec.telemetry.metrics import Meters

_OUTCOMES: Final = (
    (OutcomeUnknown, "unknown"),
    (TokenRefused, "token_refused"),
    (BrokerRefused, "refused"),
    (RateLimited, "rate_limited"),
    (BrokerUnavailable, "unavailable"),
)
"""What a failed request is counted as, the narrower error first."""

type Trace = Callable[[str, str], AbstractContextManager[None]]
"""Traces a request: what is asked, and the order it is about: by our id for `place`, else by the broker's."""


class MeasuredBroker(Broker):
    """Stands before a broker."""

    def __init__(self, broker: Broker, meters: Meters, trace: Trace | None = None) -> None:
        """Measure what `broker` is asked to do; `trace` None traces nothing."""
        self._broker, self._meters = broker, meters
        self._trace: Final[Trace] = trace or (lambda *_: nullcontext())

    async def place(self, ticket: OrderTicket, urgency: Urgency) -> str:
        """Hand an order in."""
        with self._measured("place", ticket.id):
            return await self._broker.place(ticket, urgency)

    async def modify(self, order_id: str, terms: OrderTerms, urgency: Urgency) -> None:
        """Ask for a working order to be changed."""
        with self._measured("modify", order_id):
            await self._broker.modify(order_id, terms, urgency)

    async def cancel(self, order_id: str, urgency: Urgency) -> None:
        """Ask for a working order to be withdrawn."""
        with self._measured("cancel", order_id):
            await self._broker.cancel(order_id, urgency)

    async def orders(self) -> Sequence[OrderReport]:
        """Return all of the account's orders of today."""
        return await self._broker.orders()

    async def positions(self) -> Mapping[InstrumentKey, int]:
        """Return the account's net units by instrument."""
        return await self._broker.positions()

    async def funds(self) -> int:
        """Return what can be spent now, in paise."""
        return await self._broker.funds()

    async def follow(self, tell: Callable[[BrokerNews], None]) -> None:
        """Tell news of the account's orders."""
        await self._broker.follow(tell)

    @contextmanager
    def _measured(self, action: str, order_id: str) -> Iterator[None]:
        begun, outcome = self._meters.clock.monotonic(), "failed"
        try:
            with self._trace(action, order_id):
                yield
            outcome = "ok"
        except BrokerError as error:
            outcome = next((name for kind, name in _OUTCOMES if isinstance(error, kind)), outcome)
            raise
        finally:
            seconds = self._meters.clock.monotonic() - begun
            self._meters.order_seconds.labels(action, outcome).observe(seconds)
