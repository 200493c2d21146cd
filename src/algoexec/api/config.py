"""A session's configuration as people write it: the strategy's numbers with their bounds."""

from collections.abc import Mapping
from typing import Annotated, Any, Final, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from algoexec.api.trading_config import TradingChanges, TradingConfig
from algoexec.domain.signals import Pattern
from algoexec.engine.trading.rules import TradeRules
from algoexec.strategy.decision import CANDIDATES
from algoexec.strategy.parameters import Parameters

DEFAULTS: Final = Parameters()

MinuteOfDay = Annotated[int, Field(ge=0, le=1439)]
Length = Annotated[int, Field(ge=2, le=200)]
Fraction = Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)]
Ratio = Annotated[float, Field(gt=0, le=100, allow_inf_nan=False)]
Percent = Annotated[float, Field(gt=0, le=20, allow_inf_nan=False)]


class ConfigChanges(BaseModel):
    """Some of the strategy's numbers; what is left out stays as it is. An unknown name is refused.

    Minutes of the day count from midnight in India: 09:15 is 555. Percentages are per cent.
    """

    model_config = ConfigDict(
        extra="forbid",
        strict=True,
        json_schema_extra={"examples": [{"pcr_call_min": 0.8, "lock_minutes": 10, "patterns": ["ORB_BREAKOUT"]}]},
    )

    opening_minute: MinuteOfDay = Field(
        DEFAULTS.opening_minute, description="The regular open (555 is 09:15); the opening range starts here."
    )
    opening_range_minutes: int = Field(
        DEFAULTS.opening_range_minutes, ge=1, le=120, description="Candles in the opening range."
    )
    first_entry_minute: MinuteOfDay = Field(
        DEFAULTS.first_entry_minute, description="Candidates are looked for on candles that start here (570: 09:30) …"
    )
    last_entry_minute: MinuteOfDay = Field(
        DEFAULTS.last_entry_minute, description="… and close here or earlier (900: 15:00)."
    )
    ema_fast_length: Length = Field(DEFAULTS.ema_fast_length, description="Length of the fast EMA, candles.")
    ema_slow_length: Length = Field(DEFAULTS.ema_slow_length, description="Length of the slow EMA; above the fast one.")
    volume_length: Length = Field(DEFAULTS.volume_length, description="Candles in the average volume.")
    volume_multiple: Ratio = Field(
        DEFAULTS.volume_multiple, description="A breakout needs this many times the average volume."
    )
    hammer_shadow_to_body: Ratio = Field(
        DEFAULTS.hammer_shadow_to_body, description="Hammer, shooting star: long shadow over body, at least."
    )
    hammer_shadow_to_range: Fraction = Field(
        DEFAULTS.hammer_shadow_to_range, description="Hammer, shooting star: long shadow over range, at least."
    )
    hammer_far_shadow_to_range: Fraction = Field(
        DEFAULTS.hammer_far_shadow_to_range, description="Hammer, shooting star: other shadow over range, at most."
    )
    compression_short_length: Length = Field(
        DEFAULTS.compression_short_length, description="Range compression: candles in the short mean."
    )
    compression_long_length: Length = Field(
        DEFAULTS.compression_long_length, description="Range compression: candles in the long mean."
    )
    compression_ratio: Ratio = Field(
        DEFAULTS.compression_ratio, description="Range compression: short mean over long mean, at most."
    )
    strong_body_to_range: Fraction = Field(
        DEFAULTS.strong_body_to_range, description="Strong candle: body over range, at least."
    )
    strong_far_shadow_to_range: Fraction = Field(
        DEFAULTS.strong_far_shadow_to_range, description="Strong candle: distance from close to extreme over range."
    )
    inside_bar_candles: int = Field(
        DEFAULTS.inside_bar_candles, ge=1, le=60, description="How many candles an inside bar's setup lives."
    )
    level_tolerance_pct: float = Field(
        DEFAULTS.level_tolerance_pct,
        ge=0,
        le=5,
        allow_inf_nan=False,
        description="How near a level a reversal must be, per cent of the close.",
    )
    pcr_call_min: Ratio = Field(DEFAULTS.pcr_call_min, description="A call needs at least this put-call ratio.")
    pcr_put_max: Ratio = Field(DEFAULTS.pcr_put_max, description="A put needs at most this put-call ratio.")
    pcr_max_age_minutes: int = Field(
        DEFAULTS.pcr_max_age_minutes, ge=1, le=120, description="An older put-call ratio counts as missing."
    )
    lock_minutes: int = Field(DEFAULTS.lock_minutes, ge=0, le=375, description="No signal for so long after a signal.")
    stop_loss_pct: Percent = Field(DEFAULTS.stop_loss_pct, description="Stop, per cent of the index price.")
    target_pct: Percent = Field(DEFAULTS.target_pct, description="Target, per cent of the index price.")
    signal_life_minutes: int = Field(
        DEFAULTS.signal_life_minutes, ge=1, le=15, description="A signal may be acted on for so long after its candle."
    )
    patterns: list[Annotated[Pattern, Field(strict=False)]] = Field(
        default_factory=lambda: list(Pattern),
        max_length=len(Pattern),
        description="The setups that are looked for; the others are switched off.",
    )
    trading: TradingChanges | None = Field(
        default=None, description="What may be risked and how it is traded, in modes `paper` and `live`."
    )


class SessionConfig(ConfigChanges):
    """The strategy's numbers. What is left out has its default; an unknown name is refused.

    Minutes of the day count from midnight in India: 09:15 is 555. Percentages are per cent.
    """

    trading: TradingConfig | None = Field(
        default=None,
        description="What may be risked and how it is traded: defaults where it is left out in modes `paper` and "
        "`live`, null in mode `signals`.",
    )

    @model_validator(mode="after")
    def _check_together(self) -> Self:
        """Refuse numbers that contradict each other."""
        _in_order(self, "ema_fast_length", "ema_slow_length")
        _in_order(self, "compression_short_length", "compression_long_length")
        _in_order(self, "first_entry_minute", "last_entry_minute")
        return self

    @classmethod
    def of(cls, parameters: Parameters, rules: TradeRules | None) -> "SessionConfig":
        """Return the configuration that leads to `parameters` and `rules`; None: nothing is traded."""
        numbers = parameters._asdict()
        enabled = numbers.pop("enabled")
        on = {candidate.pattern for bit, candidate in enumerate(CANDIDATES) if enabled >> bit & 1}
        # Not checked: what a session runs with is shown even if the bounds were others when it began.
        return SessionConfig.model_construct(
            **numbers,
            patterns=[pattern for pattern in Pattern if pattern in on],
            trading=None if rules is None else TradingConfig.of(rules),
        )

    def parameters(self) -> Parameters:
        """Return what the strategy is given."""
        numbers = self.model_dump(exclude={"patterns", "trading"})
        on = set(self.patterns)
        enabled = sum(1 << bit for bit, candidate in enumerate(CANDIDATES) if candidate.pattern in on)
        return Parameters(**numbers, enabled=enabled)

    def changed_by(self, changes: ConfigChanges) -> "SessionConfig":
        """Return this configuration with the strategy's numbers that `changes` names, checked together.

        Raises:
            ValidationError: they contradict each other.
        """
        given: Mapping[str, Any] = changes.model_dump(include=changes.model_fields_set - {"trading"})
        return SessionConfig.model_validate({**self.model_dump(exclude={"trading"}), **given})


def _in_order(config: SessionConfig, lower: str, upper: str) -> None:
    if getattr(config, lower) >= getattr(config, upper):
        raise ValueError(f"{lower} ({getattr(config, lower)}) must be below {upper} ({getattr(config, upper)})")
