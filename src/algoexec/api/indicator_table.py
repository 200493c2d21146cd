"""The indicators that may be asked for: pandas-ta's, with bounded lengths and our own warm-up.

pandas-ta 0.4.71b0 shows values before they mean anything (`rsi` after one row, `dema` after
one length), returns None for short input, and takes a positional argument for another one
(`supertrend`): so all calls are by keyword, and rows before `warm_up` are not shown. None of
these looks ahead (tests/api/test_indicators.py cuts the input and compares).
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, NamedTuple

if TYPE_CHECKING:
    import pandas as pd

type Numbers = Mapping[str, Any]
"""The numbers of one request by name; whole ones are int."""


class Columns(NamedTuple):
    """The candles by column, on the wall clock of India; an unknown volume is NaN."""

    open: "pd.Series[float]"
    high: "pd.Series[float]"
    low: "pd.Series[float]"
    close: "pd.Series[float]"
    volume: "pd.Series[float]"


@dataclass(frozen=True, slots=True)
class Number:
    """One number that an indicator takes."""

    name: str
    default: float
    lowest: float
    highest: float
    is_whole: bool = True


@dataclass(frozen=True, slots=True)
class Line:
    """One line of an indicator: its column in pandas-ta's answer, and how many first rows are not known."""

    name: str
    column: int
    warm_up: Callable[[Numbers], int]


@dataclass(frozen=True, slots=True)
class Indicator:
    """One indicator. `compute` gets pandas-ta, the candles and the numbers; None: too few rows."""

    name: str
    title: str
    numbers: tuple[Number, ...]
    lines: tuple[Line, ...]
    compute: Callable[[Any, Columns, Numbers], Any]


_LONGEST: Final = 200


def _length(default: int, name: str = "length") -> Number:
    return Number(name, default, 2, _LONGEST)


def _factor(name: str, default: float) -> Number:
    return Number(name, default, 0.1, 10, is_whole=False)


def _one(name: str, title: str, default: int, warm_up: Callable[[int], int], *inputs: str) -> Indicator:
    """Return an indicator of one line and one length, which pandas-ta calls by the same name."""

    def compute(ta: Any, columns: Columns, n: Numbers) -> Any:
        return getattr(ta, name)(**{one: getattr(columns, one) for one in inputs}, length=n["length"], talib=False)

    return Indicator(name, title, (_length(default),), (Line(name, 0, lambda n: warm_up(n["length"])),), compute)


def _lines(warm_up: Callable[[Numbers], int], **columns: int) -> tuple[Line, ...]:
    return tuple(Line(name, column, warm_up) for name, column in columns.items())


_HLC: Final = ("high", "low", "close")

_INDICATORS: Final = (
    _one("sma", "Simple moving average", 20, lambda n: n - 1, "close"),
    _one("ema", "Exponential moving average", 9, lambda n: n - 1, "close"),
    _one("wma", "Weighted moving average", 20, lambda n: n - 1, "close"),
    _one("hma", "Hull moving average", 20, lambda n: n + int(n**0.5) - 2, "close"),
    _one("dema", "Double exponential moving average", 20, lambda n: 2 * (n - 1), "close"),
    _one("tema", "Triple exponential moving average", 20, lambda n: 3 * (n - 1), "close"),
    _one("vwma", "Volume-weighted moving average", 20, lambda n: n - 1, "close", "volume"),
    _one("rsi", "Relative strength index", 14, lambda n: n, "close"),
    _one("roc", "Rate of change, per cent", 10, lambda n: n, "close"),
    _one("mom", "Momentum", 10, lambda n: n, "close"),
    _one("cci", "Commodity channel index", 20, lambda n: n - 1, *_HLC),
    _one("willr", "Williams %R", 14, lambda n: n - 1, *_HLC),
    _one("mfi", "Money flow index", 14, lambda n: n, *_HLC, "volume"),
    _one("cmf", "Chaikin money flow", 20, lambda n: n - 1, *_HLC, "volume"),
    _one("atr", "Average true range", 14, lambda n: n, *_HLC),
    _one("natr", "Average true range, per cent", 14, lambda n: n, *_HLC),
    Indicator(
        "vwap",
        "Volume-weighted average price since the open",
        (),
        _lines(lambda _: 1, vwap=0),
        lambda ta, c, _: ta.vwap(high=c.high, low=c.low, close=c.close, volume=c.volume, anchor="D"),
    ),
    Indicator(
        "obv",
        "On-balance volume",
        (),
        _lines(lambda _: 1, obv=0),
        lambda ta, c, _: ta.obv(close=c.close, volume=c.volume, talib=False),
    ),
    Indicator(
        "macd",
        "Moving average convergence and divergence",
        (_length(12, "fast"), _length(26, "slow"), _length(9, "signal")),
        (
            Line("macd", 0, lambda n: n["slow"] - 1),
            Line("histogram", 1, lambda n: n["slow"] + n["signal"] - 2),
            Line("signal", 2, lambda n: n["slow"] + n["signal"] - 2),
        ),
        lambda ta, c, n: ta.macd(close=c.close, fast=n["fast"], slow=n["slow"], signal=n["signal"], talib=False),
    ),
    Indicator(
        "stoch",
        "Stochastic oscillator",
        (_length(14, "k"), _length(3, "d"), _length(3, "smooth_k")),
        (
            Line("k", 0, lambda n: n["k"] + n["smooth_k"] - 2),
            Line("d", 1, lambda n: n["k"] + n["smooth_k"] + n["d"] - 3),
        ),
        lambda ta, c, n: ta.stoch(
            high=c.high, low=c.low, close=c.close, k=n["k"], d=n["d"], smooth_k=n["smooth_k"], talib=False
        ),
    ),
    Indicator(
        "bbands",
        "Bollinger bands",
        (_length(20), _factor("deviations", 2.0)),
        _lines(lambda n: n["length"] - 1, lower=0, middle=1, upper=2),
        lambda ta, c, n: ta.bbands(
            close=c.close, length=n["length"], lower_std=n["deviations"], upper_std=n["deviations"], talib=False
        ),
    ),
    Indicator(
        "kc",
        "Keltner channels",
        (_length(20), _factor("ranges", 2.0)),
        _lines(lambda n: n["length"], lower=0, middle=1, upper=2),
        lambda ta, c, n: ta.kc(
            high=c.high, low=c.low, close=c.close, length=n["length"], scalar=n["ranges"], mamode="ema"
        ),
    ),
    Indicator(
        "donchian",
        "Donchian channels",
        (_length(20),),
        _lines(lambda n: n["length"] - 1, lower=0, middle=1, upper=2),
        lambda ta, c, n: ta.donchian(high=c.high, low=c.low, lower_length=n["length"], upper_length=n["length"]),
    ),
    Indicator(
        "adx",
        "Average directional index",
        (_length(14),),
        (
            Line("adx", 0, lambda n: 2 * n["length"] - 1),
            Line("plus", 2, lambda n: n["length"]),
            Line("minus", 3, lambda n: n["length"]),
        ),
        lambda ta, c, n: ta.adx(high=c.high, low=c.low, close=c.close, length=n["length"], talib=False),
    ),
    Indicator(
        "aroon",
        "Aroon",
        (_length(14),),
        _lines(lambda n: n["length"], down=0, up=1),
        lambda ta, c, n: ta.aroon(high=c.high, low=c.low, length=n["length"], talib=False),
    ),
    Indicator(
        "supertrend",
        "Supertrend",
        (_length(10), _factor("multiplier", 3.0)),
        _lines(lambda n: n["length"], supertrend=0, direction=1),
        lambda ta, c, n: ta.supertrend(
            high=c.high,
            low=c.low,
            close=c.close,
            length=n["length"],
            atr_length=n["length"],
            multiplier=n["multiplier"],
        ),
    ),
)

TABLE: Final[Mapping[str, Indicator]] = {one.name: one for one in _INDICATORS}
"""By the name that `ta` takes."""
