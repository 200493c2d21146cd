"""Years of bars: every common export is read, and what makes no sense is said with its line."""

import json
from collections.abc import Sequence
from datetime import date, datetime, time, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pandas as pd
import pytest

from algoexec.adapters.history import tables
from algoexec.adapters.history.bars import ReadOptions
from algoexec.adapters.history.years import History, read_history
from algoexec.domain.calendar import ist
from algoexec.domain.errors import BadRecording
from algoexec.domain.instruments import OptionType
from algoexec.domain.market import Bar

ON = date(2026, 7, 14)
FIRST = int(ist(ON, time(9, 15)).timestamp()) // 60
WANTED = (Bar(FIRST, 100.0, 102.0, 99.5, 101.0, 30), Bar(FIRST + 1, 101.0, 101.0, 100.0, 100.25, 0))


def index_of(tmp_path: Path, text: str, name: str = "index.csv", **options: object) -> History:
    path = tmp_path / name
    path.write_text(text, encoding="utf-8")
    return read_history([path], options=ReadOptions(**options))  # type: ignore[arg-type]


def complaint(tmp_path: Path, text: str) -> str:
    with pytest.raises(BadRecording) as refused:
        index_of(tmp_path, text)
    return str(refused.value)


@pytest.mark.parametrize(
    "text",
    [
        "timestamp,open,high,low,close,volume\n"
        "2026-07-14T09:15:00+05:30,100,102,99.5,101,30\n2026-07-14T09:16:00+05:30,101,101,100,100.25,0\n",
        "date,open,high,low,close,volume,oi\n"  # Kite
        "2026-07-14 09:15:00+05:30,100,102,99.5,101,30,0\n2026-07-14 09:16:00+05:30,101,101,100,100.25,0,0\n",
        "time,open,high,low,close,Volume\n"  # TradingView
        f"{FIRST * 60},100,102,99.5,101,30\n{FIRST * 60 + 60},101,101,100,100.25,0\n",
        "Date,Time,Open,High,Low,Close,Vol\n"
        "2026-07-14,09:15,100,102,99.5,101,30\n2026-07-14,09:16,101,101,100,100.25,0\n",
        "<date>,<time>,<open>,<high>,<low>,<close>,<volume>\n"  # MetaStock
        "20260714,09:15:00,100,102,99.5,101,30\n20260714,09:16:00,101,101,100,100.25,0\n",
        "datetime,open,high,low,close,volume\n"
        "14-07-2026 09:15,100,102,99.5,101,30\n14-07-2026 09:16,101,101,100,100.25,0\n",
        "timestamp,open,high,low,close,volume\n"
        "2026-07-14T03:46:00Z,101,101,100,100.25,0\n2026-07-14T03:45:00Z,100,102,99.5,101,30\n",
    ],
)
def test_common_exports_are_read(tmp_path: Path, text: str) -> None:
    history = index_of(tmp_path, text)

    assert history.dates() == [ON]
    assert history.day(ON).index == WANTED


def test_an_answer_of_the_candle_api_is_read(tmp_path: Path) -> None:
    candles = [
        ["2026-07-14T09:16:00+05:30", 101, 101, 100, 100.25, 0, 0],
        ["2026-07-14T09:15:00+05:30", 100, 102, 99.5, 101, 30, 0],
    ]
    text = json.dumps({"status": "success", "data": {"candles": candles}})

    history = index_of(tmp_path, text, "candles.json")
    assert history.day(ON).index == WANTED
    assert history.files[0].notes == ("rows were not in order of time",)


def test_parquet_is_read(tmp_path: Path) -> None:
    stamps = pd.to_datetime(["2026-07-14 09:15", "2026-07-14 09:16"]).tz_localize("Asia/Kolkata")
    columns = {name: [getattr(bar, name) for bar in WANTED] for name in ("open", "high", "low", "close", "volume")}
    pd.DataFrame({"timestamp": stamps, **columns}).to_parquet(tmp_path / "index.parquet")

    assert read_history([tmp_path / "index.parquet"]).day(ON).index == WANTED


def test_parquet_without_pyarrow_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "index.parquet").write_bytes(b"")
    monkeypatch.setattr(tables, "find_spec", lambda _: None)
    with pytest.raises(BadRecording, match="extra `backtest`"):
        read_history([tmp_path / "index.parquet"])


def test_stamps_without_a_zone_are_indian_and_that_is_said(tmp_path: Path) -> None:
    text = "timestamp,open,high,low,close\n2026-07-14 09:15,1,1,1,1\n"

    assert index_of(tmp_path, text).day(ON).index[0].minute == FIRST
    assert index_of(tmp_path, text).files[0].notes == ("stamps without a zone are taken as Asia/Kolkata",)


def rows(starts: Sequence[datetime], *, price: str = "100,101,99,100") -> str:
    lines = [f"{at:%Y-%m-%d %H:%M:%S},{price}" for at in starts]
    return "\n".join(["timestamp,open,high,low,close", *lines]) + "\n"


def minutes_of(days: int, first: time, count: int = 20) -> list[datetime]:
    begins = [datetime.combine(ON + timedelta(days=day), first) for day in range(days)]
    return [begin + timedelta(minutes=n) for begin in begins for n in range(count)]


def test_stamps_of_another_zone_are_noticed_and_can_be_said(tmp_path: Path) -> None:
    text = rows(minutes_of(1, time(3, 45)))

    assert "another zone than Asia/Kolkata" in complaint(tmp_path, text)
    assert index_of(tmp_path, text, zone=ZoneInfo("UTC")).day(ON).index[0].minute == FIRST


def test_stamps_that_are_ends_are_noticed_and_can_be_said(tmp_path: Path) -> None:
    text = rows(minutes_of(4, time(9, 16), 375))

    assert "--stamps end" in complaint(tmp_path, text)
    assert index_of(tmp_path, text, stamps_are_ends=True).day(ON).index[0].minute == FIRST


def test_bars_of_five_minutes_are_none_of_ours(tmp_path: Path) -> None:
    text = rows(minutes_of(1, time(9, 15), 100)[::5])

    assert "5 minutes apart" in complaint(tmp_path, text)


HEAD = "timestamp,open,high,low,close,volume\n2026-07-14 09:15,1,1,1,1,1\n"


@pytest.mark.parametrize(
    ("row", "said"),
    [
        ("yesterday,1,1,1,1,1", "no time stamp"),
        (",1,1,1,1,1", "no time stamp"),
        ("2026-07-14 09:16:30,1,1,1,1,1", "whole minute"),
        ("2026-07-14 09:16,1,x,1,1,1", "high is not a number"),
        ("2026-07-14 09:16,1,inf,1,1,1", "high is not a number"),
        ("2026-07-14 09:16,1,,1,1,1", "a price is missing"),
        ("2026-07-14 09:16,0,0,0,0,1", "0 or less"),
        ("2026-07-14 09:16,1,1,-1,1,1", "0 or less"),
        ("2026-07-14 09:16,1,2,1,3,1", "do not bound"),
        ("2026-07-14 09:16,1,1,1,1,-5", "negative quantity"),
        ("2026-07-14 09:15,2,2,2,2,1", "there before"),
    ],
)
def test_a_bad_row_is_named_with_its_line_or_left_out(tmp_path: Path, row: str, said: str) -> None:
    text = f"{HEAD}{row}\n2026-07-14 09:17,1,1,1,1,1\n"
    message = complaint(tmp_path, text)

    assert "index.csv:3:" in message
    assert said in message
    left = index_of(tmp_path, text, skip_bad_rows=True)
    assert [bar.minute - FIRST for bar in left.day(ON).index] == [0, 2]
    assert any("1 row left out, the first is line 3" in note for note in left.files[0].notes)


def test_all_bad_rows_are_told_up_to_a_bound(tmp_path: Path) -> None:
    message = complaint(tmp_path, HEAD + "bad,1,1,1,1,1\n" * 30)

    assert message.count("no time stamp") == 20
    assert "30 rows make no sense" in message
    assert "and 10 rows more" in message


def test_rows_that_are_there_twice_count_once_and_empty_ones_not_at_all(tmp_path: Path) -> None:
    history = index_of(tmp_path, HEAD + "2026-07-14 09:15,1,1,1,1,1\n2026-07-14 09:16,,,,,\n")

    assert len(history.day(ON).index) == 1
    assert "1 rows were there twice" in history.files[0].notes


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "No columns"),
        ("a,b\n1,2\n", "column open, high, low, close is missing"),
        ("timestamp,open,high,low,close\n", "holds no bar"),
        ("open,high,low,close\n1,1,1,1\n", "column timestamp is missing"),
    ],
)
def test_what_is_no_table_of_bars_is_said(tmp_path: Path, text: str, said: str) -> None:
    assert said in complaint(tmp_path, text)


def test_a_file_that_is_none_and_days_that_do_not_meet(tmp_path: Path) -> None:
    with pytest.raises(BadRecording, match="no such file"):
        read_history([tmp_path / "nowhere.csv"])
    (tmp_path / "index.csv").write_text(HEAD)
    (tmp_path / "futures.csv").write_text("timestamp,volume\n2025-01-02 09:15,5\n")
    with pytest.raises(BadRecording, match="no day in common"):
        read_history([tmp_path / "index.csv"], [tmp_path / "futures.csv"])


def test_of_a_future_the_volume_alone_counts(tmp_path: Path) -> None:
    (tmp_path / "index.csv").write_text(HEAD)
    (tmp_path / "futures.csv").write_text("timestamp,volume\n2026-07-14 09:15,50\n2026-07-14 09:16,\n")
    day = read_history([tmp_path / "index.csv"], [tmp_path / "futures.csv"]).day(ON)

    assert [(bar.minute - FIRST, bar.open, bar.volume) for bar in day.future] == [(0, 0.0, 50), (1, 0.0, 0)]


def test_years_in_several_files_are_one_and_may_not_overlap(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text(HEAD)
    (tmp_path / "b.csv").write_text(HEAD.replace("07-14", "07-15"))
    assert read_history([tmp_path / "b.csv", tmp_path / "a.csv"]).dates() == [ON, ON + timedelta(days=1)]
    with pytest.raises(BadRecording, match="more than one of these files"):
        read_history([tmp_path / "a.csv", tmp_path / "a.csv"])


CHAIN = """timestamp,expiry,strike,option_type,oi,bid,ask,stale
2026-07-14 09:20,2026-07-28,50000,CE,10,99.5,100.5,False
2026-07-14 09:20,2026-08-25,50000,CE,10,300,301,False
2026-07-14 09:20,28-07-2026,50000,put,12,,,False
2026-07-14 09:25,2026-07-28,50000,CE,11,1,2,True
"""


def test_of_a_chain_the_nearest_expiry_is_kept_and_stale_rows_are_none(tmp_path: Path) -> None:
    (tmp_path / "index.csv").write_text(HEAD)
    (tmp_path / "chain.csv").write_text(CHAIN)
    (chain,) = read_history([tmp_path / "index.csv"], (), [tmp_path / "chain.csv"]).day(ON).chains

    assert (chain.at, chain.expiry) == (ist(ON, time(9, 20)), date(2026, 7, 28))
    assert [(row.type, row.oi, row.bid) for row in chain.rows] == [
        (OptionType.CALL, 10, 99.5),
        (OptionType.PUT, 12, None),
    ]


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        (",put,", ",neither,", "neither CE nor PE"),
        ("28-07-2026", "soon", "expiry is no date"),
        ("50000,put", "zero,put", "strike is not a number"),
        (",put,12", ",put,-12", "negative open interest"),
    ],
)
def test_a_bad_row_of_a_chain_is_named_with_its_line(tmp_path: Path, old: str, new: str, said: str) -> None:
    (tmp_path / "index.csv").write_text(HEAD)
    (tmp_path / "chain.csv").write_text(CHAIN.replace(old, new))
    with pytest.raises(BadRecording, match=said) as refused:
        read_history([tmp_path / "index.csv"], (), [tmp_path / "chain.csv"])
    assert "chain.csv:4:" in str(refused.value)


def test_bars_of_options_are_kept_by_contract(tmp_path: Path) -> None:
    (tmp_path / "index.csv").write_text(HEAD)
    (tmp_path / "options.csv").write_text(
        "timestamp,expiry,strike,option_type,open,high,low,close\n"
        "2026-07-14 09:15,2026-07-28,50000,CE,100,101,99,100\n2026-07-14 09:16,2026-07-28,50000,CE,100,101,99,100\n"
        "2026-07-14 09:15,2026-07-28,50000,PE,90,91,89,90\n"
    )
    history = read_history([tmp_path / "index.csv"], (), (), [tmp_path / "options.csv"])
    found = history.day(ON).options

    assert [(one.strike, one.type, len(one.bars)) for one in found] == [
        (50_000.0, OptionType.CALL, 2),
        (50_000.0, OptionType.PUT, 1),
    ]
    assert found[0].bars[0] == Bar(FIRST, 100.0, 101.0, 99.0, 100.0, 1_000)
    assert any("no volume is given" in note for note in history.files[-1].notes)


def test_a_weekday_without_a_bar_between_others_was_a_holiday(tmp_path: Path) -> None:
    history = index_of(tmp_path, HEAD + "2026-07-16 09:15,1,1,1,1,1\n")
    calendar = history.calendar()

    assert [calendar.day(date(2026, 7, day)) is not None for day in (14, 15, 16, 17)] == [True, False, True, True]


def test_real_years_are_read_to_the_bit(shared_data: Path) -> None:
    history = read_history([shared_data / "index_1m.parquet"], [shared_data / "futures_1m.parquet"])
    golden = read_history([shared_data / "golden_days"])
    on = date(2019, 5, 20)

    assert len(history.dates()) == 1079
    assert [bar[:5] for bar in golden.day(on).index] == [bar[:5] for bar in history.day(on).index]
    assert golden.day(on).future == history.day(on).future
    assert [len(golden.day(day).chains) > 10 for day in golden.dates()] == [True, True, True]
