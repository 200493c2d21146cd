"""Whose token it is, and what only a simulator can tell."""

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route

from algoexec.domain.calendar import IST
from algoexec.simulator.broker import SimulatedBroker
from algoexec.simulator.errors import success


def routes(broker: SimulatedBroker) -> list[BaseRoute]:
    """Return the endpoints about the caller and the clock."""

    async def profile(request: Request) -> Response:
        user = broker.caller(request, "user/profile")
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

    async def clock(_: Request) -> Response:
        """Return the market time; `speed` None is as fast as the subscribers acknowledge."""
        now = broker.clock.now().astimezone(IST)
        return JSONResponse(
            {
                "now": now.isoformat(timespec="milliseconds"),
                "now_ms": broker.clock.now_ms,
                "speed": broker.clock.speed,
                "instance": broker.instance,
            }
        )

    return [Route("/v2/user/profile", profile), Route("/sim/clock", clock)]
