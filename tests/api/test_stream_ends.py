"""Open streams end with the credential that opened them, and without a trace when the database goes."""

import asyncio
from collections.abc import Callable

import httpx
import pytest

from algoexec.domain.errors import StoreUnavailable
from algoexec.ports.stores import Scope
from algoexec.telemetry import configure_logging
from tests.api.support import Service
from tests.api.test_auth import by_secret, secret_verifier
from tests.api.test_stream import Here, closing, frame, here

OFTEN = 0.02
OVER = "the credential is revoked or expired"


async def events(at: Here, key: str | None, on_snapshot: Callable[[], object] = lambda: None) -> str:
    """Return all that an event stream said until the service ended it."""
    headers = {"Authorization": f"Bearer {key}"} if key else {}
    said: list[str] = []
    async with (
        asyncio.timeout(10),
        httpx.AsyncClient(base_url=f"http://{at.address}", trust_env=False) as http,
        http.stream("GET", "/events", headers=headers) as answer,
    ):
        async for line in answer.aiter_lines():
            said.append(line)
            if line == "event: snapshot":
                on_snapshot()
    return "\n".join(said)


async def revoke(service: Service) -> None:
    await service.stores.api_keys.revoke("asha", service.clock.now())


async def test_a_socket_ends_with_its_key() -> None:
    async with here(credential_check=OFTEN) as at:
        key = await at.service.add_key("asha", Scope.READ, "asha")
        async with at.socket(key=key) as socket:
            await frame(socket)
            await revoke(at.service)
            assert await closing(socket) == (4401, OVER)


async def test_a_socket_that_a_ticket_opened_ends_with_the_key_behind_it() -> None:
    async with here(credential_check=OFTEN) as at:
        key = await at.service.add_key("asha", Scope.READ, "asha")
        async with at.service.client(key) as http:
            ticket = (await http.post("/ws/tickets")).json()["ticket"]
        async with at.socket(subprotocols=["algoexec.v1", f"ticket.{ticket}"]) as socket:
            await frame(socket)
            await revoke(at.service)
            assert (await closing(socket))[0] == 4401


async def test_a_socket_ends_with_its_jwt() -> None:
    async with here(credential_check=OFTEN, verifier=secret_verifier()) as at, at.socket(key=by_secret()) as socket:
        await frame(socket)
        at.service.clock.advance(5 * 60 + 31)
        assert (await closing(socket))[0] == 4401


async def test_what_nobody_in_particular_opened_ends_with_the_first_key() -> None:
    async with here(credential_check=OFTEN) as at, at.socket() as socket:
        await frame(socket)
        await at.service.add_key("asha", Scope.READ, "asha")
        assert (await closing(socket))[0] == 4401


async def test_nobody_is_thrown_out_while_keys_cannot_be_looked_up() -> None:
    async with here(credential_check=OFTEN) as at:
        key = await at.service.add_key("asha", Scope.READ, "asha")
        async with at.socket(key=key) as socket:
            await frame(socket)
            at.service.stores.is_available = False
            await asyncio.sleep(5 * OFTEN)
            at.service.stores.is_available = True
            assert socket.close_code is None


async def test_events_end_with_their_key() -> None:
    async with here(credential_check=OFTEN) as at:
        key = await at.service.add_key("asha", Scope.READ, "asha")
        revoking: list[asyncio.Task[None]] = []
        said = await events(at, key, lambda: revoking.append(asyncio.create_task(revoke(at.service))))

    assert "event: snapshot" in said
    assert f": {OVER}" in said


async def test_events_end_cleanly_when_the_database_goes(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    async def away(*_: object, **__: object) -> None:
        raise StoreUnavailable("scripted")

    configure_logging("json", "warning")
    async with here() as at:
        monkeypatch.setattr(at.service.registry, "list", away)
        said = await events(at, None)

    assert said.startswith("retry: ")
    assert ": the database does not answer" in said
    logged = "".join(capsys.readouterr())
    assert logged.count("stream ended") == 1
    assert "Traceback" not in logged
