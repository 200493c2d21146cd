"""Migrations run once, forward, and one at a time."""

import asyncio
from pathlib import Path

import pytest
from pymongo import AsyncMongoClient

from algoexec.domain.errors import StoreError, StoreUnavailable
from algoexec.domain.instruments import BANK_NIFTY
from algoexec.engine.events import Mode
from algoexec.ports.trading import Consequences
from algoexec.storage.documents import DOCUMENTS
from algoexec.storage.embedded import EmbeddedMongod
from algoexec.storage.migrate import LOCK, migrate, migrations_folder
from algoexec.storage.stores import MongoStores
from tests.contract.given import ALL, entry, row
from tests.contract.given_trading import refusal

SECOND = """
from beanie import free_fall_migration

class Forward:
    @free_fall_migration(document_models=[])
    async def count(self, session):
        await session.client["{database}"]["runs"].insert_one({{}}, session=session)
"""


@pytest.fixture
def folder(tmp_path: Path, database: str) -> Path:
    """Return a folder with our migrations and one that counts its runs."""
    for file in migrations_folder().glob("m*.py"):
        (tmp_path / file.name).write_text(file.read_text("utf-8"), "utf-8")
    (tmp_path / "m9999_count.py").write_text(SECOND.format(database=database), "utf-8")
    return tmp_path


def names_in(folder: Path) -> list[str]:
    return sorted(path.stem for path in folder.glob("m*.py"))


async def test_an_empty_database_gets_all_of_them_once(mongod: EmbeddedMongod, database: str) -> None:
    assert await migrate(mongod.uri, database) == names_in(migrations_folder())
    assert await migrate(mongod.uri, database) == []

    async with AsyncMongoClient[dict[str, object]](mongod.uri) as client:
        indexed = {one.Settings.name for one in DOCUMENTS if getattr(one.Settings, "indexes", ())}
        assert indexed <= set(await client[database].list_collection_names())


async def test_a_database_in_use_keeps_what_it_has(
    mongo_stores: MongoStores, mongod: EmbeddedMongod, database: str
) -> None:
    await mongo_stores.journal.append([entry(1)])

    assert await migrate(mongod.uri, database)

    assert await mongo_stores.journal.read("s1") == [entry(1)]


async def test_only_what_was_not_run_is_run(mongod: EmbeddedMongod, database: str, folder: Path) -> None:
    await migrate(mongod.uri, database)

    assert await migrate(mongod.uri, database, folder) == ["m9999_count"]


async def test_of_several_that_start_at_once_one_migrates(mongod: EmbeddedMongod, database: str, folder: Path) -> None:
    ran = await asyncio.gather(*(migrate(mongod.uri, database, folder) for _ in range(4)))

    assert sorted(ran, key=len)[-1] == names_in(folder)
    assert sum(map(len, ran)) == len(names_in(folder))
    async with AsyncMongoClient[dict[str, object]](mongod.uri) as client:
        assert await client[database]["runs"].count_documents({}) == 1


async def test_the_lock_of_one_that_was_killed_is_free_after_its_lease(mongod: EmbeddedMongod, database: str) -> None:
    async with AsyncMongoClient[dict[str, object]](mongod.uri) as client:
        dead = [{"$set": {"owner": "dead", "until": {"$subtract": ["$$NOW", 1]}}}]
        await client[database][LOCK].update_one({"_id": "migrate"}, dead, upsert=True)

    assert await migrate(mongod.uri, database)


async def test_a_newer_database_is_left_alone(mongod: EmbeddedMongod, database: str, folder: Path) -> None:
    await migrate(mongod.uri, database, folder)

    with pytest.raises(StoreError, match="newer"):
        await migrate(mongod.uri, database)


async def test_without_a_database_nothing_is_migrated() -> None:
    with pytest.raises(StoreUnavailable):
        await migrate("mongodb://127.0.0.1:1", "x")


async def test_days_and_refusals_from_before_they_were_kept_are_found(
    mongo_stores: MongoStores, mongod: EmbeddedMongod, database: str
) -> None:
    await mongo_stores.sessions.create(row("s1", mode=Mode.PAPER))
    await mongo_stores.projections.project("v1", BANK_NIFTY, "u1", [entry(2, refusal("s1-1-0"))])
    async with AsyncMongoClient[dict[str, object]](mongod.uri) as client:
        # As a version left them that knew neither.
        await client[database]["orders"].update_many({}, {"$unset": {"signal_id": ""}})
    assert await mongo_stores.projections.consequences({"s1-1-0"}) == {}

    await migrate(mongod.uri, database)

    [day] = (await mongo_stores.projections.days(ALL)).items
    assert (day.sessions, day.mode, day.refusals) == (("s1",), Mode.PAPER, {"MAX_TRADES": 1})
    assert await mongo_stores.projections.consequences({"s1-1-0"}) == {
        "s1-1-0": Consequences(told=(refusal("s1-1-0"),))
    }
