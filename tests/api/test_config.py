"""The configuration as people write it, and as the strategy reads it."""

import httpx
import jsonschema
import pytest

from algoexec.api.config import SessionConfig
from algoexec.api.indicator_table import TABLE
from algoexec.domain.signals import Pattern
from algoexec.strategy.decision import ALL, CANDIDATES
from algoexec.strategy.parameters import Parameters


def test_every_number_of_the_strategy_can_be_set_and_has_its_default() -> None:
    assert set(SessionConfig.model_fields) - {"patterns", "trading"} == set(Parameters._fields) - {"enabled"}
    assert SessionConfig().parameters() == Parameters()
    assert all(field.description for field in SessionConfig.model_fields.values())


@pytest.mark.parametrize("pattern", Pattern)
def test_a_pattern_switches_its_candidates(pattern: Pattern) -> None:
    alone = SessionConfig(patterns=[pattern]).parameters()

    on = [candidate.pattern for bit, candidate in enumerate(CANDIDATES) if alone.enabled >> bit & 1]
    assert set(on) == {pattern}
    assert SessionConfig.of(alone, None).patterns == [pattern]


def test_no_pattern_and_all_patterns() -> None:
    assert SessionConfig(patterns=[]).parameters().enabled == 0
    assert SessionConfig().parameters().enabled == ALL


def test_there_and_back_changes_nothing() -> None:
    changed = Parameters()._replace(pcr_call_min=0.9, lock_minutes=0, enabled=0b11)

    assert SessionConfig.of(changed, None).parameters() == changed


async def test_the_schema_is_enough_for_a_form(local: httpx.AsyncClient) -> None:
    body = (await local.get("/config/schema")).json()

    schema = body["config"]
    jsonschema.Draft202012Validator.check_schema(schema)
    jsonschema.validate({"lock_minutes": 5}, schema)
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate({"lock_minute": 5}, schema)
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate({"lock_minutes": 5000}, schema)
    assert schema["properties"]["ema_fast_length"]["default"] == 9
    assert {one["name"] for one in body["indicators"]} == set(TABLE)
