"""What faults do to answers with market data: chains without open interest, candles with gaps."""

from collections.abc import Iterable, Sequence
from typing import Final, Literal

from algoexec.domain.calendar import IST_OFFSET_MINUTES
from algoexec.domain.market import Bar
from algoexec.simulator.faults.effects import CandleGap, FaultyChain
from algoexec.simulator.faults.matching import milliseconds

type Row = dict[str, object]

_DAY: Final = 1440


def chain_rows(rows: Sequence[Row], fault: FaultyChain | None) -> Sequence[Row]:
    """Return the rows of a chain, as of the wire, as a fault leaves them."""
    if fault is None:
        return rows
    return [] if fault.shape == "empty" else [_without_interest(row, fault.shape) for row in rows]


def _without_interest(row: Row, shape: Literal["zero_oi", "no_oi"]) -> Row:
    sides = {name: _side(row[name], shape) for name in ("call_options", "put_options")}
    pcr = {"pcr": 0.0} if shape == "zero_oi" else {}
    return {name: value for name, value in row.items() if name != "pcr"} | pcr | sides


def _side(side: object, shape: str) -> object:
    if not isinstance(side, dict):
        return side
    market = {name: value for name, value in side["market_data"].items() if name not in ("oi", "prev_oi")}
    zeros = {"oi": 0.0, "prev_oi": 0.0} if shape == "zero_oi" else {}
    return {**side, "market_data": market | zeros}


def without_gap(bars: Iterable[Bar], gap: CandleGap | None) -> list[Bar]:
    """Return the bars, oldest first, without the minutes that a fault takes out."""
    kept = list(bars)
    if gap is None:
        return kept
    if gap.newest:
        kept = kept[: -gap.newest]
    if gap.from_ is None or gap.until is None:
        return kept
    first, end = milliseconds(gap.from_) // 60_000, milliseconds(gap.until) // 60_000
    return [bar for bar in kept if not first <= (bar.minute + IST_OFFSET_MINUTES) % _DAY < end]
