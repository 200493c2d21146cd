"""The simulator's own endpoints for its faults: which are active, how often they struck, start and end.

They need no token: the simulator serves loopback only.
"""

from collections.abc import Sequence

import orjson
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route

from algoexec.simulator.faults.injector import FaultInjector
from algoexec.simulator.faults.loading import BadScript, parse, shipped, shipped_names
from algoexec.simulator.faults.matching import Armed
from algoexec.simulator.faults.script import Script

_BASE = "/sim/faults"


def routes(injector: FaultInjector) -> list[BaseRoute]:
    """Return the endpoints that control `injector`."""
    control = _Control(injector)
    return [
        Route(_BASE, control.show, methods=["GET"]),
        Route(_BASE, control.start, methods=["POST"]),
        Route(_BASE, control.end_all, methods=["DELETE"]),
        Route(f"{_BASE}/{{name}}", control.end, methods=["DELETE"]),
    ]


class _Control:
    def __init__(self, injector: FaultInjector) -> None:
        self._injector = injector

    async def show(self, _: Request) -> Response:
        """Return the active scripts with their counts, and those that ship, each with what it imitates."""
        active = [_shown(script, armed) for script, armed in self._injector.active()]
        return JSONResponse({"active": active, "shipped": {name: shipped(name).imitates for name in shipped_names()}})

    async def start(self, request: Request) -> Response:
        """Activate the script in the body, or the shipped one that it names; one of the same name begins anew."""
        try:
            script = _requested(await request.body())
        except BadScript as error:
            return JSONResponse({"error": str(error)}, 422)
        self._injector.add(script)
        return JSONResponse({"name": script.name, "imitates": script.imitates}, 201)

    async def end(self, request: Request) -> Response:
        """End one script."""
        name = request.path_params["name"]
        if not self._injector.remove(name):
            return JSONResponse({"error": f"no script named {name!r} is active"}, 404)
        return Response(status_code=204)

    async def end_all(self, _: Request) -> Response:
        """End all scripts."""
        self._injector.clear()
        return Response(status_code=204)


def _requested(body: bytes) -> Script:
    try:
        given = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise BadScript(f"the body is not JSON: {error}") from error
    match given:
        case {"name": str(name), **rest} if not rest:
            return shipped(name)
        case _:
            return parse(given, source="body")


def _shown(script: Script, armed: Sequence[Armed]) -> dict[str, object]:
    head = script.model_dump(mode="json", include={"name", "imitates", "seed"})
    faults = [
        {**one.fault.model_dump(mode="json", by_alias=True, exclude_defaults=True), "seen": one.seen, "hits": one.hits}
        for one in armed
    ]
    return {**head, "faults": faults}
