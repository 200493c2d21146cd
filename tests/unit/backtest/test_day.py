"""The fold over a recorded day: what is polled when, which candles count, what earlier days are for."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import date, datetime, time, timedelta
from pathlib import Path

import pytest

from algoexec.adapters.history.day_folder import read_day
from algoexec.backtest.day import candles_of, events_of, fold, polls_of, session_of, signals_of
from algoexec.domain.calendar import IST, ist, ist_minute, regular_session
from algoexec.domain.instruments import OptionType
from algoexec.domain.market import Bar
from algoexec.domain.recording import RecordedChain, RecordedDay, RecordedOption
from algoexec.engine.events import CandleClosed, ChainPolled
from algoexec.strategy.parameters import Parameters
from tests import strategies
from tests.strategies import DAY


def bar(on: date, clock: time) -> Bar:
    minute = int(ist(on, clock).timestamp()) // 60
    return Bar(minute, 100.0, 101.0, 99.0, 100.5, 0)


def chain(at: datetime, calls: int | None, puts: int | None) -> RecordedChain:
    rows = (RecordedOption(strike=100.0, type=kind, oi=oi) for kind, oi in zip(OptionType, (calls, puts), strict=True))
    return RecordedChain(at=at, expiry=None, rows=tuple(rows))


def day_with(chains: Sequence[RecordedChain]) -> RecordedDay:
    return RecordedDay(date=DAY, index=(bar(DAY, time(9, 15)),), chains=tuple(chains))


def polled(*chains: RecordedChain) -> dict[time, float | None]:
    readings = polls_of(day_with(chains), regular_session(DAY))
    return {reading.at.astimezone(IST).time(): reading.pcr for reading in readings}


def test_polls_are_at_the_open_and_at_second_30_of_every_fifth_minute() -> None:
    moments = list(polled(chain(ist(DAY, time(9, 0)), 10, 10)))
    assert moments[:3] == [time(9, 15), time(9, 15, 30), time(9, 20, 30)]
    assert moments[-1] == time(15, 25, 30)


def test_a_poll_reads_the_newest_snapshot_not_later_than_it() -> None:
    found = polled(
        chain(ist(DAY, time(9, 15, 10)), 10, 11),
        chain(ist(DAY, time(9, 20, 30)), 10, 12),
        chain(ist(DAY, time(9, 25, 31)), 10, 13),
    )
    assert time(9, 15) not in found
    assert found[time(9, 15, 30)] == 1.1
    assert found[time(9, 20, 30)] == 1.2
    assert found[time(9, 25, 30)] == 1.2
    assert found[time(9, 30, 30)] == 1.3


def test_a_snapshot_without_call_interest_is_the_newest_all_the_same() -> None:
    found = polled(chain(ist(DAY, time(9, 15)), 10, 10), chain(ist(DAY, time(9, 20)), None, 10))
    assert found[time(9, 15, 30)] == 1.0
    assert found[time(9, 20, 30)] is None


def test_yesterdays_snapshot_never_counts() -> None:
    yesterday = DAY - timedelta(days=1)
    assert polled(chain(ist(yesterday, time(15, 25)), 10, 10)) == {}


def test_events_are_in_order_and_each_candle_comes_when_it_is_closed(tmp_path: Path) -> None:
    day = read_day(strategies.made_up_day(3).write(tmp_path))
    events = list(events_of(day, (), Parameters()))
    assert [at for at, _ in events] == sorted(at for at, _ in events)
    assert all(at == event.candle.closed_at for at, event in events if isinstance(event, CandleClosed))
    assert all(at == event.reading.at for at, event in events if isinstance(event, ChainPolled))
    assert sum(isinstance(event, CandleClosed) for _, event in events) == len(day.index)


@pytest.mark.parametrize(("on", "last"), [(date(2026, 7, 31), time(15, 29)), (date(2026, 8, 3), time(15, 14))])
def test_candles_count_while_trading_is_continuous(on: date, last: time) -> None:
    clocks = (
        time(9, 7),
        time(9, 14),
        time(9, 15),
        time(15, 14),
        time(15, 15),
        time(15, 29),
        time(15, 30),
        time(15, 40),
    )
    day = RecordedDay(date=on, index=tuple(bar(on, clock) for clock in clocks))
    counted = [candle.start.astimezone(IST).time() for candle in candles_of(day)]
    assert counted == [clock for clock in clocks if time(9, 15) <= clock <= last]


def test_a_weekend_day_with_ordinary_hours_is_an_ordinary_day() -> None:
    saturday = date(2026, 7, 18)
    day = RecordedDay(date=saturday, index=(bar(saturday, time(11, 30)),))
    assert session_of(day) == regular_session(saturday)


def test_an_evening_session_trades_from_its_first_to_its_last_candle_and_says_nothing() -> None:
    muhurat = date(2026, 11, 8)
    index = tuple(bar(muhurat, time(18, minute)) for minute in range(0, 60))
    day = RecordedDay(date=muhurat, index=index)
    session = session_of(day)
    assert (session.opens_at, session.continuous_until) == (ist(muhurat, time(18)), ist(muhurat, time(19)))
    assert not session.is_regular
    assert len(candles_of(day)) == 60
    assert list(signals_of(day)) == []


def test_earlier_days_only_warm(tmp_path: Path) -> None:
    before = read_day(strategies.made_up_day(1, DAY - timedelta(days=1)).write(tmp_path / "before"))
    day = read_day(strategies.made_up_day(2).write(tmp_path / "day"))
    signals = list(signals_of(day, [before]))
    assert {signal.at.astimezone(IST).date() for signal in signals} == {DAY}
    first = signals[0]
    assert first.levels.ema_slow is not None


def test_a_signal_never_depends_on_a_later_candle(tmp_path: Path) -> None:
    day = read_day(strategies.made_up_day(5).write(tmp_path))
    whole = list(signals_of(day))
    for cut in (40, 120, 250, len(day.index) - 1):
        prefix = replace(day, index=day.index[:cut])
        until = day.index[cut - 1].minute * 60 + 60
        assert list(signals_of(prefix)) == [signal for signal in whole if signal.at.timestamp() <= until]


def test_other_parameters_give_other_signals(tmp_path: Path) -> None:
    day = read_day(strategies.made_up_day(5).write(tmp_path))
    assert list(signals_of(day, parameters=Parameters(enabled=0))) == []
    far = list(signals_of(day, parameters=Parameters(target_pct=1.0)))
    assert [abs(s.target - s.price) for s in far] == pytest.approx([s.price / 100 for s in far])


def test_frames_are_numbered_densely_and_minutes_are_indian(tmp_path: Path) -> None:
    day = read_day(strategies.made_up_day(6).write(tmp_path))
    frames = list(fold(events_of(day, (), Parameters())))
    assert [frame.number for frame in frames] == list(range(1, len(frames) + 1))
    assert all(570 <= ist_minute(signal.candle.start) % 1440 < 900 for signal in signals_of(day))
