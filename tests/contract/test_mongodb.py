"""What holds for MongoDB alone: what lies on the disk, and what happens when it goes away."""

import asyncio
import os
import signal
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import bson
import pytest
from beanie import init_beanie
from pymongo.asynchronous.database import AsyncDatabase

from algoexec.domain.errors import DecodeError, FenceLost, StoreUnavailable
from algoexec.domain.instruments import BANK_NIFTY
from algoexec.domain.signals import Reason
from algoexec.engine.effects import SessionChanged, Status
from algoexec.engine.events import DayPrepared, FeedStatus
from algoexec.ports.credentials import AccessToken
from algoexec.ports.egress import Egress, ProxyAddress
from algoexec.ports.stores import ApiKey, JournalEntry, Scope
from algoexec.ports.trading import KillSwitch
from algoexec.storage.connection import connect
from algoexec.storage.crypto import TokenCipher
from algoexec.storage.documents import DOCUMENTS, SnapshotDocument
from algoexec.storage.embedded import EmbeddedMongod
from algoexec.storage.stores import MongoStores
from tests.contract.given import AT, alert, candle, contracts, entry, minute, reading, row, state
from tests.contract.given import signal as a_signal
from tests.contract.given_trading import began, order, refusal, trade

EGRESS = Egress(ProxyAddress("http://ann:very-secret@proxy.example:3128"), "scalper")
TOKEN = AccessToken("eyJ0eXAiOiJKV1QiLCJhbGciOiJIUzI1NiJ9.very-secret")


@pytest.fixture
async def raw(mongod: EmbeddedMongod, database: str) -> AsyncIterator[AsyncDatabase[dict[str, Any]]]:
    """Return the test's database itself."""
    async with connect(mongod.uri) as client:
        yield client[database]


async def fill(stores: MongoStores) -> None:
    """Store one of everything."""
    said = SessionChanged(status=Status.RUNNING, reason=None, halted=None, feed=FeedStatus.CONNECTED)
    one = entry(1, said, alert(), candle(0), reading(1), a_signal("s1-1-0", 1), a_signal("s1-1-1", 1, Reason.PCR))
    await stores.sessions.create(row())
    await stores.journal.append([one])
    await stores.journal.append([entry(2)])
    await stores.snapshots.save(state(DayPrepared(contracts=contracts())), AT)
    traded = entry(2, order("s1-2-0"), refusal("s1-1-0"), trade("s1-2", 2), first_frame=9)
    await stores.projections.project("v1", BANK_NIFTY, "u1", [began(), one, traded])
    await stores.kill_switches.put(KillSwitch(user_id=None, by="key:k", reason="news", at=AT))
    await stores.tokens.put("s1", TOKEN, minute(100_000))
    await stores.egresses.put("s1", EGRESS)
    await stores.api_keys.add(ApiKey(id="k", prefix="ae_1", digest="d", scope=Scope.READ, user_id=None, created_at=AT))
    await stores.idempotency.begin("scope", "mac", AT, minute(100_000))


async def test_every_stored_document_is_what_its_class_says(
    mongo_stores: MongoStores, raw: AsyncDatabase[dict[str, Any]]
) -> None:
    await fill(mongo_stores)

    await init_beanie(database=raw, document_models=list(DOCUMENTS))
    for document in DOCUMENTS:
        stored = await raw[document.Settings.name].find().to_list()
        assert stored, f"nothing in {document.Settings.name}"
        for one in stored:
            known = {field.alias or name for name, field in document.model_fields.items()}
            assert one.keys() <= known, document
            document.model_validate(one)


async def test_a_token_at_rest_cannot_be_read(mongo_stores: MongoStores, raw: AsyncDatabase[dict[str, Any]]) -> None:
    await mongo_stores.tokens.put("s1", TOKEN, minute(100_000))
    await mongo_stores.egresses.put("s1", EGRESS)

    everything = b"".join(
        [bson.encode(document) for name in await raw.list_collection_names() async for document in raw[name].find()]
    )
    assert b"s1" in everything
    assert b"very-secret" not in everything
    assert b"proxy.example" not in everything


async def test_a_way_out_whose_key_is_gone_is_not_taken_for_none(
    mongo_stores: MongoStores, mongod: EmbeddedMongod, database: str
) -> None:
    await mongo_stores.egresses.put("s1", EGRESS)

    async with await MongoStores.open(mongod.uri, database, TokenCipher("another secret of length")) as other:
        with pytest.raises(DecodeError, match="cannot be read any more"):
            await other.egresses.get("s1")


async def test_a_token_whose_key_is_gone_is_no_token(
    mongo_stores: MongoStores, mongod: EmbeddedMongod, database: str
) -> None:
    await mongo_stores.tokens.put("s1", TOKEN, minute(1))

    async with await MongoStores.open(mongod.uri, database, TokenCipher("another secret of length")) as other:
        assert await other.tokens.get("s1", AT) is None


async def test_two_clients_of_one_database_do_not_disturb_each_other(
    mongo_stores: MongoStores, mongod: EmbeddedMongod, database: str, cipher: TokenCipher
) -> None:
    async with await MongoStores.open(mongod.uri, database, cipher) as other:
        await other.tokens.put("s1", TOKEN, minute(1))
        assert await other.journal.append([entry(1, epoch=2)]) == {}

    assert await mongo_stores.tokens.get("s1", AT) == TOKEN
    assert isinstance((await mongo_stores.journal.append([entry(1)]))["s1"], FenceLost)


async def test_a_snapshot_of_another_engine_is_none(
    mongo_stores: MongoStores, mongod: EmbeddedMongod, database: str, cipher: TokenCipher
) -> None:
    now = state(DayPrepared(contracts=contracts()))
    await mongo_stores.snapshots.save(now, AT)
    async with await MongoStores.open(mongod.uri, database, cipher, engine="2.0") as newer:
        assert await newer.snapshots.newest("s1") is None
        await newer.snapshots.save(now, AT)
        assert await newer.snapshots.newest("s1") == now

    assert await mongo_stores.snapshots.newest("s1") is None
    await mongo_stores.snapshots.save(now, AT)
    assert await mongo_stores.snapshots.newest("s1") == now


async def test_a_snapshot_that_no_longer_decodes_is_none(
    mongo_stores: MongoStores, raw: AsyncDatabase[dict[str, Any]]
) -> None:
    await mongo_stores.snapshots.save(state(), AT)
    await raw[SnapshotDocument.Settings.name].update_one({}, {"$set": {"state.mood": "bright"}})

    assert await mongo_stores.snapshots.newest("s1") is None


async def test_a_snapshot_that_was_deleted_is_written_whole_again(
    mongo_stores: MongoStores, raw: AsyncDatabase[dict[str, Any]]
) -> None:
    now = state(DayPrepared(contracts=contracts()))
    await mongo_stores.snapshots.save(now, AT)
    await raw[SnapshotDocument.Settings.name].delete_many({})

    await mongo_stores.snapshots.save(now, AT)

    assert await mongo_stores.snapshots.newest("s1") == now


@pytest.mark.parametrize(
    "broken",
    [
        entry(1, alert(), first_frame=2**70),
        entry(1, alert("\ud800")),
        entry(1, detail="x" * (16 * 1024 * 1024)),
        entry(1, recorded_at=AT.replace(tzinfo=None)),
    ],
    ids=["too big a number", "half a character", "too large", "no zone"],
)
async def test_what_one_session_cannot_store_does_not_stop_another(
    mongo_stores: MongoStores, broken: JournalEntry
) -> None:
    failed = await mongo_stores.journal.append([broken, entry(1, session="s2")])

    assert list(failed) == ["s1"]
    assert len(await mongo_stores.journal.read("s2")) == 1


async def test_the_questions_are_answered_by_indexes(
    mongo_stores: MongoStores, raw: AsyncDatabase[dict[str, Any]]
) -> None:
    await fill(mongo_stores)
    questions: list[tuple[str, dict[str, Any], list[tuple[str, int]]]] = [
        ("journal", {"session_id": "s1", "last_seq": {"$gt": 0}}, [("last_seq", 1)]),
        ("journal", {"session_id": "s1", "last_frame": {"$gt": 0}}, [("last_frame", 1)]),
        ("journal", {"session_id": "s1", "entries.record.seq": {"$in": [1]}}, []),
        ("signals", {"session_id": "s1"}, [("at", -1), ("_id", -1)]),
        ("signals", {"user_id": "u1", "at": {"$lt": AT}}, [("at", -1), ("_id", -1)]),
        ("rejections", {}, [("at", -1), ("_id", -1)]),
        ("pcr", {"venue": "v1", "underlying": BANK_NIFTY}, [("at", -1), ("_id", -1)]),
        ("candles", {"venue": "v1", "underlying": BANK_NIFTY, "start": {"$gte": AT}}, [("start", 1)]),
        ("sessions", {"user_id": "u1"}, [("created_at", -1), ("_id", -1)]),
        ("sessions", {}, [("created_at", -1), ("_id", -1)]),
        ("sessions", {"venue": "v1", "day": "2026-11-23", "mode": "live"}, [("created_at", -1), ("_id", -1)]),
        ("orders", {"session_id": "s1", "is_refused": True}, [("at", -1), ("_id", -1)]),
        ("trades", {"user_id": "u1", "at": {"$lt": AT}}, [("at", -1), ("_id", -1)]),
        ("api_keys", {"digest": "d"}, []),
    ]
    for collection, wanted, sorting in questions:
        cursor = raw[collection].find(wanted)
        plan = str((await (cursor.sort(sorting) if sorting else cursor).explain())["queryPlanner"]["winningPlan"])

        assert "IXSCAN" in plan, (collection, wanted)
        assert "'SORT'" not in plan, (collection, wanted)


class TestWhenMongoIsAway:
    @pytest.fixture
    def own_mongod(self, tmp_path: Path) -> Iterator[EmbeddedMongod]:
        """Start a server that may be killed."""
        server = EmbeddedMongod(tmp_path)
        yield server
        asyncio.run(server.stop())

    async def test_a_killed_server_is_unavailable_and_what_it_had_confirmed_is_there_afterwards(
        self, own_mongod: EmbeddedMongod, cipher: TokenCipher
    ) -> None:
        uri = await own_mongod.start()
        async with await MongoStores.open(uri, "killed", cipher) as stores:
            confirmed: list[int] = []
            enough = asyncio.Event()
            appending = asyncio.create_task(self._append_until_it_fails(stores, confirmed, enough))
            await enough.wait()
            assert own_mongod.pid is not None
            os.kill(own_mongod.pid, signal.SIGKILL)
            with pytest.raises(StoreUnavailable):
                await appending
            with pytest.raises(StoreUnavailable):
                await stores.ping()

            assert await own_mongod.start() == uri, "the same port, so that this client finds it"

            # The last one may have been written without our hearing of it: told again, it is no error.
            again = [entry(n, alert()) for n in range(len(confirmed), len(confirmed) + 2)]
            assert await stores.journal.append(again) == {}
            kept = [one.record.seq for one in await stores.journal.read("s1")]
            assert kept == list(range(1, len(confirmed) + 2))

    async def test_a_server_that_hangs_is_unavailable_soon_and_fine_once_it_goes_on(
        self, own_mongod: EmbeddedMongod, cipher: TokenCipher
    ) -> None:
        uri = await own_mongod.start()
        async with await MongoStores.open(uri, "stopped", cipher) as stores:
            await stores.journal.append([entry(1)])
            assert own_mongod.pid is not None
            os.kill(own_mongod.pid, signal.SIGSTOP)
            try:
                async with asyncio.timeout(15):
                    with pytest.raises(StoreUnavailable):
                        await stores.journal.append([entry(2)])
                    with pytest.raises(StoreUnavailable):
                        await stores.ping()
            finally:
                os.kill(own_mongod.pid, signal.SIGCONT)

            assert await stores.journal.append([entry(2), entry(3)]) == {}
            assert [one.record.seq for one in await stores.journal.read("s1")] == [1, 2, 3]

    async def test_nobody_there_is_unavailable_at_once(self, cipher: TokenCipher) -> None:
        async with asyncio.timeout(15):
            with pytest.raises(StoreUnavailable):
                await MongoStores.open("mongodb://127.0.0.1:1", "x", cipher)

    async def _append_until_it_fails(self, stores: MongoStores, confirmed: list[int], enough: asyncio.Event) -> None:
        while True:
            seq = len(confirmed) + 1
            assert await stores.journal.append([entry(seq, alert())]) == {}
            confirmed.append(seq)
            if seq == 20:
                enough.set()
