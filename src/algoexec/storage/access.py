"""Who may do what: broker tokens, API keys, and the answers already given. Rarely touched, so through Beanie."""

from collections.abc import Sequence
from datetime import datetime

from beanie import SortDirection
from pymongo.errors import DuplicateKeyError

from algoexec.domain.errors import StoreError
from algoexec.ports.credentials import AccessToken
from algoexec.ports.stores import ApiKey, Scope, StoredAnswer
from algoexec.storage.connection import answered
from algoexec.storage.crypto import TokenCipher
from algoexec.storage.documents import ApiKeyDocument, Collections, IdempotencyDocument, TokenDocument


class MongoTokens:
    """Broker access tokens, encrypted at rest."""

    def __init__(self, collections: Collections, cipher: TokenCipher) -> None:
        """Seal and open with `cipher`."""
        self._documents = collections[TokenDocument]
        self._cipher = cipher

    async def put(self, session_id: str, token: AccessToken, expires_at: datetime) -> None:
        """Keep the session's token until wall time `expires_at`."""
        sealed = self._cipher.seal(token.reveal())
        with answered():
            await self._documents(id=session_id, sealed=sealed, expires_at=expires_at).save()

    async def get(self, session_id: str, now: datetime) -> AccessToken | None:
        """Return the token; None when there is none, it is dead, or its key is gone."""
        with answered():
            found = await self._documents.get(session_id)
        if found is None or found.expires_at <= now:
            return None
        text = self._cipher.open(found.sealed)
        return None if text is None else AccessToken(text)

    async def delete(self, session_id: str) -> None:
        """Forget the token."""
        with answered():
            await self._documents.find({"_id": session_id}).delete()


class MongoApiKeys:
    """API keys, stored as SHA-256 digests."""

    def __init__(self, collections: Collections) -> None:
        """Use the bound documents."""
        self._documents = collections[ApiKeyDocument]

    async def add(self, key: ApiKey) -> None:
        """Add a key."""
        document = self._documents(
            id=key.id,
            prefix=key.prefix,
            digest=key.digest,
            scope=key.scope.value,
            user_id=key.user_id,
            created_at=key.created_at,
            revoked_at=key.revoked_at,
        )
        with answered():
            try:
                await document.insert()
            except DuplicateKeyError as error:
                raise StoreError(f"API key {key.id} exists") from error

    async def by_digest(self, digest: str) -> ApiKey | None:
        """Return the living key with that digest."""
        with answered():
            found = await self._documents.find_one({"digest": digest, "revoked_at": None})
        return _key(found) if found else None

    async def list(self) -> Sequence[ApiKey]:
        """Return all keys, newest first."""
        with answered():
            found = await self._documents.find().sort([("created_at", SortDirection.DESCENDING)]).to_list()
        return [_key(document) for document in found]

    async def revoke(self, key_id: str, at: datetime) -> bool:
        """Revoke a key; False when it is unknown or already revoked."""
        living = self._documents.find({"_id": key_id, "revoked_at": None})
        with answered():
            result = await living.update({"$set": {"revoked_at": at}})
        return bool(result.modified_count)

    async def any(self) -> bool:
        """Return whether a living key exists: then anonymous access is over."""
        with answered():
            return await self._documents.find_one({"revoked_at": None}) is not None


class MongoIdempotency:
    """Answers remembered under (caller, method, path, key)."""

    def __init__(self, collections: Collections) -> None:
        """Use the bound documents; `_id` is the scope, so of two reservations one wins."""
        self._documents = collections[IdempotencyDocument]

    async def begin(self, scope: str, request_mac: str, now: datetime, until: datetime) -> StoredAnswer | None:
        """Reserve `scope`; None when it is ours now, else what is stored under it."""
        reservation = self._documents(id=scope, request_mac=request_mac, expires_at=until)
        while True:
            with answered():
                await self._documents.find({"_id": scope, "expires_at": {"$lte": now}}).delete()
                try:
                    await reservation.insert()
                except DuplicateKeyError:
                    found = await self._documents.get(scope)
                else:
                    return None
            if found is not None:
                return _answer(found)
            # It was forgotten between the two questions: ask again.

    async def finish(self, scope: str, answer: StoredAnswer) -> None:
        """Keep the answer."""
        kept = {
            "request_mac": answer.request_mac,
            "status": answer.status,
            "body": answer.body,
            "headers": [list(header) for header in answer.headers],
        }
        with answered():
            await self._documents.find({"_id": scope}).update({"$set": kept})

    async def forget(self, scope: str) -> None:
        """Drop the reservation: the request failed on our side and may be tried again."""
        with answered():
            await self._documents.find({"_id": scope, "status": None}).delete()


def _key(document: ApiKeyDocument) -> ApiKey:
    return ApiKey(
        id=document.id,
        prefix=document.prefix,
        digest=document.digest,
        scope=Scope(document.scope),
        user_id=document.user_id,
        created_at=document.created_at,
        revoked_at=document.revoked_at,
    )


def _answer(document: IdempotencyDocument) -> StoredAnswer:
    return StoredAnswer(
        request_mac=document.request_mac,
        status=document.status,
        body=document.body,
        headers=tuple(document.headers),
    )
