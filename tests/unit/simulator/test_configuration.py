"""What cannot be played is refused at once."""

from typing import Any

import pytest

from algoexec.simulator.configuration import SimulatorSettings


@pytest.mark.parametrize(
    "settings",
    [{"speed": 0}, {"speed": -1.0}, {"step_ms": 0}, {"step_ms": 251}, {"feeds_per_user": 0}, {"frames_per_ping": 0}],
)
def test_impossible_settings_are_refused(settings: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="must be"):
        SimulatorSettings(**settings)


def test_without_a_speed_the_subscribers_set_the_pace() -> None:
    assert SimulatorSettings(speed=None).waits_for_subscribers
    assert SimulatorSettings(paced=True).waits_for_subscribers
    assert not SimulatorSettings(speed=60.0).waits_for_subscribers
