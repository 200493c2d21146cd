"""Compiles a function together with everything it calls.

The rules are Python functions (`strategy`). Here they are not rewritten: numba compiles them as
they stand, and a compiled function's callees are replaced by their compiled selves. What was
compiled is kept on disk, by the text of all that went into it.
"""

import hashlib
import os
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from types import CodeType, FunctionType, ModuleType
from typing import Any, Final, cast

import numba
from numba.core import config

from algoexec.strategy import decision, indicators, kernel, memory, opening_range, parameters, patterns
from algoexec.strategy.parameters import Parameters

_BRAIN: Final[tuple[ModuleType, ...]] = (decision, indicators, kernel, memory, opening_range, parameters, patterns)

_compiling = threading.RLock()


@cache
def compiled[**P, R](function: Callable[P, R]) -> Callable[P, R]:
    """Return `function` compiled, and with it every Python function that it calls.

    Floats come out to the bit as from the interpreter: nothing is reordered (no fast-math).
    It is compiled at its first call, or read from the cache (`cache_folder`).
    """
    plain = cast(FunctionType, function)
    with _compiling, _cached_in(cache_folder()) as is_kept:
        names = dict(plain.__globals__)
        for name in _names(plain.__code__):
            if isinstance(callee := names.get(name), FunctionType):
                names[name] = compiled(callee)
        copy = FunctionType(plain.__code__, names, plain.__name__, plain.__defaults__, plain.__closure__)
        copy.__module__, copy.__qualname__ = plain.__module__, plain.__qualname__
        return cast(Callable[P, R], numba.njit(copy, cache=is_kept))


@cache
def asks_for(function: Callable[..., Any]) -> tuple[str, ...]:
    """Return the names of the parameters that `function` may read, itself or in what it calls.

    Two parameter sets that agree in these give the same result.
    """
    plain = cast(FunctionType, function)
    found: set[str] = set()
    for name in _names(plain.__code__):
        if isinstance(callee := plain.__globals__.get(name), FunctionType):
            found |= set(asks_for(callee))
    return tuple(sorted(found | (set(_names(plain.__code__)) & set(Parameters._fields))))


@cache
def cache_folder() -> Path | None:
    """Return where compiled code is kept; None when nothing can be written there.

    One folder for each text of the rules: numba looks only at the file of the function that is
    called, and would not see that a rule which it calls has changed.
    """
    text = b"".join(path.read_bytes() for path in sorted(_sources()))
    digest = hashlib.sha256(text + numba.__version__.encode()).hexdigest()[:16]
    base = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    folder = base / "algoexec" / "kernels" / digest
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError:
        return None
    return folder if os.access(folder, os.W_OK) else None


def _sources() -> Iterator[Path]:
    yield from Path(__file__).parent.glob("*.py")
    for module in _BRAIN:
        yield Path(cast(str, module.__file__))


def _names(code: CodeType) -> Iterator[str]:
    """Yield the global and attribute names that `code` mentions."""
    yield from code.co_names
    for inner in code.co_consts:
        if isinstance(inner, CodeType):
            yield from _names(inner)


@contextmanager
def _cached_in(folder: Path | None) -> Iterator[bool]:
    """Have numba keep its files in `folder`; it asks only while a function is being wrapped."""
    before = config.CACHE_DIR
    config.CACHE_DIR = "" if folder is None else str(folder)
    try:
        yield folder is not None
    finally:
        config.CACHE_DIR = before
