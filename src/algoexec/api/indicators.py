"""Indicators beside candles: what was asked for, and its values. Slow (pandas): call it in a thread."""

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from pydantic import BaseModel, Field

from algoexec.api.errors import ApiProblem
from algoexec.api.indicator_table import TABLE, Columns, Indicator, Line, Number, Numbers
from algoexec.domain.calendar import IST
from algoexec.domain.market import Candle

if TYPE_CHECKING:
    import pandas as pd

EXAMPLE: Final = "ema:9,vwap,rsi:14"
_MOST: Final = 10

type Lines = dict[str, list[float | None]]


@dataclass(frozen=True, slots=True)
class Asked:
    """One indicator of a request, in the client's own words."""

    text: str
    indicator: Indicator
    numbers: Numbers


class NumberOut(BaseModel):
    """One number that an indicator takes."""

    name: str
    default: float
    lowest: float
    highest: float
    whole: bool


class IndicatorOut(BaseModel):
    """One indicator that `ta` takes: `name`, or `name:number:…` in the order of `numbers`."""

    name: str
    title: str
    numbers: list[NumberOut]
    lines: list[str] = Field(description="The lines that it answers with.")


def catalogue() -> list[IndicatorOut]:
    """Return all indicators, for a form."""
    return [
        IndicatorOut(
            name=one.name,
            title=one.title,
            numbers=[
                NumberOut(name=n.name, default=n.default, lowest=n.lowest, highest=n.highest, whole=n.is_whole)
                for n in one.numbers
            ],
            lines=[line.name for line in one.lines],
        )
        for one in TABLE.values()
    ]


def parse(text: str) -> tuple[Asked, ...]:
    """Return what `ema:9,vwap` asks for; the same twice counts once.

    Raises:
        ApiProblem: `invalid-request`.
    """
    parts = list(dict.fromkeys(part.strip() for part in text.split(",") if part.strip()))
    if len(parts) > _MOST:
        raise _invalid(f"at most {_MOST} indicators")
    return tuple(_parse_one(part) for part in parts)


def computed(asked: Sequence[Asked], candles: Sequence[Candle]) -> dict[str, Lines]:
    """Return the lines of each indicator, as long as `candles`; None where a value is not known."""
    columns = _columns(candles)
    return {one.text: _lines(one, columns, len(candles)) for one in asked}


def _parse_one(part: str) -> Asked:
    name, *given = part.lower().split(":")
    indicator = TABLE.get(name)
    if indicator is None:
        raise _invalid(f"unknown indicator {name!r}; there are {', '.join(TABLE)}")
    if len(given) > len(indicator.numbers):
        raise _invalid(f"{name} takes {len(indicator.numbers)} numbers, not {len(given)}")
    texts = dict(zip((number.name for number in indicator.numbers), given, strict=False))
    numbers = {number.name: _number(name, number, texts.get(number.name)) for number in indicator.numbers}
    if name == "macd" and numbers["fast"] >= numbers["slow"]:
        raise _invalid("macd: fast must be below slow")
    return Asked(part, indicator, numbers)


def _number(name: str, number: Number, text: str | None) -> float:
    kind = int if number.is_whole else float
    if text is None:
        return kind(number.default)
    try:
        value = kind(text)
    except ValueError as error:
        raise _invalid(f"{name}: {number.name} must be a {'whole ' if number.is_whole else ''}number") from error
    if not number.lowest <= value <= number.highest:
        raise _invalid(f"{name}: {number.name} must lie between {number.lowest:g} and {number.highest:g}")
    return value


def _invalid(message: str) -> ApiProblem:
    field = {"field": "query.ta", "message": message, "code": "indicator"}
    return ApiProblem("invalid-request", f"query.ta: {message}", errors=[field])


def _columns(candles: Sequence[Candle]) -> Columns:
    import pandas as pd

    # On India's wall clock and without a zone: pandas-ta's VWAP begins anew where the date does.
    index = pd.DatetimeIndex([candle.start.astimezone(IST).replace(tzinfo=None) for candle in candles])

    def column(name: str) -> "pd.Series[float]":
        values = [getattr(candle, name) for candle in candles]
        return pd.Series(np.array(values, dtype=np.float64), index=index, name=name)

    return Columns(column("open"), column("high"), column("low"), column("close"), column("volume"))


def _lines(asked: Asked, columns: Columns, count: int) -> Lines:
    soonest = min(line.warm_up(asked.numbers) for line in asked.indicator.lines)
    # Of a single row pandas-ta makes no time series, and prints that.
    table = asked.indicator.compute(_pandas_ta(), columns, asked.numbers) if count > max(1, soonest) else None
    return {line.name: _values(table, line, asked.numbers, count) for line in asked.indicator.lines}


def _values(table: Any, line: Line, numbers: Numbers, count: int) -> list[float | None]:
    if table is None:
        return [None] * count
    column = table if table.ndim == 1 else table.iloc[:, line.column]
    values = column.to_numpy(dtype=np.float64)
    values = np.where(np.arange(count) < line.warm_up(numbers), np.nan, values)
    return [value if known else None for value, known in zip(values.tolist(), np.isfinite(values), strict=True)]


def _pandas_ta() -> Any:
    with warnings.catch_warnings():
        # It warns of other versions of pandas than the one that is locked.
        warnings.simplefilter("ignore")
        import pandas_ta
    return pandas_ta
