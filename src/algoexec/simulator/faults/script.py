"""A fault script: a name, what it imitates, a seed, and faults of `when` and `do`."""

from typing import Annotated, Final, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, NonNegativeInt, PositiveInt, model_validator

from algoexec.simulator.faults import effects
from algoexec.simulator.faults.effects import Effect, MarketTime

_ALWAYS_KNOWN: Final = frozenset({"from_", "until", "count", "skip", "probability"})
_COUNTED: Final = frozenset({"count", "skip"})


class When(BaseModel):
    """The conditions of a fault; all must hold, and one that is None always does.

    `from` (inclusive) and `until` (exclusive) are times of the day, IST, by the market clock.
    `skip` lets so many matches pass first, `count` is how often it strikes at most, `probability`
    draws among the matches. The others are patterns as of a shell, case as written;
    `instrument` is a key or a contract's name, `status` that of an order update.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)

    from_: Annotated[MarketTime | None, Field(alias="from")] = None
    until: MarketTime | None = None
    count: PositiveInt | None = None
    skip: NonNegativeInt = 0
    probability: Annotated[float, Field(gt=0, le=1)] | None = None
    path: str | None = None
    method: Literal["GET", "POST", "PUT", "DELETE"] | None = None
    instrument: str | None = None
    tag: str | None = None
    side: Literal["BUY", "SELL"] | None = None
    user: str | None = None
    status: str | None = None

    @model_validator(mode="after")
    def _forward(self) -> Self:
        if self.from_ is not None and self.until is not None and self.until <= self.from_:
            raise ValueError("until must be after from")
        return self


class Do(BaseModel):
    """What happens: exactly one of these, the key names the kind."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    latency: effects.Latency | None = None
    answer: effects.Answer | None = None
    cut: effects.Cut | None = None
    reject: effects.Reject | None = None
    partial: effects.Partial | None = None
    exchange_latency: effects.ExchangeLatency | None = None
    fills_before_cancel: effects.FillsBeforeCancel | None = None
    duplicate_update: effects.DuplicateUpdate | None = None
    delay_update: effects.DelayUpdate | None = None
    reorder_update: effects.ReorderUpdate | None = None
    drop_update: effects.DropUpdate | None = None
    hand: effects.Hand | None = None
    stall: effects.Stall | None = None
    close: effects.CloseSocket | None = None
    half_open: effects.HalfOpen | None = None
    garbage_frame: effects.GarbageFrame | None = None
    truncated_frame: effects.TruncatedFrame | None = None
    book: effects.FaultyBook | None = None
    no_ticks: effects.NoTicks | None = None
    chain: effects.FaultyChain | None = None
    candle_gap: effects.CandleGap | None = None
    clock_skew: effects.ClockSkew | None = None

    @model_validator(mode="after")
    def _one(self) -> Self:
        given = [name for name in type(self).model_fields if getattr(self, name) is not None]
        if len(given) != 1:
            raise ValueError(f"name one kind of fault, with {{}} where it has no parameters; here are {len(given)}")
        return self

    @property
    def kind(self) -> str:
        """The name of the one kind."""
        return next(name for name in type(self).model_fields if getattr(self, name) is not None)

    @property
    def effect(self) -> Effect:
        """What the one kind does."""
        effect: Effect = getattr(self, self.kind)
        return effect


class Fault(BaseModel):
    """One fault: what happens, and when."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    when: When = When()
    do: Do

    @model_validator(mode="after")
    def _can_hold(self) -> Self:
        """Refuse a condition that this kind of fault is never asked about: the script would be a quiet one."""
        effect = self.do.effect
        allowed = (_ALWAYS_KNOWN - _COUNTED if effect.lasting else _ALWAYS_KNOWN) | effect.knows
        for name in sorted(self.when.model_fields_set - allowed):
            reason = "lasts for whoever looks, give from and until" if name in _COUNTED else "cannot tell it"
            raise ValueError(f"when.{name} does not go with {self.do.kind}, which {reason}")
        return self


class Script(BaseModel):
    """A named, seeded, repeatable list of faults. `imitates` says in a sentence what happened in the world."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9-]*$", max_length=60)]
    imitates: Annotated[str, Field(min_length=1)]
    seed: int = 1
    faults: tuple[Fault, ...]

    @model_validator(mode="after")
    def _has_faults(self) -> Self:
        if not self.faults:
            raise ValueError("a script without faults imitates nothing")
        return self
