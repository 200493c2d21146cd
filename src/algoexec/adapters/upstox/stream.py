"""What both of Upstox's streams need: one connection, opened anew for ever.

Own client, because the SDK's turns TLS verification off, gives up after five tries and stays
away after a close with code 1000. Times here are wall time: they are about sockets.

Source: docs/upstox.md §3; V3 protocol of SDK 2.30.0 `feeder/market_data_feeder_v3.py`.
"""

import asyncio
import logging
import random
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Final

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidStatus, WebSocketException

from algoexec.adapters.upstox.hosts import is_private
from algoexec.adapters.upstox.rest import USER_AGENT
from algoexec.domain.errors import BrokerError, DecodeError, FeedTaken, TokenRefused
from algoexec.ports.credentials import AccessToken

type Authorize = Callable[[AccessToken], Awaitable[str]]
"""Returns an address for a token that opens a stream once."""

LOSSES: Final = (BrokerError, DecodeError, WebSocketException, OSError)
"""What ends a connection, or keeps it from being opened. `TokenRefused` and `FeedTaken` are among them."""

_LARGEST_FRAME: Final = 4 * 2**20
"""Bytes. 2,000 instruments in mode full, their maximum, are under 1 MB."""
_FRAMES_AHEAD: Final = 8
"""Frames that may wait for the reader; then the socket is not read, and the sender feels it."""

# Its debug lines carry the URI, and the URI carries a code.
_log = logging.getLogger("algoexec.feed.socket")
_log.setLevel(logging.INFO)


@dataclass(frozen=True, slots=True, kw_only=True)
class FeedTiming:
    """Seconds of wall time.

    The delay after the n-th loss in a row is drawn from the upper half of `first_delay * 2**n`,
    at most `longest_delay`; the row ends when a connection has stood for `steady`. A feed that
    another program holds (403) is tried again after each of `taken_delays`, then at the last.
    A peer that does not answer a ping is dead after `ping_every + ping_timeout` at most; one
    that does is let go of after `silence` without a frame while the venue itself says that our
    segments trade. At any other time silence is no sign of anything.
    """

    first_delay: float = 0.5
    longest_delay: float = 30.0
    steady: float = 10.0
    taken_delays: tuple[float, ...] = (5.0, 15.0, 60.0)
    open_timeout: float = 5.0
    close_timeout: float = 1.0
    ping_every: float = 9.0
    ping_timeout: float = 9.0
    silence: float = 30.0

    def delay(self, losses: int, chance: float) -> float:
        """Return the delay after `losses` in a row, at least 1; `chance` is in [0, 1)."""
        ceiling = min(self.longest_delay, self.first_delay * 2.0 ** min(losses - 1, 30))
        return ceiling * (0.5 + chance / 2)

    def taken_delay(self, refusals: int) -> float:
        """Return the delay after `refusals` with 403 in a row, at least 1."""
        return self.taken_delays[min(refusals, len(self.taken_delays)) - 1]


class Stream:
    """Opens connections of one stream, and waits between them."""

    def __init__(
        self,
        authorize: Authorize,
        *,
        timing: FeedTiming | None = None,
        chance: Callable[[], float] = random.random,
    ) -> None:
        """Connect nowhere yet."""
        self.timing: Final = timing or FeedTiming()
        self._authorize = authorize
        self._chance = chance
        self._losses = self._taken = self._refused_codes = 0

    @asynccontextmanager
    async def opened(self, token: AccessToken) -> AsyncGenerator[ClientConnection]:
        """Hold a connection open.

        Raises:
            TokenRefused: the token is dead.
            FeedTaken: the handshake was refused with 403.
            BrokerError, DecodeError, WebSocketException, OSError: it could not be opened.
        """
        address = await self._authorize(token)
        if not is_private(address, "wss"):
            raise DecodeError("the authorised feed address is neither wss nor loopback")
        socket = await self._shaken(self._connecting(address))
        self._taken = self._refused_codes = 0
        steady = asyncio.get_running_loop().call_later(self.timing.steady, self.count_no_losses)
        try:
            yield socket
        finally:
            steady.cancel()
            await socket.close()

    async def recover(self, loss: Exception) -> None:
        """Return when, after this loss, it is time to try again."""
        if isinstance(loss, FeedTaken):
            self._taken += 1
            await asyncio.sleep(self.timing.taken_delay(self._taken))
        else:
            self._losses += 1
            await asyncio.sleep(self.timing.delay(self._losses, self._chance()))

    def count_no_losses(self) -> None:
        """Begin a new row of losses."""
        self._losses = 0

    def _connecting(self, address: str) -> connect:
        timing = self.timing
        return connect(
            address,
            compression=None,
            max_size=_LARGEST_FRAME,
            max_queue=_FRAMES_AHEAD,
            open_timeout=timing.open_timeout,
            close_timeout=timing.close_timeout,
            ping_interval=timing.ping_every,
            ping_timeout=timing.ping_timeout,
            user_agent_header=USER_AGENT,
            proxy=None,  # nor those of the environment
            logger=_log,
        )

    async def _shaken(self, connecting: connect) -> ClientConnection:
        try:
            return await connecting
        except InvalidStatus as error:
            status = error.response.status_code
            if status == 403:
                raise FeedTaken("403: another program holds the one feed connection") from error
            # The single-use code was refused, which may be the server's doing (it was restarted since).
            # A dead token shows when the next code is asked for; if not, the second time counts.
            self._refused_codes += status == 401
            if self._refused_codes > 1:
                self._refused_codes = 0
                raise TokenRefused("401 on the feed's handshake, twice in a row") from error
            raise


def words_of(loss: Exception) -> str:
    """Return why a connection was lost, for a person; never the address, which carries a code."""
    match loss:
        case TimeoutError():
            return "timed out while connecting"
        case ConnectionClosed():
            return f"closed: {loss}"
        case InvalidStatus():
            return f"handshake refused with {loss.response.status_code}"
        case WebSocketException():
            return f"handshake failed: {type(loss).__name__}"  # its text would carry the URI's code
        case _:
            return str(loss) or type(loss).__name__
