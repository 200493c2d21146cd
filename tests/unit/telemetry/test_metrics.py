"""What is counted of a day, and that no label names anybody."""

from collections import Counter
from collections.abc import Sequence
from typing import Any

import pytest
from prometheus_client import generate_latest
from prometheus_client.parser import text_string_to_metric_families

from algoexec.domain.errors import BrokerRefused, BrokerUnavailable, OutcomeUnknown, RateLimited, TokenRefused
from algoexec.domain.orders import OrderTicket
from algoexec.engine.effects import EntryRefused, OrderChanged
from algoexec.engine.events import Mode
from algoexec.engine.state import EngineState
from algoexec.engine.step import step
from algoexec.ports.broker import Urgency
from algoexec.ports.observer import Decision, Observer
from algoexec.runtime.observing import Observers
from algoexec.telemetry.broker import MeasuredBroker
from algoexec.telemetry.metrics import Meters
from tests.api.recorded import Recorded, recorded
from tests.api.support import ManualClock, ScriptedBroker, ScriptedVenue


@pytest.fixture(scope="module")
def day() -> Recorded:
    return recorded("ashasession00000", "asha", mode=Mode.PAPER)


def told(day: Recorded, observer: Observer, clock: ManualClock, *, takes: float = 0.25) -> EngineState:
    """Tell `observer` the day record by record, each decided and durable after `takes` seconds."""
    state: EngineState | None = None
    for entry in day.entries:
        state = step(state, entry.record).state
        arrived = clock.monotonic()
        clock.advance(takes)
        observer.decided(state, [Decision(entry, arrived)])
    assert state is not None
    return state


def samples(meters: Meters, name: str) -> dict[tuple[str, ...], float]:
    """Return a metric's values by its labels' values."""
    found: dict[tuple[str, ...], float] = {}
    for family in text_string_to_metric_families(generate_latest(meters.registry).decode()):
        for sample in family.samples:
            if sample.name == name:
                found[tuple(sample.labels.values())] = sample.value
    return found


def test_a_day_is_counted(day: Recorded) -> None:
    clock = ManualClock()
    meters = Meters(clock)
    told(day, meters, clock)

    signals, rejections, trades = (day.frames_of(kind) for kind in ("signal", "rejection", "trade"))
    assert sum(samples(meters, "algoexec_signals_total").values()) == len(signals) > 0
    assert sum(samples(meters, "algoexec_rejections_total").values()) == len(rejections) > 0
    assert sum(samples(meters, "algoexec_trades_total").values()) == len(trades) > 0

    orders = [frame.body for frame in day.frames_of("order")]
    refused = Counter((body.reason,) for body in orders if isinstance(body, EntryRefused))
    assert samples(meters, "algoexec_refusals_total") == refused
    filled = {body.id for body in orders if isinstance(body, OrderChanged) and body.phase == "FILLED"}
    counted = samples(meters, "algoexec_orders_total")
    assert sum(n for labels, n in counted.items() if "FILLED" in labels) == len(filled) > 0


def test_times_are_those_that_passed(day: Recorded) -> None:
    clock = ManualClock()
    meters = Meters(clock)
    told(day, meters, clock, takes=0.25)

    signals = len(day.frames_of("signal"))
    assert samples(meters, "algoexec_tick_to_signal_seconds_count") == {(): signals}
    assert samples(meters, "algoexec_tick_to_signal_seconds_sum")[()] == pytest.approx(0.25 * signals)
    assert 0 < samples(meters, "algoexec_signal_to_order_seconds_count")[()] <= signals


def test_nothing_is_kept_of_a_session_that_is_over(day: Recorded) -> None:
    clock = ManualClock()
    meters = Meters(clock)
    assert told(day, meters, clock).status.is_over
    assert (meters._signalled, meters._phases) == ({}, {})


def test_no_label_names_a_person_a_session_or_an_order(day: Recorded) -> None:
    clock = ManualClock()
    meters = Meters(clock)
    told(day, meters, clock)
    text = generate_latest(meters.registry).decode()
    assert "asha" not in text
    assert not [frame for frame in day.frames_of("trade") if frame.body.id in text]  # type: ignore[union-attr]


def test_inserts_are_timed() -> None:
    meters = Meters(ManualClock())
    meters.flushed(0.004, 12)
    meters.flushed(0.006, 1)
    assert samples(meters, "algoexec_journal_records_total") == {(): 13}
    assert samples(meters, "algoexec_journal_flush_seconds_sum")[()] == pytest.approx(0.01)


# --- brokers --------------------------------------------------------------------------------------------------------


class _Slow(ScriptedBroker):
    """Takes half a second, then fails if told to."""

    def __init__(self, clock: ManualClock, error: Exception | None) -> None:
        super().__init__(ScriptedVenue(), None)  # type: ignore[arg-type]
        self._clock, self._error = clock, error

    async def place(self, ticket: OrderTicket, urgency: Urgency) -> str:
        self._clock.advance(0.5)
        if self._error is not None:
            raise self._error
        return "1"


@pytest.mark.parametrize(
    ("error", "outcome"),
    [
        (None, "ok"),
        (BrokerRefused("no"), "refused"),
        (TokenRefused("dead"), "token_refused"),
        (RateLimited("wait"), "rate_limited"),
        (BrokerUnavailable("gone"), "unavailable"),
        (OutcomeUnknown("who knows"), "unknown"),
        (ZeroDivisionError(), "failed"),
    ],
)
async def test_a_request_is_timed_by_what_came_of_it(error: Exception | None, outcome: str) -> None:
    clock = ManualClock()
    meters = Meters(clock)
    broker = MeasuredBroker(_Slow(clock, error), meters)
    ticket: Any = type("Ticket", (), {"id": "s-1-0"})

    if error is None:
        assert await broker.place(ticket, Urgency.ENTRY) == "1"
    else:
        with pytest.raises(type(error)):
            await broker.place(ticket, Urgency.ENTRY)

    assert samples(meters, "algoexec_order_request_seconds_sum") == {("place", outcome): 0.5}


# --- several ---------------------------------------------------------------------------------------------------------


class _Broken(Observer):
    def __init__(self) -> None:
        self.asked = 0

    def decided(self, after: EngineState, decisions: Sequence[Decision]) -> None:
        self.asked += 1
        raise RuntimeError("broken")

    def flushed(self, seconds: float, records: int) -> None:
        self.asked += 1


def test_one_that_fails_is_left_out(day: Recorded) -> None:
    clock = ManualClock()
    meters, broken = Meters(clock), _Broken()
    told(day, Observers([broken, meters]), clock)
    assert broken.asked == 1
    assert sum(samples(meters, "algoexec_signals_total").values()) == len(day.frames_of("signal"))
