"""What a session may risk, and how it trades (strategy.md §8). Money is paise, percentages are percent."""

from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Final, NamedTuple


class Approval(StrEnum):
    """Who has the last word on an entry."""

    AUTOMATIC = "automatic"
    MANUAL = "manual"
    """A person, for each one."""


class Window(NamedTuple):
    """A part of the trading day, in minutes of the Indian day; the end is not in it."""

    begins: int
    ends: int


@dataclass(frozen=True, slots=True, kw_only=True)
class TradeRules:
    """Limits and habits of one session; the defaults are strategy.md §8.

    `max_daily_loss` and `max_daily_profit` in paise, after charges; None: no limit.
    `give_back_pct` locks the day once so much of its best profit is lost again; None: never.
    `protective_order`: while something is held, its premium stop rests at the exchange too.
    """

    approval: Approval = Approval.AUTOMATIC
    capital: int = 300_000_00
    risk_pct: float = 1.0
    max_daily_loss: int = 9_000_00
    max_daily_profit: int | None = None
    give_back_pct: float | None = None
    max_trades_per_day: int = 20
    max_consecutive_losses: int = 5
    premium_stop_pct: float = 20.0
    premium_target_pct: float = 40.0
    trailing: bool = True
    protection_pct: float = 5.0
    marketable_ticks: int = 2
    entry_patience_s: float = 3.0
    exit_patience_s: float = 2.0
    call_every_s: float = 30.0
    max_spread_ticks: int = 4
    max_spread_pct: float = 1.0
    max_minutes_in_trade: int = 20
    square_off_minute: int = 15 * 60 + 15
    quote_max_age_s: float = 5.0
    chain_max_age_minutes: int = 10
    blackout: tuple[Window, ...] = ()
    trade_expiry_day: bool = True
    exit_on_opposite: bool = False
    protective_order: bool = False
    brokerage: int = 20_00

    @property
    def risk_per_trade(self) -> int:
        """What one trade may lose, in paise."""
        return int(self.capital * self.risk_pct / 100)


def tightened(now: TradeRules, wanted: TradeRules) -> TradeRules:
    """Return `wanted`, but with none of the day's limits looser than they are: those count from tomorrow."""
    return replace(
        wanted,
        max_daily_loss=min(now.max_daily_loss, wanted.max_daily_loss),
        max_trades_per_day=min(now.max_trades_per_day, wanted.max_trades_per_day),
        max_consecutive_losses=min(now.max_consecutive_losses, wanted.max_consecutive_losses),
        max_daily_profit=_lower(now.max_daily_profit, wanted.max_daily_profit),
        give_back_pct=_lower(now.give_back_pct, wanted.give_back_pct),
    )


def _lower[N: (int, float)](now: N | None, wanted: N | None) -> N | None:
    """Return the stricter of two limits; None is no limit."""
    return wanted if now is None else now if wanted is None else min(now, wanted)


EXIT_LADDER: Final[tuple[float, ...]] = (0.0, 1.0, 3.0)
"""By how many percent below the bid an exit is offered: at first (less some ticks), and after each wait.
The rung after the last is the edge of the protection band."""
