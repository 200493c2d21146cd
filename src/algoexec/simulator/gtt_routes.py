"""Orders that wait at the broker for a price: place, change, cancel, look. Source: Upstox's GTT documentation, 2026."""

from collections.abc import Callable
from dataclasses import replace

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from algoexec.domain.instruments import InstrumentKey
from algoexec.domain.orders import Product, Side
from algoexec.simulation.trading.checks import OrderRefused
from algoexec.simulation.trading.commands import CancelGtt, Command, ModifyGtt, PlaceGtt
from algoexec.simulation.trading.gtt_orders import Gtt, GttRequest, GttType, Rule, Strategy, Trigger
from algoexec.simulator.broker import SimulatedBroker
from algoexec.simulator.errors import success
from algoexec.simulator.gtt_wire import gtt_fields
from algoexec.simulator.order_body import Fields, body_of
from algoexec.simulator.order_desk import LATENCY_MS, refusal_of
from algoexec.simulator.users import User


def routes(broker: SimulatedBroker) -> list[BaseRoute]:
    """Return the GTT endpoints."""
    gtts = _Gtts(broker)
    return [
        Route("/v3/order/gtt/place", gtts.place, methods=["POST"]),
        Route("/v3/order/gtt/modify", gtts.modify, methods=["PUT"]),
        Route("/v3/order/gtt/cancel", gtts.cancel, methods=["DELETE"]),
        Route("/v3/order/gtt", gtts.details),
    ]


class _Gtts:
    def __init__(self, broker: SimulatedBroker) -> None:
        self._broker = broker

    async def place(self, request: Request) -> Response:
        """Place a GTT order."""
        user = self._broker.trader(request)
        body = Fields(await body_of(request))
        wanted = GttRequest(
            type=body.choice("type", GttType),
            instrument=InstrumentKey(body.text("instrument_token", "UDAPI1026")),
            side=body.choice("transaction_type", Side),
            quantity=body.quantity(),
            product=body.choice("product", Product),
            rules=_rules(body),
        )
        return self._do(user, lambda at: PlaceGtt(at=at, user=user.id, request=wanted))

    async def modify(self, request: Request) -> Response:
        """Change what a GTT order waits for."""
        user = self._broker.trader(request)
        body = Fields(await body_of(request))
        before = self._own(user, body.text("gtt_order_id"))
        kind, quantity, rules = body.choice("type", GttType), body.quantity(), _rules(body)
        wanted = replace(before.request, type=kind, quantity=quantity, rules=rules)
        return self._do(user, lambda at: ModifyGtt(at=at, user=user.id, gtt_id=before.id, request=wanted))

    async def cancel(self, request: Request) -> Response:
        """End what a GTT order waits for."""
        user = self._broker.trader(request)
        gtt_id = Fields(await body_of(request)).text("gtt_order_id")
        return self._do(user, lambda at: CancelGtt(at=at, user=user.id, gtt_id=gtt_id))

    async def details(self, request: Request) -> Response:
        """Return a GTT order, or all that are not over: the broker shows no others."""
        user = self._broker.caller(request, "order/gtt")
        wanted = request.query_params.get("gtt_order_id")
        gtts = self._broker.dealing.gtts.of(user.id) if wanted is None else [self._own(user, wanted)]
        shown = [gtt for gtt in gtts if wanted is not None or not gtt.is_over]
        contracts = self._broker.exchange.contracts
        return success(
            [gtt_fields(gtt, contracts[gtt.request.instrument]) for gtt in shown], metadata={"latency": LATENCY_MS}
        )

    def _own(self, user: User, gtt_id: str) -> Gtt:
        try:
            return self._broker.dealing.gtts.own(user.id, gtt_id)
        except OrderRefused as refused:
            raise refusal_of(refused) from refused

    def _do(self, user: User, command: Callable[[int], Command]) -> Response:
        try:
            ids = self._broker.dealing.do(command(self._broker.clock.now_ms))
        except OrderRefused as refused:
            raise refusal_of(refused) from refused
        return success({"gtt_order_ids": list(ids)}, metadata={"latency": LATENCY_MS})


def _rules(body: Fields) -> tuple[Rule, ...]:
    return tuple(_rule(Fields(content)) for content in body.rows("rules", most=len(Strategy)))


def _rule(rule: Fields) -> Rule:
    return Rule(
        strategy=rule.choice("strategy", Strategy),
        trigger=rule.choice("trigger_type", Trigger),
        price=rule.number("trigger_price"),
        trailing_gap=rule.number("trailing_gap") if rule.has("trailing_gap") else None,
        market_protection=rule.protection(),
    )
