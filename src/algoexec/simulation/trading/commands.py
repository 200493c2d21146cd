"""What can be asked of the trading floor. Applying the same commands to the same market gives the same books."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from algoexec.domain.instruments import InstrumentKey
from algoexec.domain.orders import Product
from algoexec.simulation.trading.gtt_orders import GttRequest
from algoexec.simulation.trading.intervention import NOTHING, Intervention
from algoexec.simulation.trading.orders import OrderChange, OrderRequest


@dataclass(frozen=True, slots=True, kw_only=True)
class Command:
    """Something that `user` asks at a moment, in milliseconds since the epoch."""

    at: int
    user: str


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenAccount(Command):
    """Begin the day with so much cash, in paise; an account that is open stays as it is."""

    funds: int


@dataclass(frozen=True, slots=True, kw_only=True)
class PlaceOrder(Command):
    """Place an order, or its slices, which share the intervention."""

    request: OrderRequest
    intervention: Intervention = NOTHING


@dataclass(frozen=True, slots=True, kw_only=True)
class ModifyOrder(Command):
    """Change an order that is not finished."""

    change: OrderChange
    intervention: Intervention = NOTHING


@dataclass(frozen=True, slots=True, kw_only=True)
class CancelOrder(Command):
    """Withdraw an order that is not finished."""

    order_id: str
    intervention: Intervention = NOTHING


@dataclass(frozen=True, slots=True, kw_only=True)
class CancelAll(Command):
    """Withdraw every order that is not finished; with `tag` those that carry it. `interventions` by order."""

    tag: str | None = None
    interventions: Mapping[str, Intervention] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class ExitAll(Command):
    """Close every position at the market, shorts first; with `tag` those that orders with it opened.

    `interventions` say what befalls the exits from an instrument, `intervention` what befalls any other.
    """

    tag: str | None = None
    intervention: Intervention = NOTHING
    interventions: Mapping[InstrumentKey, Intervention] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class ConvertPosition(Command):
    """Move open units of a position to another product."""

    instrument: InstrumentKey
    old: Product
    new: Product
    quantity: int


@dataclass(frozen=True, slots=True, kw_only=True)
class PlaceGtt(Command):
    """Place an order that waits for a price."""

    request: GttRequest


@dataclass(frozen=True, slots=True, kw_only=True)
class ModifyGtt(Command):
    """Change what a GTT order waits for."""

    gtt_id: str
    request: GttRequest


@dataclass(frozen=True, slots=True, kw_only=True)
class CancelGtt(Command):
    """End what a GTT order waits for; an order that came of it goes on."""

    gtt_id: str


KINDS: Final[tuple[type[Command], ...]] = (
    OpenAccount,
    PlaceOrder,
    ModifyOrder,
    CancelOrder,
    CancelAll,
    ExitAll,
    ConvertPosition,
    PlaceGtt,
    ModifyGtt,
    CancelGtt,
)
"""All there are: whoever keeps commands can name them."""
