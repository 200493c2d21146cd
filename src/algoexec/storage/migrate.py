"""Brings a database to the form that this version expects, by Beanie's migrations."""

import asyncio
import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Final

from beanie.migrations.database import DBHandler
from beanie.migrations.models import MigrationLog
from beanie.migrations.runner import MigrationNode
from pymongo import AsyncMongoClient
from pymongo.asynchronous.collection import AsyncCollection

from algoexec.domain.errors import StoreError
from algoexec.storage.connection import answered, connect

LOCK: Final = "migrations_lock"
LEASE_MS: Final = 15_000
POLL: Final = 0.1


async def migrate(uri: str, database: str, folder: Path | None = None) -> list[str]:
    """Run the migrations that were not yet run, oldest first; return their names.

    Of several processes that start at once one runs them and the others wait for it. Beanie
    knows one database a process while it migrates: not two at a time.

    Raises:
        StoreUnavailable: the database does not answer.
        StoreError: it has been migrated by a newer version than this one.
    """
    folder = folder or migrations_folder()
    async with connect(uri) as client:
        with answered():
            async with _alone(client[database][LOCK]):
                return [await _forward(node) for node in await _pending(client, database, folder)]


async def inspect(uri: str, database: str) -> tuple[bool, list[str]]:
    """Return whether the server is of a replica set, and the migrations that were not yet run, oldest first.

    Raises:
        StoreUnavailable: the database does not answer.
        StoreError: it has been migrated by a newer version than this one.
    """
    async with connect(uri) as client:
        with answered():
            hello = await client.admin.command("hello")
            pending = await _pending(client, database, migrations_folder())
            return "setName" in hello, [node.name.removesuffix(".py") for node in pending]


def migrations_folder() -> Path:
    """Return where the migrations lie: inside the installed package, else at the root of the checkout."""
    packaged = Path(__file__).parent / "_migrations"
    return packaged if packaged.is_dir() else Path(__file__).parents[3] / "migrations"


async def _pending(client: AsyncMongoClient[dict[str, Any]], database: str, folder: Path) -> list[MigrationNode]:
    # `DBHandler.set_db` would make a client of its own and never close it.
    DBHandler.client, DBHandler.database = client, client[database]  # type: ignore[attr-defined]
    node = await MigrationNode.build(folder)
    if node.name == "root" and (last := await MigrationLog.find_one({"is_current": True})) is not None:
        # Beanie would begin with the first one again.
        raise StoreError(f"the database is at {last.name}, which this version does not know: it is newer")
    pending: list[MigrationNode] = []
    while node.next_migration is not None:
        node = node.next_migration
        pending.append(node)
    return pending


async def _forward(node: MigrationNode) -> str:
    # No transaction: indexes cannot be made in one.
    await node.run_forward(allow_index_dropping=False, use_transaction=False)
    return node.name.removesuffix(".py")


@asynccontextmanager
async def _alone(locks: AsyncCollection[dict[str, Any]]) -> AsyncIterator[None]:
    """Hold the database's migration lock. If its holder is killed it is free after a lease, by the server's clock."""
    ours = {"_id": "migrate", "owner": secrets.token_hex(8)}
    until = {"$add": ["$$NOW", LEASE_MS]}
    await locks.update_one({"_id": "migrate"}, {"$setOnInsert": {"owner": None}}, upsert=True)
    is_free = {"_id": "migrate", "$expr": {"$or": [{"$eq": ["$owner", None]}, {"$lte": ["$until", "$$NOW"]}]}}
    while True:
        taken = await locks.update_one(is_free, [{"$set": {**ours, "until": until}}])
        if taken.matched_count:
            break
        await asyncio.sleep(POLL)
    keeping = asyncio.create_task(_keep(locks, ours, until))
    try:
        yield
    finally:
        keeping.cancel()
        await asyncio.wait([keeping])
        await locks.update_one(ours, {"$set": {"owner": None}})


async def _keep(locks: AsyncCollection[dict[str, Any]], ours: dict[str, Any], until: dict[str, Any]) -> None:
    while True:
        await asyncio.sleep(LEASE_MS / 3000)
        await locks.update_one(ours, [{"$set": {"until": until}}])
