"""How much one feed connection may watch."""

import pytest

from algoexec.domain.instruments import InstrumentKey
from algoexec.simulator.feed_limits import violation
from algoexec.simulator.users_file import Plan
from algoexec.simulator.wire import Mode


def keys(count: int, first: int = 0) -> list[InstrumentKey]:
    return [InstrumentKey(f"NSE_FO|{first + i}") for i in range(count)]


def watched(count: int, mode: Mode, first: int = 0) -> dict[InstrumentKey, Mode]:
    return dict.fromkeys(keys(count, first), mode)


@pytest.mark.parametrize(
    ("mode", "most"), [(Mode.LTPC, 5000), (Mode.OPTION_GREEKS, 3000), (Mode.FULL, 2000), (Mode.FULL_D30, 50)]
)
def test_a_mode_that_is_used_alone_has_its_own_limit(mode: Mode, most: int) -> None:
    assert violation({}, keys(most), mode, None) is None
    assert violation({}, keys(most + 1), mode, None) == f"limit of {most} instruments exceeded for mode {mode.value}"
    assert violation(watched(most, mode), keys(1, first=most), mode, None) is not None


@pytest.mark.parametrize(("mode", "most"), [(Mode.LTPC, 2000), (Mode.OPTION_GREEKS, 2000), (Mode.FULL, 1500)])
def test_a_mode_that_is_used_beside_another_has_less(mode: Mode, most: int) -> None:
    beside = watched(1, Mode.FULL_D30, first=9999)
    assert violation(beside, keys(most), mode, None) is None
    assert violation(beside, keys(most + 1), mode, None) is not None


def test_a_second_mode_lowers_the_limit_of_the_first() -> None:
    assert violation(watched(2001, Mode.LTPC), keys(1, first=5000), Mode.FULL, None) is not None


def test_what_is_watched_already_does_not_count_twice() -> None:
    assert violation(watched(50, Mode.FULL_D30), keys(50), Mode.FULL_D30, None) is None


def test_a_change_of_all_modes_leaves_one_mode() -> None:
    assert violation(watched(1800, Mode.LTPC), keys(1800), Mode.FULL, None) is None


def test_thirty_rows_are_for_the_plus_plan() -> None:
    assert violation({}, keys(1), Mode.FULL_D30, Plan.STANDARD) is not None
    assert violation({}, keys(1), Mode.FULL_D30, Plan.PLUS) is None
    assert violation({}, keys(1), Mode.FULL, Plan.STANDARD) is None
