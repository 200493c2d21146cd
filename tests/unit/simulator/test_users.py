"""What a token says, who is let in, and for how long."""

from collections.abc import Mapping
from datetime import time
from typing import Any

import pytest
from starlette.requests import HTTPConnection

from algoexec.domain.calendar import ist
from algoexec.simulation.generated import GENERATED_ON
from algoexec.simulator.account_events import (
    AccountEvent,
    AccountsState,
    IpsChanged,
    LoggedOut,
    SegmentsSwitched,
    TokenSeen,
    applied,
    as_json,
    from_json,
)
from algoexec.simulator.accounts import Accounts, next_death
from algoexec.simulator.errors import Refusal
from algoexec.simulator.users import Token, User, token_if_any, token_of
from algoexec.simulator.users_file import Account, Users


def connection(authorization: str | None) -> HTTPConnection:
    headers = [] if authorization is None else [(b"authorization", authorization.encode())]
    return HTTPConnection({"type": "http", "headers": headers})


def token(text: str) -> Token:
    return token_of(connection(f"Bearer {text}"))


def at(clock: str) -> int:
    return int(ist(GENERATED_ON, time.fromisoformat(clock)).timestamp() * 1000)


def accounts(users: Mapping[str, Mapping[str, Any]] | None = None, **more: Any) -> Accounts:
    return Accounts(None if users is None else Users.model_validate({"users": users, **more}), GENERATED_ON)


def refused(known: Accounts, presented: Token, clock: str) -> bool:
    try:
        known.admit(presented, at(clock))
    except Refusal as refusal:
        return refusal.code == "UDAPI100050"
    return False


def test_nobody_is_not_somebody() -> None:
    assert token_if_any(connection(None)) is None
    with pytest.raises(Refusal):
        token_of(connection(None))


@pytest.mark.parametrize(
    "authorization",
    [
        "Bearer ",
        "Basic user:ann",
        "Bearer bad-one",
        "Bearer expired-one",
        "Bearer user:",
        "Bearer user:ann:exp=24:00",
        "Bearer user:ann:exp=9:15",
        "Bearer user:ann:exp=",
        "Bearer user:ann:two:three",
    ],
)
def test_a_token_without_sense_is_refused(authorization: str) -> None:
    with pytest.raises(Refusal) as refusal:
        token_if_any(connection(authorization))
    assert (refusal.value.status, refusal.value.code) == (401, "UDAPI100050")


@pytest.mark.parametrize(
    ("text", "name", "expires"),
    [
        ("user:ann", "ann", None),
        ("user:ann:exp=15:30", "ann", time(15, 30)),
        ("user:ann:2", "ann", None),
        ("user:ann:tomorrow:exp=00:00", "ann", time(0, 0)),
    ],
)
def test_tokens_of_one_name_are_one_account(text: str, name: str, expires: time | None) -> None:
    found = token(text)
    assert (found.user, found.is_named, found.expires) == (User(name), True, expires)


def test_any_other_token_is_an_account_of_its_own_and_nowhere_to_be_read() -> None:
    one, other = token("eyJ.secret.one"), token("eyJ.secret.two")
    assert one.user != other.user
    assert not one.is_named
    assert "secret" not in repr(one)


@pytest.mark.parametrize(
    ("seen", "dies"),
    [("02:30", "03:30"), ("03:29:59", "03:30"), ("00:00", "03:30")],
)
def test_a_token_of_the_night_dies_in_the_same_night(seen: str, dies: str) -> None:
    assert next_death(at(seen)) == at(dies)


@pytest.mark.parametrize("seen", ["03:30", "09:15", "23:59:59"])
def test_any_other_token_dies_in_the_next_night(seen: str) -> None:
    assert next_death(at(seen)) == at("03:30") + 86_400_000


def test_a_token_is_dead_at_the_very_moment_it_names() -> None:
    known, presented = accounts(), token("user:ann:exp=15:30")
    assert not refused(known, presented, "15:29:59.999")
    assert refused(known, presented, "15:30")
    assert not refused(known, token("user:ann"), "15:30"), "the account lives on"


def test_a_token_that_is_first_seen_after_its_death_is_dead() -> None:
    assert refused(accounts(), token("user:ann:exp=10:00"), "10:00")


def test_a_token_dies_by_when_it_was_first_seen() -> None:
    known = accounts()
    assert not refused(known, token("user:ann"), "03:00")
    assert not refused(known, token("user:ann"), "03:29:59")
    assert refused(known, token("user:ann"), "03:30")
    assert not refused(known, token("user:ann:2"), "03:30"), "a fresh token of the same account"


def test_who_logs_out_cannot_come_back_with_the_same_token() -> None:
    known, presented = accounts(), token("user:ann")
    known.admit(presented, at("10:00"))
    known.admit(token("user:ann:2"), at("10:00"))
    known.log_out(presented, at("10:00"))
    assert refused(known, presented, "10:00")
    assert not refused(known, token("user:ann:2"), "10:00")


def test_a_file_says_who_may_come() -> None:
    known = accounts({"ann": {}, "eve": {"refuse": True}})
    assert not refused(known, token("user:ann"), "10:00")
    assert refused(known, token("user:eve"), "10:00")
    assert refused(known, token("user:bob"), "10:00")
    assert not refused(known, token("any-other"), "10:00")
    assert refused(accounts({"ann": {}}, others="refuse"), token("any-other"), "10:00")


def test_an_extended_token_outlives_the_night() -> None:
    known = accounts({"ann": {"extended": True}, "bob": {}})
    for name in ("ann", "bob"):
        known.admit(token(f"user:{name}"), at("03:00"))
    assert not refused(known, token("user:ann"), "12:00")
    assert refused(known, token("user:bob"), "12:00")


def test_who_is_in_no_file_has_a_crore_and_no_restriction() -> None:
    assert accounts().account(User("ann")) == Account()
    assert Account().funds_paise == 1_000_000_000


EVENTS: list[AccountEvent] = [
    TokenSeen(token="a", user="ann", at=1),
    TokenSeen(token="b", user="ann", at=2),
    TokenSeen(token="c", user="bob", at=2),
    LoggedOut(token="a", at=3),
    SegmentsSwitched(user="ann", disabled=("NSE_FO", "NSE_EQ"), enabled=(), at=4),
    SegmentsSwitched(user="ann", disabled=("BSE_FO",), enabled=("NSE_EQ",), at=5),
    IpsChanged(user="ann", primary="192.0.2.1", secondary=None, at=6),
]


@pytest.mark.parametrize("event", EVENTS)
def test_events_survive_json(event: AccountEvent) -> None:
    assert from_json(as_json(event)) == event


def test_what_is_no_event_is_an_error() -> None:
    with pytest.raises(ValueError, match="kind"):
        from_json({"kind": "surprise", "at": 1})


def test_the_state_is_the_fold_of_its_events() -> None:
    state = AccountsState()
    for event in EVENTS:
        state = applied(state, event)
    assert {digest: seen.is_killed for digest, seen in state.tokens.items()} == {"a": True, "b": True, "c": False}
    assert state.killed == {"ann": {"NSE_FO": 4, "BSE_FO": 5}}
    assert state.registrations["ann"].at == 6


def test_a_successor_that_is_told_the_events_decides_the_same() -> None:
    first, kept = accounts(), list[AccountEvent]()
    first.on_event = kept.append
    for text in ("user:ann", "user:bob"):
        first.admit(token(text), at("03:00"))
    first.log_out(token("user:ann"), at("03:10"))

    second = accounts()
    second.replay(from_json(as_json(event)) for event in kept)
    assert second.state == first.state
    assert refused(second, token("user:ann"), "03:11")
    assert not refused(second, token("user:bob"), "03:11")
    assert refused(second, token("user:bob"), "03:30"), "seen before the restart"
