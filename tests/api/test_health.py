"""Whether it lives, whether it can work, what it counts."""

import asyncio
from dataclasses import replace

import httpx

from algoexec.ports.stores import Scope
from algoexec.runtime.views import Dependency
from tests.api.support import Service
from tests.api.test_sessions import begin, problem


async def test_it_lives_and_is_ready(local: httpx.AsyncClient) -> None:
    assert (await local.get("/healthz")).json() == {"status": "alive"}
    session = await begin(local)

    ready = (await local.get("/readyz")).json()

    assert ready["status"] == "ready"
    assert sum(ready["sessions"].values()) == 1
    assert session["id"] not in str(ready)


async def test_neither_needs_a_credential(service: Service) -> None:
    await service.add_key("asha", Scope.READ, "asha")
    async with service.client(host="10.0.0.7:8000") as probe:
        assert (await probe.get("/healthz")).status_code == 200
        assert (await probe.get("/readyz")).status_code == 200


async def test_without_the_database_it_is_not_ready(service: Service, local: httpx.AsyncClient) -> None:
    service.stores.is_available = False
    async with asyncio.timeout(20):
        answer = await local.get("/readyz")
        while answer.status_code != 503:
            answer = await local.get("/readyz")

    assert answer.json()["status"] == "unready"
    assert answer.json()["store"]["detail"]
    assert (await local.get("/healthz")).status_code == 200
    service.stores.is_available = True


async def test_metrics_are_for_services(service: Service) -> None:
    user = await service.add_key("asha", Scope.READ, "asha")
    scraper = await service.add_key("prometheus", Scope.READ, None)
    async with service.client(user) as client:
        problem(await client.get("/metrics"), 403, "forbidden")
    async with service.client(scraper) as client:
        await client.get("/sessions/nosuchsession0000")
        text = (await client.get("/metrics")).text

    assert 'algoexec_http_requests_total{method="GET",route="/sessions/{session_id}",status="404"} 1.0' in text
    assert "nosuchsession0000" not in text
    assert 'algoexec_dependency_up{name="store"} 1.0' in text


async def test_who_is_about_to_stop_says_so(service: Service, local: httpx.AsyncClient) -> None:
    service.registry.leave_soon()

    answer = await local.get("/readyz")

    assert (answer.status_code, answer.json()["status"]) == (503, "leaving")
    assert (await local.get("/healthz")).status_code == 200


async def test_without_redis_it_still_works(service: Service, local: httpx.AsyncClient) -> None:
    assert (await local.get("/readyz")).json()["redis"] is None
    gone = Dependency(detail="redis does not answer: ConnectionError")
    service.app.state.services = replace(service.app.state.services, redis=lambda: gone)

    answer = await local.get("/readyz")

    assert answer.status_code == 200
    assert (answer.json()["status"], answer.json()["redis"]["ok"]) == ("degraded", False)
    assert 'algoexec_dependency_up{name="redis"} 0.0' in (await local.get("/metrics")).text
