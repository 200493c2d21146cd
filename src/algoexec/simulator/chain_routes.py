"""Option chain, option contracts and instrument search."""

import math
from collections.abc import Callable
from datetime import date, datetime
from typing import Final

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from algoexec.domain.calendar import IST
from algoexec.domain.instruments import Option, OptionType, nearest_strike
from algoexec.domain.terms import monthly_expiry
from algoexec.simulation.exchange import ChainRow, Contract, Quote
from algoexec.simulator.broker import SimulatedBroker, required
from algoexec.simulator.errors import Refusal, success
from algoexec.simulator.faults.answers import chain_rows

_TYPES: Final = {OptionType.CALL: "CE", OptionType.PUT: "PE"}
_MOST_RECORDS: Final = 30


def routes(broker: SimulatedBroker) -> list[BaseRoute]:
    """Return the endpoints that list contracts."""
    lists = _Lists(broker)
    return [
        Route("/v2/option/chain", lists.chain),
        Route("/v2/option/contract", lists.contracts),
        Route("/v2/instruments/search", lists.search),
    ]


class _Lists:
    def __init__(self, broker: SimulatedBroker) -> None:
        self._broker = broker

    async def chain(self, request: Request) -> Response:
        """Return one expiry, a row a strike, as of now."""
        broker = self._broker
        user = broker.caller(request, "option/chain")
        self._require_underlying(request)
        expiry = parsed_date(required(request, "expiry_date"))
        now = broker.clock.now_ms
        spot = broker.exchange.quote(broker.exchange.underlying, now).price
        rows = [self._strike(row, expiry, spot) for row in broker.exchange.chain(expiry, now)]
        return success(chain_rows(rows, broker.faults.chain(user=user.id)))

    async def contracts(self, request: Request) -> Response:
        """Return the options of one expiry, or of all."""
        self._broker.caller(request, "option/contract")
        self._require_underlying(request)
        wanted = request.query_params.get("expiry_date")
        expiry = parsed_date(wanted) if wanted else None
        options = self._broker.exchange.day.options
        return success([self._record(o) for o in options if expiry is None or o.expiry == expiry])

    async def search(self, request: Request) -> Response:
        """Return contracts and the index whose names hold every word of the query, nearest expiry first."""
        self._broker.caller(request, "instruments/search")
        words = required(request, "query").upper().split()
        records = [r for r in self._everything(request) if all(word in _text(r) for word in words)]
        size = min(max(_integer(request, "records", 10), 1), _MOST_RECORDS)
        page = max(_integer(request, "page_number", 1), 1)
        found = records[(page - 1) * size : page * size]
        pages = {
            "page_number": page,
            "total_pages": math.ceil(len(records) / size),
            "records": len(found),
            "total_records": len(records),
        }
        return success(found, meta_data={"page": pages})

    def _require_underlying(self, request: Request) -> None:
        key = self._broker.instrument(required(request, "instrument_key"))
        if key != self._broker.exchange.underlying:
            raise Refusal(400, "UDAPI100011", f"{key} has no options")

    def _everything(self, request: Request) -> list[dict[str, object]]:
        day = self._broker.exchange.day
        contracts: list[Contract] = [*(listed.contract for listed in day.futures), *day.options]
        allowed = [test for test in (_expiry_test(request, self._today()), self._offset_test(request)) if test]
        kept = [self._record(c) for c in contracts if all(test(c) for test in allowed)]
        if not allowed:
            kept.insert(0, self._index_record())
        return [record for record in kept if _is_wanted(request, record)]

    def _offset_test(self, request: Request) -> Callable[[Contract], bool] | None:
        if "atm_offset" not in request.query_params:
            return None
        offset = _integer(request, "atm_offset", 0)
        strikes = sorted({option.strike for option in self._broker.exchange.day.options})
        if not strikes:
            return lambda _: False
        spot = self._broker.exchange.quote(self._broker.exchange.underlying, self._broker.clock.now_ms).price
        place = strikes.index(nearest_strike(strikes, spot)) + offset
        wanted = strikes[place] if 0 <= place < len(strikes) else None
        return lambda contract: isinstance(contract, Option) and contract.strike == wanted

    def _today(self) -> date:
        return self._broker.exchange.day.session.date

    def _strike(self, row: ChainRow, expiry: date, spot: float) -> dict[str, object]:
        calls = row.call.open_interest if row.call is not None else 0
        puts = row.put.open_interest if row.put is not None else 0
        return {
            "expiry": expiry.isoformat(),
            "pcr": round(puts / calls, 4) if calls else 0.0,
            "strike_price": row.strike,
            "underlying_key": self._broker.exchange.underlying,
            "underlying_spot_price": spot,
            "call_options": None if row.call is None else _side(row.call),
            "put_options": None if row.put is None else _side(row.put),
        }

    def _index_record(self) -> dict[str, object]:
        key = self._broker.exchange.underlying
        return {
            "name": "Nifty Bank",
            "segment": "NSE_INDEX",
            "exchange": "NSE",
            "instrument_type": "INDEX",
            "instrument_key": key,
            "exchange_token": "26009",
            "trading_symbol": "BANKNIFTY",
        }

    def _is_weekly(self, expiry: date) -> bool:
        return monthly_expiry(expiry.year, expiry.month, self._broker.exchange.day.calendar) != expiry

    def _record(self, contract: Contract) -> dict[str, object]:
        kind, strike = (_TYPES[contract.type], contract.strike) if isinstance(contract, Option) else ("FUT", 0.0)
        key = self._broker.exchange.underlying
        return {
            "name": "BANKNIFTY",
            "segment": "NSE_FO",
            "exchange": "NSE",
            "expiry": contract.expiry.isoformat(),
            "weekly": self._is_weekly(contract.expiry),
            "instrument_key": contract.key,
            "exchange_token": contract.key.partition("|")[2],
            "trading_symbol": contract.name,
            # In paise, as the broker has it.
            "tick_size": round(contract.tick_size * 100, 2),
            "lot_size": contract.lot,
            "minimum_lot": contract.lot,
            "instrument_type": kind,
            "freeze_quantity": float(contract.freeze_quantity),
            "underlying_key": key,
            "underlying_type": "INDEX",
            "underlying_symbol": "BANKNIFTY",
            "asset_key": key,
            "asset_type": "INDEX",
            "asset_symbol": "BANKNIFTY",
            "strike_price": strike,
            "qty_multiplier": 1.0,
        }


def _side(quote: Quote) -> dict[str, object]:
    best = quote.book.levels[0] if quote.book is not None else None
    greeks = quote.greeks
    return {
        "instrument_key": quote.key,
        "market_data": {
            "ltp": quote.price,
            "volume": 0 if quote.trade is None else quote.trade.volume,
            "oi": float(quote.open_interest),
            "close_price": quote.previous_close,
            "bid_price": 0.0 if best is None else best.bid,
            "bid_qty": 0 if best is None else best.bid_quantity,
            "ask_price": 0.0 if best is None else best.ask,
            "ask_qty": 0 if best is None else best.ask_quantity,
            "prev_oi": float(quote.previous_open_interest),
        },
        "option_greeks": {
            "vega": 0.0 if greeks is None else round(greeks.vega, 4),
            "theta": 0.0 if greeks is None else round(greeks.theta, 4),
            "gamma": 0.0 if greeks is None else round(greeks.gamma, 4),
            "delta": 0.0 if greeks is None else round(greeks.delta, 4),
            # In per cent here, a fraction on the feed: so it is at the broker.
            "iv": round(quote.volatility * 100, 2),
            "pop": 0.0 if greeks is None else round(50 * (1 - abs(greeks.delta)), 2),
        },
    }


def _text(record: dict[str, object]) -> str:
    fields = ("trading_symbol", "name", "underlying_symbol", "instrument_key", "underlying_key")
    return " ".join(str(record.get(field, "")) for field in fields).upper()


def _is_wanted(request: Request, record: dict[str, object]) -> bool:
    segments = {"NSE_FO": "FO", "NSE_INDEX": "INDEX"}
    return (
        _is_named(request, "exchanges", str(record["exchange"]))
        and _is_named(request, "segments", segments[str(record["segment"])])
        and _is_named(request, "instrument_types", str(record["instrument_type"]))
    )


def _is_named(request: Request, parameter: str, value: str) -> bool:
    names = {name.strip().upper() for name in request.query_params.get(parameter, "").split(",") if name.strip()}
    return not names or value in names or "ALL" in names


def _expiry_test(request: Request, today: date) -> Callable[[Contract], bool] | None:
    wanted = request.query_params.get("expiry")
    match wanted:
        case None | "":
            return None
        case "current_week":
            return lambda contract: contract.expiry.isocalendar()[:2] == today.isocalendar()[:2]
        case "current_month":
            return lambda contract: (contract.expiry.year, contract.expiry.month) == (today.year, today.month)
        case _:
            expiry = parsed_date(wanted)
            return lambda contract: contract.expiry == expiry


def _integer(request: Request, name: str, default: int) -> int:
    text = request.query_params.get(name)
    try:
        return default if text is None else int(text)
    except ValueError as error:
        raise Refusal(400, "UDAPI100036", f"{name} must be a number") from error


def parsed_date(text: str) -> date:
    """Return a date given as YYYY-MM-DD.

    Raises:
        Refusal: it is not one.
    """
    try:
        return datetime.strptime(text, "%Y-%m-%d").replace(tzinfo=IST).date()
    except ValueError as error:
        raise Refusal(400, "UDAPI1015", f"{text!r} is not a date in the form YYYY-MM-DD") from error
