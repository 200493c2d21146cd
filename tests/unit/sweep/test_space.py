"""What `--vary` may say, and which sets that makes."""

import pytest

from algoexec.backtest.sweep.space import Axis, Space, axis_of, space_of, value_of
from algoexec.domain.errors import DomainError


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ("lock_minutes=3,5,8", (3, 5, 8)),
        ("lock_minutes=3:9:2", (3, 5, 7, 9)),
        ("lock_minutes=3:5", (3, 4, 5)),
        ("lock_minutes=3:8:2", (3, 5, 7)),
        ("level_tolerance_pct=0.1:0.3:0.1", (0.1, 0.2, 0.3)),
        ("stop_loss_pct=0.2,1", (0.2, 1)),
        ("trailing=true,False", (True, False)),
        ("give_back_pct=none, 30", (None, 30)),
        ("patterns=MOMENTUM", ("MOMENTUM",)),
        (" lock_minutes = 3 , 5", (3, 5)),
    ],
)
def test_texts_become_axes(text: str, values: tuple[object, ...]) -> None:
    axis = axis_of(text)
    assert axis.name == text.partition("=")[0].strip()
    assert axis.values == values
    assert [type(one) for one in axis.values] == [type(one) for one in values]


@pytest.mark.parametrize(
    "text",
    ["", "lock_minutes", "=3", "lock_minutes=", "a=1,1", "a=3:1", "a=1:3:0", "a=1:3:-1", "a=1:2:3:4", "a=x:y", "a=inf",
     "a=nan", "a=0:1e9", "a=true:false"],
)  # fmt: skip
def test_what_cannot_be_read_is_refused(text: str) -> None:
    with pytest.raises(DomainError):
        axis_of(text)


def test_a_name_is_varied_once() -> None:
    with pytest.raises(DomainError, match="lock_minutes is varied twice"):
        space_of(["lock_minutes=3", "lock_minutes=5"])


def test_a_space_holds_every_combination() -> None:
    space = space_of(["a=1,2", "b=x,y,z"])
    assert len(space) == 6 == len(list(space))
    assert next(iter(space)) == {"a": 1, "b": "x"}
    assert list(space)[-1] == {"a": 2, "b": "z"}
    assert all(values in space for values in space)
    assert {"a": 1.0, "b": "x"} not in space
    assert {"a": True, "b": "x"} not in space
    assert {"a": 1} not in space


def test_neighbours_are_one_step_away() -> None:
    space = Space((Axis("a", (1, 2, 3)), Axis("b", (True, False))))
    near = list(space.neighbours({"a": 2, "b": True}))
    assert near == [{"a": 1, "b": True}, {"a": 3, "b": True}, {"a": 2, "b": False}]
    assert list(space.neighbours({"a": 1, "b": False})) == [{"a": 2, "b": False}, {"a": 1, "b": True}]


def test_words_stay_words() -> None:
    assert value_of(" MOMENTUM ") == "MOMENTUM"
    assert value_of("none") is None
