"""When a fault strikes: times, counts, seeded chance, patterns; and that it is repeatable."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from algoexec.simulator.faults.injector import FaultInjector
from algoexec.simulator.faults.matching import Occasion, chance
from tests.unit.simulator.faults_given import FUTURE, OPTION, Clock, at, injector, script

PLACE = Occasion(path="/v3/order/place", method="POST", user="ann", tags=("a-1",), sides=("BUY",))


def pattern(faults: FaultInjector, occasions: int, occasion: Occasion = PLACE) -> list[bool]:
    return [faults.request(occasion) is not None for _ in range(occasions)]


@given(skip=st.integers(0, 8), count=st.integers(1, 8), occasions=st.integers(0, 20))
def test_it_skips_then_strikes_so_many_times(skip: int, count: int, occasions: int) -> None:
    faults = injector({"when": {"skip": skip, "count": count}, "do": {"answer": 503}})

    assert pattern(faults, occasions) == [skip <= i < skip + count for i in range(occasions)]


@given(seed=st.integers(), probability=st.floats(0.01, 1), place=st.integers(0, 2))
def test_the_same_seed_makes_the_same_decisions(seed: int, probability: float, place: int) -> None:
    other = [{"when": {"path": "/elsewhere"}, "do": {"answer": 500}}] * place
    fault: dict[str, Any] = {"when": {"probability": probability}, "do": {"answer": 503}}
    expected = [chance(seed, place, number) < probability for number in range(1, 31)]

    assert pattern(injector(*other, fault, seed=seed), 30) == expected
    assert pattern(injector(*other, fault, seed=seed), 30) == expected


@given(seed=st.integers(), others=st.lists(st.booleans(), max_size=20))
def test_what_does_not_match_changes_no_decision(seed: int, others: list[bool]) -> None:
    fault = {"when": {"user": "ann", "probability": 0.5}, "do": {"answer": 503}}
    alone, among = injector(fault, seed=seed), injector(fault, seed=seed)

    told = [among.request(Occasion(user="bob") if other else PLACE) is not None for other in others]
    assert [one for one, other in zip(told, others, strict=True) if not other] == pattern(alone, others.count(False))
    assert not any(one for one, other in zip(told, others, strict=True) if other)


@given(seed=st.integers(0, 10**6))
def test_a_chance_is_about_what_it_says(seed: int) -> None:
    drawn = [chance(seed, 0, number) for number in range(400)]

    assert all(0 <= one < 1 for one in drawn)
    assert 0.35 < sum(drawn) / 400 < 0.65


def test_each_fault_and_seed_draws_for_itself() -> None:
    fault = {"when": {"probability": 0.5}, "do": {"answer": 503}}
    elsewhere = {"when": {"path": "/elsewhere"}, "do": {"answer": 503}}

    patterns = [
        pattern(injector(fault), 60),
        pattern(injector(fault, seed=2), 60),
        pattern(injector(elsewhere, fault), 60),
    ]
    assert len({tuple(one) for one in patterns}) == 3


def test_a_script_that_is_added_again_begins_anew() -> None:
    once = {"when": {"count": 1}, "do": {"answer": 503}}
    faults = injector(once)

    assert pattern(faults, 3) == [True, False, False]
    faults.add(script(once))
    assert pattern(faults, 3) == [True, False, False]
    assert len(faults.active()) == 1


def test_a_script_can_be_let_go() -> None:
    faults = injector({"do": {"answer": 503}})
    faults.add(script({"do": {"cut": "after"}}, name="two"))

    assert faults.remove("one")
    assert not faults.remove("one")
    left = faults.request(PLACE)
    assert left is not None
    assert (left.cut, left.answer) == ("after", None)
    faults.clear()
    assert faults.request(PLACE) is None
    assert not faults.meets_requests


@pytest.mark.parametrize(
    ("now", "strikes"),
    [("10:04:59", False), ("10:05", True), ("10:09:59", True), ("10:10", False)],
)
def test_from_counts_and_until_does_not(now: str, strikes: bool) -> None:
    clock = Clock(now)
    faults = injector({"when": {"from": "10:05", "until": "10:10"}, "do": {"answer": 503}}, clock=clock)

    assert (faults.request(PLACE) is not None) is strikes


def test_outside_its_time_nothing_is_counted() -> None:
    clock = Clock("10:00")
    faults = injector({"when": {"from": "10:05", "skip": 1, "count": 1}, "do": {"answer": 503}}, clock=clock)

    assert pattern(faults, 3) == [False] * 3
    clock.now_ms = at("10:05")
    assert pattern(faults, 4) == [False, True, False, False]


@pytest.mark.parametrize(
    ("when", "strikes"),
    [
        ({}, True),
        ({"path": "/v3/order/*"}, True),
        ({"path": "/V3/order/*"}, False),
        ({"path": "/v2/*"}, False),
        ({"method": "POST"}, True),
        ({"method": "DELETE"}, False),
        ({"user": "a*"}, True),
        ({"user": "bob"}, False),
        ({"tag": "a-?"}, True),
        ({"tag": "b-*"}, False),
        ({"side": "BUY"}, True),
        ({"side": "SELL"}, False),
        ({"path": "/v3/order/place", "side": "SELL"}, False),
        ({"instrument": "*"}, False),
    ],
)
def test_every_condition_must_hold_and_what_is_not_told_does_not(when: dict[str, str], strikes: bool) -> None:
    assert (injector({"when": when, "do": {"cut": "before"}}).request(PLACE) is not None) is strikes


@pytest.mark.parametrize("wanted", [FUTURE.key, "NSE_FO|*", FUTURE.name, "BANKNIFTY FUT *"])
def test_an_instrument_goes_by_its_key_and_by_its_name(wanted: str) -> None:
    faults = injector({"when": {"instrument": wanted}, "do": {"book": "zero"}})

    assert faults.book(FUTURE.key, at("10:00")) is not None
    assert (faults.book(OPTION.key, at("10:00")) is not None) is (wanted == "NSE_FO|*")


def test_a_lasting_fault_is_the_same_for_whoever_looks_in_the_same_second() -> None:
    faults = injector({"when": {"probability": 0.5}, "do": {"book": "zero"}})
    moments = range(at("10:00"), at("10:01"), 1000)

    first = [faults.book(FUTURE.key, moment) is not None for moment in moments]
    again = [faults.book(FUTURE.key, moment + 999) is not None for moment in reversed(moments)]
    other = [faults.book(OPTION.key, moment) is not None for moment in moments]
    assert first == again[::-1]
    assert 10 < sum(first) < 50
    assert first != other, "each instrument draws for itself"


def test_the_first_fault_of_a_kind_is_the_only_one() -> None:
    faults = injector(
        {"when": {"count": 1}, "do": {"answer": 503}},
        {"when": {"count": 1}, "do": {"answer": 429}},
        {"do": {"latency": 30}},
        {"do": {"latency": {"after_ms": 70}}},
    )

    told = [faults.request(PLACE) for _ in range(3)]
    assert [None if one is None or one.answer is None else one.answer.status for one in told] == [503, 429, None]
    assert [(one.before_s, one.after_s) for one in told if one is not None] == [(0.03, 0.0)] * 3


def test_counts_are_shown() -> None:
    faults = injector({"when": {"skip": 1, "count": 1}, "do": {"answer": 503}})
    pattern(faults, 5)

    ((_, (armed,)),) = faults.active()
    assert (armed.seen, armed.hits) == (2, 1), "a fault that has struck so often sees no more"
