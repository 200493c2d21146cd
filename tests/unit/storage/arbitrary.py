"""Arbitrary values of any stored type, built from its annotations."""

from collections.abc import Callable, Mapping
from dataclasses import fields, is_dataclass
from datetime import UTC, date, datetime, timedelta
from enum import Enum
from functools import cache
from typing import Any, NewType, TypeAliasType, get_args, get_origin, get_type_hints

from hypothesis import strategies as st

from algoexec.domain.market import Candle, Provenance
from algoexec.strategy.kernel import UNKNOWN

texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
moments = st.datetimes(
    min_value=datetime(1990, 1, 1),  # noqa: DTZ001 - hypothesis wants bounds without a zone
    max_value=datetime(2090, 1, 1),  # noqa: DTZ001
    timezones=st.just(UTC),
).map(lambda at: at.replace(microsecond=at.microsecond // 1000 * 1000))
numbers = st.floats(allow_nan=False)
minutes = st.integers(0, 50_000_000).map(lambda minute: datetime(1970, 1, 1, tzinfo=UTC) + timedelta(minutes=minute))


@st.composite
def candles(draw: st.DrawFn) -> Candle:
    """Return candles whose high and low bound the rest."""
    low, second, third, high = sorted(draw(st.lists(st.floats(1, 1e6), min_size=4, max_size=4)))
    return Candle(
        start=draw(minutes),
        open=second,
        high=high,
        low=low,
        close=third,
        volume=draw(st.none() | st.integers(1, 2**40)),
        provenance=draw(st.sampled_from(Provenance)),
    )


@cache
def values_of(kind: Any, *, in_brain: bool = False) -> st.SearchStrategy[Any]:
    """Return a strategy for `kind`; only in NamedTuples of the brain may a float be unknown."""
    leaves: dict[Any, st.SearchStrategy[Any]] = {
        str: texts,
        bool: st.booleans(),
        int: st.integers(-(2**63), 2**63 - 1),
        float: numbers | st.just(UNKNOWN) if in_brain else numbers,
        date: st.dates(),
        datetime: moments,
        Candle: candles(),
        type(None): st.none(),
    }
    if kind in leaves:
        return leaves[kind]
    if isinstance(kind, TypeAliasType):
        return values_of(kind.__value__, in_brain=in_brain)
    if isinstance(kind, NewType):
        return values_of(kind.__supertype__, in_brain=in_brain)
    args = get_args(kind)
    if get_origin(kind) is tuple:
        return st.lists(values_of(args[0], in_brain=in_brain), max_size=3).map(tuple)
    if get_origin(kind) is Mapping:
        return st.dictionaries(texts, values_of(args[1]), max_size=3)
    if args:
        return st.one_of([values_of(arg, in_brain=in_brain) for arg in args])
    return _values_of_class(kind)


def _values_of_class(kind: type[Any]) -> st.SearchStrategy[Any]:
    if issubclass(kind, Enum):
        return st.sampled_from(kind)
    hints = get_type_hints(kind)
    if is_dataclass(kind):
        parts = {one.name: values_of(hints[one.name]) for one in fields(kind)}
    else:
        parts = {name: values_of(hints[name], in_brain=True) for name in kind._fields}
    make: Callable[..., Any] = kind
    return st.builds(make, **parts)
