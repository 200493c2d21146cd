"""Rate limits in market time."""

import pytest

from algoexec.simulator.errors import Refusal
from algoexec.simulator.rates import RateLimits


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
