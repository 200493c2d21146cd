"""Market status, timings and holidays."""

from collections.abc import Iterable
from datetime import date, datetime
from typing import Final

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from algoexec.domain.calendar import TradingDay, ist
from algoexec.simulator.broker import SimulatedBroker
from algoexec.simulator.chain_routes import parsed_date
from algoexec.simulator.errors import Refusal, success
from algoexec.simulator.segments import COMMODITY_HOURS, EXCHANGES, phases

_CASH: Final = ("NSE", "BSE")
_DERIVATIVES: Final = ("NFO", "BFO", "CDS", "BCD")
_BANKS_CLOSE: Final = (4, 1)
"""The banks' yearly closing: a settlement holiday, on which everything trades."""


def routes(broker: SimulatedBroker) -> list[BaseRoute]:
    """Return the calendar's endpoints; all but the status need no token."""
    calendar = _Calendar(broker)
    return [
        Route("/v2/market/status/{exchange}", calendar.status),
        Route("/v2/market/timings/{on}", calendar.timings),
        Route("/v2/market/holidays", calendar.holidays),
        Route("/v2/market/holidays/{on}", calendar.holidays),
    ]


class _Calendar:
    def __init__(self, broker: SimulatedBroker) -> None:
        self._broker = broker

    async def status(self, request: Request) -> Response:
        """Return the phase of an exchange now."""
        self._broker.caller(request, "market/status")
        exchange = request.path_params["exchange"]
        if exchange not in EXCHANGES:
            raise Refusal(400, "UDAPI1089", "Invalid exchange")
        clock = self._broker.clock
        phase = phases(self._broker.exchange.day.session, clock.now())[EXCHANGES[exchange]]
        return success({"exchange": exchange, "status": phase.name, "last_updated": clock.now_ms})

    async def timings(self, request: Request) -> Response:
        """Return when each exchange trades on a date; nothing where none does."""
        self._broker.anybody(request, "market/timings")
        day = self._day(parsed_date(request.path_params["on"]))
        return success([] if day is None else _timings(day))

    async def holidays(self, request: Request) -> Response:
        """Return the holidays of the year, or of one date."""
        self._broker.anybody(request, "market/holidays")
        found = self._holidays()
        if "on" in request.path_params:
            on = parsed_date(request.path_params["on"])
            found = [holiday for holiday in found if holiday["date"] == on.isoformat()]
        return success(found)

    def _day(self, on: date) -> TradingDay | None:
        session = self._broker.exchange.day.session
        return session if on == session.date else self._broker.exchange.day.calendar.day(on)

    def _holidays(self) -> list[dict[str, object]]:
        calendar = self._broker.exchange.day.calendar
        year = self._broker.exchange.day.session.date.year
        listed: list[dict[str, object]] = [
            _holiday(on, "Trading holiday", "TRADING_HOLIDAY", (*_CASH, *_DERIVATIVES), _open_commodities(on))
            for on in calendar.holidays
            if on.year == year
        ]
        listed += [
            _holiday(on, "Special trading session", "SPECIAL_TIMING", (), _timings(day))
            for on in calendar.special
            if on.year == year and (day := calendar.day(on)) is not None
        ]
        if (day := calendar.day(date(year, *_BANKS_CLOSE))) is not None:
            listed.append(_holiday(day.date, "Annual bank closing", "SETTLEMENT_HOLIDAY", (), _timings(day)))
        return sorted(listed, key=lambda holiday: str(holiday["date"]))


def _holiday(
    on: date, description: str, kind: str, closed: Iterable[str], opened: list[dict[str, object]]
) -> dict[str, object]:
    return {
        "date": on.isoformat(),
        "description": description,
        "holiday_type": kind,
        "closed_exchanges": list(closed),
        "open_exchanges": opened,
    }


def _timings(day: TradingDay) -> list[dict[str, object]]:
    cash = [_hours(name, day.opens_at, day.continuous_until) for name in _CASH]
    derivatives = [_hours(name, day.opens_at, day.closes_at) for name in _DERIVATIVES]
    return [*cash, *derivatives, *_open_commodities(day.date)]


def _open_commodities(on: date) -> list[dict[str, object]]:
    opens, closes = COMMODITY_HOURS
    return [_hours("MCX", ist(on, opens), ist(on, closes))]


def _hours(exchange: str, opens: datetime, closes: datetime) -> dict[str, object]:
    return {
        "exchange": exchange,
        "start_time": round(opens.timestamp() * 1000),
        "end_time": round(closes.timestamp() * 1000),
    }
