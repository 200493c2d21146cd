"""A made-up day is believable, complete, and always the same."""

from datetime import date, time

import pytest

from algoexec.domain.calendar import IST, from_ist_minute, ist
from algoexec.domain.instruments import OptionType
from algoexec.domain.market import Bar
from algoexec.simulation.day import SimulatedDay
from algoexec.simulation.expansion import MINUTE_MS
from algoexec.simulation.generated import GENERATED_ON, generated_day

SEEDS = range(1, 13)


@pytest.fixture(scope="module", params=SEEDS)
def day(request: pytest.FixtureRequest) -> SimulatedDay:
    return generated_day(request.param)


def minute_of(clock: time, on: date = GENERATED_ON) -> int:
    return int(ist(on, clock).timestamp()) // 60


def between(bars: tuple[Bar, ...], first: time, last: time) -> list[Bar]:
    return [bar for bar in bars if minute_of(first) <= bar.minute < minute_of(last)]


def test_the_same_seed_gives_the_same_day() -> None:
    one, other = generated_day(3), generated_day(3)

    assert (one.index, one.futures, one.earlier, one.options) == (
        other.index,
        other.futures,
        other.earlier,
        other.options,
    )


def test_another_seed_gives_another_day() -> None:
    assert generated_day(3).index != generated_day(4).index


def test_a_day_on_which_nothing_trades_is_refused() -> None:
    with pytest.raises(ValueError, match="no trading day"):
        generated_day(1, date(2026, 10, 2))


def test_it_is_a_whole_day_under_the_current_rules(day: SimulatedDay) -> None:
    minutes = [bar.minute for bar in day.index]

    assert minutes == list(range(minute_of(time(9, 15)), minute_of(time(15, 30))))
    assert [b.minute for b in day.futures[0].bars] == list(range(minute_of(time(9, 15)), minute_of(time(15, 40))))


def test_the_index_stands_still_once_continuous_trading_has_ended(day: SimulatedDay) -> None:
    still = between(day.index, time(15, 15), time(15, 30))

    assert {price for bar in still for price in bar[1:5]} == {between(day.index, time(15, 14), time(15, 15))[0].close}


def test_before_the_closing_auction_came_the_index_moved_to_the_end() -> None:
    day = generated_day(1, date(2026, 7, 14))

    assert len({bar.close for bar in day.index[-15:]}) > 5
    assert day.futures[0].bars[-1].minute == day.index[-1].minute


def test_there_are_three_earlier_days_and_each_begins_near_the_close_before(day: SimulatedDay) -> None:
    assert [earlier.date for earlier in day.earlier] == [date(2026, 10, 9), date(2026, 10, 12), date(2026, 10, 13)]
    closes = [earlier.index[-1].close for earlier in day.earlier]
    opens = [*(earlier.index[0].open for earlier in day.earlier[1:]), day.index[0].open]
    assert all(abs(opened / closed - 1) < 0.01 for opened, closed in zip(opens, closes, strict=True))
    assert day.previous_close() == closes[-1]


def test_bars_bound_themselves_and_lie_on_the_tick_grid(day: SimulatedDay) -> None:
    futures = [bar for listed in day.futures for bar in listed.bars]
    for bars, tick in ((day.index, 0.05), (futures, 0.2)):
        for bar in bars:
            assert bar.low <= min(bar.open, bar.close) <= max(bar.open, bar.close) <= bar.high
            assert all(round(round(price / tick) * tick, 2) == price for price in bar[1:5])


def test_volumes_are_whole_lots_and_most_at_both_ends(day: SimulatedDay) -> None:
    bars = day.futures[0].bars
    assert all(bar.volume > 0 and bar.volume % 30 == 0 for bar in bars)
    opening, noon, closing = (
        sum(bar.volume for bar in between(bars, *span)) / 15
        for span in ((time(9, 15), time(9, 30)), (time(12, 0), time(12, 15)), (time(15, 25), time(15, 40)))
    )
    assert opening > 2 * noon
    assert closing > 1.3 * noon


def test_a_day_moves_as_much_as_a_day_does(day: SimulatedDay) -> None:
    high, low = max(bar.high for bar in day.index), min(bar.low for bar in day.index)

    assert 0.004 < (high - low) / day.index[0].open < 0.035


def test_the_opening_range_breaks_between_0930_and_0940(day: SimulatedDay) -> None:
    opening = between(day.index, time(9, 15), time(9, 30))
    high, low = max(bar.high for bar in opening), min(bar.low for bar in opening)
    first = next(bar for bar in day.index if bar.minute >= minute_of(time(9, 30)) and not low <= bar.close <= high)

    assert minute_of(time(9, 31)) <= first.minute < minute_of(time(9, 40))
    volumes = {bar.minute: bar.volume for bar in day.earlier[-1].future + day.futures[0].bars}
    before = [volume for minute, volume in volumes.items() if minute < first.minute][-20:]
    assert volumes[first.minute] >= 1.5 * sum(before) / 20


def test_the_put_call_ratio_wanders_from_below_07_to_above_13(day: SimulatedDay) -> None:
    (near, _) = day.expiries()
    options = [option for option in day.options if option.expiry == near]
    ratios = []
    for minute in range(day.index[0].minute, day.index[-1].minute, 5):
        interest = dict.fromkeys(OptionType, 0)
        for option in options:
            interest[option.type] += day.model.open_interest(option, minute * MINUTE_MS)
        ratios.append(interest[OptionType.PUT] / interest[OptionType.CALL])

    assert 0.58 < min(ratios) < 0.7
    assert 1.3 < max(ratios) < 1.42
    assert 0.7 < ratios[3] < 1.3, "a breakout at 09:30 shall not be refused for it"


def test_contracts_are_those_of_the_date(day: SimulatedDay) -> None:
    assert day.expiries() == (date(2026, 10, 27), date(2026, 11, 23))
    assert {(option.lot, option.tick_size, option.freeze_quantity) for option in day.options} == {(30, 0.05, 600)}
    keys = [*(listed.contract.key for listed in day.futures), *(option.key for option in day.options)]
    assert len(set(keys)) == len(keys)
    assert all(key.startswith("NSE_FO|4") for key in keys)


def test_bar_minutes_are_utc(day: SimulatedDay) -> None:
    first = from_ist_minute(day.index[0].minute + 330).astimezone(IST)

    assert first.time() == time(9, 15)
