"""Prices of which it is certain that they change nothing: they need not be stepped."""

from algoexec.domain.signals import Side
from algoexec.engine.state import EngineState
from algoexec.engine.trading.trade import Stage, Trade, TradingState


class Bounds:
    """What has been looked at while a position is held and nothing of it is working.

    A bid between two that were stepped moves neither extreme, so it moves no stop; the day's result at
    it lies between two that broke no limit. As long as it is also off the stop and the target, and the
    index is off its own, `step` would leave everything as it is.
    """

    def __init__(self) -> None:
        """Cover nothing."""
        self._trading: TradingState | None = None
        self._trade: Trade | None = None
        self._basis: tuple[object, object] = (None, None)
        """What a price is judged by: the fills, and the day so far."""
        self._low = self._high = 0.0
        self._floor = self._ceiling = 0.0

    def stepped(self, state: EngineState, bid: float | None) -> None:
        """Take in that `step` has seen a price and led to `state`; `bid` None: there was none that counts."""
        before, trade = self._basis, _watched(state)
        self._trade, self._trading = trade, state.trading
        if trade is None or state.trading is None:
            return
        self._basis = (trade.orders, state.trading.tally)
        if not all(one is other for one, other in zip(self._basis, before, strict=True)):
            self._low, self._high = float("inf"), float("-inf")
        if bid is not None:
            self._low, self._high = min(self._low, bid), max(self._high, bid)
        signal = trade.signal
        is_call = signal.side is Side.BUY_CALL
        self._floor = signal.stop_loss if is_call else signal.target
        self._ceiling = signal.target if is_call else signal.stop_loss

    def cover(self, state: EngineState, index: float, bid: float | None) -> bool:
        """Whether these prices surely change nothing of `state`; `bid` None: there is none that counts."""
        trade = self._trade
        if trade is None or state.trading is not self._trading or not self._floor < index < self._ceiling:
            return False
        if bid is None:
            return True
        is_off = (trade.stop is None or bid > trade.stop) and (trade.target is None or bid < trade.target)
        return is_off and self._low <= bid <= self._high


def _watched(state: EngineState) -> Trade | None:
    """Return a trade that is only watched: bought, and nothing of it working or wanted."""
    trading = state.trading
    if trading is None or trading.trade is None or trading.intent is not None:
        return None
    trade = trading.trade
    return trade if trade.stage is Stage.IN_TRADE and not trade.has_open_orders else None
