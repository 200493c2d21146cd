"""Watches the prices that GTT orders wait for, and follows the orders that come of them."""

from collections.abc import Callable
from dataclasses import replace
from datetime import date
from typing import Final

from algoexec.domain.instruments import InstrumentKey
from algoexec.domain.orders import OrderType, Product, Side
from algoexec.simulation.trading.books import Books, Update
from algoexec.simulation.trading.checks import OrderRefused, Why
from algoexec.simulation.trading.gtt_orders import (
    Gtt,
    GttRequest,
    GttType,
    Rule,
    RuleStatus,
    Strategy,
    Trigger,
    require_gtt_sense,
)
from algoexec.simulation.trading.matching import MarketView
from algoexec.simulation.trading.orders import AUTOMATIC_PROTECTION, Order, OrderRequest, Status

type Place = Callable[[str, OrderRequest, int], Order]
"""Accepts an order of a user at a moment."""

YEAR_MS: Final = 365 * 86_400_000
PLACED_BY: Final = "GTT"


class GttBook:
    """All GTT orders. `closes_at` ends those for product I; others are good for a year."""

    def __init__(self, on: date, closes_at: int, books: Books, place: Place) -> None:
        """Begin with none; orders go through `place`."""
        self._numbers = f"{on:%y%m%d}"
        self._closes_at = closes_at
        self._books = books
        self._place = place
        self._gtts: dict[str, Gtt] = {}
        self._by_order: dict[str, tuple[str, Strategy]] = {}
        books.listeners.append(self._hear)

    def of(self, user: str) -> list[Gtt]:
        """Return a user's GTT orders, oldest first."""
        return [gtt for gtt in self._gtts.values() if gtt.user == user]

    def own(self, user: str, gtt_id: str) -> Gtt:
        """Return a user's own GTT order.

        Raises:
            OrderRefused: there is none, or it is somebody else's.
        """
        gtt = self._gtts.get(gtt_id)
        if gtt is None or gtt.user != user:
            raise OrderRefused(Why.NO_SUCH_ORDER, f"Unknown gtt order id: {gtt_id}")
        return gtt

    def watched(self) -> set[InstrumentKey]:
        """Return the instruments whose prices are waited for."""
        return {gtt.request.instrument for gtt in self._gtts.values() if gtt.waits}

    def open(self, user: str, request: GttRequest, at: int) -> Gtt:
        """Take a GTT order in; an entry that is immediate goes out at once.

        Raises:
            OrderRefused: it makes no sense.
        """
        require_gtt_sense(request)
        kind = "C" if request.type is GttType.SINGLE else "CU"
        gtt = Gtt(
            id=f"GTT-{kind}{self._numbers}{len(self._gtts) + 1:08d}",
            user=user,
            request=request,
            rules=request.rules,
            created_at=at,
            expires_at=self._closes_at if request.product is Product.INTRADAY else at + YEAR_MS,
        )
        self._schedule(gtt, Strategy.ENTRY)
        if (entry := gtt.rule(Strategy.ENTRY)) is not None and entry.trigger is Trigger.IMMEDIATE:
            self._fire(gtt.id, Strategy.ENTRY, at)
        return self._gtts[gtt.id]

    def change(self, gtt: Gtt, request: GttRequest) -> Gtt:
        """Give the rules that still wait other prices, and before the entry another quantity.

        Raises:
            OrderRefused: it makes no sense, or it is too late for that.
        """
        require_gtt_sense(request)
        entry = gtt.rule(Strategy.ENTRY)
        has_entered = entry is not None and entry.status is not RuleStatus.SCHEDULED
        if gtt.is_over or (has_entered and request.quantity != gtt.request.quantity):
            raise OrderRefused(Why.ORDER_FINISHED, "The gtt order can no longer be changed like that")
        if {rule.strategy for rule in request.rules} != {rule.strategy for rule in gtt.rules}:
            raise OrderRefused(Why.INVALID, "rules can be changed, not added or taken away")
        wanted = {rule.strategy: rule for rule in request.rules}
        rules = tuple(
            replace(wanted[rule.strategy], status=rule.status)
            if rule.status in (RuleStatus.PENDING, RuleStatus.SCHEDULED)
            else rule
            for rule in gtt.rules
        )
        return self._keep(replace(gtt, request=request, rules=rules))

    def withdraw(self, gtt: Gtt) -> Gtt:
        """End what still waits.

        Raises:
            OrderRefused: nothing does.
        """
        if gtt.is_over:
            raise OrderRefused(Why.ORDER_FINISHED, "The gtt order is over")
        return self._end(gtt, RuleStatus.CANCELLED)

    def see(self, key: InstrumentKey, view: MarketView) -> None:
        """Act on a new price."""
        for gtt in [gtt for gtt in self._gtts.values() if gtt.waits and gtt.request.instrument == key]:
            for rule in gtt.rules:
                if rule.status is RuleStatus.SCHEDULED and not self._gtts[gtt.id].is_over:
                    self._judge(gtt, rule, view)

    def close(self, at: int) -> None:
        """End what expires with the day."""
        for gtt in [gtt for gtt in self._gtts.values() if not gtt.is_over and gtt.expires_at <= at]:
            self._end(gtt, RuleStatus.EXPIRED)

    def _judge(self, gtt: Gtt, rule: Rule, view: MarketView) -> None:
        rule = _trailed(rule, gtt.side_of(rule), view.last)
        if _is_reached(rule, gtt.side_of(rule), view.last):
            self._fire(gtt.id, rule.strategy, view.at)
        elif rule != gtt.rule(rule.strategy):
            # Told only when it acts: a trailing stop moves with every price.
            self._gtts[gtt.id] = self._gtts[gtt.id].with_rule(rule)

    def _fire(self, gtt_id: str, strategy: Strategy, at: int) -> None:
        """Send a rule's order; of two exits the other one ends."""
        gtt = self._gtts[gtt_id]
        rule = gtt.rule(strategy)
        if rule is None or rule.status is not RuleStatus.SCHEDULED:
            return
        gtt = gtt.with_rule(replace(rule, status=RuleStatus.TRIGGERED))
        if strategy is not Strategy.ENTRY:
            gtt = _without_others(gtt, strategy, RuleStatus.CANCELLED)
        self._keep(gtt)
        order = self._place(gtt.user, _order_of(gtt, rule), at)
        self._by_order[order.id] = (gtt_id, strategy)
        self._hear(order)

    def _hear(self, update: Update) -> None:
        """Follow the orders that came of rules."""
        if not isinstance(update, Order) or (found := self._by_order.get(update.id)) is None:
            return
        gtt_id, strategy = found
        gtt = self._gtts[gtt_id]
        rule = gtt.rule(strategy)
        status = _status_after(update.status)
        if rule is None or rule.status.is_over or (rule.status, rule.order_id) == (status, update.id):
            return
        gtt = gtt.with_rule(replace(rule, status=status, order_id=update.id, message=update.message))
        if strategy is Strategy.ENTRY and status in (RuleStatus.FAILED, RuleStatus.CANCELLED):
            gtt = _without_others(gtt, strategy, RuleStatus.CANCELLED)
        self._keep(gtt)
        if strategy is Strategy.ENTRY and status is RuleStatus.COMPLETED:
            self._schedule(gtt, Strategy.STOPLOSS, Strategy.TARGET)

    def _schedule(self, gtt: Gtt, *strategies: Strategy) -> None:
        for strategy in strategies:
            if (rule := gtt.rule(strategy)) is not None:
                gtt = gtt.with_rule(replace(rule, status=RuleStatus.SCHEDULED))
        self._keep(gtt)

    def _end(self, gtt: Gtt, status: RuleStatus) -> Gtt:
        rules = tuple(
            replace(rule, status=status) if rule.status in (RuleStatus.PENDING, RuleStatus.SCHEDULED) else rule
            for rule in gtt.rules
        )
        return self._keep(replace(gtt, rules=rules))

    def _keep(self, gtt: Gtt) -> Gtt:
        self._gtts[gtt.id] = gtt
        self._books.say(gtt)
        return gtt


def _without_others(gtt: Gtt, strategy: Strategy, status: RuleStatus) -> Gtt:
    rules = tuple(
        rule if rule.strategy is strategy or rule.status.is_over else replace(rule, status=status) for rule in gtt.rules
    )
    return replace(gtt, rules=rules)


def _status_after(status: Status) -> RuleStatus:
    match status:
        case Status.COMPLETE:
            return RuleStatus.COMPLETED
        case Status.REJECTED:
            return RuleStatus.FAILED
        case Status.CANCELLED | Status.AMO_CANCELLED:
            return RuleStatus.CANCELLED
        case Status.RECEIVED | Status.VALIDATING | Status.OPEN_PENDING:
            return RuleStatus.TRIGGERED
        case _:
            return RuleStatus.OPEN


def _is_reached(rule: Rule, side: Side, last: float) -> bool:
    """Whether the last price is where the rule acts: a stop sells below, a target above, and the other way round."""
    rises = {
        Strategy.ENTRY: rule.trigger is Trigger.ABOVE,
        Strategy.STOPLOSS: side is Side.BUY,
        Strategy.TARGET: side is Side.SELL,
    }[rule.strategy]
    return last >= rule.price if rises else last <= rule.price


def _trailed(rule: Rule, side: Side, last: float) -> Rule:
    """Return a trailing stop after a price: it follows the best one at its gap, and never goes back."""
    if rule.trailing_gap is None:
        return rule
    better = max if side is Side.SELL else min
    best = last if rule.best is None else better(rule.best, last)
    behind = round(best + side.sign * rule.trailing_gap, 2)
    return replace(rule, best=best, price=better(rule.price, behind))


def _order_of(gtt: Gtt, rule: Rule) -> OrderRequest:
    """Return the order of a rule: at the trigger price, or at the market within its protection."""
    protection = rule.market_protection
    if protection is None and rule.strategy is Strategy.STOPLOSS:
        protection = AUTOMATIC_PROTECTION
    at_market = bool(protection)
    return OrderRequest(
        instrument=gtt.request.instrument,
        side=gtt.side_of(rule),
        quantity=gtt.request.quantity,
        type=OrderType.MARKET if at_market else OrderType.LIMIT,
        price=0.0 if at_market else rule.price,
        product=gtt.request.product,
        market_protection=protection or 0.0,
        placed_by=PLACED_BY,
    )
