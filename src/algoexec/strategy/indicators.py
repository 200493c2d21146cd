"""Moving averages and volume, one candle at a time.

Every function is causal: its result never depends on a later candle.
"""

from typing import NamedTuple, Protocol

from algoexec.strategy.kernel import UNKNOWN, at_least, kernel, known


class Ema(NamedTuple):
    """An exponential mean under way: while `seen < length`, `value` is the sum so far."""

    seen: int = 0
    value: float = 0.0


@kernel
def ema_next(ema: Ema, close: float, length: int) -> Ema:
    """Return `ema` after one more close, seeded with the simple mean of the first `length`.

    Equal to `pandas_ta.ema(close, length=length)` to 1e-9.
    """
    seen = ema.seen + 1
    if seen < length:
        return Ema(seen, ema.value + close)
    if seen == length:
        return Ema(seen, (ema.value + close) / length)
    return Ema(seen, ema.value + 2.0 / (length + 1.0) * (close - ema.value))


@kernel
def ema_value(ema: Ema, length: int) -> float:
    """Return the mean, unknown before `length` closes."""
    return ema.value if ema.seen >= length else UNKNOWN


class Vwap(NamedTuple):
    """Sums of today's typical prices: weighted with the known volumes, and plain."""

    traded: float = 0.0
    volume: float = 0.0
    typical: float = 0.0
    seen: int = 0


@kernel
def vwap_next(vwap: Vwap, high: float, low: float, close: float, volume: float) -> Vwap:
    """Return `vwap` after one more candle; an unknown volume weighs nothing."""
    typical = (high + low + close) / 3.0
    weight = volume if known(volume) else 0.0
    return Vwap(vwap.traded + typical * weight, vwap.volume + weight, vwap.typical + typical, vwap.seen + 1)


@kernel
def vwap_value(vwap: Vwap) -> float:
    """Return the day's VWAP; while no volume is known, the plain mean of the typical prices."""
    if vwap.volume > 0.0:
        return vwap.traded / vwap.volume
    return vwap.typical / vwap.seen if vwap.seen else UNKNOWN


type Window = tuple[float, ...]
"""The newest values, oldest first, of a fixed length; unknown where none came yet."""


@kernel
def slide(window: Window, value: float) -> Window:
    """Return `window` with `value` at its end and the oldest one gone."""
    return window[1:] + (value,)  # noqa: RUF005 - numba does not compile the starred form


class Row(Protocol):
    """Numbers in a row: a window, or a part of a column."""

    def __len__(self) -> int: ...
    def __getitem__(self, place: int, /) -> float: ...


@kernel
def mean_of_last(window: Row, length: int) -> float:
    """Return the mean of the last `length` values; unknown when one of them is."""
    if length > len(window):
        return UNKNOWN
    total = 0.0
    for i in range(len(window) - length, len(window)):
        total += window[i]
    return total / length


@kernel
def volume_breakout(volume: float, average: float, multiple: float) -> float:
    """Return 1.0 when the volume is at least `multiple` times its average, 0.0 when not, else unknown."""
    if not (known(volume) and known(average)):
        return UNKNOWN
    return 1.0 if at_least(volume, multiple * average) else 0.0
