"""Traces of the order path, for OpenTelemetry: a trade, its orders, and what the broker was asked for each.

Spans are handed to a thread of the exporter's, and dropped when too many wait: nothing here
waits for a collector. A trade that was under way at a restart is traced from there on.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Final

from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.trace import Span, Status, StatusCode, set_span_in_context

from algoexec.domain.errors import BrokerError
from algoexec.engine.effects import OrderChanged, PositionChanged, TradeClosed
from algoexec.engine.state import EngineState
from algoexec.ports.clock import WallClock
from algoexec.ports.observer import Decision, Observer

_EXPORT_WITHIN_S: Final = 5


@dataclass(slots=True)
class _Open:
    """The spans of a trade that is not over."""

    trade: Span
    orders: dict[str, Span] = field(default_factory=dict)


class Traces(Observer):
    """Makes spans of what sessions decide and of what brokers are asked; `aclose` at the end."""

    def __init__(self, endpoint: str, version: str, clock: WallClock) -> None:
        """Send to an OTLP/HTTP collector at `endpoint`, its base address."""
        resource = Resource.create({"service.name": "algoexec", "service.version": version})
        self._provider: Final = TracerProvider(resource=resource, shutdown_on_exit=False)
        exporter = OTLPSpanExporter(f"{endpoint.rstrip('/')}/v1/traces", timeout=_EXPORT_WITHIN_S)
        self._provider.add_span_processor(BatchSpanProcessor(exporter, schedule_delay_millis=1000))
        self._tracer: Final = self._provider.get_tracer("algoexec.orders", version)
        self._clock: Final = clock
        self._open: Final[dict[str, _Open]] = {}
        self._own_ids: Final[dict[str, str]] = {}

    def close(self) -> None:
        """Send what is left and end; waits for the collector for some seconds at most."""
        for left in self._open.values():
            for span in (*left.orders.values(), left.trade):
                span.end()
        self._open.clear()
        self._provider.force_flush(_EXPORT_WITHIN_S * 1000)
        self._provider.shutdown()

    def decided(self, after: EngineState, decisions: Sequence[Decision]) -> None:
        """Begin and end spans as orders move."""
        for entry, told_at in decisions:
            for frame in entry.frames:
                match frame.body:
                    case OrderChanged() as order:
                        self._moved(after, order, told_at)
                    case TradeClosed() as trade:
                        self._closed(after, trade)
                    case PositionChanged(stage="NEUTRAL"):
                        self._end(after.session_id)
                    case _:
                        pass

    def flushed(self, seconds: float, records: int) -> None:
        """Nothing: inserts are of all sessions together, so of no trade."""

    @contextmanager
    def request(self, action: str, order_id: str) -> Iterator[None]:
        """Trace a request to the broker; of an order that is not known here, nothing."""
        order = self._order(self._own_ids.get(order_id, order_id))
        if order is None:
            yield
            return
        span = self._tracer.start_span(f"broker {action}", context=set_span_in_context(order))
        try:
            yield
        except BrokerError as error:
            # The broker's words may name an account; its kind says enough here.
            span.set_status(Status(StatusCode.ERROR, type(error).__name__))
            raise
        finally:
            span.end()

    def _moved(self, after: EngineState, order: OrderChanged, told_at: float) -> None:
        """Note where an order stands now; its span begins when the event that led to it arrived."""
        if (left := self._open.get(after.session_id)) is None:
            trade = self._tracer.start_span("trade", start_time=self._wall_ns(told_at))
            trade.set_attributes({"algoexec.session": after.session_id, "algoexec.trade": order.trade_id})
            trade.set_attribute("algoexec.mode", after.mode.value)
            left = self._open[after.session_id] = _Open(trade)
        span = left.orders.get(order.id)
        if span is None:
            if order.phase.is_final:
                return
            name = f"order {order.purpose.value}"
            context = set_span_in_context(left.trade)
            span = self._tracer.start_span(name, context=context, start_time=self._wall_ns(told_at))
            span.set_attributes({"algoexec.order": order.id, "algoexec.quantity": order.quantity})
            left.orders[order.id] = span
        if order.broker_id is not None:
            self._own_ids[order.broker_id] = order.id
        span.add_event(order.phase.value, {"filled": order.filled, "limit": order.limit})
        if order.phase.is_final:
            del left.orders[order.id]
            self._own_ids.pop(order.broker_id or "", None)
            span.end()

    def _closed(self, after: EngineState, trade: TradeClosed) -> None:
        if (left := self._open.get(after.session_id)) is not None:
            left.trade.set_attributes({"algoexec.exit": trade.reason, "algoexec.pattern": trade.pattern})

    def _end(self, session_id: str) -> None:
        if (left := self._open.pop(session_id, None)) is not None:
            for span in (*left.orders.values(), left.trade):
                span.end()

    def _order(self, own_id: str) -> Span | None:
        left = self._open.get(own_id.partition("-")[0])
        return None if left is None else left.orders.get(own_id)

    def _wall_ns(self, monotonic: float) -> int:
        """Return a moment in nanoseconds since the epoch."""
        return round((self._clock.now().timestamp() - (self._clock.monotonic() - monotonic)) * 1e9)
