"""Traces of the order path, as a collector gets them."""

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Span, Status

from algoexec.domain.errors import BrokerRefused
from algoexec.telemetry.traces import Traces
from tests.api.support import ManualClock, ScriptedBroker
from tests.api.trading import eventually, held


class Collector:
    """An OTLP/HTTP receiver on loopback."""

    def __init__(self) -> None:
        self.spans: list[Span] = []
        collector = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                assert self.path == "/v1/traces"
                body = self.rfile.read(int(self.headers["Content-Length"]))
                for resource in ExportTraceServiceRequest.FromString(body).resource_spans:
                    for scope in resource.scope_spans:
                        collector.spans += scope.spans
                self.send_response(200)
                self.end_headers()

            def log_message(self, *_: Any) -> None:
                return

        self._server = HTTPServer(("127.0.0.1", 0), Handler)
        self.endpoint = f"http://127.0.0.1:{self._server.server_port}"
        self._thread = threading.Thread(target=self._server.serve_forever)
        self._thread.start()

    def named(self, name: str) -> list[Span]:
        return [span for span in self.spans if span.name == name]

    def close(self) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


@pytest.fixture
def collector() -> Iterator[Collector]:
    running = Collector()
    yield running
    running.close()


async def test_a_trade_and_its_orders_are_one_trace(collector: Collector) -> None:
    traces = Traces(collector.endpoint, "0.1.0", ManualClock())
    async with held(traces=traces) as trading, trading.service.client() as client:
        await client.post(f"{trading.path}/flatten")
        await eventually(lambda: bool(trading.service.venue.placed))
        await eventually(lambda: not traces._open)
    traces.close()

    (trade,), (order,), (request,) = (collector.named(name) for name in ("trade", "order EXIT", "broker place"))
    assert order.parent_span_id == trade.span_id
    assert request.parent_span_id == order.span_id
    assert {span.trace_id for span in (trade, order, request)} == {trade.trace_id}
    told = {one.key: one.value.string_value for one in trade.attributes}
    assert told["algoexec.session"] == trading.session_id
    assert told["algoexec.exit"] == "FLATTEN"
    assert [event.name for event in order.events] == ["SENDING", "FILLED"]
    assert order.start_time_unix_nano <= request.start_time_unix_nano <= request.end_time_unix_nano
    assert "good-token" not in str(collector.spans)


async def test_a_failed_request_is_marked_without_the_brokers_words(
    collector: Collector, monkeypatch: pytest.MonkeyPatch
) -> None:
    traces = Traces(collector.endpoint, "0.1.0", ManualClock())

    async def refuse(*_: Any) -> str:
        raise BrokerRefused("account AB1234 may not")

    monkeypatch.setattr(ScriptedBroker, "place", refuse)
    async with held(traces=traces) as trading, trading.service.client() as client:
        await client.post(f"{trading.path}/flatten")
        await eventually(lambda: bool(traces._open))
        traces._provider.force_flush()
        await eventually(lambda: bool(collector.named("broker place")))
    traces.close()

    failed = collector.named("broker place")[0]
    assert (failed.status.code, failed.status.message) == (Status.STATUS_CODE_ERROR, "BrokerRefused")
    assert "AB1234" not in str(collector.spans)


async def test_without_a_collector_trading_goes_on() -> None:
    traces = Traces("http://127.0.0.1:9", "0.1.0", ManualClock())
    async with held(traces=traces) as trading, trading.service.client() as client:
        await client.post(f"{trading.path}/flatten")
        await eventually(lambda: bool(trading.service.venue.placed))
        await eventually(lambda: not traces._open)
    traces.close()
