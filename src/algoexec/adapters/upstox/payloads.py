"""REST payloads as they are on the wire, and what they mean. Unknown fields are ignored, wrong types are not.

Source: docs/upstox.md §1, checked against recorded answers of 2024 and SDK 2.30.0.
"""

from collections.abc import Iterable, Sequence
from datetime import UTC, date, datetime, timedelta
from ipaddress import ip_address
from typing import Annotated, Any, Final, Literal

from pydantic import AfterValidator, AwareDatetime, BaseModel, BeforeValidator, ConfigDict, Field, TypeAdapter

from algoexec.domain.calendar import IST, Calendar, Hours, ist
from algoexec.domain.instruments import Future, InstrumentKey, Option, OptionType
from algoexec.domain.market import Bar
from algoexec.domain.options import OptionQuote
from algoexec.ports.market_data import Profile

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_LAST_MS: Final = 4_102_444_800_000
"""The year 2100: what claims to be later is no time."""
_PAISE: Final = 100
_OUR_EXCHANGE: Final = "NFO"


def _whole(value: object) -> object:
    """Take 600.0 for 600, as they write quantities; nothing else is bent."""
    return int(value) if isinstance(value, float) and value.is_integer() else value


def _day(value: object) -> object:
    """Take a date as they write it in answers (`2026-11-23`) or in instrument files (epoch milliseconds)."""
    if isinstance(value, int) and 0 < value < _LAST_MS:
        return (_EPOCH + timedelta(milliseconds=value)).astimezone(IST).date()
    return date.fromisoformat(value[:10]) if isinstance(value, str) else value


def _address(value: str | None) -> str | None:
    return str(ip_address(value)) if value else None


def _stamp(value: object) -> object:
    return datetime.fromisoformat(value) if isinstance(value, str) else value


type Whole = Annotated[int, BeforeValidator(_whole)]
type Number = Annotated[float, Field(allow_inf_nan=False)]
type Day = Annotated[date, BeforeValidator(_day)]
type Milliseconds = Annotated[Whole, Field(gt=0, lt=_LAST_MS)]
type Stamp = Annotated[AwareDatetime, BeforeValidator(_stamp)]


class Payload(BaseModel):
    """Lenient on what we do not know, strict on what we read."""

    model_config = ConfigDict(extra="ignore", strict=True, frozen=True)


class ProfilePayload(Payload):
    """GET /v2/user/profile."""

    user_id: str
    user_name: str = ""

    def meaning(self) -> Profile:
        """Return whose token it is."""
        return Profile(account=self.user_id, name=self.user_name)


class ContractPayload(Payload):
    """One contract of GET /v2/option/contract or /v2/instruments/search. `tick_size` is in paise."""

    instrument_key: str
    trading_symbol: str
    instrument_type: Literal["CE", "PE", "FUT"]
    expiry: Day
    lot_size: Annotated[Whole, Field(gt=0)]
    tick_size: Annotated[Number, Field(gt=0)]
    freeze_quantity: Annotated[Whole, Field(gt=0)]
    underlying_key: str
    underlying_symbol: str
    strike_price: Number = 0.0

    def option(self) -> Option:
        """Return it as an option."""
        return Option(
            key=InstrumentKey(self.instrument_key),
            name=self.trading_symbol,
            type=OptionType.CALL if self.instrument_type == "CE" else OptionType.PUT,
            strike=self.strike_price,
            expiry=self.expiry,
            lot=self.lot_size,
            tick_size=self.tick_size / _PAISE,
            freeze_quantity=self.freeze_quantity,
        )

    def future(self) -> Future:
        """Return it as a future."""
        return Future(
            key=InstrumentKey(self.instrument_key),
            name=self.trading_symbol,
            expiry=self.expiry,
            lot=self.lot_size,
            tick_size=self.tick_size / _PAISE,
            freeze_quantity=self.freeze_quantity,
        )


class MarketPayload(Payload):
    """The quote of one option in a chain. A price of 0 means that there is none."""

    ltp: Number | None = None
    volume: Whole | None = None
    oi: Whole | None = None
    bid_price: Number | None = None
    ask_price: Number | None = None


class GreeksPayload(Payload):
    """The greeks of one option in a chain; `iv` in percent, 0 when it could not be found."""

    delta: Number | None = None
    iv: Number | None = None


class SidePayload(Payload):
    """One option of a chain."""

    instrument_key: str
    market_data: MarketPayload | None = None
    option_greeks: GreeksPayload | None = None

    @property
    def iv(self) -> float:
        """The volatility as sent; 0 when there is none."""
        return (self.option_greeks.iv if self.option_greeks else None) or 0.0

    def quote(self, strike: float, kind: OptionType, iv_scale: float) -> OptionQuote:
        """Return it as a quote."""
        market, greeks = self.market_data or MarketPayload(), self.option_greeks or GreeksPayload()
        return OptionQuote(
            instrument=InstrumentKey(self.instrument_key),
            type=kind,
            strike=strike,
            last_price=market.ltp or None,
            bid=market.bid_price or None,
            ask=market.ask_price or None,
            open_interest=market.oi,
            volume=market.volume,
            iv=self.iv * iv_scale or None,
            # A delta of 0 is one of a far strike, unless no volatility was found either.
            delta=greeks.delta if greeks.delta or self.iv else None,
        )


class StrikePayload(Payload):
    """One strike of GET /v2/option/chain. Their `pcr` is per strike and not read."""

    strike_price: Number
    underlying_spot_price: Number | None = None
    call_options: SidePayload | None = None
    put_options: SidePayload | None = None

    def sides(self) -> Iterable[tuple[OptionType, SidePayload]]:
        """Yield what is listed, call first."""
        if self.call_options is not None:
            yield OptionType.CALL, self.call_options
        if self.put_options is not None:
            yield OptionType.PUT, self.put_options


def chain_quotes(strikes: Iterable[StrikePayload]) -> tuple[OptionQuote, ...]:
    """Return the quotes of a chain by strike, call before put."""
    sides = [(row.strike_price, kind, side) for row in strikes for kind, side in row.sides()]
    highest = max((side.iv for _, _, side in sides), default=0.0)
    # Percent on the wire. No chain has its highest IV under 3 %, so then it must be a fraction (docs/upstox.md §1).
    scale = 1.0 if highest < 3 else 0.01
    ordered = sorted(sides, key=lambda side: (side[0], side[1]))
    return tuple(side.quote(strike, kind, scale) for strike, kind, side in ordered)


def _without_interest(row: object) -> object:
    return tuple(row[:6]) if isinstance(row, list) else row


type _Row = Annotated[tuple[Stamp, Number, Number, Number, Number, Whole], BeforeValidator(_without_interest)]


class CandlesPayload(Payload):
    """GET /v3/historical-candle: start, open, high, low, close, volume, open interest; newest first."""

    candles: list[_Row]

    def bars(self) -> list[Bar]:
        """Return the rows that can be minutes, oldest first; a contradiction is left out, like a gap."""
        found = {
            start: Bar(int(start.timestamp()) // 60, first, high, low, last, volume)
            for start, first, high, low, last, volume in self.candles
            if start.second == start.microsecond == 0 and 0 < low <= first <= high and low <= last <= high
        }
        return [found[start] for start in sorted(found)]


class OpeningPayload(Payload):
    """When one exchange opens and closes, epoch milliseconds."""

    exchange: str
    start_time: Milliseconds
    end_time: Milliseconds

    def hours(self) -> Hours:
        """Return it as clocks in India show it."""
        opens, closes = (
            (_EPOCH + timedelta(milliseconds=moment)).astimezone(IST).time()
            for moment in (self.start_time, self.end_time)
        )
        return Hours(opens=opens, closes=closes)


class HolidayPayload(Payload):
    """One day of GET /v2/market/holidays. A settlement holiday closes nothing: the list of exchanges decides."""

    date: Day
    holiday_type: str
    closed_exchanges: list[str] | None = None
    open_exchanges: list[OpeningPayload] | None = None

    def is_closed(self) -> bool:
        """Tell whether F&O does not trade."""
        return _OUR_EXCHANGE in (self.closed_exchanges or ())

    def special_hours(self) -> Hours | None:
        """Return the hours of a special session of F&O; None when it is none."""
        if self.holiday_type != "SPECIAL_TIMING":
            return None
        return next((one.hours() for one in self.open_exchanges or () if one.exchange == _OUR_EXCHANGE), None)


def calendar_of(year: int, days: Iterable[HolidayPayload]) -> Calendar:
    """Return the calendar of `year`; the domain's own table for years of which `days` tell nothing."""
    told = {day.date: day for day in days if day.date.year == year}
    if not told:
        return Calendar()
    known = Calendar()
    closed = {on for on, day in told.items() if day.is_closed()}
    special = {on: hours for on, day in told.items() if (hours := day.special_hours()) is not None}
    return Calendar(
        holidays=frozenset(closed | {on for on in known.holidays if on.year != year}),
        special={on: hours for on, hours in known.special.items() if on not in told} | special,
    )


def with_timings(calendar: Calendar, on: date, openings: Sequence[OpeningPayload]) -> Calendar:
    """Return `calendar` with what is told of one date: sessions move and end at short notice.

    An answer that names other exchanges but not ours closes the date; an empty one says nothing.
    """
    if not openings:
        return calendar
    hours = next((opening.hours() for opening in openings if opening.exchange == _OUR_EXCHANGE), None)
    if hours is None:
        others = {day: special for day, special in calendar.special.items() if day != on}
        return Calendar(holidays=calendar.holidays | {on}, special=others)
    day = calendar.day(on)
    if day is not None and (day.opens_at, day.closes_at) == (ist(on, hours.opens), ist(on, hours.closes)):
        return calendar
    return Calendar(holidays=calendar.holidays, special={**calendar.special, on: hours})


class StatusPayload(Payload):
    """GET /v2/market/status: the phase of one exchange."""

    status: str


class PositionPayload(Payload):
    """One row of GET /v2/portfolio/short-term-positions. `quantity` is net, in units."""

    instrument_token: str
    product: str
    quantity: Whole


class _CashPayload(Payload):
    total: Number


class _AvailablePayload(Payload):
    cash_available_to_trade: _CashPayload


class FundsPayload(Payload):
    """GET /v3/user/get-funds-and-margin. What is pledged does not pay for options, so only cash counts."""

    available_to_trade: _AvailablePayload

    def paise(self) -> int:
        """Return what can be spent."""
        return round(self.available_to_trade.cash_available_to_trade.total * _PAISE)


class _EquityPayload(Payload):
    available_margin: Number


class OldFundsPayload(Payload):
    """GET /v2/user/get-funds-and-margin: since July 2025 everything is under `equity`."""

    equity: _EquityPayload

    def paise(self) -> int:
        """Return what can be spent."""
        return round(self.equity.available_margin * _PAISE)


class AddressesPayload(Payload):
    """From where orders must come. Source: GET /v2/user/ip."""

    primary_ip: Annotated[str | None, AfterValidator(_address)] = None
    secondary_ip: Annotated[str | None, AfterValidator(_address)] = None

    def registered(self) -> tuple[str, ...]:
        """Return those that there are, in standard notation."""
        return tuple(one for one in (self.primary_ip, self.secondary_ip) if one is not None)


ADDRESSES: Final = TypeAdapter(AddressesPayload)
PROFILE: Final = TypeAdapter(ProfilePayload)
CONTRACTS: Final = TypeAdapter(list[ContractPayload])
CHAIN: Final = TypeAdapter(list[StrikePayload])
CANDLES: Final = TypeAdapter(CandlesPayload)
HOLIDAYS: Final = TypeAdapter(list[HolidayPayload])
TIMINGS: Final = TypeAdapter(list[OpeningPayload])
STATUS: Final = TypeAdapter(StatusPayload)
POSITION: Final = TypeAdapter(PositionPayload)
FUNDS: Final = TypeAdapter(FundsPayload)
OLD_FUNDS: Final = TypeAdapter(OldFundsPayload)
ROWS: Final = TypeAdapter(list[Any])
"""Rows that are read one by one."""
