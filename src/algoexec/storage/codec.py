"""Between the core's values and what is stored: BSON documents, and JSON for files.

A value goes out as a document and comes back equal, but for times, which lose what is finer
than a millisecond, and ints where a float belongs. What is stepped should be `canonical`.
"""

from typing import Any, Final

import orjson

from algoexec.domain.errors import DecodeError, DomainError
from algoexec.domain.instruments import Contracts
from algoexec.domain.market import Candle
from algoexec.domain.options import PcrReading
from algoexec.domain.signals import Signal
from algoexec.engine.effects import Frame, TradeClosed
from algoexec.engine.events import Record
from algoexec.engine.state import EngineState
from algoexec.ports.stores import ApiKey, JournalEntry, SessionRow
from algoexec.ports.trading import KillSwitch, OrderStep
from algoexec.storage.forms import Forms, Wire

STORED: Final = (
    JournalEntry, Record, Frame, EngineState, Contracts, SessionRow, ApiKey, Signal, PcrReading, Candle,
    OrderStep, TradeClosed, KillSwitch,
)  # fmt: skip
"""What is stored as a document of its own; everything else is inside one of these."""

type Document = dict[str, Any]


class Codec:
    """Encodes and decodes the `STORED` classes and all that they hold."""

    def __init__(self, wire: Wire) -> None:
        """Derive every form now: a field that cannot be stored is found at import."""
        forms = Forms(wire)
        self._forms = {kind: forms.of(kind) for kind in STORED}

    def encode(self, value: Any) -> Document:
        """Return the document of a value of one of the `STORED` classes."""
        encode = self._forms[type(value)].encode
        assert encode is not None  # noqa: S101 - a class with fields always has one
        document: Document = encode(value)
        return document

    def decode[T](self, kind: type[T], raw: Any) -> T:
        """Return the value of a document.

        Raises:
            DecodeError: a type, field or value that this version does not know.
        """
        try:
            value: T = self._forms[kind].decode(raw)  # type: ignore[index]
        except (ValueError, TypeError, KeyError, AttributeError, DomainError) as error:
            raise DecodeError(f"stored {kind.__name__}: {error}") from error
        return value


BSON: Final = Codec(Wire.BSON)
JSON: Final = Codec(Wire.JSON)


def canonical(record: Record) -> Record:
    """Return `record` in the form in which the journal will give it back."""
    return BSON.decode(Record, BSON.encode(record))


def to_json(value: Any) -> bytes:
    """Return a stored class's value as one line of JSON, without a line end."""
    return orjson.dumps(JSON.encode(value))


def from_json[T](kind: type[T], line: bytes | str) -> T:
    """Return the value of a line written by `to_json`.

    Raises:
        DecodeError: it is no JSON, or holds what this version does not know.
    """
    try:
        raw = orjson.loads(line)
    except orjson.JSONDecodeError as error:
        raise DecodeError(f"stored {kind.__name__}: {error}") from error
    return JSON.decode(kind, raw)
