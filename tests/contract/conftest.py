"""Fixtures of the contract suites."""

import pytest

from algoexec.adapters.memory import MemoryStores
from algoexec.ports.stores import Stores
from tests.fixtures_mongo import cipher, database, mongo_stores, mongod

__all__ = ["cipher", "database", "mongo_stores", "mongod"]


@pytest.fixture(params=["memory", "mongodb"])
def stores(request: pytest.FixtureRequest) -> Stores:
    """Return empty stores of each kind in turn."""
    if request.param == "memory":
        return MemoryStores()
    found: Stores = request.getfixturevalue("mongo_stores")
    return found
