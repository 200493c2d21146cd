"""Who may do what: broker tokens, ways out, API keys, kill switches, and the answers already given."""

from collections.abc import Sequence
from datetime import datetime
from typing import Final

import orjson
from pymongo import DESCENDING
from pymongo.errors import DuplicateKeyError

from algoexec.domain.errors import DecodeError, StoreError
from algoexec.ports.credentials import AccessToken
from algoexec.ports.egress import DIRECT, Egress, ProxyAddress
from algoexec.ports.stores import ApiKey, StoredAnswer
from algoexec.ports.trading import KillSwitch
from algoexec.storage.codec import BSON, Document
from algoexec.storage.connection import answered
from algoexec.storage.crypto import TokenCipher
from algoexec.storage.documents import (
    ApiKeyDocument,
    Collections,
    EgressDocument,
    IdempotencyDocument,
    KillSwitchDocument,
    TokenDocument,
)


class MongoTokens:
    """Broker access tokens, encrypted at rest."""

    def __init__(self, collections: Collections, cipher: TokenCipher) -> None:
        """Seal and open with `cipher`."""
        self._collection = collections[TokenDocument]
        self._cipher = cipher

    async def put(self, session_id: str, token: AccessToken, expires_at: datetime) -> None:
        """Keep the session's token until wall time `expires_at`."""
        sealed = self._cipher.seal(token.reveal())
        with answered():
            await self._collection.replace_one(
                {"_id": session_id}, {"sealed": sealed, "expires_at": expires_at}, upsert=True
            )

    async def get(self, session_id: str, now: datetime) -> AccessToken | None:
        """Return the token; None when there is none, it is dead, or its key is gone."""
        with answered():
            found = await self._collection.find_one({"_id": session_id, "expires_at": {"$gt": now}})
        text = self._cipher.open(found["sealed"]) if found else None
        return None if text is None else AccessToken(text)

    async def delete(self, session_id: str) -> None:
        """Forget the token."""
        with answered():
            await self._collection.delete_one({"_id": session_id})


class MongoEgresses:
    """How the orders of sessions leave, encrypted at rest."""

    def __init__(self, collections: Collections, cipher: TokenCipher) -> None:
        """Seal and open with `cipher`."""
        self._collection = collections[EgressDocument]
        self._cipher = cipher

    async def put(self, session_id: str, egress: Egress) -> None:
        """Keep it until it is deleted."""
        proxy = None if egress.proxy is None else egress.proxy.reveal()
        sealed = self._cipher.seal(orjson.dumps([proxy, egress.algo]).decode())
        with answered():
            await self._collection.replace_one({"_id": session_id}, {"sealed": sealed}, upsert=True)

    async def get(self, session_id: str) -> Egress:
        """Return it; `DecodeError` when its key is gone."""
        with answered():
            found = await self._collection.find_one({"_id": session_id})
        if found is None:
            return DIRECT
        text = self._cipher.open(found["sealed"])
        if text is None:
            raise DecodeError("the egress proxy cannot be read any more: none of the secret keys opens it")
        proxy, algo = orjson.loads(text)
        return Egress(None if proxy is None else ProxyAddress(proxy), algo)

    async def delete(self, session_id: str) -> None:
        """Forget it."""
        with answered():
            await self._collection.delete_one({"_id": session_id})


class MongoApiKeys:
    """API keys, stored as SHA-256 digests."""

    def __init__(self, collections: Collections) -> None:
        """Use the keys' collection."""
        self._collection = collections[ApiKeyDocument]

    async def add(self, key: ApiKey) -> None:
        """Add a key."""
        document = BSON.encode(key)
        document["_id"] = document.pop("id")
        with answered():
            try:
                await self._collection.insert_one(document)
            except DuplicateKeyError as error:
                raise StoreError(f"API key {key.id} exists") from error

    async def by_digest(self, digest: str) -> ApiKey | None:
        """Return the living key with that digest."""
        with answered():
            found = await self._collection.find_one({"digest": digest, "revoked_at": None})
        return _key(found) if found else None

    async def list(self) -> Sequence[ApiKey]:
        """Return all keys, newest first."""
        with answered():
            return [_key(found) async for found in self._collection.find().sort("created_at", DESCENDING)]

    async def revoke(self, key_id: str, at: datetime) -> bool:
        """Revoke a key; False when it is unknown or already revoked."""
        with answered():
            done = await self._collection.update_one({"_id": key_id, "revoked_at": None}, {"$set": {"revoked_at": at}})
        return done.modified_count == 1

    async def any(self) -> bool:
        """Return whether a key was ever added, revoked or not: then anonymous access is over for good."""
        with answered():
            return await self._collection.find_one() is not None


class MongoIdempotency:
    """Answers remembered under (caller, method, path, key)."""

    def __init__(self, collections: Collections) -> None:
        """Use the answers' collection; `_id` is the scope, so of two reservations one wins."""
        self._collection = collections[IdempotencyDocument]

    async def begin(self, scope: str, request_mac: str, now: datetime, until: datetime) -> StoredAnswer | None:
        """Reserve `scope` until `until`; None when it is ours now, else what is stored under it."""
        reservation = {
            "_id": scope,
            "request_mac": request_mac,
            "expires_at": until,
            "status": None,
            "body": b"",
            "headers": [],
        }
        while True:
            with answered():
                # MongoDB itself removes what is over, but only once a minute.
                await self._collection.delete_one({"_id": scope, "expires_at": {"$lte": now}})
                try:
                    await self._collection.insert_one(reservation)
                except DuplicateKeyError:
                    found = await self._collection.find_one({"_id": scope})
                else:
                    return None
            if found is not None:
                return _answer(found)
            # It was dropped between the two questions: ask again.

    async def finish(self, scope: str, answer: StoredAnswer, until: datetime) -> None:
        """Keep the answer until `until`."""
        kept = {
            "expires_at": until,
            "request_mac": answer.request_mac,
            "status": answer.status,
            "body": answer.body,
            "headers": [list(header) for header in answer.headers],
        }
        with answered():
            await self._collection.update_one({"_id": scope}, {"$set": kept})

    async def forget(self, scope: str) -> None:
        """Drop the reservation; an answer that was given stays."""
        with answered():
            await self._collection.delete_one({"_id": scope, "status": None})


class MongoKillSwitches:
    """The kill switches that are on; `_id` says whose."""

    def __init__(self, collections: Collections) -> None:
        """Use the switches' collection."""
        self._collection = collections[KillSwitchDocument]

    async def put(self, switch: KillSwitch) -> None:
        """Turn a switch on; one that is on already stays as it was."""
        with answered():
            await self._collection.update_one(
                {"_id": _whose(switch.user_id)}, {"$setOnInsert": BSON.encode(switch)}, upsert=True
            )

    async def delete(self, user_id: str | None) -> None:
        """Turn the switch of that user off, or with None that of everybody."""
        with answered():
            await self._collection.delete_one({"_id": _whose(user_id)})

    async def list(self) -> Sequence[KillSwitch]:
        """Return those that are on, oldest first."""
        with answered():
            found = await self._collection.find({}, {"_id": 0}).sort("at").to_list()
        return [BSON.decode(KillSwitch, one) for one in found]


_EVERYBODY: Final = "all"


def _whose(user_id: str | None) -> str:
    return _EVERYBODY if user_id is None else f"user:{user_id}"


def _key(document: Document) -> ApiKey:
    return BSON.decode(ApiKey, {"id" if name == "_id" else name: value for name, value in document.items()})


def _answer(document: Document) -> StoredAnswer:
    return StoredAnswer(
        request_mac=document["request_mac"],
        status=document["status"],
        body=document["body"],
        headers=tuple((name, value) for name, value in document["headers"]),
    )
