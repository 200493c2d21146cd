"""What Prometheus may know: requests, streams, sessions. Counts only."""

from typing import Final

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.exposition import CONTENT_TYPE_LATEST
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from algoexec.engine.effects import Status
from algoexec.ports.clock import WallClock
from algoexec.runtime.registry import Registry

CONTENT_TYPE: Final = CONTENT_TYPE_LATEST


class Metrics:
    """The metrics of one app."""

    def __init__(self) -> None:
        """Begin at zero."""
        self._registry: Final = CollectorRegistry()
        self.requests: Final = Counter(
            "algoexec_http_requests", "HTTP requests by route.", ("method", "route", "status"), registry=self._registry
        )
        self.seconds: Final = Histogram(
            "algoexec_http_request_seconds", "Time to the answer's beginning.", ("route",), registry=self._registry
        )
        self._watching: Final = Gauge("algoexec_stream_clients", "Open streams.", registry=self._registry)
        self._dropped: Final = Gauge("algoexec_stream_dropped", "Streams dropped as too slow.", registry=self._registry)
        self._frames: Final = Gauge("algoexec_stream_frames", "Numbered frames published.", registry=self._registry)
        self._sessions: Final = Gauge("algoexec_sessions", "Sessions by status.", ("status",), registry=self._registry)
        self._up: Final = Gauge("algoexec_dependency_up", "1 while it answers.", ("name",), registry=self._registry)

    def render(self, sessions: Registry) -> bytes:
        """Return everything in Prometheus's text form."""
        hub, health = sessions.hub, sessions.health()
        self._watching.set(hub.watching)
        self._dropped.set(hub.dropped)
        self._frames.set(hub.published)
        for status in Status:
            self._sessions.labels(status.value).set(health.sessions.get(status, 0))
        self._up.labels("store").set(health.store.ok)
        self._up.labels("venue").set(health.venue.ok)
        return generate_latest(self._registry)


class Measured:
    """ASGI middleware that counts requests by route, not by path: a path names a session."""

    def __init__(self, app: ASGIApp, *, metrics: Metrics) -> None:
        """Measure `app`."""
        self._app: Final = app
        self._metrics: Final = metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on and note what became of it."""
        services = getattr(scope["app"].state, "services", None) if scope["type"] == "http" else None
        if services is None:
            await self._app(scope, receive, send)
            return
        clock: WallClock = services.clock
        began = clock.monotonic()

        async def noting(message: Message) -> None:
            if message["type"] == "http.response.start":
                route = getattr(scope.get("route"), "path", "(none)")
                self._metrics.requests.labels(scope["method"], route, message["status"]).inc()
                self._metrics.seconds.labels(route).observe(clock.monotonic() - began)
            await send(message)

        await self._app(scope, receive, noting)
