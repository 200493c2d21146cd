"""The brain compiles as it stands, and the compiled one says the same to the bit."""

import ast
import math
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import ModuleType
from typing import Any, Final

import numba
import pytest

from algoexec.adapters.history.day_folder import read_day
from algoexec.backtest.day import candles_of
from algoexec.engine.signals import bar_of
from algoexec.strategy.patterns import Bar
from tests import strategies
from tests.arch.sources import PACKAGE

PREFIX: Final = "algoexec.strategy."
COPIES: Final = "compiled_strategy_"

NAMES: Final = ("kernel", "parameters", "patterns", "indicators", "opening_range", "memory", "decision")
"""The modules of the brain, each after those that it imports."""

TREES: Final = {
    name: ast.parse((PACKAGE / "strategy" / f"{name}.py").read_text(encoding="utf-8"), f"{name}.py") for name in NAMES
}

FUNCTIONS: Final = {
    node.name: node for tree in TREES.values() for node in tree.body if isinstance(node, ast.FunctionDef)
}

MARKED: Final = {
    name
    for name, function in FUNCTIONS.items()
    if any(isinstance(mark, ast.Name) and mark.id == "kernel" for mark in function.decorator_list)
}

Brain = Mapping[str, Any]


class _Renamed(ast.NodeTransformer):
    """The same modules under other names: numba finds a class again by the name of its module."""

    def visit_ImportFrom(self, node: ast.ImportFrom) -> ast.ImportFrom:
        """Import from the copies, not from the originals."""
        if node.module is not None:
            node.module = node.module.replace(PREFIX, COPIES)
        return node


@pytest.fixture(scope="module")
def compiled() -> Iterator[Brain]:
    """Yield all names of the brain's modules, executed afresh with `numba.njit` for `kernel`."""
    names: dict[str, Any] = {}
    for name in NAMES:
        module = sys.modules[COPIES + name] = ModuleType(COPIES + name)
        tree = _Renamed().visit(ast.parse(ast.unparse(TREES[name])))
        exec(compile(tree, f"{name}.py", "exec"), module.__dict__)  # noqa: S102 - our own source
        if name == "kernel":
            for marked in MARKED & set(module.__dict__):
                module.__dict__[marked] = numba.njit(module.__dict__[marked])
            module.__dict__["kernel"] = numba.njit
        names |= module.__dict__
    yield names
    for name in NAMES:
        del sys.modules[COPIES + name]


@pytest.fixture(scope="module")
def interpreted() -> Brain:
    """Return all names of the brain's modules as they are."""
    return {key: value for name in NAMES for key, value in vars(sys.modules[PREFIX + name]).items()}


def verdicts(brain: Brain, bars: list[Bar]) -> Iterator[tuple[object, ...]]:
    """Yield what the brain keeps and says after each bar; the put-call ratio wanders through all its edges."""
    p = brain["Parameters"]()
    memory, ledger = brain["empty_memory"](p), brain["Ledger"]()
    ratios = (math.nan, 0.5, 0.7, 1.0, 1.3, 1.5)
    for i, plain in enumerate(bars):
        bar = brain["Bar"](*plain)
        before = brain["at_day_of"](memory, bar)
        memory = brain["remember"](before, bar, p)
        ratio = brain["usable_pcr"](ratios[i // 7 % len(ratios)], 60.0 * (i % 17), p)
        verdict = brain["decide"](before, memory, ledger, bar, ratio, p)
        ledger = brain["ledger_next"](ledger, verdict.emitted, bar)
        yield memory, verdict, ledger, brain["levels_of"](memory, p)


def bits(value: object) -> object:
    """Return nested tuples with every float spelled out to the last bit, all NaN alike."""
    if isinstance(value, tuple):
        return tuple(bits(part) for part in value)
    if isinstance(value, float):
        return "nan" if math.isnan(value) else value.hex()
    assert type(value) is int, f"{value!r} is a {type(value).__name__}"
    return value


def test_the_list_of_modules_is_whole() -> None:
    assert set(NAMES) == {path.stem for path in (PACKAGE / "strategy").glob("*.py")} - {"__init__"}


def test_a_kernel_calls_only_kernels() -> None:
    allowed = MARKED | {"abs", "len", "max", "min", "range", "float", "int"}
    classes = {node.name for tree in TREES.values() for node in tree.body if isinstance(node, ast.ClassDef)}
    for name in MARKED:
        for node in ast.walk(FUNCTIONS[name]):
            if isinstance(node, ast.Call):
                assert isinstance(node.func, ast.Name), f"{name} calls {ast.unparse(node.func)}"
                assert node.func.id in allowed | classes, f"{name} calls {node.func.id}"


def test_a_kernel_has_one_mark_and_no_options() -> None:
    for name in MARKED:
        assert [ast.unparse(mark) for mark in FUNCTIONS[name].decorator_list] == ["kernel"]


def test_the_compiled_brain_says_the_same_to_the_bit(compiled: Brain, interpreted: Brain, tmp_path: Path) -> None:
    bars = [
        bar_of(candle)
        for seed in range(4)
        for candle in candles_of(
            read_day(strategies.made_up_day(seed, strategies.DAY.replace(day=13 + seed)).write(tmp_path / str(seed)))
        )
    ]
    emitted = 0
    for fast, slow in zip(verdicts(compiled, bars), verdicts(interpreted, bars), strict=True):
        assert bits(fast) == bits(slow)
        emitted += bool(slow[1].emitted)  # type: ignore[attr-defined]
    assert emitted > 10
    not_compiled = [name for name in sorted(MARKED) if not compiled[name].signatures]
    assert not not_compiled


def test_the_compiled_brain_says_the_same_on_golden_days(
    compiled: Brain, interpreted: Brain, shared_data: Path
) -> None:
    days = sorted((shared_data / "golden_days").iterdir())
    bars = [bar_of(candle) for day in days for candle in candles_of(read_day(day))]
    for fast, slow in zip(verdicts(compiled, bars), verdicts(interpreted, bars), strict=True):
        assert bits(fast) == bits(slow)
