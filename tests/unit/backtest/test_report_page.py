"""The page of a run: whole, without a network, and safe with names from files of other people."""

import json
import re
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from html.parser import HTMLParser

import pytest
from hypothesis import given
from hypothesis import strategies as st

from algoexec.backtest.report.page import report_page
from algoexec.backtest.report.payload import charted, payload_of, thinned
from algoexec.backtest.result import DataFile, EquityPoint
from tests.unit.backtest.made_up_runs import result, two_years


class Page(HTMLParser):
    """Collects what a page loads and what its scripts hold."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.loads: list[str] = []
        self.scripts: list[tuple[dict[str, str | None], str]] = []
        self._inside: dict[str, str | None] | None = None
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.loads += [f"{tag} {value}" for name, value in attrs if name in ("src", "href", "action") and value]
        self._inside = dict(attrs) if tag == "script" else None

    def handle_data(self, data: str) -> None:
        if self._inside is not None:
            self.scripts.append((self._inside, data))

    def handle_endtag(self, tag: str) -> None:
        self._inside = None

    @property
    def data(self) -> dict[str, object]:
        found: dict[str, object] = json.loads(next(text for at, text in self.scripts if at.get("id") == "data"))
        return found


def test_the_page_loads_nothing_and_holds_the_run() -> None:
    run = result([[3_000_00, -200_00], [], [1_00]])
    page = Page(report_page(run))
    assert page.loads == []
    assert page.data == json.loads(json.dumps(payload_of(run)))
    assert not re.search(r"<!--\w+-->", report_page(run)), "every hole is filled"


def test_names_of_files_cannot_leave_their_place() -> None:
    run = result([[100]])
    evil = DataFile("index", "</script><script>alert(1)</script>", 1)
    page = Page(report_page(replace(run, setup=replace(run.setup, data=(evil,)))))
    assert len(page.scripts) == 3
    setup = page.data["setup"]
    assert isinstance(setup, dict)
    assert setup["data"][0]["name"] == evil.name


@pytest.mark.parametrize("days", [[], [[]], [[100]]])
def test_a_run_of_nothing_has_a_page(days: list[list[int]]) -> None:
    assert "<h1>Backtest" in report_page(result(days, partial="stopped"))


def test_money_is_rupees_and_times_are_ist() -> None:
    payload = payload_of(result([[1_234_56]]))
    row = payload["trades"][0]
    assert row["net"] == 1234.56
    # Entered five minutes after 09:15:10 IST; the page takes the number for UTC.
    assert row["opened_at"] % 86_400_000 == ((9 * 60 + 20) * 60 + 10) * 1000


@given(st.integers(8, 40), st.lists(st.integers(0, 1_000), min_size=1, max_size=200))
def test_a_thinned_curve_keeps_its_ends_and_extremes(most: int, equities: list[int]) -> None:
    begins = datetime(2024, 1, 1, 4, tzinfo=UTC)
    points = [EquityPoint(begins + timedelta(minutes=n), equity, 0, 0) for n, equity in enumerate(equities)]
    kept = thinned(points, most)
    assert len(kept) <= max(most, 4)
    assert list(kept) == sorted(kept, key=lambda point: point.at)
    assert (kept[0], kept[-1]) == (points[0], points[-1])
    assert max(p.equity for p in kept) == max(p.equity for p in points)
    assert min(p.equity for p in kept) == min(p.equity for p in points)


def test_of_many_trades_the_best_the_worst_and_the_last_have_prices() -> None:
    trades = two_years().trades
    shown = charted(trades, most=30)
    assert 10 <= len(shown) <= 30
    assert {max(trades, key=lambda t: t.net).id, min(trades, key=lambda t: t.net).id, trades[-1].id} <= {
        t.id for t in shown
    }
    assert charted(trades[:5], most=30) == list(trades[:5])
