"""Trades added up by what they have in common."""

from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from typing import Final, NamedTuple

from algoexec.backtest.result import BacktestTrade
from algoexec.domain.calendar import IST

_WEEKDAYS: Final = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")


class Group(NamedTuple):
    """Trades of one name. Money in paise, `r` in units of the risk taken."""

    name: str
    trades: int
    wins: int
    gross: int
    charges: int
    net: int
    r: float

    @classmethod
    def of(cls, name: str, trades: Iterable[BacktestTrade]) -> "Group":
        """Add trades up."""
        those = list(trades)
        return cls(
            name=name,
            trades=len(those),
            wins=sum(trade.net > 0 for trade in those),
            gross=sum(trade.gross for trade in those),
            charges=sum(trade.charges for trade in those),
            net=sum(trade.net for trade in those),
            r=sum(trade.r for trade in those),
        )


def _entered(trade: BacktestTrade) -> datetime:
    return trade.opened_at.astimezone(IST)


class Label(NamedTuple):
    """What a trade is counted under; labels are shown in this order."""

    order: int
    name: str


type Grouping = Callable[[BacktestTrade], Label]

GROUPINGS: Final[Mapping[str, Grouping]] = {
    "Pattern": lambda trade: Label(0, trade.pattern.value),
    "Side": lambda trade: Label(0, trade.side.value),
    "Exit": lambda trade: Label(0, trade.reason.value),
    "Hour of entry": lambda trade: Label(_entered(trade).hour, f"{_entered(trade):%H}:00"),
    "Weekday": lambda trade: Label(trade.day.weekday(), _WEEKDAYS[trade.day.weekday()]),
    "Days to expiry": lambda trade: Label((trade.expiry - trade.day).days, str((trade.expiry - trade.day).days)),
    "Month": lambda trade: Label(0, f"{trade.day:%Y-%m}"),
    "Premium rests on": lambda trade: Label(0, trade.source.value),
}
"""By what trades are added up."""


def groups_of(trades: Iterable[BacktestTrade], label_of: Grouping) -> list[Group]:
    """Return the groups in the order of their labels."""
    by_label: dict[Label, list[BacktestTrade]] = {}
    for trade in trades:
        by_label.setdefault(label_of(trade), []).append(trade)
    return [Group.of(label.name, by_label[label]) for label in sorted(by_label)]
