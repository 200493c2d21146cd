"""The order book round a last price: made up, but the same whenever it is asked for."""

from typing import Final, NamedTuple

_MULTIPLIER: Final = 6364136223846793005
_INCREMENT: Final = 1442695040888963407
_MASK: Final = (1 << 64) - 1
"""Knuth's MMIX generator: a few products are enough to look irregular."""


class Level(NamedTuple):
    """One row of the book; prices in rupees, quantities in units. A price of 0 is an empty side."""

    bid_quantity: int
    bid: float
    ask_quantity: int
    ask: float


class Book(NamedTuple):
    """The best rows, best first, and the quantity of all rows on each side."""

    levels: tuple[Level, ...]
    bids: int
    asks: int


def book_around(price: float, *, half_spread: float, tick_size: float, lot: int, salt: int, depth: int = 5) -> Book:
    """Return the book round `price`, never crossed; `salt` decides the quantities."""
    state = salt & _MASK
    numbers: list[int] = []
    for _ in range(2 * depth + 2):
        state = (state * _MULTIPLIER + _INCREMENT) & _MASK
        numbers.append(state >> 40)
    levels = tuple(
        Level(
            lot * (1 + numbers[2 * row] % 40),
            round(price - half_spread - row * tick_size, 2),
            lot * (1 + numbers[2 * row + 1] % 40),
            round(price + half_spread + row * tick_size, 2),
        )
        for row in range(depth)
    )
    levels = tuple(level if level.bid > 0 else level._replace(bid=0.0, bid_quantity=0) for level in levels)
    return Book(levels, lot * (2_000 + numbers[-2] % 9_000), lot * (2_000 + numbers[-1] % 9_000))
