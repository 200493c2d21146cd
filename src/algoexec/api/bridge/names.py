"""The configuration under its old names: flat, in camelCase, `Percent` spelled out."""

from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import Any, Final

from algoexec.api.config import ConfigChanges
from algoexec.api.errors import ApiProblem
from algoexec.api.trading_config import TradingChanges

type Path = tuple[str, ...]
"""Where a value stands in `SessionConfig`: `("lock_minutes",)`, `("trading", "capital")`."""


def old_name(name: str) -> str:
    """Return a field's old name: `stop_loss_pct` was `stopLossPercent`."""
    first, *rest = name.removesuffix("_pct").split("_")
    spelled = [*rest, "percent"] if name.endswith("_pct") else rest
    return first + "".join(word.capitalize() for word in spelled)


def _table() -> Iterator[tuple[str, Path]]:
    for name in ConfigChanges.model_fields:
        if name != "trading":
            yield name, (name,)
            yield old_name(name), (name,)
    for name in TradingChanges.model_fields:
        yield name, ("trading", name)
        yield old_name(name), ("trading", name)


OLD_NAMES: Final[Mapping[str, Path]] = MappingProxyType(dict(_table()))
"""Every name that a command's `config` may have, and where its value belongs. Our own names are among them."""


def read_config(given: Mapping[str, Any]) -> dict[str, Any]:
    """Return `given` as `SessionConfig` wants it, not yet checked.

    Raises:
        ApiProblem: `invalid-request`: a name that is not known, or two for one thing.
    """
    found: dict[Path, str] = {}
    wrong: list[dict[str, str]] = []
    for name in given:
        path = OLD_NAMES.get(name)
        if path is None:
            wrong.append({"field": f"data.config.{name}", "message": "this name is not known", "code": "extra"})
        elif path in found:
            message = f"says the same as {found[path]}"
            wrong.append({"field": f"data.config.{name}", "message": message, "code": "repeated"})
        else:
            found[path] = name
    if wrong:
        told = "; ".join(f"{one['field']}: {one['message']}" for one in wrong)
        raise ApiProblem("invalid-request", told, errors=wrong)
    config: dict[str, Any] = {}
    for path, name in found.items():
        holder = config.setdefault("trading", {}) if len(path) > 1 else config
        holder[path[-1]] = given[name]
    return config
