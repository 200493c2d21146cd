"""Candles, put-call ratios, option chains."""

from collections.abc import Sequence
from datetime import UTC, date, datetime
from typing import Self

from pydantic import BaseModel, ConfigDict, Field

from algoexec.domain.instruments import Option, OptionType
from algoexec.domain.market import Candle, Provenance, Quote
from algoexec.domain.options import OptionChain, OptionQuote, PcrReading, put_call_ratio


class CandleOut(BaseModel):
    """One closed minute of the index. Prices are index points."""

    model_config = ConfigDict(
        from_attributes=True,
        json_schema_extra={
            "examples": [
                {
                    "start": "2026-11-23T04:15:00Z",
                    "open": 51204.1,
                    "high": 51236.85,
                    "low": 51198.4,
                    "close": 51230.2,
                    "volume": 18450,
                    "provenance": "live",
                }
            ]
        },
    )

    start: datetime = Field(description="The minute is `[start, start + 60 s)`, UTC.")
    open: float
    high: float
    low: float
    close: float
    volume: int | None = Field(
        description="Units of the nearest future traded in the same minute; null when not known, never 0 instead."
    )
    provenance: Provenance = Field(
        description="`live`: from ticks; `received`: the feed's own minute; `backfilled`: fetched before it was "
        "decided on; `repaired`: fetched after."
    )


class PcrOut(BaseModel):
    """The put-call ratio of one poll of the option chain."""

    model_config = ConfigDict(
        from_attributes=True,
        json_schema_extra={
            "examples": [
                {
                    "at": "2026-11-23T04:15:10.250Z",
                    "underlying": "NSE_INDEX|Nifty Bank",
                    "expiry": "2026-11-24",
                    "pcr": 0.93,
                    "strikes": 86,
                    "spot": 51230.2,
                }
            ]
        },
    )

    at: datetime = Field(description="Market time of the answer, UTC.")
    underlying: str
    expiry: date
    pcr: float | None = Field(description="Put over call open interest; null when no call has any.")
    strikes: int = Field(description="Strikes with an open interest on at least one side.")
    spot: float | None = Field(description="The underlying, index points.")


class OptionQuoteOut(BaseModel):
    """One side of one strike. Prices in rupees, quantities in units, `iv` a fraction; null: not told."""

    model_config = ConfigDict(from_attributes=True)

    instrument: str
    type: OptionType
    strike: float
    last_price: float | None
    bid: float | None
    ask: float | None
    open_interest: int | None
    volume: int | None
    iv: float | None
    delta: float | None


class OptionChainOut(BaseModel):
    """The option chain of one expiry as last polled."""

    underlying: str
    expiry: date
    at: datetime = Field(description="Market time of the answer, UTC.")
    spot: float | None = Field(description="The underlying, index points; null when the chain is empty.")
    pcr: float | None = Field(description="Put over call open interest of the whole chain.")
    quotes: list[OptionQuoteOut] = Field(description="By strike, the call before the put.")

    @classmethod
    def of(cls, chain: OptionChain) -> Self:
        """Return the chain in its order on the wire."""
        quotes = sorted(chain.quotes, key=_place)
        return cls(
            underlying=chain.underlying,
            expiry=chain.expiry,
            at=chain.at,
            spot=chain.spot,
            pcr=put_call_ratio(chain.quotes),
            quotes=[OptionQuoteOut.model_validate(quote) for quote in quotes],
        )


class CandlesOut(BaseModel):
    """Today's candles of a session, with indicators beside them."""

    session_id: str
    candles: list[CandleOut] = Field(description="Oldest first.")
    ta: dict[str, dict[str, list[float | None]]] = Field(
        description="For each indicator as asked for, its lines; each as long as `candles`, null before it is known.",
        examples=[{"ema:9": {"ema": [None, 51210.4]}}],
    )


class GreeksOut(BaseModel):
    """Sensitivities of one option, per unit."""

    model_config = ConfigDict(from_attributes=True)

    delta: float = Field(description="Per index point.")
    gamma: float
    theta: float = Field(description="Per day.")
    vega: float = Field(description="Per percentage point of implied volatility.")


class QuoteOut(BaseModel):
    """The newest quote of one instrument. Prices in rupees (the index: points), quantities in units; null: not told."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "instrument": "NSE_FO|57321",
                    "at": "2026-11-23T04:16:00.250Z",
                    "last_price": 212.3,
                    "previous_close": 190.0,
                    "bid": 212.2,
                    "bid_quantity": 300,
                    "ask": 212.4,
                    "ask_quantity": 210,
                    "open_interest": 1284300,
                    "volume": 5482100,
                    "iv": 0.131,
                    "greeks": {"delta": 0.52, "gamma": 0.0004, "theta": -48.2, "vega": 21.3},
                }
            ]
        },
    )

    instrument: str
    at: datetime = Field(description="Market time of its newest frame, UTC.")
    last_price: float | None
    previous_close: float | None
    bid: float | None
    bid_quantity: int | None
    ask: float | None
    ask_quantity: int | None
    open_interest: int | None
    volume: int | None = Field(description="Of the day.")
    iv: float | None = Field(description="Implied volatility as a fraction: 0.13 is 13 %.")
    greeks: GreeksOut | None = Field(description="Of an option.")

    @classmethod
    def of(cls, quote: Quote) -> Self:
        """Return a quote's form on the wire."""
        interest = quote.open_interest
        return cls(
            instrument=quote.instrument,
            at=datetime.fromtimestamp(quote.received_at / 1000, UTC),
            last_price=quote.price,
            previous_close=quote.previous_close,
            bid=quote.bid,
            bid_quantity=quote.bid_quantity,
            ask=quote.ask,
            ask_quantity=quote.ask_quantity,
            open_interest=None if interest is None else round(interest),
            volume=quote.volume,
            iv=quote.iv,
            greeks=None if quote.greeks is None else GreeksOut.model_validate(quote.greeks),
        )


class QuotesOut(BaseModel):
    """What a session follows tick by tick: the index, the nearest future, the options around the money."""

    session_id: str
    quotes: list[QuoteOut] = Field(description="By instrument; none while the session follows nothing.")


class OptionOut(BaseModel):
    """One option of the day."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "instrument": "NSE_FO|57321",
                    "name": "BANKNIFTY 51200 CE 24 NOV 26",
                    "type": "CALL",
                    "strike": 51200.0,
                    "expiry": "2026-11-24",
                    "lot": 30,
                }
            ]
        },
    )

    instrument: str
    name: str = Field(description="The broker's trading symbol.")
    type: OptionType
    strike: float
    expiry: date
    lot: int = Field(description="Units of one lot.")


class OptionsOut(BaseModel):
    """The options of a session's day."""

    session_id: str
    options: list[OptionOut]

    @classmethod
    def of(cls, session_id: str, options: Sequence[Option]) -> Self:
        """Return them by strike, the call before the put."""
        ordered = sorted(options, key=lambda one: (one.strike, one.type))
        return cls(
            session_id=session_id,
            options=[
                OptionOut(
                    instrument=one.key,
                    name=one.name,
                    type=one.type,
                    strike=one.strike,
                    expiry=one.expiry,
                    lot=one.lot,
                )
                for one in ordered
            ],
        )


def candle_out(candle: Candle) -> CandleOut:
    """Return a candle's form on the wire."""
    return CandleOut.model_validate(candle)


def pcr_out(reading: PcrReading) -> PcrOut:
    """Return a reading's form on the wire."""
    return PcrOut.model_validate(reading)


def _place(quote: OptionQuote) -> tuple[float, OptionType]:
    return quote.strike, quote.type
