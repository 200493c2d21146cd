"""Made-up days at the floor: markets and commands, as hypothesis strategies. Commands name orders that may not be."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import permutations
from typing import Any, Final

from hypothesis import strategies as st

from algoexec.domain.orders import OrderType, Product, Side, Validity
from algoexec.simulation.trading.account import Account
from algoexec.simulation.trading.checks import Contract, OrderRefused
from algoexec.simulation.trading.commands import (
    CancelAll,
    CancelGtt,
    CancelOrder,
    Command,
    ConvertPosition,
    ExitAll,
    ModifyOrder,
    OpenAccount,
    PlaceGtt,
    PlaceOrder,
)
from algoexec.simulation.trading.floor import FloorRules, TradingFloor
from algoexec.simulation.trading.gtt_orders import GttRequest, GttType, Rule, Strategy, Trigger
from algoexec.simulation.trading.intervention import NOTHING, Intervention
from algoexec.simulation.trading.matching import MarketView
from algoexec.simulation.trading.orders import OrderChange, OrderRequest
from tests.unit.simulation.trading.scripted import (
    ASHA,
    BALA,
    CALL,
    CLOSES,
    DUE_PUT,
    FUNDS,
    FUTURE,
    OPENS,
    SPOT,
    ScriptedMarket,
    view,
)

CHOSEN: Final = (CALL, FUTURE, DUE_PUT)
POOR: Final = 4_000_00
"""Paise for which there is little to be had."""

MIDDLES: Final = {CALL.key: 100.0, FUTURE.key: SPOT, DUE_PUT.key: 100.0}
moments = st.integers(500, CLOSES + 500)


# --- markets ------------------------------------------------------------------------------------------------------

rows = st.lists(st.integers(1, 4), max_size=3)


@st.composite
def scripts(draw: st.DrawFn, contract: Contract) -> tuple[MarketView, ...]:
    """Views at any moments while the market is open, never crossed; the last price may be anywhere."""
    stamps = draw(st.lists(st.integers(OPENS, CLOSES - 1), unique=True, min_size=3, max_size=12))
    return tuple(draw(_views(contract, at)) for at in (0, *sorted(stamps)))


@st.composite
def _views(draw: st.DrawFn, contract: Contract, at: int) -> MarketView:
    def price(ticks: int) -> float:
        return round(MIDDLES[contract.key] + ticks * contract.tick_size, 2)

    ask = draw(st.integers(-5, 6))
    return view(
        at,
        price(draw(st.integers(-6, 6))),
        asks=[(lots * 30, price(ask + row)) for row, lots in enumerate(draw(rows))],
        bids=[(lots * 30, price(ask - 1 - row)) for row, lots in enumerate(draw(rows))],
        traded=draw(st.integers(0, 5)) * 30,
    )


@st.composite
def markets(draw: st.DrawFn) -> ScriptedMarket:
    return ScriptedMarket(
        {contract.key: draw(scripts(contract)) for contract in CHOSEN},
        spots=((0, SPOT), (CLOSES - 1, draw(st.sampled_from((SPOT, SPOT - 150))))),
    )


# --- commands -----------------------------------------------------------------------------------------------------

_WHAT: Final = (
    ("place",) * 9 + ("modify",) * 4 + ("cancel",) * 2 + ("gtt", "gtt", "end gtt", "cancel all", "exit", "convert")
)
_GAPS: Final = (0, 3, 7, 10, 11, 40, 150, 400, 1_200)


@dataclass
class Scenario:
    """Draws commands one after the other; `scale` makes the gaps between them longer."""

    draw: st.DrawFn
    rules: FloorRules
    contracts: Sequence[Contract] = CHOSEN
    middle: float | None = None
    natural: bool = False
    scale: int = 1
    at: int = 0
    users: list[str] = field(default_factory=list)
    """Whose orders have the numbers from 1 on, as far as one can tell before they are placed."""

    def one_of[T](self, *choices: T) -> T:
        return self.draw(st.sampled_from(choices))

    def commands(self, count: int) -> list[Command]:
        funds = self.one_of(FUNDS, FUNDS, POOR)
        opened: list[Command] = [OpenAccount(at=0, user=user, funds=funds) for user in (ASHA, BALA)]
        self.at = self.rules.opens_at + self.one_of(0, 0, 1_500, -300)
        return opened + [self.command() for _ in range(count)]

    def command(self) -> Command:
        self.at += self.one_of(*_GAPS) * self.scale
        user = self.one_of(ASHA, ASHA, BALA)
        match self.one_of(*_WHAT) if self.users else "place":
            case "place":
                self.users.append(user)
                return PlaceOrder(at=self.at, user=user, request=self.request(), intervention=self.intervention())
            case "modify":
                number, user = self.number()
                hand = self.intervention()
                return ModifyOrder(at=self.at, user=user, change=self.change(number), intervention=hand)
            case "cancel":
                number, user = self.number()
                return CancelOrder(at=self.at, user=user, order_id=number, intervention=self.intervention())
            case "gtt":
                self.users.append(user)
                return PlaceGtt(at=self.at, user=user, request=self.gtt())
            case "end gtt":
                return CancelGtt(at=self.at, user=user, gtt_id=f"GTT-C{self.rules.on:%y%m%d}00000001")
            case "cancel all":
                return CancelAll(at=self.at, user=user, tag=self.one_of(None, "x"))
            case "exit":
                return ExitAll(at=self.at, user=user, tag=self.one_of(None, "x"), intervention=self.intervention())
            case _:
                old, new = self.one_of(*permutations(Product))
                key = self.one_of(*self.contracts).key
                return ConvertPosition(at=self.at, user=user, instrument=key, old=old, new=new, quantity=30)

    def number(self) -> tuple[str, str]:
        """Return the number of an order that there may be, and whose it may be."""
        place = self.draw(st.integers(0, len(self.users) - 1))
        return f"{self.rules.on:%y%m%d}{place + 1:09d}", self.users[place]

    def price(self, contract: Contract, ticks: int) -> float:
        middle = MIDDLES[contract.key] if self.middle is None else self.middle
        return round(middle + ticks * contract.tick_size, 2)

    def request(self) -> OrderRequest:
        contract, side = self.one_of(*self.contracts), self.one_of(*Side)
        kind = self.one_of(*[OrderType.LIMIT] * 4, OrderType.SL, OrderType.MARKET)
        trigger = self.draw(st.integers(-4, 4)) if kind.has_trigger else 0
        away = side.sign * self.draw(st.integers(0, 3)) if kind.has_trigger else self.draw(st.integers(-4, 4))
        is_open = self.rules.opens_at <= self.at < self.rules.closes_at
        return OrderRequest(
            instrument=contract.key,
            side=side,
            quantity=self.one_of(30, 30, 60, 60, 90, 150, 630, 31),
            type=kind,
            price=self.price(contract, trigger + away) if kind.has_limit else 0.0,
            trigger_price=self.price(contract, trigger) if kind.has_trigger else 0.0,
            product=self.one_of(*Product),
            validity=self.one_of(*[Validity.DAY] * 4, Validity.IOC),
            tag=self.one_of(None, "x"),
            is_amo=not is_open,
            slice=self.one_of(True, False),
            market_protection=self.one_of(-1.0, 1.0) if kind is OrderType.MARKET else 0.0,
        )

    def change(self, number: str) -> OrderChange:
        contract = self.one_of(*self.contracts)
        kind = self.one_of(OrderType.LIMIT, OrderType.LIMIT, OrderType.SL)
        price = self.price(contract, self.draw(st.integers(-4, 4)))
        return OrderChange(
            order_id=number,
            type=kind,
            validity=self.one_of(*[Validity.DAY] * 5, Validity.IOC),
            price=price,
            trigger_price=price if kind.has_trigger else 0.0,
            quantity=self.one_of(None, None, 30, 60, 120),
        )

    def intervention(self) -> Intervention:
        if self.one_of(True, True, False):
            return NOTHING
        return Intervention(
            reject=self.one_of(None, None, None, None, "RMS:no"),
            fill_at_most=self.one_of(None, None, None, 0, 30, 60),
            latency_ms=self.one_of(None, 0, 5, 200),
            fills_before_cancel=not self.natural and self.one_of(True, False),
        )

    def gtt(self) -> GttRequest:
        contract = self.one_of(*self.contracts)
        rules = [
            Rule(
                strategy=Strategy.ENTRY,
                trigger=self.one_of(*Trigger),
                price=self.price(contract, self.draw(st.integers(-3, 3))),
            )
        ]
        if self.one_of(True, False):
            stop = Rule(strategy=Strategy.STOPLOSS, trigger=Trigger.IMMEDIATE, price=self.price(contract, -3))
            target = Rule(strategy=Strategy.TARGET, trigger=Trigger.IMMEDIATE, price=self.price(contract, 3))
            rules += [stop, target]
        return GttRequest(
            type=GttType.SINGLE if len(rules) == 1 else GttType.MULTIPLE,
            instrument=contract.key,
            side=Side.BUY,
            quantity=self.one_of(30, 60),
            product=self.one_of(*Product),
            rules=tuple(rules),
        )


@st.composite
def commands(
    draw: st.DrawFn,
    rules: FloorRules,
    *,
    contracts: Sequence[Contract] = CHOSEN,
    middle: float | None = None,
    natural: bool = False,
    scale: int = 1,
) -> list[Command]:
    """Accounts for two users, and then whatever they think of; of `natural` ones the market makes every fill."""
    scenario = Scenario(draw, rules, contracts, middle, natural, scale)
    return scenario.commands(draw(st.integers(5, 20)))


# --- what becomes of them -----------------------------------------------------------------------------------------


def do(floor: TradingFloor, command: Command) -> str | tuple[str, ...]:
    """Apply a command; return the numbers of its orders, or why it was refused."""
    try:
        return floor.apply(command)
    except OrderRefused as refused:
        return f"{refused.why}: {refused}"


def ledger(floor: TradingFloor) -> dict[str, tuple[Account, list[Any]]]:
    """Return all that the books say, by user."""
    books = floor.books
    return {
        user: (
            account,
            [*(books.history(order.id) for order in books.orders(user)), *floor.gtts.of(user)],
        )
        for user, account in books.accounts.items()
    }
