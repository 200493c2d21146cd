"""What a session may risk and how it trades, as people write it: rupees and per cent, with their bounds."""

from collections.abc import Mapping
from dataclasses import fields, replace
from decimal import Decimal
from typing import Annotated, Any, Final, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

from algoexec.engine.trading.rules import Approval, TradeRules, Window

DEFAULTS: Final = TradeRules()

MONEY: Final = ("capital", "max_daily_loss", "max_daily_profit", "brokerage")
"""The rules that are paise inside and rupees outside."""

DAILY_LOSS_PCT: Final = 3
"""Of the capital: the day's loss limit where none is given."""

NEEDED_LIVE: Final = ("capital", "max_daily_loss")
"""What has no default where real money is at stake."""


def _whole_paise(rupees: float) -> float:
    exponent = Decimal(str(rupees)).as_tuple().exponent
    if not isinstance(exponent, int) or exponent < -2:
        raise ValueError("rupees have two decimals at most")
    return rupees


Rupees = Annotated[float, Field(gt=0, le=1_000_000_000, allow_inf_nan=False), AfterValidator(_whole_paise)]
Fee = Annotated[float, Field(ge=0, le=1_000, allow_inf_nan=False), AfterValidator(_whole_paise)]
Minute = Annotated[int, Field(ge=0, le=1440)]


def in_paise(rupees: float) -> int:
    """Return an amount of rupees in paise; it has two decimals at most."""
    return int(Decimal(str(rupees)) * 100)


class BlackoutWindow(BaseModel):
    """A part of the day in which no trade is begun; `ends` is not in it."""

    model_config = ConfigDict(
        extra="forbid", strict=True, json_schema_extra={"examples": [{"begins": 595, "ends": 605}]}
    )

    begins: Minute = Field(description="Minute of the day in India: 595 is 09:55.")
    ends: Minute = Field(description="Minute of the day in India, after `begins`.")

    @model_validator(mode="after")
    def _check_order(self) -> Self:
        if self.begins >= self.ends:
            raise ValueError(f"begins ({self.begins}) must be before ends ({self.ends})")
        return self


class TradingChanges(BaseModel):
    """Some of what a session may risk and how it trades; what is left out stays as it is.

    Money in rupees with two decimals at most, percentages in per cent. A change counts at once where it makes the
    day's limits (`max_daily_loss`, `max_trades_per_day`, `max_consecutive_losses`, `max_daily_profit`,
    `give_back_pct`) tighter; looser ones count from the next trading day. All else, `capital` and `risk_pct` too,
    counts at once, from the next entry on: what may be lost in the day stays bounded. The session shows what holds now.
    """

    model_config = ConfigDict(
        extra="forbid",
        strict=True,
        json_schema_extra={"examples": [{"capital": 300000, "max_daily_loss": 9000, "risk_pct": 1}]},
    )

    approval: Annotated[Approval, Field(strict=False)] = Field(
        DEFAULTS.approval,
        description="`manual`: each entry waits for `POST /orders/{id}/approve`, until its signal expires "
        "(`signal_life_minutes`).",
    )
    capital: Rupees = Field(
        DEFAULTS.capital / 100, description="Rupees that are traded with. Must be given in mode `live`."
    )
    risk_pct: float = Field(
        DEFAULTS.risk_pct, gt=0, le=10, allow_inf_nan=False, description="What one trade may lose, per cent of capital."
    )
    max_daily_loss: Rupees = Field(
        DEFAULTS.max_daily_loss / 100,
        description="Rupees: at this loss of the day, after charges and with what is held, everything is sold and "
        f"nothing begun any more. Left out, {DAILY_LOSS_PCT} % of capital. Must be given in mode `live`.",
    )
    max_daily_profit: Rupees | None = Field(
        DEFAULTS.max_daily_profit, description="Rupees: at this profit of the day it ends too; null: never."
    )
    give_back_pct: Annotated[float, Field(gt=0, le=100, allow_inf_nan=False)] | None = Field(
        DEFAULTS.give_back_pct,
        description="The day ends once so many per cent of its best profit are lost again; null: never.",
    )
    max_trades_per_day: int = Field(DEFAULTS.max_trades_per_day, ge=1, le=500, description="Trades begun in a day.")
    max_consecutive_losses: int = Field(
        DEFAULTS.max_consecutive_losses, ge=1, le=100, description="So many losing trades in a row end the day."
    )
    premium_stop_pct: float = Field(
        DEFAULTS.premium_stop_pct, gt=0, le=90, allow_inf_nan=False, description="Stop, per cent below the entry."
    )
    premium_target_pct: float = Field(
        DEFAULTS.premium_target_pct, gt=0, le=1000, allow_inf_nan=False, description="Target, per cent above the entry."
    )
    trailing: bool = Field(
        DEFAULTS.trailing, description="At a gain of one risk the stop goes to the entry, then follows the best mark."
    )
    protection_pct: float = Field(
        DEFAULTS.protection_pct,
        gt=0,
        le=20,
        allow_inf_nan=False,
        description="No limit is further from the quote than so many per cent.",
    )
    marketable_ticks: int = Field(
        DEFAULTS.marketable_ticks, ge=0, le=100, description="Ticks by which a limit crosses the spread."
    )
    entry_patience_s: float = Field(
        DEFAULTS.entry_patience_s,
        ge=0.5,
        le=60,
        allow_inf_nan=False,
        description="Seconds for an entry to fill before it is priced anew, once, and then cancelled.",
    )
    exit_patience_s: float = Field(
        DEFAULTS.exit_patience_s,
        ge=0.5,
        le=30,
        allow_inf_nan=False,
        description="Seconds for an exit to fill before it is offered cheaper.",
    )
    call_every_s: float = Field(
        DEFAULTS.call_every_s,
        ge=5,
        le=600,
        allow_inf_nan=False,
        description="Seconds between alerts while an exit does not fill.",
    )
    max_spread_ticks: int = Field(
        DEFAULTS.max_spread_ticks, ge=1, le=1000, description="Widest spread for an entry in ticks, or …"
    )
    max_spread_pct: float = Field(
        DEFAULTS.max_spread_pct,
        gt=0,
        le=20,
        allow_inf_nan=False,
        description="… in per cent of the middle, whichever is wider.",
    )
    max_minutes_in_trade: int = Field(
        DEFAULTS.max_minutes_in_trade, ge=1, le=375, description="A position is sold after so many minutes."
    )
    square_off_minute: int = Field(
        DEFAULTS.square_off_minute,
        ge=556,
        le=925,
        description="Minute of the day in India at which everything is sold and nothing begun any more: 915 is 15:15.",
    )
    quote_max_age_s: float = Field(
        DEFAULTS.quote_max_age_s, ge=0.5, le=60, allow_inf_nan=False, description="An older quote counts as none."
    )
    chain_max_age_minutes: int = Field(
        DEFAULTS.chain_max_age_minutes, ge=5, le=120, description="With an older option chain no trade is begun."
    )
    blackout: list[BlackoutWindow] = Field(
        default_factory=list, max_length=20, description="Parts of the day in which no trade is begun."
    )
    trade_expiry_day: bool = Field(
        DEFAULTS.trade_expiry_day, description="Whether trades are begun on the day on which the options expire."
    )
    exit_on_opposite: bool = Field(
        DEFAULTS.exit_on_opposite, description="Whether a signal to the other side ends a trade."
    )
    protective_order: bool = Field(
        DEFAULTS.protective_order,
        description="Whether the premium stop of what is held also rests at the exchange, as an order of type SL.",
    )
    brokerage: Fee = Field(
        DEFAULTS.brokerage / 100, description="Rupees for each executed order, before taxes, as your plan has it."
    )


class TradingConfig(TradingChanges):
    """What a session may risk and how it trades. What is left out has its default; an unknown name is refused.

    Money in rupees with two decimals at most, percentages in per cent.
    """

    @model_validator(mode="after")
    def _check_together(self) -> Self:
        """Refuse a day that may lose more than there is."""
        if "max_daily_loss" in self.model_fields_set and self.max_daily_loss > self.capital:
            raise ValueError(f"max_daily_loss ({self.max_daily_loss:g}) must not be above capital ({self.capital:g})")
        return self

    @classmethod
    def of(cls, rules: TradeRules) -> "TradingConfig":
        """Return the configuration that leads to `rules`."""
        given = {one.name: getattr(rules, one.name) for one in fields(TradeRules)}
        money = {name: None if given[name] is None else given[name] / 100 for name in MONEY}
        blackout = [BlackoutWindow.model_construct(begins=one.begins, ends=one.ends) for one in rules.blackout]
        # Not checked: what a session runs with is shown even if the bounds were others when it began.
        return TradingConfig.model_construct(**{**given, **money, "blackout": blackout})

    def rules(self) -> TradeRules:
        """Return what the engine is given."""
        given = self.model_dump()
        money = {name: None if given[name] is None else in_paise(given[name]) for name in MONEY}
        blackout = tuple(Window(one.begins, one.ends) for one in self.blackout)
        rules = TradeRules(**{**given, **money, "blackout": blackout})
        if "max_daily_loss" in self.model_fields_set:
            return rules
        return replace(rules, max_daily_loss=rules.capital * DAILY_LOSS_PCT // 100)

    def changed_by(self, changes: TradingChanges) -> "TradingConfig":
        """Return this configuration with the fields that `changes` names, checked together.

        Raises:
            ValidationError: they contradict each other.
        """
        given: Mapping[str, Any] = changes.model_dump(include=changes.model_fields_set)
        return TradingConfig.model_validate({**self.model_dump(), **given})
