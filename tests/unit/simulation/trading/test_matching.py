"""The matching of one instrument: who is filled, by whom, at which price, and who is not."""

from collections.abc import Iterable

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from algoexec.domain.orders import Side
from algoexec.simulation.book import Book, Level
from algoexec.simulation.trading.matching import MarketView, Match, Matcher, Shown, Stop, Working
from tests.unit.simulation.trading.scripted import ASHA, BALA, BUY, SELL, view

QUIET = Shown([], [])


def matcher(*views: MarketView) -> Matcher:
    made = Matcher()
    for shown in views:
        made.show(shown)
    return made


_ranks = iter(range(1, 1_000_000))


def working(name: str, side: Side, limit: float, quantity: int, owner: str = ASHA) -> Working:
    return Working(name, owner, side, limit, quantity, next(_ranks))


def fills(matches: Iterable[Match]) -> list[tuple[str, int, float]]:
    return [(match.order_id, match.quantity, match.price) for match in matches]


LADDER = view(1, 100, bids=[(60, 99), (90, 98)], asks=[(30, 101), (60, 102), (90, 104)])


def test_an_order_climbs_the_ladder_to_its_limit_and_rests_there() -> None:
    pit = matcher(LADDER)

    assert fills(pit.arrive(working("a", BUY, 103, 150))) == [("a", 30, 101), ("a", 60, 102)]
    assert "a" in pit


def test_what_one_has_taken_the_next_does_not_find_until_the_market_moves() -> None:
    pit = matcher(LADDER)
    pit.arrive(working("a", BUY, 101, 30))

    assert pit.arrive(working("b", BUY, 101, 30), rests=False) == []
    assert pit.visible(book(LADDER)).levels[0] == (60, 99, 0, 101)
    assert pit.show(LADDER) == QUIET
    assert pit.arrive(working("c", BUY, 101, 30), rests=False) == []

    pit.show(LADDER._replace(at=2))

    assert fills(pit.arrive(working("d", BUY, 101, 30))) == [("d", 30, 101)]


def test_an_older_view_changes_nothing() -> None:
    pit = matcher(view(5, 100, asks=[(30, 101)]))
    pit.arrive(working("a", BUY, 100, 30))

    assert pit.show(view(4, 90, asks=[(300, 90)], traded=300)) == QUIET
    assert pit.show(view(5, 90, asks=[(300, 90)], traded=300)) == QUIET


@pytest.mark.parametrize(
    ("name", "seen", "filled"),
    [
        ("the book comes to it", view(2, 101, asks=[(30, 100), (30, 101)]), 30),
        ("and more of it", view(2, 101, asks=[(30, 98), (30, 99), (30, 101)]), 60),
        ("a trade goes through it", view(2, 99.95, traded=60), 60),
        ("a trade above it", view(2, 100.05, traded=900), 0),
        ("no trade at all", view(2, 99, traded=0), 0),
        ("book and trade", view(2, 99, asks=[(30, 100)], traded=30), 60),
    ],
)
def test_a_resting_order_is_filled_at_its_own_limit(name: str, seen: MarketView, filled: int) -> None:
    pit = matcher(view(1, 101, bids=[(30, 99)], asks=[(30, 102)]))
    pit.arrive(working("a", BUY, 100, 90))

    assert fills(pit.show(seen).matches) == ([("a", filled, 100)] if filled else []), name


def test_at_exactly_its_limit_it_waits_for_what_was_displayed_before_it() -> None:
    pit = matcher(view(1, 100, bids=[(60, 99)], asks=[(30, 101)]))
    pit.arrive(working("a", BUY, 99, 60))

    assert pit.show(view(2, 99, traded=30)) == QUIET
    assert fills(pit.show(view(3, 99, traded=60)).matches) == [("a", 30, 99)]
    assert fills(pit.show(view(4, 99, traded=60)).matches) == [("a", 30, 99)]


def test_a_trade_that_goes_through_its_limit_has_passed_the_queue() -> None:
    pit = matcher(view(1, 100, bids=[(60, 99)], asks=[(30, 101)]))
    pit.arrive(working("a", BUY, 99, 60))

    assert fills(pit.show(view(2, 98, traded=30)).matches) == [("a", 30, 99)]


def test_whoever_joins_a_queue_later_is_behind_though_less_is_displayed_by_then() -> None:
    pit = matcher(view(1, 100, bids=[(90, 99)]))
    pit.arrive(working("early", BUY, 99, 30))
    pit.show(view(2, 100))
    pit.arrive(working("late", BUY, 99, 30, BALA))

    assert pit.show(view(3, 99, traded=60)) == QUIET
    assert fills(pit.show(view(4, 99, traded=60)).matches) == [("early", 30, 99)]
    assert fills(pit.show(view(5, 99, traded=60)).matches) == [("late", 30, 99)]


def test_nobody_waits_for_displayed_units_that_an_order_took_before() -> None:
    pit = matcher(view(1, 100, bids=[(90, 99)]))
    pit.arrive(working("taker", SELL, 99, 90, BALA))
    pit.arrive(working("a", BUY, 99, 30))

    assert fills(pit.show(view(2, 99, traded=30)).matches) == [("a", 30, 99)]


def test_units_of_a_trade_are_handed_out_once_best_price_first_then_earliest() -> None:
    pit = matcher(view(1, 100))
    for name, price in (("low", 97), ("first", 98), ("second", 98), ("high", 99)):
        pit.arrive(working(name, BUY, price, 30))

    shown = pit.show(view(2, 96, traded=75))

    assert fills(shown.matches) == [("high", 30, 99), ("first", 30, 98), ("second", 15, 98)]


def test_displayed_units_are_handed_out_once_too() -> None:
    pit = matcher(view(1, 100))
    pit.arrive(working("low", BUY, 98, 60))
    pit.arrive(working("high", BUY, 99, 60))

    assert fills(pit.show(view(2, 100, asks=[(90, 97)])).matches) == [("high", 60, 99), ("low", 30, 98)]


def test_an_arriving_order_meets_the_best_price_first_and_the_book_before_later_orders() -> None:
    pit = matcher(view(1, 100, bids=[(30, 98)]))
    pit.arrive(working("equal", BUY, 98, 30))
    pit.arrive(working("better", BUY, 99, 30))

    met = pit.arrive(working("sale", SELL, 97, 120, BALA))

    assert fills(met) == [
        ("sale", 30, 99),
        ("better", 30, 99),
        ("sale", 30, 98),
        ("sale", 30, 98),
        ("equal", 30, 98),
    ]


def test_nobody_trades_with_himself() -> None:
    pit = matcher(view(1, 100))
    pit.arrive(working("mine", BUY, 100, 30))

    assert pit.arrive(working("too", SELL, 99, 30)) == []
    assert fills(pit.arrive(working("other", SELL, 99, 30, BALA))) == [("other", 30, 100), ("mine", 30, 100)]


def test_what_may_not_rest_leaves_nothing_behind() -> None:
    pit = matcher(LADDER)

    assert fills(pit.arrive(working("a", BUY, 101, 90), rests=False)) == [("a", 30, 101)]
    assert pit.is_idle


def test_fewer_units_keep_their_place_and_never_become_more() -> None:
    pit = matcher(view(1, 100))
    pit.arrive(working("a", BUY, 99, 90))
    pit.arrive(working("b", BUY, 99, 90))
    pit.shrink("a", 30)
    pit.shrink("a", 60)

    assert fills(pit.show(view(2, 98, traded=60)).matches) == [("a", 30, 99), ("b", 30, 99)]

    pit.shrink("b", 0)

    assert pit.is_idle


@pytest.mark.parametrize(("side", "waits_at", "acts_at"), [(BUY, 104.95, 105), (SELL, 105.05, 105)])
def test_a_stop_waits_until_the_last_price_reaches_its_trigger(side: Side, waits_at: float, acts_at: float) -> None:
    pit = matcher(view(1, waits_at))

    assert not pit.wait(Stop("s", side, 105))
    assert pit.waits("s")
    assert pit.show(view(2, waits_at)).triggered == []
    assert pit.show(view(3, acts_at)).triggered == ["s"]
    assert pit.show(view(4, acts_at)).triggered == []
    assert pit.wait(Stop("t", side, 105))
    assert not pit.waits("t")


def test_without_a_book_nobody_is_filled_by_it() -> None:
    pit = matcher(MarketView(1, 100, 0, None))

    assert pit.arrive(working("a", BUY, 1_000, 30)) == []


def test_an_empty_side_is_no_offer_at_nothing() -> None:
    pit = matcher(view(1, 0.05, asks=[(30, 0.05)]))

    assert pit.arrive(working("a", SELL, 0.05, 30)) == []
    assert fills(pit.arrive(working("b", BUY, 0.05, 60), rests=False)) == [("b", 30, 0.05)]


def book(seen: MarketView) -> Book:
    assert seen.book is not None
    return seen.book


# --- any sequence at all ------------------------------------------------------------------------------------------

PRICES = st.integers(95, 105)
ROWS = st.lists(st.integers(1, 6), max_size=4)


class Pits(RuleBasedStateMachine):
    """Two owners, whole prices, and a market that does what it likes."""

    def __init__(self) -> None:
        super().__init__()
        self.pit = Matcher()
        self.at = 0
        self.orders: dict[str, Working] = {}
        self.allowed: dict[str, int] = {}
        """What an order may have been filled while it rested: crossed, gone through, and its turn in the queue."""
        self.queue: dict[str, int] = {}
        self.show(ask=101, asks=[3, 3], bids=[3, 3], last=100, traded=0)

    @rule(ask=PRICES, asks=ROWS, bids=ROWS, last=PRICES, traded=st.integers(0, 8))
    def show(self, ask: int, asks: list[int], bids: list[int], last: int, traded: int) -> None:
        self.at += 1
        self.seen = view(
            self.at,
            last,
            asks=[(units, ask + row) for row, units in enumerate(asks)],
            bids=[(units, ask - 1 - row) for row, units in enumerate(bids)],
            traded=traded,
        )
        before = {name: order.remaining for name, order in self.resting().items()}
        matches = self.pit.show(self.seen).matches
        taken = {side: self.displayed(side) - self.left(side) for side in Side}
        filled = dict.fromkeys(before, 0)
        for match in matches:
            assert match.price == self.orders[match.order_id].limit
            filled[match.order_id] += match.quantity
        # Each side gets what it took of the book, and both together no more than was traded.
        printed = {side: self.total(filled, side) - taken[side.opposite] for side in Side}
        assert min(printed.values()) >= 0
        assert sum(printed.values()) <= traded
        for name, units in filled.items():
            assert self.orders[name].remaining == before[name] - units
            self.check_turn(name, units)
            if units:
                self.check_priority(name, [other for other in before if self.orders[other].remaining])

    @rule(side=st.sampled_from(Side), price=PRICES, units=st.integers(1, 9), owner=st.sampled_from((ASHA, BALA)))
    def arrive(self, side: Side, price: int, units: int, owner: str) -> None:
        self.enter(working(f"o{len(self.orders)}", side, price, units, owner), rests=True)

    @rule(side=st.sampled_from(Side), price=PRICES, units=st.integers(1, 9))
    def strike(self, side: Side, price: int, units: int) -> None:
        order = working(f"o{len(self.orders)}", side, price, units, BALA)
        self.enter(order, rests=False)
        assert order.order_id not in self.pit

    @precondition(lambda self: self.resting())
    @rule(data=st.data())
    def withdraw(self, data: st.DataObject) -> None:
        name = data.draw(st.sampled_from(sorted(self.resting())))
        self.pit.withdraw(name)
        self.pit.withdraw(name)
        assert name not in self.pit

    @precondition(lambda self: self.resting())
    @rule(data=st.data(), to=st.integers(0, 9))
    def shrink(self, data: st.DataObject, to: int) -> None:
        name = data.draw(st.sampled_from(sorted(self.resting())))
        before = self.orders[name].remaining
        self.pit.shrink(name, to)
        assert self.orders[name].remaining == min(before, to)
        assert (name in self.pit) == (to > 0)

    @invariant()
    def nobody_rests_beside_what_he_accepts(self) -> None:
        for order in self.resting().values():
            assert order.remaining > 0
            assert not self.acceptable(order)

    def enter(self, order: Working, *, rests: bool) -> None:
        self.orders[order.order_id] = order
        units, makers = order.remaining, self.makers(order)
        before = {name: self.orders[name].remaining for name in makers}
        left = {price: self.left(order.side.opposite, price) for price in range(80, 121)}

        matches = self.pit.arrive(order, rests=rests)

        mine = [match for match in matches if match.order_id == order.order_id]
        others = [match for match in matches if match.order_id != order.order_id]
        assert sum(match.quantity for match in mine) == units - order.remaining
        prices = [match.price * order.side.sign for match in mine]
        assert prices == sorted(prices)
        assert all(order.accepts(match.price) for match in mine)
        for price, there in left.items():
            got = sum(match.quantity for match in mine if match.price == price)
            of_users = sum(match.quantity for match in others if match.price == price)
            assert there - self.left(order.side.opposite, price) == got - of_users
            # Displayed units stood there before any order at the same price.
            assert not of_users or not self.left(order.side.opposite, price)
        for match in others:
            assert match.price == self.orders[match.order_id].limit
            assert match.order_id in makers
            self.check_priority(match.order_id, [name for name in makers if self.orders[name].remaining])
        assert all(self.orders[name].remaining <= before[name] for name in makers)
        if order.remaining:
            assert not self.acceptable(order)
            self.queue[order.order_id] = self.left(order.side, order.limit)
            self.allowed[order.order_id] = 0

    def check_turn(self, name: str, units: int) -> None:
        """Check that an order was filled no more than by what crossed it, went through it, or came to its turn."""
        order = self.orders[name]
        levels = self.seen.book.levels if self.seen.book is not None else ()
        self.allowed[name] += sum(
            level.ask_quantity if order.side is Side.BUY else level.bid_quantity
            for level in levels
            if order.accepts(level.ask if order.side is Side.BUY else level.bid)
        )
        if order.limit == self.seen.last:
            waited = min(self.queue[name], self.seen.traded)
            self.queue[name] -= waited
            self.allowed[name] += self.seen.traded - waited
        elif order.accepts(self.seen.last):
            self.allowed[name] += self.seen.traded
        self.allowed[name] -= units
        assert self.allowed[name] >= 0

    def check_priority(self, filled: str, unfilled: list[str]) -> None:
        """Check that no order of the same side that still wants units stands before one that got some."""
        order = self.orders[filled]
        for other in (self.orders[name] for name in unfilled if name != filled):
            assert other.side is not order.side or order.priority < other.priority

    def resting(self) -> dict[str, Working]:
        return {name: order for name, order in self.orders.items() if name in self.pit}

    def makers(self, order: Working) -> list[str]:
        return [
            name
            for name, other in self.resting().items()
            if (other.side, other.owner) == (order.side.opposite, BALA if order.owner == ASHA else ASHA)
            and order.accepts(other.limit)
        ]

    def acceptable(self, order: Working) -> bool:
        offers = any(order.accepts(price) and self.left(order.side.opposite, price) for price in range(80, 121))
        return offers or bool(self.makers(order))

    def left(self, side: Side, price: float | None = None) -> int:
        """Return the units of a side that the view displays and nobody has taken."""
        return _units(self.pit.visible(book(self.seen)).levels, side, price)

    def displayed(self, side: Side) -> int:
        return _units(book(self.seen).levels, side, None)

    def total(self, filled: dict[str, int], side: Side) -> int:
        return sum(units for name, units in filled.items() if self.orders[name].side is side)


def _units(levels: Iterable[Level], side: Side, price: float | None) -> int:
    rows = [
        (level.bid, level.bid_quantity) if side is Side.BUY else (level.ask, level.ask_quantity) for level in levels
    ]
    return sum(units for at, units in rows if price is None or at == price)


Pits.TestCase.settings = settings(max_examples=60, stateful_step_count=30, deadline=None)
TestPits = Pits.TestCase
