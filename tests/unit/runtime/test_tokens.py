"""When an access token dies."""

import base64
import json
from datetime import UTC, datetime, timedelta

import pytest

from algoexec.domain.calendar import IST
from algoexec.ports.credentials import AccessToken
from algoexec.runtime.tokens import expiry_of, next_death

NOON = datetime(2026, 11, 23, 12, 0, tzinfo=IST)
DEATH = datetime(2026, 11, 24, 3, 30, tzinfo=IST)


def jwt(claims: object) -> AccessToken:
    """Return a token that says `claims`, unpadded as they are."""
    middle = base64.urlsafe_b64encode(json.dumps(claims).encode()).decode().rstrip("=")
    return AccessToken(f"eyJhbGciOiJIUzI1NiJ9.{middle}.signature")


@pytest.mark.parametrize(
    ("now", "death"),
    [
        (datetime(2026, 11, 24, 0, 0, tzinfo=IST), DEATH),
        (DEATH - timedelta(microseconds=1), DEATH),
        (DEATH, DEATH + timedelta(days=1)),
        (DEATH + timedelta(microseconds=1), DEATH + timedelta(days=1)),
        (NOON, DEATH),
        (datetime(2026, 11, 23, 23, 59, 59, tzinfo=IST), DEATH),
    ],
)
def test_tokens_die_at_half_past_three_in_india(now: datetime, death: datetime) -> None:
    assert next_death(now) == death
    assert next_death(now.astimezone(UTC)) == death, "whatever zone the clock is read in"
    assert next_death(now).tzinfo is UTC


def test_a_token_that_is_no_jwt_dies_next_half_past_three() -> None:
    assert expiry_of(AccessToken("user:ann"), NOON) == DEATH


def test_a_jwt_says_itself_when_it_dies() -> None:
    at = NOON + timedelta(hours=2, minutes=17)
    assert expiry_of(jwt({"sub": "x", "exp": at.timestamp()}), NOON) == at
    assert expiry_of(jwt({"sub": "x", "exp": int(at.timestamp())}), NOON) == at


def test_a_dead_jwt_is_dead() -> None:
    at = NOON - timedelta(days=1)
    assert expiry_of(jwt({"exp": at.timestamp()}), NOON) == at


@pytest.mark.parametrize(
    "token",
    [
        jwt({"sub": "no exp"}),
        jwt({"exp": "soon"}),
        jwt({"exp": None}),
        jwt({"exp": [1]}),
        jwt({"exp": 1e300}),
        jwt({"exp": float("inf")}),
        jwt({"exp": float("nan")}),
        jwt({"exp": 1e15}),
        jwt(["exp"]),
        jwt("exp"),
        jwt(None),
        AccessToken("a.b.c"),
        AccessToken("a.!!!.c"),
        AccessToken("a..c"),
        AccessToken("a.é.c"),
        AccessToken("a.b.c.d"),
        AccessToken(".".join(["a", base64.urlsafe_b64encode(b"\xff\xfe{").decode(), "c"])),
    ],
)
def test_what_only_looks_like_a_jwt_dies_next_half_past_three(token: AccessToken) -> None:
    assert expiry_of(token, NOON) == DEATH
