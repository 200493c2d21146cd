"""Feed sockets end with the token that opened them.

A guess: what the broker does with an open socket when its token dies is not documented.
"""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from algoexec.simulator.users import Token


class TokenDied(Exception):
    """The token of a socket is valid no more."""


class Lifelines:
    """Who is to be told when a token dies."""

    def __init__(self, is_dead: Callable[[Token, int], bool]) -> None:
        """Ask `is_dead` of each token and the market time at each `cut`."""
        self._is_dead = is_dead
        self._held: dict[asyncio.Timeout, Token] = {}

    @asynccontextmanager
    async def until_death(self, token: Token) -> AsyncIterator[None]:
        """Run the block while `token` lives.

        Raises:
            TokenDied: it died first.
        """
        try:
            async with asyncio.timeout(None) as lifeline:
                self._held[lifeline] = token
                try:
                    yield
                finally:
                    self._held.pop(lifeline, None)
        except TimeoutError as error:
            raise TokenDied from error

    def cut(self, now_ms: int) -> None:
        """End the blocks of all tokens that have died."""
        for lifeline in [lifeline for lifeline, token in self._held.items() if self._is_dead(token, now_ms)]:
            del self._held[lifeline]
            lifeline.reschedule(0)
