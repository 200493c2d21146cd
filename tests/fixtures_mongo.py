"""A real MongoDB for tests: one server per test process, one database per test.

Import the fixtures into a conftest: `from tests.fixtures_mongo import cipher, database, mongo_stores, mongod`.
"""

import asyncio
import secrets
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest
from pymongo import AsyncMongoClient

from algoexec.storage.crypto import TokenCipher
from algoexec.storage.embedded import EmbeddedMongod
from algoexec.storage.mongod_binary import MongodNotFound, find_mongod
from algoexec.storage.stores import MongoStores


@pytest.fixture(scope="session")
def mongod(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedMongod]:
    """Start a server; skip where there is no mongod."""
    try:
        find_mongod()
    except MongodNotFound as error:
        pytest.skip(str(error))
    server = EmbeddedMongod(tmp_path_factory.mktemp("mongod"))
    asyncio.run(server.start())
    yield server
    asyncio.run(server.stop())


@pytest.fixture
def database() -> str:
    """Return the name of a database of the test's own."""
    return f"test_{secrets.token_hex(6)}"


@pytest.fixture
def cipher() -> TokenCipher:
    """Return a cipher with a key that nobody else has."""
    return TokenCipher(secrets.token_hex(16))


@pytest.fixture
async def mongo_stores(mongod: EmbeddedMongod, database: str, cipher: TokenCipher) -> AsyncIterator[MongoStores]:
    """Open stores on the test's database, and drop it afterwards."""
    async with await MongoStores.open(mongod.uri, database, cipher, engine="1.0") as stores:
        yield stores
    async with AsyncMongoClient[dict[str, Any]](mongod.uri) as client:
        await client.drop_database(database)
