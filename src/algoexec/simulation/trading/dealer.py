"""Carries an order from its request to its end: the broker's checks, the exchange, the fills."""

from collections import defaultdict
from dataclasses import replace
from functools import partial
from itertools import count
from typing import Final

from algoexec.domain.instruments import InstrumentKey
from algoexec.domain.orders import Validity
from algoexec.simulation.trading.account import bound_by
from algoexec.simulation.trading.agenda import Agenda, Task
from algoexec.simulation.trading.books import Books
from algoexec.simulation.trading.checks import OrderRefused, Why, protected_limit, rejection_of, require_sense
from algoexec.simulation.trading.intervention import NOTHING, Intervention
from algoexec.simulation.trading.market import Market
from algoexec.simulation.trading.matching import MarketView, Match, Matcher, Stop, Working
from algoexec.simulation.trading.orders import Order, OrderChange, OrderRequest, Status, to_paise


class Dealer:
    """Moves orders along. What takes time is put on the agenda; moments are milliseconds since the epoch."""

    def __init__(self, market: Market, books: Books, agenda: Agenda, latency_ms: int) -> None:
        """Deal in `market`; `latency_ms` is the way from the broker to the exchange, in market time."""
        self.matchers: Final[dict[InstrumentKey, Matcher]] = defaultdict(Matcher)
        self._market = market
        self._books = books
        self._agenda = agenda
        self._latency = latency_ms
        self._interventions: dict[str, Intervention] = {}
        self._ranks = count(1)

    # --- what the broker does at once -----------------------------------------------------------------------------

    def accept(self, user: str, request: OrderRequest, at: int, intervention: Intervention = NOTHING) -> Order:
        """Take an order in and send it on its way; an order for the next open waits for `release`."""
        order = self._books.open_order(user, request, at)
        self._interventions[order.id] = intervention
        if request.is_amo:
            return self._books.turn(order, Status.AMO_RECEIVED, at)
        return self.release(order, at)

    def release(self, order: Order, at: int) -> Order:
        """Check an order and send it to the exchange."""
        order = self._books.turn(order, Status.VALIDATING, at, limit=self._limit_of(order.request, at))
        intervention = self._interventions[order.id]
        if (text := intervention.reject or self._rejection(order, at)) is not None:
            return self._books.turn(order, Status.REJECTED, at, message=text)
        order = self._books.turn(order, Status.OPEN_PENDING, at)
        self._later(at, intervention, partial(self._arrive, order.id))
        return order

    def change(self, order: Order, change: OrderChange, at: int, intervention: Intervention = NOTHING) -> Order:
        """Take a change in and send it on its way.

        Raises:
            OrderRefused: the order is finished, or the change makes no sense.
        """
        self._require_working(order)
        request = change.of(order.request)
        require_sense(request)
        if request.quantity <= order.filled:
            raise OrderRefused(Why.INVALID, f"{order.filled} units of the order are filled already")
        if order.status.is_after_market:
            return self._books.turn(order, Status.AMO_MODIFIED, at, request=request)
        order = self._books.turn(order, Status.MODIFY_VALIDATING, at)
        order = self._books.turn(order, Status.MODIFY_PENDING, at)
        self._later(at, intervention, partial(self._amend, order.id, change, intervention))
        return order

    def withdraw(self, order: Order, at: int, intervention: Intervention = NOTHING) -> Order:
        """Take a cancellation in and send it on its way.

        Raises:
            OrderRefused: the order is finished.
        """
        if intervention.fills_before_cancel and order.exchange_id is not None and order.is_working:
            self._pull(order)
            order = self._books.fill(Match(order.id, order.remaining, order.limit), at)
        self._require_working(order)
        if order.status.is_after_market:
            return self._books.turn(order, Status.AMO_CANCELLED, at)
        order = self._books.turn(order, Status.CANCEL_PENDING, at)
        self._later(at, intervention, partial(self._end, order.id))
        return order

    def end(self, order: Order, at: int, message: str) -> None:
        """Cancel an order at once, as the exchange does at its close."""
        self._pull(order)
        after_market = order.status.is_after_market
        self._books.turn(order, Status.AMO_CANCELLED if after_market else Status.CANCELLED, at, message=message)

    # --- what happens at the exchange -----------------------------------------------------------------------------

    def show(self, key: InstrumentKey, view: MarketView) -> None:
        """Let resting orders and stops of an instrument meet a newer view."""
        shown = self.matchers[key].show(view)
        self._enter(shown.matches, view.at)
        for order_id in shown.triggered:
            order = self._books.turn(self._books.order(order_id), Status.OPEN, view.at)
            self._work(order, view.at)

    def refresh(self, key: InstrumentKey, at: int) -> None:
        """Let an instrument's orders meet the market as it stands."""
        self.show(key, self._market.view(key, at))

    def _arrive(self, order_id: str, at: int) -> None:
        order = self._books.order(order_id)
        if not order.is_working:
            return
        self.refresh(order.request.instrument, at)
        self._enlist(replace(order, exchange_id=f"1{order.id}", exchange_at=at), at)

    def _enlist(self, order: Order, at: int) -> None:
        """Let an order rest, wait for its trigger, or trade."""
        request = order.request
        if request.type.has_trigger:
            stop = Stop(order.id, request.side, request.trigger_price)
            order = self._books.turn(order, Status.TRIGGER_PENDING, at)
            if not self.matchers[request.instrument].wait(stop):
                return
        self._work(self._books.turn(order, Status.OPEN, at), at)

    def _work(self, order: Order, at: int) -> None:
        """Match an order that the exchange has; what is left rests, or ends."""
        fillable = self._fillable(order)
        request = order.request
        if fillable:
            working = Working(order.id, order.user, request.side, order.limit, fillable, next(self._ranks))
            rests = request.validity is Validity.DAY
            self._enter(self.matchers[request.instrument].arrive(working, rests=rests), at)
        order = self._books.order(order.id)
        if request.validity is Validity.IOC and order.is_working:
            self._books.turn(order, Status.CANCELLED, at, message="IOC order: the rest found nobody")

    def _amend(self, order_id: str, change: OrderChange, intervention: Intervention, at: int) -> None:
        before = self._books.order(order_id)
        if not before.is_working:
            return
        request = change.of(before.request)
        # An order that only asks for less stays where it is, market protection too.
        limit = before.limit if _asks_for_less(before.request, request) else self._limit_of(request, at)
        order = replace(before, request=request, limit=limit)
        text = intervention.reject or self._rejection(order, at, before)
        if text is None and request.quantity <= before.filled:
            text = "RMS:Rule: filled beyond the new quantity"
        if text is not None:
            stands = self._standing(before)
            order = self._books.turn(before, Status.NOT_MODIFIED, at, message=text)
            self._books.turn(order, stands, at, message=None)
            return
        order = self._books.turn(order, Status.MODIFIED, at)
        if order.exchange_id is None:
            self._books.turn(order, Status.OPEN_PENDING, at)
        else:
            self._re_enter(before, order, at)

    def _re_enter(self, before: Order, order: Order, at: int) -> None:
        """Put a modified order back: it keeps its place in time only if it asks for less at the same price."""
        matcher = self.matchers[order.request.instrument]
        if _asks_for_less(before.request, order.request):
            if order.id in matcher:
                matcher.shrink(order.id, order.remaining)
            self._books.turn(order, self._standing(order), at)
            return
        was_triggered = before.request.type.has_trigger and self._standing(before) is Status.OPEN
        self._pull(before)
        self.refresh(order.request.instrument, at)
        if was_triggered:
            self._work(self._books.turn(order, Status.OPEN, at), at)
        else:
            self._enlist(order, at)

    def _end(self, order_id: str, at: int) -> None:
        order = self._books.order(order_id)
        if order.is_working:
            self._pull(order)
            self._books.turn(order, Status.CANCELLED, at)

    # --- what both need -------------------------------------------------------------------------------------------

    def _rejection(self, order: Order, at: int, before: Order | None = None) -> str | None:
        """Return why an order, or its change from what it was `before`, is rejected; None if it is not."""
        request = order.request
        contract = self._market.contracts[request.instrument]
        if (text := rejection_of(request, contract, self._market.band(request.instrument))) is not None:
            return text
        account = self._books.account(order.user)
        others = [other for other in self._books.working(order.user) if other.id != order.id]
        spot = to_paise(self._market.spot(at))
        needed = bound_by(account, [*others, order], self._market.contracts, spot).total
        available = account.cash(self._market.contracts, lambda key: to_paise(self._market.view(key, at).last))
        # Whoever is short of money may still get out of what he holds, and ask for less.
        standing = others if before is None else [*others, before]
        if needed <= available or needed <= bound_by(account, standing, self._market.contracts, spot).total:
            return None
        return f"RMS:Margin Exceeds,Cash Available:{available / 100:.2f},Required:{needed / 100:.2f}"

    def _limit_of(self, request: OrderRequest, at: int) -> float:
        if request.type.has_limit:
            return request.price
        reference = request.trigger_price or self._market.view(request.instrument, at).last
        contract = self._market.contracts[request.instrument]
        return protected_limit(request, contract, reference, self._market.band(request.instrument))

    def _require_working(self, order: Order) -> None:
        if not order.is_working:
            raise OrderRefused(Why.ORDER_FINISHED, f"The order is already {order.status}")

    def _standing(self, order: Order) -> Status:
        """Return how an order stands when nothing is pending."""
        if order.exchange_id is None:
            return Status.OPEN_PENDING
        waits = self.matchers[order.request.instrument].waits(order.id)
        return Status.TRIGGER_PENDING if waits else Status.OPEN

    def _fillable(self, order: Order) -> int:
        most = self._interventions[order.id].fill_at_most
        return order.remaining if most is None else max(0, min(order.remaining, most - order.filled))

    def _enter(self, matches: list[Match], at: int) -> None:
        for match in matches:
            self._books.fill(match, at)

    def _pull(self, order: Order) -> None:
        self.matchers[order.request.instrument].withdraw(order.id)

    def _later(self, at: int, intervention: Intervention, task: Task) -> None:
        latency = self._latency if intervention.latency_ms is None else intervention.latency_ms
        self._agenda.add(at + latency, task)


def _asks_for_less(before: OrderRequest, request: OrderRequest) -> bool:
    """Whether a change does no more than take units off."""
    return request.quantity <= before.quantity and replace(request, quantity=before.quantity) == before
