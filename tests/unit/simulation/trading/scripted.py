"""A market whose every view is written down, and a floor to trade it on. Moments are small numbers."""

from bisect import bisect_right
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from itertools import zip_longest
from typing import Any, Final

from algoexec.domain.instruments import Future, InstrumentKey, Option, OptionType
from algoexec.domain.orders import OrderType, Product, Side, Validity
from algoexec.simulation.book import Book, Level
from algoexec.simulation.trading.account import Account
from algoexec.simulation.trading.checks import Band, Contract
from algoexec.simulation.trading.commands import (
    CancelOrder,
    Command,
    ModifyOrder,
    OpenAccount,
    PlaceOrder,
)
from algoexec.simulation.trading.floor import FloorRules, TradingFloor
from algoexec.simulation.trading.intervention import NOTHING, Intervention
from algoexec.simulation.trading.matching import MarketView
from algoexec.simulation.trading.orders import AUTOMATIC_PROTECTION, Order, OrderChange, OrderRequest, Status

ON: Final = date(2026, 10, 27)
LATER: Final = date(2026, 11, 23)
LOT: Final = 30
FREEZE: Final = 600

OPENS: Final = 1_000
SQUARES_OFF: Final = 8_000
CLOSES: Final = 10_000
LATENCY: Final = 10
RULES: Final = FloorRules(on=ON, opens_at=OPENS, squares_off_at=SQUARES_OFF, closes_at=CLOSES, latency_ms=LATENCY)

SPOT: Final = 50_000.0
ASHA: Final = "asha"
BALA: Final = "bala"
FUNDS: Final = 10_000_000_00
"""Ten million rupees."""


def option(number: int, kind: OptionType, strike: float, expiry: date) -> Option:
    return Option(
        key=InstrumentKey(f"NSE_FO|{number}"),
        name=f"{strike:g} {kind}",
        type=kind,
        strike=strike,
        expiry=expiry,
        lot=LOT,
        tick_size=0.05,
        freeze_quantity=FREEZE,
    )


def future(number: int, expiry: date) -> Future:
    key = InstrumentKey(f"NSE_FO|{number}")
    return Future(key=key, name="FUT", expiry=expiry, lot=LOT, tick_size=0.2, freeze_quantity=FREEZE)


CALL: Final = option(1, OptionType.CALL, SPOT, LATER)
PUT: Final = option(2, OptionType.PUT, SPOT, LATER)
FUTURE: Final = future(3, LATER)
DUE_CALL: Final = option(4, OptionType.CALL, SPOT - 100, ON)
DUE_PUT: Final = option(5, OptionType.PUT, SPOT - 100, ON)
DUE_FUTURE: Final = future(6, ON)
CONTRACTS: Final[dict[InstrumentKey, Contract]] = {
    contract.key: contract for contract in (CALL, PUT, FUTURE, DUE_CALL, DUE_PUT, DUE_FUTURE)
}
OPTION_BAND: Final = Band(0.05, 5_000.0)
FUTURE_BAND: Final = Band(45_000.0, 55_000.0)

type Rows = Sequence[tuple[int, float]]
"""Units and price, best first."""


def view(at: int, last: float, *, bids: Rows = (), asks: Rows = (), traded: int = 0) -> MarketView:
    levels = tuple(Level(bid[0], bid[1], ask[0], ask[1]) for bid, ask in zip_longest(bids, asks, fillvalue=(0, 0.0)))
    return MarketView(at, last, traded, Book(levels, sum(q for q, _ in bids), sum(q for q, _ in asks)))


@dataclass(frozen=True)
class ScriptedMarket:
    """Each instrument's views, oldest first; before the first one nobody offers anything."""

    scripts: Mapping[InstrumentKey, Sequence[MarketView]] = field(default_factory=dict)
    spots: Sequence[tuple[int, float]] = ((0, SPOT),)
    contracts: Mapping[InstrumentKey, Contract] = field(default_factory=lambda: CONTRACTS)

    def view(self, key: InstrumentKey, at: int) -> MarketView:
        script = self.scripts.get(key, ())
        place = bisect_right(script, at, key=lambda view: view.at)
        if place:
            return script[place - 1]
        first = 100.0 if isinstance(self.contracts[key], Option) else SPOT
        return MarketView(0, script[0].last if script else first, 0, None)

    def views(self, key: InstrumentKey, after: int, until: int) -> Iterator[MarketView]:
        return (view for view in self.scripts.get(key, ()) if after < view.at <= until)

    def band(self, key: InstrumentKey) -> Band:
        return OPTION_BAND if isinstance(self.contracts[key], Option) else FUTURE_BAND

    def spot(self, at: int) -> float:
        return [spot for since, spot in self.spots if since <= at][-1]


def limit(side: Side, quantity: int, price: float, contract: Contract = CALL, **more: Any) -> OrderRequest:
    return OrderRequest(
        instrument=contract.key, side=side, quantity=quantity, type=OrderType.LIMIT, price=price, **more
    )


def market(side: Side, quantity: int, contract: Contract = CALL, **more: Any) -> OrderRequest:
    more = {"market_protection": AUTOMATIC_PROTECTION} | more
    return OrderRequest(instrument=contract.key, side=side, quantity=quantity, type=OrderType.MARKET, **more)


def stop(
    side: Side, quantity: int, trigger: float, price: float, contract: Contract = CALL, **more: Any
) -> OrderRequest:
    return OrderRequest(
        instrument=contract.key,
        side=side,
        quantity=quantity,
        type=OrderType.SL,
        price=price,
        trigger_price=trigger,
        **more,
    )


class Pit:
    """A floor with two users who have money, and short words for what they do."""

    def __init__(
        self,
        *views: MarketView,
        contract: Contract = CALL,
        also: Mapping[InstrumentKey, Sequence[MarketView]] | None = None,
        spots: Sequence[tuple[int, float]] = ((0, SPOT),),
        funds: int = FUNDS,
    ) -> None:
        self.market = ScriptedMarket({contract.key: views} | dict(also or {}), spots)
        self.floor = TradingFloor(self.market, RULES)
        self.books = self.floor.books
        for user in (ASHA, BALA):
            self.do(OpenAccount(at=0, user=user, funds=funds))

    def do(self, command: Command) -> tuple[str, ...]:
        return self.floor.apply(command)

    def place(self, at: int, request: OrderRequest, user: str = ASHA, intervention: Intervention = NOTHING) -> str:
        """Place an order; return its number, of slices the first one's."""
        return self.do(PlaceOrder(at=at, user=user, request=request, intervention=intervention))[0]

    def modify(
        self, at: int, order_id: str, *, intervention: Intervention = NOTHING, user: str = ASHA, **changes: Any
    ) -> None:
        request = self.books.order(order_id).request
        kept: dict[str, Any] = {
            "type": request.type,
            "validity": request.validity,
            "price": request.price,
            "trigger_price": request.trigger_price,
        }
        change = OrderChange(order_id=order_id, **(kept | changes))
        self.do(ModifyOrder(at=at, user=user, change=change, intervention=intervention))

    def cancel(self, at: int, order_id: str, *, intervention: Intervention = NOTHING, user: str = ASHA) -> None:
        self.do(CancelOrder(at=at, user=user, order_id=order_id, intervention=intervention))

    def until(self, at: int) -> None:
        self.floor.advance(at)

    def order(self, order_id: str) -> Order:
        return self.books.order(order_id)

    def statuses(self, order_id: str) -> list[Status]:
        return [order.status for order in self.books.history(order_id)]

    def fills(self, order_id: str) -> list[tuple[int, int, float]]:
        """Return when how much was filled at which price."""
        trades = self.account(self.order(order_id).user).trades
        return [(trade.at, trade.quantity, trade.price) for trade in trades if trade.order_id == order_id]

    def account(self, user: str = ASHA) -> Account:
        return self.books.account(user)

    def net(self, contract: Contract = CALL, product: Product = Product.INTRADAY, user: str = ASHA) -> int:
        return self.account(user).position(contract.key, product).net

    def cash(self, at: int, user: str = ASHA) -> int:
        last = {key: round(self.market.view(key, at).last * 100) for key in CONTRACTS}
        return self.account(user).cash(CONTRACTS, last.__getitem__)


IOC: Final = Validity.IOC
BUY: Final = Side.BUY
SELL: Final = Side.SELL
