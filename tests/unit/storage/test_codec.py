"""What is stored comes back as it was."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from typing import Any, get_args

import bson
import pytest
from bson.codec_options import CodecOptions
from hypothesis import given
from hypothesis import strategies as st

from algoexec.domain.errors import DecodeError, DomainError
from algoexec.domain.market import Candle, Provenance
from algoexec.engine.effects import Effect, Frame, FrameBody, Status
from algoexec.engine.events import CandleClosed, DeadlinePassed, Event, Mode, Record, TokenReplaced
from algoexec.engine.state import EngineState
from algoexec.ports.stores import JournalEntry, SessionRow
from algoexec.storage.codec import BSON, STORED, canonical, from_json, to_json
from algoexec.storage.forms import Forms, Wire
from algoexec.strategy.kernel import UNKNOWN
from algoexec.strategy.memory import Memory
from tests.unit.storage.arbitrary import values_of

AS_MONGO_GIVES_IT = CodecOptions[dict[str, Any]](tz_aware=True, tzinfo=UTC)
AT = datetime(2026, 11, 23, 4, 0, tzinfo=UTC)
TOLD = Record(seq=1, at=AT, event=TokenReplaced())


def through_bson[T](value: T) -> T:
    return BSON.decode(type(value), bson.decode(bson.encode(BSON.encode(value)), AS_MONGO_GIVES_IT))


def records(event: type) -> st.SearchStrategy[Record]:
    return st.builds(Record, seq=st.integers(1, 2**40), at=values_of(datetime), event=values_of(event))


@pytest.mark.parametrize("event", get_args(Event.__value__))
@given(st.data())
def test_every_event_comes_back_as_it_was(event: type, data: st.DataObject) -> None:
    record = data.draw(records(event))

    assert through_bson(record) == record
    assert from_json(Record, to_json(record)) == record
    assert canonical(record) == record


@pytest.mark.parametrize("body", get_args(FrameBody.__value__))
@given(st.data())
def test_every_frame_comes_back_as_it_was(body: type, data: st.DataObject) -> None:
    frame = data.draw(st.builds(Frame, number=st.integers(1, 2**40), at=values_of(datetime), body=values_of(body)))

    assert through_bson(frame) == frame
    assert from_json(Frame, to_json(frame)) == frame


@pytest.mark.parametrize("effect", get_args(Effect.__value__))
@given(st.data())
def test_every_effect_comes_back_as_it_was(effect: type, data: st.DataObject) -> None:
    entry = JournalEntry(
        session_id="s",
        epoch=1,
        engine="1",
        recorded_at=AT,
        record=TOLD,
        effects=(data.draw(values_of(effect)),),
        frames=(),
    )

    assert through_bson(entry) == entry
    assert from_json(JournalEntry, to_json(entry)) == entry


@pytest.mark.parametrize("kind", STORED)
@given(st.data())
def test_every_stored_class_comes_back_as_it_was(kind: type, data: st.DataObject) -> None:
    value = data.draw(values_of(kind))

    assert through_bson(value) == value
    assert from_json(kind, to_json(value)) == value


@given(values_of(EngineState))
def test_what_the_brain_does_not_know_it_does_not_know_afterwards(state: EngineState) -> None:
    state = replace(state, memory=state.memory._replace(volumes=(UNKNOWN, float("inf"), -0.0)))

    unknown, endless, minus_zero = through_bson(state).memory.volumes

    assert unknown is UNKNOWN
    assert endless == float("inf")
    assert str(minus_zero) == "-0.0"


def test_a_time_is_cut_to_what_is_stored() -> None:
    india = timezone(timedelta(hours=5, minutes=30))
    record = replace(TOLD, at=datetime(2026, 11, 23, 9, 30, 0, 123_999, tzinfo=india))

    assert canonical(record).at == datetime(2026, 11, 23, 4, 0, 0, 123_000, tzinfo=UTC)
    assert canonical(record).at.tzinfo is UTC
    assert through_bson(record) == canonical(record) == from_json(Record, to_json(record))


def test_a_whole_number_where_a_price_belongs_becomes_one() -> None:
    candle = Candle(start=AT, open=1, high=2, low=1, close=2, volume=None, provenance=Provenance.LIVE)

    found = canonical(replace(TOLD, event=CandleClosed(candle=candle))).event

    assert isinstance(found, CandleClosed)
    assert isinstance(found.candle.open, float)


def test_a_time_without_a_zone_is_refused() -> None:
    with pytest.raises(DomainError, match="without a zone"):
        BSON.encode(replace(TOLD, at=AT.replace(tzinfo=None)))


@pytest.mark.parametrize(
    "spoil",
    [
        {"event": {"type": "MarginCalled"}},
        {"event": {}},
        {"event": {"type": "TokenReplaced", "token": "x"}},
        {"event": {"type": "TokenRejected"}},
        {"event": None},
        {"seq": "1"},
        {"seq": True},
        {"seq": 1.0},
        {"at": "2026-11-23"},
        {"at": AT.replace(tzinfo=None)},
        {"by": "nobody"},
    ],
)
def test_what_this_version_does_not_know_is_an_error_not_a_guess(spoil: dict[str, Any]) -> None:
    with pytest.raises(DecodeError):
        BSON.decode(Record, {**BSON.encode(TOLD), **spoil})


@pytest.mark.parametrize("line", [b"", b"{", b"[]", b"null", b'"x"'])
def test_a_line_that_is_no_record_is_an_error(line: bytes) -> None:
    with pytest.raises(DecodeError):
        from_json(Record, line)


def test_a_candle_that_cannot_be_is_an_error() -> None:
    candle = Candle(start=AT, open=1.0, high=2.0, low=1.0, close=2.0, volume=None, provenance=Provenance.LIVE)

    with pytest.raises(DecodeError, match="bound"):
        BSON.decode(Candle, {**BSON.encode(candle), "low": 3.0})
    with pytest.raises(DecodeError, match="dreamt"):
        BSON.decode(Candle, {**BSON.encode(candle), "provenance": "dreamt"})


def test_a_field_that_was_added_since_takes_its_default() -> None:
    row = BSON.encode(
        SessionRow(
            id="s",
            user_id="u",
            venue="v",
            mode=Mode.SIGNALS,
            status=Status.RUNNING,
            is_active=True,
            created_at=AT,
            day="2026-11-23",
        )
    )
    del row["epoch"]

    assert BSON.decode(SessionRow, row).epoch == 0


def test_members_of_a_union_say_what_they_are() -> None:
    entry = BSON.encode(replace(TOLD, event=DeadlinePassed()))

    assert entry["event"] == {"type": "DeadlinePassed"}


@pytest.mark.parametrize("kind", [object, set[int], dict[str, int], int | str, complex])
def test_a_type_without_a_stored_form_is_found_at_import(kind: Any) -> None:
    with pytest.raises(TypeError):
        Forms(Wire.BSON).of(kind)


def test_memory_holds_only_what_can_be_stored() -> None:
    assert Forms(Wire.JSON).of(Memory).encode is not None
