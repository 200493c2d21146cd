"""Everything that Prometheus may know, in one place. Labels are names of ours: none of a person, session or order."""

from collections.abc import Sequence
from typing import Final

from prometheus_client import CollectorRegistry, Counter, GCCollector, Histogram, PlatformCollector, ProcessCollector

from algoexec.domain.signals import Signal
from algoexec.engine.effects import Alert, EntryRefused, Frame, OrderChanged, SubmitOrder, TradeClosed
from algoexec.engine.state import EngineState
from algoexec.engine.trading.orders import Purpose
from algoexec.ports.clock import WallClock
from algoexec.ports.observer import Decision, Observer

FAST: Final = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0)
"""Seconds, from what a step takes to what nobody should wait for."""
SLOW: Final = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.0, 3.0, 5.0, 10.0, 30.0)
"""Seconds, around what a broker takes."""


class Meters(Observer):
    """The counters and histograms of one service."""

    def __init__(self, clock: WallClock) -> None:
        """Begin at zero; durations are measured by `clock`."""
        self.clock: Final = clock
        self.registry: Final = CollectorRegistry()
        for collector in (ProcessCollector, PlatformCollector, GCCollector):
            collector(registry=self.registry)
        self.requests: Final = self._counter("http_requests", "HTTP requests.", "method", "route", "status")
        self.request_seconds: Final = self._histogram(
            "http_request_seconds", "HTTP: from the request to the beginning of its answer.", FAST, "route"
        )
        self.tick_to_signal: Final = self._histogram(
            "tick_to_signal_seconds", "From the arrival of what decides a candle to its signal, durable.", FAST
        )
        self.signal_to_order: Final = self._histogram(
            "signal_to_order_seconds", "From a signal, durable, to its entry order on the way to the broker.", SLOW
        )
        self.order_seconds: Final = self._histogram(
            "order_request_seconds", "Round trip of a request to the broker.", SLOW, "action", "outcome"
        )
        self.flush_seconds: Final = self._histogram(
            "journal_flush_seconds", "One durable insert into the journal.", FAST
        )
        self._records: Final = self._counter("journal_records", "Records made durable.")
        self._signals: Final = self._counter("signals", "Signals.", "pattern")
        self._rejections: Final = self._counter("rejections", "Candidates that became no signal.", "reason")
        self._refusals: Final = self._counter("refusals", "Signals that became no order.", "reason")
        self._orders: Final = self._counter("orders", "Orders that reached a phase.", "mode", "purpose", "phase")
        self._trades: Final = self._counter("trades", "Closed trades.", "mode", "reason")
        self._alerts: Final = self._counter("alerts", "Alerts to people.", "severity", "code")
        self._signalled: Final[dict[str, float]] = {}
        self._phases: Final[dict[str, str]] = {}

    def decided(self, after: EngineState, decisions: Sequence[Decision]) -> None:
        """Count what came of the records of one session."""
        now = self.clock.monotonic()
        for entry, told_at in decisions:
            for frame in entry.frames:
                self._count(after, frame, now, told_at)
            for effect in entry.effects:
                if isinstance(effect, SubmitOrder) and effect.purpose is Purpose.ENTRY:
                    begun = self._signalled.pop(after.session_id, None)
                    if begun is not None:
                        self.signal_to_order.observe(now - begun)
        if after.status.is_over:
            self._signalled.pop(after.session_id, None)
            for order_id in [one for one in self._phases if one.startswith(f"{after.session_id}-")]:
                del self._phases[order_id]

    def flushed(self, seconds: float, records: int) -> None:
        """Count an insert."""
        self.flush_seconds.observe(seconds)
        self._records.inc(records)

    def _count(self, after: EngineState, frame: Frame, now: float, told_at: float) -> None:
        match frame.body:
            case Signal(reason=None, pattern=pattern):
                self._signals.labels(pattern.value).inc()
                self.tick_to_signal.observe(now - told_at)
                self._signalled[after.session_id] = now
            case Signal(reason=reason) if reason is not None:
                self._rejections.labels(reason.value).inc()
            case EntryRefused(reason=reason):
                self._refusals.labels(reason).inc()
            case OrderChanged(id=order_id, purpose=purpose, phase=phase):
                # It is told with each fill too: what counts is that it reached a phase.
                if self._phases.get(order_id) != phase:
                    self._phases[order_id] = phase
                    self._orders.labels(after.mode.value, purpose.value, phase.value).inc()
            case TradeClosed(reason=reason):
                self._trades.labels(after.mode.value, reason).inc()
            case Alert(severity=severity, code=code):
                self._alerts.labels(severity.value, code).inc()
            case _:
                pass

    def _counter(self, name: str, told: str, *labels: str) -> Counter:
        return Counter(f"algoexec_{name}", told, labels, registry=self.registry)

    def _histogram(self, name: str, told: str, buckets: tuple[float, ...], *labels: str) -> Histogram:
        return Histogram(f"algoexec_{name}", told, labels, buckets=buckets, registry=self.registry)
