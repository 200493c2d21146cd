"""The analysers find what leaks, and only that."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import date, timedelta

import pytest

from algoexec.adapters.history.day_folder import read_day
from algoexec.backtest.sweep.leaks import TELLERS, look_ahead, told_by_step, warm_up
from algoexec.domain.recording import RecordedDay
from algoexec.domain.signals import Signal
from algoexec.strategy.parameters import Parameters
from tests import strategies

FIRST = date(2026, 7, 1)


@pytest.fixture(scope="module")
def days(tmp_path_factory: pytest.TempPathFactory) -> list[RecordedDay]:
    folder = tmp_path_factory.mktemp("days")
    return [
        read_day(strategies.made_up_day(seed, FIRST + timedelta(days=seed)).write(folder / str(seed)))
        for seed in range(9)
    ]


@pytest.mark.parametrize("name", TELLERS)
def test_the_strategy_does_not_know_the_future(days: list[RecordedDay], name: str) -> None:
    found = look_ahead([(days[5], days[4:5]), (days[6], days[4:6])], Parameters(lock_minutes=0), TELLERS[name], cuts=4)
    assert found.leaks == ()
    assert 2 < found.cuts <= 8
    assert found.compared > 50
    assert found.verdict().startswith("No look-ahead")


def test_one_that_peeks_is_found(days: list[RecordedDay]) -> None:
    def peeking(day: RecordedDay, history: Sequence[RecordedDay], parameters: Parameters) -> list[Signal]:
        top = max(bar.high for bar in day.index)  # the whole day's
        return [replace(one, target=min(one.target, top)) for one in told_by_step(day, history, parameters)]

    found = look_ahead([(days[5], days[4:5])], Parameters(), peeking, cuts=4)
    assert found.leaks
    assert {leak.what for leak in found.leaks} == {"target"}
    assert found.verdict().startswith("LOOK-AHEAD")


def test_one_that_waits_for_the_next_candle_is_found(days: list[RecordedDay]) -> None:
    def confirmed(day: RecordedDay, history: Sequence[RecordedDay], parameters: Parameters) -> list[Signal]:
        """Signals only those after which another candle came: known a minute later."""
        starts = {bar.minute for bar in day.index}
        said = told_by_step(day, history, parameters)
        return [one for one in said if int(one.at.timestamp()) // 60 in starts]

    found = look_ahead(
        [(days[n], days[n - 5 : n]) for n in (5, 6, 7, 8)], Parameters(lock_minutes=0), confirmed, cuts=200
    )
    assert {leak.what for leak in found.leaks} == {"a candidate is there or not"}


def test_days_without_a_word_prove_nothing(days: list[RecordedDay]) -> None:
    found = look_ahead([(days[5], ())], Parameters(enabled=0), told_by_step, cuts=2)
    assert found.verdict().startswith("Nothing was said")


def test_warm_up_is_measured(days: list[RecordedDay]) -> None:
    found = warm_up(days, Parameters(), reference=4, late=(60,))
    cold, warm = found.by_days[0], found.by_days[3]
    assert (cold.days, cold.past) == (5, 0)
    assert cold.wrong > 0
    assert cold.settled > 0
    assert not cold.is_equal
    assert warm.wrong == 0
    assert warm.levels < 1e-6
    needed = found.needed()
    assert needed is not None
    assert found.verdict(5).startswith("No warm-up bias")
    assert found.verdict(needed - 1).startswith("WARM-UP BIAS")
    late = found.by_minutes[0]
    assert late.wrong == late.days == 5  # the opening range is never known


def test_a_mean_that_is_too_long_for_its_past_is_found(days: list[RecordedDay]) -> None:
    found = warm_up(days, Parameters(ema_slow_length=1_400), reference=4, late=())
    assert found.needed() is None
    assert found.verdict(5).startswith("WARM-UP BIAS")
