"""Run the benchmarks: every module of this package that has a `run() -> Table`, or those named."""

import argparse
import importlib
import pkgutil
from collections.abc import Callable

import benchmarks
from benchmarks.table import Table

_NO_BENCHMARKS = frozenset({"__main__", "table"})


def names() -> list[str]:
    """Return the registered benchmarks, in order: a module of this package is one."""
    return sorted(found.name for found in pkgutil.iter_modules(benchmarks.__path__) if found.name not in _NO_BENCHMARKS)


def main() -> None:
    """Print a table for each benchmark that is asked for."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("name", nargs="*", help=f"one of: {', '.join(names())}; all when none is given")
    asked = parser.parse_args().name or names()
    if unknown := sorted(set(asked) - set(names())):
        parser.error(f"no benchmark {', '.join(unknown)}; there are: {', '.join(names())}")
    for name in asked:
        run: Callable[[], Table] = importlib.import_module(f"benchmarks.{name}").run
        print(run().text(), end="\n\n", flush=True)


if __name__ == "__main__":
    main()
