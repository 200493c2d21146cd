"""Results of a sweep outlive whatever ends it."""

from datetime import date
from pathlib import Path

import pytest

from algoexec.backtest.sweep.book import Book
from algoexec.backtest.sweep.trial import DayResult
from algoexec.domain.errors import BadRecording

ABOUT = {"data": ["abc"], "from": None}
DAYS = [DayResult(date(2026, 1, 5 + i), 100 * i, 120 * i, 20 * i, i, i) for i in range(3)]


def test_what_was_added_is_there_again(tmp_path: Path) -> None:
    path = tmp_path / "new" / "results.jsonl"
    with Book(path, ABOUT) as book:
        book.add({"a": 1}, DAYS[:2])
        book.add({"a": 2}, DAYS)
    with Book(path, ABOUT) as book:
        assert book.sets() == [{"a": 1}, {"a": 2}]
        assert book.has({"a": 1}, [day.day for day in DAYS[:2]])
        assert not book.has({"a": 1}, [DAYS[2].day])
        assert not book.has({"a": 3}, [DAYS[0].day])
        book.add({"a": 1}, DAYS[2:])
        assert book.trial({"a": 1}, 1_000).days == tuple(DAYS)
    assert len(path.read_text().splitlines()) == 4


def test_half_a_line_is_lost_and_no_more(tmp_path: Path) -> None:
    path = tmp_path / "results.jsonl"
    with Book(path, ABOUT) as book:
        book.add({"a": 1}, DAYS[:1])
        book.add({"a": 1}, DAYS[1:2])
    text = path.read_bytes()
    path.write_bytes(text[:-7])
    with Book(path, ABOUT) as book:
        assert book.trial({"a": 1}, 1).days == tuple(DAYS[:1])
        book.add({"a": 1}, DAYS[1:2])
    assert path.read_bytes() == text


def test_half_a_first_line_is_an_empty_file(tmp_path: Path) -> None:
    path = tmp_path / "results.jsonl"
    path.write_bytes(b'{"sweep":{"da')
    with Book(path, ABOUT) as book:
        assert book.sets() == []
    with Book(path, ABOUT):
        pass


def test_results_of_another_run_are_not_mixed_in(tmp_path: Path) -> None:
    path = tmp_path / "results.jsonl"
    with Book(path, ABOUT):
        pass
    with pytest.raises(BadRecording, match=r"another run \(data differ\)"), Book(path, {**ABOUT, "data": ["xyz"]}):
        pass


@pytest.mark.parametrize("line", ["{}", "no", '{"set":{"a":1},"days":[["2026-01-05"]]}', '{"set":{"a":1},"days":[1]}'])
def test_a_line_that_makes_no_sense_is_named(tmp_path: Path, line: str) -> None:
    path = tmp_path / "results.jsonl"
    with Book(path, ABOUT):
        pass
    with path.open("a") as file:
        file.write(line + "\n")
    with pytest.raises(BadRecording, match=":2: no line of a sweep"), Book(path, ABOUT):
        pass


def test_two_sweeps_do_not_write_into_one_file(tmp_path: Path) -> None:
    path = tmp_path / "results.jsonl"
    with Book(path, ABOUT), pytest.raises(BadRecording, match="another sweep"), Book(path, ABOUT):
        pass
    with Book(path, ABOUT):
        pass
