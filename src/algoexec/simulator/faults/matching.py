"""When a fault strikes: its conditions held against an occasion, its counts, its seeded chance."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import time
from fnmatch import fnmatchcase
from random import Random
from typing import Final

from algoexec.domain.calendar import IST_OFFSET_MINUTES
from algoexec.simulation.expansion import MINUTE_MS
from algoexec.simulator.faults.effects import Effect
from algoexec.simulator.faults.script import Fault, When

_DAY_MS: Final = 86_400_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Occasion:
    """What can be told of the moment at which a fault might strike; nothing, where it is not known.

    Of a request with several orders, each instrument, tag and side is told. `instruments` are
    keys and the names of their contracts.
    """

    path: str | None = None
    method: str | None = None
    user: str | None = None
    instruments: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()
    sides: tuple[str, ...] = ()
    status: str | None = None


@dataclass(slots=True)
class Armed:
    """A fault of the active script `script`, at `place` among its faults.

    `seen` are the matches so far, `hits` those on which it struck. `note` is told of each strike
    of a fault that may strike only so often.
    """

    script: str
    seed: int
    place: int
    fault: Fault
    note: "Callable[[Armed], None]"
    effect: Effect = field(init=False)
    seen: int = 0
    hits: int = 0

    def __post_init__(self) -> None:
        """Keep at hand what is asked for with every frame."""
        self.effect = self.fault.do.effect

    def strikes(self, occasion: Occasion, now_ms: int) -> bool:
        """Return whether it strikes on this occasion, and count it."""
        when = self.fault.when
        if not is_within(when, now_ms) or not suits(when, occasion):
            return False
        if when.count is not None and self.hits >= when.count:
            return False
        self.seen += 1
        if self.seen <= when.skip or not self._is_drawn(when, self.seen):
            return False
        self.hits += 1
        if when.count is not None:
            self.note(self)
        return True

    def holds(self, occasion: Occasion, at_ms: int) -> bool:
        """Return whether a lasting fault holds at a moment: the same for everybody who asks of the same second."""
        when = self.fault.when
        if not is_within(when, at_ms) or not suits(when, occasion):
            return False
        self.seen += 1
        if not self._is_drawn(when, *occasion.instruments, at_ms // 1000):
            return False
        self.hits += 1
        return True

    def _is_drawn(self, when: When, *moment: object) -> bool:
        return when.probability is None or chance(self.seed, self.place, *moment) < when.probability


def chance(seed: int, place: int, *moment: object) -> float:
    """Return a number in [0, 1) that depends on nothing but its arguments."""
    return Random("|".join(map(str, (seed, place, *moment)))).random()


def is_within(when: When, at_ms: int) -> bool:
    """Return whether a moment, in milliseconds since the epoch, is in the times of the day of `when`."""
    clock = (at_ms + IST_OFFSET_MINUTES * MINUTE_MS) % _DAY_MS
    begun = when.from_ is None or clock >= milliseconds(when.from_)
    return begun and (when.until is None or clock < milliseconds(when.until))


def milliseconds(clock: time) -> int:
    """Return a time of the day as milliseconds since its midnight."""
    return ((clock.hour * 60 + clock.minute) * 60 + clock.second) * 1000


def suits(when: When, occasion: Occasion) -> bool:
    """Return whether all that `when` asks of an occasion holds; what is not told does not."""
    return (
        _fits(when.path, (occasion.path,))
        and _fits(when.method, (occasion.method,))
        and _fits(when.user, (occasion.user,))
        and _fits(when.instrument, occasion.instruments)
        and _fits(when.tag, occasion.tags)
        and _fits(when.side, occasion.sides)
        and _fits(when.status, (occasion.status,))
    )


def _fits(pattern: str | None, told: Iterable[str | None]) -> bool:
    return pattern is None or any(one is not None and fnmatchcase(one, pattern) for one in told)
