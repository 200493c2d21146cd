"""A candle checks itself; a quote's parts are read when asked for."""

from datetime import UTC, datetime, time, timedelta
from math import inf, nan

import pytest
from hypothesis import given

from algoexec.domain.calendar import ist
from algoexec.domain.errors import DomainError, InvalidMarketData
from algoexec.domain.instruments import InstrumentKey
from algoexec.domain.market import MINUTE, AsSent, Book, Candle, Greeks, Provenance, Quote
from tests.strategies import DAY, candle, candles


@given(candles())
def test_a_candle_closes_a_minute_after_it_starts(one: Candle) -> None:
    assert one.closed_at - one.start == timedelta(minutes=1) == MINUTE
    assert one.low <= min(one.open, one.close) <= max(one.open, one.close) <= one.high


@pytest.mark.parametrize(
    "start",
    [
        datetime(2026, 7, 14, 9, 15),  # noqa: DTZ001 - a naive time is what is refused
        datetime(2026, 7, 14, 9, 15, 1, tzinfo=UTC),
        datetime(2026, 7, 14, 9, 15, 0, 1, tzinfo=UTC),
    ],
)
def test_a_start_must_be_an_aware_whole_minute(start: datetime) -> None:
    with pytest.raises(InvalidMarketData, match="aware, whole minute"):
        candle(start)


@pytest.mark.parametrize("price", [nan, inf, -inf])
@pytest.mark.parametrize("place", range(4))
def test_a_price_must_be_a_number(price: float, place: int) -> None:
    prices = [1.0] * 4
    prices[place] = price
    with pytest.raises(InvalidMarketData):
        candle(time(9, 15), prices)


@pytest.mark.parametrize(
    "prices", [(1.0, 0.9, 0.5, 0.8), (1.0, 2.0, 1.1, 1.5), (1.0, 2.0, 0.5, 2.1), (1.0, 2.0, 1.0, 0.9)]
)
def test_high_and_low_must_bound_open_and_close(prices: tuple[float, float, float, float]) -> None:
    with pytest.raises(InvalidMarketData, match="do not bound"):
        candle(time(9, 15), prices)


@pytest.mark.parametrize("volume", [0, -5])
def test_an_unknown_volume_is_none_and_never_zero(volume: int) -> None:
    with pytest.raises(DomainError, match="unknown is None"):
        Candle(start=ist(DAY, time(9, 15)), open=1, high=1, low=1, close=1, volume=volume, provenance=Provenance.LIVE)


def test_a_part_as_sent_is_read_when_asked_for_and_once() -> None:
    read = list[bytes]()

    def reader(sent: bytes) -> Book:
        read.append(sent)
        return Book(bid=1.0, bid_quantity=30)

    quote = Quote(InstrumentKey("x"), 0, told_book=AsSent(b"sent", reader))
    later = quote._replace(received_at=250)

    assert read == []
    assert (quote.bid, quote.bid_quantity, later.ask, later.ask_quantity) == (1.0, 30, None, None)
    assert read == [b"sent"]


def test_a_part_that_cannot_be_read_is_as_if_never_told() -> None:
    told_nothing = Quote(InstrumentKey("x"), 0)
    quote = told_nothing._replace(told_book=AsSent(b"?", lambda _: None), told_greeks=AsSent(b"?", lambda _: None))

    assert (quote.book, quote.bid, quote.bid_quantity, quote.ask, quote.ask_quantity) == (None,) * 5
    assert quote.greeks is None
    assert quote == told_nothing
    assert told_nothing == quote
    assert hash(quote) == hash(told_nothing)


def test_a_part_as_sent_equals_its_value() -> None:
    greeks = Greeks(0.5, -20.0, 0.0004, 30.0, 12.0)
    quote = Quote(InstrumentKey("x"), 0, told_greeks=greeks)
    as_sent = quote._replace(told_greeks=AsSent(b"sent", lambda _: greeks))

    assert as_sent == quote
    assert quote == as_sent
    assert as_sent != quote._replace(told_greeks=greeks._replace(delta=0.4))
    assert repr(as_sent.told_greeks) == f"AsSent({greeks!r})"
