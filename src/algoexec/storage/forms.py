"""How a type is written down, derived from its annotations, both ways.

Standard-library dataclasses and NamedTuples become documents by field name; in a union of
them a document carries its class's name as `type`. BSON has no date, JSON no time and no
NaN: those become strings. pydantic is not used here, for it cannot tag a union inside a
dataclass that knows nothing of it, and tells the members apart by trying.
"""

import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import fields, is_dataclass
from datetime import UTC, date, datetime
from enum import Enum, StrEnum
from operator import attrgetter
from types import NoneType, UnionType
from typing import Any, Final, NamedTuple, NewType, TypeAliasType, Union, get_args, get_origin, get_type_hints

from algoexec.domain.errors import DomainError
from algoexec.strategy.kernel import UNKNOWN

TAG: Final = "type"


class Wire(StrEnum):
    """What the document is made ready for."""

    BSON = "bson"
    JSON = "json"


class Form(NamedTuple):
    """One type's way out and back.

    `encode` None: the value is written as it is. What comes in as a `plain` and is equal to
    itself (NaN is not) is the value already and need not go through `decode`.
    """

    encode: Callable[[Any], Any] | None
    decode: Callable[[Any], Any]
    plain: type | None = None


class Forms:
    """The forms of all types for one wire, made when first asked for."""

    def __init__(self, wire: Wire) -> None:
        """Begin with the leaves."""
        self._made: dict[Any, Form] = {
            str: Form(None, _exactly(str), str),
            bool: Form(None, _exactly(bool), bool),
            int: Form(None, _int, int),
            float: Form(float, _float, float),
            date: Form(date.isoformat, date.fromisoformat),
            datetime: Form(cut, _aware),
        }
        if wire is Wire.JSON:
            self._made[float] = Form(_json_float, _float_of_json, float)
            self._made[datetime] = Form(_json_time, lambda raw: _aware(datetime.fromisoformat(raw)))

    def of(self, kind: Any) -> Form:
        """Return the form of a type.

        Raises:
            TypeError: the type has none; to be found at import, not in the night.
        """
        if kind not in self._made:
            self._made[kind] = self._make(kind)
        return self._made[kind]

    def _make(self, kind: Any) -> Form:
        if isinstance(kind, TypeAliasType):
            return self.of(kind.__value__)
        if isinstance(kind, NewType):
            return self.of(kind.__supertype__)
        origin = get_origin(kind)
        if origin in (UnionType, Union):
            return self._union(get_args(kind))
        if origin is tuple:
            return self._tuple(get_args(kind))
        if origin is Mapping:
            return self._mapping(*get_args(kind))
        if isinstance(kind, type):
            if issubclass(kind, Enum):
                return _enum(kind)
            if is_dataclass(kind):
                return _record(kind, self._fields(kind), take=_taker([one.name for one in fields(kind)]))
            if issubclass(kind, tuple) and hasattr(kind, "_field_defaults"):
                return _record(kind, self._fields(kind), take=tuple)
        raise TypeError(f"{kind!r} has no stored form")

    def _fields(self, kind: type) -> dict[str, Form]:
        hints = get_type_hints(kind)
        names = [one.name for one in fields(kind)] if is_dataclass(kind) else kind._fields  # type: ignore[attr-defined]
        return {name: self.of(hints[name]) for name in names}

    def _tuple(self, args: tuple[Any, ...]) -> Form:
        if len(args) == 2 and args[1] is Ellipsis:
            encode, decode, plain = self.of(args[0])
            return Form(
                list if encode is None else lambda value: [encode(one) for one in value],
                lambda raw: tuple([one if type(one) is plain and one == one else decode(one) for one in _list(raw)]),
            )
        forms = [self.of(arg) for arg in args]
        return Form(
            lambda value: [form.encode(one) if form.encode else one for form, one in zip(forms, value, strict=True)],
            lambda raw: tuple([form.decode(one) for form, one in zip(forms, _list(raw), strict=True)]),
        )

    def _mapping(self, key: Any, item: Any) -> Form:
        if key is not str:
            raise TypeError(f"keys are str, not {key!r}")
        encode, decode, _ = self.of(item)
        return Form(
            lambda value: {name: encode(one) if encode else one for name, one in value.items()},
            lambda raw: {name: decode(one) for name, one in raw.items()},
        )

    def _union(self, args: tuple[Any, ...]) -> Form:
        members = [arg for arg in args if arg is not NoneType]
        form = self.of(members[0]) if len(members) == 1 else self._tagged(members)
        return _optional(form) if NoneType in args else form

    def _tagged(self, members: list[Any]) -> Form:
        forms = {member: self.of(member) for member in members}
        for member in members:
            if not is_dataclass(member) or any(one.name == TAG for one in fields(member)):
                raise TypeError(f"{member!r} cannot be told apart in a union")
        encoders = {member: _encoder(form) for member, form in forms.items()}
        decoders: dict[Any, Callable[[Any], Any]] = {member.__name__: form.decode for member, form in forms.items()}

        def encode(value: Any) -> dict[str, Any]:
            kind = type(value)
            return {TAG: kind.__name__, **encoders[kind](value)}

        def decode(raw: Mapping[str, Any]) -> Any:
            found = decoders.get(raw.get(TAG))
            if found is None:
                raise ValueError(f"unknown type {raw.get(TAG)!r}")
            return found({name: value for name, value in raw.items() if name != TAG})

        return Form(encode, decode)


def cut(at: datetime) -> datetime:
    """Return `at` in UTC, cut to milliseconds, as it will be read back.

    Raises:
        DomainError: it is naive.
    """
    if at.tzinfo is None:
        raise DomainError(f"a time without a zone: {at!r}")
    if at.tzinfo is not UTC:
        at = at.astimezone(UTC)
    micros = at.microsecond % 1000
    return at.replace(microsecond=at.microsecond - micros) if micros else at


def _encoder(form: Form) -> Callable[[Any], Any]:
    return form.encode or (lambda value: value)


def _optional(form: Form) -> Form:
    encode, decode, plain = form
    return Form(
        None if encode is None else lambda value: None if value is None else encode(value),
        lambda raw: None if raw is None else decode(raw),
        plain,
    )


def _record(kind: Callable[..., Any], parts: Mapping[str, Form], *, take: Callable[[Any], Iterable[Any]]) -> Form:
    """Return the form of a class with named fields; what a document lacks must have a default.

    `take` gives a value's fields in order. The hot path of every read: hence the dicts.
    """
    encoders = [(name, form.encode) for name, form in parts.items()]
    decoders = {name: form.decode for name, form in parts.items()}
    plain = {name: form.plain for name, form in parts.items()}

    def encode(value: Any) -> dict[str, Any]:
        return {
            name: one if encode_one is None else encode_one(one)
            for (name, encode_one), one in zip(encoders, take(value), strict=True)
        }

    def decode(raw: Mapping[str, Any]) -> Any:
        if not raw.keys() <= decoders.keys():
            raise ValueError(f"unknown fields {sorted(raw.keys() - decoders.keys())}")
        return kind(
            **{
                name: one if type(one) is plain[name] and one == one else decoders[name](one)
                for name, one in raw.items()
            }
        )

    return Form(encode, decode)


def _taker(names: list[str]) -> Callable[[Any], Iterable[Any]]:
    """Return what takes these attributes of a value, in order; `attrgetter` makes a tuple of two or more only."""
    if len(names) > 1:
        return attrgetter(*names)
    return lambda value: [getattr(value, name) for name in names]


def _enum(kind: type[Enum]) -> Form:
    members = {member.value: member for member in kind}

    def decode(raw: Any) -> Enum:
        found = members.get(raw)
        if found is None:
            raise ValueError(f"{raw!r} is no {kind.__name__}")
        return found

    return Form(attrgetter("value"), decode)


def _exactly(kind: type) -> Callable[[Any], Any]:
    def decode(raw: Any) -> Any:
        if type(raw) is not kind:
            raise ValueError(f"{raw!r} is no {kind.__name__}")
        return raw

    return decode


def _int(raw: Any) -> int:
    if type(raw) is int:
        return raw
    if isinstance(raw, int) and not isinstance(raw, bool):  # bson.Int64
        return int(raw)
    raise ValueError(f"{raw!r} is no int")


def _float(raw: Any) -> float:
    if type(raw) is not float:
        raise ValueError(f"{raw!r} is no float")
    # The one NaN of the brain: tuples that hold the same NaN are equal, those with two are not.
    return raw if raw == raw else UNKNOWN


def _json_float(value: float) -> float | str:
    return float(value) if math.isfinite(value) else repr(float(value))


def _float_of_json(raw: Any) -> float:
    return _float(float(raw) if isinstance(raw, str) else raw)


def _json_time(at: datetime) -> str:
    return cut(at).isoformat(timespec="milliseconds")


def _aware(raw: Any) -> datetime:
    if not isinstance(raw, datetime) or raw.tzinfo is None:
        raise ValueError(f"{raw!r} is no time with a zone")
    return raw if raw.tzinfo is UTC else raw.astimezone(UTC)


def _list(raw: Any) -> list[Any]:
    if not isinstance(raw, list):
        raise ValueError(f"{raw!r} is no list")
    return raw
