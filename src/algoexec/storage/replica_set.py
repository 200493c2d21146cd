"""Making a lone mongod a replica set of one, for transactions and change streams need one."""

from pathlib import Path
from typing import Any, Final

import pymongo
from pymongo import AsyncMongoClient
from pymongo.errors import OperationFailure, PyMongoError

ANSWER_TIMEOUT_MS: Final = 2_000

NOT_YET_INITIALIZED: Final = 94
"""Source: MongoDB 6.0 error codes."""


def _client(host: str, port: int) -> AsyncMongoClient[dict[str, Any]]:
    return AsyncMongoClient(host, port, directConnection=True, serverSelectionTimeoutMS=ANSWER_TIMEOUT_MS)


async def answers_for(host: str, port: int, data: Path) -> bool:
    """Return whether a mongod that serves the folder `data` answers there."""
    async with _client(host, port) as client:
        try:
            with pymongo.timeout(ANSWER_TIMEOUT_MS / 1000):
                options = await client.admin.command("getCmdLineOpts")
        except PyMongoError:
            return False
    path: str | None = options["parsed"].get("storage", {}).get("dbPath")
    return path is not None and Path(path) == data


async def become_primary(host: str, port: int) -> None:
    """Return once the mongod there is the primary of its own replica set."""
    async with _client(host, port) as client:
        await _configure(client, f"{host}:{port}")
        hello = await client.admin.command("hello")
        while not hello["isWritablePrimary"]:
            # Answered as soon as the server's place in its set changes.
            known = {"topologyVersion": hello["topologyVersion"], "maxAwaitTimeMS": ANSWER_TIMEOUT_MS // 2}
            hello = await client.admin.command("hello", **known)


async def _configure(client: AsyncMongoClient[dict[str, Any]], member: str) -> None:
    """Begin the set, or tell it that its one member has moved to another port."""
    try:
        config = (await client.admin.command("replSetGetConfig"))["config"]
    except OperationFailure as error:
        if error.code != NOT_YET_INITIALIZED:
            raise
        fresh = {"_id": "algoexec", "members": [{"_id": 0, "host": member}]}
        await client.admin.command("replSetInitiate", fresh)
        return
    if config["members"][0]["host"] != member:
        config["members"][0]["host"] = member
        config["version"] += 1
        await client.admin.command("replSetReconfig", config, force=True)
