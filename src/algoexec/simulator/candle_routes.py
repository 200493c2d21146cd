"""Historical and intraday candles, V3.

Today's last candle may still be running, as at the broker: a client must not take it for finished.
"""

from collections.abc import Callable, Iterable, Sequence
from datetime import date, datetime, timedelta
from itertools import groupby
from typing import Final

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from algoexec.domain.calendar import IST, from_ist_minute, ist_minute
from algoexec.domain.instruments import InstrumentKey
from algoexec.domain.market import Bar
from algoexec.simulation.expansion import MINUTE_MS
from algoexec.simulator.broker import SimulatedBroker
from algoexec.simulator.chain_routes import parsed_date
from algoexec.simulator.errors import Refusal, success
from algoexec.simulator.faults.answers import without_gap

_INTERVALS: Final = {"minutes": 300, "hours": 5, "days": 1, "weeks": 1, "months": 1}
_QUARTER: Final = timedelta(days=92)
_MONTH: Final = timedelta(days=31)
_DECADE: Final = timedelta(days=3660)
_OPENING_MINUTE: Final = 9 * 60 + 15
_DAY: Final = 1440


def routes(broker: SimulatedBroker) -> list[BaseRoute]:
    """Return the candle endpoints, which need no token."""
    candles = _Candles(broker)
    base = "/v3/historical-candle"
    return [
        Route(f"{base}/intraday/{{key}}/{{unit}}/{{interval}}", candles.intraday),
        Route(f"{base}/{{key}}/{{unit}}/{{interval}}/{{to_date}}", candles.historical),
        Route(f"{base}/{{key}}/{{unit}}/{{interval}}/{{to_date}}/{{from_date}}", candles.historical),
    ]


class _Candles:
    def __init__(self, broker: SimulatedBroker) -> None:
        self._broker = broker

    async def intraday(self, request: Request) -> Response:
        """Return today's candles up to now, newest first."""
        self._broker.anybody(request, "historical-candle/intraday")
        key = self._broker.instrument(request.path_params["key"])
        now = self._broker.clock.now_ms
        bars = self._broker.exchange.tape(key).bars(now)
        return self._answer(request, key, bars)

    async def historical(self, request: Request) -> Response:
        """Return candles of past days, newest first; both dates count, today has none."""
        self._broker.anybody(request, "historical-candle")
        key = self._broker.instrument(request.path_params["key"])
        unit, interval = _period(request)
        last = parsed_date(request.path_params["to_date"])
        longest = _longest(unit, interval)
        text = request.path_params.get("from_date")
        first = last - longest if text is None else parsed_date(text)
        if first > last:
            raise Refusal(400, "UDAPI1015", "to_date must not be before from_date")
        if last - first > longest:
            raise Refusal(400, "UDAPI1148", "Invalid date range for this unit and interval")
        return self._answer(request, key, self._past(key, first, last))

    def _past(self, key: InstrumentKey, first: date, last: date) -> list[Bar]:
        day = self._broker.exchange.day
        days = [earlier for earlier in day.earlier if first <= earlier.date <= last]
        if key == self._broker.exchange.underlying:
            return [bar for earlier in days for bar in earlier.index]
        if key == day.futures[0].contract.key:
            return [bar for earlier in days for bar in earlier.future if bar.volume]
        return []

    def _answer(self, request: Request, key: InstrumentKey, bars: Sequence[Bar]) -> Response:
        told = without_gap(bars, self._broker.faults.candles(path=request.url.path, instrument=key))
        candles = [self._row(key, start, bar) for start, bar in _grouped(told, *_period(request))]
        return success({"candles": candles[::-1]})

    def _row(self, key: InstrumentKey, start: int, bar: Bar) -> list[object]:
        at = from_ist_minute(start).astimezone(IST).isoformat()
        interest = self._broker.exchange.open_interest(key, (bar.minute + 1) * MINUTE_MS - 1)
        return [at, bar.open, bar.high, bar.low, bar.close, bar.volume, interest]


def _period(request: Request) -> tuple[str, int]:
    unit, text = request.path_params["unit"], request.path_params["interval"]
    if unit not in _INTERVALS:
        raise Refusal(400, "UDAPI1146", "Invalid unit")
    if not text.isdecimal() or not 1 <= int(text) <= _INTERVALS[unit]:
        raise Refusal(400, "UDAPI1147", "Invalid interval")
    return unit, int(text)


def _longest(unit: str, interval: int) -> timedelta:
    match unit:
        case "minutes":
            return _MONTH if interval <= 15 else _QUARTER
        case "hours":
            return _QUARTER
        case "days":
            return _DECADE
        case _:
            return timedelta.max / 1000


def _grouped(bars: Iterable[Bar], unit: str, interval: int) -> list[tuple[int, Bar]]:
    """Return merged bars with their starts in India's minutes, oldest first."""
    start_of = _starts(unit, interval)
    groups = groupby(bars, key=lambda bar: start_of(_minute_in_india(bar)))
    return [(start, _merged(list(group))) for start, group in groups]


def _minute_in_india(bar: Bar) -> int:
    return ist_minute(datetime.fromtimestamp(bar.minute * 60, IST))


def _starts(unit: str, interval: int) -> Callable[[int], int]:
    match unit:
        case "minutes" | "hours":
            span = interval * (60 if unit == "hours" else 1)
            return lambda minute: minute - (minute % _DAY - _OPENING_MINUTE) % span
        case "days":
            return lambda minute: minute - minute % _DAY
        case "weeks":
            # Day 0 of the epoch was a Thursday.
            return lambda minute: minute - minute % _DAY - (minute // _DAY + 3) % 7 * _DAY
        case _:
            return _start_of_month


def _start_of_month(minute: int) -> int:
    on = from_ist_minute(minute).astimezone(IST)
    return minute - minute % _DAY - (on.day - 1) * _DAY


def _merged(bars: Sequence[Bar]) -> Bar:
    return Bar(
        bars[-1].minute,
        bars[0].open,
        max(bar.high for bar in bars),
        min(bar.low for bar in bars),
        bars[-1].close,
        sum(bar.volume for bar in bars),
    )
