"""A broker that trades on paper: the matching of the simulator, at the quotes of the real market.

Its orders take the time that real ones take, meet no more than what is displayed, and are
rejected for the reasons for which the exchange rejects. None of them touches the network, and
none moves the market: that is what paper cannot show.
"""

import asyncio
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime

from algoexec.domain.calendar import TradingDay
from algoexec.domain.instruments import Contracts, InstrumentKey
from algoexec.domain.market import Quote
from algoexec.domain.orders import OrderReport, OrderTerms, OrderTicket
from algoexec.ports.broker import Broker, BrokerNews, UpdatesBegin, Urgency
from algoexec.ports.clock import MarketClock
from algoexec.simulation.trading.paper import PaperAccount, PaperRules, milliseconds, moment


class PaperBroker(Broker):
    """One account of one day on paper.

    Whoever has the quotes pushes them by `quoted`, those of the index too. Besides them it goes
    by the market clock: whenever it is asked something, and by itself while it is followed.
    """

    def __init__(
        self,
        clock: MarketClock,
        day: TradingDay,
        contracts: Contracts,
        *,
        capital: int,
        held: Mapping[InstrumentKey, int] | None = None,
        lost: Iterable[OrderReport] = (),
        rules: PaperRules | None = None,
    ) -> None:
        """Open an account that can spend `capital`, in paise; `held` and `lost` as in `PaperAccount`.

        Raises:
            DomainError: something is held that is not among `contracts`.
            BrokerUnavailable: the clock does not know the time yet.
        """
        self._clock = clock
        self._account = PaperAccount(
            day, contracts, at=milliseconds(clock.now()), capital=capital, held=held, lost=lost, rules=rules
        )
        self._rescheduled = asyncio.Event()

    def quoted(self, quote: Quote, at: datetime) -> None:
        """Let orders meet a quote that was told at `at`, market time; one of the index moves the margins."""
        self._account.quoted(quote, milliseconds(at))

    async def place(self, ticket: OrderTicket, urgency: Urgency) -> str:
        """Take an order in; return its number.

        Raises:
            BrokerUnavailable: the instrument has no price yet.
        """
        try:
            return self._account.place(ticket, self._time())
        finally:
            self._rescheduled.set()

    async def modify(self, order_id: str, terms: OrderTerms, urgency: Urgency) -> None:
        """Take a change of a working order in."""
        try:
            self._account.modify(order_id, terms, self._time())
        finally:
            self._rescheduled.set()

    async def cancel(self, order_id: str, urgency: Urgency) -> None:
        """Take the withdrawal of a working order in."""
        try:
            self._account.cancel(order_id, self._time())
        finally:
            self._rescheduled.set()

    async def orders(self) -> Sequence[OrderReport]:
        """Return all orders, those lost at a restart first. Those of the evening's square-off are nobody's."""
        return self._account.orders(self._time())

    async def positions(self) -> Mapping[InstrumentKey, int]:
        """Return net units of product I."""
        return self._account.positions(self._time())

    async def funds(self) -> int:
        """Return the cash that no waiting buy and no short binds, in paise."""
        return self._account.funds(self._time())

    async def follow(self, tell: Callable[[BrokerNews], None]) -> None:
        """Tell what becomes of orders, and keep the time, until cancelled; the connection never ends."""
        # What was due while nobody followed is of the past.
        self._account.advance(self._time())
        tell(UpdatesBegin())
        self._account.listeners.append(tell)
        try:
            while True:
                await self._until_due()
                self._account.advance(self._time())
        finally:
            self._account.listeners.remove(tell)

    def _time(self) -> int:
        return milliseconds(self._clock.now())

    async def _until_due(self) -> None:
        """Return once the clock has reached what is due next, or something else may be due before."""
        self._rescheduled.clear()
        waits: list[asyncio.Task[bool]] = [asyncio.create_task(self._rescheduled.wait(), name="paper-rescheduled")]
        if (due := self._account.due()) is not None:
            waits.append(asyncio.create_task(self._reached(due), name="paper-due"))
        try:
            done, _ = await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for wait in waits:
                wait.cancel()
        for wait in done:
            wait.result()

    async def _reached(self, due: int) -> bool:
        await self._clock.wait_until(moment(due))
        return True
