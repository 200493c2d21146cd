"""A cursor is a place in a list, as a text."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from algoexec.ports.paging import Position, page_of
from algoexec.ports.stores import InvalidCursor

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
positions = st.builds(
    Position, st.integers(0, 2**41).map(lambda ms: EPOCH + timedelta(milliseconds=ms)), st.text(max_size=40)
)


@given(positions)
def test_a_position_comes_back_from_its_cursor(position: Position) -> None:
    cursor = position.to_cursor()

    assert Position.of_cursor(cursor) == position
    assert cursor.isascii()
    assert not set(cursor) & set("+/=&?#% ")


@given(st.text(max_size=30))
def test_any_other_text_is_refused_or_a_position(text: str) -> None:
    try:
        position = Position.of_cursor(text)
    except InvalidCursor:
        return
    assert Position.of_cursor(position.to_cursor()) == position


@pytest.mark.parametrize("count", [0, 1, 2, 3, 4])
def test_a_page_has_a_cursor_only_when_more_follows(count: int) -> None:
    rows = [(Position(EPOCH, str(n)), n) for n in range(count)]

    page = page_of(rows, 3)

    assert page.items == tuple(range(min(count, 3)))
    assert (page.cursor is not None) == (count > 3)
    assert page.cursor is None or Position.of_cursor(page.cursor).id == "2"
