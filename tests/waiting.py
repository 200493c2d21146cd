"""Waiting for a condition of the world outside, which tells nobody when it holds."""

import time
from collections.abc import Callable


def until(holds: Callable[[], bool], *, within: float) -> None:
    """Return once `holds()`; fail after `within` seconds."""
    deadline = time.monotonic() + within
    while not holds():
        assert time.monotonic() < deadline, "it did not come about in time"
        time.sleep(0.02)
