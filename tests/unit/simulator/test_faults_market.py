"""Market data with faults: pure functions on quotes, chains and candles."""

from typing import Any

import pytest

from algoexec.domain.market import Bar
from algoexec.simulation.exchange import Exchange
from algoexec.simulator.faults.answers import chain_rows, without_gap
from algoexec.simulator.faults.effects import CandleGap, FaultyChain
from algoexec.simulator.faults.market import FaultyExchange, Shape, with_book, with_skew
from tests.unit.simulator.faults_given import DAY, FUTURE, OPTION, at, injector

QUOTE = Exchange(DAY).quote(FUTURE.key, at("10:00"))


@pytest.mark.parametrize("shape", ["zero", "crossed", "no_bids", "no_asks"])
def test_a_book_takes_the_shape_of_its_fault_and_the_trade_stays(shape: Shape) -> None:
    shown = with_book(QUOTE, shape)
    book, true = shown.book, QUOTE.book
    assert book is not None
    assert true is not None
    best = book.levels[0]

    assert shown._replace(book=None) == QUOTE._replace(book=None)
    assert len(book.levels) == len(true.levels)
    assert (best.bid == 0, book.bids == 0) == (shape in ("zero", "no_bids"),) * 2
    assert (best.ask == 0, book.asks == 0) == (shape in ("zero", "no_asks"),) * 2
    if shape == "crossed":
        assert all(level.bid > level.ask > 0 for level in book.levels)


def test_an_index_has_no_book_to_spoil() -> None:
    exchange = Exchange(DAY)
    index = exchange.quote(exchange.underlying, at("10:00"))

    assert with_book(index, "zero") == index


def test_everybody_who_asks_the_exchange_sees_the_same_wrong_book() -> None:
    faults = injector({"when": {"instrument": OPTION.key, "from": "10:00", "until": "10:05"}, "do": {"book": "zero"}})
    exchange, true = FaultyExchange(DAY, faults), Exchange(DAY)

    shown = exchange.quote(OPTION.key, at("10:02"))
    assert shown == with_book(true.quote(OPTION.key, at("10:02")), "zero")
    (row,) = [row for row in exchange.chain(OPTION.expiry, at("10:02")) if row.strike == OPTION.strike]
    assert row.call is not None
    assert row.call.key == OPTION.key
    assert row.call.book is not None
    assert row.call.book.levels[0].ask == 0
    assert exchange.quote(FUTURE.key, at("10:02")) == true.quote(FUTURE.key, at("10:02"))
    assert exchange.quote(OPTION.key, at("10:05")) == true.quote(OPTION.key, at("10:05"))


def test_a_skew_moves_the_stamp_of_the_trade_alone() -> None:
    skewed = with_skew(QUOTE, -1500)
    assert skewed.trade is not None
    assert QUOTE.trade is not None

    assert skewed.trade.at == QUOTE.trade.at - 1500
    assert skewed._replace(trade=QUOTE.trade) == QUOTE
    assert with_skew(QUOTE._replace(trade=None), 5).trade is None


def row() -> dict[str, Any]:
    side = {"instrument_key": "k", "market_data": {"ltp": 1.0, "oi": 7.0, "prev_oi": 5.0}, "option_greeks": {}}
    return {"strike_price": 100.0, "pcr": 1.0, "call_options": side, "put_options": None}


def test_a_chain_loses_its_open_interest_or_everything() -> None:
    (zero,) = chain_rows([row()], FaultyChain(shape="zero_oi"))
    (missing,) = chain_rows([row()], FaultyChain(shape="no_oi"))

    assert (zero["strike_price"], zero["pcr"]) == (100.0, 0.0)
    call: Any = zero["call_options"]
    assert call["market_data"] == {"ltp": 1.0, "oi": 0.0, "prev_oi": 0.0}
    call = missing["call_options"]
    assert call["market_data"] == {"ltp": 1.0}
    assert "pcr" not in missing
    assert missing["put_options"] is None
    assert chain_rows([row()], FaultyChain(shape="empty")) == []
    assert chain_rows([row()], None) == [row()]


def bars(*clocks: str) -> list[Bar]:
    return [Bar(at(clock) // 60_000, 1.0, 1.0, 1.0, 1.0, 0) for clock in clocks]


@pytest.mark.parametrize(
    ("gap", "left"),
    [
        ({"newest": 1}, ("10:00", "10:01", "10:02")),
        ({"newest": 9}, ()),
        ({"from": "10:01", "until": "10:03"}, ("10:00", "10:03")),
        ({"from": "10:01", "until": "10:03", "newest": 1}, ("10:00",)),
    ],
)
def test_a_gap_takes_minutes_out(gap: dict[str, Any], left: tuple[str, ...]) -> None:
    told = bars("10:00", "10:01", "10:02", "10:03")

    assert without_gap(told, CandleGap.model_validate(gap)) == bars(*left)
    assert without_gap(told, None) == told


def test_the_contracts_of_a_day_have_names() -> None:
    faults = injector({"do": {"book": "zero"}})

    assert faults.names(OPTION.key) == (OPTION.key, OPTION.name)
    assert faults.names("NSE_INDEX|Nifty Bank") == ("NSE_INDEX|Nifty Bank",)
    assert (faults.lot(OPTION.key), faults.lot("unknown")) == (OPTION.lot, 1)
