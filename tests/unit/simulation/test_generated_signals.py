"""The default day gives the strategy something to do, by the second reading of its page."""

from datetime import datetime, time
from typing import Final

import pandas as pd
import pytest

from algoexec.domain.calendar import IST
from algoexec.domain.instruments import OptionType
from algoexec.domain.market import Bar
from algoexec.domain.signals import Pattern
from algoexec.simulation.day import SimulatedDay
from algoexec.simulation.expansion import MINUTE_MS
from algoexec.simulation.generated import generated_day
from tests.parity.second_reading import Line, read_frames

_NAMES: Final = {OptionType.CALL: "CE", OptionType.PUT: "PE"}


def frame(bars: tuple[Bar, ...]) -> pd.DataFrame:
    """Return bars as a day folder has them."""
    table = pd.DataFrame(bars, columns=["minute", "open", "high", "low", "close", "volume"])
    stamps = [datetime.fromtimestamp(bar.minute * 60, IST).isoformat() for bar in bars]
    return table.drop(columns="minute").assign(timestamp=stamps)


def chain(day: SimulatedDay) -> pd.DataFrame:
    """Return the chain of the nearest expiry every five minutes."""
    near = [option for option in day.options if option.expiry == day.expiries()[0]]
    moments = range(day.index[0].minute, day.index[-1].minute, 5)
    return pd.DataFrame(
        [
            {
                "timestamp": datetime.fromtimestamp(minute * 60, IST).isoformat(),
                "strike": option.strike,
                "option_type": _NAMES[option.type],
                "oi": day.model.open_interest(option, minute * MINUTE_MS),
            }
            for minute in moments
            for option in near
        ]
    )


@pytest.fixture(scope="module")
def lines() -> list[Line]:
    day = generated_day()
    history = [(frame(earlier.index), frame(earlier.future)) for earlier in day.earlier]
    return read_frames(frame(day.index), frame(day.futures[0].bars), chain(day), history)


def test_the_first_signal_is_a_breakout_soon_after_0930(lines: list[Line]) -> None:
    first = next(line for line in lines if line["kind"] == "signal")

    assert first["pattern"] == Pattern.ORB_BREAKOUT
    assert time(9, 31) <= datetime.fromisoformat(str(first["at"])).time() <= time(9, 40)
    assert first["volume_confirmed"] is True


def test_every_pattern_fires_and_most_reasons_refuse(lines: list[Line]) -> None:
    fired = {line["pattern"] for line in lines if line["kind"] == "signal"}
    refused = {line["reason"] for line in lines if line["kind"] == "rejection"}

    assert fired == set(Pattern)
    assert refused >= {"TRADE_LOCK", "PCR", "NO_MANS_LAND", "LOWER_PRIORITY"}
