"""How many instruments a feed connection may watch.

Source: Upstox's Market Data Feed V3 documentation, 2026: one limit where a mode is used alone, a lower one
where several are. `full_d30` is for the Plus plan. The limits are told per category; that they hold per
connection, and that `full_d30` is a category of its own, is a guess.
"""

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Final, NamedTuple

from algoexec.domain.instruments import InstrumentKey
from algoexec.simulator.users_file import Plan
from algoexec.simulator.wire import Mode


class Limit(NamedTuple):
    """The most instruments of a mode: where it is the only one, and where it is one of several."""

    alone: int
    combined: int


LIMITS: Final[Mapping[Mode, Limit]] = {
    Mode.LTPC: Limit(5000, 2000),
    Mode.OPTION_GREEKS: Limit(3000, 2000),
    Mode.FULL: Limit(2000, 1500),
    Mode.FULL_D30: Limit(50, 50),
}


def violation(
    modes: Mapping[InstrumentKey, Mode], keys: Iterable[InstrumentKey], mode: Mode, plan: Plan | None
) -> str | None:
    """Return what forbids that `keys` are watched in `mode` beside what `modes` says already; None: nothing does.

    `plan` None has no restriction of modes.
    """
    if mode is Mode.FULL_D30 and plan is Plan.STANDARD:
        return "mode full_d30 is not available on this plan"
    watched = Counter({**modes, **dict.fromkeys(keys, mode)}.values())
    for used, count in watched.items():
        most = LIMITS[used].alone if len(watched) == 1 else LIMITS[used].combined
        if count > most:
            return f"limit of {most} instruments exceeded for mode {used.value}"
    return None
