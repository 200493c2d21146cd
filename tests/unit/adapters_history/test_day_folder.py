"""A day folder is read as written, and what cannot be read is named with file and line."""

from datetime import UTC, date, datetime
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from algoexec.adapters.history.day_folder import read_day
from algoexec.backtest.day import candles_of
from algoexec.domain.calendar import ist_minute
from algoexec.domain.errors import BadRecording
from algoexec.domain.instruments import OptionType
from tests import strategies

INDEX = """timestamp,open,high,low,close
2026-07-14T09:15:00+05:30,100.0,102.0,99.0,101.0
2026-07-14T09:16:00+05:30,101.0,103.5,100.5,103.0
"""

FUTURES = """timestamp,volume
2026-07-14T09:15:00+05:30,250
2026-07-14T09:16:00+05:30,500
"""

CHAIN = """timestamp,strike,option_type,oi
2026-07-14T09:15:10+05:30,100,CE,40
2026-07-14T09:15:10+05:30,100,PE,60
"""


def folder(tmp_path: Path, index: str = INDEX, futures: str | None = None, chain: str | None = None) -> Path:
    (tmp_path / "index_1m.csv").write_text(index, encoding="utf-8")
    if futures is not None:
        (tmp_path / "futures_1m.csv").write_text(futures, encoding="utf-8")
    if chain is not None:
        (tmp_path / "chain_weekly.csv").write_text(chain, encoding="utf-8")
    return tmp_path


def test_the_index_alone_is_a_day(tmp_path: Path) -> None:
    day = read_day(folder(tmp_path))
    assert day.date == date(2026, 7, 14)
    assert [bar[1:5] for bar in day.index] == [(100.0, 102.0, 99.0, 101.0), (101.0, 103.5, 100.5, 103.0)]
    assert ist_minute(datetime.fromtimestamp(day.index[0].minute * 60, UTC)) % 1440 == 9 * 60 + 15
    assert day.future == ()
    assert day.chains == ()


def test_a_stamp_without_an_offset_is_ist_and_another_offset_is_converted(tmp_path: Path) -> None:
    plain = read_day(folder(tmp_path))
    assert read_day(folder(tmp_path, INDEX.replace("+05:30", ""))) == plain
    assert (
        read_day(folder(tmp_path, INDEX.replace("T09", " 03").replace("03:1", "03:4").replace("+05:30", "Z"))) == plain
    )


def test_rows_may_come_in_any_order(tmp_path: Path) -> None:
    header, *rows = INDEX.splitlines()
    assert read_day(folder(tmp_path, "\n".join([header, *reversed(rows)]))) == read_day(folder(tmp_path, INDEX))


def test_a_price_is_read_to_the_bit(tmp_path: Path) -> None:
    text = "0.1000000000000000055511151231257827"
    bar = read_day(folder(tmp_path, f"timestamp,open,high,low,close\n2026-07-14 09:15:00,{text},1,0,{text}\n")).index[0]
    assert bar.open == 0.1


def test_the_future_needs_no_prices(tmp_path: Path) -> None:
    day = read_day(folder(tmp_path, futures=FUTURES))
    assert [bar.volume for bar in day.future] == [250, 500]
    assert [candle.volume for candle in candles_of(day)] == [250, 500]


@pytest.mark.parametrize("volume", ["", "0"])
def test_a_future_that_did_not_trade_has_no_volume(tmp_path: Path, volume: str) -> None:
    day = read_day(folder(tmp_path, futures=FUTURES.replace(",250", f",{volume}")))
    assert [candle.volume for candle in candles_of(day)] == [None, 500]


def test_a_future_that_did_not_trade_may_have_empty_prices(tmp_path: Path) -> None:
    futures = (
        "timestamp,open,high,low,close,volume,oi\n"
        "2026-07-14T09:15:00+05:30,,,,,,\n"
        "2026-07-14T09:16:00+05:30,101,102,100,101.5,500,9000\n"
    )
    day = read_day(folder(tmp_path, futures=futures))
    assert [candle.volume for candle in candles_of(day)] == [None, 500]
    assert day.future[1].close == 101.5


def test_an_index_row_without_prices_is_a_minute_without_a_candle(tmp_path: Path) -> None:
    index = INDEX.replace("100.0,102.0,99.0,101.0", ",,,")
    assert len(read_day(folder(tmp_path, index)).index) == 1


def test_a_chain_needs_four_columns(tmp_path: Path) -> None:
    (chain,) = read_day(folder(tmp_path, chain=CHAIN)).chains
    assert chain.at == datetime(2026, 7, 14, 3, 45, 10, tzinfo=UTC)
    assert type(chain.at) is datetime
    assert chain.expiry is None
    assert [(row.strike, row.type, row.oi, row.last_price) for row in chain.rows] == [
        (100.0, OptionType.CALL, 40, None),
        (100.0, OptionType.PUT, 60, None),
    ]


def test_optional_columns_of_a_chain_are_taken_when_they_are_there(tmp_path: Path) -> None:
    chain = (
        "timestamp,strike,option_type,oi,ltp,bid,ask,volume,iv,expiry,whatever\n"
        "2026-07-14T09:15:10+05:30,100,CE,40,7.5,7.45,7.55,1000,13.5,2026-07-28,x\n"
        "2026-07-14T09:15:10+05:30,100,PE,,,,,,,,y\n"
    )
    (snapshot,) = read_day(folder(tmp_path, chain=chain)).chains
    call, put = snapshot.rows
    assert snapshot.expiry == date(2026, 7, 28)
    assert (call.last_price, call.bid, call.ask, call.volume, call.iv) == (7.5, 7.45, 7.55, 1000, 0.135)
    assert (put.oi, put.last_price, put.bid, put.ask, put.volume, put.iv) == (None,) * 6


@pytest.mark.parametrize(("stale", "rows"), [("True", 1), ("true", 1), ("False", 2), ("", 2)])
def test_a_stale_row_is_no_observation(tmp_path: Path, stale: str, rows: int) -> None:
    lines = CHAIN.splitlines()
    chain = "\n".join([f"{lines[0]},stale", f"{lines[1]},{stale}", f"{lines[2]},False"])
    (snapshot,) = read_day(folder(tmp_path, chain=chain)).chains
    assert len(snapshot.rows) == rows


def test_a_snapshot_of_stale_rows_alone_was_never_taken(tmp_path: Path) -> None:
    lines = CHAIN.splitlines()
    chain = "\n".join([f"{lines[0]},stale", f"{lines[1]},True", f"{lines[2]},True"])
    assert read_day(folder(tmp_path, chain=chain)).chains == ()


def test_snapshots_are_kept_apart_and_in_order(tmp_path: Path) -> None:
    later = CHAIN.splitlines()[1].replace("09:15:10", "09:10:00")
    chains = read_day(folder(tmp_path, chain=f"{CHAIN}{later}\n")).chains
    assert [len(chain.rows) for chain in chains] == [1, 2]
    assert chains[0].at < chains[1].at


def test_a_folder_that_is_not_there_is_said_so(tmp_path: Path) -> None:
    with pytest.raises(BadRecording, match="no such folder"):
        read_day(tmp_path / "nowhere")


def test_a_folder_without_an_index_is_said_so(tmp_path: Path) -> None:
    with pytest.raises(BadRecording, match=r"index_1m\.csv: no such file"):
        read_day(tmp_path)


@pytest.mark.parametrize("text", ["", INDEX.splitlines()[0]])
def test_a_file_without_a_candle_is_refused(tmp_path: Path, text: str) -> None:
    with pytest.raises(BadRecording, match=r"index_1m\.csv"):
        read_day(folder(tmp_path, text))


@pytest.mark.parametrize("column", ["timestamp", "open", "high", "low", "close"])
def test_a_missing_index_column_is_named(tmp_path: Path, column: str) -> None:
    with pytest.raises(BadRecording, match=rf"index_1m\.csv: column {column} is missing"):
        read_day(folder(tmp_path, INDEX.replace(column, "other", 1)))


@pytest.mark.parametrize("column", ["timestamp", "volume"])
def test_a_missing_column_of_the_future_is_named(tmp_path: Path, column: str) -> None:
    with pytest.raises(BadRecording, match=rf"futures_1m\.csv: column {column} is missing"):
        read_day(folder(tmp_path, futures=FUTURES.replace(column, "other", 1)))


@pytest.mark.parametrize("column", ["timestamp", "strike", "option_type", "oi"])
def test_a_missing_chain_column_is_named(tmp_path: Path, column: str) -> None:
    with pytest.raises(BadRecording, match=rf"chain_weekly\.csv: column {column} is missing"):
        read_day(folder(tmp_path, chain=CHAIN.replace(column, "other", 1)))


@pytest.mark.parametrize("stamp", ["yesterday", "", "2026-07-14T25:00:00", "0001-01-01T00:00:00"])
def test_a_bad_stamp_is_named_with_its_line(tmp_path: Path, stamp: str) -> None:
    with pytest.raises(BadRecording, match=r"index_1m\.csv:3: .* is no time stamp"):
        read_day(folder(tmp_path, INDEX.replace("2026-07-14T09:16:00+05:30", stamp)))


def test_a_bar_off_the_minute_is_named_with_its_line(tmp_path: Path) -> None:
    with pytest.raises(BadRecording, match=r"index_1m\.csv:3: a bar starts on a whole minute"):
        read_day(folder(tmp_path, INDEX.replace("09:16:00", "09:16:30")))


@pytest.mark.parametrize("number", ["many", "inf", "1,5"])
def test_a_bad_price_is_named_with_its_line(tmp_path: Path, number: str) -> None:
    with pytest.raises(BadRecording, match=r"index_1m\.csv:3: high is '?.*'?, not a number"):
        read_day(folder(tmp_path, INDEX.replace("103.5", f'"{number}"')))


def test_a_single_missing_price_is_named_with_its_line(tmp_path: Path) -> None:
    with pytest.raises(BadRecording, match=r"index_1m\.csv:3: a price is missing"):
        read_day(folder(tmp_path, INDEX.replace("103.5", "")))


def test_a_high_below_the_close_is_named_with_its_line(tmp_path: Path) -> None:
    with pytest.raises(BadRecording, match=r"index_1m\.csv:3: high and low do not bound"):
        read_day(folder(tmp_path, INDEX.replace("103.5", "102.5")))


@pytest.mark.parametrize("volume", ["many", "inf", "-20"])
def test_a_bad_volume_is_named_with_its_line(tmp_path: Path, volume: str) -> None:
    with pytest.raises(BadRecording, match=r"futures_1m\.csv:3: volume is"):
        read_day(folder(tmp_path, futures=FUTURES.replace("500", volume)))


@pytest.mark.parametrize("name", ["index", "futures"])
def test_a_minute_that_occurs_twice_is_named_with_its_line(tmp_path: Path, name: str) -> None:
    with pytest.raises(BadRecording, match=rf"{name}_1m\.csv:3: this minute was there before"):
        read_day(folder(tmp_path, **{name: {"index": INDEX, "futures": FUTURES}[name].replace("09:16", "09:15")}))


def test_two_days_in_one_folder_are_refused(tmp_path: Path) -> None:
    with pytest.raises(BadRecording, match="holds 2 dates"):
        read_day(folder(tmp_path, INDEX.replace("14T09:16", "15T09:16")))


def test_the_line_of_a_bad_chain_row_counts_stale_rows_too(tmp_path: Path) -> None:
    lines = CHAIN.splitlines()
    chain = "\n".join([f"{lines[0]},stale", f"{lines[1]},True", f"{lines[2]},False"])
    with pytest.raises(BadRecording, match=r"chain_weekly\.csv:3: oi is 'lots', not a number"):
        read_day(folder(tmp_path, chain=chain.replace("PE,60", "PE,lots")))
    with pytest.raises(BadRecording, match=r"chain_weekly\.csv:3: option_type 'XX' is neither CE nor PE"):
        read_day(folder(tmp_path, chain=chain.replace("PE,60", "XX,60")))


def test_an_expiry_is_one_date_a_snapshot(tmp_path: Path) -> None:
    lines = CHAIN.splitlines()
    with pytest.raises(BadRecording, match=r"chain_weekly\.csv: a snapshot holds 2 expiries"):
        read_day(
            folder(
                tmp_path,
                chain="\n".join([f"{lines[0]},expiry", f"{lines[1]},2026-07-28", f"{lines[2]},2026-08-25"]),
            )
        )
    with pytest.raises(BadRecording, match=r"chain_weekly\.csv:2: expiry is no date"):
        read_day(folder(tmp_path, chain="\n".join([f"{lines[0]},expiry", f"{lines[1]},soon", f"{lines[2]},soon"])))


@settings(max_examples=25)
@given(seed=st.integers(0, 10_000))
def test_a_written_day_is_read_back(tmp_path_factory: pytest.TempPathFactory, seed: int) -> None:
    made_up = strategies.made_up_day(seed)
    day = read_day(made_up.write(tmp_path_factory.mktemp("day")))
    assert [(bar.open, bar.high, bar.low, bar.close) for bar in day.index] == [
        (row["open"], row["high"], row["low"], row["close"]) for row in made_up.index
    ]
    assert [bar.volume for bar in day.future] == [row["volume"] or 0 for row in made_up.futures]
    observed = [row for row in made_up.chain if not row["stale"]]
    assert sum(len(chain.rows) for chain in day.chains) == len(observed)
    assert sum(row.oi or 0 for chain in day.chains for row in chain.rows) == sum(
        int(str(row["oi"] or 0)) for row in observed
    )
