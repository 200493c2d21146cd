"""A recorded day is played as it was recorded."""

from dataclasses import replace
from datetime import date, datetime, time, timedelta
from pathlib import Path

import pytest

from algoexec.adapters.history.day_folder import read_day
from algoexec.domain.calendar import ist
from algoexec.domain.instruments import OptionType
from algoexec.domain.market import Bar
from algoexec.domain.recording import PremiumSource, RecordedChain, RecordedDay, RecordedOption, RecordedSeries
from algoexec.simulation.black76 import forward_of, premium
from algoexec.simulation.exchange import Exchange
from algoexec.simulation.expansion import MINUTE_MS, rebuild
from algoexec.simulation.pricing import years_left
from algoexec.simulation.recorded import DEFAULT_VOLATILITY, RecordedModel, recorded_day

ON = date(2019, 5, 21)
EXPIRY = date(2019, 5, 23)
FIRST = int(ist(ON, time(9, 15)).timestamp()) // 60


def at(clock: time) -> int:
    return round(ist(ON, clock).timestamp() * 1000)


def option(strike: float, kind: OptionType, oi: int | None, last_price: float | None = None) -> RecordedOption:
    return RecordedOption(strike=strike, type=kind, oi=oi, last_price=last_price)


def chain(clock: time, *rows: RecordedOption, expiry: date | None = EXPIRY) -> RecordedChain:
    return RecordedChain(at=ist(ON, clock), expiry=expiry, rows=rows)


def index(minutes: int = 60) -> tuple[Bar, ...]:
    return tuple(Bar(FIRST + i, 30_800.15, 30_810.4, 30_790.05, 30_805.0, 0) for i in range(minutes))


CALL, PUT = OptionType.CALL, OptionType.PUT
CHAINS = (
    chain(time(9, 3), option(30_800, CALL, 1000), option(30_800, PUT, 1260)),
    chain(time(9, 15)),
    chain(time(9, 30), option(30_800, CALL, 2000, 260.0), option(30_800, PUT, 2400, 240.0), option(30_900, PUT, None)),
)


def test_there_is_no_chain_before_the_first_observation() -> None:
    exchange = Exchange(recorded_day(RecordedDay(date=ON, index=index(), chains=CHAINS)))

    assert exchange.chain(EXPIRY, at(time(9, 2, 59))) == []


def test_the_chain_is_the_newest_observation_and_one_without_rows_is_none() -> None:
    exchange = Exchange(recorded_day(RecordedDay(date=ON, index=index(), chains=CHAINS)))

    shown = {clock: ratio(exchange, at(clock)) for clock in (time(9, 15, 30), time(9, 29, 59), time(9, 30))}

    assert shown == {time(9, 15, 30): (1260, 1000), time(9, 29, 59): (1260, 1000), time(9, 30): (2400, 2000)}


def test_a_strike_that_was_not_observed_yet_is_not_shown() -> None:
    exchange = Exchange(recorded_day(RecordedDay(date=ON, index=index(), chains=CHAINS)))

    assert [row.strike for row in exchange.chain(EXPIRY, at(time(9, 20)))] == [30_800]
    assert [row.strike for row in exchange.chain(EXPIRY, at(time(9, 40)))] == [30_800, 30_900]


def test_an_observed_price_comes_out_of_the_model_again() -> None:
    exchange = Exchange(recorded_day(RecordedDay(date=ON, index=index(), chains=CHAINS)))
    (row,) = [row for row in exchange.chain(EXPIRY, at(time(9, 30, 1))) if row.strike == 30_800]

    assert row.call is not None
    assert row.put is not None
    assert row.call.price == pytest.approx(260, abs=15)
    assert row.put.price == pytest.approx(240, abs=15)


def test_where_nothing_was_ever_priced_the_common_volatility_holds() -> None:
    exchange = Exchange(recorded_day(RecordedDay(date=ON, index=index(), chains=CHAINS[:2])))
    (row,) = exchange.chain(EXPIRY, at(time(9, 20)))

    assert row.call is not None
    assert row.call.volatility == DEFAULT_VOLATILITY


def test_a_premium_does_not_leap_because_somebody_looks() -> None:
    day = RecordedDay(date=ON, index=index(), chains=CHAINS)

    assert known(day, time(9, 20)) == known(day, time(9, 30))


def test_prices_of_before_the_open_are_no_observation() -> None:
    early = chain(time(9, 3), replace(option(30_800, CALL, 10, 900.0), iv=0.9))
    day = RecordedDay(date=ON, index=index(), chains=(early, CHAINS[2]))

    assert known(day, time(9, 20)) == known(day, time(9, 30))


def test_an_option_that_was_never_priced_has_the_volatility_of_the_nearest_strike_that_was() -> None:
    rows = (option(30_800, CALL, 1, 260.0), option(31_000, CALL, 1, 150.0), option(31_100, CALL, 1))
    day = RecordedDay(date=ON, index=index(), chains=(chain(time(9, 30), *rows),))

    assert known(day, time(9, 40), strike=31_100) == (known(day, time(9, 40), strike=31_000)[0], PremiumSource.MODELLED)


def test_a_chain_without_an_expiry_gets_the_nearest_of_its_time() -> None:
    chains = (chain(time(9, 30), option(30_800, CALL, 10), expiry=None),)
    day = recorded_day(RecordedDay(date=ON, index=index(), chains=chains))

    assert day.expiries() == (date(2019, 5, 23),)


def known(day: RecordedDay, clock: time, strike: float = 30_800) -> tuple[float, PremiumSource]:
    """Return the volatility of the call of that strike, and what it rests on."""
    played = recorded_day(day, strikes=[strike], volatility=0.2)
    model = played.model
    assert isinstance(model, RecordedModel)
    (wanted,) = (one for one in played.options if (one.strike, one.type) == (strike, CALL))
    return model.known(wanted, at(clock) // MINUTE_MS)


def test_between_two_observations_the_volatility_is_interpolated() -> None:
    chains = (
        chain(time(9, 30), option(30_800, CALL, 10, 260.0)),
        chain(time(9, 40), option(30_900, CALL, 10, 200.0)),
        chain(time(9, 50), option(30_800, CALL, 10, 280.0)),
    )
    day = RecordedDay(date=ON, index=index(), chains=chains)
    first, last = known(day, time(9, 30)), known(day, time(9, 50))
    middle = known(day, time(9, 40))

    assert first[1] is middle[1] is last[1] is PremiumSource.CHAIN
    assert middle[0] == pytest.approx((first[0] + last[0]) / 2)
    assert first[0] < middle[0] < last[0]


def test_what_rests_on_nothing_observed_says_so() -> None:
    day = RecordedDay(date=ON, index=index(360), chains=(chain(time(10, 30), option(30_800, CALL, 10, 260.0)),))

    assert known(day, time(9, 30))[1] is known(day, time(11, 30))[1] is PremiumSource.CHAIN
    assert known(day, time(9, 29))[1] is known(day, time(11, 31))[1] is PremiumSource.MODELLED
    assert known(RecordedDay(date=ON, index=index()), time(10, 30)) == (0.2, PremiumSource.MODELLED)


def test_an_option_with_bars_of_its_own_trades_at_exactly_those() -> None:
    bars = (Bar(FIRST, 260.0, 275.05, 251.0, 268.5, 4_000), Bar(FIRST + 2, 268.5, 268.5, 240.0, 244.0, 2_000))
    series = RecordedSeries(expiry=EXPIRY, strike=30_800, type=CALL, bars=bars)
    day = RecordedDay(date=ON, index=index(), options=(series,))
    played = recorded_day(day)
    (call,) = (one for one in played.options if one.type is CALL)
    tape = Exchange(played).tape(call.key)

    assert [rebuild(FIRST + i, tape.ticks(FIRST + i)) for i in range(3)] == [bars[0], None, bars[1]]
    volatility, source = known(day, time(9, 15))
    assert source is PremiumSource.REAL
    assert premium(CALL, 30_800.15 * growth(), 30_800, years_left(EXPIRY, FIRST), volatility) == pytest.approx(260.0)


def growth() -> float:
    return forward_of(1.0, years_left(EXPIRY, FIRST))


def test_the_lot_is_that_of_the_contract_and_not_of_the_day() -> None:
    on = date(2023, 7, 21)
    day = RecordedDay(date=on, index=(Bar(int(ist(on, time(9, 15)).timestamp()) // 60, 1.0, 1.0, 1.0, 1.0, 0),))
    assert {one.lot for one in recorded_day(day, strikes=[46_000.0]).options} == {15}
    earlier = recorded_day(replace(day, date=date(2023, 7, 14)), strikes=[46_000.0])
    assert {one.lot for one in earlier.options} == {25}


def test_a_minute_in_which_the_future_did_not_trade_changes_nothing() -> None:
    bars = (
        Bar(FIRST, 30_850.0, 30_860.0, 30_840.0, 30_855.0, 400),
        Bar(FIRST + 1, 30_855.0, 30_855.0, 30_855.0, 30_855.0, 0),
        Bar(FIRST + 3, 30_855.0, 30_866.0, 30_850.0, 30_851.0, 60),
    )
    day = recorded_day(RecordedDay(date=ON, index=index(), future=bars))
    tape = Exchange(day).tape(day.futures[0].contract.key)

    assert [len(tape.ticks(FIRST + i)) > 0 for i in range(4)] == [True, False, False, True]
    assert (tape.ticks(FIRST)[-1].volume, tape.ticks(FIRST + 3)[-1].volume) == (400, 460)


def test_a_future_of_which_only_the_volume_is_known_is_priced_by_the_index() -> None:
    bars = (Bar(FIRST, 0.0, 0.0, 0.0, 0.0, 400), Bar(FIRST + 99, 0.0, 0.0, 0.0, 0.0, 20))
    day = recorded_day(RecordedDay(date=ON, index=index(), future=bars))

    (priced,) = day.futures[0].bars
    assert priced.volume == 400
    assert 1.0 < priced.close / 30_805.0 < 1.004


def test_a_day_with_nothing_but_the_index_plays() -> None:
    day = recorded_day(RecordedDay(date=ON, index=index()))
    exchange = Exchange(day)

    assert exchange.quote(exchange.underlying, at(time(9, 20))).trade is not None
    assert exchange.quote(day.futures[0].contract.key, at(time(9, 20))).trade is None
    assert day.expiries() == ()


def ratio(exchange: Exchange, moment: int) -> tuple[int, int]:
    """Return put and call open interest of the chain shown at `moment`."""
    rows = exchange.chain(EXPIRY, moment)
    puts = sum(row.put.open_interest for row in rows if row.put is not None)
    return puts, sum(row.call.open_interest for row in rows if row.call is not None)


@pytest.fixture(params=["2019-02-01", "2019-05-20", "2019-05-21"])
def golden(request: pytest.FixtureRequest, shared_data: Path) -> RecordedDay:
    return read_day(shared_data / "golden_days" / request.param)


def test_a_real_day_is_rebuilt_to_the_bit(golden: RecordedDay) -> None:
    day = recorded_day(golden)
    exchange = Exchange(day)
    index_tape, future_tape = exchange.tape(exchange.underlying), exchange.tape(day.futures[0].contract.key)

    assert all(rebuild(b.minute, index_tape.ticks(b.minute)) == b._replace(volume=0) for b in golden.index)
    assert all(rebuild(b.minute, future_tape.ticks(b.minute)) == b for b in golden.future)


def test_a_real_chain_is_shown_with_exactly_its_open_interest(golden: RecordedDay) -> None:
    exchange = Exchange(recorded_day(golden))
    for observed in golden.chains:
        if not observed.rows:
            continue
        assert observed.expiry is not None
        rows = exchange.chain(observed.expiry, _milliseconds(observed.at))
        shown = {
            kind: sum(side.open_interest for row in rows if (side := row.call if kind is CALL else row.put))
            for kind in OptionType
        }
        recorded = {kind: sum(r.oi or 0 for r in observed.rows if r.type is kind) for kind in OptionType}
        assert shown == recorded


def _milliseconds(moment: datetime) -> int:
    return (moment - datetime.fromtimestamp(0, moment.tzinfo)) // timedelta(milliseconds=1)


def test_minutes_are_utc() -> None:
    assert index()[0].minute * MINUTE_MS == at(time(9, 15))
