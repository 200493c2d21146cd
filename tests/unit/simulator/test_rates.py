"""Rate limits in market time."""

import pytest

from algoexec.simulator.errors import Refusal
from algoexec.simulator.rates import ORDERS, REGISTERED_ALGO, RateLimits


def test_the_51st_call_in_a_second_is_refused_and_the_next_second_is_free() -> None:
    limits = RateLimits()
    for _ in range(50):
        limits.count("u", "chain", 1000)

    with pytest.raises(Refusal) as refused:
        limits.count("u", "chain", 1999)
    assert (refused.value.status, refused.value.code) == (429, "UDAPI10005")
    limits.count("u", "chain", 2000)


def test_the_501st_call_in_a_minute_is_refused() -> None:
    limits = RateLimits()
    for call in range(500):
        limits.count("u", "chain", call * 100)

    with pytest.raises(Refusal):
        limits.count("u", "chain", 59_999)
    limits.count("u", "chain", 60_000)


def test_the_2001st_call_in_half_an_hour_is_refused() -> None:
    limits = RateLimits()
    for call in range(2000):
        limits.count("u", "chain", call * 800)

    with pytest.raises(Refusal):
        limits.count("u", "chain", 1_799_999)
    limits.count("u", "chain", 1_800_000)


def test_users_and_apis_are_counted_apart() -> None:
    limits = RateLimits()
    for _ in range(50):
        limits.count("u", "chain", 0)

    limits.count("u", "contract", 0)
    limits.count("v", "chain", 0)


def test_the_11th_order_in_a_second_is_refused_and_the_next_second_is_free() -> None:
    limits = RateLimits()
    for _ in range(10):
        limits.count("u", "orders", 1000, windows=ORDERS)

    with pytest.raises(Refusal) as refused:
        limits.count("u", "orders", 1999, windows=ORDERS)
    assert (refused.value.status, refused.value.code) == (429, "UDAPI10005")
    limits.count("u", "orders", 2000, windows=ORDERS)


def test_orders_of_one_call_fit_together_or_not_at_all() -> None:
    limits = RateLimits()
    limits.count("u", "orders", 0, 7, ORDERS)

    with pytest.raises(Refusal):
        limits.count("u", "orders", 0, 4, ORDERS)
    limits.count("u", "orders", 0, 3, ORDERS)
    with pytest.raises(Refusal):
        limits.count("u", "orders", 0, 1, ORDERS)
    limits.count("u", "orders", 1000, 10, ORDERS)


def test_more_orders_than_a_second_holds_never_fit() -> None:
    limits = RateLimits()
    with pytest.raises(Refusal):
        limits.count("u", "orders", 0, 11, ORDERS)
    limits.count("u", "orders", 0, 25, REGISTERED_ALGO)


def test_the_501st_order_of_a_minute_is_refused_though_every_second_has_room() -> None:
    limits = RateLimits()
    for second in range(50):
        limits.count("u", "orders", second * 1000, 10, ORDERS)

    with pytest.raises(Refusal):
        limits.count("u", "orders", 59_999, windows=ORDERS)
    limits.count("u", "orders", 60_000, 10, ORDERS)
