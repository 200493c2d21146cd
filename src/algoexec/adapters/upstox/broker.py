"""Upstox as a place to trade.

Source: Upstox's documentation of orders V3, order book, positions, funds; SDK 2.30.0.
"""

import logging
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from pydantic import ValidationError

from algoexec.adapters.upstox.order_requests import OrderRequests
from algoexec.adapters.upstox.orders_wire import Read, is_ours, modify_body, place_body, read_order, tag_of
from algoexec.adapters.upstox.payloads import FUNDS, OLD_FUNDS, POSITION, ROWS, PositionPayload
from algoexec.adapters.upstox.portfolio_feed import PortfolioFeed
from algoexec.adapters.upstox.rest import WORDS_KEPT, UpstoxRest
from algoexec.domain.errors import BrokerRefused, DecodeError, OutcomeUnknown, TokenRefused
from algoexec.domain.instruments import InstrumentKey
from algoexec.domain.orders import OrderReport, OrderTerms, OrderTicket, Product
from algoexec.ports.broker import Broker, BrokerNews, Urgency

_log = logging.getLogger("algoexec.broker")


class UpstoxBroker(Broker):
    """The account of one credential.

    An order is known by its tag, which is our ticket's id: there is no other key by which one
    whose number never arrived can be found.
    """

    def __init__(self, rest: UpstoxRest, requests: OrderRequests, feed: PortfolioFeed) -> None:
        """Read by `rest`, write by `requests`, follow by `feed`; all three of the same credential."""
        self._rest = rest
        self._requests = requests
        self._feed = feed
        self.unreadable = 0
        """Rows of the order book, none of them ours, that made no sense and were left out."""
        self.unknown_statuses = 0
        """Rows of the order book with a status that nobody has heard of: told as pending."""

    async def place(self, ticket: OrderTicket, urgency: Urgency) -> str:
        """Hand an order in; return the broker's number for it. Source: POST /v3/order/place.

        Raises:
            DomainError: the ticket's id is not one of ours.
        """
        data = await self._requests.send("POST", "/v3/order/place", urgency, body=place_body(ticket))
        match data.get("order_ids"):
            case [str(order_id)] if order_id:
                return order_id
            case told:
                # Several would be slices, which nobody asked for: the tag finds them all.
                raise OutcomeUnknown(f"POST /v3/order/place: taken, and its numbers are {told!r}"[:WORDS_KEPT])

    async def modify(self, order_id: str, terms: OrderTerms, urgency: Urgency) -> None:
        """Ask for a working order to be changed. Source: PUT /v3/order/modify."""
        body = modify_body(order_id, terms)
        _require_number(order_id, await self._requests.send("PUT", "/v3/order/modify", urgency, body=body))

    async def cancel(self, order_id: str, urgency: Urgency) -> None:
        """Ask for a working order to be withdrawn. Source: DELETE /v3/order/cancel."""
        query = {"order_id": order_id}
        _require_number(order_id, await self._requests.send("DELETE", "/v3/order/cancel", urgency, query=query))

    async def orders(self) -> Sequence[OrderReport]:
        """Return all orders of today as they stand. Source: GET /v2/order/retrieve-all.

        Somebody else's order that makes no sense is left out and counted.

        Raises:
            DecodeError: one of ours makes none.
        """
        rows = await self._rest.get(ROWS, "/v2/order/retrieve-all")
        return [read.report for row in rows if (read := self._read(row)) is not None]

    async def positions(self) -> Mapping[InstrumentKey, int]:
        """Return net units of product I. Source: GET /v2/portfolio/short-term-positions."""
        net = Counter[InstrumentKey]()
        for row in await self._rest.get(ROWS, "/v2/portfolio/short-term-positions"):
            if _is_intraday(row):
                position = _position(row)
                net[InstrumentKey(position.instrument_token)] += position.quantity
        return {key: units for key, units in net.items() if units}

    async def funds(self) -> int:
        """Return what can be spent now, in paise.

        Source: GET /v3/user/get-funds-and-margin; where it is refused or unreadable, V2.
        """
        try:
            return (await self._rest.get(FUNDS, "/v3/user/get-funds-and-margin")).paise()
        except TokenRefused:
            raise
        except (BrokerRefused, DecodeError) as error:
            _log.warning("funds are read by V2: %s", error)
            return (await self._rest.get(OLD_FUNDS, "/v2/user/get-funds-and-margin", {"segment": "SEC"})).paise()

    async def follow(self, tell: Callable[[BrokerNews], None]) -> None:
        """Tell news of the account's orders. Source: the portfolio stream."""
        await self._feed.follow(tell)

    def _read(self, row: object) -> Read | None:
        try:
            read = read_order(row)
        except DecodeError as error:
            if is_ours(tag_of(row)):
                raise
            self.unreadable += 1
            _log.info("somebody else's order is left out: %s", error)
            return None
        if read.unknown is not None:
            self.unknown_statuses += 1
            _log.warning("order %s has the unknown status %r, taken for pending", read.report.order_id, read.unknown)
        return read


def _require_number(order_id: str, data: Mapping[str, Any]) -> None:
    """Refuse a success that speaks of another order: what became of ours it does not say."""
    if data.get("order_id") != order_id:
        raise OutcomeUnknown(f"order {order_id}: the answer speaks of {data.get('order_id')!r}"[:WORDS_KEPT])


def _is_intraday(row: object) -> bool:
    """Return whether a row is of product I; of what cannot be read, that it is."""
    product = row.get("product") if isinstance(row, dict) else None
    return not isinstance(product, str) or product == Product.INTRADAY


def _position(row: object) -> PositionPayload:
    try:
        return POSITION.validate_python(row)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        where = ".".join(map(str, first["loc"]))
        raise DecodeError(f"a position of product I: {where}: {first['msg']}") from error
