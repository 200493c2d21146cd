"""The newest folded state of each session."""

from dataclasses import replace
from datetime import datetime

from pymongo.errors import DuplicateKeyError

from algoexec.domain.errors import DecodeError
from algoexec.domain.instruments import Contracts
from algoexec.engine.state import EngineState
from algoexec.storage.codec import BSON, Document
from algoexec.storage.connection import answered
from algoexec.storage.documents import Collections, SnapshotDocument


class MongoSnapshots:
    """One document a session, replaced by newer states only.

    The day's contracts are three quarters of a state and never change while it runs: they
    are written once and stay where they are.
    """

    def __init__(self, collections: Collections, engine: str) -> None:
        """Write and trust snapshots of this engine version only."""
        self._collection = collections[SnapshotDocument]
        self._engine = engine
        self._contracts: dict[str, Contracts] = {}

    async def save(self, state: EngineState, recorded_at: datetime) -> None:
        """Keep `state` as of its `seq`; an older snapshot of the session goes."""
        lean = {
            "seq": state.seq,
            "engine": self._engine,
            "recorded_at": recorded_at,
            "state": BSON.encode(replace(state, contracts=None)),
        }
        if not await self._refresh(state, lean):
            await self._write(state, lean)
        if state.status.is_over:
            self._contracts.pop(state.session_id, None)

    async def newest(self, session_id: str) -> EngineState | None:
        """Return the newest snapshot; None when there is none or it is of another engine version."""
        with answered():
            found = await self._collection.find_one({"_id": session_id, "engine": self._engine})
        if found is None:
            return None
        try:
            return BSON.decode(EngineState, {**found["state"], "contracts": found["contracts"]})
        except DecodeError:
            # The state has changed its form within a version. The journal holds everything.
            return None

    async def _refresh(self, state: EngineState, lean: Document) -> bool:
        """Write all but the contracts, where those that stand there are known to be ours."""
        if state.contracts is None or self._contracts.get(state.session_id) is not state.contracts:
            return False
        older = {"_id": state.session_id, "engine": self._engine, "seq": {"$lte": state.seq}}
        with answered():
            done = await self._collection.update_one(older, {"$set": lean})
        return done.matched_count == 1

    async def _write(self, state: EngineState, lean: Document) -> None:
        contracts = None if state.contracts is None else BSON.encode(state.contracts)
        older = {"_id": state.session_id, "seq": {"$lte": state.seq}}
        with answered():
            try:
                await self._collection.replace_one(older, {**lean, "contracts": contracts}, upsert=True)
            except DuplicateKeyError:
                return  # A newer snapshot stands there.
        if state.contracts is not None:
            self._contracts[state.session_id] = state.contracts
