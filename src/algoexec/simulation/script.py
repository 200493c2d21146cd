"""How a made-up day goes: stretches of trend, chop and squeeze, drawn from a seed.

The opening is always the same story, told differently: a burst, a range until 09:30, a tight
pause, then a breakout that holds. After it anything goes. Minutes count from the open.
"""

import math
from random import Random
from typing import Final, NamedTuple

OPENING_RANGE: Final = 15
_STEPS: Final = 12
"""Steps of the random walk in one minute."""

_BURST: Final = (4, 46.0)
_RANGE_SIGMA: Final = 19.0
_CALM: Final = 9.0


class Stretch(NamedTuple):
    """`minutes` that end `drift` points from where they began, wandering `sigma` points a minute.

    `activity` multiplies the usual volume.
    """

    minutes: int
    drift: float
    sigma: float
    activity: float


class Minute(NamedTuple):
    """One minute of the index, not yet on the tick grid; `activity` as in `Stretch`."""

    open: float
    high: float
    low: float
    close: float
    activity: float


def play(rng: Random, start: float, minutes: int) -> list[Minute]:
    """Return `minutes` of index, the first of which opens at `start`."""
    path = _opening(rng, start)
    path += _pause(rng, path)
    while len(path) < minutes:
        for stretch in _next(rng):
            path += _walk(rng, path[-1].close, stretch)
    return path[:minutes]


def _opening(rng: Random, start: float) -> list[Minute]:
    length, sigma = _BURST
    path = _walk(rng, start, Stretch(length, rng.uniform(-70, 70), sigma, 1.3))
    return path + _walk(rng, path[-1].close, Stretch(OPENING_RANGE - length, start - path[-1].close, _RANGE_SIGMA, 1.0))


def _pause(rng: Random, opening: list[Minute]) -> list[Minute]:
    """Return a few minutes inside the opening range, then the breakout and its first pullback."""
    is_up = rng.random() < 0.5
    high, low = max(minute.high for minute in opening), min(minute.low for minute in opening)
    edge, inward = (high, -1.0) if is_up else (low, 1.0)
    last = opening[-1].close
    inside = edge + inward * rng.uniform(14, 22)
    path = _walk(rng, last, Stretch(rng.randint(2, 6), inside - last, _CALM, 0.7), ceiling=edge, inward=inward)
    leap = edge - inward * rng.uniform(16, 28) - path[-1].close
    path += _walk(rng, path[-1].close, Stretch(1, leap, _CALM, 4.5))
    for stretch in (
        Stretch(rng.randint(5, 8), -inward * rng.uniform(70, 130), 12.0, 2.0),
        Stretch(rng.randint(5, 9), inward * rng.uniform(30, 60), 11.0, 0.8),
    ):
        path += _walk(rng, path[-1].close, stretch)
    return path


def _next(rng: Random) -> list[Stretch]:
    sign = rng.choice((-1.0, 1.0))
    kind = rng.random()
    if kind < 0.4:
        return [Stretch(rng.randint(14, 34), sign * rng.uniform(90, 260), rng.uniform(11, 17), 1.2)]
    if kind < 0.7:
        return [Stretch(rng.randint(12, 30), sign * rng.uniform(0, 60), rng.uniform(12, 18), 0.8)]
    # A squeeze, and what comes of it.
    return [
        Stretch(rng.randint(7, 13), sign * rng.uniform(0, 12), rng.uniform(4, 7), 0.5),
        Stretch(rng.randint(3, 6), sign * rng.uniform(60, 130), rng.uniform(10, 16), 3.0),
    ]


def _walk(
    rng: Random, start: float, stretch: Stretch, *, ceiling: float | None = None, inward: float = 0.0
) -> list[Minute]:
    """Return a Brownian bridge from `start` over the stretch; with `ceiling` it is folded back `inward`."""
    count = stretch.minutes * _STEPS
    noise = [0.0]
    for _ in range(count):
        noise.append(noise[-1] + rng.gauss(0, stretch.sigma / math.sqrt(_STEPS)))
    points = [start + noise[i] + (stretch.drift - noise[-1]) * i / count for i in range(count + 1)]
    if ceiling is not None:
        points = [ceiling + inward * abs(point - ceiling) for point in points]
    minutes = []
    for first in range(0, count, _STEPS):
        part = points[first : first + _STEPS + 1]
        # A minute's first value comes a little after the last one of the minute before.
        opened = part[0] + rng.gauss(0, stretch.sigma / 12)
        inside = [opened, *part[1:]]
        minutes.append(Minute(opened, max(inside), min(inside), part[-1], stretch.activity))
    return minutes
