"""Who calls, and what may be done here: what a front end must know before it offers anything."""

from fastapi import APIRouter
from pydantic import BaseModel, ConfigDict, Field

from algoexec.api.commanding import why_not_begin
from algoexec.api.dependencies import Options, Reader
from algoexec.api.errors import problems
from algoexec.engine.events import Mode
from algoexec.ports.stores import Scope

router = APIRouter(tags=["service"])


class Me(BaseModel):
    """The caller, and what the service lets it begin."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "id": "key:k1",
                    "user_id": "asha",
                    "scope": "trade",
                    "modes": ["signals", "paper"],
                    "real_money": True,
                    "version": "0.1.0",
                }
            ]
        }
    )

    id: str = Field(description="As it stands in journals: `by` of a halt.")
    user_id: str | None = Field(description="Whose sessions it sees; null: a service, which may act for anybody.")
    scope: Scope
    modes: list[Mode] = Field(description="What a session that it begins may be.")
    real_money: bool = Field(
        description="Whether mode `live` sends orders to Upstox; false: to the simulator. Show it wherever you show "
        "the mode."
    )
    version: str = Field(description="Of the service.")


@router.get("/me", operation_id="whoAmI", summary="Who am I here?", responses=problems("unauthenticated", "forbidden"))
async def who_am_i(caller: Reader, options: Options) -> Me:
    """Return whom the credential stands for, and which modes it may begin a session in."""
    return Me(
        id=caller.id,
        user_id=caller.user_id,
        scope=caller.scope,
        modes=[mode for mode in Mode if why_not_begin(mode, caller, options) is None],
        real_money=options.risks_money,
        version=options.version,
    )
