"""Where scripts come from: files in YAML or JSON, JSON bodies, and those that ship with the simulator."""

import re
from collections.abc import Mapping
from importlib import resources
from pathlib import Path
from typing import Final

import yaml
from pydantic import ValidationError

from algoexec.simulator.faults.script import Script

_SHIPPED: Final = resources.files(__package__) / "scripts"


class BadScript(ValueError):
    """A script that cannot be read; the text names the place."""


class _Loader(yaml.SafeLoader):
    """YAML as of version 1.2: PyYAML's own rules read `10:03` as the number 603."""


_Loader.yaml_implicit_resolvers = {}
for _tag, _pattern, _first in (
    ("tag:yaml.org,2002:null", r"~|null|", ("~", "n", "")),
    ("tag:yaml.org,2002:bool", r"true|false", ("t", "f")),
    ("tag:yaml.org,2002:int", r"[-+]?\d+", tuple("-+0123456789")),
    ("tag:yaml.org,2002:float", r"[-+]?(\d+\.\d*|\.\d+|\d+)([eE][-+]?\d+)?", tuple("-+.0123456789")),
):
    _Loader.add_implicit_resolver(_tag, re.compile(f"^(?:{_pattern})$"), _first)


def shipped_names() -> list[str]:
    """Return the names of the scripts that ship with the simulator."""
    return sorted(file.name.removesuffix(".yaml") for file in _SHIPPED.iterdir() if file.name.endswith(".yaml"))


def shipped(name: str) -> Script:
    """Return a script that ships with the simulator.

    Raises:
        BadScript: there is none of that name.
    """
    if name not in shipped_names():
        raise BadScript(f"no script named {name!r} ships with the simulator, but {', '.join(shipped_names())}")
    return read((_SHIPPED / f"{name}.yaml").read_text(encoding="utf-8"), source=name)


def named_or_file(text: str) -> Script:
    """Return the script that ships under this name, or the one in this file.

    Raises:
        BadScript: it is neither, or not a script.
    """
    if text in shipped_names():
        return shipped(text)
    path = Path(text)
    try:
        return read(path.read_text(encoding="utf-8"), source=path.name)
    except (OSError, UnicodeDecodeError) as error:
        names = ", ".join(shipped_names())
        raise BadScript(f"{text}: neither a readable file nor one of {names}") from error


def read(text: str, *, source: str) -> Script:
    """Return the script in a YAML (or JSON) text; `source` names it in errors.

    Raises:
        BadScript: it is none.
    """
    try:
        # A safe loader: it makes nothing but texts, numbers, lists and mappings.
        given = yaml.load(text, _Loader)  # noqa: S506
    except yaml.YAMLError as error:
        raise BadScript(f"{source}: {error}") from error
    return parse(given, source=source)


def parse(given: object, *, source: str) -> Script:
    """Return the script that `given`, as of JSON, describes.

    Raises:
        BadScript: it describes none.
    """
    if not isinstance(given, Mapping):
        raise BadScript(f"{source}: a script is a mapping with name, imitates and faults")
    try:
        return Script.model_validate(given)
    except ValidationError as error:
        problems = "; ".join(_problem(one["loc"], one["msg"]) for one in error.errors())
        raise BadScript(f"{source}: {problems}") from error


def _problem(place: tuple[int | str, ...], message: str) -> str:
    words = message.removeprefix("Value error, ")
    return f"{'.'.join(map(str, place))}: {words}" if place else words
