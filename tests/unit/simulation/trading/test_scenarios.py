"""Whatever is done at the floor: the books add up, and they follow from the day and the commands alone."""

from collections.abc import Iterable, Sequence
from datetime import time
from typing import Any, Final, NamedTuple

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from algoexec.domain.calendar import ist
from algoexec.domain.instruments import Option, OptionType, nearest_strike
from algoexec.domain.orders import Product
from algoexec.simulation.exchange import Exchange
from algoexec.simulation.generated import GENERATED_ON, generated_day
from algoexec.simulation.trading.checks import OrderRefused, Why
from algoexec.simulation.trading.commands import Command, OpenAccount, PlaceGtt, PlaceOrder
from algoexec.simulation.trading.floor import FloorRules, TradingFloor
from algoexec.simulation.trading.gtt_orders import GttRequest, GttType, Rule, Strategy, Trigger
from algoexec.simulation.trading.intervention import Intervention
from algoexec.simulation.trading.market import Market, SimulatedMarket
from algoexec.simulation.trading.orders import Status
from tests.unit.simulation.trading.scenarios import commands, do, ledger, markets, moments
from tests.unit.simulation.trading.scripted import (
    ASHA,
    BUY,
    CALL,
    CLOSES,
    FUNDS,
    OPENS,
    RULES,
    SELL,
    Pit,
    ScriptedMarket,
    limit,
    view,
)
from tests.unit.simulation.trading.soundness import assert_sound

END: Final = CLOSES + 1_000
stops = st.lists(moments, max_size=8)


class Day(NamedTuple):
    """A floor that has come somewhere, what it answered, and what its listeners heard."""

    floor: TradingFloor
    answers: list[Any]
    heard: list[Any]

    def go_on(self, asked: Iterable[Command], steps: Sequence[int], until: int) -> None:
        """Apply commands, stopping at some moments on the way."""
        waiting = sorted(steps)
        for command in asked:
            while waiting and waiting[0] <= command.at:
                self.floor.advance(waiting.pop(0))
            self.answers.append(do(self.floor, command))
        for step in (*waiting, until):
            self.floor.advance(step)

    def tell(self) -> tuple[Any, ...]:
        return ledger(self.floor), self.answers, self.heard


def begun(market: Market, rules: FloorRules) -> Day:
    day = Day(TradingFloor(market, rules), [], [])
    day.floor.books.listeners.append(day.heard.append)
    return day


def played(
    market: Market, rules: FloorRules, asked: Iterable[Command], steps: Sequence[int] = (), until: int = END
) -> Day:
    day = begun(market, rules)
    day.go_on(asked, steps, until)
    return day


def is_natural(asked: Iterable[Command]) -> bool:
    """Whether every fill comes from the market."""
    hands = (getattr(command, "intervention", Intervention()) for command in asked)
    return not any(hand.fills_before_cancel for hand in hands)


@settings(max_examples=80)
@given(markets(), commands(RULES), stops)
def test_the_books_add_up_at_any_moment(market: ScriptedMarket, asked: list[Command], when: list[int]) -> None:
    day = begun(market, RULES)
    done = 0
    for at in sorted([*when, END]):
        due = [command for command in asked[done:] if command.at <= at]
        done += len(due)
        day.go_on(due, (), at)
        assert_sound(day.floor, market, RULES, at, conserved=is_natural(asked))


@settings(max_examples=60)
@given(markets(), commands(RULES), stops)
def test_it_does_not_matter_in_how_many_steps_time_passes(
    market: ScriptedMarket, asked: list[Command], steps: list[int]
) -> None:
    assert played(market, RULES, asked, steps).tell() == played(market, RULES, asked).tell()


@settings(max_examples=50)
@given(markets(), commands(RULES), moments, stops)
def test_a_restart_in_the_middle_of_the_day_changes_nothing(
    market: ScriptedMarket, asked: list[Command], now: int, steps: list[int]
) -> None:
    before = [command for command in asked if command.at <= now]
    after = asked[len(before) :]
    day = played(market, RULES, before, [step for step in steps if step < now], now)
    again = played(market, RULES, before, (), now)
    assert again.tell() == day.tell()

    day.go_on(after, [step for step in steps if step > now], END)
    again.go_on(after, (), END)
    assert again.tell() == day.tell()


def entry(trigger: Trigger) -> GttRequest:
    return GttRequest(
        type=GttType.SINGLE,
        instrument=CALL.key,
        side=BUY,
        quantity=30,
        product=Product.INTRADAY,
        rules=(Rule(strategy=Strategy.ENTRY, trigger=trigger, price=90),),
    )


def test_what_a_view_sets_off_happens_before_the_next_view() -> None:
    """A rule that waits sends its order at the price that it saw, however far the time goes on."""
    market = ScriptedMarket(
        {CALL.key: (view(500, 100), view(3_000, 90, asks=[(30, 90)], traded=30), view(4_000, 80, asks=[(30, 80)]))}
    )
    asked = [OpenAccount(at=0, user=ASHA, funds=FUNDS), PlaceGtt(at=2_000, user=ASHA, request=entry(Trigger.BELOW))]

    (trade,) = played(market, RULES, asked).floor.books.account(ASHA).trades

    assert (trade.at, trade.price) == (3_010, 90)


@pytest.mark.parametrize("at", [OPENS - 1, CLOSES])
def test_an_immediate_entry_does_not_go_out_while_the_market_is_closed(at: int) -> None:
    pit = Pit(view(500, 100, asks=[(30, 90)]))
    with pytest.raises(OrderRefused) as refused:
        pit.do(PlaceGtt(at=at, user=ASHA, request=entry(Trigger.IMMEDIATE)))
    assert refused.value.why is Why.MARKET_CLOSED
    assert (pit.floor.gtts.of(ASHA), pit.books.orders(ASHA)) == ([], [])

    pit.do(PlaceGtt(at=at, user=ASHA, request=entry(Trigger.BELOW)))
    assert pit.books.orders(ASHA) == []


# --- the generated day --------------------------------------------------------------------------------------------

EXCHANGE: Final = Exchange(generated_day())
REAL: Final = SimulatedMarket(EXCHANGE)


def _at(clock: time) -> int:
    return int(ist(GENERATED_ON, clock).timestamp()) * 1000


FROM: Final = _at(time(10))
SHORT_DAY: Final = FloorRules(
    on=GENERATED_ON, opens_at=FROM, squares_off_at=FROM + 100_000, closes_at=FROM + 150_000, latency_ms=40
)
"""Two and a half minutes of the day."""
AFTERWARDS: Final = FROM + 160_000


def _at_the_money() -> Option:
    spot, expiry = REAL.spot(FROM), EXCHANGE.day.expiries()[0]
    calls = [o for o in EXCHANGE.day.options if o.type is OptionType.CALL and o.expiry == expiry]
    strike = nearest_strike([o.strike for o in calls], spot)
    return next(o for o in calls if o.strike == strike)


ATM: Final = _at_the_money()
MIDDLE: Final = REAL.view(ATM.key, FROM).last
real_moments = st.integers(FROM - 500, FROM + 151_000)
real_commands = commands(SHORT_DAY, contracts=(ATM,), middle=MIDDLE, natural=True, scale=30)


@settings(max_examples=12)
@given(real_commands, st.lists(real_moments, max_size=20))
def test_on_a_generated_day_the_books_add_up_however_it_is_played(asked: list[Command], steps: list[int]) -> None:
    day = played(REAL, SHORT_DAY, asked, steps, AFTERWARDS)

    assert_sound(day.floor, REAL, SHORT_DAY, AFTERWARDS)
    again = played(SimulatedMarket(Exchange(generated_day())), SHORT_DAY, asked, (), AFTERWARDS)
    assert again.tell() == day.tell()


def test_on_a_generated_day_resting_orders_are_filled_as_it_moves() -> None:
    asked: list[Command] = [OpenAccount(at=0, user=ASHA, funds=FUNDS)]
    for tick in range(1, 31):
        for side in (BUY, SELL):
            price = round(MIDDLE - side.sign * tick * ATM.tick_size * 4, 2)
            request = limit(side, 30, price, ATM)
            asked.append(PlaceOrder(at=FROM + 100, user=ASHA, request=request))

    day = played(REAL, SHORT_DAY, asked, (), FROM + 90_000)

    orders = day.floor.books.orders(ASHA)
    done = [order for order in orders if order.status is Status.COMPLETE]
    assert 0 < len(done) < len(orders)
    for order in done:
        assert order.average_price == order.request.price
        lows = [tick.price for tick in EXCHANGE.between(ATM.key, FROM + 140, order.updated_at)]
        assert any(
            (tick - order.request.price) * order.request.side.sign <= order.request.price * 0.01 for tick in lows
        )
    assert_sound(day.floor, REAL, SHORT_DAY, FROM + 90_000)


def test_a_command_is_answered_by_the_market_of_its_moment() -> None:
    pit = Pit(view(500, 100, asks=[(30, 100)]), view(2_000, 101, asks=[(30, 101)], traded=30))
    order = pit.place(1_999, limit(BUY, 30, 105))
    pit.until(3_000)

    assert pit.fills(order) == [(2_009, 30, 101)]
