"""All stores of one MongoDB database."""

from contextlib import AsyncExitStack
from typing import Any, Self

from pymongo import AsyncMongoClient

from algoexec.engine.version import ENGINE_VERSION
from algoexec.storage.access import MongoApiKeys, MongoEgresses, MongoIdempotency, MongoKillSwitches, MongoTokens
from algoexec.storage.connection import PING_TIMEOUT_S, answered, connect
from algoexec.storage.crypto import TokenCipher
from algoexec.storage.documents import Collections
from algoexec.storage.journal import MongoJournal
from algoexec.storage.projections import MongoProjections
from algoexec.storage.sessions import MongoSessions
from algoexec.storage.snapshots import MongoSnapshots


class MongoStores:
    """All stores of one database, over one client. Made by `open`, ended by `close` or `async with`."""

    def __init__(
        self, client: AsyncMongoClient[dict[str, Any]], collections: Collections, cipher: TokenCipher, engine: str
    ) -> None:
        """Take over an open client; `open` is the way in."""
        self._client = client
        self.journal = MongoJournal(collections)
        self.snapshots = MongoSnapshots(collections, engine)
        self.sessions = MongoSessions(collections)
        self.projections = MongoProjections(collections)
        self.tokens = MongoTokens(collections, cipher)
        self.egresses = MongoEgresses(collections, cipher)
        self.api_keys = MongoApiKeys(collections)
        self.idempotency = MongoIdempotency(collections)
        self.kill_switches = MongoKillSwitches(collections)

    @classmethod
    async def open(cls, uri: str, database: str, cipher: TokenCipher, engine: str = ENGINE_VERSION) -> Self:
        """Connect and see to the indexes. Snapshots of another `engine` version are left alone.

        Raises:
            StoreUnavailable: the database does not answer.
        """
        async with AsyncExitStack() as undo:
            client = await undo.enter_async_context(connect(uri))
            with answered():
                collections = await Collections.prepare(client[database])
            undo.pop_all()
        return cls(client, collections, cipher, engine)

    async def ping(self) -> None:
        """Return once the database has answered; `StoreUnavailable` if it does not."""
        with answered(within=PING_TIMEOUT_S):
            await self._client.admin.command("ping")

    async def close(self) -> None:
        """Let the connections go."""
        await self._client.close()

    async def __aenter__(self) -> Self:
        """Hand out the stores."""
        return self

    async def __aexit__(self, *_: object) -> None:
        """Close them."""
        await self.close()
