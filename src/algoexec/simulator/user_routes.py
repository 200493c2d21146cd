"""Whose token it is, what the user may change of the account, and what only a simulator can tell."""

import json
from typing import Final

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from algoexec.simulator import kill_switch, static_ip
from algoexec.simulator.account_events import IpsChanged, SegmentsSwitched
from algoexec.simulator.broker import SimulatedBroker
from algoexec.simulator.errors import invalid_input, success
from algoexec.simulator.users import User

_IP: Final = "/v2/user/ip"
_KILL_SWITCH: Final = "/v2/user/kill-switch"


def routes(broker: SimulatedBroker) -> list[BaseRoute]:
    """Return the endpoints about the caller and the clock."""
    user = _UserRoutes(broker)
    return [
        Route("/v2/user/profile", user.profile),
        Route("/v2/logout", user.log_out, methods=["DELETE"]),
        Route(_IP, user.addresses),
        Route(_IP, user.change_addresses, methods=["PUT"]),
        Route(_KILL_SWITCH, user.switches),
        Route(_KILL_SWITCH, user.switch, methods=["POST"]),
    ]


class _UserRoutes:
    def __init__(self, broker: SimulatedBroker) -> None:
        self._broker = broker

    async def profile(self, request: Request) -> Response:
        """Return who the caller is."""
        user = self._broker.caller(request, "user/profile")
        return success(
            {
                "email": f"{user.id.lower()}@example.invalid",
                "exchanges": ["NSE", "NFO", "BSE", "BFO"],
                "products": ["D", "I", "CO", "MTF"],
                "broker": "UPSTOX",
                "user_id": user.id,
                "user_name": f"Simulated {user.id}",
                "order_types": ["MARKET", "LIMIT", "SL", "SL-M"],
                "user_type": "individual",
                "poa": False,
                "is_active": True,
            }
        )

    async def log_out(self, request: Request) -> Response:
        """End the token for good, and the feeds that it opened."""
        token = self._broker.token(request, "logout")
        now = self._broker.clock.now_ms
        self._broker.accounts.log_out(token, now)
        self._broker.lifelines.cut(now)
        return success(data=True)

    async def addresses(self, request: Request) -> Response:
        """Return from where the user's orders may come."""
        user = self._broker.caller(request, "user/ip")
        return success(static_ip.shown(self._broker.addresses(user)))

    async def change_addresses(self, request: Request) -> Response:
        """Register other addresses, once a week; all tokens that the user has end."""
        user = self._broker.caller(request, "user/ip/update")
        self._broker.require_full_token(user)
        primary, secondary = static_ip.requested(await _body(request))
        self._register(user, primary, secondary)
        shown = static_ip.shown(self._broker.addresses(user))
        return success({**shown, "access_tokens_invalidated": True})

    async def switches(self, request: Request) -> Response:
        """Return the state of every segment."""
        user = self._broker.caller(request, "user/kill-switch")
        return success(self._broker.brake(user).rows())

    async def switch(self, request: Request) -> Response:
        """Stop trading in segments, or take it up again: all of it or nothing. Answers with every segment."""
        user = self._broker.caller(request, "user/kill-switch/update")
        self._broker.require_full_token(user)
        self._switch(user, kill_switch.requested(await _body(request)))
        return success(self._broker.brake(user).rows())

    def _register(self, user: User, primary: str, secondary: str | None) -> None:
        broker, now = self._broker, self._broker.clock.now_ms
        static_ip.require_new_week(broker.accounts.state.registrations.get(user.id), now)
        broker.accounts.record(IpsChanged(user=user.id, primary=primary, secondary=secondary, at=now))
        broker.lifelines.cut(now)

    def _switch(self, user: User, wanted: kill_switch.Switches) -> None:
        broker, now = self._broker, self._broker.clock.now_ms
        changes = broker.brake(user).changes(wanted, broker.trading, now)
        if not any(changes):
            return
        broker.accounts.record(SegmentsSwitched(user=user.id, disabled=changes.disable, enabled=changes.enable, at=now))
        for segment in changes.disable:
            broker.trading.cancel_pending(user, segment)


async def _body(request: Request) -> object:
    try:
        return json.loads(await request.body())
    except ValueError as error:
        raise invalid_input("The body is no JSON") from error
