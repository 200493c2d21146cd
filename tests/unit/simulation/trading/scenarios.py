"""Made-up days at the floor: markets and commands, as hypothesis strategies. Commands name orders that may not be."""

from collections.abc import Sequence
from typing import Any, Final

from hypothesis import strategies as st

from algoexec.domain.instruments import InstrumentKey
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
    FUTURE,
    OPENS,
    SPOT,
    ScriptedMarket,
    view,
)

CHOSEN: Final = (CALL, FUTURE, DUE_PUT)
USERS: Final = (ASHA, BALA)
POOR: Final = 4_000_00
"""Paise for which there is little to be had."""

MIDDLES: Final = {CALL.key: 100.0, FUTURE.key: SPOT, DUE_PUT.key: 100.0}
moments = st.integers(500, CLOSES + 500)


def price_of(contract: Contract, ticks: int, middle: float | None = None) -> float:
    """Return a price so many ticks from the middle."""
    return round((MIDDLES[contract.key] if middle is None else middle) + ticks * contract.tick_size, 2)


# --- markets ------------------------------------------------------------------------------------------------------

rows = st.lists(st.integers(1, 4), max_size=3)


@st.composite
def scripts(draw: st.DrawFn, contract: Contract) -> tuple[MarketView, ...]:
    """Views at any moments while the market is open, never crossed; the last price may be anywhere."""
    stamps = draw(st.lists(st.integers(OPENS, CLOSES - 1), unique=True, min_size=3, max_size=12))
    return tuple(draw(_views(contract, at)) for at in (0, *sorted(stamps)))


@st.composite
def _views(draw: st.DrawFn, contract: Contract, at: int) -> MarketView:
    ask = draw(st.integers(-5, 6))
    return view(
        at,
        price_of(contract, draw(st.integers(-6, 6))),
        asks=[(lots * 30, price_of(contract, ask + row)) for row, lots in enumerate(draw(rows))],
        bids=[(lots * 30, price_of(contract, ask - 1 - row)) for row, lots in enumerate(draw(rows))],
        traded=draw(st.integers(0, 5)) * 30,
    )


@st.composite
def markets(draw: st.DrawFn) -> ScriptedMarket:
    return ScriptedMarket(
        {contract.key: draw(scripts(contract)) for contract in CHOSEN},
        spots=((0, SPOT), (CLOSES - 1, draw(st.sampled_from((SPOT, SPOT - 150))))),
    )


# --- commands -----------------------------------------------------------------------------------------------------


def interventions(*, unnatural: bool) -> st.SearchStrategy[Intervention]:
    """`unnatural` ones fill orders that the market does not."""
    latencies = st.sampled_from((None, None, 0, 5, 200))
    return st.just(NOTHING) | st.builds(
        Intervention,
        reject=st.sampled_from((None, None, None, "RMS:no")),
        fill_at_most=st.sampled_from((None, None, 0, 30, 60)),
        latency_ms=latencies,
        fills_before_cancel=st.booleans() if unnatural else st.just(False),
    )


@st.composite
def requests(draw: st.DrawFn, contracts: Sequence[Contract] = CHOSEN, middle: float | None = None) -> OrderRequest:
    contract = draw(st.sampled_from(contracts))
    kind = draw(st.sampled_from((OrderType.LIMIT, OrderType.LIMIT, OrderType.LIMIT, OrderType.SL, OrderType.MARKET)))
    side = draw(st.sampled_from(Side))
    trigger = draw(st.integers(-6, 6)) if kind.has_trigger else None
    worse = draw(st.integers(0, 4) if trigger is not None else st.integers(-6, 6))
    price = price_of(contract, (trigger or 0) + side.sign * worse, middle) if kind.has_limit else 0.0
    return OrderRequest(
        instrument=contract.key,
        side=side,
        quantity=draw(st.sampled_from((30, 30, 60, 90, 150, 31, 630))),
        type=kind,
        price=price,
        trigger_price=0.0 if trigger is None else price_of(contract, trigger, middle),
        product=draw(st.sampled_from(Product)),
        validity=draw(st.sampled_from((Validity.DAY, Validity.DAY, Validity.IOC))),
        tag=draw(st.sampled_from((None, "x"))),
        is_amo=draw(st.sampled_from((False, False, False, True))),
        slice=draw(st.booleans()),
        market_protection=draw(st.sampled_from((-1.0, 1.0))) if kind is OrderType.MARKET else 0.0,
    )


@st.composite
def changes(draw: st.DrawFn, numbers: st.SearchStrategy[str], contract: Contract, middle: float | None) -> OrderChange:
    kind = draw(st.sampled_from((OrderType.LIMIT, OrderType.LIMIT, OrderType.SL)))
    price = price_of(contract, draw(st.integers(-6, 6)), middle)
    return OrderChange(
        order_id=draw(numbers),
        type=kind,
        validity=draw(st.sampled_from((Validity.DAY, Validity.DAY, Validity.IOC))),
        price=price,
        trigger_price=price if kind.has_trigger else 0.0,
        quantity=draw(st.sampled_from((None, None, 30, 60, 120))),
    )


def gtts(contracts: Sequence[Contract], middle: float | None) -> st.SearchStrategy[GttRequest]:
    @st.composite
    def made(draw: st.DrawFn) -> GttRequest:
        contract = draw(st.sampled_from(contracts))
        price = price_of(contract, draw(st.integers(-4, 4)), middle)
        rules = [Rule(strategy=Strategy.ENTRY, trigger=draw(st.sampled_from(Trigger)), price=price)]
        if draw(st.booleans()):
            rules += [
                Rule(strategy=strategy, trigger=Trigger.IMMEDIATE, price=price_of(contract, ticks, middle))
                for strategy, ticks in ((Strategy.STOPLOSS, -4), (Strategy.TARGET, 4))
            ]
        return GttRequest(
            type=GttType.SINGLE if len(rules) == 1 else GttType.MULTIPLE,
            instrument=contract.key,
            side=Side.BUY,
            quantity=30,
            product=draw(st.sampled_from(Product)),
            rules=tuple(rules),
        )

    return made()


def commands(
    rules: FloorRules,
    *,
    contracts: Sequence[Contract] = CHOSEN,
    middle: float | None = None,
    when: st.SearchStrategy[int] = moments,
    unnatural: bool = True,
    most: int = 25,
) -> st.SearchStrategy[list[Command]]:
    """Return accounts for two users, and then whatever they think of."""
    day = f"{rules.on:%y%m%d}"
    numbers = st.integers(1, 12).map(lambda number: f"{day}{number:09d}")
    who: dict[str, Any] = {"at": when, "user": st.sampled_from(USERS)}
    what: dict[str, Any] = {"intervention": interventions(unnatural=unnatural)}
    keys: st.SearchStrategy[InstrumentKey] = st.sampled_from([contract.key for contract in contracts])
    products = st.sampled_from(Product)
    placing = st.builds(PlaceOrder, request=requests(contracts, middle), **who, **what)
    asked = st.one_of(
        placing,
        placing,
        placing,
        st.builds(ModifyOrder, change=changes(numbers, contracts[0], middle), **who, **what),
        st.builds(CancelOrder, order_id=numbers, **who, **what),
        st.builds(PlaceGtt, request=gtts(contracts, middle), **who),
        st.builds(CancelAll, tag=st.sampled_from((None, "x")), **who)
        | st.builds(ExitAll, tag=st.sampled_from((None, "x")), **who, **what)
        | st.builds(CancelGtt, gtt_id=st.just(f"GTT-C{day}00000001"), **who)
        | st.builds(ConvertPosition, instrument=keys, old=products, new=products, quantity=st.just(30), **who),
    )
    funds = st.sampled_from((POOR, 100_000_000_00))
    opened = st.builds(
        lambda a, b: [OpenAccount(at=0, user=ASHA, funds=a), OpenAccount(at=0, user=BALA, funds=b)], funds, funds
    )
    return st.builds(
        lambda first, then: [*first, *sorted(then, key=lambda command: command.at)],
        opened,
        st.lists(asked, min_size=1, max_size=most),
    )


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
