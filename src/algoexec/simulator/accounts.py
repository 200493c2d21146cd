"""Who may come in, and what their accounts are. What changes is one fold over events, so that it can be kept."""

from collections.abc import Callable, Iterable
from datetime import date, datetime, time, timedelta
from functools import lru_cache
from typing import Final

from algoexec.domain.calendar import IST, ist
from algoexec.simulator.account_events import AccountEvent, AccountsState, LoggedOut, TokenSeen, applied
from algoexec.simulator.errors import token_refused
from algoexec.simulator.users import Token, User
from algoexec.simulator.users_file import Account, Users

TOKENS_DIE_AT: Final = time(3, 30)
"""IST. A token dies at the next one after it was issued. Source: Upstox's Get Token documentation."""

_UNLISTED: Final = Account()


class Accounts:
    """The accounts of one run. `users` None: there is no users file, and every token is welcome.

    `on_event` is called with each event before its effect is answered to anybody. Whoever keeps the events
    hands them to `replay` at the next start, before the first call.
    """

    def __init__(self, users: Users | None, day: date) -> None:
        """Remember nothing yet; a token's own time of death is one of `day`."""
        self._users = users
        self._day = day
        self.state = AccountsState()
        self.on_event: Callable[[AccountEvent], None] = _ignored

    def record(self, event: AccountEvent) -> None:
        """Let an event have its effect."""
        self.on_event(event)
        self.state = applied(self.state, event)

    def replay(self, events: Iterable[AccountEvent]) -> None:
        """Let events of an earlier process of the same run have their effect again."""
        for event in events:
            self.state = applied(self.state, event)

    def account(self, user: User) -> Account:
        """Return what the user has and may do."""
        return _UNLISTED if self._users is None else self._users.users.get(user.id, _UNLISTED)

    def admit(self, token: Token, now_ms: int) -> None:
        """Let a token in and remember that it was seen.

        Raises:
            Refusal: nobody knows its user, or it is dead.
        """
        if not self._is_welcome(token):
            raise token_refused()
        if token.digest not in self.state.tokens:
            self.record(TokenSeen(token=token.digest, user=token.user.id, at=now_ms))
        if self.is_dead(token, now_ms):
            raise token_refused()

    def log_out(self, token: Token, now_ms: int) -> None:
        """End a token that was let in."""
        self.record(LoggedOut(token=token.digest, at=now_ms))

    def is_dead(self, token: Token, now_ms: int) -> bool:
        """Whether a token that was once let in is valid no more."""
        seen = self.state.tokens[token.digest]
        if seen.is_killed:
            return True
        if token.expires is not None:
            return now_ms >= _milliseconds(ist(self._day, token.expires))
        # An extended token is good for a year.
        return not self.account(token.user).extended and now_ms >= next_death(seen.at)

    def _is_welcome(self, token: Token) -> bool:
        if self._users is None:
            return True
        if (account := self._users.users.get(token.user.id)) is not None:
            return not account.refuse
        return not token.is_named and self._users.others == "accept"


@lru_cache(maxsize=4096)
def next_death(seen_ms: int) -> int:
    """Return when a token dies that was first seen at `seen_ms`; both in milliseconds since the epoch."""
    seen = datetime.fromtimestamp(seen_ms / 1000, IST)
    death = ist(seen.date(), TOKENS_DIE_AT)
    if death <= seen:
        death += timedelta(days=1)
    return _milliseconds(death)


def _milliseconds(at: datetime) -> int:
    return round(at.timestamp() * 1000)


def _ignored(event: AccountEvent) -> None:
    """Nobody keeps it."""
