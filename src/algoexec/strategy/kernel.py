"""The mark of a function that numba can compile as it stands."""

from collections.abc import Callable
from typing import Final

UNKNOWN: Final = float("nan")
"""What kernels use where the domain has None: every comparison with it is False."""

TOLERANCE: Final = 1e-6
"""In index points: below it two prices are equal, else rounding noise would decide ties."""


def kernel[**P, R](function: Callable[P, R]) -> Callable[P, R]:
    """Mark `function` as part of the compiled brain.

    An identity here. A marked function takes and returns only floats, ints and NamedTuples
    of them, calls only marked functions, and keeps NaN's meaning (no fast-math).
    """
    return function


@kernel
def above(a: float, b: float) -> bool:
    """Return whether `a > b`, beyond rounding noise. False when either is unknown."""
    return a - b > TOLERANCE


@kernel
def at_least(a: float, b: float) -> bool:
    """Return whether `a >= b`, up to rounding noise. False when either is unknown."""
    return a - b >= -TOLERANCE


@kernel
def known(value: float) -> bool:
    """Return whether `value` is not `UNKNOWN`."""
    return value == value  # NaN is the one value that differs from itself
