"""What can be configured."""

from typing import Any

from fastapi import APIRouter, Depends
from pydantic import BaseModel, Field

from algoexec.api.config import SessionConfig
from algoexec.api.dependencies import reader
from algoexec.api.errors import problems
from algoexec.api.indicators import IndicatorOut, catalogue

router = APIRouter(prefix="/config", tags=["configuration"])


class ConfigSchema(BaseModel):
    """What a form needs."""

    config: dict[str, Any] = Field(
        description="JSON Schema of a session's `config`: names, types, bounds, defaults, descriptions."
    )
    indicators: list[IndicatorOut] = Field(description="What `ta` takes.")


@router.get(
    "/schema",
    operation_id="getConfigSchema",
    summary="What can be configured",
    dependencies=[Depends(reader)],
    responses=problems("unauthenticated", "forbidden"),
)
async def get_config_schema() -> ConfigSchema:
    """Return the JSON Schema of a session's configuration, and the indicators that candles can carry."""
    return ConfigSchema(config=SessionConfig.model_json_schema(), indicators=catalogue())
