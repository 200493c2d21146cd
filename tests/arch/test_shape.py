"""What no other tool checks about the shape of the code."""

import ast
from collections.abc import Iterator

import pytest

from tests.arch.sources import PACKAGE, source_files, syntax_trees

MOST_LINES = 400
# Where a task's root may catch everything: it has to say what becomes of the failure, nobody else can.
TASK_ROOTS = ("runtime/", "api/", "simulator/")


def test_no_file_is_longer_than_a_person_reads() -> None:
    lengths = {
        path.relative_to(PACKAGE).as_posix(): len(path.read_text(encoding="utf-8").splitlines())
        for path in source_files()
    }

    assert {path: lines for path, lines in lengths.items() if lines > MOST_LINES} == {}


def bare_parameters(tree: ast.Module) -> Iterator[tuple[int, str]]:
    """Yield line and name of each function that leaves a parameter or its result without a type."""
    methods = {
        id(statement)
        for node in ast.walk(tree)
        if isinstance(node, ast.ClassDef)
        for statement in node.body
        if isinstance(statement, ast.FunctionDef | ast.AsyncFunctionDef)
    }
    for node in ast.walk(tree):
        if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            continue
        by_position = [*node.args.posonlyargs, *node.args.args]
        is_static = any(isinstance(mark, ast.Name) and mark.id == "staticmethod" for mark in node.decorator_list)
        if id(node) in methods and not is_static:
            by_position = by_position[1:]
        given = [*by_position, *node.args.kwonlyargs, node.args.vararg, node.args.kwarg]
        if node.returns is None or any(one is not None and one.annotation is None for one in given):
            yield node.lineno, node.name


def broad_excepts(tree: ast.Module) -> Iterator[int]:
    """Yield the line of each handler that catches everything."""
    for node in ast.walk(tree):
        if isinstance(node, ast.ExceptHandler):
            caught = node.type.elts if isinstance(node.type, ast.Tuple) else [node.type]
            if any(one is None or (isinstance(one, ast.Name) and one.id in _EVERYTHING) for one in caught):
                yield node.lineno


_EVERYTHING = frozenset({"Exception", "BaseException"})


def test_every_function_is_annotated() -> None:
    bare = [f"{path}:{line} {name}" for path, tree in syntax_trees() for line, name in bare_parameters(tree)]

    assert not bare


def test_everything_is_caught_only_at_the_root_of_a_task() -> None:
    broad = [
        f"{path}:{line}"
        for path, tree in syntax_trees()
        if not path.startswith(TASK_ROOTS)
        for line in broad_excepts(tree)
    ]

    assert not broad, f"catch what can happen; only {', '.join(TASK_ROOTS)} may catch everything, at a task's root"


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        ("def f(a: int, *, b: int = 1) -> None: ...", []),
        ("def f(a) -> None: ...", ["f"]),
        ("async def f(a: int): ...", ["f"]),
        ("def f(*args, **kwargs: int) -> None: ...", ["f"]),
        ("class C:\n    def m(self, a: int) -> None: ...", []),
        ("class C:\n    @staticmethod\n    def m(a) -> None: ...", ["m"]),
    ],
)
def test_a_missing_annotation_is_seen(code: str, expected: list[str]) -> None:
    assert [name for _, name in bare_parameters(ast.parse(code))] == expected


@pytest.mark.parametrize(
    ("handler", "expected"),
    [
        ("except:", [3]),
        ("except Exception:", [3]),
        ("except (OSError, BaseException) as error:", [3]),
        ("except OSError:", []),
        ("except (OSError, ValueError):", []),
    ],
)
def test_a_broad_handler_is_seen(handler: str, expected: list[int]) -> None:
    assert list(broad_excepts(ast.parse(f"try:\n    f()\n{handler}\n    pass"))) == expected
