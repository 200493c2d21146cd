"""What `--set name=value` may name: the session's configuration, as over HTTP, and how orders meet the market."""

import difflib
import json
from collections.abc import Iterable, Mapping
from dataclasses import fields
from datetime import date
from typing import Any, Final

from pydantic import BaseModel, TypeAdapter, ValidationError

from algoexec.api.config import SessionConfig
from algoexec.api.trading_config import TradingConfig
from algoexec.backtest.result import Execution
from algoexec.backtest.run import Plan
from algoexec.engine.trading.rules import Approval

_STRATEGY: Final = tuple(name for name in SessionConfig.model_fields if name != "trading")
_TRADING: Final = tuple(TradingConfig.model_fields)
_EXECUTION: Final = tuple(field.name for field in fields(Execution))


class BadSetting(Exception):
    """A setting that cannot be; the message says why, for a person."""


def plan_of(settings: Iterable[str], begins: date | None = None, ends: date | None = None) -> Plan:
    """Return the plan that `name=value` settings make of the defaults.

    Raises:
        BadSetting: a name is not known, or a value not allowed.
    """
    strategy: dict[str, Any] = {}
    trading: dict[str, Any] = {}
    execution: dict[str, Any] = {}
    places: Mapping[str, dict[str, Any]] = {
        **dict.fromkeys(_STRATEGY, strategy),
        **dict.fromkeys(_TRADING, trading),
        **dict.fromkeys(_EXECUTION, execution),
    }
    for setting in settings:
        name, equals, text = setting.partition("=")
        name = name.strip().removeprefix("trading.").removeprefix("execution.")
        if not equals or not name:
            raise BadSetting(f"--set {setting}: expected name=value")
        if name not in places:
            raise BadSetting(f"--set {setting}: there is no {name}; {_near(name, places)}")
        places[name][name] = _value(name, text.strip())
    parameters = _checked(SessionConfig, strategy).parameters()
    rules = _checked(TradingConfig, trading).rules()
    if rules.approval is Approval.MANUAL:
        raise BadSetting("--set approval: in a backtest there is nobody who could approve")
    return Plan(parameters=parameters, rules=rules, execution=_execution(execution), begins=begins, ends=ends)


def _checked[M: BaseModel](model: type[M], given: Mapping[str, Any]) -> M:
    try:
        return model.model_validate(given)
    except ValidationError as error:
        raise BadSetting(_said(error)) from error


def _execution(given: Mapping[str, Any]) -> Execution:
    try:
        return TypeAdapter(Execution).validate_python(given)
    except ValidationError as error:
        raise BadSetting(_said(error)) from error


def _said(error: ValidationError) -> str:
    """Return what is wrong, a sentence each."""
    return "; ".join(
        f"--set {'.'.join(map(str, one['loc']))}: {one['msg']}" if one["loc"] else str(one["msg"])
        for one in error.errors()
    )


def _near(name: str, known: Iterable[str]) -> str:
    """Return which names are meant, perhaps."""
    found = difflib.get_close_matches(name, list(known), n=3, cutoff=0.5)
    return f"did you mean {' or '.join(found)}?" if found else "`algoexec backtest --help` says where they are listed"


def _value(name: str, text: str) -> Any:
    """Return a value as JSON says it; a list may also be given with commas, and what is no JSON is text."""
    try:
        value = json.loads(text)
    except ValueError:
        value = text
    if name == "patterns" and isinstance(value, str):
        return [part.strip() for part in value.split(",")]
    return value
