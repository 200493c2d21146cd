"""How much to buy, and at which limit (strategy.md §8)."""

import math

from algoexec.domain.instruments import Option
from algoexec.domain.signals import Signal
from algoexec.engine.trading.marks import OptionMark
from algoexec.engine.trading.rules import TradeRules


def to_tick_up(price: float, tick: float) -> float:
    """Return the lowest price on the grid that is not below `price`."""
    return round(math.ceil(round(price / tick, 6)) * tick, 2)


def to_tick_down(price: float, tick: float) -> float:
    """Return the highest price on the grid that is not above `price`; at least one tick."""
    return round(max(1, math.floor(round(price / tick, 6))) * tick, 2)


def entry_limit(ask: float, option: Option, rules: TradeRules) -> float:
    """Return a marketable limit: a few ticks above the ask, inside the protection band."""
    wanted = to_tick_up(ask + rules.marketable_ticks * option.tick_size, option.tick_size)
    return min(wanted, dearest(ask, option, rules))


def dearest(price: float, option: Option, rules: TradeRules) -> float:
    """Return the upper edge of the protection band around `price`."""
    return to_tick_down(price * (1 + rules.protection_pct / 100), option.tick_size)


def exit_limit(bid: float, option: Option, rules: TradeRules, below_pct: float) -> float:
    """Return a marketable limit: some percent below the bid, a few ticks at first, inside the protection band."""
    below = bid * below_pct / 100 if below_pct else rules.marketable_ticks * option.tick_size
    edge = to_tick_up(bid * (1 - rules.protection_pct / 100), option.tick_size)
    return max(to_tick_down(bid - below, option.tick_size), edge)


def unit_risk(limit: float, signal: Signal, mark: OptionMark, rules: TradeRules) -> float:
    """Return 1R: what a unit loses at the premium stop, or at the index stop by its delta if that is less."""
    by_premium = limit * rules.premium_stop_pct / 100
    if mark.delta is None or not mark.delta:
        return by_premium
    return min(by_premium, abs(mark.delta) * abs(signal.price - signal.stop_loss))


def lots_by_risk(one_r: float, lot: int, rules: TradeRules) -> int:
    """Return how many lots stay within the risk of one trade; possibly 0, never rounded up."""
    return math.floor(rules.risk_per_trade / (one_r * 100 * lot)) if one_r > 0 else 0


def lots_by_cash(limit: float, lot: int, cash: int) -> int:
    """Return how many lots `cash` paise pay for."""
    return max(0, cash) // (round(limit * 100) * lot)


def parts(quantity: int, freeze: int, lot: int) -> list[int]:
    """Return the quantities of the orders that together buy or sell `quantity`: none above the freeze quantity."""
    most = max(freeze // lot * lot, lot)
    whole, rest = divmod(quantity, most)
    return [most] * whole + [rest] * bool(rest)
