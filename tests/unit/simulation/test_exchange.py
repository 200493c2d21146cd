"""What the exchange shows at a moment."""

from datetime import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from algoexec.domain.calendar import ist
from algoexec.domain.instruments import Option, OptionType
from algoexec.simulation.exchange import Exchange
from algoexec.simulation.expansion import MINUTE_MS, rebuild
from algoexec.simulation.generated import GENERATED_ON, generated_day

EXCHANGE = Exchange(generated_day())
DAY = EXCHANGE.day
FUTURE = DAY.futures[0].contract
OPEN = int(DAY.session.opens_at.timestamp()) * 1000
CLOSE = int(DAY.session.closes_at.timestamp()) * 1000

moments = st.integers(OPEN - 5 * MINUTE_MS, CLOSE + 5 * MINUTE_MS)


def at(clock: time) -> int:
    return int(ist(GENERATED_ON, clock).timestamp()) * 1000


def option(kind: OptionType = OptionType.CALL, steps: int = 0) -> Option:
    strikes = sorted({o.strike for o in DAY.options})
    strike = strikes[len(strikes) // 2 + steps]
    return next(o for o in DAY.options if (o.strike, o.type, o.expiry) == (strike, kind, DAY.expiries()[0]))


ATM = option()
KEYS = (EXCHANGE.underlying, FUTURE.key, ATM.key)


def test_every_bar_of_index_and_future_is_rebuilt_from_ticks() -> None:
    index, future = EXCHANGE.tape(EXCHANGE.underlying), EXCHANGE.tape(FUTURE.key)

    assert tuple(rebuild(bar.minute, index.ticks(bar.minute)) for bar in DAY.index) == DAY.index
    bars = DAY.futures[0].bars
    assert tuple(rebuild(bar.minute, future.ticks(bar.minute)) for bar in bars) == bars
    last = future.last_trade(CLOSE)
    assert last is not None
    assert last.volume == sum(bar.volume for bar in bars)


@given(st.sampled_from(KEYS), moments, st.integers(0, 3 * MINUTE_MS))
def test_no_tick_is_lost_or_repeated_between_two_moments(key: str, start: int, length: int) -> None:
    known = next(k for k in KEYS if k == key)
    middle, end = start + length // 2, start + length

    whole = list(EXCHANGE.between(known, start, end))

    assert [*EXCHANGE.between(known, start, middle), *EXCHANGE.between(known, middle, end)] == whole
    assert all(start < tick.at <= end for tick in whole)


@given(st.sampled_from(KEYS), moments)
def test_the_day_so_far_is_the_fold_of_its_trades(key: str, moment: int) -> None:
    known = next(k for k in KEYS if k == key)
    ticks = list(EXCHANGE.between(known, 0, moment))
    quote = EXCHANGE.quote(known, moment)

    if not ticks:
        assert (quote.trade, quote.day, quote.minute) == (None, None, None)
        assert quote.price == quote.previous_close
        return
    prices = [tick.price for tick in ticks]
    assert quote.day is not None
    assert quote.trade == ticks[-1]
    assert quote.day[:4] == (prices[0], max(prices), min(prices), prices[-1])
    assert quote.day.volume == sum(tick.quantity for tick in ticks)


@given(moments)
def test_the_newest_minute_is_always_a_finished_one(moment: int) -> None:
    minute = EXCHANGE.quote(EXCHANGE.underlying, moment).minute

    assert minute is None or (minute.minute + 1) * MINUTE_MS <= moment


def test_a_quote_does_not_depend_on_what_was_asked_before() -> None:
    moment = at(time(11, 11, 11))
    fresh = Exchange(generated_day())

    assert fresh.quote(ATM.key, moment) == EXCHANGE.quote(ATM.key, moment)


@given(st.integers(-6, 6), st.sampled_from(OptionType), moments)
def test_a_book_is_never_crossed_and_lies_round_the_price(steps: int, kind: OptionType, moment: int) -> None:
    quote = EXCHANGE.quote(option(kind, steps).key, moment)

    assert quote.book is not None
    best = quote.book.levels[0]
    assert best.bid < quote.price < best.ask
    bids, asks = [level.bid for level in quote.book.levels], [level.ask for level in quote.book.levels]
    assert bids == sorted(bids, reverse=True)
    assert asks == sorted(asks)


def test_an_index_has_no_book_volume_or_open_interest() -> None:
    quote = EXCHANGE.quote(EXCHANGE.underlying, at(time(12)))

    assert (quote.book, quote.greeks, quote.open_interest) == (None, None, 0)
    assert quote.day is not None
    assert quote.day.volume == 0


def test_options_follow_the_index() -> None:
    call, put = EXCHANGE.tape(option().key), EXCHANGE.tape(option(OptionType.PUT).key)
    index = EXCHANGE.tape(EXCHANGE.underlying)
    moves = []
    for minute in range(at(time(9, 30)) // MINUTE_MS, at(time(15)) // MINUTE_MS):
        bars = [tape.bar(minute) for tape in (index, call, put)]
        assert None not in bars
        moves.append([bar.close - bar.open for bar in bars if bar is not None])

    agree = [(i > 0) == (c > 0) and (i > 0) == (p < 0) for i, c, p in moves if abs(i) > 8]
    assert sum(agree) > 0.85 * len(agree)


def test_once_the_index_stands_still_the_future_moves_the_options() -> None:
    prices = {tick.price for tick in EXCHANGE.between(ATM.key, at(time(15, 16)), at(time(15, 30)))}

    assert len(prices) > 20


def test_nothing_trades_after_the_close() -> None:
    for key in KEYS:
        assert list(EXCHANGE.between(key, CLOSE - 1, CLOSE + 30 * MINUTE_MS)) == []
    assert EXCHANGE.quote(ATM.key, CLOSE + 30 * MINUTE_MS).trade == EXCHANGE.tape(ATM.key).last_trade(CLOSE)


def test_a_chain_holds_every_strike_with_both_sides_and_a_smile() -> None:
    rows = EXCHANGE.chain(DAY.expiries()[0], at(time(10, 30, 30)))

    assert [row.strike for row in rows] == sorted({o.strike for o in DAY.options})
    calls = [row.call for row in rows]
    assert None not in calls
    assert all(row.put is not None for row in rows)
    volatilities = [quote.volatility for quote in calls if quote is not None]
    middle = len(volatilities) // 2
    assert volatilities[0] > volatilities[middle] < volatilities[-1]


def test_chain_and_feed_tell_the_same_open_interest_volume_and_nearly_the_same_price() -> None:
    moment = at(time(13, 0, 30))
    row = next(row for row in EXCHANGE.chain(ATM.expiry, moment) if row.strike == ATM.strike)
    quote = EXCHANGE.quote(ATM.key, moment)

    assert row.call is not None
    assert quote.trade is not None
    assert row.call.open_interest == quote.open_interest
    assert row.call.price == pytest.approx(quote.price, abs=15)
    assert row.call.trade is not None
    assert row.call.trade.volume == pytest.approx(quote.trade.volume, rel=0.02)


def test_what_is_not_listed_is_not_known() -> None:
    assert not EXCHANGE.knows("NSE_FO|1")
    with pytest.raises(KeyError):
        EXCHANGE.quote(type(ATM.key)("NSE_FO|1"), OPEN)
