"""Faults of orders, of their updates, and the person's hand: as values, for those who carry them out."""

from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from algoexec.simulation.trading.intervention import Intervention
from algoexec.simulator.faults.injector import FaultInjector
from algoexec.simulator.faults.outcomes import Delivery, HandAct, Position
from tests.unit.simulator.faults_given import OPTION, Clock, at, injector

LOT = OPTION.lot


def placed(faults: FaultInjector, *, side: str = "BUY", tag: str | None = "a-1", quantity: int = 4 * LOT) -> Any:
    return faults.order(user="ann", instrument=OPTION.key, side=side, tag=tag, quantity=quantity)


# --- orders --------------------------------------------------------------------------------------------------------


def test_an_order_without_a_fault_has_no_intervention() -> None:
    assert placed(injector({"do": {"fills_before_cancel": {}}})) is None


def test_risk_management_says_its_words_to_one_side() -> None:
    faults = injector({"when": {"side": "SELL", "tag": "a-*"}, "do": {"reject": "RMS:No"}})

    assert placed(faults) is None
    assert placed(faults, side="SELL", tag=None) is None
    assert placed(faults, side="SELL") == Intervention(reject="RMS:No")


@pytest.mark.parametrize(
    ("partial", "filled"),
    [
        ({"fraction": 0.5}, 2 * LOT),
        ({"fraction": 0.7}, 2 * LOT),
        ({"fraction": 0.2}, 0),
        ({"units": LOT}, LOT),
        ({"units": 100 * LOT}, 4 * LOT),
    ],
)
def test_a_partial_fill_is_whole_lots_of_the_order(partial: dict[str, float], filled: int) -> None:
    assert placed(injector({"do": {"partial": partial}})) == Intervention(fill_at_most=filled)


def test_several_faults_of_one_order_go_together() -> None:
    faults = injector({"do": {"exchange_latency": 1500}}, {"do": {"partial": {"units": 0}}})

    assert placed(faults) == Intervention(latency_ms=1500, fill_at_most=0)


def test_an_order_is_filled_before_its_cancel() -> None:
    faults = injector({"when": {"count": 1, "instrument": OPTION.name}, "do": {"fills_before_cancel": {}}})

    told = [faults.cancel(user="ann", instrument=OPTION.key, side="BUY", tag=None) for _ in range(2)]
    assert told == [Intervention(fills_before_cancel=True), None]


def test_a_change_is_rejected_or_late_and_fills_as_its_order_does() -> None:
    faults = injector({"when": {"count": 1}, "do": {"reject": "RMS:No"}}, {"do": {"exchange_latency": 1500}})
    partial = injector({"do": {"partial": {"units": 0}}})

    told = [faults.change(user="ann", instrument=OPTION.key, side="BUY", tag=None) for _ in range(2)]
    assert told == [Intervention(reject="RMS:No", latency_ms=1500), Intervention(latency_ms=1500)]
    assert partial.change(user="ann", instrument=OPTION.key, side="BUY", tag=None) is None


# --- updates -------------------------------------------------------------------------------------------------------


def update(number: int, status: str = "open") -> dict[str, object]:
    return {
        "order_id": str(number),
        "instrument_key": OPTION.key,
        "transaction_type": "BUY",
        "tag": "a-1",
        "status": status,
    }


def numbers(deliveries: Sequence[Delivery]) -> list[tuple[int, str]]:
    return [(one.delay_ms, str(one.message["order_id"])) for one in deliveries]


def test_without_a_fault_an_update_is_itself_at_once() -> None:
    message = update(1)

    assert injector({"do": {"stall": 1}}).updates("ann", message) == [Delivery(delay_ms=0, message=message)]


@pytest.mark.parametrize(
    ("do", "told"),
    [
        ({"duplicate_update": 2}, [(0, "1"), (0, "1"), (0, "1")]),
        ({"delay_update": 700}, [(700, "1")]),
        ({"drop_update": {}}, []),
    ],
)
def test_updates_are_doubled_late_or_lost(do: dict[str, Any], told: list[tuple[int, str]]) -> None:
    faults = injector({"when": {"status": "complete", "side": "BUY", "instrument": OPTION.key}, "do": do})

    assert numbers(faults.updates("ann", update(1, "complete"))) == told
    assert numbers(faults.updates("ann", update(1, "open"))) == [(0, "1")]


def test_an_update_is_overtaken_by_the_users_next_one() -> None:
    faults = injector({"when": {"count": 1}, "do": {"reorder_update": {}}})

    assert faults.updates("ann", update(1)) == ()
    assert numbers(faults.updates("bob", update(2))) == [(0, "2")]
    assert numbers(faults.updates("ann", update(3))) == [(0, "3"), (0, "1")]
    assert numbers(faults.updates("ann", update(4))) == [(0, "4")]


def test_a_late_update_still_overtakes_the_one_that_waits_for_it() -> None:
    faults = injector(
        {"when": {"count": 1}, "do": {"reorder_update": {}}},
        {"when": {"skip": 1}, "do": {"delay_update": 50}},
    )

    assert faults.updates("ann", update(1)) == ()
    assert numbers(faults.updates("ann", update(2))) == [(50, "2"), (50, "1")]


def test_what_waits_for_a_next_update_can_be_had_without_one() -> None:
    faults = injector({"do": {"reorder_update": {}}})
    faults.updates("ann", update(1))

    assert numbers(faults.held_updates("ann")) == [(0, "1")]
    assert faults.held_updates("ann") == []


@given(seed=st.integers(), count=st.integers(0, 30))
def test_reordering_and_delays_lose_and_invent_nothing(seed: int, count: int) -> None:
    faults = injector(
        {"when": {"probability": 0.4}, "do": {"reorder_update": {}}},
        {"when": {"probability": 0.4}, "do": {"delay_update": 5}},
        seed=seed,
    )
    told = [one for number in range(count) for one in numbers(faults.updates("ann", update(number)))]
    told += numbers(faults.held_updates("ann"))

    assert sorted(int(number) for _, number in told) == list(range(count))


# --- the person ----------------------------------------------------------------------------------------------------


def held(quantity: int, since: str = "10:00", user: str = "ann") -> Position:
    return Position(user=user, instrument=OPTION.key, quantity=quantity, since_ms=at(since))


def test_the_person_sells_half_then_all() -> None:
    clock = Clock("10:00:19")
    faults = injector(
        {"do": {"hand": {"sell": "half", "after_s": 20}}},
        {"do": {"hand": {"sell": "all", "after_s": 60}}},
        clock=clock,
    )

    assert faults.due_acts([held(5 * LOT)]) == []
    clock.now_ms = at("10:00:20")
    half = HandAct(user="ann", instrument=OPTION.key, side="SELL", quantity=2 * LOT)
    assert faults.due_acts([held(5 * LOT)]) == [half]
    assert faults.due_acts([held(5 * LOT)]) == [], "once for each position"
    clock.now_ms = at("10:01:00")
    (rest,) = faults.due_acts([held(3 * LOT)])
    assert rest.quantity == 3 * LOT
    again = held(2 * LOT, since="10:00:30")
    clock.now_ms = at("10:01:30")
    assert [act.quantity for act in faults.due_acts([again])] == [LOT, LOT], "a new position; both are due at once"


def test_the_person_acts_at_a_time_of_the_day() -> None:
    clock = Clock("10:29:59")
    faults = injector({"when": {"from": "10:30", "user": "ann"}, "do": {"hand": {"sell": LOT}}}, clock=clock)

    assert faults.due_acts([held(3 * LOT)]) == []
    clock.now_ms = at("10:30")
    acts = faults.due_acts([held(3 * LOT), held(3 * LOT, user="bob")])
    assert [(act.user, act.quantity) for act in acts] == [("ann", LOT)]


@pytest.mark.parametrize(
    ("quantity", "sell", "sold"), [(LOT, "half", LOT), (LOT, 5 * LOT, LOT), (3 * LOT, "half", LOT)]
)
def test_no_more_is_sold_than_is_there_and_half_is_whole_lots(quantity: int, sell: str | int, sold: int) -> None:
    (act,) = injector({"do": {"hand": {"sell": sell}}}).due_acts([held(quantity)])
    assert act.quantity == sold


def test_a_short_position_is_bought_back_and_none_is_left_alone() -> None:
    faults = injector({"do": {"hand": {"sell": "all"}}})

    assert [act.side for act in faults.due_acts([held(-LOT)])] == ["BUY"]
    assert faults.due_acts([held(0)]) == []


def test_a_chance_is_drawn_once_for_a_position() -> None:
    faults = injector({"when": {"probability": 0.01}, "do": {"hand": {"sell": "all"}}})

    assert sum(len(faults.due_acts([held(LOT)])) for _ in range(2000)) <= 1
