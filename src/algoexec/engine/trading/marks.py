"""What the held option is worth now, as far as that can be known."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from algoexec.domain.market import Quote


@dataclass(frozen=True, slots=True, kw_only=True)
class OptionMark:
    """The newest quote of one option. Prices in rupees; None: never told.

    `quoted_at` is when its book was last told, `traded_at` when it last traded; UTC.
    """

    bid: float | None = None
    ask: float | None = None
    quoted_at: datetime | None = None
    last: float | None = None
    traded_at: datetime | None = None
    delta: float | None = None

    def fresh_book(self, at: datetime, max_age_s: float) -> "tuple[float, float] | None":
        """Return bid and ask if they are recent, both there, and not crossed."""
        if self.bid is None or self.ask is None or not _is_recent(self.quoted_at, at, max_age_s):
            return None
        return (self.bid, self.ask) if 0 < self.bid < self.ask else None

    def cost(self, at: datetime, max_age_s: float) -> float | None:
        """Return what it could be bought for: the ask, else a recent last price, else None."""
        book = self.fresh_book(at, max_age_s)
        price = book[1] if book is not None else self.last if _is_recent(self.traded_at, at, max_age_s) else None
        return price or None

    def value(self, at: datetime, max_age_s: float) -> float | None:
        """Return what it could be sold for: the bid, else a recent last price, else None (strategy.md §8)."""
        is_crossed = self.bid is not None and self.ask is not None and self.bid > self.ask
        if self.bid and not is_crossed and _is_recent(self.quoted_at, at, max_age_s):
            return self.bid  # even if nobody sells
        return self.last if _is_recent(self.traded_at, at, max_age_s) else None


@dataclass(frozen=True, slots=True, kw_only=True)
class IndexMark:
    """The newest value of the index, in points, and when it was told."""

    price: float
    at: datetime


def option_mark(quote: Quote | None) -> OptionMark:
    """Return an option's newest quote as a mark; an empty one when nothing was told of it."""
    if quote is None:
        return OptionMark()
    greeks = quote.greeks
    return OptionMark(
        bid=quote.bid,
        ask=quote.ask,
        quoted_at=_moment(quote.received_at),
        last=quote.price,
        traded_at=_moment(quote.traded_at),
        delta=None if greeks is None else greeks.delta,
    )


def index_mark(quote: Quote | None) -> IndexMark | None:
    """Return the index's newest quote as a mark; None when nothing was told of it."""
    at = None if quote is None else _moment(quote.traded_at)
    price = None if quote is None else quote.price
    return None if at is None or price is None else IndexMark(price=price, at=at)


def _moment(stamp: int | None) -> datetime | None:
    return None if stamp is None else datetime.fromtimestamp(stamp / 1000, UTC)


def _is_recent(stamp: datetime | None, at: datetime, max_age_s: float) -> bool:
    return stamp is not None and at - stamp <= timedelta(seconds=max_age_s)
