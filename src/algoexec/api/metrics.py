"""What Prometheus gets when it asks: what was counted, and how things stand just then."""

import asyncio
from collections.abc import Iterator
from typing import Final

from prometheus_client import generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.exposition import CONTENT_TYPE_LATEST
from prometheus_client.registry import Collector
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from algoexec.api.services import Services
from algoexec.engine.effects import Status

CONTENT_TYPE: Final = CONTENT_TYPE_LATEST


def render(services: Services) -> bytes:
    """Return everything in Prometheus's text form."""
    return generate_latest(services.meters.registry) + generate_latest(_Standing(services))


class _Standing(Collector):
    """How the service stands now. What is not known is left out: a 0 would be a claim."""

    def __init__(self, services: Services) -> None:
        self._services: Final = services

    def collect(self) -> Iterator[Metric]:
        """Yield gauges, and counters that others keep."""
        yield from self._of_sessions()
        yield from self._of_streams()
        up = GaugeMetricFamily("algoexec_dependency_up", "1 while it answers.", labels=["name"])
        for name, dependency in self._services.dependencies().items():
            up.add_metric([name], dependency.ok)
        yield up
        yield _gauge("tasks", "Tasks of the event loop.", len(asyncio.all_tasks()))

    def _of_sessions(self) -> Iterator[Metric]:
        registry = self._services.registry
        by_status = registry.health().sessions
        sessions = GaugeMetricFamily("algoexec_sessions", "Sessions of this process.", labels=["status"])
        for status in Status:
            sessions.add_metric([status.value], by_status.get(status, 0))
        yield sessions
        vitals = registry.vitals()
        yield _gauge("market_open", "1 while the market of a session's day is open.", vitals.is_market_open)
        yield _gauge("feeds_lost", "Market feeds that are wanted and not connected.", vitals.feeds_lost)
        yield CounterMetricFamily("algoexec_late_ticks", "Ticks after their minute's end.", vitals.late_ticks)
        for name, told, value in (
            ("feed_age_seconds", "Market seconds since the newest frame of the feed that is furthest behind.",
             vitals.feed_age_s),
            ("chain_age_seconds", "Market seconds since the oldest option chain in use was polled.",
             vitals.chain_age_s),
            ("clock_offset_seconds", "The exchange's time minus this machine's.", vitals.clock_offset_s),
        ):  # fmt: skip
            if value is not None:
                yield _gauge(name, told, value)
        budget = GaugeMetricFamily(
            "algoexec_rate_budget_left_ratio", "Left of the broker's rate limits, 1 for all.", labels=["group"]
        )
        for group, left in vitals.budget.items():
            budget.add_metric([group], left)
        yield budget

    def _of_streams(self) -> Iterator[Metric]:
        hub = self._services.registry.hub
        yield _gauge("stream_clients", "Open streams.", hub.watching)
        yield _gauge("stream_lag_seconds", "Age of the oldest frame that a client still waits for.", hub.lag())
        yield CounterMetricFamily("algoexec_stream_dropped", "Streams dropped as too slow.", hub.dropped)
        yield CounterMetricFamily("algoexec_stream_frames", "Numbered frames published.", hub.published)


def _gauge(name: str, told: str, value: float) -> GaugeMetricFamily:
    return GaugeMetricFamily(f"algoexec_{name}", told, value)


class Measured:
    """ASGI middleware that counts requests by route, not by path: a path names a session."""

    def __init__(self, app: ASGIApp) -> None:
        """Measure `app`."""
        self._app: Final = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on and note what became of it."""
        services: Services | None = getattr(scope["app"].state, "services", None) if scope["type"] == "http" else None
        if services is None:
            await self._app(scope, receive, send)
            return
        meters = services.meters
        began = meters.clock.monotonic()

        async def noting(message: Message) -> None:
            if message["type"] == "http.response.start":
                route = getattr(scope.get("route"), "path", "(none)")
                meters.requests.labels(_method(scope["method"]), route, message["status"]).inc()
                meters.request_seconds.labels(route).observe(meters.clock.monotonic() - began)
            await send(message)

        await self._app(scope, receive, noting)


def _method(method: str) -> str:
    """Return a method that is known, so that nobody makes up labels."""
    return method if method in ("GET", "POST", "PATCH", "PUT", "DELETE", "HEAD", "OPTIONS") else "(other)"
