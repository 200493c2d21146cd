"""Who may call: keys, JWT, this machine's own people, and pages of other origins."""

from datetime import datetime, timedelta
from typing import Any

import httpx
import pytest
from joserfc import jwt
from joserfc.jwk import ECKey, KeySet, OctKey, RSAKey

from algoexec.api.auth import digest_of, new_key_text
from algoexec.api.jwt import Jwks, JwtVerifier, SharedSecret
from algoexec.ports.stores import Query, Scope
from tests.api.support import MARKET_TIME, PAGE, ManualClock, Service, running_service
from tests.api.test_sessions import NEW, problem

SECRET = b"0123456789abcdef0123456789abcdef"


def claims(at: datetime = MARKET_TIME, **changes: Any) -> dict[str, Any]:
    given = {
        "sub": "asha",
        "scope": "trade",
        "aud": "algoexec",
        "exp": int((at + timedelta(minutes=5)).timestamp()),
        **changes,
    }
    return {name: value for name, value in given.items() if value is not None}


def signed(key: OctKey | RSAKey | ECKey, algorithm: str, **changes: Any) -> str:
    header = {"alg": algorithm, **({"kid": key.kid} if key.kid else {})}
    return jwt.encode(header, claims(**changes), key, algorithms=[algorithm])


def by_secret(**changes: Any) -> str:
    return signed(OctKey.import_key(SECRET), "HS256", **changes)


def secret_verifier() -> JwtVerifier:
    return JwtVerifier(SharedSecret(SECRET), "algoexec", ManualClock())


async def asked(token: str | None, **options: Any) -> httpx.Response:
    """Ask a service that takes JWT by shared secret."""
    async with running_service(verifier=secret_verifier(), **options) as service, service.client(token) as client:
        return await client.get("/sessions")


async def test_a_jwt_says_whose_and_what() -> None:
    async with running_service(verifier=secret_verifier()) as service:
        async with service.client(by_secret(scope="openid read")) as client:
            assert (await client.get("/sessions")).status_code == 200
            problem(await client.post("/sessions", json={}), 403, "forbidden")
        async with service.client(by_secret(scope="read trade")) as client:
            assert (await client.post("/sessions", json={})).json()["user_id"] == "asha"
            problem(await client.post("/sessions", json={"user_id": "bela"}), 403, "forbidden")
        async with service.client(by_secret(sub="bela", scope="admin")) as client:
            assert (await client.get("/sessions")).json()["items"] == []


@pytest.mark.parametrize(
    "changes",
    [
        {"sub": None},
        {"scope": None},
        {"aud": None},
        {"exp": None},
        {"aud": "another"},
        {"scope": "everything"},
        {"scope": 7},
        {"sub": 7},
        {"sub": ""},
        {"exp": int((MARKET_TIME - timedelta(minutes=1)).timestamp())},
        {"nbf": int((MARKET_TIME + timedelta(minutes=2)).timestamp())},
        {"exp": "tomorrow"},
    ],
)
async def test_a_jwt_that_lacks_something_is_nobody(changes: dict[str, Any]) -> None:
    problem(await asked(by_secret(**changes)), 401, "unauthenticated")


async def test_a_jwt_signed_otherwise_is_nobody() -> None:
    rsa = RSAKey.generate_key(2048)
    other = OctKey.import_key(b"another secret of thirty-two bytes or so")
    unsigned = "eyJhbGciOiJub25lIn0." + by_secret().split(".")[1] + "."

    problem(await asked(signed(rsa, "RS256")), 401, "unauthenticated")
    problem(await asked(signed(other, "HS256")), 401, "unauthenticated")
    problem(await asked(unsigned), 401, "unauthenticated")
    for nonsense in ("x", "a.b", "a.b.c", "....", "ae_x_y"):
        problem(await asked(nonsense), 401, "unauthenticated")


async def test_with_jwt_set_up_nothing_is_open() -> None:
    problem(await asked(None), 401, "unauthenticated")


def test_a_secret_that_can_be_guessed_is_refused() -> None:
    with pytest.raises(ValueError, match="at least 32 bytes"):
        SharedSecret(b"short")


class Provider:
    """An identity provider that publishes its keys, counts who asks, and can be down."""

    def __init__(self, *keys: RSAKey | ECKey) -> None:
        self.keys = list(keys)
        self.asked = 0
        self.is_down = False

    def answer(self, request: httpx.Request) -> httpx.Response:
        self.asked += 1
        if self.is_down:
            raise httpx.ConnectError("refused", request=request)
        return httpx.Response(200, json=KeySet(list(self.keys)).as_dict(private=False))

    def verifier(self, clock: ManualClock) -> JwtVerifier:
        http = httpx.AsyncClient(transport=httpx.MockTransport(self.answer))
        return JwtVerifier(Jwks("https://id.example.com/keys", http, clock), "algoexec", clock)


@pytest.mark.parametrize("algorithm", ["RS256", "ES256"])
async def test_keys_are_fetched_once_and_again_for_an_unknown_one_but_not_for_every_stranger(algorithm: str) -> None:
    def generate(kid: str) -> RSAKey | ECKey:
        if algorithm == "RS256":
            return RSAKey.generate_key(2048, {"kid": kid})
        return ECKey.generate_key("P-256", {"kid": kid})

    old, new, strange = generate("old"), generate("new"), generate("strange")
    provider, clock = Provider(old), ManualClock()
    verifier = provider.verifier(clock)

    for _ in range(3):
        assert (await verifier.verify(signed(old, algorithm))).user_id == "asha"
    assert provider.asked == 1
    provider.keys.append(new)
    clock.advance(31)
    assert (await verifier.verify(signed(new, algorithm))).scope is Scope.TRADE
    assert provider.asked == 2
    for _ in range(5):
        with pytest.raises(Exception, match="unknown key"):
            await verifier.verify(signed(strange, algorithm))
    assert provider.asked == 2


async def test_a_provider_that_is_down_is_said_so_and_what_is_known_stays_good() -> None:
    key = ECKey.generate_key("P-256", {"kid": "k"})
    provider, clock = Provider(key), ManualClock()
    verifier = provider.verifier(clock)
    provider.is_down = True
    async with running_service(verifier=verifier) as service, service.client(signed(key, "ES256")) as client:
        problem(await client.get("/sessions"), 503, "identity-unavailable")

        clock.advance(31)
        provider.is_down = False
        assert (await client.get("/sessions")).status_code == 200

        clock.advance(120)  # the token lives 5 minutes
        provider.is_down = True
        assert (await client.get("/sessions")).status_code == 200


async def test_a_key_set_accepts_no_shared_secret() -> None:
    key = RSAKey.generate_key(2048, {"kid": "k"})
    verifier = Provider(key).verifier(ManualClock())
    forged = signed(OctKey.import_key(SECRET, {"kid": "k"}), "HS256")

    with pytest.raises(Exception, match="must be signed with RS256 or ES256"):
        await verifier.verify(forged)


def test_a_new_key_is_long_random_and_stored_as_a_digest() -> None:
    text, prefix = new_key_text()

    assert text.startswith(f"ae_{prefix}_")
    assert len(text) > 50
    assert text not in digest_of(text)
    assert new_key_text()[0] != text


async def test_a_revoked_key_is_nobody(service: Service) -> None:
    key = await service.add_key("asha", Scope.READ, "asha")
    async with service.client(key) as client:
        assert (await client.get("/sessions")).status_code == 200
        await service.stores.api_keys.revoke("asha", service.clock.now())
        problem(await client.get("/sessions"), 401, "unauthenticated")


async def test_once_there_was_a_key_nobody_in_particular_gets_in_again(
    service: Service, local: httpx.AsyncClient
) -> None:
    assert (await local.get("/sessions")).status_code == 200
    await service.add_key("asha", Scope.READ, "asha")
    problem(await local.get("/sessions"), 401, "unauthenticated")
    await service.stores.api_keys.revoke("asha", service.clock.now())
    problem(await local.get("/sessions"), 401, "unauthenticated")
    async with running_service(stores=service.stores) as restarted, restarted.client() as client:
        problem(await client.get("/sessions"), 401, "unauthenticated")


async def test_beyond_loopback_nothing_is_open() -> None:
    async with running_service(open_loopback=False) as service, service.client() as client:
        problem(await client.get("/sessions"), 401, "unauthenticated")


@pytest.mark.parametrize("credential", ["Basic YTpi", "Bearer", "Bearer ", "nonsense", "ae_x_y"])
async def test_an_authorization_that_is_no_bearer_is_nobody(service: Service, credential: str) -> None:
    async with service.client(Authorization=credential) as client:
        problem(await client.get("/sessions"), 401, "unauthenticated")


@pytest.mark.parametrize("host", ["127.0.0.1:8000", "localhost:8000", "[::1]:8000", "LOCALHOST", "localhost"])
async def test_this_machines_names_are_open(service: Service, host: str) -> None:
    async with service.client(Host=host) as client:
        assert (await client.get("/sessions")).status_code == 200


@pytest.mark.parametrize(
    "host", ["rebound.example", "localhost.evil.example", "127.0.0.1.evil.example", "10.0.0.1", ""]
)
async def test_another_name_for_this_machine_is_not(service: Service, host: str) -> None:
    async with service.client(Host=host) as client:
        problem(await client.get("/sessions"), 403, "host-not-allowed")


@pytest.mark.parametrize("origin", ["https://evil.example", "null", "http://127.0.0.1:9999", "file://", "http://[", ""])
async def test_a_page_of_another_origin_gets_nothing(service: Service, origin: str) -> None:
    async with service.client(Origin=origin) as client:
        problem(await client.get("/sessions"), 403, "origin-not-allowed")
        problem(await client.post("/sessions", json=NEW), 403, "origin-not-allowed")
        answer = await client.options("/sessions", headers={"Access-Control-Request-Method": "POST"})
        problem(answer, 403, "origin-not-allowed")
        assert "access-control-allow-origin" not in answer.headers
    assert not (await service.stores.sessions.list(Query())).items


async def test_a_listed_page_may_call(service: Service) -> None:
    async with service.client(Origin=PAGE) as client:
        asked_first = await client.options(
            "/sessions",
            headers={
                "Access-Control-Request-Method": "POST",
                "Access-Control-Request-Headers": "authorization, content-type, idempotency-key",
            },
        )
        answer = await client.get("/sessions")

    assert asked_first.headers["access-control-allow-origin"] == PAGE
    assert "Idempotency-Key" in asked_first.headers["access-control-allow-headers"]
    assert answer.headers["access-control-allow-origin"] == PAGE


async def test_a_listed_page_can_read_why_its_body_is_refused(service: Service) -> None:
    async with service.client(Origin=PAGE) as client:
        form = await client.post("/sessions", content="x", headers={"Content-Type": "text/plain"})
        large = await client.post("/sessions", json=" " * 100_000)

    problem(form, 415, "unsupported-media-type")
    problem(large, 413, "body-too-large")
    assert [answer.headers["access-control-allow-origin"] for answer in (form, large)] == [PAGE, PAGE]


async def test_its_own_page_may_call(service: Service) -> None:
    async with service.client(Origin="http://127.0.0.1:8000") as client:
        assert (await client.post("/sessions", json=NEW)).status_code == 201


@pytest.mark.parametrize("kind", ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data", ""])
async def test_a_form_is_not_json(local: httpx.AsyncClient, kind: str) -> None:
    answer = await local.post("/sessions", content='{"user_id": "asha"}', headers={"Content-Type": kind})

    problem(answer, 415, "unsupported-media-type")


async def test_a_body_too_large_is_refused_however_it_is_sent(local: httpx.AsyncClient) -> None:
    async def chunks() -> Any:
        for _ in range(100):
            yield b" " * 1024

    json = {"Content-Type": "application/json"}
    problem(await local.post("/sessions", content=b" " * 100_000, headers=json), 413, "body-too-large")
    problem(await local.post("/sessions", content=chunks(), headers=json), 413, "body-too-large")
