"""The day's account: what counts towards its limits, across all sessions of a user on one venue and day."""

from dataclasses import dataclass, replace

from algoexec.engine.trading.rules import TradeRules


@dataclass(frozen=True, slots=True, kw_only=True)
class Tally:
    """Closed trades of the day. Money in paise, after charges.

    `lock` says why no trade may be begun any more today; None: it may. Only a person takes it away,
    and from then on the limits of profit and loss count anew: from `baseline`, which is what was
    realised then, at first 0. `best` is the highest that `realised` has been since.
    """

    realised: int = 0
    baseline: int = 0
    best: int = 0
    trades: int = 0
    losses_in_a_row: int = 0
    lock: str | None = None

    def begun(self) -> "Tally":
        """Return the tally with one more trade begun."""
        return replace(self, trades=self.trades + 1)

    def closed(self, net: int) -> "Tally":
        """Return the tally after a trade that brought `net` paise."""
        realised = self.realised + net
        return replace(
            self,
            realised=realised,
            best=max(self.best, realised),
            losses_in_a_row=self.losses_in_a_row + 1 if net < 0 else 0,
        )

    def locked(self, why: str) -> "Tally":
        """Return the tally locked; the first reason stays."""
        return self if self.lock is not None else replace(self, lock=why)

    def unlocked(self) -> "Tally":
        """Return the tally as a person has unlocked it: profit, loss and a row of losses count anew."""
        return replace(self, lock=None, losses_in_a_row=0, baseline=self.realised, best=self.realised)


def breach(tally: Tally, open_profit: int, rules: TradeRules) -> str | None:
    """Return which limit of the day is reached with `open_profit` paise not yet realised; None: none."""
    total = tally.realised + open_profit - tally.baseline
    if total <= -rules.max_daily_loss:
        return "MAX_DAILY_LOSS"
    if tally.losses_in_a_row >= rules.max_consecutive_losses:
        return "MAX_CONSECUTIVE_LOSSES"
    if rules.max_daily_profit is not None and total >= rules.max_daily_profit:
        return "MAX_DAILY_PROFIT"
    best = tally.best - tally.baseline
    kept = None if rules.give_back_pct is None else best * (1 - rules.give_back_pct / 100)
    return "GIVE_BACK" if kept is not None and best > 0 and total <= kept else None
