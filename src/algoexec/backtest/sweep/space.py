"""The sets that are tried: a few names, each with the values that it takes."""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from typing import Final

from algoexec.domain.errors import DomainError

type Value = bool | int | float | str | None
"""What a setting may be set to, as in JSON."""

type Values = Mapping[str, Value]
"""One set: a value for each name that is varied."""

MOST_VALUES: Final = 1_000
_WORDS: Final[Mapping[str, Value]] = {"true": True, "false": False, "none": None, "null": None}


@dataclass(frozen=True, slots=True)
class Axis:
    """One name that is varied, and its values in order."""

    name: str
    values: tuple[Value, ...]


@dataclass(frozen=True, slots=True)
class Space:
    """All combinations of the axes' values."""

    axes: tuple[Axis, ...]

    def __len__(self) -> int:
        """Return how many sets there are."""
        return math.prod(len(axis.values) for axis in self.axes)

    def __iter__(self) -> Iterator[dict[str, Value]]:
        """Yield every set, the last name changing fastest."""
        for values in product(*(axis.values for axis in self.axes)):
            yield dict(zip((axis.name for axis in self.axes), values, strict=True))

    def __contains__(self, values: object) -> bool:
        """Whether these values are one of its sets; 1, 1.0 and true are different values."""
        return (
            isinstance(values, Mapping)
            and set(values) == {axis.name for axis in self.axes}
            and all(repr(values[axis.name]) in map(repr, axis.values) for axis in self.axes)
        )

    def neighbours(self, values: Values) -> Iterator[dict[str, Value]]:
        """Yield the sets that are one step away along one axis."""
        for axis in self.axes:
            at = axis.values.index(values[axis.name])
            for place in (at - 1, at + 1):
                if 0 <= place < len(axis.values):
                    yield {**values, axis.name: axis.values[place]}


def space_of(texts: Sequence[str]) -> Space:
    """Return the space that `NAME=VALUE,VALUE…` and `NAME=FIRST:LAST:STEP` describe.

    Raises:
        DomainError: a text cannot be read, or a name comes twice.
    """
    axes = tuple(axis_of(text) for text in texts)
    names = [axis.name for axis in axes]
    if twice := sorted({name for name in names if names.count(name) > 1}):
        raise DomainError(f"{', '.join(twice)} is varied twice")
    return Space(axes)


def axis_of(text: str) -> Axis:
    """Return the axis that a text describes.

    Raises:
        DomainError: it cannot be read.
    """
    name, _, given = text.partition("=")
    name = name.strip()
    if not name or not given.strip():
        raise DomainError(f"{text!r} is neither NAME=VALUE,VALUE… nor NAME=FIRST:LAST:STEP")
    values = tuple(_range(name, given.split(":"))) if ":" in given else tuple(value_of(v) for v in given.split(","))
    if len(set(map(repr, values))) < len(values):
        raise DomainError(f"{name}: a value comes twice in {given}")
    return Axis(name, values)


def value_of(text: str) -> Value:
    """Return what a text stands for: a number, true, false, none, or else the word itself."""
    text = text.strip()
    if text.lower() in _WORDS:
        return _WORDS[text.lower()]
    for kind in (int, float):
        try:
            value = kind(text)
        except ValueError:
            continue
        if not math.isfinite(value):
            raise DomainError(f"{text} is no number to set anything to")
        return value
    return text


def _range(name: str, parts: Sequence[str]) -> Iterator[Value]:
    """Yield a range of numbers with both ends; decimals stay as they are written (0.1 + 0.2 is 0.3)."""
    numbers = [value_of(part) for part in parts]
    if len(numbers) not in (2, 3) or not all(type(one) in (int, float) for one in numbers):
        raise DomainError(f"{name}: a range is FIRST:LAST or FIRST:LAST:STEP, in numbers")
    first, last, step = (float(one) for one in (*numbers, 1)[:3])  # type: ignore[arg-type]
    if step <= 0 or last < first:
        raise DomainError(f"{name}: a range rises from FIRST to LAST by a STEP above 0")
    count = math.floor((last - first) / step + 1e-9) + 1
    if count > MOST_VALUES:
        raise DomainError(f"{name}: {count} values are more than {MOST_VALUES}")
    whole = all(type(one) is int for one in numbers)
    for i in range(count):
        yield int(first) + i * int(step) if whole else round(first + i * step, 10)
