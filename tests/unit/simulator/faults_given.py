"""An injector whose clock a test moves, and scripts in a line or two."""

from datetime import time
from typing import Any, Final

from algoexec.domain.calendar import ist
from algoexec.simulation.generated import GENERATED_ON, generated_day
from algoexec.simulator.faults.injector import FaultInjector
from algoexec.simulator.faults.loading import parse
from algoexec.simulator.faults.market import contracts_of
from algoexec.simulator.faults.script import Script

DAY: Final = generated_day()
FUTURE: Final = DAY.futures[0].contract
OPTION: Final = DAY.options[0]


def at(clock: str) -> int:
    """Return a time of the generated day in milliseconds since the epoch."""
    return int(ist(GENERATED_ON, time.fromisoformat(clock)).timestamp()) * 1000


def script(*faults: dict[str, Any], seed: int = 1, name: str = "one") -> Script:
    """Return a script of faults as they are written in a file."""
    return parse({"name": name, "imitates": "a test", "seed": seed, "faults": list(faults)}, source="test")


class Clock:
    """A market clock that stands where it is put."""

    def __init__(self, clock: str = "10:00") -> None:
        """Stand at `clock`, IST."""
        self.now_ms = at(clock)

    def __call__(self) -> int:
        """Return the time in milliseconds since the epoch."""
        return self.now_ms


def injector(*faults: dict[str, Any], clock: Clock | None = None, seed: int = 1) -> FaultInjector:
    """Return an injector with one script of these faults."""
    made = FaultInjector(clock or Clock(), contracts_of(DAY))
    made.add(script(*faults, seed=seed))
    return made
