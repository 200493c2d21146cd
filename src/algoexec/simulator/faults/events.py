"""What is remembered of faults, so that a simulator that is started again goes on with the same ones. Plain JSON."""

from dataclasses import asdict, dataclass
from typing import Any, Final

from pydantic import TypeAdapter

from algoexec.simulator.faults.script import Script


@dataclass(frozen=True, slots=True, kw_only=True)
class FaultEvent:
    """Something has changed about the script of this name."""

    name: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ScriptBegun(FaultEvent):
    """A script is active, or begins anew."""

    script: Script


@dataclass(frozen=True, slots=True, kw_only=True)
class ScriptEnded(FaultEvent):
    """A script is active no more."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Struck(FaultEvent):
    """The fault at `place` of a script, one that does not strike for ever, has struck: its counts since."""

    place: int
    seen: int
    hits: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Considered(FaultEvent):
    """The person has thought about a position, open since `since_ms`, and does not come back to it.

    The fault is the one at `place` of a script; the moment is in milliseconds since the epoch.
    """

    place: int
    user: str
    instrument: str
    since_ms: int


_PLAIN: Final[dict[str, TypeAdapter[FaultEvent]]] = {
    kind.__name__: TypeAdapter(kind) for kind in (ScriptEnded, Struck, Considered)
}


def as_json(event: FaultEvent) -> dict[str, Any]:
    """Return an event as a dict that JSON can hold."""
    if isinstance(event, ScriptBegun):
        # As it was written: a script with every default spelled out is another one, and refused.
        return {"begun": event.script.model_dump(mode="json", by_alias=True, exclude_unset=True)}
    return {type(event).__name__: asdict(event)}


def from_json(content: object) -> FaultEvent:
    """Return the event that `as_json` made a dict of.

    Raises:
        ValueError: it is none.
    """
    match content:
        case {"begun": given}:
            script = Script.model_validate(given)
            return ScriptBegun(name=script.name, script=script)
        case {**kinds} if len(kinds) == 1 and (kind := next(iter(kinds))) in _PLAIN:
            return _PLAIN[kind].validate_python(kinds[kind])
        case _:
            raise ValueError("it is no event of the faults")
