"""The words in which an order is spoken of, whoever carries it out."""

from enum import StrEnum


class Side(StrEnum):
    """Which way an order trades."""

    BUY = "BUY"
    SELL = "SELL"

    @property
    def opposite(self) -> "Side":
        """The side that undoes this one."""
        return Side.SELL if self is Side.BUY else Side.BUY

    @property
    def sign(self) -> int:
        """+1 for a buy, −1 for a sell: what a traded unit does to the position."""
        return 1 if self is Side.BUY else -1


class OrderType(StrEnum):
    """How an order is priced. `SL` rests until its trigger and is a limit order then; `SL_M` a market order."""

    MARKET = "MARKET"
    LIMIT = "LIMIT"
    SL = "SL"
    SL_M = "SL-M"

    @property
    def has_trigger(self) -> bool:
        """Whether it waits for a trigger price."""
        return self in (OrderType.SL, OrderType.SL_M)

    @property
    def has_limit(self) -> bool:
        """Whether it names the worst price it takes."""
        return self in (OrderType.LIMIT, OrderType.SL)


class Validity(StrEnum):
    """How long an order may rest: until the close, or not at all."""

    DAY = "DAY"
    IOC = "IOC"


class Product(StrEnum):
    """What becomes of a position at the end of the day: squared off by the broker, or carried over."""

    INTRADAY = "I"
    DELIVERY = "D"
