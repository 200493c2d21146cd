"""Every number of the strategy page, as one value."""

from typing import NamedTuple


class Parameters(NamedTuple):
    """The strategy's numbers (strategy.md §2–§7); a session may override each.

    Minutes of the day count from midnight IST (09:15 is 555). Percentages are per cent.
    """

    opening_minute: int = 555
    """The regular open; the opening range starts here."""
    opening_range_minutes: int = 15
    first_entry_minute: int = 570
    """Candidates are looked for on candles that start here or later …"""
    last_entry_minute: int = 900
    """… and close here or earlier."""
    ema_fast_length: int = 9
    ema_slow_length: int = 21
    volume_length: int = 20
    volume_multiple: float = 1.5
    hammer_shadow_to_body: float = 2.0
    hammer_shadow_to_range: float = 0.6
    hammer_far_shadow_to_range: float = 0.1
    compression_short_length: int = 5
    compression_long_length: int = 20
    compression_ratio: float = 0.5
    strong_body_to_range: float = 0.6
    strong_far_shadow_to_range: float = 0.2
    inside_bar_candles: int = 3
    """How many known candles an inside bar's setup lives."""
    level_tolerance_pct: float = 0.05
    """How near a level a reversal must be, per cent of the close."""
    pcr_call_min: float = 0.7
    pcr_put_max: float = 1.3
    pcr_max_age_minutes: int = 15
    lock_minutes: int = 5
    stop_loss_pct: float = 0.2
    target_pct: float = 0.4
    signal_life_minutes: int = 1
    enabled: int = (1 << 10) - 1
    """Bit mask of the candidates that are looked for, in the order of `decision.CANDIDATES`."""
