"""Whether the service lives, whether it can work, and what it counts."""

from typing import Any, Final, Literal

from fastapi import APIRouter, Response, status
from pydantic import BaseModel, ConfigDict, Field

from algoexec.api.dependencies import Given, Options, Reader
from algoexec.api.errors import ApiProblem, problems
from algoexec.api.metrics import CONTENT_TYPE, render
from algoexec.engine.effects import Status

router = APIRouter(tags=["service"])

_READY: Final[dict[str, Any]] = {
    "status": "ready",
    "version": "0.1.0",
    "store": {"ok": True, "detail": None},
    "venue": {"ok": True, "detail": None},
    "redis": None,
    "sessions": {"RUNNING": 12},
}


class Alive(BaseModel):
    """The process answers."""

    status: Literal["alive"] = "alive"


class DependencyOut(BaseModel):
    """Something that the service needs."""

    model_config = ConfigDict(from_attributes=True)

    ok: bool
    detail: str | None = Field(description="What is wrong, for a person; null when nothing is.")


type Standing = Literal["ready", "degraded", "unready", "leaving"]


class Readiness(BaseModel):
    """Whether the service can do its work."""

    model_config = ConfigDict(json_schema_extra={"examples": [_READY]})

    status: Standing = Field(
        description="`degraded`: the broker or Redis does not answer; what is stored can be read and streamed. "
        "`leaving`: it is about to stop and sends no entries any more."
    )
    version: str
    store: DependencyOut
    venue: DependencyOut
    redis: DependencyOut | None = Field(default=None, description="The bridge to Redis; null when there is none.")
    sessions: dict[Status, int] = Field(description="How many sessions of this process stand where.")


@router.get("/healthz", operation_id="isAlive", summary="Is the process alive?")
async def is_alive() -> Alive:
    """Answer. Asks nothing of anybody; no credential needed."""
    return Alive()


@router.get(
    "/readyz",
    operation_id="isReady",
    summary="Can it work?",
    responses={503: {"model": Readiness, "description": "It cannot write, or is about to stop: `status` says which."}},
)
async def is_ready(services: Given, options: Options, response: Response) -> Readiness:
    """Return what the service depends on; 503 when it cannot write or is about to stop. No credential needed."""
    needed, health = services.dependencies(), services.registry.health()
    told: Standing = "ready" if all(dependency.ok for dependency in needed.values()) else "degraded"
    if health.is_leaving or not health.store.ok:
        told = "leaving" if health.is_leaving else "unready"
        response.status_code = status.HTTP_503_SERVICE_UNAVAILABLE
    return Readiness(
        status=told,
        version=options.version,
        **{name: DependencyOut.model_validate(dependency) for name, dependency in needed.items()},
        sessions=health.sessions,
    )


@router.get(
    "/metrics",
    operation_id="getMetrics",
    summary="Metrics for Prometheus",
    response_class=Response,
    responses={
        200: {"description": "Prometheus's text form.", "content": {"text/plain": {"schema": {"type": "string"}}}},
        **problems("unauthenticated", "forbidden"),
    },
)
async def get_metrics(caller: Reader, services: Given) -> Response:
    """Return counts over all users; needs a service credential."""
    if caller.user_id is not None:
        raise ApiProblem("forbidden", "Metrics are for service credentials.")
    return Response(render(services), media_type=CONTENT_TYPE)
