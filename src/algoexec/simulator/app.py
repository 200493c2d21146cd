"""The simulator as an ASGI app. A further group of endpoints is another file with `routes`."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware

from algoexec.ports.clock import WallClock
from algoexec.simulation.day import SimulatedDay
from algoexec.simulator import (
    bulk_routes,
    calendar_routes,
    candle_routes,
    chain_routes,
    feed_routes,
    gtt_routes,
    money_routes,
    order_book_routes,
    order_routes,
    portfolio_feed,
    portfolio_routes,
    quote_routes,
    sim_routes,
    user_routes,
)
from algoexec.simulator.broker import SimulatedBroker
from algoexec.simulator.configuration import SimulatorSettings
from algoexec.simulator.errors import Refusal, answer_http_error, answer_refusal
from algoexec.simulator.faults import routes as fault_routes
from algoexec.simulator.faults.middleware import FaultyRequests
from algoexec.simulator.loopback import front_door


def create_app(day: SimulatedDay, settings: SimulatorSettings, wall: WallClock) -> Starlette:
    """Return a broker that plays `day`.

    The market clock moves between the app's startup and its shutdown. For pacing and for faults it
    must be served with the protocols of `uplink`, as `server.serve` does.
    """
    broker = SimulatedBroker(day, settings, wall)

    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        playing = asyncio.create_task(broker.player.run(), name="player")
        playing.add_done_callback(_report)
        try:
            yield
        finally:
            playing.cancel()
            with suppress(asyncio.CancelledError):
                await playing

    groups = (
        chain_routes,
        candle_routes,
        calendar_routes,
        quote_routes,
        user_routes,
        feed_routes,
        order_routes,
        bulk_routes,
        order_book_routes,
        gtt_routes,
        portfolio_routes,
        portfolio_feed,
        money_routes,
        sim_routes,
    )
    app = Starlette(
        routes=[*fault_routes.routes(broker.faults), *(route for group in groups for route in group.routes(broker))],
        middleware=[*front_door(), Middleware(FaultyRequests, injector=broker.faults)],
        exception_handlers={Refusal: answer_refusal, HTTPException: answer_http_error},
        lifespan=lifespan,
    )
    app.state.broker = broker
    return app


def _report(playing: asyncio.Task[None]) -> None:
    """Say at once that the market clock has stopped for good: clients would only see a quiet market."""
    if not playing.cancelled() and (error := playing.exception()) is not None:
        context = {"message": "the simulated day stopped playing", "exception": error, "task": playing}
        playing.get_loop().call_exception_handler(context)
