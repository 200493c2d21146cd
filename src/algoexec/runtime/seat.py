"""A session's place at its account: where its orders go out, and where the broker's word comes in."""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Final, NamedTuple, Protocol

from algoexec.domain.errors import DomainError
from algoexec.domain.instruments import InstrumentKey
from algoexec.domain.market import Quote
from algoexec.engine.effects import ModifyOrder, OrderEffect, ReadFunds, ReadPosition, SubmitOrder
from algoexec.engine.events import Event, OrderNotPlaced
from algoexec.engine.state import EngineState
from algoexec.engine.trading.marks import option_mark
from algoexec.engine.trading.orders import Phase, Purpose
from algoexec.engine.trading.trade import Trade
from algoexec.ports.broker import Broker
from algoexec.ports.credentials import AccessToken
from algoexec.ports.egress import Egress
from algoexec.runtime.order_path import Held, OrderPath

LONGEST_REQUEST_S: Final = 12.0
"""Waiting for its turn, connecting, reading: an order is sent only while the session is surely ours for so long."""


class Account(NamedTuple):
    """Where a session trades. `quoted` takes in live prices, for a broker that is made of them; None: it needs none."""

    broker: Broker
    quoted: Callable[[Quote, datetime], None] | None = None


class OpenAccount(Protocol):
    """Opens the account that a session trades at, by its mode."""

    def __call__(self, state: EngineState, token: AccessToken, egress: Egress, /) -> Account:
        """Return it; `state` says what is held there, `egress` how orders that leave do so."""


def no_accounts(state: EngineState, _: AccessToken, __: Egress, /) -> Account:
    """Open nothing: this process does not trade."""
    raise DomainError(f"session {state.session_id} wants to trade where nothing is traded")


class TradingSeat:
    """Trades for one session while `run` runs."""

    def __init__(
        self,
        account: Account,
        *,
        state: Callable[[], EngineState],
        tell: Callable[[Event], None],
        quotes: Mapping[InstrumentKey, Quote],
        may_send: Callable[[], bool],
        is_leaving: Callable[[], bool],
        now: Callable[[], datetime],
    ) -> None:
        """Sit at `account`; `state` is what the session now is, `now` the market time.

        While `is_leaving` no entry is sent: the process is about to stop.
        """
        self._account, self._state, self._tell, self._now = account, state, tell, now
        self._is_leaving = is_leaving
        self._path = OrderPath(
            account.broker,
            session_id=state().session_id,
            tell=tell,
            may_send=may_send,
            is_working=self._is_working,
            is_settled=self._is_settled,
            held=self._held,
            mark=lambda option: option_mark(quotes.get(option)),
        )

    async def run(self) -> None:
        """Trade until cancelled, or until the broker refuses the token; begin with what was left open."""
        trade = self._trade
        orders = () if trade is None else trade.orders
        unresolved = [order.ticket for order in orders if order.phase in (Phase.SENDING, Phase.UNKNOWN)]
        questions: list[OrderEffect] = [ReadFunds()]
        if trade is not None and trade.waits_for_position:
            questions.append(ReadPosition(instrument=trade.option.key))
        await self._path.run(unresolved, questions)

    def perform(self, effect: OrderEffect, *, is_journaled: bool) -> None:
        """Carry out an effect; one that is not in the journal only if it gets the session out of something."""
        is_entry = isinstance(effect, SubmitOrder | ModifyOrder) and effect.purpose is Purpose.ENTRY
        hindrance = self._hindrance(is_journaled=is_journaled) if is_entry else None
        if hindrance is None:
            self._path.perform(effect)
        elif isinstance(effect, SubmitOrder):
            self._tell(OrderNotPlaced(id=effect.ticket.id, was_sent=False, detail=hindrance))

    def _hindrance(self, *, is_journaled: bool) -> str | None:
        """Return why no entry is sent now, for a person; None when one is."""
        if not is_journaled:
            return "the journal cannot be written"
        return "the service is stopping" if self._is_leaving() else None

    def quoted(self, quotes: Sequence[Quote]) -> None:
        """Pass live prices on to an account that is made of them."""
        if self._account.quoted is not None:
            at = self._now()
            for quote in quotes:
                self._account.quoted(quote, at)

    @property
    def _trade(self) -> Trade | None:
        trading = self._state().trading
        return None if trading is None else trading.trade

    def _held(self) -> Held | None:
        trade = self._trade
        if trade is None or trade.opened_at is None or trade.open_units <= 0:
            return None
        return Held(trade.option.key, trade.open_units, trade.opened_at)

    def _is_working(self) -> bool:
        return self._trade is not None and self._trade.has_open_orders

    def _is_settled(self) -> bool:
        return self._trade is None or self._trade.is_settled
