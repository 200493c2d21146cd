"""What must hold of a floor's books at any moment, whatever was done."""

from collections import Counter, defaultdict
from itertools import pairwise
from typing import Final

from algoexec.domain.instruments import Future, InstrumentKey, OptionType
from algoexec.domain.orders import Side
from algoexec.simulation.trading.account import Account
from algoexec.simulation.trading.checks import Contract
from algoexec.simulation.trading.floor import FloorRules, TradingFloor
from algoexec.simulation.trading.market import Market
from algoexec.simulation.trading.orders import Order, Status, Trade, to_paise

_AT_REST: Final = {Status.OPEN_PENDING, Status.TRIGGER_PENDING, Status.OPEN}
_ASKED: Final = {Status.MODIFY_VALIDATING, Status.CANCEL_PENDING}
_ANSWERED: Final = {Status.MODIFIED, Status.NOT_MODIFIED}
_ENDS: Final = {Status.COMPLETE, Status.CANCELLED}
_UNDER_WAY: Final = (_AT_REST - {Status.OPEN_PENDING}) | _ASKED | _ANSWERED | _ENDS

TRANSITIONS: Final = {
    Status.RECEIVED: {Status.VALIDATING, Status.AMO_RECEIVED},
    Status.AMO_RECEIVED: {Status.AMO_MODIFIED, Status.AMO_CANCELLED, Status.VALIDATING},
    Status.AMO_MODIFIED: {Status.AMO_MODIFIED, Status.AMO_CANCELLED, Status.VALIDATING},
    Status.VALIDATING: {Status.OPEN_PENDING, Status.REJECTED},
    # From here on requests overtake each other: an answer comes to whatever stands by then.
    Status.OPEN_PENDING: _UNDER_WAY,
    Status.OPEN: _UNDER_WAY - {Status.TRIGGER_PENDING},
    Status.TRIGGER_PENDING: _UNDER_WAY - {Status.TRIGGER_PENDING},
    Status.MODIFY_VALIDATING: {Status.MODIFY_PENDING},
    Status.MODIFY_PENDING: _UNDER_WAY,
    Status.MODIFIED: _AT_REST,
    Status.NOT_MODIFIED: _AT_REST,
    Status.CANCEL_PENDING: _UNDER_WAY,
    Status.COMPLETE: set(),
    Status.REJECTED: set(),
    Status.CANCELLED: set(),
    Status.AMO_CANCELLED: set(),
}
"""What may follow what: the statuses that the broker publishes, in the order in which requests pass through it."""


def assert_sound(floor: TradingFloor, market: Market, rules: FloorRules, at: int, *, conserved: bool = True) -> None:
    """Check orders, trades and accounts of a floor that has come to `at`."""
    for user, account in floor.books.accounts.items():
        orders = floor.books.orders(user)
        for order in orders:
            assert_history(floor.books.history(order.id))
            assert floor.books.history(order.id)[-1] == order
            if at >= rules.closes_at > order.placed_at:
                assert order.status.is_terminal
        assert_trades_are_known(orders, account.trades)
        settled = {key for key, c in market.contracts.items() if at >= rules.closes_at and c.expiry == rules.on}
        assert_positions_are_trades(account, market, settled)
        cash = account.cash(market.contracts, lambda key: to_paise(market.view(key, at).last))
        assert cash == _cash(account, market, at, settled, to_paise(market.spot(rules.closes_at)))
    if conserved:
        assert_conserved(floor, market)


def assert_history(history: list[Order]) -> None:
    """Check that an order went a way that there is, and was filled within its limit."""
    assert history[0].status is Status.RECEIVED
    for before, after in pairwise(history):
        assert after.status in TRANSITIONS[before.status], (before.status, after.status)
        assert before.updated_at <= after.updated_at
        assert (after.id, after.user, after.placed_at) == (before.id, before.user, before.placed_at)
        assert after.filled >= before.filled
        if after.filled > before.filled:
            price, rest = divmod(after.turnover - before.turnover, after.filled - before.filled)
            assert rest == 0
            assert (price - to_paise(after.limit)) * after.request.side.sign <= 0
            assert after.status is (Status.COMPLETE if after.remaining == 0 else Status.OPEN)
        else:
            assert after.turnover == before.turnover
    assert all(0 <= order.filled <= order.request.quantity for order in history)
    assert sum(order.status.is_terminal for order in history) <= 1
    asked = answered = 0
    for order in history:
        asked += order.status is Status.MODIFY_PENDING
        answered += order.status in _ANSWERED
        assert answered <= asked


def assert_trades_are_known(orders: list[Order], trades: list[Trade]) -> None:
    """Check that orders and trades tell of the same fills."""
    filled: Counter[str] = Counter()
    turnover: Counter[str] = Counter()
    for trade in trades:
        filled[trade.order_id] += trade.quantity
        turnover[trade.order_id] += trade.value
    assert {order.id: (order.filled, order.turnover) for order in orders if order.filled} == {
        order_id: (filled[order_id], turnover[order_id]) for order_id in filled
    }
    assert len({trade.id for trade in trades}) == len(trades)
    assert all(trade.quantity > 0 for trade in trades)
    assert [trade.at for trade in trades] == sorted(trade.at for trade in trades)


def assert_positions_are_trades(account: Account, market: Market, settled: set[InstrumentKey]) -> None:
    """Check that positions are the sums of trades; conversions move them between products."""
    for key in market.contracts:
        held = [position for position in account.positions.values() if position.instrument == key]
        if key in settled:
            assert all(position.net == 0 for position in held)
            continue
        for side in Side:
            traded = [trade for trade in account.trades if trade.instrument == key and trade.side is side]
            legs = [position.bought if side is Side.BUY else position.sold for position in held]
            assert sum(leg.quantity for leg in legs) == sum(trade.quantity for trade in traded)
            assert sum(leg.value for leg in legs) == sum(trade.value for trade in traded)


def assert_conserved(floor: TradingFloor, market: Market) -> None:
    """Check that no view gave more than it displayed and traded; what users gave each other cancels out."""
    taken: defaultdict[tuple[InstrumentKey, int], int] = defaultdict(int)
    for account in floor.books.accounts.values():
        for trade in account.trades:
            seen = market.view(trade.instrument, trade.at)
            taken[trade.instrument, seen.at] += trade.side.sign * trade.quantity
    for (key, at), net in taken.items():
        seen = market.view(key, at)
        levels = () if seen.book is None else seen.book.levels
        assert net <= seen.traded + sum(level.ask_quantity for level in levels)
        assert -net <= seen.traded + sum(level.bid_quantity for level in levels)


def _cash(account: Account, market: Market, at: int, settled: set[InstrumentKey], spot: int) -> int:
    """Return what the trades alone say the cash is."""
    total = account.opening
    for key, contract in market.contracts.items():
        trades = [trade for trade in account.trades if trade.instrument == key]
        net = sum(trade.side.sign * trade.quantity for trade in trades)
        total -= sum(trade.side.sign * trade.value for trade in trades)
        if key in settled:
            total += net * _worth(contract, spot)
        elif isinstance(contract, Future):
            total += net * to_paise(market.view(key, at).last)
    return total


def _worth(contract: Contract, spot: int) -> int:
    if isinstance(contract, Future):
        return spot
    inside = spot - to_paise(contract.strike)
    return max(0, inside if contract.type is OptionType.CALL else -inside)
