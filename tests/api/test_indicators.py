"""Indicators: an allow-list, bounded, causal, null until known."""

import httpx
import numpy as np
import pandas as pd
import pytest

from algoexec.api.errors import ApiProblem
from algoexec.api.indicator_table import TABLE
from algoexec.api.indicators import computed, parse
from algoexec.domain.market import Candle
from algoexec.engine.events import CandleClosed
from tests.api.recorded import recorded
from tests.api.test_sessions import begin, problem

CANDLES = [
    entry.record.event.candle
    for entry in recorded("session", "asha").entries
    if isinstance(entry.record.event, CandleClosed)
]


def lines(name: str, candles: list[Candle]) -> dict[str, list[float | None]]:
    return computed(parse(name), candles)[name]


@pytest.mark.parametrize("name", TABLE)
def test_no_row_depends_on_a_later_one(name: str) -> None:
    whole = lines(name, CANDLES)
    for cut in (0, 1, 2, 3, 9, 15, 21, 34, 60, 200):
        part = lines(name, CANDLES[:cut])
        for line, values in part.items():
            np.testing.assert_allclose(
                _numbers(values), _numbers(whole[line][:cut]), rtol=1e-9, err_msg=f"{line} {cut}"
            )


def _numbers(values: list[float | None]) -> np.ndarray[tuple[int, ...], np.dtype[np.float64]]:
    return np.array(values, dtype=np.float64)


@pytest.mark.parametrize("name", TABLE)
def test_it_is_null_first_and_known_in_the_end(name: str) -> None:
    for line in TABLE[name].lines:
        values = lines(name, CANDLES)[line.name]
        numbers = parse(name)[0].numbers
        warm_up = line.warm_up(numbers)
        assert len(values) == len(CANDLES)
        assert values[:warm_up] == [None] * warm_up
        known = [value for value in values[warm_up:] if value is not None]
        # An unknown volume makes the values that rest on it unknown.
        least = 0.5 if name in ("vwma", "mfi", "cmf") else 0.95
        assert len(known) >= least * (len(CANDLES) - warm_up)


@pytest.mark.parametrize("name", TABLE)
def test_its_bounds_can_be_asked_for(name: str) -> None:
    for pick in ("lowest", "highest"):
        numbers = [getattr(number, pick) for number in TABLE[name].numbers]
        if name == "macd":
            numbers = [2, 3, 2] if pick == "lowest" else [199, 200, 200]
        text = ":".join([name, *(f"{number:g}" for number in numbers)])
        assert len(next(iter(lines(text, CANDLES).values()))) == len(CANDLES)


def test_a_day_without_volume_has_no_vwap() -> None:
    dry = [Candle(**{**{f: getattr(c, f) for f in c.__slots__}, "volume": None}) for c in CANDLES[:30]]

    assert lines("vwap", dry) == {"vwap": [None] * 30}


def test_the_vwap_is_that_of_the_day() -> None:
    typical = pd.Series([(c.high + c.low + c.close) / 3 for c in CANDLES])
    volume = pd.Series([float(c.volume or 0) for c in CANDLES])
    expected = (typical * volume).cumsum() / volume.cumsum()

    values = lines("vwap", CANDLES)["vwap"]

    assert [v for v in values if v is not None] == pytest.approx(
        [expected[i] for i, v in enumerate(values) if v is not None]
    )


@pytest.mark.parametrize(
    "text",
    [
        "nonsense",
        "ema:1",
        "ema:201",
        "ema:x",
        "ema:9.5",
        "ema:9:9",
        "ema:-9",
        "ema:nan",
        "bbands:20:nan",
        "bbands:20:inf",
        "macd:26:12",
        "dpo",
        "__import__",
        ",".join(f"ema:{n}" for n in range(2, 13)),
    ],
)
async def test_what_is_not_on_the_list_is_refused(local: httpx.AsyncClient, text: str) -> None:
    session = await begin(local)

    answer = await local.get(f"/sessions/{session['id']}/candles", params={"ta": text})

    assert problem(answer, 422, "invalid-request")["errors"][0]["field"] == "query.ta"


def test_the_same_twice_counts_once() -> None:
    assert [one.text for one in parse(" ema:9, ema:9 ,rsi,")] == ["ema:9", "rsi"]
    with pytest.raises(ApiProblem):
        parse("ema:")
