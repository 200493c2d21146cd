"""Orders that wait at the broker for a price: good till triggered.

Source: Upstox's GTT documentation, 2026: one rule, or an entry with up to two exits of which
the first ends the other. An exit's `IMMEDIATE` means that it waits from the entry's fill on.
"""

from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Final

from algoexec.domain.instruments import InstrumentKey
from algoexec.domain.orders import Product, Side
from algoexec.simulation.trading.checks import OrderRefused, Why


class GttType(StrEnum):
    """Whether there is one rule or more."""

    SINGLE = "SINGLE"
    MULTIPLE = "MULTIPLE"


class Strategy(StrEnum):
    """What a rule is for."""

    ENTRY = "ENTRY"
    STOPLOSS = "STOPLOSS"
    TARGET = "TARGET"


class Trigger(StrEnum):
    """When a rule acts."""

    ABOVE = "ABOVE"
    BELOW = "BELOW"
    IMMEDIATE = "IMMEDIATE"


class RuleStatus(StrEnum):
    """How a rule stands. `TRIGGERED`: its order is on its way; `OPEN`: it is at the exchange."""

    PENDING = "PENDING"
    SCHEDULED = "SCHEDULED"
    TRIGGERED = "TRIGGERED"
    OPEN = "OPEN"
    COMPLETED = "COMPLETED"
    CANCELLED = "CANCELLED"
    FAILED = "FAILED"
    EXPIRED = "EXPIRED"

    @property
    def is_over(self) -> bool:
        """Whether nothing comes of the rule any more."""
        return self in _OVER


_OVER: Final = frozenset({RuleStatus.COMPLETED, RuleStatus.CANCELLED, RuleStatus.FAILED, RuleStatus.EXPIRED})


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """One rule. Prices in rupees; `trailing_gap` None: the stop stays where it is.

    `best` is the best price for the position since a trailing stop waits. `market_protection`
    is as with orders; None: an order at the trigger price, and the broker's table for a stop.
    """

    strategy: Strategy
    trigger: Trigger
    price: float
    trailing_gap: float | None = None
    market_protection: float | None = None
    status: RuleStatus = RuleStatus.PENDING
    message: str | None = None
    order_id: str | None = None
    best: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class GttRequest:
    """What a client asks for; `side` is the entry's."""

    type: GttType
    instrument: InstrumentKey
    side: Side
    quantity: int
    product: Product
    rules: tuple[Rule, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Gtt:
    """A GTT order as it stands; moments are milliseconds since the epoch."""

    id: str
    user: str
    request: GttRequest
    rules: tuple[Rule, ...]
    created_at: int
    expires_at: int

    @property
    def is_over(self) -> bool:
        """Whether every rule is."""
        return all(rule.status.is_over for rule in self.rules)

    @property
    def waits(self) -> bool:
        """Whether a rule waits for a price."""
        return any(rule.status is RuleStatus.SCHEDULED for rule in self.rules)

    def side_of(self, rule: Rule) -> Side:
        """Return which way a rule trades."""
        return self.request.side if rule.strategy is Strategy.ENTRY else self.request.side.opposite

    def rule(self, strategy: Strategy) -> Rule | None:
        """Return the rule of a strategy; None without one."""
        return next((rule for rule in self.rules if rule.strategy is strategy), None)

    def with_rule(self, changed: Rule) -> "Gtt":
        """Return this with one rule replaced."""
        rules = tuple(changed if rule.strategy is changed.strategy else rule for rule in self.rules)
        return replace(self, rules=rules)


def require_gtt_sense(request: GttRequest) -> None:
    """Refuse a request that contradicts itself.

    Raises:
        OrderRefused: see its message.
    """
    strategies = [rule.strategy for rule in request.rules]
    if strategies.count(Strategy.ENTRY) != 1 or len(set(strategies)) != len(strategies):
        raise OrderRefused(Why.INVALID, "rules need one ENTRY, and at most one STOPLOSS and one TARGET")
    if (request.type is GttType.SINGLE) != (len(strategies) == 1):
        raise OrderRefused(Why.INVALID, "type is SINGLE with one rule, MULTIPLE with more")
    if request.quantity <= 0 or any(rule.price <= 0 for rule in request.rules):
        raise OrderRefused(Why.INVALID, "quantity and trigger_price must be positive")
    for rule in request.rules:
        if rule.strategy is not Strategy.ENTRY and rule.trigger is not Trigger.IMMEDIATE:
            raise OrderRefused(Why.INVALID, f"trigger_type of {rule.strategy} must be IMMEDIATE")
        if rule.trailing_gap is not None and (rule.strategy is not Strategy.STOPLOSS or rule.trailing_gap <= 0):
            raise OrderRefused(Why.INVALID, "trailing_gap is positive, and for STOPLOSS only")
