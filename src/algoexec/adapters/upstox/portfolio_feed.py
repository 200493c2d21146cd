"""The portfolio stream: what becomes of the account's orders, told as it happens and never again.

Text frames of JSON, one update each. What happens while there is no connection is not told
afterwards: whoever follows asks for the order book after each `UpdatesBegin`.

Source: Upstox's documentation of the portfolio stream; SDK 2.30.0 `feeder/portfolio_data_feeder.py`.
"""

import logging
from collections.abc import Callable
from typing import Any, Final

import orjson

from algoexec.adapters.upstox.orders_wire import read_order
from algoexec.adapters.upstox.stream import LOSSES, Stream, words_of
from algoexec.domain.errors import DecodeError, TokenRefused
from algoexec.domain.orders import OrderReport
from algoexec.ports.broker import BrokerNews, UpdatesBegin, UpdatesEnd
from algoexec.ports.credentials import AccessToken

ORDERS_ONLY: Final = {"update_types": "order"}
_ORDER: Final = "order"

_log = logging.getLogger("algoexec.portfolio")


class PortfolioFeed:
    """The order updates of one credential."""

    def __init__(self, stream: Stream, token: AccessToken) -> None:
        """Connect nowhere yet."""
        self._stream = stream
        self._token = token
        self._is_lost = False
        self.undecodable = 0
        """Frames that made no sense and were dropped."""
        self.last_undecodable: str | None = None
        """Why the last of them made none."""
        self.unknown_statuses = 0
        """Updates with a status that nobody has heard of: told as pending."""

    async def follow(self, tell: Callable[[BrokerNews], None]) -> None:
        """Connect and tell every order update, in order, until cancelled.

        The end is told once, with its first reason, however often connecting anew fails after it.

        Raises:
            TokenRefused: the token is not valid any more.
        """
        self._is_lost = False
        while True:
            try:
                await self._read_all(tell)
            except TokenRefused as error:
                self._lose(str(error), tell)
                raise
            except LOSSES as error:
                self._lose(words_of(error), tell)
                await self._stream.recover(error)

    async def _read_all(self, tell: Callable[[BrokerNews], None]) -> None:
        """Read one connection to its end, which is always an exception."""
        async with self._stream.opened(self._token) as socket:
            self._is_lost = False
            tell(UpdatesBegin())
            while True:
                # However long it is silent: nobody may trade for hours, and pings tell whether it lives.
                report = self._read(await socket.recv())
                if report is not None:
                    tell(report)

    def _lose(self, detail: str, tell: Callable[[BrokerNews], None]) -> None:
        if not self._is_lost:
            self._is_lost = True
            tell(UpdatesEnd(detail))

    def _read(self, frame: bytes | str) -> OrderReport | None:
        """Return what a frame tells of an order; None if it tells of something else, or makes no sense."""
        try:
            update = _update(frame)
            if update["update_type"] != _ORDER:
                return None
            report, unknown = read_order(update)
        except DecodeError as error:
            self.undecodable += 1
            self.last_undecodable = str(error)
            _log.warning("a frame of the portfolio stream makes no sense: %s", error)
            return None
        if unknown is not None:
            self.unknown_statuses += 1
            _log.warning("order %s has the unknown status %r, taken for pending", report.order_id, unknown)
        return report


def _update(frame: bytes | str) -> dict[str, Any]:
    try:
        update = orjson.loads(frame)
    except orjson.JSONDecodeError as error:
        raise DecodeError(f"no JSON: {frame[:80]!r}") from error
    if not isinstance(update, dict) or not isinstance(update.get("update_type"), str):
        raise DecodeError("no update")
    return update
