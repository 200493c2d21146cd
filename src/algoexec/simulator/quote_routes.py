"""Quotes on request: last price, bars, book, greeks. Answers are keyed by symbol, not by what was asked."""

from collections.abc import Callable
from typing import Final

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from algoexec.domain.calendar import IST
from algoexec.domain.instruments import InstrumentKey, Option, OptionType
from algoexec.domain.market import Bar
from algoexec.simulation.exchange import Quote
from algoexec.simulation.expansion import MINUTE_MS
from algoexec.simulator.broker import SimulatedBroker
from algoexec.simulator.errors import Refusal, missing_parameter, success
from algoexec.simulator.wire import midnight

type View = Callable[[Quote], dict[str, object]]

_MOST_KEYS: Final = 500
_MOST_GREEKS: Final = 50
_INTERVALS: Final = ("1d", "I1", "I30")


def routes(broker: SimulatedBroker) -> list[BaseRoute]:
    """Return the quote endpoints."""
    quotes = _Quotes(broker)
    return [
        Route("/v2/market-quote/ltp", quotes.ltp),
        Route("/v2/market-quote/ohlc", quotes.ohlc),
        Route("/v2/market-quote/quotes", quotes.full),
        Route("/v3/market-quote/ltp", quotes.ltp_v3),
        Route("/v3/market-quote/ohlc", quotes.ohlc_v3),
        Route("/v3/market-quote/quotes", quotes.full_v3),
        Route("/v3/market-quote/option-greek", quotes.greeks),
    ]


class _Quotes:
    def __init__(self, broker: SimulatedBroker) -> None:
        self._broker = broker

    async def ltp(self, request: Request) -> Response:
        """Return last prices."""
        return self._answer(request, "v2/ltp", _last)

    async def ltp_v3(self, request: Request) -> Response:
        """Return last prices with what the day has traded."""
        return self._answer(request, "v3/ltp", _last_v3)

    async def ohlc(self, request: Request) -> Response:
        """Return the day so far."""
        _interval(request)
        return self._answer(request, "v2/ohlc", lambda q: {**_last(q), "ohlc": _day(q)})

    async def ohlc_v3(self, request: Request) -> Response:
        """Return the running bar and the one before it."""
        interval = _interval(request)

        def bars(quote: Quote) -> dict[str, object]:
            before, running = self._bars(quote, interval)
            return {**_last(quote), "prev_ohlc": before, "live_ohlc": running}

        return self._answer(request, "v3/ohlc", bars)

    async def full(self, request: Request) -> Response:
        """Return everything about each instrument."""
        return self._answer(request, "v2/quotes", self._everything)

    async def full_v3(self, request: Request) -> Response:
        """Return everything about each instrument, and a little more."""

        def everything(quote: Quote) -> dict[str, object]:
            _, running = self._bars(quote, "1d")
            more = {
                "ohlc": running,
                "prev_close_price": quote.previous_close,
                "previous_oi": float(quote.previous_open_interest),
                "cas_eligible": False,
            }
            return {**self._everything(quote), **more}

        return self._answer(request, "v3/quotes", everything)

    async def greeks(self, request: Request) -> Response:
        """Return greeks of options; `iv` is a fraction here."""
        return self._answer(request, "v3/option-greek", _greeks, most=_MOST_GREEKS)

    def _answer(self, request: Request, api: str, view: View, most: int = _MOST_KEYS) -> Response:
        self._broker.caller(request, f"market-quote/{api}")
        keys = self._keys(request, most)
        now = self._broker.clock.now_ms
        quotes = [self._broker.exchange.quote(key, now) for key in keys]
        return success({_symbol(quote): view(quote) for quote in quotes})

    def _keys(self, request: Request, most: int) -> list[InstrumentKey]:
        # The SDK still says `symbol` on v2.
        text = request.query_params.get("instrument_key") or request.query_params.get("symbol")
        if not text:
            raise missing_parameter("instrument_key")
        keys = list(dict.fromkeys(key.strip() for key in text.split(",") if key.strip()))
        if len(keys) > most:
            raise Refusal(400, "UDAPI100036", f"At most {most} instruments at a time")
        return [self._broker.instrument(key) for key in keys]

    def _bars(self, quote: Quote, interval: str) -> tuple[dict[str, object] | None, dict[str, object] | None]:
        if interval == "1d":
            return self._day_before(quote), _running_day(quote)
        span = 30 if interval == "I30" else 1
        now = self._broker.clock.now_ms
        bars = self._broker.exchange.tape(quote.key).bars(now)
        first = now // MINUTE_MS - (now // MINUTE_MS - int(self._opens())) % span
        running = [bar for bar in bars if bar.minute >= first]
        before = [bar for bar in bars if first - span <= bar.minute < first]
        return _bar(before, (first - span) * MINUTE_MS), _bar(running, first * MINUTE_MS)

    def _opens(self) -> float:
        return self._broker.exchange.day.session.opens_at.timestamp() // 60

    def _day_before(self, quote: Quote) -> dict[str, object] | None:
        day = self._broker.exchange.day
        if not day.earlier:
            return None
        bars = day.earlier[-1].index if quote.contract is None else ()
        if quote.key == day.futures[0].contract.key:
            bars = day.earlier[-1].future
        return _bar(bars, midnight(bars[0].minute * MINUTE_MS)) if bars else None

    def _everything(self, quote: Quote) -> dict[str, object]:
        now = self._broker.clock.now().astimezone(IST)
        book = quote.book
        interest = float(quote.open_interest)
        is_index = quote.contract is None
        lowest, highest = (0.0, 0.0) if is_index else self._broker.exchange.price_limits(quote.key)
        return {
            "ohlc": _day(quote),
            "depth": _depth(quote),
            "timestamp": now.isoformat(timespec="milliseconds"),
            "instrument_token": quote.key,
            "symbol": _symbol(quote).partition(":")[2],
            "last_price": quote.price,
            "volume": _volume(quote),
            "average_price": round(quote.average_price, 2),
            "oi": interest,
            "net_change": round(quote.price - quote.previous_close, 2),
            "total_buy_quantity": 0.0 if book is None else float(book.bids),
            "total_sell_quantity": 0.0 if book is None else float(book.asks),
            "lower_circuit_limit": lowest,
            "upper_circuit_limit": highest,
            "last_trade_time": "0" if quote.trade is None else str(quote.trade.at),
            "oi_day_high": interest,
            "oi_day_low": interest,
        }


def _interval(request: Request) -> str:
    interval = request.query_params.get("interval")
    if interval is None:
        raise missing_parameter("interval")
    if interval not in _INTERVALS:
        raise Refusal(400, "UDAPI1147", "Invalid interval")
    return interval


def _symbol(quote: Quote) -> str:
    match quote.contract:
        case None:
            return quote.key.replace("|", ":")
        case Option() as option:
            kind = "CE" if option.type is OptionType.CALL else "PE"
            return f"NSE_FO:BANKNIFTY{option.expiry:%y%b}{option.strike:g}{kind}".upper()
        case future:
            return f"NSE_FO:BANKNIFTY{future.expiry:%y%b}FUT".upper()


def _last(quote: Quote) -> dict[str, object]:
    return {"last_price": quote.price, "instrument_token": quote.key}


def _last_v3(quote: Quote) -> dict[str, object]:
    quantity = 0 if quote.trade is None else quote.trade.quantity
    return {**_last(quote), "ltq": quantity, "volume": _volume(quote), "cp": quote.previous_close}


def _greeks(quote: Quote) -> dict[str, object]:
    known = {} if quote.greeks is None else quote.greeks._asdict()
    names = ("vega", "gamma", "theta", "delta")
    greeks = {name: round(known.get(name, 0.0), 4) for name in names}
    return {**_last_v3(quote), "iv": round(quote.volatility, 4), **greeks, "oi": float(quote.open_interest)}


def _volume(quote: Quote) -> int:
    return 0 if quote.trade is None else quote.trade.volume


def _day(quote: Quote) -> dict[str, object] | None:
    """Return the day so far; its `close` is the close of the day before, as in all of v2."""
    if quote.day is None:
        return None
    return {
        "open": quote.day.open,
        "high": quote.day.high,
        "low": quote.day.low,
        "close": quote.previous_close,
    }


def _running_day(quote: Quote) -> dict[str, object] | None:
    if quote.day is None or quote.trade is None:
        return None
    day = quote.day
    return {
        "open": day.open,
        "high": day.high,
        "low": day.low,
        "close": day.close,
        "volume": day.volume,
        "ts": midnight(quote.trade.at),
    }


def _bar(bars: list[Bar] | tuple[Bar, ...], start: int) -> dict[str, object] | None:
    if not bars:
        return None
    return {
        "open": bars[0].open,
        "high": max(bar.high for bar in bars),
        "low": min(bar.low for bar in bars),
        "close": bars[-1].close,
        "volume": sum(bar.volume for bar in bars),
        "ts": start,
    }


def _depth(quote: Quote) -> dict[str, object]:
    levels = () if quote.book is None else quote.book.levels
    orders = 3
    buy = [{"quantity": level.bid_quantity, "price": level.bid, "orders": orders} for level in levels]
    sell = [{"quantity": level.ask_quantity, "price": level.ask, "orders": orders} for level in levels]
    return {"buy": buy, "sell": sell}
