"""Services for the tests of the API."""

from collections.abc import AsyncIterator
from dataclasses import dataclass

import httpx
import pytest
import pytest_asyncio

from algoexec.ports.stores import Scope
from algoexec.telemetry import configure_logging
from tests.api.support import Service, running_service


@pytest.fixture(autouse=True)
def _logging() -> None:
    """Log as the service does: structlog's own default draws tracebacks, which takes seconds."""
    configure_logging("json", "error")


@pytest_asyncio.fixture
async def service() -> AsyncIterator[Service]:
    """A service on a machine of one's own: open to its loopback."""
    async with running_service() as running:
        yield running


@pytest_asyncio.fixture
async def local(service: Service) -> AsyncIterator[httpx.AsyncClient]:
    """Somebody who sits at the machine."""
    async with service.client() as client:
        yield client


@dataclass
class Callers:
    """A closed service and those who may call it."""

    service: Service
    anonymous: httpx.AsyncClient
    asha: httpx.AsyncClient
    asha_reads: httpx.AsyncClient
    bela: httpx.AsyncClient
    backend: httpx.AsyncClient


@pytest_asyncio.fixture
async def callers() -> AsyncIterator[Callers]:
    """A service with keys: two users, one of them also with a key that may only read, and a service."""
    async with running_service() as running:
        asha = running.client(await running.add_key("asha", Scope.TRADE, "asha"))
        reads = running.client(await running.add_key("asha-reads", Scope.READ, "asha"))
        bela = running.client(await running.add_key("bela", Scope.TRADE, "bela"))
        backend = running.client(await running.add_key("backend", Scope.TRADE, None))
        async with running.client() as anonymous, asha, reads, bela, backend:
            yield Callers(running, anonymous, asha, reads, bela, backend)
