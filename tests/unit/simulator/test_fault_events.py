"""What is remembered of faults outlives a process: the same scripts, as far as they had come."""

import json

import pytest

from algoexec.simulator.faults.events import FaultEvent, as_json, from_json
from algoexec.simulator.faults.injector import FaultInjector
from algoexec.simulator.faults.loading import shipped, shipped_names
from algoexec.simulator.faults.market import contracts_of
from algoexec.simulator.faults.outcomes import Position
from tests.unit.simulator.faults_given import DAY, OPTION, Clock, script

HELD = Position(user="ann", instrument=OPTION.key, quantity=4 * OPTION.lot, since_ms=0)


def kept() -> tuple[FaultInjector, list[FaultEvent]]:
    """Return faults without a script, and the list of what they remember."""
    faults = FaultInjector(Clock(), contracts_of(DAY))
    events: list[FaultEvent] = []
    faults.on_event = events.append
    return faults, events


def again(events: list[FaultEvent]) -> FaultInjector:
    """Return faults that remember what another process wrote down."""
    faults, _ = kept()
    for event in events:
        faults.replay(from_json(json.loads(json.dumps(as_json(event)))))
    return faults


def begun(*given: dict[str, object]) -> tuple[FaultInjector, list[FaultEvent]]:
    """Return faults with one script, and the list of what they remember."""
    faults, events = kept()
    faults.add(script(*given))
    return faults, events


def rejects(faults: FaultInjector) -> bool:
    order = faults.order(user="ann", instrument=OPTION.key, side="BUY", tag=None, quantity=OPTION.lot)
    return order is not None


@pytest.mark.parametrize("name", shipped_names())
def test_a_shipped_script_is_armed_as_it_was_written(name: str) -> None:
    faults, events = kept()
    faults.add(shipped(name))

    assert [script for script, _ in again(events).active()] == [shipped(name)]


def test_a_script_that_was_ended_stays_ended() -> None:
    faults, events = begun({"do": {"reject": "no"}})
    faults.clear()

    assert again(events).active() == []


def test_what_has_struck_often_enough_strikes_no_more() -> None:
    faults, events = begun({"when": {"skip": 1, "count": 1}, "do": {"reject": "no"}})
    assert [rejects(faults) for _ in range(3)] == [False, True, False]

    successor = again(events)
    assert not rejects(successor)
    ((_, (armed,)),) = successor.active()
    assert (armed.seen, armed.hits) == (2, 1)


def test_the_person_acts_once_on_a_position_whoever_asks() -> None:
    faults, events = begun({"do": {"hand": {"sell": "half"}}})
    assert len(faults.due_acts([HELD])) == 1

    assert again(events).due_acts([HELD]) == []
    assert len(again(events[:1]).due_acts([HELD])) == 1


def test_a_script_that_is_active_as_it_is_goes_on_and_a_changed_one_begins_anew() -> None:
    faults, events = begun({"when": {"count": 1}, "do": {"reject": "no"}})
    ((one, (armed,)),) = faults.active()
    armed.hits = 1

    faults.ensure([one])
    assert faults.active()[0][1][0].hits == 1
    faults.ensure([one.model_copy(update={"seed": 9})])
    assert faults.active()[0][1][0].hits == 0
    assert len(events) == 2


@pytest.mark.parametrize(
    "content", [{}, [], None, {"Struck": {}}, {"Begun": {}}, {"begun": {}}, {"Struck": {}, "x": 1}]
)
def test_what_is_no_event_is_refused(content: object) -> None:
    with pytest.raises(ValueError, match=r"."):
        from_json(content)
