"""The app factory."""

from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Final

from fastapi import FastAPI
from starlette.middleware.cors import CORSMiddleware
from starlette.routing import Route

from algoexec.api import errors
from algoexec.api.documentation import DESCRIPTION, TAGS, document
from algoexec.api.guard import BodyGuard, OriginGuard
from algoexec.api.identified import Identified
from algoexec.api.metrics import Measured
from algoexec.api.routers import config, days, health, market, me, sessions, signals, socket, stream, trading
from algoexec.api.services import ApiOptions, Services
from algoexec.api.tickets import Tickets

type OpenServices = Callable[[], AbstractAsyncContextManager[Services]]
"""Makes what the app needs, for as long as the context lasts."""

_ROUTERS: Final = (sessions, signals, trading, days, market, stream, config, me, health)


def create_app(options: ApiOptions, open_services: OpenServices, pages: Sequence[Route] = ()) -> FastAPI:
    """Return the app. `open_services` is entered in its lifespan; `pages` is what a browser is shown beside the API."""

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        async with open_services() as services:
            app.state.services = services
            app.state.tickets = Tickets(services.clock)
            yield
            # Streams end before what they read from does.
            services.registry.hub.close("the service is restarting")

    app = FastAPI(
        title="algoexec",
        version=options.version,
        summary="Automated Bank Nifty option scalping, one session per user",
        description=DESCRIPTION,
        openapi_tags=TAGS,
        lifespan=lifespan,
        redoc_url=None,
        separate_input_output_schemas=False,
    )
    app.state.options = options
    resources = [route for module in _ROUTERS for route in module.router.routes if isinstance(route, Route)]
    app.state.routes = [*resources, *pages]
    errors.install(app)
    for module in _ROUTERS:
        app.include_router(module.router)
    app.router.routes.extend((socket.ROUTE, *pages))
    # The last one added is the outermost. A listed page reads every problem but that it is not listed.
    app.add_middleware(BodyGuard, largest_body=options.largest_body)
    app.add_middleware(
        CORSMiddleware,
        allow_origins=sorted(options.cors_origins),
        allow_methods=["GET", "POST", "PUT", "PATCH", "DELETE"],
        allow_headers=["Authorization", "Content-Type", "Idempotency-Key", "Last-Event-ID", "X-Request-ID"],
        expose_headers=["Location", "Retry-After", "Idempotent-Replayed", "X-Request-ID"],
        max_age=600,
    )
    app.add_middleware(OriginGuard, origins=options.cors_origins)
    app.add_middleware(Measured)
    app.add_middleware(Identified)
    document(app)
    return app
