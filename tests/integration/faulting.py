"""Faults as whoever tests against the simulator starts them: over its control API."""

from typing import Any

import httpx

from algoexec.simulator.server import RunningSimulator
from tests.integration.simulating import rest


async def start(running: RunningSimulator, *faults: dict[str, Any], seed: int = 1, name: str = "test") -> None:
    """Activate a script of these faults, written as in a file."""
    async with rest(running, None) as client:
        answer = await client.post("/sim/faults", json=script(*faults, seed=seed, name=name))
    assert answer.status_code == 201, answer.text


def script(*faults: dict[str, Any], seed: int = 1, name: str = "test") -> dict[str, Any]:
    """Return a script as JSON."""
    return {"name": name, "imitates": "What a test needs.", "seed": seed, "faults": list(faults)}


async def hits(client: httpx.AsyncClient) -> list[int]:
    """Return how often each active fault has struck."""
    active = (await client.get("/sim/faults")).json()["active"]
    return [fault["hits"] for script in active for fault in script["faults"]]
