"""What is remembered of accounts: the fold of `applied` over events, each of which is plain JSON.

Times are market milliseconds since the epoch. Tokens are known by their digests.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Annotated, Any, Final, Literal, assert_never

from pydantic import Field, TypeAdapter


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenSeen:
    """A token was presented for the first time."""

    kind: Literal["token_seen"] = "token_seen"
    token: str
    user: str
    at: int


@dataclass(frozen=True, slots=True, kw_only=True)
class LoggedOut:
    """A user has ended a token."""

    kind: Literal["logged_out"] = "logged_out"
    token: str
    at: int


@dataclass(frozen=True, slots=True, kw_only=True)
class IpsChanged:
    """A user has registered other addresses; that ends the tokens the user had. `secondary` None: there is none."""

    kind: Literal["ips_changed"] = "ips_changed"
    user: str
    primary: str
    secondary: str | None
    at: int


@dataclass(frozen=True, slots=True, kw_only=True)
class SegmentsSwitched:
    """A user has used the kill switch: trading stops in `disabled` and may go on in `enabled`."""

    kind: Literal["segments_switched"] = "segments_switched"
    user: str
    disabled: tuple[str, ...]
    enabled: tuple[str, ...]
    at: int


type AccountEvent = TokenSeen | LoggedOut | IpsChanged | SegmentsSwitched

_EVENT: Final[TypeAdapter[AccountEvent]] = TypeAdapter(Annotated[AccountEvent, Field(discriminator="kind")])


def as_json(event: AccountEvent) -> dict[str, Any]:
    """Return an event as a dict that JSON can hold."""
    return dict(_EVENT.dump_python(event, mode="json"))


def from_json(content: object) -> AccountEvent:
    """Return the event that `as_json` made a dict of.

    Raises:
        ValueError: it is none.
    """
    return _EVENT.validate_python(content)


@dataclass(frozen=True, slots=True)
class SeenToken:
    """A token that was presented at `at`; a killed one stays dead."""

    user: str
    at: int
    is_killed: bool = False


@dataclass(frozen=True, slots=True)
class Registration:
    """The addresses of a user's last change, and when that was."""

    primary: str
    secondary: str | None
    at: int


@dataclass(frozen=True, slots=True)
class AccountsState:
    """All that is remembered.

    `tokens` by digest, `registrations` by user, `killed` by user and segment: when the kill switch was used.
    """

    tokens: Mapping[str, SeenToken] = field(default_factory=dict)
    registrations: Mapping[str, Registration] = field(default_factory=dict)
    killed: Mapping[str, Mapping[str, int]] = field(default_factory=dict)


def applied(state: AccountsState, event: AccountEvent) -> AccountsState:
    """Return the state after an event."""
    match event:
        case TokenSeen(token=token, user=user, at=at):
            return replace(state, tokens={**state.tokens, token: SeenToken(user, at)})
        case LoggedOut(token=token):
            return replace(state, tokens={**state.tokens, token: replace(state.tokens[token], is_killed=True)})
        case IpsChanged():
            return _registered(state, event)
        case SegmentsSwitched():
            return _switched(state, event)
        case _ as unreachable:
            assert_never(unreachable)


def _registered(state: AccountsState, event: IpsChanged) -> AccountsState:
    tokens = {
        digest: replace(seen, is_killed=True) if seen.user == event.user else seen
        for digest, seen in state.tokens.items()
    }
    registration = Registration(event.primary, event.secondary, event.at)
    return replace(state, tokens=tokens, registrations={**state.registrations, event.user: registration})


def _switched(state: AccountsState, event: SegmentsSwitched) -> AccountsState:
    before = state.killed.get(event.user, {})
    kept = {segment: at for segment, at in before.items() if segment not in event.enabled}
    return replace(state, killed={**state.killed, event.user: {**kept, **dict.fromkeys(event.disabled, event.at)}})
