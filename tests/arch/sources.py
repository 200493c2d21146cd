"""The source tree as these tests see it."""

import ast
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PACKAGE = ROOT / "src" / "algoexec"


def source_files() -> list[Path]:
    """Return every Python file of the package, in order of path."""
    return sorted(PACKAGE.rglob("*.py"))


def syntax_trees() -> Iterator[tuple[str, ast.Module]]:
    """Yield each file's path below the package, with `/`, and its tree."""
    for path in source_files():
        yield path.relative_to(PACKAGE).as_posix(), ast.parse(path.read_text(encoding="utf-8"), str(path))
