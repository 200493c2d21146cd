"""Candles, put-call ratios, option chains."""

from collections.abc import Sequence
from datetime import date, datetime
from typing import Self

from pydantic import BaseModel, ConfigDict, Field

from algoexec.domain.instruments import Option, OptionType
from algoexec.domain.market import Candle, Provenance
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
